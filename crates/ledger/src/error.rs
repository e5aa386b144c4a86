//! What can go wrong with the ledger's own files. Refusing a batch is not among it, except one that is no frame at all.
//!
//! Errors can be cloned, because one failed sync fails everyone who waited for it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use events::refusal::Refusal;

/// Why the ledger did not do what it was asked to.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// Another ledger, here or in another process, is writing in this directory.
    #[error(
        "ledger {directory} is in use: stop the process that writes there, or open it read-only"
    )]
    InUse {
        /// The ledger's directory.
        directory: PathBuf,
    },
    /// The files do not hold what was synced, and no crash explains it. Nothing was changed.
    #[error(
        "{path} at byte {offset}: {what}; nothing was changed: restore this segment from a copy of the ledger, or move \
         it and every later segment out of the directory and let backfill fetch what they held"
    )]
    Corrupt {
        /// The damaged segment.
        path: PathBuf,
        /// Where the damage begins.
        offset: u64,
        /// What was found there.
        what: String,
    },
    /// The system refused to read or write outside an append.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// Nothing of this append was kept, as on a full disk; the ledger is as it was before, and a later try may work.
    #[error("cannot {action} {path}, so nothing was appended: {source}")]
    NotAppended {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: Arc<io::Error>,
    },
    /// It is unknown what reached the disk: nothing more is accepted until the ledger is opened anew.
    #[error("the ledger takes no more batches until it is opened anew: {reason}")]
    Poisoned {
        /// What made the state unknown.
        reason: String,
    },
    /// An append to a ledger that was opened to be read.
    #[error("the ledger is open read-only")]
    ReadOnly,
    /// An entry that is no frame; nothing of this append was kept.
    #[error("entry {place} of the append is no frame: {refusal}")]
    NotAFrame {
        /// Its place in the append, from 0.
        place: usize,
        /// What is wrong with it.
        refusal: Refusal,
    },
    /// More bytes than one append may hold; nothing of it was kept.
    #[error("an append of {bytes} bytes, more than {max}: split it")]
    AppendTooLarge {
        /// The bytes of its records.
        bytes: usize,
        /// The most there may be, [`crate::MAX_APPEND_BYTES`].
        max: usize,
    },
}

impl Error {
    /// Whether the same append may succeed later without anyone opening the ledger anew.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::NotAppended { .. })
    }

    /// Whether the ledger must be opened anew before it accepts anything.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Poisoned { .. })
    }

    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn not_appended(
        action: &'static str,
        path: &Path,
    ) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::NotAppended { action, path: path.to_owned(), source: Arc::new(source) }
    }

    pub(crate) fn corrupt(path: &Path, offset: u64, what: impl Into<String>) -> Self {
        Self::Corrupt { path: path.to_owned(), offset, what: what.into() }
    }
}
