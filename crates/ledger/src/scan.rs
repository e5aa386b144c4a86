//! One sequential pass over one segment: every checksum, every link of the chain, every header. It changes nothing.
//!
//! Segments are checked independently of each other, because each states the chain it continues; whether they follow
//! one another is [`crate::recovery`]'s question.

use std::fs::File;
use std::io::{BufReader, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use events::identity::Digest;

use crate::error::Error;
use crate::index::Stamp;
use crate::record::{self, Damage, HEAD_BYTES};
use crate::segment::{FRONT_BYTES, Front};
use crate::state::Segment;

/// Bytes that one read asks the system for.
pub(crate) const READ_BYTES: usize = 1024 * 1024;

/// What may stand at the end of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    /// A later segment exists, so this one is whole.
    Whole,
    /// The last segment, ours to repair: beyond its mark a write may have been cut short.
    Torn,
    /// The last segment, perhaps of a running writer: what lies beyond its mark is none of our business.
    Marked,
}

/// A segment that was read through.
#[derive(Debug)]
pub(crate) struct Scanned {
    pub front: Front,
    pub segment: Segment,
    pub stamps: Vec<Stamp>,
    /// The chain after its last record.
    pub chain: Digest,
    /// The bytes after its last record, which are no record.
    pub torn_bytes: u64,
}

impl Scanned {
    /// The ordinal after its last record.
    pub(crate) fn next(&self) -> u64 {
        self.segment.next()
    }
}

/// Reads a segment and checks all that can be checked without the others.
pub(crate) fn scan(path: PathBuf, first: u64, ending: Ending) -> Result<Scanned, Error> {
    let mut file = File::open(&path).map_err(Error::io("open", &path))?;
    let file_bytes = file.metadata().map_err(Error::io("measure", &path))?.len();
    let front = Front::read(&mut file, &path, first)?;
    let marked = front.mark.length;
    if file_bytes < marked {
        let what = format!(
            "the file ends here, but was synced up to byte {marked}: acknowledged records are missing"
        );
        return Err(Error::corrupt(&path, file_bytes, what));
    }
    let limit = if ending == Ending::Marked { marked } else { file_bytes };
    file.seek(SeekFrom::Start(FRONT_BYTES)).map_err(Error::io("read", &path))?;
    let mut source = BufReader::with_capacity(READ_BYTES, file);
    let mut walk = Walk::start(&path, front);
    let mut frame = Vec::new();
    walk.compare_mark()?;
    while walk.offset < limit {
        let room = limit - walk.offset;
        match record::read(&mut source, room, &mut frame).map_err(Error::io("read", &path))? {
            Ok(head) => walk.accept(&head, &frame)?,
            Err(_) if ending == Ending::Torn && walk.offset >= marked => break,
            Err(damage) => return Err(walk.damaged(damage)),
        }
        walk.compare_mark()?;
    }
    walk.finish(file_bytes.min(limit))
}

/// Where the pass stands.
struct Walk<'a> {
    path: &'a Path,
    front: Front,
    offset: u64,
    chain: Digest,
    offsets: Vec<u32>,
    stamps: Vec<Stamp>,
    has_met_mark: bool,
}

impl<'a> Walk<'a> {
    fn start(path: &'a Path, front: Front) -> Self {
        Self {
            path,
            front,
            offset: FRONT_BYTES,
            chain: front.header.chain,
            offsets: Vec::new(),
            stamps: Vec::new(),
            has_met_mark: false,
        }
    }

    fn corrupt(&self, what: impl Into<String>) -> Error {
        Error::corrupt(self.path, self.offset, what)
    }

    fn damaged(&self, damage: Damage) -> Error {
        let ordinal = self.next();
        self.corrupt(format!("record {ordinal} was synced and is damaged: {damage}"))
    }

    fn next(&self) -> u64 {
        let count =
            u64::try_from(self.offsets.len()).expect("a segment holds fewer records than bytes");
        self.front.header.first.saturating_add(count)
    }

    /// A record whose checksum is right: anything wrong with it now was written so, and no crash explains it.
    fn accept(&mut self, head: &record::Head, frame: &[u8]) -> Result<(), Error> {
        let ordinal = self.next();
        if record::link(&self.chain, head.received_ms, frame) != head.chain {
            let what = format!(
                "record {ordinal} does not follow the record before it: one of them was rewritten or moved"
            );
            return Err(self.corrupt(what));
        }
        let stamp = Stamp::of(frame)
            .map_err(|refusal| self.corrupt(format!("record {ordinal} is no frame: {refusal}")))?;
        let offset = u32::try_from(self.offset)
            .map_err(|_| self.corrupt("the segment is longer than 4 GiB"))?;
        self.offsets.push(offset);
        self.stamps.push(stamp);
        self.chain = head.chain;
        let bytes =
            u64::try_from(HEAD_BYTES + frame.len()).expect("a frame is shorter than 64 KiB");
        self.offset += bytes;
        Ok(())
    }

    /// At the byte up to which the segment was synced, its records must be the ones that were synced.
    fn compare_mark(&mut self) -> Result<(), Error> {
        if self.offset != self.front.mark.length {
            return Ok(());
        }
        self.has_met_mark = true;
        if self.front.mark.next != self.next() || self.front.mark.chain != self.chain {
            return Err(self.corrupt(
                "the records up to here are not those that were synced: they were rewritten",
            ));
        }
        Ok(())
    }

    fn finish(self, end: u64) -> Result<Scanned, Error> {
        if !self.has_met_mark {
            let marked = self.front.mark.length;
            return Err(self.corrupt(format!(
                "the segment was synced up to byte {marked}, where no record ends"
            )));
        }
        let torn_bytes = end.saturating_sub(self.offset);
        let first = self.front.header.first;
        let segment = Segment {
            path: Arc::from(self.path),
            first,
            offsets: self.offsets,
            length: self.offset,
        };
        Ok(Scanned {
            front: self.front,
            segment,
            stamps: self.stamps,
            chain: self.chain,
            torn_bytes,
        })
    }
}
