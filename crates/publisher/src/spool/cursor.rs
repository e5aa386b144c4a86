//! The consumer's cursor: one small file, replaced whole.
//! It never goes back by itself and never means "nothing consumed" when it cannot be read.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::Path;

use super::{Error, Position};
use crate::folder;

const NAME: &str = "cursor";

/// Reads the cursor; `None` when none was ever stored.
pub fn load(directory: &Path) -> Result<Option<Position>, Error> {
    let path = directory.join(NAME);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(failure) if failure.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::Io { act: "read", path, source }),
    };
    match decode(&text) {
        Some(position) => Ok(Some(position)),
        None => Err(Error::Damaged { path, offset: 0, resume: None }),
    }
}

/// Replaces the cursor: the new file is synced before it takes the old one's name, so that a disk without room leaves the
/// old one as it was.
pub fn store(directory: &Path, position: Position) -> Result<(), Error> {
    write(directory, position).map_err(Error::or_no_room)
}

fn write(directory: &Path, position: Position) -> Result<(), Error> {
    let path = directory.join(NAME);
    let new = directory.join("cursor.new");
    let mut file = folder::private()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&new)
        .map_err(Error::io("create", &new))?;
    file.write_all(encode(position).as_bytes()).map_err(Error::io("write", &new))?;
    file.sync_all().map_err(Error::io("sync", &new))?;
    fs::rename(&new, &path).map_err(Error::io("rename", &new))
}

fn encode(position: Position) -> String {
    let number = format!("{:020}", position.0);
    format!("{number} {:08x}\n", crc32c::crc32c(number.as_bytes()))
}

fn decode(text: &str) -> Option<Position> {
    let (number, _) = text.split_once(' ')?;
    let position = Position(number.parse().ok()?);
    (encode(position) == text).then_some(position)
}
