//! The one thread that writes: it gathers what waits into a group, writes it, syncs once, and only then answers.
//!
//! A write that fails is cut away again and the ledger goes on. A sync that fails leaves unknown what is on the disk
//! (the system may have dropped the pages), so nothing more is accepted until start-up has read the files. The writer
//! never answers before the sync, and never shows a reader a record that is not synced.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use events::identity::Digest;

use crate::error::Error;
use crate::index::Stamp;
use crate::record::{self, Entry};
use crate::recovery::Tail;
use crate::segment::{self, FRONT_BYTES, Header, Mark, Slot};
use crate::state::{Segment, Shared};
use crate::volume::{Volume, sync_directory};

/// Bytes after which a group takes no further append.
const GROUP_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the group buffer that are kept for the next group.
const KEPT_BYTES: usize = GROUP_BYTES;

/// Appends that may wait; the next caller waits at the door.
const QUEUE: usize = 256;

/// The handle to the thread; dropping it lets the thread finish what waits.
pub(crate) struct Writer {
    requests: Option<SyncSender<Request>>,
    thread: Option<JoinHandle<()>>,
}

/// One append that waits.
struct Request {
    entries: Vec<Entry>,
    stamps: Vec<Stamp>,
    bytes: usize,
    answer: SyncSender<Result<Range<u64>, Error>>,
}

impl Writer {
    /// Starts the thread behind `tail`.
    pub(crate) fn start(
        directory: PathBuf,
        tail: Tail,
        segment_bytes: u64,
        volume: Box<dyn Volume>,
        shared: Shared,
    ) -> Result<Self, Error> {
        let failed = Error::io("start the writer of", &directory);
        let press = Press::new(directory.clone(), tail, segment_bytes, volume, shared);
        let (requests, waiting) = sync_channel(QUEUE);
        let run = move || press.run(&waiting);
        let thread = thread::Builder::new().name("ledger".to_owned()).spawn(run).map_err(failed)?;
        Ok(Self { requests: Some(requests), thread: Some(thread) })
    }

    /// Hands entries to the thread and waits until they are synced.
    pub(crate) fn append(
        &self,
        entries: Vec<Entry>,
        stamps: Vec<Stamp>,
        bytes: usize,
    ) -> Result<Range<u64>, Error> {
        let ended = || Error::Poisoned { reason: "its writer has ended".to_owned() };
        let (answer, answered) = sync_channel(1);
        let requests = self.requests.as_ref().ok_or_else(ended)?;
        requests.send(Request { entries, stamps, bytes, answer }).map_err(|_| ended())?;
        answered.recv().map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already failed everyone who waited; there is nobody left to tell.
            thread.join().ok();
        }
    }
}

/// What the thread works with.
struct Press {
    directory: PathBuf,
    volume: Box<dyn Volume>,
    shared: Shared,
    segment_bytes: u64,
    file: File,
    path: PathBuf,
    stale: Slot,
    end: Mark,
    buffer: Vec<u8>,
    offsets: Vec<u32>,
}

impl Press {
    fn new(
        directory: PathBuf,
        tail: Tail,
        segment_bytes: u64,
        volume: Box<dyn Volume>,
        shared: Shared,
    ) -> Self {
        let end = {
            let state = shared.read();
            let length = state.segments.last().map_or(FRONT_BYTES, |segment| segment.length);
            Mark { length, next: state.next(), chain: state.chain }
        };
        let Tail { file, path, stale } = tail;
        let (buffer, offsets) = (Vec::new(), Vec::new());
        Self { directory, volume, shared, segment_bytes, file, path, stale, end, buffer, offsets }
    }

    fn run(mut self, waiting: &Receiver<Request>) {
        while let Ok(first) = waiting.recv() {
            let group = gather(first, waiting);
            let outcome = self.commit(&group);
            answer(group, &outcome);
        }
    }

    /// Writes, syncs and shows a group; gives the ordinal of its first record.
    fn commit(&mut self, group: &[Request]) -> Result<u64, Error> {
        if let Some(poison) = &self.shared.read().poison {
            return Err(poison.clone());
        }
        if self.end.length >= self.segment_bytes && self.end.length > FRONT_BYTES {
            self.roll()?;
        }
        let chain = self.encode(group);
        self.write()?;
        let synced = self.volume.sync(&mut self.file);
        synced.map_err(|error| self.poison("sync", &error))?;
        let first = self.end.next;
        self.end = Mark {
            length: self.end.length.saturating_add(as_u64(self.buffer.len())),
            next: first.saturating_add(as_u64(self.offsets.len())),
            chain,
        };
        let marked = self.end.write(self.volume.as_ref(), &mut self.file, self.stale);
        marked.map_err(|error| self.poison("mark", &error))?;
        self.stale = self.stale.other();
        let stamps: Vec<Stamp> =
            group.iter().flat_map(|request| request.stamps.iter().copied()).collect();
        self.shared.write().extend(&self.offsets, &stamps, self.end.length, chain);
        Ok(first)
    }

    /// Lays out a group behind the last record; gives the chain after it.
    fn encode(&mut self, group: &[Request]) -> Digest {
        self.buffer.clear();
        self.buffer.shrink_to(KEPT_BYTES);
        self.offsets.clear();
        let mut chain = self.end.chain;
        for entry in group.iter().flat_map(|request| &request.entries) {
            let offset = self.end.length.saturating_add(as_u64(self.buffer.len()));
            self.offsets
                .push(u32::try_from(offset).expect("a segment ends at 1 GiB and one group"));
            chain = record::encode(&chain, entry, &mut self.buffer);
        }
        chain
    }

    /// Writes the buffer, or takes back what was written of it.
    fn write(&mut self) -> Result<(), Error> {
        let Err(error) = self.volume.write_at(&mut self.file, self.end.length, &self.buffer) else {
            return Ok(());
        };
        let cut = self.volume.truncate(&mut self.file, self.end.length);
        cut.map_err(|error| self.poison("take back a failed write to", &error))?;
        Err(Error::not_appended("write to", &self.path)(error))
    }

    /// Goes on in a new segment.
    fn roll(&mut self) -> Result<(), Error> {
        let header = Header { first: self.end.next, chain: self.end.chain };
        let drafted = segment::draft(self.volume.as_ref(), &self.directory, header);
        let file = drafted.map_err(|error| self.discard_draft(error))?;
        let published = segment::publish(&self.directory, header.first);
        let path = published.map_err(|error| self.discard_draft(error))?;
        sync_directory(&self.directory)
            .map_err(|error| self.poison("sync the directory of", &error))?;
        let shown: &Path = &path;
        let segment = Segment {
            path: shown.into(),
            first: header.first,
            offsets: Vec::new(),
            length: FRONT_BYTES,
        };
        self.shared.write().push_segment(segment, &[], header.chain);
        self.end.length = FRONT_BYTES;
        self.stale = Slot::B;
        self.file = file;
        self.path = path;
        Ok(())
    }

    /// A segment that could not be begun leaves nothing that start-up would mind.
    fn discard_draft(&self, error: io::Error) -> Error {
        let draft = self.directory.join(segment::DRAFT_NAME);
        // If the draft cannot be removed either, the next one overwrites it and the next start-up removes it.
        fs::remove_file(&draft).ok();
        Error::not_appended("begin", &draft)(error)
    }

    fn poison(&self, action: &str, error: &io::Error) -> Error {
        let poison =
            Error::Poisoned { reason: format!("cannot {action} {}: {error}", self.path.display()) };
        self.shared.write().poison = Some(poison.clone());
        poison
    }
}

/// The first request and what waits behind it, as far as one group goes.
fn gather(first: Request, waiting: &Receiver<Request>) -> Vec<Request> {
    let mut bytes = first.bytes;
    let mut group = vec![first];
    while bytes < GROUP_BYTES {
        let Ok(request) = waiting.try_recv() else { break };
        bytes += request.bytes;
        group.push(request);
    }
    group
}

/// Tells each caller of a group its own part of the outcome.
fn answer(group: Vec<Request>, outcome: &Result<u64, Error>) {
    let mut next = outcome.clone();
    for request in group {
        let part =
            next.clone().map(|first| first..first.saturating_add(as_u64(request.entries.len())));
        if let Ok(range) = &part {
            next = Ok(range.end);
        }
        // A caller waits for its answer, so this fails only when its thread is gone, and then nobody misses it.
        request.answer.send(part).ok();
    }
}

fn as_u64(count: usize) -> u64 {
    u64::try_from(count).expect("lengths in memory fit 64 bits")
}
