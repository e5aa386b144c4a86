//! The ledger's batches, how far readers have come, and documents under their digests. It holds no events.

use std::ops::RangeInclusive;

use events::batch::Position;
use events::event::Network;
use events::identity::Digest;
use events::unit::UnixMillis;
use rusqlite::{Connection, OptionalExtension as _, Params, Row, params};

use crate::Error;
use crate::record::{BatchRow, EpochRow};
use crate::sqlite::column::{Read, Unsigned, bound, int, network as number, sql};
use crate::sqlite::pack;

pub const RECORD: &str = "record batches";
pub const SET_CURSOR: &str = "set a cursor";
pub const RECORD_DOCUMENT: &str = "record a document";
const READ: &str = "read batches";
const READ_CURSOR: &str = "read a cursor";
const READ_DOCUMENT: &str = "read a document";

/// Records batches; what is known already is left as it is but for its flags.
pub fn record(connection: &Connection, rows: &[BatchRow]) -> Result<(), Error> {
    let mut known = connection
        .prepare_cached("SELECT hash FROM batch WHERE ordinal = ?1")
        .map_err(sql(RECORD))?;
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO batch (ordinal, network, key, epoch, seq, hash, sealed_ms, received_ms, count, has_records,
                has_mappings)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
             ON CONFLICT (ordinal) DO UPDATE SET has_records = ?10, has_mappings = ?11",
        )
        .map_err(sql(RECORD))?;
    for row in rows {
        let ordinal = int(RECORD, row.ordinal)?;
        let kept: Option<Digest> = known
            .query_row([ordinal], |row| row.get(0).map(|Read(hash)| hash))
            .optional()
            .map_err(sql(RECORD))?;
        if let Some(kept) = kept.filter(|kept| *kept != row.hash) {
            return Err(Error::AnotherLedger { ordinal: row.ordinal, kept, offered: row.hash });
        }
        insert
            .execute(params![
                ordinal,
                number(row.network),
                row.position.key.0,
                int(RECORD, row.position.epoch)?,
                int(RECORD, row.position.seq)?,
                row.hash.0,
                int(RECORD, row.sealed_ms.0)?,
                int(RECORD, row.received_ms.0)?,
                row.count,
                row.has_records,
                row.has_mappings,
            ])
            .map_err(sql(RECORD))?;
    }
    Ok(())
}

/// Remembers how far a reader has come.
pub fn set_cursor(connection: &Connection, name: &str, ordinal: u64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO cursor (name, ordinal) VALUES (?1, ?2)
             ON CONFLICT (name) DO UPDATE SET ordinal = ?2",
        )
        .map_err(sql(SET_CURSOR))?
        .execute(params![name, int(SET_CURSOR, ordinal)?])
        .map_err(sql(SET_CURSOR))?;
    Ok(())
}

/// How far a reader has come.
pub fn cursor(connection: &Connection, name: &str) -> Result<Option<u64>, Error> {
    connection
        .prepare_cached("SELECT ordinal FROM cursor WHERE name = ?1")
        .and_then(|mut statement| {
            statement
                .query_row([name], |row| row.get(0).map(|Unsigned(ordinal)| ordinal))
                .optional()
        })
        .map_err(sql(READ_CURSOR))
}

/// Keeps bytes under their digest.
pub fn record_document(connection: &Connection, bytes: &[u8]) -> Result<Digest, Error> {
    let digest = Digest::of(&[bytes]);
    let packed = pack::pack_bytes(RECORD_DOCUMENT, bytes)?;
    connection
        .execute(
            "INSERT INTO document (digest, bytes) VALUES (?1, ?2) ON CONFLICT (digest) DO NOTHING",
            params![digest.0, packed],
        )
        .map_err(sql(RECORD_DOCUMENT))?;
    Ok(digest)
}

/// The bytes under a digest, checked against it.
pub fn document(connection: &Connection, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
    let packed: Option<Vec<u8>> = connection
        .query_row("SELECT bytes FROM document WHERE digest = ?1", [digest.0], |row| row.get(0))
        .optional()
        .map_err(sql(READ_DOCUMENT))?;
    let Some(packed) = packed else { return Ok(None) };
    let bytes = pack::unpack_bytes(READ_DOCUMENT, &packed)?;
    if Digest::of(&[&bytes]) == *digest {
        Ok(Some(bytes))
    } else {
        let what = format!("document {digest} has other bytes");
        Err(Error::Corrupt { action: READ_DOCUMENT, what })
    }
}

const COLUMNS: &str =
    "SELECT ordinal, network, key, epoch, seq, hash, sealed_ms, received_ms, count, has_records,
    has_mappings FROM batch";

fn row(row: &Row<'_>) -> rusqlite::Result<BatchRow> {
    let unsigned = |index| row.get(index).map(|Unsigned(number)| number);
    let moment = |index| row.get(index).map(|Read(moment)| moment);
    Ok(BatchRow {
        count: row.get(8)?,
        has_mappings: row.get(10)?,
        has_records: row.get(9)?,
        hash: row.get(5).map(|Read(hash)| hash)?,
        network: row.get(1).map(|Read(network)| network)?,
        ordinal: unsigned(0)?,
        position: Position {
            key: row.get(2).map(|Read(key)| key)?,
            epoch: unsigned(3)?,
            seq: unsigned(4)?,
        },
        received_ms: moment(7)?,
        sealed_ms: moment(6)?,
    })
}

fn select(
    connection: &Connection,
    condition: &str,
    values: impl Params,
) -> Result<Vec<BatchRow>, Error> {
    let mut statement =
        connection.prepare_cached(&format!("{COLUMNS} {condition}")).map_err(sql(READ))?;
    let rows = statement.query_map(values, row).map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ))
}

/// The batches sealed in a span.
pub fn sealed(
    connection: &Connection,
    network: Network,
    span: &RangeInclusive<UnixMillis>,
) -> Result<Vec<BatchRow>, Error> {
    select(
        connection,
        "INDEXED BY batch_by_seal WHERE network = ?1 AND sealed_ms BETWEEN ?2 AND ?3
         ORDER BY sealed_ms, ordinal",
        (number(network), bound(span.start().0), bound(span.end().0)),
    )
}

/// The batches with records.
pub fn with_records(connection: &Connection, network: Network) -> Result<Vec<BatchRow>, Error> {
    select(
        connection,
        "INDEXED BY batch_with_records WHERE network = ?1 AND has_records = 1 ORDER BY sealed_ms, ordinal",
        [number(network)],
    )
}

/// The batches with mappings that were sealed in a span.
pub fn with_mappings(
    connection: &Connection,
    network: Network,
    span: &RangeInclusive<UnixMillis>,
) -> Result<Vec<BatchRow>, Error> {
    select(
        connection,
        "INDEXED BY batch_with_mappings
         WHERE network = ?1 AND has_mappings = 1 AND sealed_ms BETWEEN ?2 AND ?3 ORDER BY sealed_ms, ordinal",
        (number(network), bound(span.start().0), bound(span.end().0)),
    )
}

/// The batches at positions, by ordinal.
pub fn at(
    connection: &Connection,
    network: Network,
    positions: &[Position],
) -> Result<Vec<BatchRow>, Error> {
    let mut found = Vec::with_capacity(positions.len());
    for position in positions {
        found.extend(select(
            connection,
            "INDEXED BY batch_by_position WHERE network = ?1 AND key = ?2 AND epoch = ?3 AND seq = ?4",
            (
                number(network),
                position.key.0,
                int(READ, position.epoch)?,
                int(READ, position.seq)?,
            ),
        )?);
    }
    found.sort_by_key(|row| row.ordinal);
    found.dedup();
    Ok(found)
}

/// The sums over the batches of every epoch.
pub fn epochs(connection: &Connection, network: Network) -> Result<Vec<EpochRow>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT key, epoch, count(*), sum(count), max(received_ms) FROM batch INDEXED BY batch_by_position
             WHERE network = ?1 GROUP BY key, epoch ORDER BY key, epoch",
        )
        .map_err(sql(READ))?;
    let read = |row: &Row<'_>| {
        let unsigned = |index| row.get(index).map(|Unsigned(number)| number);
        Ok(EpochRow {
            batches: unsigned(2)?,
            epoch: unsigned(1)?,
            events: unsigned(3)?,
            key: row.get(0).map(|Read(key)| key)?,
            last_received_ms: row.get(4).map(|Read(moment)| moment)?,
        })
    };
    let rows = statement.query_map([number(network)], read).map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ))
}

/// The highest ordinal.
pub fn last_ordinal(connection: &Connection) -> Result<Option<u64>, Error> {
    connection
        .query_row("SELECT max(ordinal) FROM batch", [], |row| {
            row.get::<_, Option<Unsigned>>(0).map(|last| last.map(|Unsigned(ordinal)| ordinal))
        })
        .map_err(sql(READ))
}
