//! What can go wrong with an outbox, and whether trying again can help.
//! It never carries what events say.

use std::io;
use std::path::{Path, PathBuf};

use events::refusal::Refusal;
use events::unit::UnixMillis;

use crate::folder;

/// What can go wrong with an outbox.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system said no.
    #[error("could not {act} {path}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("outbox {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// A batch on the shelf cannot be read back.
    #[error("outbox segment {} is damaged at byte {offset}", path.display())]
    Damaged {
        /// The segment file.
        path: PathBuf,
        /// Where its record begins.
        offset: u64,
    },
    /// So much is kept that nobody else is known to hold that nothing more is taken; later it may be.
    #[error("outbox is full: {used_bytes} of {quota_bytes} bytes used")]
    Full {
        /// Bytes kept now.
        used_bytes: u64,
        /// Bytes allowed.
        quota_bytes: u64,
    },
    /// A time no batch can be sealed at.
    #[error("no batch can be sealed at {0} ms since 1970")]
    Clock(UnixMillis),
    /// Events that give no batch, which their own checks should have kept out.
    #[error("could not seal a batch: {0}")]
    Seal(Refusal),
    /// The disk has no room. What was tried left nothing behind, and trying again later may do it.
    #[error("{0}")]
    NoRoom(String),
    /// An earlier error left the disk's content unknown: only opening the outbox again helps.
    #[error("outbox stopped after an earlier error")]
    Stopped,
}

impl Error {
    /// Whether the same call can succeed later without opening the outbox again: once receivers hold more, the clock is
    /// right, or the disk has room.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Clock(_) | Self::NoRoom(_))
    }

    /// Tells a full disk from other failures, where what was tried left nothing behind.
    pub(super) fn or_no_room(self) -> Self {
        match &self {
            Self::Io { source, .. } if folder::is_no_room(source) => Self::NoRoom(self.to_string()),
            _ => self,
        }
    }

    pub(super) fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }
}

impl From<folder::Error> for Error {
    fn from(error: folder::Error) -> Self {
        match error {
            folder::Error::Io { act, path, source } => Self::Io { act, path, source },
            folder::Error::Locked(path) => Self::Locked(path),
        }
    }
}
