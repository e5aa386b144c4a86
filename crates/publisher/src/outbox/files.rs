//! The folder of an outbox: its lock, its segment files, and making changes to it last.
//! It never reads or changes what stands in a file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use events::unit::UnixMillis;

use super::Error;
use super::record;
use super::shelf::Segment;

/// How a segment's file is called, behind its number.
pub const SUFFIX: &str = ".outbox";

/// The path of a segment.
pub fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}{SUFFIX}"))
}

/// Makes a segment file that lasts.
pub fn create(directory: &Path, number: u64) -> Result<(File, Segment), Error> {
    let path = segment_path(directory, number);
    let mut file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(&path)
        .map_err(Error::io("create", &path))?;
    file.write_all(record::SEGMENT_MAGIC).map_err(Error::io("write", &path))?;
    sync_directory(directory)?;
    let bytes = record::SEGMENT_MAGIC.len() as u64;
    Ok((file, Segment { number, path, end: 0, bytes, sealed_ms: UnixMillis(0) }))
}

/// Makes this process the only one in the folder, for as long as the file is open.
pub fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(Error::Io { act: "lock", path, source }),
    }
}

/// Makes renames, creations and deletions in the folder last. Elsewhere than on Unix a folder cannot be synced, nor needs to be.
pub fn sync_directory(directory: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        let folder = File::open(directory).map_err(Error::io("open", directory))?;
        folder.sync_all().map_err(Error::io("sync", directory))?;
    }
    Ok(())
}
