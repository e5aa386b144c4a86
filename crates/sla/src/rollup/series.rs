//! Questions about sums, and their answers: what was added up between two moments, by time and by up to every dimension.
//!
//! An answer is the same however the hours were cut into chunks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::chunk::Chunk;
use super::column::Column;
use super::{Dimension, Minute, Sums};
use crate::histogram::Histogram;
use crate::tally::add;
use crate::tally::cell::Measure;

/// A question about sums.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// What the rows of the answer are told apart by, beside time, in this order.
    pub by: Vec<Dimension>,
    /// Which sums are wanted.
    pub columns: BTreeSet<Column>,
    /// What is asked about: for each dimension named, one of these; null is where there is no name.
    pub filter: BTreeMap<Dimension, BTreeSet<Option<String>>>,
    /// Of which measures the spread is wanted.
    pub histograms: BTreeSet<Measure>,
    /// The minutes asked about.
    pub span: Range<Minute>,
    /// How many minutes the rows of the answer span; none for one row over all of them.
    pub step_minutes: Option<u64>,
}

/// One row of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeriesRow {
    /// The minute its span begins with; none where time does not tell rows apart.
    pub minute: Option<Minute>,
    /// What it is about, in the question's order.
    pub names: Vec<Option<Arc<str>>>,
    /// What was added up; a column that nothing was added to is absent.
    pub sums: Sums,
}

/// Sums in the making.
pub struct Answer<'q> {
    groups: BTreeMap<(Minute, Vec<u32>), Sums>,
    names: Vec<Option<Arc<str>>>,
    numbers: BTreeMap<Option<String>, u32>,
    question: &'q Question,
}

impl<'q> Answer<'q> {
    /// Nothing added yet.
    pub fn new(question: &'q Question) -> Self {
        Self { groups: BTreeMap::new(), names: Vec::new(), numbers: BTreeMap::new(), question }
    }

    /// Adds what a sound chunk holds of what is asked for.
    pub fn add(&mut self, chunk: &Chunk) {
        let Some(sorted) = Sorted::of(chunk, self.question) else { return };
        let mut sums: Vec<Sums> = vec![Sums::default(); sorted.groups];
        for column in &self.question.columns {
            let Some(numbers) = chunk.columns.get(column) else { continue };
            let mut added: Vec<Option<u64>> = vec![None; sorted.groups];
            for (row, sum) in numbers.rows.iter().zip(&numbers.sums) {
                if let Some(slot) = sorted.slot(*row).and_then(|group| added.get_mut(group)) {
                    add(slot.get_or_insert(0), *sum);
                }
            }
            for (sums, added) in sums.iter_mut().zip(added) {
                added.into_iter().for_each(|added| sums.add(*column, added));
            }
        }
        for measure in &self.question.histograms {
            let Some(spread) = chunk.histograms.get(measure) else { continue };
            let counted = spread.rows.iter().zip(spread.buckets.iter().zip(&spread.counts));
            for (row, (bucket, count)) in counted {
                let Some(sums) = sorted.slot(*row).and_then(|group| sums.get_mut(group)) else {
                    continue;
                };
                let Histogram(buckets) = sums.histograms.entry(*measure).or_default();
                add(buckets.entry(*bucket).or_default(), *count);
            }
        }
        for (group, sums) in sums.into_iter().enumerate() {
            let Some((minute, codes)) = sorted.name(group) else { continue };
            if sums == Sums::default() {
                continue;
            }
            let places = codes.iter().zip(&self.question.by);
            let names = places.map(|(code, dimension)| {
                let names = chunk.dimensions.get(dimension).map(|names| names.names.as_slice());
                names.and_then(|names| names.get(*code as usize)).cloned().flatten()
            });
            let names: Vec<u32> =
                names.collect::<Vec<_>>().into_iter().map(|name| self.number(name)).collect();
            self.groups.entry((minute, names)).or_default().merge(&sums);
        }
    }

    /// The number of a name.
    fn number(&mut self, name: Option<String>) -> u32 {
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.as_deref().map(Arc::from));
        self.numbers.insert(name, number);
        number
    }

    /// The rows, by time and name. What a row has nothing of is not told in it, and a row that has nothing is none.
    pub fn rows(self) -> Vec<SeriesRow> {
        let Self { groups, names, question, .. } = self;
        let name = |number: &u32| names.get(*number as usize).cloned().flatten();
        let rows = groups.into_iter().map(|((minute, numbers), sums)| SeriesRow {
            minute: question.step_minutes.map(|_| minute),
            names: numbers.iter().map(name).collect(),
            sums,
        });
        let mut rows: Vec<SeriesRow> = rows.collect();
        rows.sort_by(|one, other| (one.minute, &one.names).cmp(&(other.minute, &other.names)));
        rows
    }
}

/// The rows of a chunk sorted into the groups of an answer.
struct Sorted {
    /// How many groups.
    groups: usize,
    /// By group, its time and names.
    named: Vec<(Minute, Vec<u32>)>,
    /// By row, its group.
    of_row: Vec<Option<u32>>,
}

impl Sorted {
    /// Sorts the rows that are asked about; none where there are none.
    fn of(chunk: &Chunk, question: &Question) -> Option<Self> {
        let is_asked = asked(chunk, question)?;
        let by: Vec<&[u32]> = question
            .by
            .iter()
            .map(|dimension| Some(chunk.dimensions.get(dimension)?.codes.as_slice()))
            .collect::<Option<_>>()?;
        let mut known: BTreeMap<(Minute, Vec<u32>), u32> = BTreeMap::new();
        let mut named = Vec::new();
        let mut of_row = Vec::with_capacity(chunk.rows());
        let mut last: Option<((Minute, Vec<u32>), u32)> = None;
        for (row, minute) in chunk.minutes.iter().enumerate() {
            if !is_asked.get(row).copied().unwrap_or_default() {
                of_row.push(None);
                continue;
            }
            let minute = question.step_minutes.map_or(0, |step| minute - minute % step.max(1));
            let code = |codes: &&[u32]| codes.get(row).copied().unwrap_or_default();
            // Rows are sorted, so most belong where the one before them does.
            let is_same = |name: &(Minute, Vec<u32>)| {
                name.0 == minute && name.1.iter().zip(&by).all(|(one, codes)| *one == code(codes))
            };
            if let Some((name, group)) = &last
                && is_same(name)
            {
                of_row.push(Some(*group));
                continue;
            }
            let name = (minute, by.iter().map(code).collect::<Vec<u32>>());
            let group = *known.entry(name.clone()).or_insert_with(|| {
                named.push(name.clone());
                u32::try_from(named.len() - 1).unwrap_or(u32::MAX)
            });
            of_row.push(Some(group));
            last = Some((name, group));
        }
        Some(Self { groups: named.len(), named, of_row })
    }

    fn slot(&self, row: u32) -> Option<usize> {
        let group = self.of_row.get(row as usize).copied().flatten()?;
        Some(group as usize)
    }

    fn name(&self, group: usize) -> Option<(Minute, &[u32])> {
        self.named.get(group).map(|(minute, codes)| (*minute, codes.as_slice()))
    }
}

/// By row, whether it is asked about; none where no row is.
fn asked(chunk: &Chunk, question: &Question) -> Option<Vec<bool>> {
    let mut is_asked: Vec<bool> =
        chunk.minutes.iter().map(|minute| question.span.contains(minute)).collect();
    for (dimension, wanted) in &question.filter {
        let names = chunk.dimensions.get(dimension)?;
        let fits: Vec<bool> = names.names.iter().map(|name| wanted.contains(name)).collect();
        for (is_asked, code) in is_asked.iter_mut().zip(&names.codes) {
            *is_asked = *is_asked && fits.get(*code as usize).copied().unwrap_or_default();
        }
    }
    is_asked.contains(&true).then_some(is_asked)
}
