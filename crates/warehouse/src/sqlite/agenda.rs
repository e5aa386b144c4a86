//! Which hours are still to be looked at: written with what touched them, so that a stop forgets none.

use events::event::Network;
use events::unit::UnixMillis;
use rusqlite::{Connection, params};
use sla::window::Hour;

use crate::Error;
use crate::record::{Touch, Touched, TouchedHour};
use crate::sqlite::column::{Unsigned, bound, int, network as number, sql};

pub const TOUCH: &str = "mark hours to be looked at";
pub const LOOK: &str = "mark an hour as looked at";
const READ: &str = "read the hours to be looked at";

/// Marks hours as touched; one that is to be looked at at once stays so until it was.
pub fn touch(connection: &Connection, touches: &[Touch]) -> Result<(), Error> {
    let mut one = connection
        .prepare_cached(
            "INSERT INTO agenda (network, hour, touched, at_once, looked_ms) VALUES (?1, ?2, 1, ?3, NULL)
             ON CONFLICT (network, hour) DO UPDATE SET touched = 1, at_once = max(at_once, ?3)
                WHERE touched = 0 OR at_once < ?3",
        )
        .map_err(sql(TOUCH))?;
    let mut known = connection
        .prepare_cached(
            "UPDATE agenda SET touched = 1, at_once = max(at_once, ?4)
             WHERE network = ?1 AND hour BETWEEN ?2 AND ?3 AND (touched = 0 OR at_once < ?4)",
        )
        .map_err(sql(TOUCH))?;
    for Touch { at_once, hours, network } in touches {
        match hours {
            Touched::Hour(hour) => {
                one.execute(params![number(*network), int(TOUCH, hour.0)?, at_once])
            }
            Touched::Known(hours) => {
                let (first, last) = (bound(hours.start().0), bound(hours.end().0));
                known.execute(params![number(*network), first, last, at_once])
            }
        }
        .map_err(sql(TOUCH))?;
    }
    Ok(())
}

/// Marks an hour as looked at.
pub fn look(
    connection: &Connection,
    network: Network,
    hour: Hour,
    now: UnixMillis,
) -> Result<(), Error> {
    connection
        .prepare_cached(
            "INSERT INTO agenda (network, hour, touched, at_once, looked_ms) VALUES (?1, ?2, 0, 0, ?3)
             ON CONFLICT (network, hour) DO UPDATE SET touched = 0, at_once = 0, looked_ms = ?3",
        )
        .map_err(sql(LOOK))?
        .execute(params![number(network), int(LOOK, hour.0)?, int(LOOK, now.0)?])
        .map_err(sql(LOOK))?;
    Ok(())
}

/// The hours that were touched since they were last looked at, oldest first.
pub fn touched(connection: &Connection, network: Network) -> Result<Vec<TouchedHour>, Error> {
    let mut statement = connection
        .prepare_cached(
            "SELECT hour, looked_ms, at_once FROM agenda WHERE network = ?1 AND touched = 1 ORDER BY hour",
        )
        .map_err(sql(READ))?;
    let read = |row: &rusqlite::Row<'_>| {
        let Unsigned(hour) = row.get(0)?;
        let looked: Option<Unsigned> = row.get(1)?;
        let looked_ms = looked.map(|Unsigned(at)| UnixMillis(at));
        Ok(TouchedHour { at_once: row.get(2)?, hour: Hour(hour), looked_ms })
    };
    let rows = statement.query_map([number(network)], read).map_err(sql(READ))?;
    rows.collect::<Result<_, _>>().map_err(sql(READ))
}
