//! Who had tenures in the jobs on hand: kept in step with the rows of jobs, so that a list needs not read them.

use std::collections::{BTreeMap, BTreeSet};

use events::event::Network;
use events::identity::ServiceUrl;
use events::unit::UnixMillis;
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, params};
use sla::hour::fact::{JobFact, TenureFact};
use sla::tally::cell::WorkClass;
use sla::window::Hour;

use crate::Error;
use crate::page::{Cursor, Page, Paged, Party};
use crate::sqlite::column::{
    Read, Text, Unsigned, bound, int, named, network as number, party as bytes, rows, sql,
};
use crate::sqlite::scores;
use crate::view::{NAMES_MAX, OrchestratorRow, Standing};

const RECORD: &str = "record orchestrators";
const READ: &str = "read orchestrators";

/// What the jobs of an hour, written and removed, change about one party.
#[derive(Debug, Default)]
struct Change {
    classes: BTreeMap<i64, u64>,
    facts: i64,
    /// When its first tenure began and when it was last heard of, in jobs that were written.
    heard: Option<(u64, u64)>,
    jobs: i64,
    urls: BTreeMap<ServiceUrl, u64>,
}

/// What the jobs of an hour, written and removed, change about everybody.
#[derive(Debug, Default)]
pub struct Changes(BTreeMap<Party, Change>);

fn party(tenure: &TenureFact) -> Party {
    named(tenure.operator, tenure.orchestrator.signer)
}

/// Everybody with a tenure in a job, and whether one began in the hour.
fn tenants(hour: Hour, fact: &JobFact) -> BTreeMap<Party, bool> {
    let mut tenants = BTreeMap::new();
    for tenure in &fact.tenures {
        *tenants.entry(party(tenure)).or_default() |= hour.holds(tenure.start_ms);
    }
    tenants.remove(&Party::Nameless);
    tenants
}

impl Changes {
    /// Notes a job that was written.
    pub fn add(&mut self, hour: Hour, fact: &JobFact, class: i64) {
        for (party, begins) in tenants(hour, fact) {
            let change = self.0.entry(party).or_default();
            change.facts += 1;
            change.jobs += i64::from(begins);
        }
        for tenure in &fact.tenures {
            // Nameless parties have no entry.
            let Some(change) = self.0.get_mut(&party(tenure)) else { continue };
            let (from, to) = (tenure.start_ms.0, tenure.end_ms.unwrap_or(fact.last_ms).0);
            let to = to.max(from);
            let (first, last) = change.heard.get_or_insert((from, to));
            (*first, *last) = (from.min(*first), to.max(*last));
            let heard = change.classes.entry(class).or_default();
            *heard = to.max(*heard);
            if let Some(url) = &tenure.orchestrator.url {
                match change.urls.get_mut(url) {
                    Some(heard) => *heard = to.max(*heard),
                    None => {
                        change.urls.insert(url.clone(), to);
                    }
                }
            }
        }
    }

    /// Notes a job that was removed.
    pub fn take_back(&mut self, hour: Hour, fact: &JobFact) {
        for (party, begins) in tenants(hour, fact) {
            let change = self.0.entry(party).or_default();
            change.facts -= 1;
            change.jobs -= i64::from(begins);
        }
    }

    /// Writes what was noted; who has no job left is forgotten.
    pub fn apply(self, connection: &Connection, network: i64, hour: i64) -> Result<(), Error> {
        let mut statements = Statements::prepare(connection)?;
        let mut maybe_gone = BTreeSet::new();
        for (party, change) in self.0 {
            statements.apply(network, hour, &bytes(party), &change)?;
            if change.facts < 0 {
                maybe_gone.insert(party);
            }
        }
        for party in maybe_gone {
            forget_if_gone(connection, network, hour, &bytes(party))?;
        }
        Ok(())
    }
}

/// The statements that write changes.
struct Statements<'c> {
    class: CachedStatement<'c>,
    hour: CachedStatement<'c>,
    party: CachedStatement<'c>,
    url: CachedStatement<'c>,
}

impl<'c> Statements<'c> {
    fn prepare(connection: &'c Connection) -> Result<Self, Error> {
        let prepare = |query: &str| connection.prepare_cached(query).map_err(sql(RECORD));
        Ok(Self {
            class: prepare(
                "INSERT INTO orchestrator_class (network, party, class, last_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (network, party, class) DO UPDATE SET last_ms = max(last_ms, ?4)",
            )?,
            hour: prepare(
                "INSERT INTO orchestrator_hour (network, party, hour, facts, jobs) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (network, party, hour) DO UPDATE SET facts = facts + ?4, jobs = jobs + ?5",
            )?,
            party: prepare(
                "INSERT INTO orchestrator (network, party, first_ms, last_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (network, party)
                 DO UPDATE SET first_ms = min(first_ms, ?3), last_ms = max(last_ms, ?4)",
            )?,
            url: prepare(
                "INSERT INTO orchestrator_url (network, party, url, last_ms) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (network, party, url) DO UPDATE SET last_ms = max(last_ms, ?4)",
            )?,
        })
    }

    fn apply(
        &mut self,
        network: i64,
        hour: i64,
        party: &[u8],
        change: &Change,
    ) -> Result<(), Error> {
        let moment = |moment: u64| int(RECORD, moment);
        self.hour
            .execute(params![network, party, hour, change.facts, change.jobs])
            .map_err(sql(RECORD))?;
        if let Some((first, last)) = change.heard {
            self.party
                .execute(params![network, party, moment(first)?, moment(last)?])
                .map_err(sql(RECORD))?;
        }
        for (class, last) in &change.classes {
            self.class
                .execute(params![network, party, class, moment(*last)?])
                .map_err(sql(RECORD))?;
        }
        for (url, last) in &change.urls {
            self.url
                .execute(params![network, party, url.as_str(), moment(*last)?])
                .map_err(sql(RECORD))?;
        }
        Ok(())
    }
}

fn forget_if_gone(
    connection: &Connection,
    network: i64,
    hour: i64,
    party: &[u8],
) -> Result<(), Error> {
    let run = |query: &str, values: &[&dyn rusqlite::ToSql]| {
        connection
            .prepare_cached(query)
            .and_then(|mut statement| statement.execute(values))
            .map_err(sql(RECORD))
    };
    run(
        "DELETE FROM orchestrator_hour WHERE network = ?1 AND party = ?2 AND hour = ?3 AND facts <= 0",
        &[&network, &party, &hour],
    )?;
    for table in ["orchestrator", "orchestrator_class", "orchestrator_url"] {
        let query = format!(
            "DELETE FROM {table} WHERE network = ?1 AND party = ?2 AND NOT EXISTS
                (SELECT 1 FROM orchestrator_hour h WHERE h.network = ?1 AND h.party = ?2)"
        );
        run(&query, &[&network, &party])?;
    }
    Ok(())
}

/// Everybody, with what is known of each.
pub fn select(
    connection: &Connection,
    network: Network,
    now_ms: UnixMillis,
    page: &Page,
) -> Result<Paged<OrchestratorRow>, Error> {
    let after = match &page.after {
        // No party is empty, so every party is greater.
        None => Vec::new(),
        Some(Cursor::Orchestrator(party)) => bytes(*party),
        Some(_) => return Err(Error::ForeignCursor { list: "orchestrators" }),
    };
    let limit = page.rows();
    let mut statement = connection
        .prepare_cached(
            "SELECT party, first_ms, last_ms FROM orchestrator
             WHERE network = ?1 AND party > ?2 ORDER BY party LIMIT ?3",
        )
        .map_err(sql(READ))?;
    let rows = statement
        .query_map((number(network), after, rows(limit + 1)), |row| {
            let (Read(party), Read(first_ms), Read(last_ms)) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((party, first_ms, last_ms))
        })
        .map_err(sql(READ))?;
    let rows = rows.map(|row| {
        let (party, first_ms, last_ms) = row.map_err(sql(READ))?;
        about(connection, number(network), Hour::of(now_ms), party, first_ms, last_ms)
    });
    let cursor = |last: &OrchestratorRow| Cursor::Orchestrator(named(last.operator, last.signer));
    Ok(Paged::cut(rows.collect::<Result<_, Error>>()?, limit, cursor))
}

fn about(
    connection: &Connection,
    network: i64,
    now: Hour,
    party: Party,
    first_ms: UnixMillis,
    last_ms: UnixMillis,
) -> Result<OrchestratorRow, Error> {
    let key = bytes(party);
    let day = (bound(now.0.saturating_sub(23)), bound(now.0));
    let jobs_24h = connection
        .prepare_cached(
            "SELECT coalesce(sum(jobs), 0) FROM orchestrator_hour
             WHERE network = ?1 AND party = ?2 AND hour BETWEEN ?3 AND ?4",
        )
        .and_then(|mut statement| {
            statement.query_row(params![network, key, day.0, day.1], |row| row.get(0))
        })
        .map(|Unsigned(jobs)| jobs)
        .map_err(sql(READ))?;
    let (operator, signer) = match party {
        Party::Operator(operator) => (Some(operator), None),
        Party::Signer(signer) => (None, Some(signer)),
        Party::Nameless => (None, None),
    };
    Ok(OrchestratorRow {
        classes: classes(connection, network, &key)?,
        first_ms,
        jobs_24h,
        last_ms,
        latest: latest(connection, network, &key)?,
        operator,
        signer,
        urls: urls(connection, network, &key)?,
    })
}

fn classes(connection: &Connection, network: i64, party: &[u8]) -> Result<Vec<WorkClass>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT c.workload, nullif(c.pipeline, ''), nullif(c.model, '')
             FROM orchestrator_class o JOIN class c ON c.id = o.class
             WHERE o.network = ?1 AND o.party = ?2 ORDER BY o.last_ms DESC, c.id LIMIT ?3",
        )
        .map_err(sql(READ))?;
    let rows = statement
        .query_map(params![network, party, rows(NAMES_MAX)], |row| {
            Ok(WorkClass {
                model: row.get::<_, Option<Text<_>>>(2)?.map(|Text(name)| name),
                pipeline: row.get::<_, Option<Text<_>>>(1)?.map(|Text(name)| name),
                workload: row.get(0).map(|Text(workload)| workload)?,
            })
        })
        .map_err(sql(READ))?;
    let sorted: BTreeSet<_> = rows.collect::<Result<_, _>>().map_err(sql(READ))?;
    Ok(sorted.into_iter().collect())
}

fn urls(connection: &Connection, network: i64, party: &[u8]) -> Result<Vec<ServiceUrl>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT url FROM orchestrator_url
             WHERE network = ?1 AND party = ?2 ORDER BY last_ms DESC, url LIMIT ?3",
        )
        .map_err(sql(READ))?;
    let rows = statement
        .query_map(params![network, party, rows(NAMES_MAX)], |row| row.get(0).map(|Text(url)| url))
        .map_err(sql(READ))?;
    let sorted: BTreeSet<_> = rows.collect::<Result<_, _>>().map_err(sql(READ))?;
    Ok(sorted.into_iter().collect())
}

/// How a party stood in the latest settled hour that scores it over all its work.
fn latest(connection: &Connection, network: i64, party: &[u8]) -> Result<Option<Standing>, Error> {
    let found: Option<(Hour, String, u32)> = connection
        .prepare_cached(
            "SELECT s.hour, s.scored, k.latest
             FROM score s INDEXED BY score_overall
             CROSS JOIN known_hour k ON k.network = s.network AND k.hour = s.hour
             WHERE s.network = ?1 AND s.party = ?2 AND s.class = '' AND s.is_settled = 1
             ORDER BY s.hour DESC LIMIT 1",
        )
        .and_then(|mut statement| {
            statement
                .query_row(params![network, party], |row| {
                    Ok((row.get(0).map(|Read(hour)| hour)?, row.get(1)?, row.get(2)?))
                })
                .optional()
        })
        .map_err(sql(READ))?;
    let Some((hour, body, revision)) = found else { return Ok(None) };
    let scored = scores::parse(&body)?;
    let (grade, reason, score) = (scored.grade, scored.reason, scored.score);
    Ok(Some(Standing { grade, hour, reason, revision, score }))
}
