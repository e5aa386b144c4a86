//! Opening an outbox: read what is there, prove the tail of the chain, or begin a new epoch.
//!
//! The tail is proven if the batch the head mark names is on the disk, and every batch of ours behind it follows link
//! by link. Nothing was sent before its mark was synced, so what lies behind a proven mark is the whole truth; where
//! the mark or its batch is missing, something that was sent may be missing too. No segment is ever changed.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use events::batch::{Header, Tail, check_link};
use events::event::Event;
use events::identity::PublisherKey;
use events::unit::UnixMillis;
use events::wire::Frame;

use super::files::{SUFFIX, segment_path};
use super::held::Held;
use super::mark::{self, Mark, Marks, Words};
use super::record::{self, Found};
use super::shelf::{Entry, Segment, Shelf};
use super::{Error, Options};
use crate::folder;
use crate::spool::SeenIds;

/// The file of the epoch counter.
pub(super) const EPOCH: &str = "epoch";

/// What opening found.
pub(super) struct Recovered {
    pub(super) shelf: Shelf,
    pub(super) marks: Marks,
    pub(super) epoch: u64,
    pub(super) tail: Option<Tail>,
    /// The number of the next record.
    pub(super) next: u64,
    /// The number of the next segment.
    pub(super) next_segment: u64,
    pub(super) recent: SeenIds,
    /// Why a new epoch was begun.
    pub(super) unproven: Option<&'static str>,
}

pub(super) fn recover(options: &Options, key: PublisherKey) -> Result<Recovered, Error> {
    let directory = &options.directory;
    let counter = mark::load(directory, EPOCH)?;
    let (mut marks, words) = Marks::open(directory)?;
    let (segments, found) = read_segments(directory)?;
    if let Some(last) = segments.last() {
        // What a crash left in memory alone must last before anything is built on it.
        File::open(&last.path)
            .and_then(|file| file.sync_all())
            .map_err(Error::io("sync", &last.path))?;
        folder::sync(directory)?;
    }
    let own: Vec<&Header> =
        found.iter().map(|(_, found)| &found.header).filter(|header| header.key == key).collect();
    let proof = prove(key, counter, &words, &own);
    let highest = highest_epoch(counter, &words.marks, &own);
    let (epoch, tail, unproven) = match proof {
        Proof::Proven { epoch, tail } => (epoch, Some(tail), None),
        Proof::Empty => (begin(options, None)?, None, None),
        Proof::Unproven(why) => (begin(options, highest)?, None, Some(why)),
    };
    marks.heal(directory)?;
    if let Some(tail) = &tail {
        let position = events::batch::Position { key, epoch, seq: tail.seq };
        marks.write(&Mark { position, hash: tail.hash })?;
    }
    let held = Held::load(directory)?;
    let next_segment = segments.last().map_or(0, |segment| segment.number + 1);
    let next = found.iter().map(|(_, found)| found.ordinal + 1).max().unwrap_or(0);
    let next = next.max(held.below());
    let recent = recent_ids(&segments, &found, options.recent_ids)?;
    let entries = entries(found);
    let shelf = Shelf::new(directory.clone(), segments, entries, held, next);
    Ok(Recovered { shelf, marks, epoch, tail, next, next_segment, recent, unproven })
}

/// Begins an epoch no batch was ever sealed in: it lasts before it is used.
pub(super) fn begin(options: &Options, highest: Option<u64>) -> Result<u64, Error> {
    let epoch = highest.map_or(0, |highest| highest + 1).max(options.first_epoch);
    mark::store(&options.directory, EPOCH, epoch, true)?;
    Ok(epoch)
}

fn highest_epoch(counter: Option<u64>, words: &[Mark], own: &[&Header]) -> Option<u64> {
    let marked = words.iter().map(|mark| mark.position.epoch);
    let sealed = own.iter().map(|header| header.epoch);
    counter.into_iter().chain(marked).chain(sealed).max()
}

enum Proof {
    Empty,
    Proven { epoch: u64, tail: Tail },
    Unproven(&'static str),
}

fn prove(key: PublisherKey, counter: Option<u64>, words: &Words, own: &[&Header]) -> Proof {
    if words.is_spoiled {
        return Proof::Unproven("a head mark is spoiled");
    }
    let Some(mark) = words.marks.first() else {
        let is_new = counter.is_none() && own.is_empty();
        return if is_new {
            Proof::Empty
        } else {
            Proof::Unproven("no batch was marked in the counted epoch")
        };
    };
    if mark.position.key != key {
        return Proof::Unproven("the head mark is another key's");
    }
    if counter != Some(mark.position.epoch) {
        return Proof::Unproven("no batch was marked in the counted epoch");
    }
    let mut behind = own
        .iter()
        .skip_while(|header| header.position() != mark.position || header.hash() != mark.hash);
    let Some(marked) = behind.next() else {
        return Proof::Unproven("the batch under the head mark is missing");
    };
    let mut tail = tail_of(marked);
    for header in behind {
        if header.epoch != mark.position.epoch || check_link(&tail, header).is_err() {
            return Proof::Unproven("a batch behind the head mark does not follow");
        }
        tail = tail_of(header);
    }
    Proof::Proven { epoch: mark.position.epoch, tail }
}

fn tail_of(header: &Header) -> Tail {
    Tail { hash: header.hash(), sealed_ms: header.sealed_ms, seq: header.seq }
}

/// Records, each with the number of its segment.
type Records = Vec<(u64, Found)>;

/// Every segment and every record in it, in order.
fn read_segments(directory: &Path) -> Result<(Vec<Segment>, Records), Error> {
    let mut numbers: Vec<u64> = Vec::new();
    for file in fs::read_dir(directory).map_err(Error::io("list", directory))? {
        let name = file.map_err(Error::io("list", directory))?.file_name();
        let number = name.to_str().and_then(|name| name.strip_suffix(SUFFIX));
        numbers.extend(number.and_then(|number| number.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    let (mut segments, mut records) = (Vec::new(), Vec::new());
    for number in numbers {
        let path = segment_path(directory, number);
        let bytes = fs::read(&path).map_err(Error::io("read", &path))?;
        let found = record::scan(&bytes);
        let sealed_ms =
            found.iter().map(|found| found.header.sealed_ms).max().unwrap_or(UnixMillis(0));
        let end = found.last().map_or(0, |found| found.ordinal + 1);
        records.extend(found.into_iter().map(|found| (number, found)));
        segments.push(Segment { number, path, end, bytes: bytes.len() as u64, sealed_ms });
    }
    Ok((segments, records))
}

fn entries(found: Records) -> BTreeMap<u64, Entry> {
    let entry = |(segment, found): (u64, Found)| {
        let Found { ordinal, header, offset, length } = found;
        (
            ordinal,
            Entry {
                position: header.position(),
                hash: header.hash(),
                segment,
                offset,
                length,
                sealed_ms: header.sealed_ms,
            },
        )
    };
    found.into_iter().map(entry).collect()
}

/// The ids of the newest events, so that records translated again after a crash are not sealed again.
///
/// Fails rather than forget one: its record would be sealed once more.
fn recent_ids(
    segments: &[Segment],
    found: &[(u64, Found)],
    capacity: usize,
) -> Result<SeenIds, Error> {
    let mut recent = SeenIds::new(capacity);
    let mut events = 0usize;
    let mut newest: Vec<&(u64, Found)> = Vec::new();
    for record in found.iter().rev() {
        if events >= capacity {
            break;
        }
        events += usize::from(record.1.header.count);
        newest.push(record);
    }
    let path_of = |number: u64| segments.iter().find(|known| known.number == number);
    let mut open: Option<(u64, Vec<u8>)> = None;
    for (number, found) in newest.into_iter().rev() {
        let Some(Segment { path, .. }) = path_of(*number) else { continue };
        if open.as_ref().is_none_or(|(known, _)| known != number) {
            open = Some((*number, fs::read(path).map_err(Error::io("read", path))?));
        }
        let damaged = || Error::Damaged { path: path.clone(), offset: found.offset };
        let start = usize::try_from(found.offset).unwrap_or(usize::MAX);
        let frame = open
            .as_ref()
            .and_then(|(_, bytes)| bytes.get(start..start.saturating_add(found.length)))
            .ok_or_else(damaged)?;
        let batch = Frame::parse(frame).and_then(Frame::open).map_err(|_| damaged())?;
        // An event of a kind that only a newer version knows is none that this one would seal again.
        for event in batch.payload.events().filter_map(|bytes| Event::decode(bytes).ok()) {
            recent.insert(event.id.as_str());
        }
    }
    Ok(recent)
}
