//! What a replay is made from: what was known before each day, and what came of the work of that day, as sums.
//!
//! Nothing here is a single job, and nobody who ordered one is named.

use std::collections::BTreeMap;
use std::ops::Range;

use events::identity::{Address, GatewayName};
use events::unit::{Millis, UnixMillis, Wei};
use serde::{Deserialize, Serialize};

use crate::rollup::column::{Came, Column, Plain};
use crate::rollup::series::{Question, SeriesRow};
use crate::rollup::{Dimension, Minute};
use crate::route::candidate::Candidate;
use crate::score::fraction::Mean;
use crate::tally::cell::{Measure, WorkClass};
use crate::tally::outcome::Obligation;

/// What came of a day's work of one kind that one gateway gave to one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The jobs whose cost is known.
    pub cost_jobs: u64,
    /// What those cost together.
    pub cost_wei: Wei,
    /// The jobs that failed; no more than there were.
    pub failures: u64,
    /// Who gave the work: its name, or its address as text.
    pub gateway: GatewayName,
    /// The jobs.
    pub jobs: u64,
    /// Milliseconds to the first output, or the answer, of those for which it is known.
    pub latency_ms: Mean,
    /// Who did it.
    pub operator: Address,
    /// How long the jobs were served, all together; zero is unknown.
    pub served_ms: Millis,
    /// The kind of work.
    pub work: WorkClass,
}

/// One day of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    /// What was known when the day began, and nothing later.
    pub candidates: Vec<Candidate>,
    /// Its number since 1970-01-01.
    pub day: u64,
    /// What came of it.
    pub records: Vec<Record>,
    /// Where the scores of the candidates end; absent where there were none.
    pub scores_to: Option<UnixMillis>,
}

/// The most work of a kind that an operator was ever seen to carry in a day, or could by the rate of its busiest hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// In jobs, where known.
    pub jobs_max: Option<u64>,
    /// Who carried it.
    pub operator: Address,
    /// In time served, where known.
    pub served_max_ms: Option<Millis>,
    /// The kind of work.
    pub work: WorkClass,
}

/// Minutes in a day.
const DAY: Minute = 24 * 60;

/// Hours in a day.
const HOURS: u64 = 24;

/// What is asked of each operator's work, and where the names of an answer stand.
const WORK: [Dimension; 4] =
    [Dimension::Operator, Dimension::Workload, Dimension::Pipeline, Dimension::Model];

/// What is asked of it by gateway too: its name comes after its address.
const GIVEN: [Dimension; 2] = [Dimension::Gateway, Dimension::GatewayName];

/// The sums of some days by these dimensions. Words that are signed count alone: what an unsigned feed tells beside them is
/// told twice.
fn question(by: &[Dimension], days: Range<u64>, step_minutes: Minute) -> Question {
    Question {
        by: by.to_vec(),
        filter: [(Dimension::Provenance, [Some("signed".to_owned())].into())].into(),
        span: days.start * DAY..days.end * DAY,
        step_minutes: Some(step_minutes),
        ..Question::default()
    }
}

fn name(row: &SeriesRow, dimension: Dimension) -> Option<&str> {
    let at = WORK.iter().chain(&GIVEN).position(|one| *one == dimension)?;
    row.names.get(at)?.as_deref()
}

fn sum(row: &SeriesRow, column: Column) -> u64 {
    row.sums.columns.get(&column).copied().unwrap_or_default()
}

/// Whose work a row is of, and of which kind; none where it names no operator or no workload.
fn work(row: &SeriesRow) -> Option<(Address, WorkClass)> {
    let class = WorkClass {
        model: name(row, Dimension::Model).and_then(|name| name.parse().ok()),
        pipeline: name(row, Dimension::Pipeline).and_then(|name| name.parse().ok()),
        workload: name(row, Dimension::Workload)?.parse().ok()?,
    };
    Some((name(row, Dimension::Operator)?.parse().ok()?, class))
}

impl Record {
    /// Which sums records of these days are made of.
    pub fn question(days: Range<u64>) -> Question {
        let owed = [Came::Good, Came::Bad, Came::Disputed];
        let owed = owed.map(|came| Column::Owed(Obligation::Output, came));
        let plain = [Plain::Tenures, Plain::ServedMs, Plain::Payments, Plain::PaidMwei];
        let mut columns: std::collections::BTreeSet<Column> = plain.map(Column::Plain).into();
        columns.extend(owed);
        columns.insert(Column::Sum(Measure::FirstOutputMs));
        Question {
            columns,
            histograms: [Measure::FirstOutputMs].into(),
            ..question(&[&WORK[..], &GIVEN].concat(), days, DAY)
        }
    }

    /// The record that a row of the answer is, with its day. None of rows that name no operator or no gateway, and of
    /// payments that belong to no work. What is disputed counts as failed.
    pub fn of(row: &SeriesRow) -> Option<(u64, Self)> {
        let (operator, work) = work(row)?;
        let gateway =
            name(row, Dimension::GatewayName).or_else(|| name(row, Dimension::Gateway))?;
        let owed = |came: Came| sum(row, Column::Owed(Obligation::Output, came));
        let failures = owed(Came::Bad).saturating_add(owed(Came::Disputed));
        let jobs = failures.saturating_add(owed(Came::Good));
        if jobs == 0 {
            return None;
        }
        let measured = row.sums.histograms.get(&Measure::FirstOutputMs);
        let latency_ms = measured.map_or_else(Mean::default, |measured| Mean {
            count: measured.count(),
            sum: sum(row, Column::Sum(Measure::FirstOutputMs)),
        });
        let paid = sum(row, Column::Plain(Plain::PaidMwei));
        let record = Self {
            // A payment names no job of a session, so what was paid is of all jobs or of none.
            cost_jobs: if paid > 0 { jobs } else { 0 },
            cost_wei: Wei(u128::from(paid) * 1_000_000),
            failures,
            gateway: gateway.parse().ok()?,
            jobs,
            latency_ms,
            operator,
            served_ms: Millis(sum(row, Column::Plain(Plain::ServedMs))),
            work,
        };
        Some((row.minute.unwrap_or_default() / DAY, record))
    }
}

impl Carried {
    /// Which sums tell what operators carried on these days.
    pub fn question(days: Range<u64>) -> Question {
        let columns = [Plain::Tenures, Plain::ServedMs].map(Column::Plain).into();
        Question { columns, ..question(&WORK, days, 60) }
    }

    /// The most that each operator was seen to carry of each kind of work, by the hours of the answer: its busiest hour,
    /// were a day made of those.
    pub fn of(rows: &[SeriesRow]) -> Vec<Self> {
        let mut most: BTreeMap<(Address, WorkClass), (u64, u64)> = BTreeMap::new();
        for row in rows {
            let Some(place) = work(row) else { continue };
            let (jobs, served) = most.entry(place).or_default();
            *jobs = (*jobs).max(sum(row, Column::Plain(Plain::Tenures)));
            *served = (*served).max(sum(row, Column::Plain(Plain::ServedMs)));
        }
        let known = |count: u64| (count > 0).then(|| count.saturating_mul(HOURS));
        let carried = most.into_iter().map(|((operator, work), (jobs, served))| Self {
            jobs_max: known(jobs),
            operator,
            served_max_ms: known(served).map(Millis),
            work,
        });
        carried.collect()
    }
}

/// How much record a replay asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// So many days before and after one stand in for it where it has too little.
    pub around_days: u64,
    /// So many jobs make a rate.
    pub jobs_min: u64,
}

impl Default for Bounds {
    /// A week around each day, and as many jobs as a source must see to count (docs/scoring.md, "Method `evidence`").
    fn default() -> Self {
        Self { around_days: 3, jobs_min: 20 }
    }
}
