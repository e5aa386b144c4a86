//! How an outbox is kept: where, how much, how long. It never looks at a disk.

use std::path::PathBuf;

use events::unit::Millis;

/// Where an outbox is and how much it keeps.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its folder; made when missing, used by one process at a time.
    pub directory: PathBuf,
    /// A segment that has reached this many bytes takes no further group.
    pub segment_bytes: u64,
    /// All segments together; with so much that nobody else is known to hold, nothing more is taken.
    pub quota_bytes: u64,
    /// How long a batch that others hold is kept for backfill; the quota goes first.
    pub retention_ms: Millis,
    /// How many of the newest event ids are remembered, so that none is sealed twice.
    pub recent_ids: usize,
    /// No epoch is begun below this one. A live node gives the seconds of its clock: then a folder that was lost or
    /// restored with its key still begins above every epoch that was ever used.
    pub first_epoch: u64,
}

impl Options {
    /// 256 MiB in 8 MiB segments, kept for a week, and the ids of 100 000 events.
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            segment_bytes: 8 << 20,
            quota_bytes: 256 << 20,
            retention_ms: Millis(7 * 24 * 3_600_000),
            recent_ids: 100_000,
            first_epoch: 0,
        }
    }
}
