//! The home in one SQLite file: one connection writes, a few others read, and neither waits for the other (WAL).
//!
//! `synchronous=FULL`: neither a killed process nor a lost power supply takes back what a reader was shown. A cursor or
//! an hour is kept in the transaction of what it claims, so after any crash it claims no more than is there.
//! Rows of job facts, results and tallies are held as they were given; SQL filters and orders them, and adds up
//! nothing but counts of rows and refusals.

mod cache;
mod column;
mod connection;
mod pack;
mod schema;

mod agenda;
mod batches;
mod hours;
mod jobs;
mod notes;
mod offers;
mod orchestrators;
mod publishers;
mod rollups;
mod scores;
mod search;
mod spans;
mod standing;
mod tested;

mod answers;

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use events::event::Network;
use events::identity::Digest;
use events::unit::UnixMillis;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use sla::hour::fact::JobFact;
use sla::rollup::Rollup;
use sla::supply::Word;
use sla::tested::Tested;
use sla::window::Hour;

use crate::record::{
    BatchRow, HourRecord, PublisherRow, RefusalCount, RefusalNote, Sums, Touch, WindowRecord,
};
use crate::{Error, Warehouse};
use answers::Source;
use cache::Cache;
use column::sql;
use connection::{Pool, Watch};

pub use schema::VERSION;

/// What a home may use.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// The most bytes the database file may have, in whole pages; none for as many as the disk has.
    pub bytes_max: Option<u64>,
}

/// The home that writes.
#[derive(Debug)]
pub struct Sqlite {
    cache: Cache,
    readers: Option<Pool>,
    /// How many transactions were kept since it was opened.
    version: AtomicU64,
    writer: Mutex<Connection>,
}

impl Sqlite {
    /// Opens the file, makes it where there is none, and brings its schema up to date.
    ///
    /// There may be one writer: `naap` holds the lock of its data directory, so nothing here looks for another.
    pub fn open(path: &Path, options: Options) -> Result<Self, Error> {
        let writer = connection::open_writer(path, options)?;
        schema::migrate(&writer, path)?;
        let home = Self {
            cache: Cache::default(),
            readers: Some(Pool::new(path)),
            version: AtomicU64::new(0),
            writer: Mutex::new(writer),
        };
        match home.end_fill() {
            // What was recorded is there and found, only slower, until there is room.
            Err(Error::Full { .. }) | Ok(()) => Ok(home),
            Err(error) => Err(error),
        }
    }

    /// A home that is gone when it is dropped. Its reads wait for its writes.
    pub fn in_memory() -> Result<Self, Error> {
        let path = Path::new(":memory:");
        let writer = connection::open_memory()?;
        schema::migrate(&writer, path)?;
        Ok(Self {
            cache: Cache::default(),
            readers: None,
            version: AtomicU64::new(0),
            writer: Mutex::new(writer),
        })
    }

    fn writer(&self) -> MutexGuard<'_, Connection> {
        // A panic rolled its transaction back when it unwound, so the connection is good.
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs `write` in one transaction, which is kept only if it succeeds.
    fn write<T>(
        &self,
        action: &'static str,
        write: impl FnOnce(&Transaction<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut writer = self.writer();
        let transaction = writer
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(sql(action))?;
        let value = write(&transaction)?;
        transaction.commit().map_err(sql(action))?;
        // Behind the commit: whoever sees the new number reads what it stands for.
        self.version.fetch_add(1, Ordering::Release);
        Ok(value)
    }
}

impl Source for Sqlite {
    fn cache(&self) -> &Cache {
        &self.cache
    }

    fn read<T>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        match &self.readers {
            Some(pool) => pool.read(action, read),
            None => connection::snapshot(&self.writer(), action, read),
        }
    }

    fn version(&self) -> Result<u64, Error> {
        Ok(self.version.load(Ordering::Acquire))
    }
}

/// A home that is only read, beside the process that writes it or alone.
#[derive(Debug)]
pub struct ReadOnly {
    cache: Cache,
    readers: Pool,
    watch: Watch,
}

impl ReadOnly {
    /// Opens a file that exists and is of this version's schema.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let readers = Pool::new(path);
        readers.read("open the warehouse", |connection| schema::check(connection, path))?;
        Ok(Self { cache: Cache::default(), readers, watch: Watch::new(path) })
    }
}

impl Source for ReadOnly {
    fn cache(&self) -> &Cache {
        &self.cache
    }

    fn read<T>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        self.readers.read(action, read)
    }

    fn version(&self) -> Result<u64, Error> {
        self.watch.version()
    }
}

impl Warehouse for Sqlite {
    fn record_batches(&self, rows: &[BatchRow], cursor: Option<(&str, u64)>) -> Result<(), Error> {
        self.write(batches::RECORD, |transaction| {
            batches::record(transaction, rows)?;
            cursor.map_or(Ok(()), |(name, ordinal)| batches::set_cursor(transaction, name, ordinal))
        })
    }

    fn record_noted(
        &self,
        rows: &[BatchRow],
        touches: &[Touch],
        (name, ordinal): (&str, u64),
    ) -> Result<(), Error> {
        self.write(batches::RECORD, |transaction| {
            batches::record(transaction, rows)?;
            agenda::touch(transaction, touches)?;
            batches::set_cursor(transaction, name, ordinal)
        })
    }

    fn touch(&self, touches: &[Touch]) -> Result<(), Error> {
        self.write(agenda::TOUCH, |transaction| agenda::touch(transaction, touches))
    }

    fn record_looked(&self, network: Network, hour: Hour, now: UnixMillis) -> Result<(), Error> {
        self.write(agenda::LOOK, |transaction| agenda::look(transaction, network, hour, now))
    }

    fn set_cursor(&self, name: &str, ordinal: u64) -> Result<(), Error> {
        self.write(batches::SET_CURSOR, |transaction| {
            batches::set_cursor(transaction, name, ordinal)
        })
    }

    fn record_document(&self, bytes: &[u8]) -> Result<Digest, Error> {
        self.write(batches::RECORD_DOCUMENT, |transaction| {
            batches::record_document(transaction, bytes)
        })
    }

    fn record_hour(&self, record: &HourRecord) -> Result<(), Error> {
        self.write(hours::RECORD, |transaction| {
            let (network, hour, settled_ms) = (record.network, record.hour, record.settled_ms);
            let is_first = hours::record(transaction, record)?;
            agenda::look(transaction, network, hour, settled_ms)?;
            if is_first {
                spans::unroll(transaction, network, hour, settled_ms)?;
            }
            // After the hour was looked at: one that leans on itself would be forgotten.
            let restands = record.restands.as_ref();
            restands.map_or(Ok(()), |restands| standing::restand(transaction, network, restands))
        })
    }

    fn begin_fill(&self) -> Result<(), Error> {
        self.write(jobs::FILL, |transaction| jobs::begin_fill(transaction))
    }

    fn end_fill(&self) -> Result<(), Error> {
        self.write(jobs::FILL, |transaction| jobs::end_fill(transaction))
    }

    fn record_register(&self, network: Network, day: u64, bytes: &[u8]) -> Result<Digest, Error> {
        self.write(standing::RECORD, |transaction| {
            standing::record(transaction, network, day, bytes)
        })
    }

    fn record_window(&self, record: &WindowRecord) -> Result<(), Error> {
        self.write(spans::RECORD, |transaction| spans::record(transaction, record))
    }

    fn record_rolled(&self, network: Network, hours: &[Hour]) -> Result<(), Error> {
        self.write(spans::RECORD_ROLLED, |transaction| spans::rolled(transaction, network, hours))
    }

    fn record_rollup(
        &self,
        network: Network,
        hour: Hour,
        rollup: &Rollup,
        supply: &[Word],
        tests: &[Tested],
    ) -> Result<(), Error> {
        self.write(rollups::RECORD, |transaction| {
            hours::record_shown(transaction, network, hour, rollup, supply, tests)
        })
    }

    fn record_day(&self, network: Network) -> Result<bool, Error> {
        self.write(rollups::RECORD, |transaction| rollups::make_day(transaction, network))
    }

    fn record_provisional(
        &self,
        network: Network,
        hour: Hour,
        jobs: &[JobFact],
        sums: Option<Sums<'_>>,
        now_ms: UnixMillis,
    ) -> Result<bool, Error> {
        self.write(hours::RECORD_PROVISIONAL, |transaction| {
            hours::record_provisional(transaction, network, hour, jobs, sums, now_ms)
        })
    }

    fn record_publishers(&self, rows: &[PublisherRow]) -> Result<(), Error> {
        self.write(publishers::RECORD, |transaction| publishers::record(transaction, rows))
    }

    fn record_refusals(&self, counts: &[RefusalCount], notes: &[RefusalNote]) -> Result<(), Error> {
        self.write(publishers::RECORD_REFUSALS, |transaction| {
            publishers::record_refusals(transaction, counts)?;
            notes::record(transaction, notes)
        })
    }
}
