//! The append-only record of accepted batches: what the ledger holds is what was heard, and nothing else is.
//!
//! A directory of segment files, each a run of checksummed records chained by SHA-256 from the first record of the
//! first segment on. An append is acknowledged after its sync. Opening reads everything, cuts a tail that a crash tore,
//! and refuses whatever a crash cannot explain. The ledger parses headers to find batches again; it checks no
//! signature, opens no payload, decides nothing about meaning, asks no time, and never changes or deletes a record.
//!
//! What it cannot notice by itself: the removal of the last segments as a whole, and a rewrite of every record from
//! some point to the end together with all chains and marks. [`Ledger::end`] is there to be written down elsewhere.
//!
//! A copy of the directory that was taken while the ledger was written, by any tool that lists the files first and
//! reads each from its start, opens as a ledger of the records up to some moment.
//!
//! Reading order: [`Entry`] and its record, the segment, the scan of one segment, recovery, the writer, the readers.

mod record;
mod segment;
mod volume;

mod index;
mod scan;
mod state;

mod reader;
mod recovery;
mod writer;

mod error;

#[cfg(test)]
mod faults;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};

use events::batch::Position;
use events::identity::{Digest, PublisherKey};

pub use error::Error;
pub use index::{Head, Sighting, Tip};
pub use reader::Records;
pub use record::Entry;
pub use recovery::{Recovery, Torn};

use index::Stamp;
use reader::Pick;
use state::Shared;
use volume::{Disk, Volume, sync_directory};
use writer::Writer;

/// The most bytes of records one append may hold: more would make everyone behind it wait.
pub const MAX_APPEND_BYTES: usize = 16 * 1024 * 1024;

/// The most bytes after which a segment may be asked to end.
pub const MAX_SEGMENT_BYTES: u64 = 1024 * 1024 * 1024;

/// The file whose lock makes a process the only writer.
const LOCK_NAME: &str = "lock";

/// How a ledger is written.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// A segment that has reached so many bytes takes no further group; at most [`MAX_SEGMENT_BYTES`].
    pub segment_bytes: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { segment_bytes: 64 * 1024 * 1024 }
    }
}

/// The end of the ledger: two ledgers with equal ends are equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// The ordinal the next record gets; as many records are there.
    pub next: u64,
    /// SHA-256 chained over all of them; zeros for none.
    pub chain: Digest,
}

/// An open ledger. Shared between threads by reference; calls that touch the disk block, so keep them off an
/// asynchronous executor's threads.
pub struct Ledger {
    directory: PathBuf,
    shared: Shared,
    // Declared before the lock, so that the writer has finished when another process may begin.
    writer: Option<Writer>,
    _lock: Option<Lock>,
}

impl Ledger {
    /// Opens the ledger in `directory` to read and append, and begins one where there is none.
    ///
    /// Reads and checks every record. Bytes after the last whole record that a crash explains are moved into a file
    /// beside the segments, as [`Recovery`] tells. Fails with [`Error::InUse`] beside another writer, and with
    /// [`Error::Corrupt`], changing nothing, for damage that no crash explains.
    pub fn open(directory: &Path, options: Options) -> Result<(Self, Recovery), Error> {
        Self::open_on(directory, options, Box::new(Disk))
    }

    fn open_on(
        directory: &Path,
        options: Options,
        volume: Box<dyn Volume>,
    ) -> Result<(Self, Recovery), Error> {
        create(directory)?;
        let lock = lock(directory)?;
        let (state, tail, recovery) = recovery::recover(directory, volume.as_ref())?;
        let shared = Shared::new(state);
        let segment_bytes = options.segment_bytes.min(MAX_SEGMENT_BYTES);
        let writer =
            Writer::start(directory.to_owned(), tail, segment_bytes, volume, shared.clone())?;
        let directory = directory.to_owned();
        Ok((Self { directory, shared, writer: Some(writer), _lock: Some(lock) }, recovery))
    }

    /// Opens the ledger in `directory` as it is now, beside a running writer or alone, and changes nothing in it.
    ///
    /// Sees the records that are synced at this moment, and those that come later once [`Self::refresh`] is called. The
    /// directory must exist; one without segments is a ledger without records.
    pub fn open_read_only(directory: &Path) -> Result<(Self, Recovery), Error> {
        let (state, recovery) = recovery::load(directory)?;
        let (directory, shared) = (directory.to_owned(), Shared::new(state));
        Ok((Self { directory, shared, writer: None, _lock: None }, recovery))
    }

    /// Takes up what another process has synced since this ledger was opened to read. Reads the last segment again and
    /// those after it; one call at a time. A ledger that is written here has nothing to take up.
    pub fn refresh(&self) -> Result<(), Error> {
        match self.writer {
            None => recovery::refresh(&self.directory, &self.shared),
            Some(_) => Ok(()),
        }
    }

    /// Appends entries in their order and returns their ordinals once they are synced.
    ///
    /// Either all are kept or, on an error, none is acknowledged: [`Error::NotAppended`] leaves the ledger as it was,
    /// [`Error::Poisoned`] leaves it to the next opening to find out. Appends of several threads share one sync, and
    /// the entries of one append stand next to each other. Nothing is deduplicated: ask [`Self::contains`] first.
    pub fn append(&self, entries: Vec<Entry>) -> Result<Range<u64>, Error> {
        let writer = self.writer.as_ref().ok_or(Error::ReadOnly)?;
        if entries.is_empty() {
            let next = self.end().next;
            return Ok(next..next);
        }
        let bytes = entries.iter().map(Entry::record_bytes).sum();
        if bytes > MAX_APPEND_BYTES {
            return Err(Error::AppendTooLarge { bytes, max: MAX_APPEND_BYTES });
        }
        let stamp = |(place, entry): (usize, &Entry)| {
            Stamp::of(&entry.frame).map_err(|refusal| Error::NotAFrame { place, refusal })
        };
        let stamps = entries.iter().enumerate().map(stamp).collect::<Result<Vec<_>, _>>()?;
        writer.append(entries, stamps, bytes)
    }

    /// The record at `ordinal`, or nothing when there is none yet.
    pub fn get(&self, ordinal: u64) -> Result<Option<Entry>, Error> {
        let pick = Pick::new(&self.shared.read(), ordinal);
        pick.map(Pick::read).transpose()
    }

    /// The records from ordinal `from` to the last one synced at this moment, with their ordinals.
    pub fn read(&self, from: u64) -> Records {
        Records::new(&self.shared.read(), from)
    }

    /// How many records there are, and the chain over them.
    pub fn end(&self) -> End {
        let state = self.shared.read();
        End { next: state.next(), chain: state.chain }
    }

    /// An error when nothing more is accepted, and why.
    pub fn health(&self) -> Result<(), Error> {
        self.shared.read().poison.clone().map_or(Ok(()), Err)
    }

    /// Every header heard for a position in the order of arrival; more than one is an equivocation.
    pub fn find(&self, position: &Position) -> Vec<Sighting> {
        self.shared.read().index.find(position)
    }

    /// Whether the batch with this header hash is there.
    pub fn contains(&self, position: &Position, hash: &Digest) -> bool {
        self.shared.read().index.contains(position, hash)
    }

    /// Every chain by publisher and epoch, in that order.
    pub fn chains(&self) -> Vec<(PublisherKey, u64)> {
        self.shared.read().index.chains()
    }

    /// How far one chain is known, or nothing when no batch of it is.
    pub fn head(&self, key: PublisherKey, epoch: u64) -> Option<Head> {
        self.shared.read().index.head(key, epoch)
    }

    /// How far every chain is known, in the order of [`Self::chains`].
    pub fn heads(&self) -> Vec<Head> {
        self.shared.read().index.heads()
    }

    /// The sequences from `from` on that are missing below the highest known one, lowest first, at most `limit` ranges.
    pub fn gaps(
        &self,
        key: PublisherKey,
        epoch: u64,
        from: u64,
        limit: usize,
    ) -> Vec<RangeInclusive<u64>> {
        self.shared.read().index.gaps(key, epoch, from, limit)
    }

    /// The first batch at a position or after it in its epoch, and its sequence.
    pub fn next(&self, from: &Position) -> Option<(u64, Sighting)> {
        self.shared.read().index.next(from)
    }
}

/// Makes the directory, and its name durable, when it is not there.
fn create(directory: &Path) -> Result<(), Error> {
    if directory.is_dir() {
        return Ok(());
    }
    fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    match directory.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(parent) => sync_directory(parent).map_err(Error::io("sync", parent)),
        None => Ok(()),
    }
}

/// The right to write in a directory, which the system takes back whatever happens to this process.
struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing alone would leave the lock with a child process that was forked and has not yet run its program. If
        // unlocking fails, closing is what remains.
        self.0.unlock().ok();
    }
}

/// Takes the lock.
fn lock(directory: &Path) -> Result<Lock, Error> {
    let path = directory.join(LOCK_NAME);
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(Lock(file)),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { directory: directory.to_owned() }),
        Err(TryLockError::Error(error)) => Err(Error::io("lock", &path)(error)),
    }
}
