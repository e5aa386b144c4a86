//! The jobs of an hour as rows: written where they differ from what is there, and left alone where they do not.
//!
//! Settling an hour that was watched while it was open therefore writes little, and so does a late revision.

use std::collections::{BTreeMap, BTreeSet};

use events::event::Network;
use events::identity::{Address, JobId};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use sla::hour::fact::JobFact;
use sla::tally::cell::WorkClass;
use sla::window::Hour;

use crate::Error;
use crate::sqlite::column::{Read, class_parts, int, network as number, sql};
use crate::sqlite::orchestrators::Changes;
use crate::sqlite::pack::{FactReader, FactWriter};

const RECORD: &str = "record jobs";
pub const FILL: &str = "fill the warehouse with jobs";

/// How many jobs the index of job ids may wait for: more could not be sorted in the memory that SQLite has for it, and
/// would need room for temporary files.
const FILL_MAX: i64 = 1_000_000;

/// The side of those who had a job.
pub const OPERATOR: i64 = 1;
/// The side of those who told of it.
pub const REPORTER: i64 = 2;

/// A job as it stands in its row.
struct Kept {
    id: i64,
    job_id: JobId,
    packed: Vec<u8>,
}

/// Lets the index of job ids wait where there is no job yet. Ids come by chance, so keeping it up job by job writes
/// nearly all of it with every hour; made of all jobs at once it is written in its order.
pub fn begin_fill(connection: &Connection) -> Result<(), Error> {
    let is_empty: bool = connection
        .query_row("SELECT NOT EXISTS (SELECT 1 FROM job)", [], |row| row.get(0))
        .map_err(sql(FILL))?;
    if is_empty {
        connection.execute_batch("DROP INDEX IF EXISTS job_by_id").map_err(sql(FILL))?;
    }
    Ok(())
}

/// Makes what [`begin_fill`] let wait.
pub fn end_fill(connection: &Connection) -> Result<(), Error> {
    connection
        .execute_batch("CREATE INDEX IF NOT EXISTS job_by_id ON job (network, job_id, hour)")
        .map_err(sql(FILL))
}

/// Makes the jobs of an hour these and no others; tells by how many rows there are more than before.
pub fn replace(
    connection: &Connection,
    network: Network,
    hour: Hour,
    facts: &[JobFact],
) -> Result<i64, Error> {
    let mut wanted: BTreeMap<JobId, &JobFact> =
        facts.iter().map(|fact| (fact.job_id, fact)).collect();
    let mut rows = Rows::new(connection, network, hour)?;
    for kept in rows.all()? {
        match wanted.remove(&kept.job_id) {
            Some(fact) => rows.put(fact, Some(kept))?,
            None => rows.remove(&kept)?,
        }
    }
    for fact in wanted.into_values() {
        rows.put(fact, None)?;
    }
    rows.finish()
}

/// Puts jobs in place of what was known of them in an hour; tells by how many rows there are more than before.
pub fn upsert(
    connection: &Connection,
    network: Network,
    hour: Hour,
    facts: &[JobFact],
) -> Result<i64, Error> {
    let mut rows = Rows::new(connection, network, hour)?;
    for fact in facts {
        let kept = rows.kept(fact.job_id)?;
        rows.put(fact, kept)?;
    }
    rows.finish()
}

/// The rows of one hour while they are written.
struct Rows<'c> {
    changes: Changes,
    classes: BTreeMap<WorkClass, i64>,
    connection: &'c Connection,
    /// How many rows there are more than before.
    grown: i64,
    hour: Hour,
    insert: CachedStatement<'c>,
    insert_party: CachedStatement<'c>,
    network: i64,
    /// The last row written.
    newest: i64,
    reader: FactReader,
    writer: FactWriter,
}

impl<'c> Rows<'c> {
    fn new(connection: &'c Connection, network: Network, hour: Hour) -> Result<Self, Error> {
        let prepare = |query: &str| connection.prepare_cached(query).map_err(sql(RECORD));
        Ok(Self {
            changes: Changes::default(),
            classes: BTreeMap::new(),
            connection,
            grown: 0,
            hour,
            insert: prepare(
                "INSERT INTO job (network, hour, job_id, first_ms, class, state, fact)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?,
            insert_party: prepare(
                "INSERT INTO job_party (network, side, address, first_ms, job_id, job, class, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?,
            network: number(network),
            newest: 0,
            reader: FactReader::new(RECORD)?,
            writer: FactWriter::new(RECORD)?,
        })
    }

    fn all(&self) -> Result<Vec<Kept>, Error> {
        let mut statement = self
            .connection
            .prepare_cached("SELECT id, job_id, fact FROM job WHERE network = ?1 AND hour = ?2")
            .map_err(sql(RECORD))?;
        let rows = statement
            .query_map((self.network, int(RECORD, self.hour.0)?), kept)
            .map_err(sql(RECORD))?;
        rows.collect::<Result<_, _>>().map_err(sql(RECORD))
    }

    fn kept(&self, job_id: JobId) -> Result<Option<Kept>, Error> {
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT id, job_id, fact FROM job WHERE network = ?1 AND hour = ?2 AND job_id = ?3",
            )
            .map_err(sql(RECORD))?;
        statement
            .query_row((self.network, int(RECORD, self.hour.0)?, job_id.0), kept)
            .optional()
            .map_err(sql(RECORD))
    }

    /// Writes a job, in place of what is kept of it, unless that is the same.
    fn put(&mut self, fact: &JobFact, kept: Option<Kept>) -> Result<(), Error> {
        let packed = self.writer.pack(RECORD, fact)?;
        if let Some(kept) = kept {
            if kept.packed == packed {
                return Ok(());
            }
            self.remove(&kept)?;
        }
        let class = self.class(&fact.class)?;
        let first_ms = int(RECORD, fact.first_ms.0)?;
        let id = self
            .insert
            .insert(params![
                self.network,
                int(RECORD, self.hour.0)?,
                fact.job_id.0,
                first_ms,
                class,
                fact.state.as_str(),
                packed,
            ])
            .map_err(sql(RECORD))?;
        for (side, address) in parties(fact) {
            self.insert_party
                .execute(params![
                    self.network,
                    side,
                    address.0,
                    first_ms,
                    fact.job_id.0,
                    id,
                    class,
                    fact.state.as_str(),
                ])
                .map_err(sql(RECORD))?;
        }
        self.changes.add(self.hour, fact, class);
        self.grown += 1;
        self.newest = id;
        Ok(())
    }

    fn remove(&mut self, kept: &Kept) -> Result<(), Error> {
        let fact = self.reader.unpack(RECORD, &kept.packed)?;
        let delete = |query: &str| self.connection.prepare_cached(query).map_err(sql(RECORD));
        delete("DELETE FROM job WHERE id = ?1")?.execute([kept.id]).map_err(sql(RECORD))?;
        let mut delete_party = delete(
            "DELETE FROM job_party WHERE network = ?1 AND side = ?2 AND address = ?3 AND first_ms = ?4
                AND job_id = ?5 AND job = ?6",
        )?;
        let first_ms = int(RECORD, fact.first_ms.0)?;
        for (side, address) in parties(&fact) {
            delete_party
                .execute((self.network, side, address.0, first_ms, fact.job_id.0, kept.id))
                .map_err(sql(RECORD))?;
        }
        self.changes.take_back(self.hour, &fact);
        self.grown -= 1;
        Ok(())
    }

    /// The number of a class, which it is given when it is first seen.
    fn class(&mut self, class: &WorkClass) -> Result<i64, Error> {
        if let Some(id) = self.classes.get(class) {
            return Ok(*id);
        }
        let parts = class_parts(class);
        let known = self
            .connection
            .prepare_cached(
                "SELECT id FROM class WHERE workload = ?1 AND pipeline = ?2 AND model = ?3",
            )
            .and_then(|mut statement| statement.query_row(parts, |row| row.get(0)).optional())
            .map_err(sql(RECORD))?;
        let id = match known {
            Some(id) => id,
            None => self
                .connection
                .prepare_cached("INSERT INTO class (workload, pipeline, model) VALUES (?1, ?2, ?3)")
                .and_then(|mut statement| statement.insert(parts))
                .map_err(sql(RECORD))?,
        };
        self.classes.insert(class.clone(), id);
        Ok(id)
    }

    fn finish(self) -> Result<i64, Error> {
        self.changes.apply(self.connection, self.network, int(RECORD, self.hour.0)?)?;
        if self.newest > FILL_MAX {
            end_fill(self.connection)?;
        }
        Ok(self.grown)
    }
}

fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<Kept> {
    let job_id = row.get(1).map(|Read(job_id)| job_id)?;
    Ok(Kept { id: row.get(0)?, job_id, packed: row.get(2)? })
}

/// Everybody who has to do with a job, each once a side.
fn parties(fact: &JobFact) -> BTreeSet<(i64, Address)> {
    let operators = fact.tenures.iter().filter_map(|tenure| tenure.operator);
    let reporters = fact.reporters.iter().copied();
    operators
        .map(|operator| (OPERATOR, operator))
        .chain(reporters.map(|reporter| (REPORTER, reporter)))
        .collect()
}
