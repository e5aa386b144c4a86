//! The three ways a segment is changed, behind a trait so that tests can fill the disk or break a sync.
//!
//! It holds no state and decides nothing: what a failure means is the writer's business.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::Path;

/// What the writer asks of the file system.
pub(crate) trait Volume: Send {
    /// Writes all of `bytes` at `offset`; on an error any part of them may be there.
    fn write_at(&self, file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()>;

    /// Cuts the file to `length`.
    fn truncate(&self, file: &mut File, length: u64) -> io::Result<()>;

    /// Returns once everything written to the file, and its length, would survive a power cut.
    fn sync(&self, file: &mut File) -> io::Result<()>;
}

/// The real file system.
pub(crate) struct Disk;

impl Volume for Disk {
    fn write_at(&self, file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        file.seek(SeekFrom::Start(offset))?;
        file.write_all(bytes)
    }

    fn truncate(&self, file: &mut File, length: u64) -> io::Result<()> {
        file.set_len(length)
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        file.sync_data()
    }
}

/// Makes the names in a directory survive a power cut.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}
