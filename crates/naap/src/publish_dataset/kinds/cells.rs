//! What the counts of an hour say: cells with what came of obligations, why work failed and how measures are spread;
//! demand; which names belong together; and what was refused.
//!
//! Rows of one cell share the number `cell`, its place in the hour's counts, which another revision may change.

use dataset::table::Kind::{Boolean, Integer, Json, Text};
use dataset::table::{INTEGER_MAX, Value};
use sla::admit::Refused;
use sla::histogram::bucket_floor;
use sla::tally::Tally;
use sla::tally::cell::{Cell, CellKey, Measure};

use super::{
    At, CLASS, COUNTS, Columns, HOUR, Put, Rows, bounded, json, of_class, of_counts, text, text_of,
};

/// What was counted together: one row per cell.
pub const CELLS: Rows = Rows {
    columns: &[
        HOUR,
        CELL,
        CLASS,
        &[
            ("signer", Text),
            ("url", Text),
            ("node", Text),
            ("block", Integer),
            ("is_collected", Boolean),
            ("gateway", Text),
            ("hardware", Text),
            ("is_warm", Boolean),
            ("origin", Text),
            ("region", Text),
            ("reporters", Json),
            ("tenures", Integer),
            ("contradictions", Json),
        ],
    ],
    name: "cells",
};

/// What was asked for.
pub const DEMAND: Rows = Rows {
    columns: &[
        HOUR,
        CLASS,
        &[
            ("reporter", Text),
            ("gateway", Text),
            ("origin", Text),
            ("region", Text),
            ("jobs", Integer),
            ("served_ms", Integer),
            ("unserved", Integer),
        ],
    ],
    name: "demand",
};

/// Why tenures failed or were left, by cell.
pub const FAILURES: Rows = Rows {
    columns: &[HOUR, CELL, CLASS, &[("reason", Text), ("count", Integer)]],
    name: "failures",
};

/// How what is measured is spread, by cell: one row per bucket.
pub const HISTOGRAMS: Rows = Rows {
    columns: &[
        HOUR,
        CELL,
        CLASS,
        &[
            ("measure", Text),
            ("is_exact", Boolean),
            ("at_least", Integer),
            ("below", Integer),
            ("count", Integer),
        ],
    ],
    name: "histograms",
};

/// Who said which names belong together.
pub const LINKS: Rows = Rows {
    columns: &[
        HOUR,
        &[("of", Text), ("tie", Text), ("to", Text), ("teller", Text), ("count", Integer)],
    ],
    name: "links",
};

/// What came of obligations, by cell.
pub const OUTCOMES: Rows =
    Rows { columns: &[HOUR, CELL, CLASS, &[("obligation", Text)], COUNTS], name: "outcomes" };

/// What was refused when the hour was settled.
pub const REFUSALS: Rows = Rows {
    columns: &[HOUR, &[("publisher", Text), ("code", Text), ("count", Integer)]],
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

/// Which cell of the hour, and whose.
const CELL: Columns = &[("cell", Integer), ("operator", Text)];

/// As [`CELL`].
fn of_number(number: u64, key: &CellKey) -> Vec<Value> {
    vec![number.into(), text_of(key.subject.operator)]
}

fn of_cell(
    at: At,
    number: u64,
    key: &CellKey,
    cell: &Cell,
    put: &mut Put<'_>,
) -> anyhow::Result<()> {
    let which = [at.values(), of_number(number, key), of_class(Some(&key.class))].concat();
    put(&CELLS, [which.clone(), cell_values(key, cell)].concat())?;
    for (obligation, counts) in &cell.obligations {
        put(&OUTCOMES, [which.clone(), vec![text(obligation)], of_counts(counts)].concat())?;
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
