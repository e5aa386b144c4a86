//! The counts of hours for people to look at, and what was offered in them: kept by the hour and, of late, by the
//! minute; days are made of hours when they are asked for. It adds up nothing that `sla` does not.

use std::ops::RangeInclusive;
use std::sync::Arc;

use events::event::Network;
use events::identity::{Address, Digest};
use events::unit::UnixMillis;
use rusqlite::{Connection, OptionalExtension as _, params};
use sla::rollup::chunk::Chunk;
use sla::rollup::column::Column;
use sla::rollup::series::{Answer, Question, SeriesRow};
use sla::rollup::{Detail, Dimension, Minute, Rollup};
use sla::supply::{Supply, latest};
use sla::tally::cell::Measure;
use sla::window::Hour;

use crate::sqlite::cache::{Cache, Kept, Key};
use crate::sqlite::column::{Read, bound, int, network as number, sql};
use crate::sqlite::pack::{json, pack_bytes, unpack};
use crate::view::OperatorRow;
use crate::{Error, MINUTES_KEPT};

pub const RECORD: &str = "record an hour's counts";
pub const READ: &str = "read counts";

const WHOLE: u8 = 1;
const MINUTES: u8 = 2;
const OFFERED: u8 = 3;

/// How many hours back from the newest minutes are kept.
const HOURS_KEPT: u64 = MINUTES_KEPT.0 / 3_600_000;

/// Minutes in a day.
const DAY: Minute = 24 * 60;

/// How many bytes one offer takes in memory, about.
const SUPPLY_BYTES: usize = 2_048;

/// Keeps the counts of an hour in place of those before.
pub fn record(
    connection: &Connection,
    network: Network,
    hour: Hour,
    rollup: &Rollup,
    supply: &[Supply],
) -> Result<(), Error> {
    let whole = json(RECORD, &Chunk::of(&rollup.by_hour()))?;
    let minutes = match rollup.detail {
        Detail::Hour => None,
        Detail::Minute => Some(json(RECORD, &Chunk::of(rollup))?),
    };
    let offered = json(RECORD, &supply)?;
    let stamp = stamp(&[&whole, minutes.as_deref().unwrap_or_default(), &offered]);
    let (network, at) = (number(network), int(RECORD, hour.0)?);
    put_part(connection, (network, at, WHOLE), Some(&whole))?;
    put_part(connection, (network, at, MINUTES), minutes.as_deref())?;
    put_part(connection, (network, at, OFFERED), Some(&offered))?;
    connection
        .prepare_cached(
            "INSERT INTO rollup (network, hour, stamp) VALUES (?1, ?2, ?3)
             ON CONFLICT (network, hour) DO UPDATE SET stamp = ?3",
        )
        .and_then(|mut statement| statement.execute(params![network, at, stamp]))
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
    forget_minutes(connection, network)
}

/// Lets go of the minutes that are kept no longer.
fn forget_minutes(connection: &Connection, network: i64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "DELETE FROM rollup_part WHERE network = ?1 AND part = ?2
                AND hour < (SELECT max(hour) FROM rollup WHERE network = ?1) - ?3",
        )
        .and_then(|mut statement| statement.execute(params![network, MINUTES, bound(HOURS_KEPT)]))
        .map_err(sql(RECORD))?;
    Ok(())
}

/// Keeps a part of an hour, or lets go of it.
fn put_part(
    connection: &Connection,
    (network, hour, part): (i64, i64, u8),
    bytes: Option<&[u8]>,
) -> Result<(), Error> {
    let done = match bytes {
        Some(bytes) => connection
            .prepare_cached(
                "INSERT OR REPLACE INTO rollup_part (network, hour, part, bytes) VALUES (?1, ?2, ?3, ?4)",
            )
            .map_err(sql(RECORD))?
            .execute(params![network, hour, part, pack_bytes(RECORD, bytes)?]),
        None => connection
            .prepare_cached("DELETE FROM rollup_part WHERE network = ?1 AND hour = ?2 AND part = ?3")
            .map_err(sql(RECORD))?
            .execute(params![network, hour, part]),
    };
    done.map(|_| ()).map_err(sql(RECORD))
}

/// A number that stands for bytes: sixty-two bits of their hash.
fn stamp(parts: &[&[u8]]) -> i64 {
    let digests: Vec<Digest> = parts.iter().map(|part| Digest::of(&[part])).collect();
    let all: Vec<&[u8]> = digests.iter().map(|digest| digest.0.as_slice()).collect();
    let bytes = Digest::of(&all).0.first_chunk::<8>().copied().unwrap_or_default();
    i64::try_from(u64::from_be_bytes(bytes) >> 2).unwrap_or_default()
}

/// An hour that has counts, and what stands for them.
type Stamped = (u64, i64);

fn stamped(
    connection: &Connection,
    network: Network,
    hours: &RangeInclusive<u64>,
) -> Result<Vec<Stamped>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT hour, stamp FROM rollup WHERE network = ?1 AND hour BETWEEN ?2 AND ?3 ORDER BY hour",
        )
        .map_err(sql(READ))?;
    let rows = statement
        .query_map((number(network), bound(*hours.start()), bound(*hours.end())), |row| {
            Ok((row.get(0).map(|Read(Hour(hour))| hour)?, row.get(1)?))
        })
        .map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ))
}

/// The newest hour that has counts.
fn newest(connection: &Connection, network: Network) -> Result<u64, Error> {
    let newest: Option<Read<Hour>> = connection
        .prepare_cached("SELECT max(hour) FROM rollup WHERE network = ?1")
        .and_then(|mut statement| statement.query_row([number(network)], |row| row.get(0)))
        .map_err(sql(READ))?;
    Ok(newest.map_or(0, |Read(hour)| hour.0))
}

fn part<T: serde::de::DeserializeOwned>(
    connection: &Connection,
    network: Network,
    hour: u64,
    part: u8,
) -> Result<Option<T>, Error> {
    let packed: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT bytes FROM rollup_part WHERE network = ?1 AND hour = ?2 AND part = ?3",
        )
        .and_then(|mut statement| {
            let place = params![number(network), bound(hour), part];
            statement.query_row(place, |row| row.get(0)).optional()
        })
        .map_err(sql(READ))?;
    packed.map(|packed| unpack(READ, &packed)).transpose()
}

/// Reads counts, from what is kept unpacked where it is.
pub struct Shelf<'a> {
    /// What is kept unpacked.
    pub cache: &'a Cache,
    /// Where the rest is.
    pub connection: &'a Connection,
    /// Whose counts.
    pub network: Network,
}

impl Shelf<'_> {
    /// The answer to a question.
    pub fn series(&self, question: &Question) -> Result<Vec<SeriesRow>, Error> {
        let mut answer = Answer::new(question);
        let span = &question.span;
        if span.start >= span.end {
            return Ok(Vec::new());
        }
        let hours = span.start / 60..=(span.end - 1) / 60;
        let stamped = stamped(self.connection, self.network, &hours)?;
        let newest = newest(self.connection, self.network)?;
        // The newest day still changes, so making a day of it would be for nothing.
        let is_by_day = question.step_minutes.is_none_or(|step| step % DAY == 0);
        let is_fine = question.step_minutes.is_some_and(|step| step % 60 != 0);
        for day in stamped.chunk_by(|one, next| one.0 / 24 == next.0 / 24) {
            let Some((first, _)) = day.first() else { continue };
            let begin = first / 24 * DAY;
            let is_whole = span.start <= begin && begin + DAY <= span.end;
            if is_by_day && is_whole && first / 24 < newest / 24 {
                answer.add(&*self.day(first / 24, day)?);
                continue;
            }
            for (hour, stamp) in day {
                let is_whole = span.start <= hour * 60 && hour * 60 + 60 <= span.end;
                let is_asked = (is_fine || !is_whole) && hour + HOURS_KEPT >= newest;
                let minutes = if is_asked { self.minutes(*hour, *stamp)? } else { None };
                let chunk = match minutes {
                    Some(minutes) => minutes,
                    None => self.hour(*hour, *stamp)?,
                };
                answer.add(&chunk);
            }
        }
        Ok(answer.rows())
    }

    fn hour(&self, hour: u64, stamp: i64) -> Result<Arc<Chunk>, Error> {
        let key = Key::Hour(self.network, hour);
        if let Some(Kept::Chunk(chunk)) = self.cache.get(key, stamp) {
            return Ok(chunk);
        }
        let chunk = Arc::new(self.read_hour(hour)?);
        self.cache.put(key, stamp, Kept::Chunk(Arc::clone(&chunk)), chunk.bytes());
        Ok(chunk)
    }

    fn read_hour(&self, hour: u64) -> Result<Chunk, Error> {
        sound(part(self.connection, self.network, hour, WHOLE)?.unwrap_or_default(), hour)
    }

    /// The minutes of an hour, as long as they are kept.
    fn minutes(&self, hour: u64, stamp: i64) -> Result<Option<Arc<Chunk>>, Error> {
        let key = Key::Minutes(self.network, hour);
        if let Some(Kept::Chunk(chunk)) = self.cache.get(key, stamp) {
            return Ok(Some(chunk));
        }
        let Some(chunk) = part(self.connection, self.network, hour, MINUTES)? else {
            return Ok(None);
        };
        let chunk = Arc::new(sound(chunk, hour)?);
        self.cache.put(key, stamp, Kept::Chunk(Arc::clone(&chunk)), chunk.bytes());
        Ok(Some(chunk))
    }

    /// The sums of a day, made of its hours.
    fn day(&self, day: u64, hours: &[Stamped]) -> Result<Arc<Chunk>, Error> {
        let stamps: Vec<u8> = hours
            .iter()
            .flat_map(|(hour, stamp)| [hour.to_be_bytes(), stamp.to_be_bytes()])
            .flatten()
            .collect();
        let (key, stamp) = (Key::Day(self.network, day), stamp(&[&stamps]));
        if let Some(Kept::Chunk(chunk)) = self.cache.get(key, stamp) {
            return Ok(chunk);
        }
        let question = Question {
            by: Dimension::ALL.to_vec(),
            columns: Column::all().collect(),
            histograms: Measure::ALL.iter().copied().collect(),
            span: day * DAY..(day + 1) * DAY,
            step_minutes: Some(DAY),
            ..Question::default()
        };
        let mut answer = Answer::new(&question);
        for (hour, _) in hours {
            answer.add(&self.read_hour(*hour)?);
        }
        let chunk = Arc::new(Chunk::of_series(&answer.rows()));
        self.cache.put(key, stamp, Kept::Chunk(Arc::clone(&chunk)), chunk.bytes());
        Ok(chunk)
    }

    /// What was offered last, of what the hours tell.
    pub fn supply(&self, hours: RangeInclusive<Hour>) -> Result<Arc<[Supply]>, Error> {
        let (first, last) = (hours.start().0, hours.end().0);
        let stamped = stamped(self.connection, self.network, &(first..=last))?;
        let stamps: Vec<u8> = stamped.iter().flat_map(|(_, stamp)| stamp.to_be_bytes()).collect();
        let (key, all) = (Key::Supply(self.network, first, last), stamp(&[&stamps]));
        if let Some(Kept::Supply(supply)) = self.cache.get(key, all) {
            return Ok(supply);
        }
        let mut offered = Vec::with_capacity(stamped.len());
        for (hour, stamp) in stamped {
            offered.push(self.offered(hour, stamp)?.to_vec());
        }
        let supply: Arc<[Supply]> = latest(offered).into();
        let bytes = supply.len() * SUPPLY_BYTES;
        self.cache.put(key, all, Kept::Supply(Arc::clone(&supply)), bytes);
        Ok(supply)
    }

    fn offered(&self, hour: u64, stamp: i64) -> Result<Arc<[Supply]>, Error> {
        let key = Key::Offered(self.network, hour);
        if let Some(Kept::Supply(supply)) = self.cache.get(key, stamp) {
            return Ok(supply);
        }
        let read: Option<Vec<Supply>> = part(self.connection, self.network, hour, OFFERED)?;
        let supply: Arc<[Supply]> = read.unwrap_or_default().into();
        let bytes = supply.len() * SUPPLY_BYTES;
        self.cache.put(key, stamp, Kept::Supply(Arc::clone(&supply)), bytes);
        Ok(supply)
    }
}

/// A chunk that was read, unless it is damaged.
fn sound(chunk: Chunk, hour: u64) -> Result<Chunk, Error> {
    let what = || Error::Corrupt { action: READ, what: format!("the counts of {}", Hour(hour)) };
    if chunk.minutes.is_empty() || chunk.is_sound() { Ok(chunk) } else { Err(what()) }
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
