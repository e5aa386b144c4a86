//! The segment files of an outbox: what they are called, and how one is begun.
//! It never reads or changes what stands in a file.

use std::fs::{File, OpenOptions};
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

/// Makes a segment file that lasts.
pub fn create(directory: &Path, number: u64) -> Result<(File, Segment), Error> {
    let path = segment_path(directory, number);
    let mut file = OpenOptions::new()
        .append(true)
        .create_new(true)
        .open(&path)
        .map_err(Error::io("create", &path))?;
    file.write_all(record::SEGMENT_MAGIC).map_err(Error::io("write", &path))?;
    folder::sync(directory)?;
    let bytes = record::SEGMENT_MAGIC.len() as u64;
    Ok((file, Segment { number, path, end: 0, bytes, sealed_ms: UnixMillis(0) }))
}
