//! Questions about sums, and their answers: what was added up between two moments, by time and by up to every dimension.
//!
//! An answer is the same however the hours were cut into chunks.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use super::chunk::{Chunk, Names, Spread, Summed};
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
    /// How many rows are wanted after the first step, so that nobody reads on for a page that is full; none for all. The
    /// answer may have more, but what it has of a step is whole.
    pub rows_enough: Option<usize>,
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

    /// Adds what a sound chunk holds of what is asked for. How a measure is spread is asked for only if any row is wanted.
    ///
    /// # Errors
    /// Those of `spread`; then the answer is of no use.
    pub fn add<S: AsRef<Spread>, E>(
        &mut self,
        chunk: &Chunk,
        mut spread: impl FnMut(Measure) -> Result<Option<S>, E>,
    ) -> Result<(), E> {
        let Some(sorted) = Sorted::of(chunk, self.question) else { return Ok(()) };
        let mut sums: Vec<Sums> = vec![Sums::default(); sorted.groups.len()];
        for column in &self.question.columns {
            let Some(summed) = chunk.columns.get(column) else { continue };
            for (group, sum) in sorted.sums(summed) {
                sums.get_mut(group).into_iter().for_each(|sums| sums.add(*column, sum));
            }
        }
        for measure in &self.question.histograms {
            let Some(spread) = spread(*measure)? else { continue };
            for (row, group) in &sorted.rows {
                let Some(sums) = sums.get_mut(*group) else { continue };
                let mut hit = spread.as_ref().of(*row).peekable();
                if hit.peek().is_some() {
                    let Histogram(buckets) = sums.histograms.entry(*measure).or_default();
                    hit.for_each(|(at, count)| add(buckets.entry(at).or_default(), count));
                }
            }
        }
        let mut numbering = Numbering::new(chunk, self);
        for ((minute, codes), sums) in sorted.groups.into_iter().zip(sums) {
            if sums != Sums::default() {
                let names = numbering.numbers(&codes);
                let groups = &mut numbering.answer.groups;
                groups.entry((minute, names)).or_default().merge(&sums);
            }
        }
        Ok(())
    }

    /// Whether all that is wanted is there, once everything before `minute` was added.
    pub fn is_enough(&self, minute: Minute) -> bool {
        let Some((enough, step)) = self.question.rows_enough.zip(self.question.step_minutes) else {
            return false;
        };
        let begin = |minute: Minute| minute - minute % step.max(1);
        let first = begin(self.question.span.start);
        let is_whole = |at: Minute| at.saturating_add(step) <= minute;
        let last = self.groups.last_key_value();
        is_whole(first)
            && last.is_none_or(|((last, _), _)| is_whole(*last))
            && self.groups.range((first.saturating_add(1), Vec::new())..).count() >= enough
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

/// The codes of a chunk's names as the numbers that an answer gives them.
struct Numbering<'a, 'c, 'q> {
    answer: &'a mut Answer<'q>,
    /// By dimension of the question.
    dimensions: Vec<Known<'c>>,
}

/// The names of a dimension, and the numbers of those that were met.
struct Known<'c> {
    names: &'c [Option<String>],
    numbers: Vec<Option<u32>>,
}

impl<'a, 'c, 'q> Numbering<'a, 'c, 'q> {
    fn new(chunk: &'c Chunk, answer: &'a mut Answer<'q>) -> Self {
        let names = |dimension| {
            let names: Option<&Names> = chunk.dimensions.get(dimension);
            let names = names.map_or::<&[_], _>(&[], |names| &names.names);
            Known { names, numbers: vec![None; names.len()] }
        };
        let dimensions = answer.question.by.iter().map(names).collect();
        Self { answer, dimensions }
    }

    fn numbers(&mut self, codes: &[u32]) -> Vec<u32> {
        let Self { answer, dimensions } = self;
        let number = |(known, code): (&mut Known<'_>, &u32)| {
            let at = *code as usize;
            match known.numbers.get(at).copied().flatten() {
                Some(number) => number,
                None => {
                    let number = answer.number(known.names.get(at).and_then(Option::as_deref));
                    known.numbers.get_mut(at).into_iter().for_each(|slot| *slot = Some(number));
                    number
                }
            }
        };
        dimensions.iter_mut().zip(codes).map(number).collect()
    }
}

impl Answer<'_> {
    /// The number of a name.
    fn number(&mut self, name: Option<&str>) -> u32 {
        let name = name.map(str::to_owned);
        if let Some(number) = self.numbers.get(&name) {
            return *number;
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(name.as_deref().map(Arc::from));
        self.numbers.insert(name, number);
        number
    }
}

/// The rows of a chunk that are asked about, sorted into the groups of an answer.
struct Sorted {
    /// By group, its time and the codes of its names.
    groups: Vec<(Minute, Vec<u32>)>,
    /// The rows, ascending, and the group of each.
    rows: Vec<(usize, usize)>,
}

impl Sorted {
    /// Sorts the rows that are asked about; none where there are none.
    fn of(chunk: &Chunk, question: &Question) -> Option<Self> {
        let rows = asked(chunk, question)?;
        let step = question.step_minutes.map(|step| step.max(1));
        let begin = |row: usize| {
            let minute = chunk.minute(row);
            step.map_or(0, |step| minute - minute % step)
        };
        let mut sorted = Self { groups: Vec::new(), rows: Vec::with_capacity(rows.len()) };
        let mut known = BTreeMap::new();
        for row in rows {
            let at = begin(row);
            let group = *known.entry(at).or_insert_with(|| {
                sorted.groups.push((at, Vec::with_capacity(question.by.len())));
                sorted.groups.len() - 1
            });
            sorted.rows.push((row, group));
        }
        for dimension in &question.by {
            sorted.split(chunk.dimensions.get(dimension)?);
        }
        Some(sorted)
    }

    /// Splits the groups by one dimension more.
    fn split(&mut self, names: &Names) {
        let before = std::mem::take(&mut self.groups);
        let mut known: BTreeMap<(usize, u32), usize> = BTreeMap::new();
        let mut last = None;
        for (row, group) in &mut self.rows {
            let code = names.codes.get(*row).and_then(|code| u32::try_from(code).ok());
            let pair = (*group, code.unwrap_or_default());
            // Rows are sorted, so most belong where the one before them does.
            *group = match last {
                Some((same, group)) if same == pair => group,
                _ => *known.entry(pair).or_insert_with(|| {
                    let (minute, mut codes) = before.get(pair.0).cloned().unwrap_or_default();
                    codes.push(pair.1);
                    self.groups.push((minute, codes));
                    self.groups.len() - 1
                }),
            };
            last = Some((pair, *group));
        }
    }

    /// The sums that the rows have, each with its group.
    fn sums<'a>(&'a self, summed: &'a Summed) -> impl Iterator<Item = (usize, u64)> + 'a {
        self.rows.iter().filter_map(|(row, group)| Some((*group, summed.of(*row)?)))
    }
}

/// The rows that are asked about, ascending; none where no row is.
fn asked(chunk: &Chunk, question: &Question) -> Option<Vec<usize>> {
    let mut rows: Option<Vec<usize>> = None;
    for (dimension, wanted) in &question.filter {
        let names = chunk.dimensions.get(dimension)?;
        let fits: Vec<bool> = names.names.iter().map(|name| wanted.contains(name)).collect();
        if !fits.contains(&true) {
            return None;
        }
        let fits = |code| usize::try_from(code).is_ok_and(|at| fits.get(at) == Some(&true));
        match &mut rows {
            Some(rows) => rows.retain(|row| names.codes.get(*row).is_some_and(fits)),
            none => *none = Some(names.codes.places(fits)),
        }
    }
    let mut rows = rows.unwrap_or_else(|| (0..chunk.rows()).collect());
    rows.retain(|row| question.span.contains(&chunk.minute(*row)));
    (!rows.is_empty()).then_some(rows)
}
