//! The small files beside the segments: the epoch counter, the head mark, how far others hold the outbox, and how far
//! each receiver came.
//!
//! The head mark says which batch was the last one synced, so that a tail lost with its file is noticed. It has two
//! places that are written in turn: a torn write spoils the older word at most. None of these files is ever trusted
//! without its checksum, and a spoiled one is the same as none.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use events::batch::Position;
use events::identity::{Digest, PublisherKey};

use super::Error;
use crate::folder;

const MAGIC: &[u8; 4] = b"nHED";
const SLOT_BYTES: u64 = 4_096;
const MARK_BYTES: usize = 4 + 8 + 32 + 8 + 8 + 32 + 4;

/// The last batch that was synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Where it stands.
    pub position: Position,
    /// The hash of its header.
    pub hash: Digest,
}

/// The head mark's file.
#[derive(Debug)]
pub struct Marks {
    file: File,
    path: PathBuf,
    count: u64,
    spoiled: Vec<u64>,
}

/// What the head mark's file says.
#[derive(Debug, Default)]
pub struct Words {
    /// Every mark that can be read, the newest first.
    pub marks: Vec<Mark>,
    /// Whether there was one that cannot.
    pub is_spoiled: bool,
}

impl Marks {
    /// Opens or makes the file and reads both places.
    pub fn open(directory: &Path) -> Result<(Self, Words), Error> {
        let path = directory.join("head");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(Error::io("open", &path))
            .map_err(Error::or_no_room)?;
        reserve(&mut file, &path)?;
        let mut bytes = Vec::new();
        (&mut file)
            .take(2 * SLOT_BYTES)
            .read_to_end(&mut bytes)
            .map_err(Error::io("read", &path))?;
        // A file that was just made is zeros; one that was cut cannot be trusted to say what it said.
        let is_cut = !bytes.is_empty() && bytes.len() as u64 != 2 * SLOT_BYTES;
        bytes.resize(usize::try_from(2 * SLOT_BYTES).unwrap_or(bytes.len()), 0);
        let mut spoiled = Vec::new();
        let mut marks: Vec<(u64, Mark)> = Vec::new();
        for place in [0, SLOT_BYTES] {
            let start = usize::try_from(place).unwrap_or(usize::MAX);
            let slot =
                bytes.get(start..).and_then(|rest| rest.get(..MARK_BYTES)).unwrap_or_default();
            match decode(slot) {
                Some(mark) => marks.push(mark),
                None if slot.iter().all(|byte| *byte == 0) => {}
                None => spoiled.push(place),
            }
        }
        marks.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let count = marks.first().map_or(0, |(count, _)| *count);
        let words = Words {
            marks: marks.into_iter().map(|(_, mark)| mark).collect(),
            is_spoiled: is_cut || !spoiled.is_empty(),
        };
        Ok((Self { file, path, count, spoiled }, words))
    }

    /// Makes the file last, with spoiled places empty. Only to be called once what they cost is paid.
    pub fn heal(&mut self, directory: &Path) -> Result<(), Error> {
        for place in std::mem::take(&mut self.spoiled) {
            self.write_at(place, &[0; MARK_BYTES])?;
        }
        let sized = self.file.set_len(2 * SLOT_BYTES).map_err(Error::io("size", &self.path));
        let synced = sized.and_then(|()| {
            self.file.sync_all().map_err(Error::io("sync", &self.path))?;
            Ok(folder::sync(directory)?)
        });
        synced.map_err(Error::or_no_room)
    }

    /// Writes the mark over the older of the two and syncs it. After a failure the newer one still stands, and the next
    /// attempt writes over the same place.
    pub fn write(&mut self, mark: &Mark) -> Result<(), Error> {
        let count = self.count + 1;
        let place = if count.is_multiple_of(2) { 0 } else { SLOT_BYTES };
        self.write_at(place, &encode(count, mark))?;
        let synced = self.file.sync_data().map_err(Error::io("sync", &self.path));
        synced.map_err(Error::or_no_room)?;
        self.count = count;
        Ok(())
    }

    fn write_at(&mut self, place: u64, bytes: &[u8]) -> Result<(), Error> {
        self.file.seek(SeekFrom::Start(place)).map_err(Error::io("seek in", &self.path))?;
        let written = self.file.write_all(bytes).map_err(Error::io("write", &self.path));
        written.map_err(Error::or_no_room)
    }
}

/// Gives a file that was just made all the room that it will ever need, before anything stands on what it says.
fn reserve(file: &mut File, path: &Path) -> Result<(), Error> {
    if file.metadata().map_err(Error::io("read", path))?.len() > 0 {
        return Ok(());
    }
    let zeros = vec![0; usize::try_from(2 * SLOT_BYTES).unwrap_or_default()];
    let written = file.write_all(&zeros).and_then(|()| file.sync_all());
    if let Err(source) = written {
        // Half of it would be taken for a mark that was cut.
        file.set_len(0).map_err(Error::io("cut", path))?;
        return Err(Error::io("write", path)(source).or_no_room());
    }
    file.seek(SeekFrom::Start(0)).map_err(Error::io("seek in", path))?;
    Ok(())
}

fn encode(count: u64, mark: &Mark) -> Vec<u8> {
    let Mark { position: Position { key, epoch, seq }, hash } = mark;
    let mut out = Vec::with_capacity(MARK_BYTES);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&count.to_le_bytes());
    out.extend_from_slice(&key.0);
    out.extend_from_slice(&epoch.to_le_bytes());
    out.extend_from_slice(&seq.to_le_bytes());
    out.extend_from_slice(&hash.0);
    let crc = crc32c::crc32c(&out);
    out.extend_from_slice(&crc.to_le_bytes());
    out
}

fn decode(bytes: &[u8]) -> Option<(u64, Mark)> {
    let bytes = bytes.get(..MARK_BYTES)?;
    let (signed, crc) = bytes.split_last_chunk::<4>()?;
    if crc32c::crc32c(signed) != u32::from_le_bytes(*crc) {
        return None;
    }
    let rest = signed.strip_prefix(MAGIC)?;
    let (count, rest) = rest.split_first_chunk::<8>()?;
    let (key, rest) = rest.split_first_chunk::<32>()?;
    let (epoch, rest) = rest.split_first_chunk::<8>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (hash, _) = rest.split_first_chunk::<32>()?;
    let (epoch, seq) = (u64::from_le_bytes(*epoch), u64::from_le_bytes(*seq));
    let position = Position { key: PublisherKey(*key), epoch, seq };
    Some((u64::from_le_bytes(*count), Mark { position, hash: Digest(*hash) }))
}

/// Reads a number that was stored under `name`; nothing where there is none, or a spoiled one.
pub fn load(directory: &Path, name: &str) -> Result<Option<u64>, Error> {
    let path = directory.join(name);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(failure) => return Err(Error::io("read", &path)(failure)),
    };
    let text = String::from_utf8(bytes).unwrap_or_default();
    let number = text.split(' ').next().and_then(|number| number.parse().ok());
    Ok(number.filter(|number| line(*number) == text))
}

/// Replaces the number under `name`; it lasts once this returns, if `is_synced`. A disk without room leaves the old one.
pub fn store(directory: &Path, name: &str, number: u64, is_synced: bool) -> Result<(), Error> {
    replace(directory, name, number, is_synced).map_err(Error::or_no_room)
}

fn replace(directory: &Path, name: &str, number: u64, is_synced: bool) -> Result<(), Error> {
    let path = directory.join(name);
    let new = directory.join(format!("{name}.new"));
    let mut file = File::create(&new).map_err(Error::io("create", &new))?;
    file.write_all(line(number).as_bytes()).map_err(Error::io("write", &new))?;
    if is_synced {
        file.sync_all().map_err(Error::io("sync", &new))?;
    }
    fs::rename(&new, &path).map_err(Error::io("rename", &new))?;
    if is_synced {
        folder::sync(directory)?;
    }
    Ok(())
}

fn line(number: u64) -> String {
    let digits = format!("{number:020}");
    format!("{digits} {:08x}\n", crc32c::crc32c(digits.as_bytes()))
}
