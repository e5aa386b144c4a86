//! Opening: read all segments, hold them against each other, and repair what a crash explains.
//!
//! Every opening checks every byte. There is no checkpoint that would let sealed segments go unread: segments are
//! checked on all cores at once, a gigabyte or so a second each, so a ledger of 400 MB opens in well under a second,
//! and a checkpoint would be one more file whose loss or forgery somebody has to reason about. Only the tail of the
//! last segment is ever cut, only beyond its mark, and what is cut is kept beside it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::thread;

use events::identity::Digest;

use crate::error::Error;
use crate::scan::{Ending, Scanned, scan};
use crate::segment::{self, Header, Mark};
use crate::state::{Segment, Shared, State};
use crate::volume::{Volume, sync_directory};

/// The most files of torn bytes that are kept for one place.
const MAX_TORN_FILES: u32 = 1000;

/// What opening found and did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// The records there are.
    pub records: u64,
    /// The segments they are in.
    pub segments: usize,
    /// The bytes of all segments.
    pub bytes: u64,
    /// What a crash left behind the last whole record, if anything: nobody had been told that it was kept.
    pub torn: Option<Torn>,
    /// Synced marks that a crash had broken and that were written again.
    pub mended_marks: usize,
}

/// Bytes that were cut from the end of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// How many.
    pub bytes: u64,
    /// The file that keeps them; nothing in the ledger reads it, and it may be deleted.
    pub kept_in: PathBuf,
}

/// The last segment, ready to be written.
pub(crate) struct Tail {
    pub file: File,
    pub path: PathBuf,
    pub stale: segment::Slot,
}

/// Reads a ledger without changing anything, up to what its writer has synced.
pub(crate) fn load(directory: &Path) -> Result<(State, Recovery), Error> {
    let (state, _, recovery) = read_all(directory, Ending::Marked)?;
    Ok((state, recovery))
}

/// Adds what was synced since the state was read: the rest of its last segment, and the segments after it.
pub(crate) fn refresh(directory: &Path, shared: &Shared) -> Result<(), Error> {
    let known = shared.read().segments.last().map(|last| (last.first, last.offsets.clone()));
    let from = known.as_ref().map_or(0, |(first, _)| *first);
    let newer = segment::list(directory)?.into_iter().filter(|(first, _)| *first >= from);
    let mut newer = newer.peekable();
    while let Some((first, path)) = newer.next() {
        let ending = if newer.peek().is_some() { Ending::Whole } else { Ending::Marked };
        let scanned = scan(path, first, ending)?;
        match known.as_ref().filter(|(known, _)| *known == first) {
            Some((_, offsets)) => grow(&mut shared.write(), &scanned, offsets)?,
            None => drop(follow(&mut shared.write(), scanned)?),
        }
    }
    Ok(())
}

/// Adds to the last segment what was found behind the records of it that are known.
fn grow(state: &mut State, scanned: &Scanned, known: &[u32]) -> Result<(), Error> {
    let Scanned { chain, segment, stamps, .. } = scanned;
    let split = segment.offsets.split_at_checked(known.len()).zip(stamps.get(known.len()..));
    let Some(((_, offsets), stamps)) = split.filter(|((same, _), _)| *same == known) else {
        let what = "records of the segment were there before and are gone or moved";
        return Err(Error::corrupt(&segment.path, segment.length, what));
    };
    state.extend(offsets, stamps, segment.length, *chain);
    Ok(())
}

/// Reads a ledger, repairs it, and makes it ready to be written. The caller holds the lock.
pub(crate) fn recover(
    directory: &Path,
    volume: &dyn Volume,
) -> Result<(State, Tail, Recovery), Error> {
    remove_draft(directory)?;
    let (mut state, fronts, mut recovery) = read_all(directory, Ending::Torn)?;
    let Some((last, sealed)) = fronts.split_last() else {
        let tail = begin(directory, volume)?;
        state.push_segment(empty_segment(&tail.path), &[], Digest::ZERO);
        recovery.segments = 1;
        recovery.bytes = segment::FRONT_BYTES;
        return Ok((state, tail, recovery));
    };
    for part in sealed.iter().filter(|part| part.front.has_broken_mark) {
        mark(part, volume)?;
        recovery.mended_marks += 1;
    }
    if last.torn_bytes > 0 {
        recovery.torn = Some(cut(directory, last)?);
    }
    recovery.mended_marks += usize::from(last.front.has_broken_mark);
    let file = mark(last, volume)?;
    Ok((state, Tail { file, path: last.path.clone(), stale: last.front.stale.other() }, recovery))
}

/// What stays of a scanned segment when its records have gone into the state.
struct Part {
    path: PathBuf,
    front: segment::Front,
    end: Mark,
    torn_bytes: u64,
}

fn read_all(directory: &Path, ending: Ending) -> Result<(State, Vec<Part>, Recovery), Error> {
    let listed = segment::list(directory)?;
    let last = listed.len().saturating_sub(1);
    let job =
        |(place, (first, path))| (path, first, if place == last { ending } else { Ending::Whole });
    let jobs: Vec<_> = listed.into_iter().enumerate().map(job).collect();
    let mut state = State::empty();
    let mut parts = Vec::new();
    for wave in jobs.chunks(thread::available_parallelism().map_or(1, NonZero::get)) {
        for scanned in scan_together(wave) {
            parts.push(follow(&mut state, scanned?)?);
        }
    }
    let recovery = Recovery {
        records: state.next(),
        segments: parts.len(),
        bytes: parts.iter().map(|part| part.end.length).sum(),
        torn: None,
        mended_marks: 0,
    };
    Ok((state, parts, recovery))
}

/// Checks a few segments at once, each on a thread of its own.
fn scan_together(wave: &[(PathBuf, u64, Ending)]) -> Vec<Result<Scanned, Error>> {
    if let [(path, first, ending)] = wave {
        return vec![scan(path.clone(), *first, *ending)];
    }
    thread::scope(|scope| {
        let start = |(path, first, ending): &(PathBuf, u64, Ending)| {
            let (path, first, ending) = (path.clone(), *first, *ending);
            scope.spawn(move || scan(path, first, ending))
        };
        let threads: Vec<_> = wave.iter().map(start).collect();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).collect()
    })
}

/// Adds a segment to the state if it continues what is there.
fn follow(state: &mut State, scanned: Scanned) -> Result<Part, Error> {
    let expected = Header { first: state.next(), chain: state.chain };
    let path = scanned.segment.path.to_path_buf();
    let header = scanned.front.header;
    if header.first != expected.first {
        let what = format!(
            "the segment begins with record {}, but {} comes next: a segment is missing, or the one before is cut",
            header.first, expected.first
        );
        return Err(Error::corrupt(&path, 0, what));
    }
    if header.chain != expected.chain {
        let what = "the segment does not continue the one before it: one of the two was rewritten or exchanged";
        return Err(Error::corrupt(&path, 0, what));
    }
    let end = Mark { length: scanned.segment.length, next: scanned.next(), chain: scanned.chain };
    let part = Part { path, front: scanned.front, end, torn_bytes: scanned.torn_bytes };
    state.push_segment(scanned.segment, &scanned.stamps, scanned.chain);
    Ok(part)
}

/// A draft that was never given its name holds nothing.
fn remove_draft(directory: &Path) -> Result<(), Error> {
    let path = directory.join(segment::DRAFT_NAME);
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Error::io("remove", &path)(error))
        }
        _ => Ok(()),
    }
}

/// The first segment of a ledger.
fn begin(directory: &Path, volume: &dyn Volume) -> Result<Tail, Error> {
    let header = Header { first: 0, chain: Digest::ZERO };
    let failed = || Error::io("begin a ledger in", directory);
    let file = segment::draft(volume, directory, header).map_err(failed())?;
    let path = segment::publish(directory, header.first).map_err(failed())?;
    sync_directory(directory).map_err(failed())?;
    Ok(Tail { file, path, stale: segment::Slot::A })
}

fn empty_segment(path: &Path) -> Segment {
    Segment { path: path.into(), first: 0, offsets: Vec::new(), length: segment::FRONT_BYTES }
}

/// Syncs a segment, so that every record found in it is there to stay, and only then says so in its mark.
fn mark(part: &Part, volume: &dyn Volume) -> Result<File, Error> {
    let path = &part.path;
    let mut file =
        OpenOptions::new().read(true).write(true).open(path).map_err(Error::io("open", path))?;
    volume.sync(&mut file).map_err(Error::io("sync", path))?;
    part.end.write(volume, &mut file, part.front.stale).map_err(Error::io("mark", path))?;
    volume.sync(&mut file).map_err(Error::io("sync", path))?;
    Ok(file)
}

/// Moves the bytes after the last whole record into a file of their own. A crash in between leaves them in both.
fn cut(directory: &Path, part: &Part) -> Result<Torn, Error> {
    let from = part.end.length;
    let (kept_in, mut copy) = torn_file(directory, part)?;
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&part.path)
        .map_err(Error::io("open", &part.path))?;
    file.seek(SeekFrom::Start(from)).map_err(Error::io("read", &part.path))?;
    io::copy(&mut (&file).take(part.torn_bytes), &mut copy)
        .map_err(Error::io("move torn bytes to", &kept_in))?;
    copy.sync_all().map_err(Error::io("sync", &kept_in))?;
    sync_directory(directory).map_err(Error::io("sync", directory))?;
    file.set_len(from).map_err(Error::io("cut the torn tail of", &part.path))?;
    file.sync_all().map_err(Error::io("sync", &part.path))?;
    Ok(Torn { bytes: part.torn_bytes, kept_in })
}

/// A file for torn bytes, named after where they stood; never one that exists.
fn torn_file(directory: &Path, part: &Part) -> Result<(PathBuf, File), Error> {
    let mut outcome = Err(io::Error::from(io::ErrorKind::AlreadyExists));
    for attempt in 0..MAX_TORN_FILES {
        let path = directory
            .join(format!("{:016x}-{:x}-{attempt}.torn", part.front.header.first, part.end.length));
        outcome =
            OpenOptions::new().write(true).create_new(true).open(&path).map(|file| (path, file));
        if !matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
    }
    outcome.map_err(Error::io("keep torn bytes in", directory))
}
