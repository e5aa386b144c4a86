//! The shelf: what is sealed and synced, found by number or by place in its chain, until others hold it.
//! It never shows a batch that could still be lost, and never deletes one that nobody else is known to hold.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use channel::{Backfill, BoxFuture, Head};
use events::batch::Position;
use events::identity::{Digest, PublisherKey};
use events::unit::{Millis, UnixMillis};
use tokio::sync::watch;

use super::held::Held;
use super::record::{self, HEAD_BYTES};
use super::{Error, mark};

/// One segment file.
#[derive(Debug, Clone)]
pub(super) struct Segment {
    /// Its place among the files.
    pub(super) number: u64,
    pub(super) path: PathBuf,
    /// One past the number of its last record; zero where it has none.
    pub(super) end: u64,
    pub(super) bytes: u64,
    /// When its last batch was sealed.
    pub(super) sealed_ms: UnixMillis,
}

/// One batch on the shelf.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub(super) position: Position,
    pub(super) hash: Digest,
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) length: usize,
    pub(super) sealed_ms: UnixMillis,
}

#[derive(Debug, Default)]
struct State {
    segments: VecDeque<Segment>,
    entries: BTreeMap<u64, Entry>,
    places: BTreeMap<Position, u64>,
    held: Held,
}

impl State {
    /// The file of a batch.
    fn path_of(&self, entry: &Entry) -> Option<PathBuf> {
        let segment = self.segments.iter().find(|segment| segment.number == entry.segment)?;
        Some(segment.path.clone())
    }
}

#[derive(Debug)]
struct Inner {
    directory: PathBuf,
    state: Mutex<State>,
    /// One past the newest batch that is synced.
    end: watch::Sender<u64>,
}

/// The sealed batches of an outbox. Clones are one shelf; reading blocks on the disk.
#[derive(Debug, Clone)]
pub struct Shelf(Arc<Inner>);

/// A batch on its way out.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Its number in the outbox.
    pub ordinal: u64,
    /// Where it stands.
    pub position: Position,
    /// Its frame.
    pub frame: Bytes,
}

impl Shelf {
    pub(super) fn new(
        directory: PathBuf,
        segments: Vec<Segment>,
        entries: BTreeMap<u64, Entry>,
        mut held: Held,
        end: u64,
    ) -> Self {
        held.keep_aside(|ordinal| entries.contains_key(&ordinal));
        let places = entries.iter().map(|(ordinal, entry)| (entry.position, *ordinal)).collect();
        let state = State { segments: segments.into(), entries, places, held };
        Self(Arc::new(Inner { directory, state: Mutex::new(state), end: watch::Sender::new(end) }))
    }

    /// Puts synced batches on the shelf; `segment` is the file they were added to.
    pub(super) fn put(&self, segment: Segment, entries: impl IntoIterator<Item = (u64, Entry)>) {
        let mut state = self.state();
        match state.segments.back_mut() {
            Some(last) if last.number == segment.number => *last = segment,
            _ => state.segments.push_back(segment),
        }
        let mut end = *self.0.end.borrow();
        for (ordinal, entry) in entries {
            state.places.insert(entry.position, ordinal);
            state.entries.insert(ordinal, entry);
            end = ordinal + 1;
        }
        drop(state);
        self.0.end.send_replace(end);
    }

    /// Says when there is more: one past the newest batch.
    pub fn end(&self) -> watch::Receiver<u64> {
        self.0.end.subscribe()
    }

    /// Everything before this number is known to be held elsewhere, except what is set aside.
    pub fn held_below(&self) -> u64 {
        self.state().held.below()
    }

    /// How many batches are not known to be held elsewhere.
    pub fn unheld(&self) -> u64 {
        let state = self.state();
        let waiting = state.entries.range(state.held.below()..).count();
        u64::try_from(waiting).unwrap_or(u64::MAX).saturating_add(state.held.aside())
    }

    /// When the oldest batch was sealed that nobody else holds and that is not set aside.
    pub fn waits_since(&self) -> Option<UnixMillis> {
        let state = self.state();
        state.entries.range(state.held.below()..).next().map(|(_, entry)| entry.sealed_ms)
    }

    /// How many batches are set aside: refused for good by whoever was asked, and held by nobody else.
    pub fn aside(&self) -> u64 {
        self.state().held.aside()
    }

    /// The number of the first batch from `ordinal` on that is set aside.
    pub fn next_aside(&self, ordinal: u64) -> Option<u64> {
        self.state().held.next_aside(ordinal)
    }

    /// Bytes on disk.
    pub fn used_bytes(&self) -> u64 {
        self.state().segments.iter().map(|segment| segment.bytes).sum()
    }

    /// The first batch numbered `ordinal` or later.
    ///
    /// # Errors
    /// `Io`, and `Damaged` for a batch that can no longer be read.
    pub fn next(&self, ordinal: u64) -> Result<Option<Outgoing>, Error> {
        let Some((ordinal, entry, path)) = self.find(ordinal) else { return Ok(None) };
        let frame = read(&path, ordinal, &entry)?;
        Ok(Some(Outgoing { ordinal, position: entry.position, frame }))
    }

    /// The number of the first batch numbered `ordinal` or later.
    pub fn first_from(&self, ordinal: u64) -> Option<u64> {
        self.state().entries.range(ordinal..).next().map(|(ordinal, _)| *ordinal)
    }

    fn find(&self, ordinal: u64) -> Option<(u64, Entry, PathBuf)> {
        let state = self.state();
        let (ordinal, entry) = state.entries.range(ordinal..).next()?;
        Some((*ordinal, *entry, state.path_of(entry)?))
    }

    /// Notes that every batch before `ordinal` is held elsewhere, so that it need not be sent again.
    ///
    /// # Errors
    /// `Io`; the note is then kept in memory alone.
    pub fn hold_below(&self, ordinal: u64) -> Result<(), Error> {
        self.state().held.raise(&self.0.directory, ordinal)
    }

    /// Notes that a receiver holds a batch whose predecessors are all held or set aside.
    ///
    /// # Errors
    /// As [`Self::hold_below`].
    pub fn hold(&self, ordinal: u64) -> Result<(), Error> {
        let mut state = self.state();
        state.held.take_back(&self.0.directory, ordinal)?;
        state.held.raise(&self.0.directory, ordinal + 1)
    }

    /// Notes that a receiver will never take a batch whose predecessors are all held or set aside. Unless another one
    /// holds it, it stays on the shelf until one does.
    ///
    /// # Errors
    /// `Io`; the batch is then not done with.
    pub fn set_aside(&self, ordinal: u64) -> Result<(), Error> {
        let mut state = self.state();
        if ordinal < state.held.below() {
            return Ok(());
        }
        state.held.set_aside(&self.0.directory, ordinal)?;
        state.held.raise(&self.0.directory, ordinal + 1)
    }

    /// Where sending to the receiver of this name goes on. One that is new begins with what nobody holds.
    ///
    /// # Errors
    /// `Io`.
    pub fn sent_below(&self, receiver: &str) -> Result<u64, Error> {
        let below = self.held_below();
        if let Some(sent) = mark::load(&self.0.directory, &sent_file(receiver))? {
            return Ok(sent.min(below));
        }
        self.note_sent(receiver, below)?;
        Ok(below)
    }

    /// Notes that the receiver of this name is done with everything before `ordinal`.
    ///
    /// # Errors
    /// `Io`; what was sent is then sent to it again after the next start, which receivers drop.
    pub fn note_sent(&self, receiver: &str, ordinal: u64) -> Result<(), Error> {
        mark::store(&self.0.directory, &sent_file(receiver), ordinal, false)
    }

    /// Notes that a batch, and with it everything sealed before it, is held elsewhere. Nothing happens for an unknown one.
    ///
    /// # Errors
    /// As [`Self::hold_below`].
    pub fn held_elsewhere(&self, position: &Position) -> Result<(), Error> {
        let ordinal = self.state().places.get(position).copied();
        ordinal.map_or(Ok(()), |ordinal| self.hold_below(ordinal + 1))
    }

    /// Deletes segments that are held elsewhere as a whole: those older than `retention`, and, while the shelf has more
    /// than `quota_bytes`, any. The one with the newest batch stays, for the head mark speaks of it, and so do those with
    /// a batch that is set aside.
    pub(super) fn retire(
        &self,
        now: UnixMillis,
        retention: Millis,
        quota_bytes: u64,
    ) -> Result<(), Error> {
        let mut state = self.state();
        let mut used: u64 = state.segments.iter().map(|segment| segment.bytes).sum();
        let (mut index, mut from) = (0, 0);
        while let Some(oldest) = state.segments.get(index) {
            let end = oldest.end.max(from);
            let is_old = oldest.sealed_ms.plus(retention) <= now;
            let is_last = state.entries.range(end..).next().is_none();
            if is_last || end > state.held.below() || !(is_old || used > quota_bytes) {
                break;
            }
            if state.held.is_any_aside(from..end) {
                (index, from) = (index + 1, end);
                continue;
            }
            match fs::remove_file(&oldest.path) {
                Err(failure) if failure.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io("delete", &oldest.path)(failure));
                }
                _ => used -= oldest.bytes,
            }
            let gone: Vec<u64> =
                state.entries.range(from..end).map(|(number, _)| *number).collect();
            for ordinal in gone {
                if let Some(entry) = state.entries.remove(&ordinal) {
                    state.places.remove(&entry.position);
                }
            }
            state.segments.remove(index);
        }
        Ok(())
    }

    /// The header hash of a batch that is kept.
    pub(super) fn hash_at(&self, position: &Position) -> Option<Digest> {
        let state = self.state();
        state.entries.get(state.places.get(position)?).map(|entry| entry.hash)
    }

    fn fetch_blocking(&self, asked: &Asked) -> channel::Result<Vec<Bytes>> {
        let mut found = Vec::new();
        for (ordinal, entry, path) in self.held(asked)? {
            match read(&path, ordinal, &entry) {
                Ok(frame) => found.push(frame),
                // Retired or spoiled since it was looked up: the answer ends before it.
                Err(_) if !found.is_empty() => break,
                Err(failure) => {
                    return Err(channel::Error::Source { detail: failure.to_string() });
                }
            }
        }
        Ok(found)
    }

    /// Where the batches are that answer a backfill.
    fn held(&self, asked: &Asked) -> channel::Result<Vec<(u64, Entry, PathBuf)>> {
        let place = |seq| Position { key: asked.key, epoch: asked.epoch, seq };
        let (mut found, mut bytes) = (Vec::new(), 0usize);
        let state = self.state();
        let max_bytes = asked.max_bytes;
        for (_, ordinal) in state.places.range(place(asked.from_seq)..=place(asked.to_seq)) {
            let Some(entry) = state.entries.get(ordinal) else { continue };
            let Some(path) = state.path_of(entry) else { continue };
            bytes = bytes.saturating_add(entry.length);
            if bytes > max_bytes && found.is_empty() {
                return Err(channel::Error::TooLong { bytes, max_bytes });
            }
            if bytes > max_bytes {
                break;
            }
            found.push((*ordinal, *entry, path));
        }
        Ok(found)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The file that says how far one receiver came.
fn sent_file(receiver: &str) -> String {
    let name = Digest::of(&[receiver.as_bytes()]).to_string();
    format!("sent-{}", name.chars().take(16).collect::<String>())
}

/// What a backfill was asked for.
struct Asked {
    key: PublisherKey,
    epoch: u64,
    from_seq: u64,
    to_seq: u64,
    max_bytes: usize,
}

/// Reads a frame and checks it as it was written.
fn read(path: &PathBuf, ordinal: u64, entry: &Entry) -> Result<Bytes, Error> {
    let mut file = File::open(path).map_err(Error::io("open", path))?;
    let start = entry.offset.saturating_sub(HEAD_BYTES as u64);
    file.seek(SeekFrom::Start(start)).map_err(Error::io("seek in", path))?;
    let mut bytes = vec![0; HEAD_BYTES + entry.length];
    file.read_exact(&mut bytes).map_err(Error::io("read", path))?;
    match record::read(&bytes) {
        Some((found, frame)) if found == ordinal => Ok(Bytes::copy_from_slice(frame)),
        _ => Err(Error::Damaged { path: path.clone(), offset: start }),
    }
}

impl Backfill for Shelf {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, channel::Result<Vec<Bytes>>> {
        Box::pin(async move {
            if to_seq < from_seq {
                return Err(channel::Error::Range { from_seq, to_seq });
            }
            let Ok(key) = chain.parse() else { return Ok(Vec::new()) };
            let asked = Asked { key, epoch, from_seq, to_seq, max_bytes };
            let shelf = self.clone();
            let read = tokio::task::spawn_blocking(move || shelf.fetch_blocking(&asked));
            read.await.map_err(|failure| channel::Error::Source { detail: failure.to_string() })?
        })
    }

    fn heads(&self) -> BoxFuture<'_, channel::Result<Vec<Head>>> {
        Box::pin(async move {
            let state = self.state();
            let mut heads: BTreeMap<PublisherKey, Head> = BTreeMap::new();
            // Places are in the order of key, epoch and sequence, so the last one of a key is its head.
            for (Position { key, epoch, seq }, ordinal) in &state.places {
                if let Some(entry) = state.entries.get(ordinal) {
                    let head = Head {
                        chain: key.to_string(),
                        epoch: *epoch,
                        seq: *seq,
                        hash: entry.hash.to_string(),
                    };
                    heads.insert(*key, head);
                }
            }
            Ok(heads.into_values().collect())
        })
    }
}
