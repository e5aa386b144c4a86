//! Refusals one by one: the last of each publisher. What was counted is counted elsewhere and stays as it is.

use std::collections::BTreeSet;

use events::batch::Position;
use events::event::Network;
use events::identity::PublisherKey;
use rusqlite::{Connection, params};
use sla::admit::Note;
use sla::window::Hour;

use crate::Error;
use crate::page::Page;
use crate::record::{NOTES_MAX, NOTES_OF_KEY_MAX, RefusalNote};
use crate::sqlite::column::{Read, Text, Unsigned, int, network as number, rows, sql};
use crate::sqlite::publishers::source_number;
use crate::view::Source;

pub const RECORD: &str = "note refusals";
pub const READ: &str = "read notes of refusals";

/// Where a note stands that is about all of its batch.
const WHOLE_BATCH: i64 = -1;

/// Adds notes, and lets go of the oldest ones where there are too many.
pub fn record(connection: &Connection, notes: &[RefusalNote]) -> Result<(), Error> {
    let mut insert = connection
        .prepare_cached(
            "INSERT OR REPLACE INTO refusal_note
                (network, key, source, epoch, seq, place, defect, hour, at_ms, event, detail)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )
        .map_err(sql(RECORD))?;
    let mut touched = BTreeSet::new();
    for note in notes {
        insert
            .execute(params![
                number(note.network),
                note.position.key.0,
                source_number(note.source),
                int(RECORD, note.position.epoch)?,
                int(RECORD, note.position.seq)?,
                note.index.map_or(WHOLE_BATCH, i64::from),
                note.defect.code(),
                int(RECORD, note.hour.0)?,
                int(RECORD, note.at_ms.0)?,
                note.event.as_ref().map(|event| event.as_str()),
                note.detail,
            ])
            .map_err(sql(RECORD))?;
        touched.insert((note.network, note.position.key));
    }
    for (network, key) in touched {
        bound_key(connection, network, &key)?;
    }
    if notes.is_empty() { Ok(()) } else { bound_all(connection) }
}

/// Puts the notes of a settled hour in place of those of its revision before.
pub fn replace_settled(
    connection: &Connection,
    network: Network,
    hour: Hour,
    notes: &[Note],
) -> Result<(), Error> {
    let source = Source::Settle;
    connection
        .prepare_cached("DELETE FROM refusal_note WHERE network = ?1 AND source = ?2 AND hour = ?3")
        .map_err(sql(RECORD))?
        .execute((number(network), source_number(source), int(RECORD, hour.0)?))
        .map_err(sql(RECORD))?;
    let noted = |note: &Note| RefusalNote {
        at_ms: note.sealed_ms,
        defect: note.defect,
        detail: note.detail.clone(),
        event: note.event.clone(),
        hour,
        index: note.index,
        network,
        position: note.position,
        source,
    };
    record(connection, &notes.iter().map(noted).collect::<Vec<_>>())
}

fn bound_key(connection: &Connection, network: Network, key: &PublisherKey) -> Result<(), Error> {
    connection
        .prepare_cached(
            "DELETE FROM refusal_note WHERE network = ?1 AND key = ?2 AND at_ms < (
                SELECT at_ms FROM refusal_note WHERE network = ?1 AND key = ?2
                ORDER BY at_ms DESC LIMIT 1 OFFSET ?3)",
        )
        .map_err(sql(RECORD))?
        .execute((number(network), key.0, rows(NOTES_OF_KEY_MAX - 1)))
        .map_err(sql(RECORD))?;
    Ok(())
}

fn bound_all(connection: &Connection) -> Result<(), Error> {
    connection
        .prepare_cached(
            "DELETE FROM refusal_note WHERE at_ms < (
                SELECT at_ms FROM refusal_note ORDER BY at_ms DESC LIMIT 1 OFFSET ?1)",
        )
        .map_err(sql(RECORD))?
        .execute([rows(NOTES_MAX - 1)])
        .map_err(sql(RECORD))?;
    Ok(())
}

/// The last notes of some publishers, newest first.
pub fn select(
    connection: &Connection,
    network: Network,
    keys: &[PublisherKey],
    limit: usize,
) -> Result<Vec<RefusalNote>, Error> {
    let limit = Page::first(limit).rows();
    let mut statement = connection
        .prepare_cached(
            "SELECT source, epoch, seq, place, defect, hour, at_ms, event, detail FROM refusal_note
             WHERE network = ?1 AND key = ?2 ORDER BY at_ms DESC, epoch DESC, seq DESC, place DESC LIMIT ?3",
        )
        .map_err(sql(READ))?;
    let mut found: Vec<RefusalNote> = Vec::new();
    for key in keys {
        let notes = statement
            .query_map((number(network), key.0, rows(limit)), |row| {
                let (Unsigned(epoch), Unsigned(seq)) = (row.get(1)?, row.get(2)?);
                let place: i64 = row.get(3)?;
                Ok(RefusalNote {
                    at_ms: row.get(6).map(|Read(at)| at)?,
                    defect: row.get(4).map(|Read(defect)| defect)?,
                    detail: row.get(8)?,
                    event: row.get::<_, Option<Text<_>>>(7)?.map(|Text(event)| event),
                    hour: row.get(5).map(|Read(hour)| hour)?,
                    index: u16::try_from(place).ok(),
                    network,
                    position: Position { key: *key, epoch, seq },
                    source: if row.get::<_, i64>(0)? == 1 {
                        Source::Intake
                    } else {
                        Source::Settle
                    },
                })
            })
            .map_err(sql(READ))?;
        for note in notes {
            found.push(note.map_err(sql(READ))?);
        }
        found.sort_by_key(|note| {
            std::cmp::Reverse((note.at_ms, note.position, note.index, note.defect))
        });
        found.truncate(limit);
    }
    Ok(found)
}
