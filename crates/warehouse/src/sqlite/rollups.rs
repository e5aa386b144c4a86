//! The counts of hours for people to look at: kept by the hour, of late by the minute, and by the day once its hours are
//! there. It adds up nothing that `sla` does not.
//!
//! A day is made some time after its hours were written. An hour that is written again leaves its day to be made again,
//! and meanwhile the hours are read.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use events::event::Network;
use events::identity::Region;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::de::DeserializeOwned;
use sla::rollup::chunk::{Chunk, Spread, Spreads};
use sla::rollup::column::Column;
use sla::rollup::series::{Answer, Question, SeriesRow};
use sla::rollup::{Detail, Dimension, Minute, Rollup};
use sla::tally::cell::Measure;
use sla::window::Hour;

use crate::sqlite::cache::{Cache, Key};
use crate::sqlite::column::{Read, bound, int, network as number, sql};
use crate::sqlite::pack::{json, pack_bytes, stamp, stamp_of, unpack};
use crate::{Error, MINUTES_KEPT};

pub const RECORD: &str = "record an hour's counts";
pub const READ: &str = "read counts";

/// How long the time is that a chunk is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Grain {
    /// An hour, minute by minute.
    Minutes = 1,
    /// An hour.
    Hour = 2,
    /// A day.
    Day = 3,
}

/// A part of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// Its rows and their sums.
    Sums,
    /// How one measure is spread.
    Spread(Measure),
}

impl Part {
    /// What it is stored under.
    fn name(self) -> &'static str {
        match self {
            Self::Sums => "sums",
            Self::Spread(measure) => measure.as_str(),
        }
    }
}

/// How many hours back from the newest minutes are kept.
const HOURS_KEPT: u64 = MINUTES_KEPT.0 / 3_600_000;

/// Minutes in a day.
const DAY: Minute = 24 * 60;

/// Keeps the counts of an hour in place of those before.
pub fn record(
    connection: &Connection,
    network: Network,
    hour: Hour,
    rollup: &Rollup,
) -> Result<(), Error> {
    let place = (number(network), int(RECORD, hour.0)?);
    let whole = put(connection, Grain::Hour, place, Some(Chunk::of(&rollup.by_hour())))?;
    let minutes = match rollup.detail {
        Detail::Hour => None,
        Detail::Minute => Some(Chunk::of(rollup)),
    };
    let minutes = put(connection, Grain::Minutes, place, minutes)?;
    connection
        .prepare_cached(
            "INSERT INTO rollup (network, hour, stamp) VALUES (?1, ?2, ?3)
             ON CONFLICT (network, hour) DO UPDATE SET stamp = ?3",
        )
        .and_then(|mut statement| {
            statement.execute(params![place.0, place.1, stamp_of([whole, minutes])])
        })
        .map_err(sql(RECORD))?;
    connection
        .prepare_cached(
            "INSERT INTO rollup_day (network, day, stamp) VALUES (?1, ?2, NULL)
             ON CONFLICT (network, day) DO UPDATE SET stamp = NULL",
        )
        .and_then(|mut statement| statement.execute(params![place.0, place.1 / 24]))
        .map_err(sql(RECORD))?;
    let mut regions: Vec<&Region> =
        rollup.rows.keys().filter_map(|key| key.region.as_ref()).collect();
    regions.sort_unstable();
    regions.dedup();
    let mut known = connection
        .prepare_cached("INSERT OR IGNORE INTO region (network, region) VALUES (?1, ?2)")
        .map_err(sql(RECORD))?;
    for region in regions {
        known.execute(params![place.0, region.as_str()]).map_err(sql(RECORD))?;
    }
    forget_minutes(connection, place.0)
}

/// Lets go of the minutes that are kept no longer.
fn forget_minutes(connection: &Connection, network: i64) -> Result<(), Error> {
    connection
        .prepare_cached(
            "DELETE FROM rollup_part WHERE network = ?1 AND grain = ?2
                AND at < (SELECT max(hour) FROM rollup WHERE network = ?1) - ?3",
        )
        .and_then(|mut statement| {
            statement.execute(params![network, Grain::Minutes as u8, bound(HOURS_KEPT)])
        })
        .map_err(sql(RECORD))?;
    Ok(())
}

/// Keeps a chunk in place of the one before, if there is one; what stands for its bytes.
fn put(
    connection: &Connection,
    grain: Grain,
    (network, at): (i64, i64),
    chunk: Option<(Chunk, Spreads)>,
) -> Result<i64, Error> {
    connection
        .prepare_cached("DELETE FROM rollup_part WHERE network = ?1 AND grain = ?2 AND at = ?3")
        .and_then(|mut statement| statement.execute(params![network, grain as u8, at]))
        .map_err(sql(RECORD))?;
    let Some((chunk, spreads)) = chunk else { return Ok(0) };
    let mut parts = vec![(Part::Sums, json(RECORD, &chunk)?)];
    for (measure, spread) in &spreads {
        parts.push((Part::Spread(*measure), json(RECORD, spread)?));
    }
    let mut statement = connection
        .prepare_cached(
            "INSERT INTO rollup_part (network, grain, at, part, bytes) VALUES (?1, ?2, ?3, ?4, ?5)",
        )
        .map_err(sql(RECORD))?;
    for (part, bytes) in &parts {
        let packed = pack_bytes(RECORD, bytes)?;
        statement
            .execute(params![network, grain as u8, at, part.name(), packed])
            .map_err(sql(RECORD))?;
    }
    Ok(stamp_of(parts.iter().map(|(_, bytes)| stamp(bytes))))
}

/// An hour that has counts, and what stands for them.
type Stamped = (u64, i64);

fn stamped(
    connection: &Connection,
    network: Network,
    hours: &RangeInclusive<u64>,
) -> Result<Vec<Stamped>, Error> {
    let query = "SELECT hour, stamp FROM rollup WHERE network = ?1 AND hour BETWEEN ?2 AND ?3 ORDER BY hour";
    numbered(connection, query, network, hours)
}

/// Numbers with their stamps, of a span.
pub fn numbered(
    connection: &Connection,
    query: &str,
    network: Network,
    span: &RangeInclusive<u64>,
) -> Result<Vec<Stamped>, Error> {
    let mut statement = connection.prepare_cached(query).map_err(sql(READ))?;
    let rows = statement
        .query_map((number(network), bound(*span.start()), bound(*span.end())), |row| {
            Ok((row.get(0).map(|Read(Hour(at))| at)?, row.get(1)?))
        })
        .map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ))
}

/// Makes one day of those that are over and are to be made; tells whether there was one.
pub fn make_day(connection: &Connection, network: Network) -> Result<bool, Error> {
    let due: Option<Read<Hour>> = connection
        .prepare_cached(
            "SELECT min(day) FROM rollup_day WHERE network = ?1 AND stamp IS NULL
                AND day < (SELECT max(hour) FROM rollup WHERE network = ?1) / 24",
        )
        .and_then(|mut statement| statement.query_row([number(network)], |row| row.get(0)))
        .map_err(sql(RECORD))?;
    let Some(Read(Hour(day))) = due else { return Ok(false) };
    let hours = stamped(connection, network, &(day * 24..=day * 24 + 23))?;
    let chunk = Chunk::of_series(&add_up(connection, network, day, &hours)?);
    let place = (number(network), int(RECORD, day)?);
    let stamp = put(connection, Grain::Day, place, Some(chunk))?;
    connection
        .prepare_cached("UPDATE rollup_day SET stamp = ?3 WHERE network = ?1 AND day = ?2")
        .and_then(|mut statement| statement.execute(params![place.0, place.1, stamp]))
        .map_err(sql(RECORD))?;
    Ok(true)
}

/// The sums of a day's hours.
fn add_up(
    connection: &Connection,
    network: Network,
    day: u64,
    hours: &[Stamped],
) -> Result<Vec<SeriesRow>, Error> {
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
        let place = (network, Grain::Hour, *hour);
        let Some(chunk) = read_chunk(connection, place)? else { continue };
        answer.add(&chunk, |measure| {
            let spread = read_spread(connection, place, measure, chunk.rows())?;
            Ok::<_, Error>(spread.map(Arc::new))
        })?;
    }
    Ok(answer.rows())
}

/// Which chunk.
type Place = (Network, Grain, u64);

fn read_part<T: DeserializeOwned>(
    connection: &Connection,
    (network, grain, at): Place,
    part: Part,
) -> Result<Option<T>, Error> {
    let packed: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT bytes FROM rollup_part WHERE network = ?1 AND grain = ?2 AND at = ?3 AND part = ?4",
        )
        .and_then(|mut statement| {
            let place = params![number(network), grain as u8, bound(at), part.name()];
            statement.query_row(place, |row| row.get(0)).optional()
        })
        .map_err(sql(READ))?;
    packed.map(|packed| unpack(READ, &packed)).transpose()
}

/// A chunk, unless it is damaged.
fn read_chunk(connection: &Connection, place: Place) -> Result<Option<Chunk>, Error> {
    let chunk: Option<Chunk> = read_part(connection, place, Part::Sums)?;
    let is_sound = chunk.as_ref().is_none_or(Chunk::is_sound);
    if is_sound { Ok(chunk) } else { Err(damaged(place)) }
}

fn read_spread(
    connection: &Connection,
    place: Place,
    measure: Measure,
    rows: usize,
) -> Result<Option<Spread>, Error> {
    let spread: Option<Spread> = read_part(connection, place, Part::Spread(measure))?;
    let is_sound = spread.as_ref().is_none_or(|spread| spread.is_sound(rows));
    if is_sound { Ok(spread) } else { Err(damaged(place)) }
}

fn damaged((network, grain, at): Place) -> Error {
    Error::Corrupt { action: READ, what: format!("the counts of {grain:?} {at} on {network}") }
}

/// Reads counts, from what is kept unpacked where it is.
pub struct Counts<'a> {
    /// What is kept unpacked.
    pub cache: &'a Cache,
    /// Where the rest is.
    pub connection: &'a Connection,
    /// Whose counts.
    pub network: Network,
}

impl Counts<'_> {
    /// The answer to a question.
    pub fn series(&self, question: &Question) -> Result<Vec<SeriesRow>, Error> {
        let mut answer = Answer::new(question);
        let span = &question.span;
        if span.start >= span.end {
            return Ok(Vec::new());
        }
        let hours = span.start / 60..=(span.end - 1) / 60;
        let stamped = stamped(self.connection, self.network, &hours)?;
        let is_by_day = question.step_minutes.is_none_or(|step| step % DAY == 0);
        let days = if is_by_day { self.days(&hours)? } else { Vec::new() };
        for day in stamped.chunk_by(|one, next| one.0 / 24 == next.0 / 24) {
            let Some((first, _)) = day.first() else { continue };
            if answer.is_enough(first * 60) {
                break;
            }
            let begin = first / 24 * DAY;
            let is_whole = span.start <= begin && begin + DAY <= span.end;
            let made = days.iter().find(|(made, _)| is_whole && *made == first / 24);
            match made {
                Some(made) => drop(self.add(&mut answer, Grain::Day, *made)?),
                None => self.add_hours(&mut answer, question, day)?,
            }
        }
        Ok(answer.rows())
    }

    /// The days that are made.
    fn days(&self, hours: &RangeInclusive<u64>) -> Result<Vec<Stamped>, Error> {
        numbered(
            self.connection,
            "SELECT day, stamp FROM rollup_day
             WHERE network = ?1 AND day BETWEEN ?2 AND ?3 AND stamp IS NOT NULL ORDER BY day",
            self.network,
            &(hours.start() / 24..=hours.end() / 24),
        )
    }

    /// The first hour that is kept by the minute.
    fn first_by_minute(&self) -> Result<u64, Error> {
        let newest: Option<Read<Hour>> = self
            .connection
            .prepare_cached("SELECT max(hour) FROM rollup WHERE network = ?1")
            .and_then(|mut statement| statement.query_row([number(self.network)], |row| row.get(0)))
            .map_err(sql(READ))?;
        Ok(newest.map_or(0, |Read(hour)| hour.0.saturating_sub(HOURS_KEPT)))
    }

    /// Adds the hours of a day, by the minute where that is asked for and they are kept so.
    fn add_hours(
        &self,
        answer: &mut Answer<'_>,
        question: &Question,
        hours: &[Stamped],
    ) -> Result<(), Error> {
        let span = &question.span;
        let is_fine = question.step_minutes.is_some_and(|step| step % 60 != 0);
        let first = self.first_by_minute()?;
        for (hour, stamp) in hours {
            if answer.is_enough(hour * 60) {
                break;
            }
            let is_whole = span.start <= hour * 60 && hour * 60 + 60 <= span.end;
            let is_by_minute = (is_fine || !is_whole) && *hour >= first;
            if !(is_by_minute && self.add(answer, Grain::Minutes, (*hour, *stamp))?) {
                self.add(answer, Grain::Hour, (*hour, *stamp))?;
            }
        }
        Ok(())
    }

    /// Adds a chunk; tells whether there is one.
    fn add(
        &self,
        answer: &mut Answer<'_>,
        grain: Grain,
        (at, stamp): Stamped,
    ) -> Result<bool, Error> {
        let place = (self.network, grain, at);
        let key = |part: Part| Key::Rollup(self.network, grain, at, part);
        let chunk: Option<Arc<Chunk>> = self.cache.get_or(key(Part::Sums), stamp, || {
            let chunk = read_chunk(self.connection, place)?;
            Ok(chunk.map(|chunk| (chunk.bytes(), Arc::new(chunk))))
        })?;
        let Some(chunk) = chunk else { return Ok(false) };
        answer.add(&chunk, |measure| {
            self.cache.get_or(key(Part::Spread(measure)), stamp, || {
                let spread = read_spread(self.connection, place, measure, chunk.rows())?;
                Ok(spread.map(|spread| (spread.bytes(), Arc::new(spread))))
            })
        })?;
        Ok(true)
    }
}

/// Every region that anything was ever told in.
pub fn regions(connection: &Connection, network: Network) -> Result<BTreeSet<Region>, Error> {
    let mut statement = connection
        .prepare_cached("SELECT region FROM region WHERE network = ?1 ORDER BY region")
        .map_err(sql(READ))?;
    let names = statement
        .query_map([number(network)], |row| row.get::<_, String>(0))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(sql(READ))?;
    let read = |name: &String| {
        let what = format!("the region {name:?}");
        name.parse().map_err(|_| Error::Corrupt { action: READ, what })
    };
    names.iter().map(read).collect()
}
