//! The results of an hour's latest scorecard, one row each. It reads from them only what it filters by.

use events::event::Network;
use rusqlite::{Connection, params};
use sla::scorecard::Scored;
use sla::window::{Hour, Window};

use crate::Error;
use crate::page::{Cursor, Page, Paged};
use crate::sqlite::column::{bound, class_text, int, named, network as number, party, rows, sql};
use crate::sqlite::pack::json;
use crate::view::{ScoreFilter, ScoreRow};

const RECORD: &str = "record scores";
const READ: &str = "read scores";

/// Puts `results` in place of those of the hour.
pub fn replace(
    connection: &Connection,
    network: Network,
    hour: Hour,
    results: &[Scored],
    is_settled: bool,
) -> Result<(), Error> {
    let hour = int(RECORD, hour.0)?;
    connection
        .prepare_cached("DELETE FROM score WHERE network = ?1 AND hour = ?2")
        .and_then(|mut delete| delete.execute((number(network), hour)))
        .map_err(sql(RECORD))?;
    let mut insert = connection
        .prepare_cached(
            "INSERT INTO score (network, hour, party, class, workload, pipeline, model, grade, is_settled, scored)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )
        .map_err(sql(RECORD))?;
    for scored in results {
        let class = scored.class.as_ref();
        let pipeline = class.and_then(|class| class.pipeline.as_ref());
        let model = class.and_then(|class| class.model.as_ref());
        let body = String::from_utf8(json(RECORD, scored)?);
        insert
            .execute(params![
                number(network),
                hour,
                party(named(scored.operator, scored.signer)),
                class_text(class),
                class.map(|class| class.workload.as_str()),
                pipeline.map(|name| name.as_str()),
                model.map(|name| name.as_str()),
                scored.grade.as_str(),
                is_settled,
                body.expect("serde_json writes UTF-8"),
            ])
            .map_err(sql(RECORD))?;
    }
    Ok(())
}

/// The results of an hour that pass the filter.
pub fn select(
    connection: &Connection,
    network: Network,
    hour: Hour,
    filter: &ScoreFilter,
    page: &Page,
) -> Result<Paged<ScoreRow>, Error> {
    let (after_party, after_class) = match &page.after {
        // Every party's bytes are longer than none.
        None => (Vec::new(), String::new()),
        Some(Cursor::Score(after, class)) => (party(*after), class_text(class.as_ref())),
        Some(_) => return Err(Error::ForeignCursor { list: "scores" }),
    };
    let limit = page.rows();
    let mut statement = connection
        .prepare_cached(
            "SELECT s.scored, k.latest
             FROM score s CROSS JOIN known_hour k ON k.network = s.network AND k.hour = s.hour
             WHERE s.network = ?1 AND s.hour = ?2 AND (s.party, s.class) > (?3, ?4)
                AND (?5 IS NULL OR s.grade = ?5) AND (?6 IS NULL OR s.party = ?6)
                AND (?7 IS NULL OR s.workload = ?7) AND (?8 IS NULL OR s.pipeline = ?8)
                AND (?9 IS NULL OR s.model = ?9) AND (?10 IS NULL OR (s.class = '') = ?10)
                AND (?12 IS NULL OR s.grade <= ?12)
             ORDER BY s.party, s.class LIMIT ?11",
        )
        .map_err(sql(READ))?;
    let values = params![
        number(network),
        bound(hour.0),
        after_party,
        after_class,
        filter.grade.map(|grade| grade.as_str()),
        filter.operator.map(|operator| party(named(Some(operator), None))),
        filter.workload.map(|workload| workload.as_str()),
        filter.pipeline.as_ref().map(|name| name.as_str()),
        filter.model.as_ref().map(|name| name.as_str()),
        filter.overall,
        rows(limit + 1),
        // The words of the grades stand in the order of the grades.
        filter.grade_min.map(|grade| grade.as_str()),
    ];
    let rows = statement
        .query_map(values, |row| Ok((row.get::<_, String>(0)?, row.get(1)?)))
        .map_err(sql(READ))?;
    let rows = rows.map(|row| {
        let (body, revision) = row.map_err(sql(READ))?;
        let scored = parse(&body)?;
        Ok(ScoreRow { revision, scored, window: Window::hour(hour) })
    });
    let cursor = |last: &ScoreRow| {
        let scored = &last.scored;
        Cursor::Score(named(scored.operator, scored.signer), scored.class.clone())
    };
    Ok(Paged::cut(rows.collect::<Result<_, Error>>()?, limit, cursor))
}

/// Reads a result.
pub fn parse(body: &str) -> Result<Scored, Error> {
    serde_json::from_str(body)
        .map_err(|error| Error::Corrupt { action: READ, what: format!("a result: {error}") })
}
