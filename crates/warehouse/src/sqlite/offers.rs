//! What was told of offers in each hour, what is on offer by the words of several, and who ever offered anything. What holds
//! of several words is said by `sla`.

use std::ops::RangeInclusive;
use std::sync::Arc;

use events::event::Network;
use events::identity::Address;
use events::unit::UnixMillis;
use rusqlite::{Connection, OptionalExtension as _, params};
use sla::supply::{Supply, Word, offered};
use sla::window::Hour;

use crate::Error;
use crate::sqlite::cache::{Cache, Key};
use crate::sqlite::column::{Read, bound, int, network as number, sql};
use crate::sqlite::pack::{json, pack_bytes, stamp, stamp_of, unpack};
use crate::sqlite::rollups::numbered;
use crate::view::OperatorRow;

const RECORD: &str = "record offers";
pub const READ: &str = "read offers";

/// How many bytes one offer takes in memory, about.
const SUPPLY_BYTES: usize = 2_048;

/// Keeps what was told of offers in an hour in place of what was kept before.
pub fn record(
    connection: &Connection,
    network: Network,
    hour: Hour,
    supply: &[Word],
) -> Result<(), Error> {
    let (network, at) = (number(network), int(RECORD, hour.0)?);
    let bytes = json(RECORD, &supply)?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO offered (network, hour, stamp, bytes) VALUES (?1, ?2, ?3, ?4)",
        )
        .map_err(sql(RECORD))?
        .execute(params![network, at, stamp(&bytes), pack_bytes(RECORD, &bytes)?])
        .map_err(sql(RECORD))?;
    let mut offerer = connection
        .prepare_cached(
            "INSERT INTO offerer (network, operator, first_hour, last_hour) VALUES (?1, ?2, ?3, ?3)
             ON CONFLICT (network, operator)
             DO UPDATE SET first_hour = min(first_hour, ?3), last_hour = max(last_hour, ?3)",
        )
        .map_err(sql(RECORD))?;
    for one in supply {
        offerer.execute(params![network, one.operator.0, at]).map_err(sql(RECORD))?;
    }
    Ok(())
}

/// What is on offer, by what the hours tell.
pub fn select(
    connection: &Connection,
    cache: &Cache,
    network: Network,
    hours: &RangeInclusive<Hour>,
) -> Result<Arc<[Supply]>, Error> {
    let (first, last) = (hours.start().0, hours.end().0);
    let stamped = numbered(
        connection,
        "SELECT hour, stamp FROM offered WHERE network = ?1 AND hour BETWEEN ?2 AND ?3 ORDER BY hour",
        network,
        &(first..=last),
    )?;
    let all = stamp_of(stamped.iter().map(|(_, stamp)| *stamp));
    let made = cache.get_or(Key::Supply(network, first, last), all, || {
        let mut told = Vec::with_capacity(stamped.len());
        for (hour, stamp) in &stamped {
            told.push(of_hour(connection, cache, network, *hour, *stamp)?);
        }
        let supply: Arc<[Supply]> = offered(told.iter().flat_map(|words| words.iter())).into();
        Ok(Some((supply.len() * SUPPLY_BYTES, supply)))
    })?;
    Ok(made.unwrap_or_default())
}

fn of_hour(
    connection: &Connection,
    cache: &Cache,
    network: Network,
    hour: u64,
    stamp: i64,
) -> Result<Arc<[Word]>, Error> {
    let read = cache.get_or(Key::Told(network, hour), stamp, || {
        let packed: Option<Vec<u8>> = connection
            .prepare_cached("SELECT bytes FROM offered WHERE network = ?1 AND hour = ?2")
            .and_then(|mut statement| {
                let place = params![number(network), bound(hour)];
                statement.query_row(place, |row| row.get(0)).optional()
            })
            .map_err(sql(READ))?;
        let Some(packed) = packed else { return Ok(None) };
        let words: Vec<Word> = unpack(READ, &packed)?;
        Ok(Some((words.len() * SUPPLY_BYTES, Arc::from(words))))
    })?;
    Ok(read.unwrap_or_default())
}

/// Every operator that ever had work or offered any.
pub fn operators(connection: &Connection, network: Network) -> Result<Vec<OperatorRow>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT operator, min(first_ms), max(last_ms) FROM (
                SELECT substr(party, 2) AS operator, first_ms, last_ms FROM orchestrator
                    WHERE network = ?1 AND substr(party, 1, 1) = x'01'
                UNION ALL
                SELECT operator, first_hour * 3600000, last_hour * 3600000 FROM offerer WHERE network = ?1
             ) GROUP BY operator ORDER BY operator",
        )
        .map_err(sql(READ))?;
    let rows = statement
        .query_map([number(network)], |row| {
            let (Read(first_ms), Read(last_ms)): (Read<UnixMillis>, Read<UnixMillis>) =
                (row.get(1)?, row.get(2)?);
            Ok(OperatorRow { operator: Address(row.get(0)?), first_ms, last_ms })
        })
        .map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ))
}
