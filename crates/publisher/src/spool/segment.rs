//! Segment files: their names, their headers, and how a folder of them is put in order after a crash.
//! It never truncates a byte that could have been acknowledged: a tear is only what no complete frame follows.
//!
//! ```text
//! file   := header | frame *        named by its first index: 00000000000000000042.spool
//! header := "naapspl1" | salt u32 | first u64 | opened_ms u64 | crc32c u32
//! ```

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::{Error, Position, frame};
use crate::folder;

const MAGIC: [u8; 8] = *b"naapspl1";
/// Bytes before the first frame.
pub const HEADER_BYTES: u64 = 32;
const EXTENSION: &str = "spool";

/// What a segment's first bytes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Where this segment's checksums start from.
    pub salt: u32,
    /// Its first record.
    pub first: Position,
    /// When its first record arrived: everything in the segment before it arrived about then or earlier.
    pub opened_ms: u64,
}

/// A segment on the disk.
#[derive(Debug, Clone)]
pub struct Segment {
    /// The file.
    pub path: PathBuf,
    /// Its header.
    pub header: Header,
    /// Its size.
    pub bytes: u64,
}

/// Where writing goes on.
#[derive(Debug)]
pub struct Tail {
    /// The next index to be given.
    pub next: Position,
    /// The open file to go on with, if there is one.
    pub file: Option<File>,
}

impl Header {
    fn encode(self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend(self.salt.to_le_bytes());
        out.extend(self.first.0.to_le_bytes());
        out.extend(self.opened_ms.to_le_bytes());
        out.extend(crc32c::crc32c(&out).to_le_bytes());
        out
    }

    /// Decodes a header; `None` when it is not whole.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (checked, rest) = bytes.split_at_checked(28)?;
        let (crc, _) = frame::u32_le(rest)?;
        if crc != crc32c::crc32c(checked) {
            return None;
        }
        let (salt, rest) = frame::u32_le(checked.strip_prefix(&MAGIC)?)?;
        let (first, rest) = frame::u64_le(rest)?;
        let (opened_ms, _) = frame::u64_le(rest)?;
        Some(Self { salt, first: Position(first), opened_ms })
    }
}

/// Creates a segment, synced with its folder before anything is written to it.
pub fn create(directory: &Path, first: Position, opened_ms: u64) -> Result<(Segment, File), Error> {
    let path = directory.join(format!("{:020}.{EXTENSION}", first.0));
    let salt = getrandom::u32()
        .map_err(|failure| Error::Stopped(format!("no randomness for a salt: {failure}")))?;
    let header = Header { salt, first, opened_ms };
    // Truncating is safe: recovery deletes the only kind of file that can be here, one without a frame.
    let mut file = folder::private()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .map_err(Error::io("create", &path))?;
    file.write_all(&header.encode()).map_err(Error::io("write", &path))?;
    file.sync_all().map_err(Error::io("sync", &path))?;
    folder::sync(directory)?;
    Ok((Segment { path, header, bytes: HEADER_BYTES }, file))
}

/// Lists the segments oldest first and repairs the last one: a torn creation is deleted, a torn tail cut off.
pub fn recover(directory: &Path) -> Result<(Vec<Segment>, Tail), Error> {
    let mut segments = Vec::new();
    let mut paths = list(directory)?;
    paths.sort();
    let last = paths.pop();
    for path in paths {
        segments.push(open_sealed(path)?);
    }
    let tail = match last {
        None => Tail { next: Position(0), file: None },
        Some(path) => recover_last(directory, path, &mut segments)?,
    };
    Ok((segments, tail))
}

fn list(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let path = entry.map_err(Error::io("list", directory))?.path();
        if path.extension().is_some_and(|extension| extension == EXTENSION) {
            paths.push(path);
        }
    }
    Ok(paths)
}

fn open_sealed(path: PathBuf) -> Result<Segment, Error> {
    use std::io::Read;
    let mut bytes = [0; 32];
    let mut file = File::open(&path).map_err(Error::io("open", &path))?;
    file.read_exact(&mut bytes).map_err(Error::io("read", &path))?;
    let size = file.metadata().map_err(Error::io("read", &path))?.len();
    match Header::decode(&bytes) {
        Some(header) => Ok(Segment { path, header, bytes: size }),
        None => Err(Error::Damaged { path, offset: 0, resume: None }),
    }
}

fn recover_last(
    directory: &Path,
    path: PathBuf,
    segments: &mut Vec<Segment>,
) -> Result<Tail, Error> {
    let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
    let Some(header) = Header::decode(&bytes) else {
        // The header is synced before the first frame is written, so a file that is longer was whole once.
        if bytes.len() as u64 > HEADER_BYTES {
            return Err(Error::Damaged { path, offset: 0, resume: None });
        }
        fs::remove_file(&path).map_err(Error::io("delete", &path))?;
        folder::sync(directory)?;
        tracing::warn!(path = %path.display(), "deleted a spool segment whose creation was cut short");
        return match segments.pop() {
            None => Ok(Tail { next: Position(0), file: None }),
            Some(previous) => recover_last(directory, previous.path, segments),
        };
    };
    let (keep, next) = scan(&path, header, &bytes)?;
    let file =
        File::options().read(true).append(true).open(&path).map_err(Error::io("open", &path))?;
    if keep < bytes.len() as u64 {
        tracing::warn!(path = %path.display(), keep, had = bytes.len(), "cut off a torn spool tail");
        file.set_len(keep).map_err(Error::io("truncate", &path))?;
    }
    // Also without a tear: what the last process wrote but had not synced must not be taken for durable.
    file.sync_all().map_err(Error::io("sync", &path))?;
    segments.push(Segment { path, header, bytes: keep });
    Ok(Tail { next, file: Some(file) })
}

/// How many bytes of the segment are whole frames in sequence, and the index after them.
/// A frame is written only after the one before it was synced, so a whole frame behind a broken one means damage, not a tear.
fn scan(path: &Path, header: Header, bytes: &[u8]) -> Result<(u64, Position), Error> {
    let mut offset = usize::try_from(HEADER_BYTES).unwrap_or(usize::MAX);
    let mut next = header.first;
    while let Some((first, count, length)) =
        frame_at(header, bytes, offset).filter(|(first, ..)| *first == next.0)
    {
        next = Position(first).advance(u64::from(count));
        offset = offset.saturating_add(length);
    }
    let rest = bytes.get(offset..).unwrap_or_default();
    let later = rest
        .windows(frame::MAGIC.len())
        .enumerate()
        .filter(|(_, window)| *window == frame::MAGIC)
        .any(|(at, _)| frame_at(header, rest, at).is_some_and(|(first, ..)| first >= next.0));
    let offset = offset as u64;
    if later {
        Err(Error::Damaged { path: path.to_owned(), offset, resume: None })
    } else {
        Ok((offset, next))
    }
}

fn frame_at(header: Header, bytes: &[u8], offset: usize) -> Option<(u64, u32, usize)> {
    let bytes = bytes.get(offset..)?;
    let head = frame::open_head(bytes)?;
    let body = bytes.get(frame::HEAD_BYTES..frame::HEAD_BYTES + head.body_len)?;
    let (first, count, records) = frame::open_body(header.salt, head, body)?;
    frame::decode_records(count, records)?;
    Some((first, count, frame::HEAD_BYTES + head.body_len))
}
