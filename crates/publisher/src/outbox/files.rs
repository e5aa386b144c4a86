//! The segment files of an outbox: what they are called, how one is begun, and how it is written behind its end.
//! It never reads a file, and never changes what others may have been shown.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use events::unit::UnixMillis;

use super::Error;
use super::record;
use super::shelf::Segment;
use crate::folder;

/// How a segment's file is called, behind its number.
pub const SUFFIX: &str = ".outbox";

/// The path of a segment.
pub fn segment_path(directory: &Path, number: u64) -> PathBuf {
    directory.join(format!("{number:020}{SUFFIX}"))
}

/// Makes a segment file that lasts. Where the disk has no room for it, none is left.
pub fn create(directory: &Path, number: u64) -> Result<(File, Segment), Error> {
    let path = segment_path(directory, number);
    let opened = OpenOptions::new().append(true).create_new(true).open(&path);
    let mut file = opened.map_err(Error::io("create", &path)).map_err(Error::or_no_room)?;
    let written = file.write_all(record::SEGMENT_MAGIC).map_err(Error::io("write", &path));
    let lasting = written.and_then(|()| Ok(folder::sync(directory)?));
    if let Err(failure) = lasting {
        fs::remove_file(&path).map_err(Error::io("delete", &path))?;
        return Err(failure.or_no_room());
    }
    let bytes = record::SEGMENT_MAGIC.len() as u64;
    Ok((file, Segment { number, path, end: 0, bytes, sealed_ms: UnixMillis(0) }))
}

/// Writes behind the end of a segment and syncs.
pub fn append(file: &mut File, segment: &Segment, bytes: &[u8]) -> Result<(), Error> {
    let written = file.write_all(bytes).map_err(Error::io("write", &segment.path));
    let synced = written.and_then(|()| file.sync_data().map_err(Error::io("sync", &segment.path)));
    synced.map_err(Error::or_no_room)
}

/// Takes back what was written behind the end of a segment, all or half of it.
pub fn cut(file: &File, segment: &Segment) -> Result<(), Error> {
    let cut = file.set_len(segment.bytes).and_then(|()| file.sync_all());
    cut.map_err(Error::io("cut", &segment.path))
}
