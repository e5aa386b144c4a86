//! Hours: their revisions, which are final, and what is provisional of the open one. It settles nothing.

use events::event::Network;
use events::identity::{Digest, PublisherKey};
use events::refusal::Defect;
use events::unit::UnixMillis;
use rusqlite::{Connection, OptionalExtension as _, Row, params};
use sla::admit::Refused;
use sla::hour::EventSet;
use sla::hour::fact::JobFact;
use sla::rollup::Rollup;
use sla::scorecard::{Basis, Scorecard, canonical_bytes};
use sla::supply::Word;
use sla::tested::Tested;
use sla::window::{Hour, Window};

use crate::Error;
use crate::page::{Cursor, Page, Paged};
use crate::record::{HourRecord, Sums};
use crate::sqlite::column::{Read, Unsigned, bound, int, network as number, rows, sql};
use crate::sqlite::pack::{pack, pack_bytes, unpack, unpack_bytes};
use crate::sqlite::{jobs, notes, offers, publishers, rollups, scores, spans, tested};
use crate::view::{HourView, ProvisionalView, RevisionRow, WindowRow};

pub const RECORD: &str = "record an hour";
pub const RECORD_PROVISIONAL: &str = "record an open hour";
const READ: &str = "read an hour";

/// Records a revision, or finds that it is known; tells whether it is the first of its hour.
pub fn record(connection: &Connection, record: &HourRecord) -> Result<bool, Error> {
    let (network, hour) = (record.network, record.hour);
    check(network, hour, &record.scorecard)?;
    if !matches!(&record.scorecard.basis, Basis::Events(set) if *set == record.event_set) {
        return Err(Error::Mixed { network, hour, what: "the scorecard rests on other events" });
    }
    let bytes = record.scorecard.bytes();
    let digest = Digest::of(&[&bytes]);
    if let Some(kept) = digest_of(connection, network, hour, record.revision)? {
        let (revision, offered) = (record.revision, digest);
        let is_same = kept == offered;
        let differs = Error::Final { network, hour, revision, kept, offered };
        return if is_same { Ok(false) } else { Err(differs) };
    }
    let latest = latest(connection, network, hour)?;
    if let Some(latest) = latest.filter(|latest| *latest > record.revision) {
        return Err(Error::Stale { network, hour, revision: record.revision, latest });
    }
    insert_revision(connection, record, &bytes, digest)?;
    let jobs = jobs::replace(connection, network, hour, &record.jobs)?;
    scores::replace(connection, network, hour, &record.scorecard.results, true)?;
    publishers::replace_settled(connection, network, hour, &record.refused)?;
    record_shown(connection, network, hour, &record.rollup, &record.supply, &record.tests)?;
    notes::replace_settled(connection, network, hour, &record.refused_notes)?;
    connection
        .execute(
            "INSERT INTO known_hour (network, hour, latest, jobs, updated_ms, provisional)
             VALUES (?1, ?2, ?3, ?4, ?5, NULL)
             ON CONFLICT (network, hour)
             DO UPDATE SET latest = ?3, jobs = jobs + ?4, updated_ms = ?5, provisional = NULL",
            params![
                number(network),
                int(RECORD, hour.0)?,
                record.revision,
                jobs,
                int(RECORD, record.settled_ms.0)?,
            ],
        )
        .map_err(sql(RECORD))?;
    Ok(latest.is_none())
}

/// Keeps what is shown of an hour and read by no score, in place of what was kept before.
pub fn record_shown(
    connection: &Connection,
    network: Network,
    hour: Hour,
    rollup: &Rollup,
    supply: &[Word],
    tests: &[Tested],
) -> Result<(), Error> {
    rollups::record(connection, network, hour, rollup)?;
    offers::record(connection, network, hour, supply)?;
    tested::record(connection, network, hour, tests)
}

/// Takes what is known of an open hour; says whether it is open.
pub fn record_provisional(
    connection: &Connection,
    network: Network,
    hour: Hour,
    facts: &[JobFact],
    sums: Option<Sums<'_>>,
    now_ms: UnixMillis,
) -> Result<bool, Error> {
    const ACTION: &str = RECORD_PROVISIONAL;
    if latest(connection, network, hour)?.is_some() {
        return Ok(false);
    }
    let jobs = jobs::upsert(connection, network, hour, facts)?;
    let packed = match sums {
        Some(Sums { rollup, scorecard, supply, tests }) => {
            check(network, hour, scorecard)?;
            record_shown(connection, network, hour, rollup, supply, tests)?;
            scores::replace(connection, network, hour, &scorecard.results, false)?;
            Some(pack_bytes(ACTION, &scorecard.bytes())?)
        }
        None => None,
    };
    connection
        .prepare_cached(
            "INSERT INTO known_hour (network, hour, latest, jobs, updated_ms, provisional)
             VALUES (?1, ?2, NULL, ?3, ?4, ?5)
             ON CONFLICT (network, hour)
             DO UPDATE SET jobs = jobs + ?3, updated_ms = ?4, provisional = coalesce(?5, provisional)",
        )
        .map_err(sql(ACTION))?
        .execute(params![
            number(network),
            int(ACTION, hour.0)?,
            jobs,
            int(ACTION, now_ms.0)?,
            packed
        ])
        .map_err(sql(ACTION))?;
    Ok(true)
}

/// Checks that a scorecard is of the hour it is recorded for.
fn check(network: Network, hour: Hour, scorecard: &Scorecard) -> Result<(), Error> {
    let mixed = |what| Err(Error::Mixed { network, hour, what });
    if scorecard.network != network {
        return mixed("the scorecard is of another network");
    }
    if scorecard.window != Window::hour(hour) {
        return mixed("the scorecard is of another window");
    }
    Ok(())
}

fn digest_of(
    connection: &Connection,
    network: Network,
    hour: Hour,
    revision: u32,
) -> Result<Option<Digest>, Error> {
    connection
        .query_row(
            "SELECT digest FROM revision WHERE network = ?1 AND hour = ?2 AND revision = ?3",
            (number(network), bound(hour.0), revision),
            |row| row.get(0).map(|Read(digest)| digest),
        )
        .optional()
        .map_err(sql(RECORD))
}

fn latest(connection: &Connection, network: Network, hour: Hour) -> Result<Option<u32>, Error> {
    let latest = connection
        .prepare_cached("SELECT latest FROM known_hour WHERE network = ?1 AND hour = ?2")
        .and_then(|mut statement| {
            statement.query_row((number(network), bound(hour.0)), |row| row.get(0)).optional()
        });
    latest.map(Option::flatten).map_err(sql(READ))
}

fn insert_revision(
    connection: &Connection,
    record: &HourRecord,
    scorecard: &[u8],
    digest: Digest,
) -> Result<(), Error> {
    let tally = canonical_bytes(&record.tally);
    connection
        .execute(
            "INSERT INTO revision (network, hour, revision, settled_ms, digest, tally_digest, event_count, event_root,
                event_rule, scorecard, tally, open, open_before, refused, used)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            params![
                number(record.network),
                int(RECORD, record.hour.0)?,
                record.revision,
                int(RECORD, record.settled_ms.0)?,
                digest.0,
                Digest::of(&[&tally]).0,
                int(RECORD, record.event_set.count)?,
                record.event_set.root.0,
                record.event_set.rule,
                pack_bytes(RECORD, scorecard)?,
                pack_bytes(RECORD, &tally)?,
                pack(RECORD, &record.open)?,
                pack(RECORD, &record.context)?,
                pack(RECORD, &refused_rows(&record.refused))?,
                pack(RECORD, &record.used)?,
            ],
        )
        .map_err(sql(RECORD))?;
    Ok(())
}

fn refused_rows(refused: &Refused) -> Vec<(PublisherKey, &'static str, u64)> {
    refused.iter().map(|((key, defect), count)| (*key, defect.code(), *count)).collect()
}

fn read_refused(rows: Vec<(PublisherKey, String, u64)>) -> Result<Refused, Error> {
    let read = |(key, code, count): (PublisherKey, String, u64)| {
        let what = || Error::Corrupt { action: READ, what: format!("unknown refusal {code}") };
        Defect::from_code(&code).map(|defect| ((key, defect), count)).ok_or_else(what)
    };
    rows.into_iter().map(read).collect()
}

/// The columns of a revision in short, from `r`.
const SHORT: &str =
    "r.revision, r.settled_ms, r.digest, r.tally_digest, r.event_count, r.event_root, r.event_rule";

fn revision_row(row: &Row<'_>) -> rusqlite::Result<RevisionRow> {
    Ok(RevisionRow {
        digest: row.get(2).map(|Read(digest)| digest)?,
        event_set: EventSet {
            count: row.get(4).map(|Unsigned(count)| count)?,
            root: row.get(5).map(|Read(root)| root)?,
            rule: row.get(6)?,
        },
        revision: row.get(0)?,
        settled_ms: row.get(1).map(|Read(moment)| moment)?,
        tally_digest: row.get(3).map(|Read(digest)| digest)?,
    })
}

/// The revisions of an hour.
pub fn revisions(
    connection: &Connection,
    network: Network,
    hour: Hour,
) -> Result<Vec<RevisionRow>, Error> {
    let query = format!(
        "SELECT {SHORT} FROM revision r WHERE network = ?1 AND hour = ?2 ORDER BY revision"
    );
    let mut statement = connection.prepare_cached(&query).map_err(sql(READ))?;
    let rows =
        statement.query_map((number(network), bound(hour.0)), revision_row).map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ))
}

/// The hours known, newest first.
pub fn windows(
    connection: &Connection,
    network: Network,
    page: &Page,
) -> Result<Paged<WindowRow>, Error> {
    let before = match &page.after {
        None => i64::MAX,
        Some(Cursor::Window(hour)) => bound(hour.0),
        Some(_) => return Err(Error::ForeignCursor { list: "windows" }),
    };
    let limit = page.rows();
    let query = format!(
        "SELECT {SHORT}, k.hour, k.jobs, k.updated_ms FROM known_hour k LEFT JOIN revision r
            ON r.network = k.network AND r.hour = k.hour AND r.revision = k.latest
         WHERE k.network = ?1 AND k.hour < ?2 ORDER BY k.hour DESC LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&query).map_err(sql(READ))?;
    let rows = statement
        .query_map((number(network), before, rows(limit + 1)), |row| {
            Ok(WindowRow {
                hour: row.get(7).map(|Read(hour)| hour)?,
                jobs: row.get(8).map(|Unsigned(jobs)| jobs)?,
                latest: row.get::<_, Option<u32>>(0)?.map(|_| revision_row(row)).transpose()?,
                spans: Vec::new(),
                updated_ms: row.get(9).map(|Read(moment)| moment)?,
            })
        })
        .map_err(sql(READ))?;
    let rows = rows.collect::<Result<_, _>>().map_err(sql(READ))?;
    let mut paged = Paged::cut(rows, limit, |last: &WindowRow| Cursor::Window(last.hour));
    spans::attach(connection, network, &mut paged.rows)?;
    Ok(paged)
}

/// A settled hour.
pub fn hour_record(
    connection: &Connection,
    network: Network,
    hour: Hour,
    revision: Option<u32>,
) -> Result<Option<HourView>, Error> {
    let revisions = revisions(connection, network, hour)?;
    let wanted = revision.or(revisions.last().map(|last| last.revision));
    let Some(row) = revisions.iter().find(|row| Some(row.revision) == wanted).cloned() else {
        return Ok(None);
    };
    let packed: [Vec<u8>; 6] = connection
        .query_row(
            "SELECT scorecard, tally, open, open_before, refused, used FROM revision
             WHERE network = ?1 AND hour = ?2 AND revision = ?3",
            (number(network), bound(hour.0), row.revision),
            |row| {
                Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?])
            },
        )
        .map_err(sql(READ))?;
    let [scorecard, tally, open, context, refused, used] = packed;
    let scorecard_bytes = unpack_bytes(READ, &scorecard)?;
    if Digest::of(&[&scorecard_bytes]) != row.digest {
        let what = format!(
            "the scorecard of {network} {hour} revision {} is not {}",
            row.revision, row.digest
        );
        return Err(Error::Corrupt { action: READ, what });
    }
    Ok(Some(HourView {
        context: unpack(READ, &context)?,
        digest: row.digest,
        event_set: row.event_set,
        open: unpack(READ, &open)?,
        refused: read_refused(unpack(READ, &refused)?)?,
        revision: row.revision,
        revisions,
        scorecard_bytes,
        settled_ms: row.settled_ms,
        tally: unpack(READ, &tally)?,
        used: unpack(READ, &used)?,
    }))
}

/// What is provisional of an hour.
pub fn provisional(
    connection: &Connection,
    network: Network,
    hour: Hour,
) -> Result<Option<ProvisionalView>, Error> {
    let found: Option<(Option<Vec<u8>>, UnixMillis)> = connection
        .query_row(
            "SELECT provisional, updated_ms FROM known_hour
             WHERE network = ?1 AND hour = ?2 AND latest IS NULL",
            (number(network), bound(hour.0)),
            |row| Ok((row.get(0)?, row.get(1).map(|Read(moment)| moment)?)),
        )
        .optional()
        .map_err(sql(READ))?;
    let Some((packed, updated_ms)) = found else { return Ok(None) };
    let scorecard = packed.map(|packed| unpack(READ, &packed)).transpose()?;
    Ok(Some(ProvisionalView { scorecard, updated_ms }))
}
