//! How connections are opened, and the few that read. It runs what it is handed and knows no table.

use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::Error;
use crate::sqlite::Options;
use crate::sqlite::column::sql;

/// How many questions are answered at once; further ones wait their turn.
const READERS_MAX: usize = 4;

/// How long a connection waits for another's lock. In WAL that is only start-up, recovery and a writer elsewhere.
const BUSY: Duration = Duration::from_secs(5);

/// Statements that one connection keeps prepared.
const STATEMENTS: usize = 64;

/// Bytes of a page, for new files. Jobs come in no index's order, and larger pages would write more around each
/// (`benches/record.rs`).
const PAGE_BYTES: u64 = 4096;

/// Kibibytes of pages that a writer and a reader keep in memory (negative, as SQLite asks for kibibytes).
const WRITER_CACHE_KIB: i64 = -65_536;
const READER_CACHE_KIB: i64 = -16_384;

/// Pages of the write-ahead log after which its content is moved to the file, and bytes it is then cut to.
const CHECKPOINT_PAGES: i64 = 8192;
const LOG_BYTES: i64 = 64 << 20;

fn open(path: &Path, flags: OpenFlags) -> Result<Connection, Error> {
    let failed = |source| Error::Open { path: path.to_owned(), source };
    let flags = flags | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Opens the connection that writes, and makes the file where there is none.
pub fn open_writer(path: &Path, options: Options) -> Result<Connection, Error> {
    const ACTION: &str = "open the warehouse";
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE;
    let connection = open(path, flags)?;
    let set = |name: &str, value: i64| connection.pragma_update(None, name, value);
    set("page_size", i64::try_from(PAGE_BYTES).unwrap_or(4096)).map_err(sql(ACTION))?;
    let mode: String = connection
        .pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))
        .map_err(sql(ACTION))?;
    if mode != "wal" {
        let what = format!("its file system has no write-ahead log (journal mode {mode})");
        return Err(Error::Corrupt { action: ACTION, what });
    }
    connection.pragma_update(None, "synchronous", "full").map_err(sql(ACTION))?;
    set("cache_size", WRITER_CACHE_KIB).map_err(sql(ACTION))?;
    // These two answer with a row.
    for (name, value) in
        [("wal_autocheckpoint", CHECKPOINT_PAGES), ("journal_size_limit", LOG_BYTES)]
    {
        connection.pragma_update_and_check(None, name, value, |_| Ok(())).map_err(sql(ACTION))?;
    }
    if let Some(bytes) = options.bytes_max {
        let pages = i64::try_from(bytes / PAGE_BYTES).unwrap_or(i64::MAX).clamp(1, 0xffff_fffe);
        connection
            .pragma_update_and_check(None, "max_page_count", pages, |_| Ok(()))
            .map_err(sql(ACTION))?;
    }
    Ok(connection)
}

/// Opens a database that is in memory alone.
pub fn open_memory() -> Result<Connection, Error> {
    open(Path::new(":memory:"), OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE)
}

fn open_reader(path: &Path) -> Result<Connection, Error> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection
        .pragma_update(None, "cache_size", READER_CACHE_KIB)
        .map_err(sql("open the warehouse"))?;
    Ok(connection)
}

/// Runs `read` so that all it sees is of one moment.
pub fn snapshot<T>(
    connection: &Connection,
    action: &'static str,
    read: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    // It is dropped, which ends it; there is nothing to keep.
    let transaction = connection.unchecked_transaction().map_err(sql(action))?;
    read(&transaction)
}

/// A few connections that read, opened when they are first needed.
#[derive(Debug)]
pub struct Pool {
    path: PathBuf,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Debug, Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
}

impl Pool {
    /// A pool with no connection yet.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), state: Mutex::default(), returned: Condvar::new() }
    }

    /// Runs `read` on a connection of its own; all it sees is of one moment.
    pub fn read<T>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let mut lent = Lent { connection: self.take(), pool: self };
        let connection = match &mut lent.connection {
            Some(connection) => connection,
            none => none.insert(open_reader(&self.path)?),
        };
        snapshot(connection, action, read)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing panics while it is held.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for a turn; gives an idle connection if there is one.
    fn take(&self) -> Option<Connection> {
        let mut state = self
            .returned
            .wait_while(self.lock(), |state| state.lent >= READERS_MAX)
            .unwrap_or_else(PoisonError::into_inner);
        state.lent += 1;
        state.idle.pop()
    }
}

/// A turn, with its connection once it has one. Dropping it gives both back, whatever happened meanwhile.
struct Lent<'a> {
    connection: Option<Connection>,
    pool: &'a Pool,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.lent -= 1;
        state.idle.extend(self.connection.take());
        drop(state);
        self.pool.returned.notify_one();
    }
}

/// Notices that others wrote, on a connection that does nothing else.
#[derive(Debug)]
pub struct Watch {
    path: PathBuf,
    state: Mutex<Watched>,
}

#[derive(Debug, Default)]
struct Watched {
    connection: Option<Connection>,
    /// What SQLite said last: it means nothing but that it changes with what other connections wrote.
    seen: Option<i64>,
    version: u64,
}

impl Watch {
    /// A watch that looks when it is first asked.
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), state: Mutex::default() }
    }

    /// A number that is larger whenever another connection has written since it was last asked for.
    pub fn version(&self) -> Result<u64, Error> {
        const ACTION: &str = "look whether the warehouse has changed";
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let connection = match &mut state.connection {
            Some(connection) => connection,
            none => {
                let connection = open_reader(&self.path)?;
                connection.busy_timeout(Duration::ZERO).map_err(sql(ACTION))?;
                none.insert(connection)
            }
        };
        let seen = connection
            .prepare_cached("PRAGMA data_version")
            .and_then(|mut statement| statement.query_row([], |row| row.get(0)))
            .map_err(sql(ACTION))?;
        if state.seen.replace(seen) != Some(seen) {
            state.version += 1;
        }
        Ok(state.version)
    }
}
