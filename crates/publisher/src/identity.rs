//! Who a node is: its name and its signing key, in two files that survive restarts.
//!
//! Both are made on first use, for the owner's eyes alone. The key is read by path, never printed, and never leaves
//! this process; a key file that others may read or write is refused.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use events::batch::publisher_key;
use events::identity::{Digest, NodeId, PublisherKey};

use crate::pseudonym::PseudonymKey;

/// The file of the node's name in its folder.
const NODE: &str = "node";

/// The file of the node's key in its folder.
const KEY: &str = "publisher.key";

/// A node's name and key.
#[derive(Clone)]
pub struct Identity {
    /// The node on disk.
    pub node: NodeId,
    secret: SigningKey,
}

/// Why a node does not know who it is.
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
    /// The file holds something else. What it holds is not told.
    #[error("{} does not hold {what}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// Others than the owner and its group may use the key.
    #[error("the key in {} is open to others (mode {mode:o}): take their rights away", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The system gave no random numbers.
    #[error("could not draw a key: {0}")]
    Random(String),
}

impl Error {
    fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }
}

impl Identity {
    /// Reads the name and key in `directory`, and makes what is missing.
    ///
    /// # Errors
    /// `Io`, `Malformed`, `Exposed`, `Random`.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let (node, key) = (directory.join(NODE), directory.join(KEY));
        if !exists(&node)? {
            write(directory, &node, &uuid::Uuid::new_v4().to_string())?;
        }
        if !exists(&key)? {
            write(directory, &key, &draw()?)?;
        }
        Self::read(&node, &key)
    }

    /// Reads a name and a key from the files that hold them.
    ///
    /// # Errors
    /// `Io`, `Malformed`, `Exposed`.
    pub fn read(node: &Path, key: &Path) -> Result<Self, Error> {
        let name = fs::read_to_string(node).map_err(Error::io("read", node))?;
        let is_uuid = uuid::Uuid::try_parse(name.trim()).is_ok();
        let name = name.trim().parse().ok().filter(|_| is_uuid);
        let node =
            name.ok_or_else(|| Error::Malformed { path: node.to_owned(), what: "a UUID" })?;
        check_mode(key)?;
        let text = fs::read_to_string(key).map_err(Error::io("read", key))?;
        // Any 32 bytes are an Ed25519 seed, and a digest is 32 bytes as 64 hex digits.
        let Ok(Digest(seed)) = text.trim().parse() else {
            return Err(Error::Malformed {
                path: key.to_owned(),
                what: "64 lower-case hex digits",
            });
        };
        Ok(Self { node, secret: SigningKey::from_bytes(&seed) })
    }

    /// The name under which the node publishes.
    pub fn key(&self) -> PublisherKey {
        publisher_key(&self.secret)
    }

    /// What it hides things behind: the same as long as its key is.
    pub fn pseudonym_key(&self) -> PseudonymKey {
        PseudonymKey::of(&self.secret)
    }

    /// What signs its batches.
    pub fn secret(&self) -> &SigningKey {
        &self.secret
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = formatter.debug_struct("Identity");
        shown.field("node", &self.node).field("key", &self.key()).finish_non_exhaustive()
    }
}

fn draw() -> Result<String, Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|failure| Error::Random(failure.to_string()))?;
    Ok(Digest(seed).to_string())
}

fn exists(path: &Path) -> Result<bool, Error> {
    path.try_exists().map_err(Error::io("look for", path))
}

/// Writes a file that is whole or not there, and that only its owner can read from its first byte on.
fn write(directory: &Path, path: &Path, line: &str) -> Result<(), Error> {
    let new = path.with_extension("new");
    match fs::remove_file(&new) {
        Err(failure) if failure.kind() != io::ErrorKind::NotFound => {
            return Err(Error::io("delete", &new)(failure));
        }
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&new).map_err(Error::io("create", &new))?;
    file.write_all(format!("{line}\n").as_bytes()).map_err(Error::io("write", &new))?;
    file.sync_all().map_err(Error::io("sync", &new))?;
    // A name that is taken meanwhile stays taken: two processes that begin at once end with one key.
    match fs::hard_link(&new, path) {
        Err(failure) if failure.kind() != io::ErrorKind::AlreadyExists => {
            return Err(Error::io("name", path)(failure));
        }
        _ => fs::remove_file(&new).map_err(Error::io("delete", &new))?,
    }
    if cfg!(unix) {
        let folder = File::open(directory).map_err(Error::io("open", directory))?;
        folder.sync_all().map_err(Error::io("sync", directory))?;
    }
    Ok(())
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(path).map_err(Error::io("look at", path))?.permissions().mode() & 0o777;
    // A group may read it, as secrets mounted into containers need; nobody else, and nobody else may write.
    if mode & 0o027 == 0 { Ok(()) } else { Err(Error::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), Error> {
    Ok(())
}
