//! A rollup as it is stored and read: names once, numbers by column, zeros left out. How measured values are spread
//! stands beside it, one [`Spread`] a measure, because few questions ask for it.
//!
//! The rows of a chunk are sorted, so equal rollups have equal chunks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::column::Column;
use super::numbers::Numbers;
use super::series::SeriesRow;
use super::{Dimension, Minute, Rollup, Sums};
use crate::tally::cell::Measure;

/// The names of a dimension, and which of them each row has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    /// By row, the place of its name.
    pub codes: Numbers,
    /// The names; null where there is none.
    pub names: Vec<Option<String>>,
}

/// What one column holds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summed {
    /// The rows that have a sum, ascending; none where every row has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<Numbers>,
    /// Their sums.
    pub sums: Numbers,
}

impl Summed {
    /// The sum of a row, if it has one.
    pub fn of(&self, row: usize) -> Option<u64> {
        let at = match &self.rows {
            None => row,
            Some(rows) => rows.find(u64::try_from(row).ok()?)?,
        };
        self.sums.get(at)
    }
}

/// How one measure is spread: row after row, the buckets that were hit and how often.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spread {
    /// The buckets.
    pub buckets: Numbers,
    /// How many values each holds.
    pub counts: Numbers,
    /// By row, how many buckets the rows before it have; one more than there are rows.
    pub starts: Numbers,
}

impl Spread {
    /// The buckets of a row.
    pub fn of(&self, row: usize) -> impl Iterator<Item = (u16, u64)> {
        let place = |row: usize| self.starts.get(row).and_then(|at| usize::try_from(at).ok());
        let places = place(row).zip(place(row + 1)).map_or(0..0, |(from, to)| from..to);
        places.filter_map(|at| {
            Some((u16::try_from(self.buckets.get(at)?).ok()?, self.counts.get(at)?))
        })
    }

    /// Whether it fits a chunk of so many rows.
    pub fn is_sound(&self, rows: usize) -> bool {
        let starts = self.starts.iter().zip(self.starts.iter().skip(1));
        self.starts.len() == rows + 1
            && starts.into_iter().all(|(one, next)| one <= next)
            && self.starts.get(rows).and_then(|end| usize::try_from(end).ok())
                == Some(self.buckets.len())
            && self.counts.len() == self.buckets.len()
            && self.buckets.iter().all(|bucket| u16::try_from(bucket).is_ok())
    }

    /// About how many bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        self.buckets.bytes() + self.counts.bytes() + self.starts.bytes()
    }
}

/// How each measure is spread.
pub type Spreads = BTreeMap<Measure, Spread>;

/// Rows of sums by column.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// The sums.
    pub columns: BTreeMap<Column, Summed>,
    /// The names.
    pub dimensions: BTreeMap<Dimension, Names>,
    /// The first minute of any row.
    pub first: Minute,
    /// By row, how long after `first` the minute is that it begins with.
    pub minutes: Numbers,
}

impl Chunk {
    /// The chunk of a rollup, and how its measures are spread.
    pub fn of(rollup: &Rollup) -> (Self, Spreads) {
        let mut builder = Builder::default();
        for (key, minutes) in &rollup.rows {
            for (minute, sums) in minutes {
                let name = |dimension| key.name(dimension).map(|name| name.into_owned());
                builder.add(*minute, name, sums);
            }
        }
        builder.finish()
    }

    /// The chunk of an answer whose rows are told apart by every dimension, in [`Dimension::ALL`]'s order.
    pub fn of_series(rows: &[SeriesRow]) -> (Self, Spreads) {
        let mut builder = Builder::default();
        for row in rows {
            let place = |dimension| Dimension::ALL.iter().position(|one| *one == dimension);
            let name = |dimension| {
                let name = place(dimension).and_then(|at| row.names.get(at))?.as_deref();
                name.map(str::to_owned)
            };
            builder.add(row.minute.unwrap_or_default(), name, &row.sums);
        }
        builder.finish()
    }

    /// How many rows it has.
    pub fn rows(&self) -> usize {
        self.minutes.len()
    }

    /// The minute that a row begins with.
    pub fn minute(&self, row: usize) -> Minute {
        self.first.saturating_add(self.minutes.get(row).unwrap_or_default())
    }

    /// About how many bytes it takes in memory.
    pub fn bytes(&self) -> usize {
        let names = |names: &Names| {
            let text = names.names.iter().flatten().map(|name| name.len() + 24).sum::<usize>();
            text + names.codes.bytes()
        };
        let summed =
            |summed: &Summed| summed.sums.bytes() + summed.rows.as_ref().map_or(0, Numbers::bytes);
        self.dimensions.values().map(names).sum::<usize>()
            + self.columns.values().map(summed).sum::<usize>()
            + self.minutes.bytes()
    }

    /// Whether every column fits the rows there are; what was read from a damaged file may not.
    pub fn is_sound(&self) -> bool {
        let rows = self.rows();
        let is_row = |row: u64| usize::try_from(row).is_ok_and(|row| row < rows);
        let summed = |summed: &Summed| match &summed.rows {
            None => summed.sums.len() == rows,
            Some(at) => at.len() == summed.sums.len() && at.is_ascending() && at.iter().all(is_row),
        };
        let names = |names: &Names| {
            let is_name = |code: u64| usize::try_from(code).is_ok_and(|at| at < names.names.len());
            names.codes.len() == rows && names.codes.iter().all(is_name)
        };
        Dimension::ALL
            .iter()
            .all(|dimension| self.dimensions.get(dimension).map_or(rows == 0, names))
            && self.columns.values().all(summed)
    }
}

/// A chunk in the making, row by row.
#[derive(Default)]
struct Builder {
    columns: BTreeMap<Column, (Vec<u64>, Vec<u64>)>,
    names: BTreeMap<Dimension, Naming>,
    minutes: Vec<Minute>,
    spreads: BTreeMap<Measure, Spreading>,
}

/// The names of a dimension in the making.
#[derive(Default)]
struct Naming {
    codes: Vec<u64>,
    known: BTreeMap<Option<String>, u64>,
    names: Vec<Option<String>>,
}

/// How a measure is spread, in the making.
#[derive(Default)]
struct Spreading {
    buckets: Vec<u64>,
    counts: Vec<u64>,
    starts: Vec<u64>,
}

impl Builder {
    fn add(&mut self, minute: Minute, name: impl Fn(Dimension) -> Option<String>, sums: &Sums) {
        let row = self.minutes.len();
        self.minutes.push(minute);
        for dimension in Dimension::ALL {
            self.names.entry(*dimension).or_default().push(name(*dimension));
        }
        for (column, sum) in &sums.columns {
            let (rows, sums) = self.columns.entry(*column).or_default();
            rows.push(number(row));
            sums.push(*sum);
        }
        for (measure, histogram) in &sums.histograms {
            let spread = self.spreads.entry(*measure).or_default();
            spread.starts.resize(row + 1, number(spread.buckets.len()));
            spread.buckets.extend(histogram.0.keys().map(|bucket| u64::from(*bucket)));
            spread.counts.extend(histogram.0.values());
        }
    }

    fn finish(self) -> (Chunk, Spreads) {
        let count = self.minutes.len();
        let first = self.minutes.iter().min().copied().unwrap_or_default();
        let minutes: Vec<u64> = self.minutes.iter().map(|minute| minute - first).collect();
        let column = |(column, (rows, sums)): (Column, (Vec<u64>, Vec<u64>))| {
            let rows = (rows.len() < count).then(|| rows.into());
            (column, Summed { rows, sums: sums.into() })
        };
        let named = |(dimension, naming): (Dimension, Naming)| {
            (dimension, Names { codes: naming.codes.into(), names: naming.names })
        };
        let spread = |(measure, mut spread): (Measure, Spreading)| {
            spread.starts.resize(count + 1, number(spread.buckets.len()));
            let [buckets, counts, starts] =
                [spread.buckets, spread.counts, spread.starts].map(Numbers::from);
            (measure, Spread { buckets, counts, starts })
        };
        let chunk = Chunk {
            columns: self.columns.into_iter().map(column).collect(),
            dimensions: self.names.into_iter().map(named).collect(),
            first,
            minutes: minutes.into(),
        };
        (chunk, self.spreads.into_iter().map(spread).collect())
    }
}

impl Naming {
    fn push(&mut self, name: Option<String>) {
        let code = match self.known.get(&name) {
            Some(code) => *code,
            None => {
                let code = number(self.names.len());
                self.names.push(name.clone());
                self.known.insert(name, code);
                code
            }
        };
        self.codes.push(code);
    }
}

/// A count of rows, names or buckets as a number that is stored.
fn number(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
