//! What is known of publishers, and how often whom was refused.

use events::event::Network;
use events::identity::PublisherKey;
use events::refusal::Defect;
use rusqlite::{Connection, Row, params};
use sla::admit::Refused;
use sla::window::Hour;

use crate::Error;
use crate::page::{Cursor, Page, Paged};
use crate::record::{Head, PublisherRow, RefusalCount};
use crate::sqlite::column::{Read, Text, Unsigned, bound, int, network as number, rows, sql};
use crate::sqlite::pack::json;
use crate::view::{RefusalRow, Source};

pub const RECORD: &str = "record publishers";
pub const RECORD_REFUSALS: &str = "record refusals";
const READ: &str = "read publishers";
const READ_REFUSALS: &str = "read refusals";

/// Puts rows in place of those before.
pub fn record(connection: &Connection, rows: &[PublisherRow]) -> Result<(), Error> {
    let mut upsert = connection
        .prepare_cached(
            "INSERT OR REPLACE INTO publisher (network, key, epoch, address, node, role, collected, batches, events,
                head_seq, head_hash, sealed_ms, last_received_ms, gaps)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
        )
        .map_err(sql(RECORD))?;
    for row in rows {
        let gaps = String::from_utf8(json(RECORD, &row.gaps)?).expect("serde_json writes UTF-8");
        let optional = |number: Option<u64>| number.map(|number| int(RECORD, number)).transpose();
        upsert
            .execute(params![
                number(row.network),
                row.key.0,
                int(RECORD, row.epoch)?,
                row.address.map(|address| address.0),
                row.node.as_ref().map(|node| node.as_str()),
                row.role.map(|role| role.as_str()),
                row.collected,
                int(RECORD, row.batches)?,
                int(RECORD, row.events)?,
                optional(row.head.map(|head| head.seq))?,
                row.head.map(|head| head.hash.0),
                optional(row.sealed_ms.map(|moment| moment.0))?,
                int(RECORD, row.last_received_ms.0)?,
                gaps,
            ])
            .map_err(sql(RECORD))?;
    }
    Ok(())
}

fn publisher(network: Network, row: &Row<'_>) -> rusqlite::Result<PublisherRow> {
    let unsigned = |index| row.get(index).map(|Unsigned(number)| number);
    let head_seq: Option<Unsigned> = row.get(8)?;
    let head_hash: Option<Read<_>> = row.get(9)?;
    let gaps: String = row.get(12)?;
    let gaps = serde_json::from_str(&gaps).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(12, rusqlite::types::Type::Text, error.into())
    })?;
    Ok(PublisherRow {
        address: row.get::<_, Option<Read<_>>>(2)?.map(|Read(address)| address),
        batches: unsigned(6)?,
        collected: row.get(5)?,
        epoch: unsigned(1)?,
        events: unsigned(7)?,
        gaps,
        head: head_seq.zip(head_hash).map(|(Unsigned(seq), Read(hash))| Head { hash, seq }),
        key: row.get(0).map(|Read(key)| key)?,
        last_received_ms: row.get(11).map(|Read(moment)| moment)?,
        network,
        node: row.get::<_, Option<Text<_>>>(3)?.map(|Text(node)| node),
        role: row.get::<_, Option<Text<_>>>(4)?.map(|Text(role)| role),
        sealed_ms: row.get::<_, Option<Read<_>>>(10)?.map(|Read(moment)| moment),
    })
}

/// The publishers' epochs.
pub fn select(
    connection: &Connection,
    network: Network,
    page: &Page,
) -> Result<Paged<PublisherRow>, Error> {
    let (key, epoch) = match &page.after {
        // No key is empty, so every key is greater.
        None => (Vec::new(), 0),
        Some(Cursor::Publisher(key, epoch)) => (key.0.to_vec(), bound(*epoch)),
        Some(_) => return Err(Error::ForeignCursor { list: "publishers" }),
    };
    let limit = page.rows();
    let mut statement = connection
        .prepare_cached(
            "SELECT key, epoch, address, node, role, collected, batches, events, head_seq, head_hash, sealed_ms,
                last_received_ms, gaps
             FROM publisher WHERE network = ?1 AND (key, epoch) > (?2, ?3) ORDER BY key, epoch LIMIT ?4",
        )
        .map_err(sql(READ))?;
    let rows = statement
        .query_map((number(network), key, epoch, rows(limit + 1)), |row| publisher(network, row))
        .map_err(sql(READ))?;
    let rows = rows.collect::<Result<_, _>>().map_err(sql(READ))?;
    Ok(Paged::cut(rows, limit, |last: &PublisherRow| Cursor::Publisher(last.key, last.epoch)))
}

pub fn source_number(source: Source) -> i64 {
    match source {
        Source::Intake => 1,
        Source::Settle => 2,
    }
}

/// Adds refusals of intake.
pub fn record_refusals(connection: &Connection, counts: &[RefusalCount]) -> Result<(), Error> {
    for one in counts {
        let key = one.key.as_ref();
        add(connection, one.network, key, Source::Intake, one.defect, one.hour, one.count)?;
    }
    Ok(())
}

/// Puts the refusals of a settled hour in place of those of its revision before.
pub fn replace_settled(
    connection: &Connection,
    network: Network,
    hour: Hour,
    refused: &Refused,
) -> Result<(), Error> {
    connection
        .execute(
            "DELETE FROM refusal WHERE network = ?1 AND source = ?2 AND hour = ?3",
            (number(network), source_number(Source::Settle), int(RECORD_REFUSALS, hour.0)?),
        )
        .map_err(sql(RECORD_REFUSALS))?;
    for ((key, defect), count) in refused {
        add(connection, network, Some(key), Source::Settle, *defect, hour, *count)?;
    }
    Ok(())
}

fn add(
    connection: &Connection,
    network: Network,
    key: Option<&PublisherKey>,
    source: Source,
    defect: Defect,
    hour: Hour,
    count: u64,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO refusal (network, key, source, defect, hour, count) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (network, key, source, defect, hour) DO UPDATE SET count = count + ?6",
        )
        .map_err(sql(RECORD_REFUSALS))?
        .execute(params![
            number(network),
            key.map_or(&[][..], |key| &key.0),
            source_number(source),
            defect.code(),
            int(RECORD_REFUSALS, hour.0)?,
            int(RECORD_REFUSALS, count)?,
        ])
        .map_err(sql(RECORD_REFUSALS))?;
    Ok(())
}

/// The refusals of one publisher, or the sums over everybody.
pub fn refusals(
    connection: &Connection,
    network: Network,
    key: Option<&PublisherKey>,
) -> Result<Vec<RefusalRow>, Error> {
    // Two statements, so that each finds its rows by the primary key.
    let (condition, key_bytes) = match key {
        Some(key) => ("key = ?2", Some(key.0)),
        None => ("?2 IS NULL", None),
    };
    let query = format!(
        "SELECT defect, source, sum(count), min(hour), max(hour) FROM refusal
         WHERE network = ?1 AND {condition} GROUP BY defect, source ORDER BY defect, source"
    );
    let mut statement = connection.prepare_cached(&query).map_err(sql(READ_REFUSALS))?;
    let rows = statement
        .query_map((number(network), key_bytes), |row| {
            Ok(RefusalRow {
                count: row.get(2).map(|Unsigned(count)| count)?,
                defect: row.get(0).map(|Read(defect)| defect)?,
                first: row.get(3).map(|Read(hour)| hour)?,
                key: key.copied(),
                last: row.get(4).map(|Read(hour)| hour)?,
                source: if row.get::<_, i64>(1)? == 1 { Source::Intake } else { Source::Settle },
            })
        })
        .map_err(sql(READ_REFUSALS))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ_REFUSALS))
}
