//! Finding jobs: each question walks the narrowest index that has its order, and stops at its page's end.

use events::event::Network;
use events::identity::JobId;
use events::unit::UnixMillis;
use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};
use sla::hour::fact::JobFact;
use sla::window::Hour;

use crate::Error;
use crate::page::{Cursor, Page, Paged, ROWS_MAX};
use crate::sqlite::column::{Read, bound, int, network as number, rows, sql};
use crate::sqlite::jobs::{OPERATOR, REPORTER};
use crate::sqlite::pack::FactReader;
use crate::view::{JobFilter, JobRow};

const READ: &str = "read jobs";

/// The most kinds of work that are walked one by one; of more, the jobs of all kinds are walked.
const WALKS_MAX: usize = 16;

/// Everything known of one job.
pub fn job(connection: &Connection, network: Network, job_id: JobId) -> Result<Vec<JobRow>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT j.hour, k.latest, j.fact
             FROM job j CROSS JOIN known_hour k ON k.network = j.network AND k.hour = j.hour
             WHERE j.network = ?1 AND j.job_id = ?2 ORDER BY j.hour",
        )
        .map_err(sql(READ))?;
    let rows =
        statement.query_map(params![number(network), job_id.0], packed).map_err(sql(READ))?;
    let mut reader = FactReader::new(READ)?;
    rows.map(|row| row.map_err(sql(READ)).and_then(|row| row.unpack(&mut reader))).collect()
}

/// The next jobs of an hour, by their id.
pub fn of_hour(
    connection: &Connection,
    network: Network,
    hour: Hour,
    after: Option<JobId>,
) -> Result<Vec<JobFact>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT fact FROM job WHERE network = ?1 AND hour = ?2 AND job_id > ?3
             ORDER BY job_id LIMIT ?4",
        )
        .map_err(sql(READ))?;
    // Every id is longer than no bytes, and so after them.
    let after = after.map_or(Vec::new(), |JobId(bytes)| bytes.to_vec());
    let limit = i64::try_from(ROWS_MAX).unwrap_or(i64::MAX);
    let rows = statement
        .query_map(params![number(network), int(READ, hour.0)?, after, limit], |row| {
            row.get::<_, Vec<u8>>(0)
        })
        .map_err(sql(READ))?;
    let mut reader = FactReader::new(READ)?;
    rows.map(|packed| reader.unpack(READ, &packed.map_err(sql(READ))?)).collect()
}

/// A row whose fact is still packed.
struct Packed {
    fact: Vec<u8>,
    hour: Hour,
    revision: Option<u32>,
}

fn packed(row: &rusqlite::Row<'_>) -> rusqlite::Result<Packed> {
    Ok(Packed {
        fact: row.get(2)?,
        hour: row.get(0).map(|Read(hour)| hour)?,
        revision: row.get(1)?,
    })
}

impl Packed {
    fn unpack(self, reader: &mut FactReader) -> Result<JobRow, Error> {
        let fact = reader.unpack(READ, &self.fact)?;
        Ok(JobRow { fact, hour: self.hour, revision: self.revision })
    }
}

/// The jobs that pass the filter, newest first.
pub fn select(
    connection: &Connection,
    network: Network,
    filter: &JobFilter,
    page: &Page,
) -> Result<Paged<JobRow>, Error> {
    let after = match &page.after {
        None => None,
        Some(Cursor::Job(first_ms, job_id)) => Some((*first_ms, *job_id)),
        Some(_) => return Err(Error::ForeignCursor { list: "jobs" }),
    };
    let classes = classes(connection, filter)?;
    let limit = page.rows();
    let mut rows = Vec::new();
    for walk in walks(filter, classes.as_deref()) {
        rows.extend(walk.run(connection, network, filter, after, limit + 1)?);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(key(row)));
    Ok(Paged::cut(rows, limit, |last| {
        let (first_ms, job_id) = key(last);
        Cursor::Job(first_ms, job_id)
    }))
}

fn key(row: &JobRow) -> (UnixMillis, JobId) {
    (row.fact.first_ms, row.fact.job_id)
}

/// The classes that a filter lets pass; none where it does not ask.
fn classes(connection: &Connection, filter: &JobFilter) -> Result<Option<Vec<i64>>, Error> {
    if filter.workload.is_none() && filter.pipeline.is_none() && filter.model.is_none() {
        return Ok(None);
    }
    let mut statement = connection
        .prepare_cached(
            "SELECT id FROM class WHERE (?1 IS NULL OR workload = ?1) AND (?2 IS NULL OR pipeline = ?2)
                AND (?3 IS NULL OR model = ?3)",
        )
        .map_err(sql(READ))?;
    let values = params![
        filter.workload.map(|workload| workload.as_str()),
        filter.pipeline.as_ref().map(|name| name.as_str()),
        filter.model.as_ref().map(|name| name.as_str()),
    ];
    let rows = statement.query_map(values, |row| row.get(0)).map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map(Some).map_err(sql(READ))
}

/// One way through the jobs in the order of the list.
enum Walk<'a> {
    /// By somebody who has to do with them, of these classes.
    Party(i64, [u8; 20], Option<&'a [i64]>),
    /// Of one class.
    Class(i64),
    /// All, of these classes.
    Time(Option<&'a [i64]>),
}

/// The ways whose rows together are the list. No row is on two of them.
fn walks<'a>(filter: &JobFilter, classes: Option<&'a [i64]>) -> Vec<Walk<'a>> {
    match (filter.operator, filter.reporter, classes) {
        (_, _, Some([])) => Vec::new(),
        (Some(operator), _, _) => vec![Walk::Party(OPERATOR, operator.0, classes)],
        (None, Some(reporter), _) => vec![Walk::Party(REPORTER, reporter.0, classes)],
        (None, None, Some(some)) if some.len() <= WALKS_MAX => {
            some.iter().map(|class| Walk::Class(*class)).collect()
        }
        (None, None, _) => vec![Walk::Time(classes)],
    }
}

/// A query while it is put together.
struct Query {
    text: String,
    values: Vec<Value>,
}

impl Query {
    /// Adds a condition, in which `?` stands for the values.
    fn and(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(" AND ");
        self.text.push_str(condition);
        self.values.extend(values);
    }
}

impl Walk<'_> {
    fn run(
        &self,
        connection: &Connection,
        network: Network,
        filter: &JobFilter,
        after: Option<(UnixMillis, JobId)>,
        limit: usize,
    ) -> Result<Vec<JobRow>, Error> {
        let query = self.query(network, filter, after, limit);
        let mut statement = connection.prepare_cached(&query.text).map_err(sql(READ))?;
        let rows =
            statement.query_map(params_from_iter(query.values), packed).map_err(sql(READ))?;
        let mut reader = FactReader::new(READ)?;
        rows.map(|row| row.map_err(sql(READ)).and_then(|row| row.unpack(&mut reader))).collect()
    }

    fn query(
        &self,
        network: Network,
        filter: &JobFilter,
        after: Option<(UnixMillis, JobId)>,
        limit: usize,
    ) -> Query {
        // `o` has the order and what is filtered by, `j` the job. The cross joins keep it so.
        let (from, condition, mut values) = match self {
            Self::Party(side, address, _) => (
                "job_party o CROSS JOIN job j ON j.id = o.job",
                "o.network = ? AND o.side = ? AND o.address = ?",
                vec![Value::Integer(*side), Value::Blob(address.to_vec())],
            ),
            Self::Class(class) => (
                "job o INDEXED BY job_by_class CROSS JOIN job j ON j.id = o.id",
                "o.network = ? AND o.class = ?",
                vec![Value::Integer(*class)],
            ),
            Self::Time(_) => (
                "job o INDEXED BY job_by_time CROSS JOIN job j ON j.id = o.id",
                "o.network = ?",
                vec![],
            ),
        };
        values.insert(0, Value::Integer(number(network)));
        let text = format!(
            "SELECT j.hour, k.latest, j.fact FROM {from} CROSS JOIN known_hour k
            ON k.network = j.network AND k.hour = j.hour WHERE {condition}"
        );
        let mut query = Query { text, values };
        if let Some((first_ms, job_id)) = after {
            let key = [Value::Integer(bound(first_ms.0)), Value::Blob(job_id.0.to_vec())];
            query.and("(o.first_ms, o.job_id) < (?, ?)", key);
        }
        let moment = |moment: UnixMillis| [Value::Integer(bound(moment.0))];
        if let Some(from_ms) = filter.from_ms {
            query.and("o.first_ms >= ?", moment(from_ms));
        }
        if let Some(to_ms) = filter.to_ms {
            query.and("o.first_ms < ?", moment(to_ms));
        }
        self.narrow(filter, &mut query);
        query.and(
            "NOT EXISTS (SELECT 1 FROM job l
                WHERE l.network = j.network AND l.job_id = j.job_id AND l.hour > j.hour)",
            [],
        );
        query.text.push_str(" ORDER BY o.first_ms DESC, o.job_id DESC LIMIT ?");
        query.values.push(Value::Integer(rows(limit)));
        query
    }

    /// Adds the conditions that the walk itself does not hold.
    fn narrow(&self, filter: &JobFilter, query: &mut Query) {
        if let Some(state) = filter.state {
            let state = Value::Text(state.as_str().to_owned());
            query.and("o.state = ?", [state]);
        }
        if let Self::Party(_, _, Some(classes)) | Self::Time(Some(classes)) = self {
            // A list of one length for all lengths, so that few statements are prepared.
            let list = serde_json::to_string(classes).expect("a list of integers serialises");
            query.and("o.class IN (SELECT value FROM json_each(?))", [Value::Text(list)]);
        }
        if let (Self::Party(OPERATOR, ..), Some(reporter)) = (self, filter.reporter) {
            query.and(
                "EXISTS (SELECT 1 FROM job_party r WHERE r.network = o.network AND r.side = 2
                    AND r.address = ? AND r.first_ms = o.first_ms AND r.job_id = o.job_id
                    AND r.job = o.job)",
                [Value::Blob(reporter.0.to_vec())],
            );
        }
    }
}
