//! What can go wrong with the warehouse's own files, and what its writer may not do.

use std::path::PathBuf;

use events::event::Network;
use events::identity::Digest;
use sla::window::{Hour, Window};

/// Why the warehouse did not do what it was asked to. Whatever the reason, nothing of the call was kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database cannot be opened.
    #[error("cannot open warehouse {path}: {source}")]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file is a database of something else.
    #[error("{path} is a database, but no warehouse of ours: choose another file")]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The database was written by a later version of this program.
    #[error(
        "warehouse {path} has schema {found} and this version knows {known}: use the version that wrote it, or delete \
         the file and let it be rebuilt from the ledger"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u64,
        /// The latest schema known here.
        known: u64,
    },
    /// The database was written by an earlier version and is open read-only, so it cannot be brought up to date.
    #[error(
        "warehouse {path} has schema {found} and {known} is needed: start the writing process once"
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// Its schema.
        found: u64,
        /// The schema needed.
        known: u64,
    },
    /// No room on the disk.
    #[error("cannot {action}: the disk of the warehouse is full: {source}")]
    Full {
        /// What was tried.
        action: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// Somebody else holds the database.
    #[error("cannot {action}: the warehouse is busy: {source}")]
    Busy {
        /// What was tried.
        action: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// The file does not hold what was written.
    #[error(
        "cannot {action}: the warehouse is damaged: {what}; delete its file and let it be rebuilt from the ledger"
    )]
    Corrupt {
        /// What was tried.
        action: &'static str,
        /// What was found.
        what: String,
    },
    /// Anything else that SQLite or the system said.
    #[error("cannot {action}: {source}")]
    Sql {
        /// What was tried.
        action: &'static str,
        /// What SQLite said.
        source: rusqlite::Error,
    },
    /// A number that the home has no room for.
    #[error("cannot {action}: {number} is over 2^63 - 1")]
    TooLarge {
        /// What was tried.
        action: &'static str,
        /// The number.
        number: u64,
    },
    /// A value that cannot be written as JSON.
    #[error("cannot {action}: {source}")]
    Unwritable {
        /// What was tried.
        action: &'static str,
        /// Why.
        source: serde_json::Error,
    },
    /// Another batch under an ordinal that is taken: the warehouse belongs to another ledger.
    #[error(
        "ledger entry {ordinal} is batch {kept} here and {offered} there: this warehouse belongs to another ledger"
    )]
    AnotherLedger {
        /// The ordinal.
        ordinal: u64,
        /// The hash that is recorded.
        kept: Digest,
        /// The hash that was offered.
        offered: Digest,
    },
    /// Another scorecard under a revision that is final.
    #[error(
        "{network} {hour} revision {revision} is final with digest {kept}: digest {offered} was not recorded"
    )]
    Final {
        /// The network.
        network: Network,
        /// The hour.
        hour: Hour,
        /// The revision.
        revision: u32,
        /// The digest that is recorded.
        kept: Digest,
        /// The digest that was offered.
        offered: Digest,
    },
    /// Another scorecard for a window that was made.
    #[error("{network} {window} was made with digest {kept}: digest {offered} was not recorded")]
    Made {
        /// The network.
        network: Network,
        /// The window.
        window: Window,
        /// The digest that is recorded.
        kept: Digest,
        /// The digest that was offered.
        offered: Digest,
    },
    /// A new revision below the latest.
    #[error("{network} {hour} is at revision {latest}: revision {revision} was not recorded")]
    Stale {
        /// The network.
        network: Network,
        /// The hour.
        hour: Hour,
        /// The revision that was offered.
        revision: u32,
        /// The latest revision.
        latest: u32,
    },
    /// A record whose parts do not belong together.
    #[error("the record of {network} {hour} does not hold together: {what}")]
    Mixed {
        /// The network.
        network: Network,
        /// The hour.
        hour: Hour,
        /// What differs.
        what: &'static str,
    },
    /// A cursor of another list.
    #[error("the cursor belongs to another list than {list}")]
    ForeignCursor {
        /// The list that was asked for.
        list: &'static str,
    },
}

impl Error {
    /// Whether the same call may succeed later without anyone mending anything but the disk's free space.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Busy { .. })
    }
}
