//! The outbox: seals events into the node's chain of batches, keeps every batch safe before anyone sees it, and keeps
//! it until others hold it.
//!
//! A batch is sealed at 256 events, at 48 KiB compressed, or 200 ms after its first event, whichever comes first. Sealed
//! batches are written and synced in groups, then marked as the head; only then are they on the [`Shelf`], where
//! senders and backfills find them. No sequence is ever sealed twice: where the tail of the chain cannot be proven after
//! a crash, a new epoch begins. It never asks the time, never sends, and never translates.
//!
//! A disk without room is waited for: what was half written is cut off, what is sealed stays in memory, and until it is
//! written nothing more is taken. After any other error of the disk the state is unknown: the outbox takes nothing more
//! until it is opened again.

mod error;
mod files;
mod held;
mod mark;
mod options;
mod record;
mod recovery;
mod shelf;
mod writing;

use std::fs::{self, File};

use ed25519_dalek::SigningKey;
use events::batch::{Batch, Header, MAX_EVENTS, Payload, Tail, publisher_key};
use events::event::{Event, Network};
use events::identity::{BatchSignature, PublisherKey};
use events::refusal::{Defect, Refusal};
use events::unit::{Millis, UnixMillis};
use events::wire;

use crate::folder;
use crate::spool::SeenIds;
use mark::Marks;
use recovery::Recovered;
use shelf::{Entry, Segment};
use writing::Group;

pub use error::Error;
pub use options::Options;
pub use shelf::{Outgoing, Shelf};

/// The longest an event waits for its batch to be sealed: a fifth of the second within which it is to show.
pub const SEAL_AFTER: Millis = Millis(200);

/// The most bytes that wait for a sync in memory; a group larger than this is written by itself.
const GROUP_BYTES_MAX: usize = 4 << 20;

/// A chain whose last batch was sealed so far ahead of the clock is left: its batches would be refused as of the future.
const AHEAD_MAX: Millis = Millis(60_000);

/// What became of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// It stands in the batch that is sealed next.
    Taken,
    /// An event of this id was taken before.
    Known,
    /// It is no event that can be published.
    Refused(Refusal),
}

/// How an outbox was opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The epoch it seals in.
    pub epoch: u64,
    /// Why a new epoch had to begin; nothing where the tail was proven or the outbox is new. An epoch that ended before
    /// its first batch was marked is not gone on with: epochs are cheap, a sequence sealed twice is not.
    pub unproven: Option<&'static str>,
    /// Batches that are not known to be held elsewhere.
    pub unheld: u64,
}

/// An open outbox. Dropping it forgets the events that were not synced; their source still has them.
#[derive(Debug)]
pub struct Outbox {
    options: Options,
    secret: SigningKey,
    key: PublisherKey,
    network: Network,
    shelf: Shelf,
    marks: Marks,
    recent: SeenIds,
    epoch: u64,
    tail: Option<Tail>,
    next: u64,
    next_segment: u64,
    open: Vec<Vec<u8>>,
    opened_ms: Option<UnixMillis>,
    group: Group,
    file: Option<(File, Segment)>,
    taken: u64,
    durable: u64,
    /// What found no room on the disk, until it does.
    short: Option<String>,
    is_stopped: bool,
    // Held for its lock only; the system releases it with the process.
    _lock: File,
}

impl Outbox {
    /// Opens or makes the outbox of one key and proves the tail of its chain. Blocks for as long as it takes to read it.
    ///
    /// # Errors
    /// `Locked`, `Io`, and `NoRoom`, after which it may be opened again.
    pub fn open(
        options: Options,
        secret: SigningKey,
        network: Network,
    ) -> Result<(Self, Opening), Error> {
        fs::create_dir_all(&options.directory)
            .map_err(Error::io("create", &options.directory))
            .map_err(Error::or_no_room)?;
        let lock = folder::lock(&options.directory)?;
        let key = publisher_key(&secret);
        let Recovered { shelf, marks, epoch, tail, next, next_segment, recent, unproven } =
            recovery::recover(&options, key)?;
        let opening = Opening { epoch, unproven, unheld: shelf.unheld() };
        let outbox = Self {
            options,
            secret,
            key,
            network,
            shelf,
            marks,
            recent,
            epoch,
            tail,
            next,
            next_segment,
            open: Vec::new(),
            opened_ms: None,
            group: Group::default(),
            file: None,
            taken: 0,
            durable: 0,
            short: None,
            is_stopped: false,
            _lock: lock,
        };
        Ok((outbox, opening))
    }

    /// Takes an event for the next batch, which is sealed here if it is now full.
    ///
    /// # Errors
    /// `Full`, `Clock` and `NoRoom`, after which the event was not taken; `Io` and `Stopped`.
    pub fn push(&mut self, event: &Event, now: UnixMillis) -> Result<Pushed, Error> {
        self.check(now)?;
        if event.network != self.network {
            return Ok(Pushed::Refused(Refusal::new(Defect::BatchNetwork, event.network)));
        }
        let bytes = match event.encode() {
            Ok(bytes) => bytes,
            Err(refusal) => return Ok(Pushed::Refused(refusal)),
        };
        self.check_room(now)?;
        if self.open.len() >= MAX_EVENTS {
            self.seal(now)?;
        }
        if !self.recent.insert(event.id.as_str()) {
            return Ok(Pushed::Known);
        }
        self.opened_ms.get_or_insert(now);
        self.open.push(bytes);
        self.taken += 1;
        if self.open.len() >= MAX_EVENTS {
            match self.seal(now) {
                // It is taken all the same, and sealed before another one is.
                Err(failure) if failure.is_retryable() => {}
                sealed => sealed?,
            }
        }
        Ok(Pushed::Taken)
    }

    /// When the open batch has waited long enough; nothing while it is empty.
    pub fn due(&self) -> Option<UnixMillis> {
        self.opened_ms.map(|opened| opened.plus(SEAL_AFTER))
    }

    /// Seals the open batch if it has waited long enough, or if the clock went back.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn seal_due(&mut self, now: UnixMillis) -> Result<(), Error> {
        let is_due =
            self.opened_ms.is_some_and(|opened| now >= opened.plus(SEAL_AFTER) || now < opened);
        if is_due { self.seal(now) } else { Ok(()) }
    }

    /// Seals the open batch now, unless it is empty.
    ///
    /// # Errors
    /// As [`Self::push`].
    pub fn seal(&mut self, now: UnixMillis) -> Result<(), Error> {
        self.check(now)?;
        if self.open.is_empty() {
            return Ok(());
        }
        self.check_written()?;
        if self.tail.is_some_and(|tail| tail.sealed_ms > now.plus(AHEAD_MAX)) {
            self.begin_epoch()?;
        }
        let events = std::mem::take(&mut self.open);
        self.opened_ms = None;
        let sealed = self.seal_all(&events, now);
        self.stop_on_error(sealed)?;
        if self.group.bytes.len() > GROUP_BYTES_MAX { self.sync() } else { Ok(()) }
    }

    /// Seals events as one batch, or as two where they do not compress enough for one.
    fn seal_all(&mut self, events: &[Vec<u8>], now: UnixMillis) -> Result<(), Error> {
        let payload = Payload::of(events.iter().map(Vec::as_slice));
        let batch =
            Batch::seal(&self.secret, self.network, self.epoch, self.tail.as_ref(), now, payload)
                .map_err(Error::Seal)?;
        match wire::encode(&batch) {
            Ok(frame) => {
                self.add(&batch, &frame);
                Ok(())
            }
            Err(refusal) if events.len() < 2 => Err(Error::Seal(refusal)),
            Err(_) => {
                let (first, second) = events.split_at(events.len() / 2);
                self.seal_all(first, now)?;
                self.seal_all(second, now)
            }
        }
    }

    fn add(&mut self, batch: &Batch, frame: &[u8]) {
        let ordinal = self.next;
        let offset = record::write(ordinal, frame, &mut self.group.bytes) as u64;
        let tail = batch.tail();
        let (position, hash) = (batch.header.position(), tail.hash);
        // Segment and offset are those within the group until it is written.
        let sealed_ms = batch.header.sealed_ms;
        let entry = Entry { position, hash, segment: 0, offset, length: frame.len(), sealed_ms };
        self.group.batches.push((ordinal, entry));
        self.group.events += u64::from(batch.header.count);
        self.group.sealed_ms = Some(batch.header.sealed_ms);
        self.tail = Some(tail);
        self.next += 1;
    }

    /// Leaves the chain and begins a new one, in an epoch that was never used. Open events go to the new one.
    ///
    /// # Errors
    /// `NoRoom`, `Io` and `Stopped`.
    pub fn begin_epoch(&mut self) -> Result<u64, Error> {
        self.begin_above(self.epoch)
    }

    fn begin_above(&mut self, epoch: u64) -> Result<u64, Error> {
        if self.is_stopped {
            return Err(Error::Stopped);
        }
        let begun = recovery::begin(&self.options, Some(epoch));
        self.epoch = self.stop_on_error(begun)?;
        self.tail = None;
        Ok(self.epoch)
    }

    /// Takes note of a batch that somebody says is ours. If we signed it and do not have it, our own record is an old
    /// copy: a new epoch begins above it, so that nothing is sealed twice. Says whether that was so.
    ///
    /// # Errors
    /// As [`Self::begin_epoch`].
    pub fn heard(&mut self, header: &Header, signature: &BatchSignature) -> Result<bool, Error> {
        if header.key != self.key || header.epoch < self.epoch || header.verify(signature).is_err()
        {
            return Ok(false);
        }
        let is_past =
            self.tail.is_some_and(|tail| header.epoch == self.epoch && header.seq <= tail.seq);
        let is_other =
            self.shelf.hash_at(&header.position()).is_some_and(|hash| hash != header.hash());
        let is_lost = !is_past || is_other;
        if is_lost {
            self.begin_above(header.epoch)?;
        }
        Ok(is_lost)
    }

    /// Deletes what others hold and nobody will ask for.
    ///
    /// # Errors
    /// `Io`, which stops nothing.
    pub fn retire(&self, now: UnixMillis) -> Result<(), Error> {
        self.shelf.retire(now, self.options.retention_ms, self.options.quota_bytes)
    }

    /// The sealed and synced batches.
    pub fn shelf(&self) -> &Shelf {
        &self.shelf
    }

    /// The publisher's name.
    pub fn key(&self) -> PublisherKey {
        self.key
    }

    /// The epoch that is sealed in.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many events were taken since opening.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many of the events taken since opening are on the disk: always the first ones.
    pub fn durable(&self) -> u64 {
        self.durable
    }

    /// Whether sealed batches wait for [`Self::sync`].
    pub fn is_sync_due(&self) -> bool {
        !self.group.batches.is_empty()
    }

    fn check(&self, now: UnixMillis) -> Result<(), Error> {
        match now.is_plausible() {
            _ if self.is_stopped => Err(Error::Stopped),
            false => Err(Error::Clock(now)),
            true => Ok(()),
        }
    }

    fn check_room(&self, now: UnixMillis) -> Result<(), Error> {
        self.check_written()?;
        let Options { quota_bytes, .. } = self.options;
        let used = || self.shelf.used_bytes() + self.group.bytes.len() as u64;
        if used() >= quota_bytes
            && let Err(failure) = self.retire(now)
        {
            tracing::warn!(%failure, "old batches were not deleted");
        }
        let used_bytes = used();
        if used_bytes < quota_bytes { Ok(()) } else { Err(Error::Full { used_bytes, quota_bytes }) }
    }

    fn check_written(&self) -> Result<(), Error> {
        self.short.as_ref().map_or(Ok(()), |detail| Err(Error::NoRoom(detail.clone())))
    }

    fn stop_on_error<T>(&mut self, outcome: Result<T, Error>) -> Result<T, Error> {
        self.is_stopped |= outcome.as_ref().is_err_and(|failure| !failure.is_retryable());
        outcome
    }
}
