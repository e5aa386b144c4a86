//! One segment file: its name, the header it begins with, and the two marks that say how far it was synced.
//!
//! Three sectors of 512 bytes come before the records, numbers big-endian, each ending in the CRC-32C of its first 508
//! bytes: the header (`naap/segment`, version as 4 bytes, first ordinal, chain so far), then two marks (synced length,
//! next ordinal, chain). After each sync the older mark is overwritten, so one of the two is whole whatever happens. A
//! mark reaches the disk no later than the sync after it, and a process that is killed leaves it behind in any case: it
//! is what tells a torn tail, which lies beyond it, from damage to what was acknowledged. It stands in front so that a
//! copy made while the file grows never claims more than it holds. Nothing here reads or writes a record.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use events::identity::Digest;

use crate::error::Error;
use crate::volume::Volume;

const SECTOR_BYTES: usize = 512;
const SUMMED_BYTES: usize = SECTOR_BYTES - 4;
const MAGIC: &[u8; 12] = b"naap/segment";
const VERSION: u32 = 1;

/// Where the records begin.
pub(crate) const FRONT_BYTES: u64 = 1536;

/// How the name of every segment ends.
const EXTENSION: &str = ".seg";

/// The name under which a segment is written until it is whole.
pub(crate) const DRAFT_NAME: &str = "segment.draft";

type Sector = [u8; SECTOR_BYTES];

/// What a segment continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// The ordinal of its first record.
    pub first: u64,
    /// The chain before that record.
    pub chain: Digest,
}

/// How far a segment was synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Bytes of the file.
    pub length: u64,
    /// The ordinal that comes next.
    pub next: u64,
    /// The chain so far.
    pub chain: Digest,
}

/// One of the two places for a mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    A,
    B,
}

impl Slot {
    /// The other place.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    fn offset(self) -> u64 {
        match self {
            Self::A => 512,
            Self::B => 1024,
        }
    }
}

/// What stands before the records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Front {
    pub header: Header,
    /// The later of the whole marks.
    pub mark: Mark,
    /// Where the next mark goes: never over [`Self::mark`].
    pub stale: Slot,
    /// Whether one of the marks is broken, as by a power cut while it was written.
    pub has_broken_mark: bool,
}

/// The file name of the segment whose first ordinal this is.
pub(crate) fn name(first: u64) -> String {
    format!("{first:016x}{EXTENSION}")
}

/// The segments in a directory in order. Other files are none of ours, but a segment's name must be one we give.
pub(crate) fn list(directory: &Path) -> Result<Vec<(u64, PathBuf)>, Error> {
    let read = || -> io::Result<Vec<_>> {
        fs::read_dir(directory)?.map(|item| Ok(item?.file_name())).collect()
    };
    let mut segments = Vec::new();
    for file_name in read().map_err(Error::io("list", directory))? {
        let Some(stem) = file_name.to_str().and_then(|text| text.strip_suffix(EXTENSION)) else {
            continue;
        };
        let path = directory.join(&file_name);
        let first = u64::from_str_radix(stem, 16)
            .ok()
            .filter(|first| Some(name(*first).as_str()) == file_name.to_str());
        segments.push((
            first.ok_or_else(|| Error::corrupt(&path, 0, "this is not the name of a segment"))?,
            path,
        ));
    }
    segments.sort();
    Ok(segments)
}

/// Writes an empty segment under its draft name and syncs it; [`publish`] gives it its name.
pub(crate) fn draft(volume: &dyn Volume, directory: &Path, header: Header) -> io::Result<File> {
    let path = directory.join(DRAFT_NAME);
    let mut file =
        OpenOptions::new().read(true).write(true).create(true).truncate(true).open(path)?;
    let mark = Mark { length: FRONT_BYTES, next: header.first, chain: header.chain };
    let front = [header.sector(), mark.sector(), mark.sector()].concat();
    volume.write_at(&mut file, 0, &front)?;
    volume.sync(&mut file)?;
    Ok(file)
}

/// Gives a draft its name, at which no file is.
pub(crate) fn publish(directory: &Path, first: u64) -> io::Result<PathBuf> {
    let path = directory.join(name(first));
    fs::rename(directory.join(DRAFT_NAME), &path)?;
    Ok(path)
}

impl Header {
    fn sector(&self) -> Sector {
        sector(&[MAGIC, &VERSION.to_be_bytes(), &self.first.to_be_bytes(), &self.chain.0])
    }

    fn read(sector: &Sector) -> Result<Self, String> {
        let (magic, rest) = sector.split_first_chunk::<12>().expect("a sector is longer");
        let (version, rest) = rest.split_first_chunk::<4>().expect("a sector is longer");
        let (first, rest) = rest.split_first_chunk::<8>().expect("a sector is longer");
        let (chain, _) = rest.split_first_chunk::<32>().expect("a sector is longer");
        if !is_whole(sector) || magic != MAGIC {
            return Err("the segment's header is damaged".to_owned());
        }
        match u32::from_be_bytes(*version) {
            VERSION => Ok(Self { first: u64::from_be_bytes(*first), chain: Digest(*chain) }),
            other => Err(format!(
                "a segment of version {other}, and this program reads version {VERSION}"
            )),
        }
    }
}

impl Mark {
    fn sector(&self) -> Sector {
        sector(&[&self.length.to_be_bytes(), &self.next.to_be_bytes(), &self.chain.0])
    }

    fn read(sector: &Sector) -> Option<Self> {
        let (length, rest) = sector.split_first_chunk::<8>()?;
        let (next, rest) = rest.split_first_chunk::<8>()?;
        let (chain, _) = rest.split_first_chunk::<32>()?;
        let mark = Self {
            length: u64::from_be_bytes(*length),
            next: u64::from_be_bytes(*next),
            chain: Digest(*chain),
        };
        is_whole(sector).then_some(mark)
    }

    /// Writes the mark in its place, without a sync.
    pub(crate) fn write(&self, volume: &dyn Volume, file: &mut File, slot: Slot) -> io::Result<()> {
        volume.write_at(file, slot.offset(), &self.sector())
    }
}

impl Front {
    /// Reads and checks what stands before the records of the segment that is named for `first`.
    pub(crate) fn read(file: &mut File, path: &Path, first: u64) -> Result<Self, Error> {
        let mut sectors = [[0; SECTOR_BYTES]; 3];
        for sector in &mut sectors {
            file.read_exact(sector).map_err(|error| match error.kind() {
                io::ErrorKind::UnexpectedEof => {
                    Error::corrupt(path, 0, "the file is shorter than a segment's header")
                }
                _ => Error::io("read", path)(error),
            })?;
        }
        let [header, a, b] = &sectors;
        let header = Header::read(header).map_err(|what| Error::corrupt(path, 0, what))?;
        if header.first != first {
            let what = format!(
                "the file holds the segment from ordinal {}, not the one it is named for",
                header.first
            );
            return Err(Error::corrupt(path, 0, what));
        }
        let (a, b) = (Mark::read(a), Mark::read(b));
        let (mark, stale) = match (a, b) {
            (Some(a), Some(b)) if a.length >= b.length => (a, Slot::B),
            (Some(a), None) => (a, Slot::B),
            (_, Some(b)) => (b, Slot::A),
            (None, None) => {
                return Err(Error::corrupt(
                    path,
                    Slot::A.offset(),
                    "both synced marks are damaged",
                ));
            }
        };
        Ok(Self { header, mark, stale, has_broken_mark: a.is_none() || b.is_none() })
    }
}

/// The parts in a row, zeros after them, and the checksum.
fn sector(parts: &[&[u8]]) -> Sector {
    let mut bytes = parts.concat();
    bytes.resize(SUMMED_BYTES, 0);
    let sum = crc32c::crc32c(&bytes);
    bytes.extend_from_slice(&sum.to_be_bytes());
    bytes.try_into().expect("no header or mark outgrows its sector")
}

fn is_whole(sector: &Sector) -> bool {
    sector
        .split_last_chunk::<4>()
        .is_some_and(|(bytes, sum)| crc32c::crc32c(bytes) == u32::from_be_bytes(*sum))
}
