//! The spool: an append-only journal of what a node said, kept before anyone is told it was heard.
//! Many appends share one sync; a consumer reads behind them and commits how far it came.
//! What nodes say may hold prompts and addresses, so folder and files are for their owner alone.
//! It never interprets the bytes it keeps, never acknowledges what is not on the disk, and never drops a record its consumer has not committed.

mod cursor;
pub mod frame;
mod reader;
mod seen;
mod segment;
mod shelf;
mod writer;

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

pub use frame::{Raw, Source};
pub use reader::{Reader, Stored};
pub use seen::SeenIds;

use crate::folder;
use shelf::Shelf;
use writer::{Append, Writer};

/// The index of a record: dense, from zero, for as long as the spool lives. Record `n` of an append that begins at `p` is at `p + n`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Position(pub u64);

impl Position {
    /// The position `records` further on.
    #[must_use]
    pub fn advance(self, records: u64) -> Self {
        Self(self.0.saturating_add(records))
    }
}

impl std::fmt::Display for Position {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Where the spool is and how large it may grow.
#[derive(Debug, Clone)]
pub struct Config {
    /// The folder; made when missing, used by one process at a time.
    pub directory: PathBuf,
    /// A segment is closed once it holds this many bytes.
    pub segment_bytes: u64,
    /// All segments together never exceed this many bytes; at least four segments.
    pub quota_bytes: u64,
    /// How long a fully consumed segment is kept, for another look; the quota goes first.
    pub retention_ms: u64,
    /// One append may encode to at most this many bytes.
    pub append_bytes_max: usize,
    /// How many appends may wait for the disk before callers wait too.
    pub queue_appends: usize,
}

impl Config {
    /// Sensible limits for a sidecar: 1 GiB in 16 MiB segments, a day of retention.
    #[must_use]
    pub fn at(directory: impl Into<PathBuf>) -> Self {
        Self {
            directory: directory.into(),
            segment_bytes: 16 << 20,
            quota_bytes: 1 << 30,
            retention_ms: 24 * 3_600_000,
            append_bytes_max: 40 << 20,
            queue_appends: 256,
        }
    }
}

impl Config {
    /// Whether a spool would take these settings; it touches no file.
    ///
    /// # Errors
    /// `Settings`.
    pub fn check(&self) -> Result<(), Error> {
        let Self { quota_bytes, segment_bytes, .. } = self;
        if *segment_bytes == 0 || quota_bytes / 4 < *segment_bytes {
            return Err(Error::Settings(format!(
                "quota_bytes = {quota_bytes} must be at least four times segment_bytes = {segment_bytes}"
            )));
        }
        Ok(())
    }
}

/// What can go wrong with a spool.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file system said no.
    #[error("could not {act} {path}: {source}")]
    Io {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("spool {} is in use by another process", .0.display())]
    Locked(PathBuf),
    /// The settings contradict each other.
    #[error("spool settings: {0}")]
    Settings(String),
    /// The quota or the disk is used up until the consumer commits; the append may be tried again.
    #[error("spool is full: {used_bytes} of {quota_bytes} bytes used, {asked_bytes} asked")]
    Full {
        /// Bytes in segments now.
        used_bytes: u64,
        /// Bytes allowed.
        quota_bytes: u64,
        /// Bytes this append needed.
        asked_bytes: u64,
    },
    /// The disk had no room for one of the spool's small files, which is as it was before; the call may be made again.
    #[error("could not {act} {path}: {source}; the spool tries again")]
    NoRoom {
        /// What was tried.
        act: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// One append is over its limit; trying again cannot help.
    #[error("an append of {bytes} bytes is over the limit of {bytes_max}")]
    TooLarge {
        /// Its encoded size.
        bytes: usize,
        /// The limit.
        bytes_max: usize,
    },
    /// Acknowledged records cannot be read back: not a torn tail but damage. With `resume` reading can go on there, losing what lies between.
    #[error("spool segment {} is damaged at byte {offset}", path.display())]
    Damaged {
        /// The segment file.
        path: PathBuf,
        /// Where in it the first unreadable frame begins.
        offset: u64,
        /// The first record of the next segment, if there is one.
        resume: Option<Position>,
    },
    /// The record asked for was consumed and deleted.
    #[error("spool records before {oldest} are deleted, {asked} was asked for")]
    Deleted {
        /// The position asked for.
        asked: Position,
        /// The first one still kept.
        oldest: Position,
    },
    /// A write or sync failed in a way that leaves the disk's content unknown, or the spool was closed: only opening it again helps.
    #[error("spool stopped: {0}")]
    Stopped(String),
}

impl From<folder::Error> for Error {
    fn from(error: folder::Error) -> Self {
        match error {
            folder::Error::Io { act, path, source } => Self::Io { act, path, source },
            folder::Error::Locked(path) => Self::Locked(path),
        }
    }
}

impl Error {
    /// Whether the same call can succeed later, once the consumer went on or somebody made room on the disk.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::NoRoom { .. })
    }

    /// Tells a full disk from other failures, where nothing was changed that trying again would not change too.
    fn or_no_room(self) -> Self {
        match self {
            Self::Io { act, path, source } if folder::is_no_room(&source) => {
                Self::NoRoom { act, path, source }
            }
            other => other,
        }
    }

    fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { act, path, source }
    }
}

/// An open spool. Dropping it finishes what is queued and releases the folder.
#[derive(Debug)]
pub struct Spool {
    queue: Option<mpsc::Sender<Append>>,
    thread: Option<JoinHandle<()>>,
    shelf: Arc<Shelf>,
    append_bytes_max: usize,
    // Held for its lock only; the system releases it with the process.
    _lock: File,
}

impl Spool {
    /// Opens or creates the spool, repairs a torn tail and starts the thread that writes. Blocks on the disk for as long as it takes to read one segment.
    ///
    /// # Errors
    /// `Locked`, `Settings`, `Io`, `NoRoom`, and `Damaged` when acknowledged records cannot be read back.
    pub fn open(config: &Config) -> Result<Self, Error> {
        Self::open_now(config).map_err(Error::or_no_room)
    }

    fn open_now(config: &Config) -> Result<Self, Error> {
        config.check()?;
        folder::make_private(&config.directory)?;
        let lock = folder::lock(&config.directory)?;
        let (segments, tail) = segment::recover(&config.directory)?;
        let shelf = Arc::new(Shelf::open(config, segments, tail.next)?);
        let writer = Writer::resume(config, Arc::clone(&shelf), tail)?;
        let (queue, received) = mpsc::channel(config.queue_appends.max(1));
        let thread = std::thread::Builder::new()
            .name("spool".to_owned())
            .spawn(move || writer.run(received))
            .map_err(Error::io("start a thread for", &config.directory))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            shelf,
            append_bytes_max: config.append_bytes_max.min(frame::BODY_BYTES_MAX),
            _lock: lock,
        })
    }

    /// Writes the records and syncs; returns the position of the first one only when all are on the disk.
    /// One append is kept whole or not at all. If the caller stops waiting, the records may be kept all the same.
    ///
    /// # Errors
    /// `Full` (retryable, nothing was kept), `TooLarge`, `Stopped`.
    pub async fn append(&self, records: Vec<Raw>) -> Result<Position, Error> {
        let encoded = frame::encode_records(&records);
        if encoded.len() > self.append_bytes_max {
            return Err(Error::TooLarge { bytes: encoded.len(), bytes_max: self.append_bytes_max });
        }
        let Some(first) = records.first() else { return Ok(self.end()) };
        let received_ms = first.received_ms;
        let count = u32::try_from(records.len()).map_err(|_| Error::TooLarge {
            bytes: records.len(),
            bytes_max: self.append_bytes_max,
        })?;
        drop(records);
        let (reply, answer) = oneshot::channel();
        let append = Append { encoded, count, received_ms, reply };
        let stopped = || Error::Stopped("its thread has ended".to_owned());
        let queue = self.queue.as_ref().ok_or_else(stopped)?;
        queue.send(append).await.map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }

    /// A reader that begins at `position`; it sees only records that are on the disk. Start from [`Spool::committed`].
    #[must_use]
    pub fn read_from(&self, position: Position) -> Reader {
        Reader::new(Arc::clone(&self.shelf), position)
    }

    /// Remembers that everything before `position` is consumed, and deletes consumed segments whose last record is older than the retention.
    /// It moves forward only; an earlier position changes nothing. After a crash a slightly older one may come back: consumers see records again, never a hole.
    ///
    /// # Errors
    /// `NoRoom`, after which what was committed before stays so; `Io`, and `Settings` for a position that was never written.
    pub async fn commit(&self, position: Position, now_ms: u64) -> Result<(), Error> {
        let shelf = Arc::clone(&self.shelf);
        tokio::task::spawn_blocking(move || shelf.commit(position, now_ms))
            .await
            .map_err(|failure| Error::Stopped(failure.to_string()))?
    }

    /// How far the consumer came, as last committed.
    #[must_use]
    pub fn committed(&self) -> Position {
        self.shelf.committed()
    }

    /// The first record still kept.
    #[must_use]
    pub fn oldest(&self) -> Position {
        self.shelf.oldest()
    }

    /// One past the last record on the disk: where the next append begins.
    #[must_use]
    pub fn end(&self) -> Position {
        self.shelf.end()
    }

    /// Bytes of the quota in use.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.shelf.used_bytes()
    }

    /// How many records were refused since opening because the spool was full.
    #[must_use]
    pub fn refused_records(&self) -> u64 {
        self.shelf.refused_records()
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the spool's thread panicked");
        }
    }
}
