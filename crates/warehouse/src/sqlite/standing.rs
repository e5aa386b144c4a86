//! What registers are made of and where they are kept: the counts of settled hours, and a document a day. It folds none.

use std::ops::RangeInclusive;

use events::event::Network;
use events::identity::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};
use sla::scorecard::PinnedHour;
use sla::window::Hour;

use crate::Error;
use crate::record::Restanding;
use crate::sqlite::column::{Read, Unsigned, bound, int, network as number, sql};
use crate::sqlite::pack::unpack_bytes;
use crate::sqlite::{agenda, batches};

pub const RECORD: &str = "record a register";
pub const READ: &str = "read a register";
pub const READ_TALLY: &str = "read the counts of an hour";

/// Keeps the register of a day.
pub fn record(
    connection: &Connection,
    network: Network,
    day: u64,
    bytes: &[u8],
) -> Result<Digest, Error> {
    let digest = batches::record_document(connection, bytes)?;
    connection
        .execute(
            "INSERT INTO register (network, day, digest) VALUES (?1, ?2, ?3)
             ON CONFLICT (network, day) DO UPDATE SET digest = ?3",
            params![number(network), int(RECORD, day)?, digest.0],
        )
        .map_err(sql(RECORD))?;
    Ok(digest)
}

/// Lets the registers go that an hour changes, and has those hours looked at again that leaned on them.
pub fn restand(
    connection: &Connection,
    network: Network,
    restanding: &Restanding,
) -> Result<(), Error> {
    connection
        .execute(
            "DELETE FROM register WHERE network = ?1 AND day >= ?2",
            (number(network), bound(restanding.day)),
        )
        .map_err(sql(RECORD))?;
    agenda::touch(connection, std::slice::from_ref(&restanding.touch))
}

/// The last register kept up to a day.
pub fn at(
    connection: &Connection,
    network: Network,
    day: u64,
) -> Result<Option<(u64, Digest)>, Error> {
    connection
        .query_row(
            "SELECT day, digest FROM register WHERE network = ?1 AND day <= ?2 ORDER BY day DESC LIMIT 1",
            (number(network), bound(day)),
            |row| {
                let Unsigned(day) = row.get(0)?;
                Ok((day, row.get(1).map(|Read(digest)| digest)?))
            },
        )
        .optional()
        .map_err(sql(READ))
}

/// The settled hours of a span at their latest revisions, first to last.
pub fn settled_hours(
    connection: &Connection,
    network: Network,
    hours: &RangeInclusive<Hour>,
) -> Result<Vec<PinnedHour>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT k.hour, r.revision, r.tally_digest FROM known_hour k CROSS JOIN revision r
                ON r.network = k.network AND r.hour = k.hour AND r.revision = k.latest
             WHERE k.network = ?1 AND k.hour BETWEEN ?2 AND ?3 ORDER BY k.hour",
        )
        .map_err(sql(READ_TALLY))?;
    let (first, last) = (bound(hours.start().0), bound(hours.end().0));
    let rows = statement
        .query_map((number(network), first, last), |row| {
            Ok(PinnedHour {
                hour: row.get(0).map(|Read(hour)| hour)?,
                revision: row.get(1)?,
                tally: row.get(2).map(|Read(digest)| digest)?,
            })
        })
        .map_err(sql(READ_TALLY))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ_TALLY))
}

/// The canonical bytes of an hour's counts at a revision, checked against their digest.
pub fn tally_bytes(
    connection: &Connection,
    network: Network,
    hour: Hour,
    revision: u32,
) -> Result<Option<Vec<u8>>, Error> {
    let found: Option<(Vec<u8>, Digest)> = connection
        .prepare_cached(
            "SELECT tally, tally_digest FROM revision WHERE network = ?1 AND hour = ?2 AND revision = ?3",
        )
        .and_then(|mut statement| {
            let read = |row: &rusqlite::Row<'_>| {
                Ok((row.get(0)?, row.get(1).map(|Read(digest)| digest)?))
            };
            statement.query_row((number(network), bound(hour.0), revision), read).optional()
        })
        .map_err(sql(READ_TALLY))?;
    let Some((packed, digest)) = found else { return Ok(None) };
    let bytes = unpack_bytes(READ_TALLY, &packed)?;
    if Digest::of(&[&bytes]) == digest {
        return Ok(Some(bytes));
    }
    let what = format!("the counts of {network} {hour} revision {revision} are not {digest}");
    Err(Error::Corrupt { action: READ_TALLY, what })
}
