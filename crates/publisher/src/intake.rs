//! The doors by which a node's own words come in: a Kafka listener, an HTTP door, files.
//! Every door writes to the spool and answers only after its sync. None of them understands what it is given, and none is open to the
//! network without a lock.

pub mod file;
pub mod http;
mod inflate;
mod item;
pub mod kafka;
pub mod posted;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::spool;

/// Where the time comes from: unix milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// The codes a door counts what it turns away under; `docs/refusals.md` explains each.
pub mod refusal {
    /// Over a size limit of the door.
    pub const TOO_LARGE: &str = "E-INPUT-TOO-LARGE";
    /// Not an envelope, or not a list of them.
    pub const MALFORMED: &str = "E-ENVELOPE-MALFORMED";
    /// Wrong or missing credentials.
    pub const LOGIN: &str = "E-DOOR-LOGIN";
    /// Another path or method than those of the door.
    pub const REQUEST: &str = "E-DOOR-REQUEST";
    /// Too many connections or too much under way.
    pub const BUSY: &str = "E-DOOR-BUSY";
    /// A request or an answer that did not get through in time.
    pub const SLOW: &str = "E-DOOR-SLOW";
    /// A TLS handshake that failed.
    pub const TLS: &str = "E-DOOR-TLS";
    /// A Kafka frame that cannot be read.
    pub const KAFKA_FRAME: &str = "E-KAFKA-FRAME";
    /// A Kafka request or version that was not offered.
    pub const KAFKA_REQUEST: &str = "E-KAFKA-REQUEST";
    /// Another topic or partition than ours.
    pub const KAFKA_TOPIC: &str = "E-KAFKA-TOPIC";
    /// Records whose checksum does not fit.
    pub const KAFKA_CHECKSUM: &str = "E-KAFKA-CHECKSUM";
    /// Records that cannot be read.
    pub const KAFKA_RECORDS: &str = "E-KAFKA-RECORDS";
    /// A compression we do not read.
    pub const KAFKA_COMPRESSION: &str = "E-KAFKA-COMPRESSION";
    /// The spool has no room.
    pub const SPOOL_FULL: &str = "E-SPOOL-FULL";
    /// The spool stopped after a failed write.
    pub const SPOOL_STOPPED: &str = "E-SPOOL-STOPPED";

    /// The code for an append the spool did not take.
    #[must_use]
    pub fn of_append(failure: &crate::spool::Error) -> &'static str {
        match failure {
            crate::spool::Error::Full { .. } => SPOOL_FULL,
            crate::spool::Error::TooLarge { .. } => TOO_LARGE,
            _ => SPOOL_STOPPED,
        }
    }
}

/// Why a door cannot be opened, or a file not be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file the settings name.
    #[error("could not {act} {}: {source}", path.display())]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The address cannot be had.
    #[error("could not listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system answered.
        source: io::Error,
    },
    /// The door would be open to the network without a lock.
    #[error("will not listen on {address}: it is not loopback, and {missing} missing")]
    Exposed {
        /// The address.
        address: SocketAddr,
        /// What the settings lack.
        missing: &'static str,
    },
    /// The certificate or key is unusable.
    #[error("could not use the certificate {} with its key: {reason}", path.display())]
    Tls {
        /// The certificate file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The settings contradict each other.
    #[error("intake settings: {0}")]
    Settings(String),
}

impl Error {
    fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }
}

/// What the doors let in and turned away since the start. Clones share the numbers.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<Snapshot>>);

/// The numbers at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Records in the spool, by door: `kafka`, `http`, `file`.
    pub kept: BTreeMap<&'static str, u64>,
    /// Requests, records or connections turned away, by refusal code.
    pub refused: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Counts records that are on the disk.
    pub fn keep(&self, source: spool::Source, records: u64) {
        let name = match source {
            spool::Source::Kafka => "kafka",
            spool::Source::Http => "http",
            spool::Source::File => "file",
        };
        self.change(|counts| *counts.kept.entry(name).or_default() += records);
    }

    /// Counts one refusal.
    pub fn refuse(&self, code: &'static str) {
        self.change(|counts| *counts.refused.entry(code).or_default() += 1);
    }

    /// The numbers now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// What a caller must know, kept as a digest: comparing digests takes as long for a near miss as for a far one.
pub(crate) struct Secret([u8; 32]);

impl Secret {
    /// Reads the secret from a file; one line end after it does not count.
    pub(crate) fn read(path: &Path, user: &str) -> Result<Self, Error> {
        let text = std::fs::read_to_string(path).map_err(Error::io("read the secret in", path))?;
        let secret = text.strip_suffix('\n').unwrap_or(&text);
        let secret = secret.strip_suffix('\r').unwrap_or(secret);
        if secret.is_empty() {
            return Err(Error::Settings(format!("the secret in {} is empty", path.display())));
        }
        Ok(Self(digest(user.as_bytes(), secret.as_bytes())))
    }

    pub(crate) fn matches(&self, user: &[u8], secret: &[u8]) -> bool {
        let difference = |(ours, theirs): (&u8, &u8)| ours ^ theirs;
        self.0.iter().zip(&digest(user, secret)).map(difference).fold(0, |all, one| all | one) == 0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

fn digest(user: &[u8], secret: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(user).chain_update([0]).chain_update(secret).finalize().into()
}
