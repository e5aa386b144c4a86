//! Where the files of a settled window come from. `naap` passes it in; how an export is made is not known here.

use std::io::{self, Write};

use events::event::Network;
use sla::window::Window;

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// Nothing is known of the window, the revision or the file.
    #[error("{0}")]
    Absent(String),
    /// The window may still change.
    #[error("{0}")]
    Unsettled(String),
    /// It cannot be read now.
    #[error("cannot read the export: {0}")]
    Failed(String),
}

/// Which export is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The network.
    pub network: Network,
    /// The revision; the latest if none is named.
    pub revision: Option<u32>,
    /// The window.
    pub window: Window,
}

/// Writes a file from its first byte to its last. May block, and ends with the first error of the sink.
pub type Content = Box<dyn FnOnce(&mut dyn Write) -> io::Result<()> + Send>;

/// One file of an export, ready to be sent.
pub struct File {
    /// How many bytes it has.
    pub bytes: u64,
    /// Writes it.
    pub content: Content,
}

/// Makes exports. Calls block.
pub trait Exports: Send + Sync {
    /// The bytes of `manifest.json`: the revision, and name, size and SHA-256 of every other file.
    fn manifest(&self, wanted: &Wanted) -> Result<Vec<u8>, Unavailable>;

    /// The file that the manifest calls `name`. A name is at most 64 letters, digits, dots, hyphens and underscores and
    /// never begins with a dot.
    fn file(&self, wanted: &Wanted, name: &str) -> Result<File, Unavailable>;
}

/// Whether a client's text can be the name of a file at all.
pub fn is_name(text: &str) -> bool {
    let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(is_letter)
}
