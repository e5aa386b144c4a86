//! What the counts of an hour say: cells with what came of obligations, why work failed and how measures are spread;
//! demand; which names belong together; and what was refused.
//!
//! Rows of one cell share the number `cell`, its place in the hour's counts, which another revision may change.

use dataset::table::{INTEGER_MAX, Kind, Value};
use sla::admit::Refused;
use sla::histogram::bucket_floor;
use sla::tally::Tally;
use sla::tally::cell::{Cell, CellKey, Measure};

use super::{At, Put, Rows, bounded, json, of_class, text, text_of};

/// What was counted together: a row a cell.
pub const CELLS: Rows = Rows {
    columns: &[
        ("hour", Kind::Text),
        ("start_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("cell", Kind::Integer),
        ("operator", Kind::Text),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("signer", Kind::Text),
        ("url", Kind::Text),
        ("node", Kind::Text),
        ("block", Kind::Integer),
        ("is_collected", Kind::Boolean),
        ("gateway", Kind::Text),
        ("hardware", Kind::Text),
        ("is_warm", Kind::Boolean),
        ("origin", Kind::Text),
        ("region", Kind::Text),
        ("reporters", Kind::Json),
        ("tenures", Kind::Integer),
        ("contradictions", Kind::Json),
    ],
    name: "cells",
};

/// What was asked for.
pub const DEMAND: Rows = Rows {
    columns: &[
        ("hour", Kind::Text),
        ("start_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("reporter", Kind::Text),
        ("gateway", Kind::Text),
        ("origin", Kind::Text),
        ("region", Kind::Text),
        ("jobs", Kind::Integer),
        ("served_ms", Kind::Integer),
        ("unserved", Kind::Integer),
    ],
    name: "demand",
};

/// Why tenures failed or were left, by cell.
pub const FAILURES: Rows = Rows {
    columns: &[
        ("hour", Kind::Text),
        ("start_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("cell", Kind::Integer),
        ("operator", Kind::Text),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("reason", Kind::Text),
        ("count", Kind::Integer),
    ],
    name: "failures",
};

/// How what is measured is spread, by cell: a row a bucket.
pub const HISTOGRAMS: Rows = Rows {
    columns: &[
        ("hour", Kind::Text),
        ("start_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("cell", Kind::Integer),
        ("operator", Kind::Text),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("measure", Kind::Text),
        ("is_exact", Kind::Boolean),
        ("at_least", Kind::Integer),
        ("below", Kind::Integer),
        ("count", Kind::Integer),
    ],
    name: "histograms",
};

/// Who said which names belong together.
pub const LINKS: Rows = Rows {
    columns: &[
        ("hour", Kind::Text),
        ("start_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("of", Kind::Text),
        ("tie", Kind::Text),
        ("to", Kind::Text),
        ("teller", Kind::Text),
        ("count", Kind::Integer),
    ],
    name: "links",
};

/// What came of obligations, by cell.
pub const OUTCOMES: Rows = Rows {
    columns: &[
        ("hour", Kind::Text),
        ("start_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("cell", Kind::Integer),
        ("operator", Kind::Text),
        ("workload", Kind::Text),
        ("pipeline", Kind::Text),
        ("model", Kind::Text),
        ("obligation", Kind::Text),
        ("good", Kind::Integer),
        ("bad", Kind::Integer),
        ("disputed", Kind::Integer),
        ("missing", Kind::Integer),
        ("declined", Kind::Integer),
        ("excused", Kind::Json),
    ],
    name: "outcomes",
};

/// What was refused when the hour was settled.
pub const REFUSALS: Rows = Rows {
    columns: &[
        ("hour", Kind::Text),
        ("start_ms", Kind::Integer),
        ("revision", Kind::Integer),
        ("publisher", Kind::Text),
        ("code", Kind::Text),
        ("count", Kind::Integer),
    ],
    name: "refusals",
};

/// The rows of an hour's counts, and of what was refused in it.
pub fn of_hour(at: At, tally: &Tally, refused: &Refused, put: &mut Put<'_>) -> anyhow::Result<()> {
    for ((key, cell), number) in tally.cells.iter().zip(0_u64..) {
        of_cell(at, number, key, cell, put)?;
    }
    for (key, demand) in &tally.demand {
        let values = vec![
            text(&key.reporter),
            text_of(key.gateway.as_ref()),
            text(&key.origin),
            text_of(key.region.as_ref()),
            demand.jobs.into(),
            demand.served_ms.into(),
            demand.unserved.into(),
        ];
        put(&DEMAND, [at.values(), of_class(Some(&key.class)), values].concat())?;
    }
    for (link, count) in &tally.links {
        let values = vec![
            text(&link.of),
            text(&link.tie),
            text(&link.to),
            text(&link.teller),
            (*count).into(),
        ];
        put(&LINKS, [at.values(), values].concat())?;
    }
    for ((publisher, defect), count) in refused {
        let values = vec![text(publisher), text(&defect.code()), (*count).into()];
        put(&REFUSALS, [at.values(), values].concat())?;
    }
    Ok(())
}

fn of_cell(
    at: At,
    number: u64,
    key: &CellKey,
    cell: &Cell,
    put: &mut Put<'_>,
) -> anyhow::Result<()> {
    let which = vec![number.into(), text_of(key.subject.operator)];
    let which = [at.values(), which, of_class(Some(&key.class))].concat();
    put(&CELLS, [which.clone(), cell_values(key, cell)].concat())?;
    for (obligation, counts) in &cell.obligations {
        let values = vec![
            text(obligation),
            counts.good.into(),
            counts.bad.into(),
            counts.disputed.into(),
            counts.missing.into(),
            counts.declined.into(),
            json(&counts.excused),
        ];
        put(&OUTCOMES, [which.clone(), values].concat())?;
    }
    for (reason, count) in &cell.failures {
        put(&FAILURES, [which.clone(), vec![text(reason), (*count).into()]].concat())?;
    }
    for (measure, histogram) in &cell.measured {
        for (bucket, count) in &histogram.0 {
            let below = bucket.checked_add(1).map_or(u64::MAX, bucket_floor);
            let values = spread(*measure, false, bucket_floor(*bucket), below, *count);
            put(&HISTOGRAMS, [which.clone(), values].concat())?;
        }
    }
    for (measure, values) in &cell.values {
        for (value, count) in values {
            let values = spread(*measure, true, *value, value.saturating_add(1), *count);
            put(&HISTOGRAMS, [which.clone(), values].concat())?;
        }
    }
    Ok(())
}

fn cell_values(key: &CellKey, cell: &Cell) -> Vec<Value> {
    vec![
        text_of(key.subject.signer),
        text_of(key.subject.url.as_ref()),
        text_of(key.subject.node.as_ref()),
        key.block.into(),
        key.collected.into(),
        text_of(key.gateway.as_ref()),
        text_of(key.hardware.as_ref()),
        key.warm.into(),
        text(&key.origin),
        text_of(key.region.as_ref()),
        json(&key.reporters),
        cell.tenures.into(),
        json(&cell.contradictions),
    ]
}

fn spread(measure: Measure, is_exact: bool, at_least: u64, below: u64, count: u64) -> Vec<Value> {
    vec![
        text(&measure),
        is_exact.into(),
        // What is larger than any integer here is at least the largest one.
        at_least.min(INTEGER_MAX).into(),
        bounded(below),
        count.into(),
    ]
}
