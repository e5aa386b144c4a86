//! What tests gave, by the hour that tells of it; found by when the testers made them. It reads no test but to hand it on.

use std::ops::RangeInclusive;
use std::sync::Arc;

use events::event::Network;
use events::unit::UnixMillis;
use rusqlite::{Connection, params};
use sla::tested::Tested;
use sla::window::Hour;

use crate::Error;
use crate::sqlite::cache::{Cache, Key};
use crate::sqlite::column::{Read, bound, int, network as number, sql};
use crate::sqlite::pack::{json, pack_bytes, stamp, unpack};
use crate::view::TestedHours;

const RECORD: &str = "record tests";
pub const READ: &str = "read tests";

/// How many bytes one test takes in memory, about.
const TESTED_BYTES: usize = 512;

/// Keeps the tests that an hour tells of, in place of those before.
pub fn record(
    connection: &Connection,
    network: Network,
    hour: Hour,
    tests: &[Tested],
) -> Result<(), Error> {
    let (network, at) = (number(network), int(RECORD, hour.0)?);
    let times = || tests.iter().map(|test| test.at_ms.0);
    let (Some(first_ms), Some(last_ms)) = (times().min(), times().max()) else {
        connection
            .prepare_cached("DELETE FROM tested WHERE network = ?1 AND hour = ?2")
            .and_then(|mut statement| statement.execute(params![network, at]))
            .map_err(sql(RECORD))?;
        return Ok(());
    };
    let bytes = json(RECORD, &tests)?;
    let stamp = stamp(&bytes);
    let count = bound(u64::try_from(tests.len()).unwrap_or(u64::MAX));
    let (first_ms, last_ms) = (bound(first_ms), bound(last_ms));
    let packed = pack_bytes(RECORD, &bytes)?;
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO tested (network, hour, first_ms, last_ms, tests, stamp, bytes)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )
        .and_then(|mut statement| {
            statement.execute(params![network, at, first_ms, last_ms, count, stamp, packed])
        })
        .map_err(sql(RECORD))?;
    Ok(())
}

/// The hours that tell of tests made in the span, newest first, as many as have room.
pub fn select(
    connection: &Connection,
    cache: &Cache,
    network: Network,
    span: &RangeInclusive<UnixMillis>,
    limit: usize,
) -> Result<TestedHours, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT hour, tests, stamp FROM tested
             WHERE network = ?1 AND first_ms <= ?3 AND last_ms >= ?2 ORDER BY hour DESC",
        )
        .map_err(sql(READ))?;
    let found = (number(network), bound(span.start().0), bound(span.end().0));
    let rows = statement
        .query_map(found, |row| {
            let (Read(hour), count): (Read<Hour>, i64) = (row.get(0)?, row.get(1)?);
            Ok((hour, usize::try_from(count).unwrap_or(usize::MAX), row.get(2)?))
        })
        .map_err(sql(READ))?;
    let (mut held, mut answer) = (0usize, TestedHours { hours: Vec::new(), is_whole: true });
    for row in rows {
        let (hour, count, stamp) = row.map_err(sql(READ))?;
        held = held.saturating_add(count);
        if held > limit {
            answer.is_whole = false;
            break;
        }
        answer.hours.push(tests(connection, cache, network, hour, stamp)?);
    }
    Ok(answer)
}

/// The tests that an hour tells of.
fn tests(
    connection: &Connection,
    cache: &Cache,
    network: Network,
    hour: Hour,
    stamp: i64,
) -> Result<Arc<[Tested]>, Error> {
    let read = cache.get_or(Key::Tested(network, hour.0), stamp, || {
        let packed: Vec<u8> = connection
            .prepare_cached("SELECT bytes FROM tested WHERE network = ?1 AND hour = ?2")
            .and_then(|mut statement| {
                statement.query_row(params![number(network), bound(hour.0)], |row| row.get(0))
            })
            .map_err(sql(READ))?;
        let tests: Vec<Tested> = unpack(READ, &packed)?;
        Ok(Some((tests.len() * TESTED_BYTES, Arc::from(tests))))
    })?;
    Ok(read.unwrap_or_default())
}
