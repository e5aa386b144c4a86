//! A rollup as it is stored and read: names once, numbers by column, zeros left out.
//!
//! The rows of a chunk are sorted, so equal rollups have equal chunks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::column::Column;
use super::series::SeriesRow;
use super::{Dimension, Minute, Rollup};
use crate::tally::cell::Measure;

/// The names of a dimension, and which of them each row has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// By row, the place of its name.
    pub codes: Vec<u32>,
    /// The names; null where there is none.
    pub names: Vec<Option<String>>,
}

/// What one column holds: the rows that have it, ascending, and their sums.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Numbers {
    /// The rows.
    pub rows: Vec<u32>,
    /// Their sums.
    pub sums: Vec<u64>,
}

/// The buckets of one measure: of which row, which, and how many.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Buckets {
    /// The buckets.
    pub buckets: Vec<u16>,
    /// How many values each holds.
    pub counts: Vec<u64>,
    /// The rows, ascending.
    pub rows: Vec<u32>,
}

/// Rows of sums by column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The sums.
    pub columns: BTreeMap<Column, Numbers>,
    /// The names.
    pub dimensions: BTreeMap<Dimension, Names>,
    /// How what was measured is spread.
    pub histograms: BTreeMap<Measure, Buckets>,
    /// By row, the minute it begins with.
    pub minutes: Vec<Minute>,
}

impl Chunk {
    /// The chunk of a rollup.
    pub fn of(rollup: &Rollup) -> Self {
        let mut builder = Builder::default();
        for (key, minutes) in &rollup.rows {
            for (minute, sums) in minutes {
                let name = |dimension| key.name(dimension).map(|name| name.into_owned());
                builder.begin(*minute, name);
                for (column, sum) in &sums.columns {
                    builder.sum(*column, *sum);
                }
                for (measure, histogram) in &sums.histograms {
                    builder.spread(*measure, histogram.0.iter().map(|(at, count)| (*at, *count)));
                }
            }
        }
        builder.chunk
    }

    /// The chunk of an answer whose rows are told apart by every dimension, in [`Dimension::ALL`]'s order.
    pub fn of_series(rows: &[SeriesRow]) -> Self {
        let mut builder = Builder::default();
        for row in rows {
            let place = |dimension| Dimension::ALL.iter().position(|one| *one == dimension);
            let name = |dimension| {
                let name = place(dimension).and_then(|at| row.names.get(at))?.as_deref();
                name.map(str::to_owned)
            };
            builder.begin(row.minute.unwrap_or_default(), name);
            for (column, sum) in &row.sums.columns {
                builder.sum(*column, *sum);
            }
            for (measure, histogram) in &row.sums.histograms {
                builder.spread(*measure, histogram.0.iter().map(|(at, count)| (*at, *count)));
            }
        }
        builder.chunk
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.minutes.len()
    }

    /// About how many bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        let names = |names: &Names| {
            let text = names.names.iter().flatten().map(|name| name.len() + 24).sum::<usize>();
            text + names.codes.len() * 4
        };
        let numbers: usize = self.columns.values().map(|numbers| numbers.rows.len() * 12).sum();
        let buckets: usize = self.histograms.values().map(|one| one.rows.len() * 14).sum();
        self.dimensions.values().map(names).sum::<usize>() + numbers + buckets + self.rows() * 8
    }

    /// Whether every column fits the rows there are; what was read from a damaged file may not.
    pub fn is_sound(&self) -> bool {
        let rows = self.rows();
        let within = |at: &[u32], length: usize| {
            at.len() == length && at.last().is_none_or(|last| (*last as usize) < rows)
        };
        let names = |names: &Names| {
            let known = |code: &u32| (*code as usize) < names.names.len();
            names.codes.len() == rows && names.codes.iter().all(known)
        };
        Dimension::ALL.iter().all(|dimension| self.dimensions.get(dimension).is_some_and(names))
            && self.columns.values().all(|one| within(&one.rows, one.sums.len()))
            && self.histograms.values().all(|one| {
                within(&one.rows, one.counts.len()) && one.buckets.len() == one.counts.len()
            })
    }
}

/// A chunk in the making, row by row.
#[derive(Default)]
struct Builder {
    chunk: Chunk,
    known: BTreeMap<Dimension, BTreeMap<Option<String>, u32>>,
    row: u32,
}

impl Builder {
    /// Begins a row.
    fn begin(&mut self, minute: Minute, name: impl Fn(Dimension) -> Option<String>) {
        self.row = count(self.chunk.minutes.len());
        self.chunk.minutes.push(minute);
        for dimension in Dimension::ALL {
            let names = self.chunk.dimensions.entry(*dimension).or_default();
            let known = self.known.entry(*dimension).or_default();
            let name = name(*dimension);
            let code = match known.get(&name) {
                Some(code) => *code,
                None => {
                    let code = count(names.names.len());
                    names.names.push(name.clone());
                    known.insert(name, code);
                    code
                }
            };
            names.codes.push(code);
        }
    }

    fn sum(&mut self, column: Column, sum: u64) {
        let numbers = self.chunk.columns.entry(column).or_default();
        numbers.rows.push(self.row);
        numbers.sums.push(sum);
    }

    fn spread(&mut self, measure: Measure, buckets: impl Iterator<Item = (u16, u64)>) {
        let spread = self.chunk.histograms.entry(measure).or_default();
        for (bucket, count) in buckets {
            spread.rows.push(self.row);
            spread.buckets.push(bucket);
            spread.counts.push(count);
        }
    }
}

/// A count of rows or names; an hour has fewer than 2^32 of either, because its events have.
fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
