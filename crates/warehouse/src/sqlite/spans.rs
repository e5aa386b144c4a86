//! Windows of several hours: made once, kept whole, and never changed. Their results are read from their scorecards.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::event::Network;
use events::identity::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};
use sla::scorecard::{Basis, Scorecard, Scored};
use sla::window::{Hour, Span, Window};

use crate::Error;
use crate::page::{Cursor, Page, Paged};
use crate::record::{UnrolledHour, WindowRecord};
use crate::sqlite::cache::{Cache, Key};
use crate::sqlite::column::{
    Read, Unsigned, bound, class_text, int, named, network as number, party, rows as row_count, sql,
};
use crate::sqlite::pack::{pack, pack_bytes, unpack, unpack_bytes};
use crate::view::{ScoreFilter, ScoreRow, ScorecardView, SpanRow, WindowRow, WindowView};

pub const RECORD: &str = "record a window";
pub const RECORD_ROLLED: &str = "mark an hour's windows as made";
pub const READ: &str = "read a window";

/// Records a window, or finds that it is known.
pub fn record(connection: &Connection, record: &WindowRecord) -> Result<(), Error> {
    let WindowRecord { context, made_ms, network, scorecard } = record;
    let window = scorecard.window;
    let mixed = |what| Err(Error::Mixed { network: *network, hour: window.last, what });
    if scorecard.network != *network {
        return mixed("the scorecard is of another network");
    }
    if window.span == Span::Hour || !matches!(scorecard.basis, Basis::Hours(_)) {
        return mixed("the scorecard is not of several hours");
    }
    if scorecard.context != context.digest() {
        return mixed("the scorecard names another context");
    }
    let bytes = scorecard.bytes();
    let offered = Digest::of(&[&bytes]);
    if let Some(view) = view(connection, *network, window)? {
        let kept = view.digest;
        let differs = Error::Made { network: *network, window, kept, offered };
        return if kept == offered { Ok(()) } else { Err(differs) };
    }
    connection
        .execute(
            "INSERT INTO span (network, hour, hours, made_ms, digest, scorecard, context)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                number(*network),
                int(RECORD, window.last.0)?,
                int(RECORD, window.span.hours())?,
                int(RECORD, made_ms.0)?,
                offered.0,
                pack_bytes(RECORD, &bytes)?,
                pack(RECORD, context)?,
            ],
        )
        .map_err(sql(RECORD))?;
    Ok(())
}

/// A window.
pub fn view(
    connection: &Connection,
    network: Network,
    window: Window,
) -> Result<Option<WindowView>, Error> {
    let found = connection
        .query_row(
            "SELECT scorecard, context, digest, made_ms FROM span WHERE network = ?1 AND hour = ?2 AND hours = ?3",
            (number(network), bound(window.last.0), bound(window.span.hours())),
            |row| {
                let packed: (Vec<u8>, Vec<u8>) = (row.get(0)?, row.get(1)?);
                let (Read(digest), Read(made_ms)) = (row.get(2)?, row.get(3)?);
                Ok((packed, digest, made_ms))
            },
        )
        .optional()
        .map_err(sql(READ))?;
    let Some(((scorecard, context), digest, made_ms)) = found else { return Ok(None) };
    let scorecard_bytes = unpack_bytes(READ, &scorecard)?;
    if Digest::of(&[&scorecard_bytes]) != digest {
        let what = format!("the scorecard of {network} {window} is not {digest}");
        return Err(Error::Corrupt { action: READ, what });
    }
    let context = unpack(READ, &context)?;
    Ok(Some(WindowView { context, digest, made_ms, scorecard_bytes }))
}

/// The newest window of a length; of an hour the newest that has settled.
pub fn newest(
    connection: &Connection,
    network: Network,
    span: Span,
) -> Result<Option<Window>, Error> {
    let query = match span {
        Span::Hour => {
            "SELECT hour FROM known_hour WHERE network = ?1 AND latest IS NOT NULL AND ?2 = 1
             ORDER BY hour DESC LIMIT 1"
        }
        _ => "SELECT hour FROM span WHERE network = ?1 AND hours = ?2 ORDER BY hour DESC LIMIT 1",
    };
    let newest: Option<Read<Hour>> = connection
        .prepare_cached(query)
        .and_then(|mut statement| {
            let asked = (number(network), bound(span.hours()));
            statement.query_row(asked, |row| row.get(0)).optional()
        })
        .map_err(sql(READ))?;
    Ok(newest.map(|Read(last)| Window { last, span }))
}

/// The scorecard of a window, from what is kept unpacked where it is.
pub fn scorecard(
    connection: &Connection,
    cache: &Cache,
    network: Network,
    window: Window,
) -> Result<Option<ScorecardView>, Error> {
    let (number, last, hours) = (number(network), bound(window.last.0), bound(window.span.hours()));
    // Which bytes they are: a digest, or the moment they were written while they are provisional.
    let found: Option<(Option<Read<Digest>>, Option<u32>, i64)> = connection
        .prepare_cached(match window.span {
            Span::Hour => {
                "SELECT r.digest, k.latest, k.updated_ms FROM known_hour k LEFT JOIN revision r
                    ON r.network = k.network AND r.hour = k.hour AND r.revision = k.latest
                 WHERE k.network = ?1 AND k.hour = ?2 AND ?3 = 1
                    AND (k.latest IS NOT NULL OR k.provisional IS NOT NULL)"
            }
            _ => "SELECT digest, 0, 0 FROM span WHERE network = ?1 AND hour = ?2 AND hours = ?3",
        })
        .and_then(|mut statement| {
            let of = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
            statement.query_row((number, last, hours), of).optional()
        })
        .map_err(sql(READ))?;
    let Some((digest, revision, updated_ms)) = found else { return Ok(None) };
    let digest = digest.map(|Read(digest)| digest);
    let stamp = digest.map_or(updated_ms, |Digest(bytes)| {
        i64::from_be_bytes(bytes.first_chunk().copied().unwrap_or_default())
    });
    let scorecard = cache.get_or(Key::Window(network, window), stamp, || {
        read_scorecard(connection, network, window, revision, digest).map(Some)
    })?;
    Ok(scorecard.map(|scorecard| ScorecardView { digest, revision, scorecard }))
}

/// A scorecard, with about how many bytes it takes in memory.
fn read_scorecard(
    connection: &Connection,
    network: Network,
    window: Window,
    revision: Option<u32>,
    digest: Option<Digest>,
) -> Result<(usize, Arc<Scorecard>), Error> {
    let packed: Vec<u8> = connection
        .prepare_cached(match (window.span, revision) {
            (Span::Hour, Some(_)) => {
                "SELECT scorecard FROM revision WHERE network = ?1 AND hour = ?2 AND revision = ?3"
            }
            (Span::Hour, None) => {
                "SELECT provisional FROM known_hour WHERE network = ?1 AND hour = ?2 AND ?3 = 0"
            }
            _ => "SELECT scorecard FROM span WHERE network = ?1 AND hour = ?2 AND hours = ?3",
        })
        .and_then(|mut statement| {
            let which = match window.span {
                Span::Hour => i64::from(revision.unwrap_or_default()),
                _ => bound(window.span.hours()),
            };
            statement.query_row((number(network), bound(window.last.0), which), |row| row.get(0))
        })
        .map_err(sql(READ))?;
    let bytes = unpack_bytes(READ, &packed)?;
    if digest.is_some_and(|digest| Digest::of(&[&bytes]) != digest) {
        let what = format!("the scorecard of {network} {window} is not what was recorded");
        return Err(Error::Corrupt { action: READ, what });
    }
    let scorecard: Arc<Scorecard> = Arc::new(
        serde_json::from_slice(&bytes)
            .map_err(|error| Error::Corrupt { action: READ, what: error.to_string() })?,
    );
    // Text unpacks to about twice its length.
    Ok((bytes.len() * 2, scorecard))
}

/// Tells of each hour listed which windows end with it.
pub fn attach(
    connection: &Connection,
    network: Network,
    rows: &mut [WindowRow],
) -> Result<(), Error> {
    let (Some(newest), Some(oldest)) = (rows.first(), rows.last()) else { return Ok(()) };
    let mut statement = connection
        .prepare_cached(
            "SELECT hour, hours, digest, made_ms FROM span
             WHERE network = ?1 AND hour BETWEEN ?2 AND ?3 ORDER BY hour, hours",
        )
        .map_err(sql(READ))?;
    let (first, last) = (bound(oldest.hour.0), bound(newest.hour.0));
    let found = statement
        .query_map((number(network), first, last), |row| {
            let (Read(hour), Unsigned(hours)) = (row.get(0)?, row.get(1)?);
            let (Read(digest), Read(made_ms)) = (row.get(2)?, row.get(3)?);
            Ok((hour, hours, digest, made_ms))
        })
        .map_err(sql(READ))?;
    let mut spans: BTreeMap<Hour, Vec<SpanRow>> = BTreeMap::new();
    for row in found {
        let (hour, hours, digest, made_ms): (Hour, u64, _, _) = row.map_err(sql(READ))?;
        let known = Span::ALL.iter().copied().find(|span| span.hours() == hours);
        let unknown = || format!("a window of {hours} hours that ends with {hour}");
        let span = known.ok_or_else(|| Error::Corrupt { action: READ, what: unknown() })?;
        let window = Window { last: hour, span };
        spans.entry(hour).or_default().push(SpanRow { digest, made_ms, window });
    }
    for row in rows {
        row.spans = spans.remove(&row.hour).unwrap_or_default();
    }
    Ok(())
}

/// The windows of one length that end within `hours`, the newest `limit` of them, first to last.
pub fn list(
    connection: &Connection,
    network: Network,
    length: Span,
    hours: &std::ops::RangeInclusive<Hour>,
    limit: usize,
) -> Result<Vec<SpanRow>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT hour, digest, made_ms FROM span
             WHERE network = ?1 AND hours = ?2 AND hour BETWEEN ?3 AND ?4 ORDER BY hour DESC LIMIT ?5",
        )
        .map_err(sql(READ))?;
    let (first, last) = (bound(hours.start().0), bound(hours.end().0));
    let limit = Page::first(limit).rows();
    let values = (number(network), bound(length.hours()), first, last, row_count(limit));
    let found = statement
        .query_map(values, |row| {
            let (Read(last), Read(digest), Read(made_ms)) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(SpanRow { digest, made_ms, window: Window { last, span: length } })
        })
        .map_err(sql(READ))?;
    let mut rows: Vec<SpanRow> = found.collect::<Result<_, _>>().map_err(sql(READ))?;
    rows.reverse();
    Ok(rows)
}

/// The results of a window that pass the filter.
pub fn scores(
    connection: &Connection,
    cache: &Cache,
    network: Network,
    window: Window,
    filter: &ScoreFilter,
    page: &Page,
) -> Result<Paged<ScoreRow>, Error> {
    let after = match &page.after {
        None => None,
        Some(Cursor::Score(after, class)) => Some((party(*after), class_text(class.as_ref()))),
        Some(_) => return Err(Error::ForeignCursor { list: "scores" }),
    };
    let Some(view) = scorecard(connection, cache, network, window)? else {
        return Ok(Paged { next: None, rows: Vec::new() });
    };
    let place = |scored: &Scored| {
        (party(named(scored.operator, scored.signer)), class_text(scored.class.as_ref()))
    };
    let wanted = view.scorecard.results.iter().filter(|scored| passes(filter, scored));
    let placed: BTreeMap<_, &Scored> = wanted.map(|scored| (place(scored), scored)).collect();
    let behind = placed.into_iter().filter(|(place, _)| after.as_ref().is_none_or(|it| place > it));
    let limit = page.rows();
    let row = |(_, scored): (_, &Scored)| {
        let scored = scored.clone();
        ScoreRow { revision: Some(0), scored, window }
    };
    let rows = behind.map(row).take(limit + 1).collect();
    Ok(Paged::cut(rows, limit, |last: &ScoreRow| {
        let scored = &last.scored;
        Cursor::Score(named(scored.operator, scored.signer), scored.class.clone())
    }))
}

fn passes(filter: &ScoreFilter, scored: &Scored) -> bool {
    let class = scored.class.as_ref();
    let is = |wanted: bool, is_it: bool| !wanted || is_it;
    let pipeline = class.and_then(|class| class.pipeline.as_ref());
    let model = class.and_then(|class| class.model.as_ref());
    filter.grade.is_none_or(|grade| grade == scored.grade)
        && filter.grade_min.is_none_or(|grade| scored.grade <= grade)
        && is(filter.operator.is_some(), filter.operator == scored.operator)
        && is(filter.workload.is_some(), filter.workload == class.map(|class| class.workload))
        && is(filter.pipeline.is_some(), filter.pipeline.as_ref() == pipeline)
        && is(filter.model.is_some(), filter.model.as_ref() == model)
        && filter.overall.is_none_or(|overall| overall == class.is_none())
}

/// Marks an hour as one whose windows are still to be made.
pub fn unroll(
    connection: &Connection,
    network: Network,
    hour: Hour,
    settled_ms: events::unit::UnixMillis,
) -> Result<(), Error> {
    connection
        .prepare_cached("UPDATE agenda SET unrolled_ms = ?3 WHERE network = ?1 AND hour = ?2")
        .map_err(sql(RECORD))?
        .execute(params![number(network), int(RECORD, hour.0)?, int(RECORD, settled_ms.0)?])
        .map_err(sql(RECORD))?;
    Ok(())
}

/// Marks hours as ones whose windows are made, or are not to be.
pub fn rolled(connection: &Connection, network: Network, hours: &[Hour]) -> Result<(), Error> {
    let mut update = connection
        .prepare_cached("UPDATE agenda SET unrolled_ms = NULL WHERE network = ?1 AND hour = ?2")
        .map_err(sql(RECORD_ROLLED))?;
    for hour in hours {
        update.execute((number(network), bound(hour.0))).map_err(sql(RECORD_ROLLED))?;
    }
    Ok(())
}

/// The hours whose windows are still to be made.
pub fn unrolled(connection: &Connection, network: Network) -> Result<Vec<UnrolledHour>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT hour, unrolled_ms FROM agenda
             WHERE network = ?1 AND unrolled_ms IS NOT NULL ORDER BY hour",
        )
        .map_err(sql(READ))?;
    let rows = statement
        .query_map([number(network)], |row| {
            let (Read(hour), Read(settled_ms)) = (row.get(0)?, row.get(1)?);
            Ok(UnrolledHour { hour, settled_ms })
        })
        .map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ))
}
