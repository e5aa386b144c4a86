//! The schema, by numbered steps. A step is never edited after a release; a change is another step.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};

use crate::Error;
use crate::sqlite::column::{bound, sql};

/// The steps, in order; the number of steps done stands in the file as `user_version`.
const STEPS: &[&str] = &[
    include_str!("migrations/0001_start.sql"),
    include_str!("migrations/0002_agenda.sql"),
    include_str!("migrations/0003_at_once.sql"),
    include_str!("migrations/0004_facts.sql"),
    include_str!("migrations/0005_standing.sql"),
    include_str!("migrations/0006_rollups.sql"),
    include_str!("migrations/0007_notes.sql"),
    include_str!("migrations/0008_tested.sql"),
];

/// The schema this version knows.
pub const VERSION: u64 = 8;
const _: () = assert!(STEPS.len() == 8, "VERSION is the number of steps");

/// Says in the file whose database it is: `naap` in ASCII.
const APPLICATION: i64 = 0x6e61_6170;

const ACTION: &str = "bring the warehouse's schema up to date";

/// Brings the schema up to date, a transaction a step.
pub fn migrate(connection: &Connection, path: &Path) -> Result<(), Error> {
    loop {
        let found = version(connection, path)?;
        let Some(step) = usize::try_from(found).ok().and_then(|done| STEPS.get(done)) else {
            return Ok(());
        };
        let transaction =
            rusqlite::Transaction::new_unchecked(connection, TransactionBehavior::Immediate)
                .map_err(sql(ACTION))?;
        transaction.execute_batch(step).map_err(sql(ACTION))?;
        transaction.pragma_update(None, "application_id", APPLICATION).map_err(sql(ACTION))?;
        transaction.pragma_update(None, "user_version", bound(found + 1)).map_err(sql(ACTION))?;
        transaction.commit().map_err(sql(ACTION))?;
    }
}

/// Checks that the schema is this version's.
pub fn check(connection: &Connection, path: &Path) -> Result<(), Error> {
    let found = version(connection, path)?;
    if found == VERSION {
        Ok(())
    } else {
        Err(Error::Older { path: path.to_owned(), found, known: VERSION })
    }
}

/// The schema of the file, which is ours and not newer than we know.
fn version(connection: &Connection, path: &Path) -> Result<u64, Error> {
    let number = |name: &str| {
        connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0)).map_err(sql(ACTION))
    };
    let found = number("user_version")?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(sql(ACTION))?;
    let is_new = found == 0 && tables == 0;
    if !is_new && number("application_id")? != APPLICATION {
        return Err(Error::Foreign { path: path.to_owned() });
    }
    let found = u64::try_from(found).map_err(|_| Error::Foreign { path: path.to_owned() })?;
    if found > VERSION {
        return Err(Error::Newer { path: path.to_owned(), found, known: VERSION });
    }
    Ok(found)
}
