//! Which kinds of rows are published and which columns each has: the format that docs/dataset.md explains.
//!
//! A column is only ever added, at the end of its kind. Nothing is counted here that `sla` did not count.

mod cells;
mod jobs;
mod results;
mod sums;

use dataset::table::{Column, INTEGER_MAX, Kind, Value};
use sla::tally::cell::WorkClass;
use sla::tally::outcome::Counts;
use sla::window::{Hour, Window};

pub use cells::of_hour as counts_of_hour;
pub use jobs::of_job;
pub use results::of_scorecard;
pub use sums::{of_sums, of_supply, question as sums_of};

/// One kind of rows.
#[derive(Debug)]
pub struct Rows {
    /// Its columns, in their order: what it shares with other kinds, and what is its own.
    pub columns: &'static [Columns],
    /// Its name.
    pub name: &'static str,
}

impl Rows {
    /// Its columns as a table wants them.
    pub fn columns(&self) -> Vec<Column> {
        self.columns
            .iter()
            .copied()
            .flatten()
            .map(|(name, kind)| Column::new(*name, *kind))
            .collect()
    }
}

/// Columns that belong together. Those that several kinds share stand below, each beside what fills it.
type Columns = &'static [(&'static str, Kind)];

/// Every kind, by name.
pub const ALL: &[&Rows] = &[
    &results::AGREEMENTS,
    &cells::CELLS,
    &results::CLUSTERS,
    &results::COMPONENTS,
    &cells::DEMAND,
    &cells::FAILURES,
    &sums::GPUS,
    &cells::HISTOGRAMS,
    &results::INDICATORS,
    &jobs::JOBS,
    &cells::LINKS,
    &sums::OFFERS,
    &cells::OUTCOMES,
    &cells::REFUSALS,
    &results::SCORES,
    &sums::SUMS,
    &results::WORKLOADS,
];

/// Where rows go: the kind and a value for each of its columns.
pub type Put<'a> = dyn FnMut(&'static Rows, Vec<Value>) -> anyhow::Result<()> + 'a;

/// A settled hour, as every row of it names it.
#[derive(Debug, Clone, Copy)]
pub struct At {
    /// The hour.
    pub hour: Hour,
    /// Its revision.
    pub revision: u32,
}

/// Which hour.
const HOUR: Columns =
    &[("hour", Kind::Text), ("start_ms", Kind::Integer), ("revision", Kind::Integer)];

impl At {
    /// As [`HOUR`].
    fn values(self) -> Vec<Value> {
        vec![text(&self.hour), self.hour.start().0.into(), self.revision.into()]
    }
}

/// Which window.
const WINDOW: Columns = &[
    ("window", Kind::Text),
    ("start_ms", Kind::Integer),
    ("end_ms", Kind::Integer),
    ("revision", Kind::Integer),
];

/// As [`WINDOW`].
fn of_window(window: Window, revision: u32) -> Vec<Value> {
    let first = window.hours().next().unwrap_or(window.last);
    vec![text(&window), first.start().0.into(), window.last.end().0.into(), revision.into()]
}

/// Which kind of work.
const CLASS: Columns = &[("workload", Kind::Text), ("pipeline", Kind::Text), ("model", Kind::Text)];

/// As [`CLASS`]; all unknown where it is about all work.
fn of_class(class: Option<&WorkClass>) -> Vec<Value> {
    vec![
        text_of(class.map(|class| class.workload)),
        text_of(class.and_then(|class| class.pipeline.as_ref())),
        text_of(class.and_then(|class| class.model.as_ref())),
    ]
}

/// How many obligations came to what.
const COUNTS: Columns = &[
    ("good", Kind::Integer),
    ("bad", Kind::Integer),
    ("disputed", Kind::Integer),
    ("missing", Kind::Integer),
    ("declined", Kind::Integer),
    ("excused", Kind::Json),
];

/// As [`COUNTS`].
fn of_counts(counts: &Counts) -> Vec<Value> {
    vec![
        counts.good.into(),
        counts.bad.into(),
        counts.disputed.into(),
        counts.missing.into(),
        counts.declined.into(),
        json(&counts.excused),
    ]
}

fn text(value: &impl ToString) -> Value {
    Value::Text(value.to_string())
}

fn text_of(value: Option<impl ToString>) -> Value {
    value.map_or(Value::Unknown, |value| text(&value))
}

/// Lists and maps, as the canonical JSON that scorecards are made of.
fn json(value: &impl serde::Serialize) -> Value {
    let bytes = sla::scorecard::canonical_bytes(value);
    Value::Text(String::from_utf8(bytes).expect("canonical JSON is UTF-8"))
}

/// A number that may be larger than readers keep exactly: then it cannot be told.
fn bounded(value: u64) -> Value {
    if value <= INTEGER_MAX { value.into() } else { Value::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tables of the documentation: under a heading with the kind's name, a row a column.
    fn documented() -> Vec<(String, Vec<(String, String)>)> {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/dataset.md");
        let page = std::fs::read_to_string(page).unwrap();
        let mut kinds: Vec<(String, Vec<(String, String)>)> = Vec::new();
        for line in page.lines() {
            if let Some(name) = line.strip_prefix("### `") {
                kinds.push((name.trim_end_matches('`').to_owned(), Vec::new()));
            } else if let (Some(row), Some((_, columns))) =
                (line.strip_prefix("| `"), kinds.last_mut())
            {
                let mut cells = row.split('|').map(str::trim);
                let name = cells.next().unwrap().trim_end_matches('`');
                let kind = cells.next().unwrap();
                assert!(cells.filter(|cell| !cell.is_empty()).count() >= 2, "{line}");
                columns.push((name.to_owned(), kind.to_owned()));
            }
        }
        kinds
    }

    #[test]
    fn every_column_is_documented() {
        let written = ALL.iter().map(|rows| {
            let columns = rows.columns.iter().copied().flatten();
            let columns = columns.map(|(name, kind)| ((*name).to_owned(), kind.to_string()));
            (rows.name.to_owned(), columns.collect::<Vec<_>>())
        });
        for (written, documented) in written.zip(documented()) {
            assert_eq!(written, documented, "docs/dataset.md, left is what is written");
        }
        assert_eq!(documented().len(), ALL.len());
    }

    #[test]
    fn kinds_are_in_order_and_make_tables() {
        assert!(ALL.is_sorted_by(|one, other| one.name < other.name));
        for rows in ALL {
            dataset::table::Table::new(rows.columns()).unwrap();
            rows.name.parse::<dataset::name::Kind>().unwrap();
        }
    }
}
