//! What routing is asked about, gathered from the warehouse: who there is, how they stand, and what came of the work of
//! the last days. `sla::route` decides; nothing here does.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::event::Network;
use events::identity::{Address, GatewayName, Model, Pipeline};
use events::unit::{Millis, UnixMillis, Wei};
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::series::{Question as Sums, SeriesRow};
use sla::rollup::{Dimension, Minute};
use sla::route::candidate::{Candidate, known};
use sla::route::policy::{BUILT_IN, RoutingPolicy};
use sla::route::score_map::Served;
use sla::route::whatif::record::{Carried, Day, Record};
use sla::score::fraction::Mean;
use sla::tally::cell::{Measure, WorkClass};
use sla::tally::outcome::Obligation;
use sla::window::{Hour, Window};
use warehouse::{Error, Reader};

/// How many hours back offers are looked for.
const OFFER_HOURS: u64 = 24;

/// How many days back regions are looked for: as long as counts are told apart for people.
const REGION_DAYS: u64 = 90;

/// Minutes in a day.
const DAY: Minute = 24 * 60;

/// The routing policies of an instance: the configured one first, then those that are built in.
#[derive(Debug, Clone)]
pub struct Policies(Arc<[RoutingPolicy]>);

impl Policies {
    /// The built-in policies, with `configured` before them.
    pub fn new(configured: Option<RoutingPolicy>) -> Self {
        let built_in = BUILT_IN.iter().filter_map(|(id, _)| RoutingPolicy::built_in(id));
        let configured_id = configured.as_ref().map(|policy| policy.id.clone());
        let others = built_in.filter(|policy| Some(&policy.id) != configured_id.as_ref());
        Self(configured.into_iter().chain(others).collect())
    }

    /// Every policy; the first is the one that holds where none is named.
    pub fn all(&self) -> &[RoutingPolicy] {
        &self.0
    }

    /// The policy of this name; the first where none is named.
    pub fn get(&self, id: Option<&str>) -> Option<&RoutingPolicy> {
        match id {
            None => self.0.first(),
            Some(id) => self.0.iter().find(|policy| policy.id == id),
        }
    }
}

/// Who there is, and how they stand.
#[derive(Debug, Clone)]
pub struct Field {
    /// Everybody who is known at each URL.
    pub candidates: Vec<Candidate>,
    /// Where the scores end; none where there are none.
    pub scores_to: Option<UnixMillis>,
    /// Every address and region that was ever known.
    pub served: Served,
    /// The window of the scores.
    pub window: Option<Window>,
}

/// Who there is now, by the newest window that the policy asks for.
pub fn field(
    warehouse: &dyn Reader,
    network: Network,
    policy: &RoutingPolicy,
    now: UnixMillis,
) -> Result<Field, Error> {
    let window = warehouse.newest_window(network, policy.scores.window)?;
    field_of(warehouse, network, window, now)
}

/// Who there was at a moment, by a window of before it.
fn field_of(
    warehouse: &dyn Reader,
    network: Network,
    window: Option<Window>,
    now: UnixMillis,
) -> Result<Field, Error> {
    let last = Hour::of(now);
    let supply = warehouse.supply(network, Hour(last.0.saturating_sub(OFFER_HOURS))..=last)?;
    let view = match window {
        Some(window) => warehouse.scorecard(network, window)?,
        None => None,
    };
    let scorecard = view.as_ref().map(|view| view.scorecard.as_ref());
    let mut candidates = known(scorecard, &supply);
    let operators = warehouse.operators(network)?;
    let seen: BTreeMap<Address, (UnixMillis, UnixMillis)> =
        operators.iter().map(|row| (row.operator, (row.first_ms, row.last_ms))).collect();
    let named: BTreeSet<Address> = candidates.iter().map(|one| one.operator).collect();
    let unnamed = seen.keys().filter(|operator| !named.contains(operator));
    candidates.extend(unnamed.map(|operator| Candidate::new(*operator, None)));
    for candidate in &mut candidates {
        let Some((first_ms, last_ms)) = seen.get(&candidate.operator) else { continue };
        candidate.first_seen = Some(*first_ms);
        candidate.last_seen = candidate.last_seen.max(Some((*last_ms).min(now)));
    }
    // Whoever was first heard of later is nobody yet.
    candidates.retain(|one| one.first_seen.is_none_or(|first_ms| first_ms <= now));
    let served = Served {
        addresses: seen.into_keys().collect(),
        regions: regions(warehouse, network, now)?,
    };
    let scores_to = view.and(window).map(|window| window.last.end());
    Ok(Field { candidates, scores_to, served, window })
}

/// Every region that anything was told of in, as far back as is looked.
fn regions(
    warehouse: &dyn Reader,
    network: Network,
    now: UnixMillis,
) -> Result<BTreeSet<events::identity::Region>, Error> {
    let to = (Hour::of(now).0 / 24 + 1) * DAY;
    let asked = Sums {
        by: vec![Dimension::Region],
        span: to.saturating_sub(REGION_DAYS * DAY)..to,
        ..Sums::default()
    };
    let rows = warehouse.series(network, &asked)?;
    Ok(rows.iter().filter_map(|row| name(row, 0)?.parse().ok()).collect())
}

fn name(row: &SeriesRow, at: usize) -> Option<&str> {
    row.names.get(at)?.as_deref()
}

/// Of what records of work are told apart.
const BY: &[Dimension] = &[
    Dimension::Operator,
    Dimension::Workload,
    Dimension::Pipeline,
    Dimension::Model,
    Dimension::Gateway,
    Dimension::GatewayName,
];

/// What whole days came to, with what was known before each: what a replay is made from.
#[derive(Debug)]
pub struct Past {
    /// The most that each operator was seen to carry.
    pub carried: Vec<Carried>,
    /// The days, oldest first.
    pub days: Vec<Day>,
}

/// The `count` whole days before the day of `now`.
pub fn past(
    warehouse: &dyn Reader,
    network: Network,
    policy: &RoutingPolicy,
    now: UnixMillis,
    count: u64,
) -> Result<Past, Error> {
    let today = Hour::of(now).0 / 24;
    let first = today.saturating_sub(count);
    let mut question = Sums {
        by: BY.to_vec(),
        columns: COLUMNS.iter().copied().collect(),
        histograms: [Measure::FirstOutputMs].into(),
        span: first * DAY..today * DAY,
        step_minutes: Some(DAY),
        ..Sums::default()
    };
    question.filter.insert(Dimension::Provenance, [Some("signed".to_owned())].into());
    let mut records: BTreeMap<u64, Vec<Record>> = BTreeMap::new();
    for row in warehouse.series(network, &question)? {
        if let Some(record) = record(&row) {
            records.entry(row.minute.unwrap_or_default() / DAY).or_default().push(record);
        }
    }
    let mut days = Vec::new();
    for day in first..today {
        let begins = Hour(day * 24);
        // What was known when the day began: a window that had ended, and only if it was made.
        let window = Window { last: begins.previous(), span: policy.scores.window };
        let field = field_of(warehouse, network, Some(window), begins.start())?;
        let Field { candidates, scores_to, .. } = field;
        days.push(Day {
            candidates,
            day,
            records: records.remove(&day).unwrap_or_default(),
            scores_to,
        });
    }
    Ok(Past { carried: carried(warehouse, network, first..today)?, days })
}

const COLUMNS: &[Column] = &[
    Column::Plain(Plain::Tenures),
    Column::Plain(Plain::ServedMs),
    Column::Plain(Plain::Payments),
    Column::Plain(Plain::PaidMwei),
    Column::Owed(Obligation::Output, Came::Good),
    Column::Owed(Obligation::Output, Came::Bad),
    Column::Owed(Obligation::Output, Came::Disputed),
    Column::Sum(Measure::FirstOutputMs),
];

/// What came of one kind of work between a gateway and an operator. None of rows that name neither, and of payments that
/// belong to no work.
fn record(row: &SeriesRow) -> Option<Record> {
    let sum = |column: Column| row.sums.columns.get(&column).copied().unwrap_or_default();
    let owed = |came: Came| sum(Column::Owed(Obligation::Output, came));
    let operator: Address = name(row, 0)?.parse().ok()?;
    let gateway: GatewayName = name(row, 5).or_else(|| name(row, 4))?.parse().ok()?;
    let failures = owed(Came::Bad).saturating_add(owed(Came::Disputed));
    let jobs = failures.saturating_add(owed(Came::Good));
    if jobs == 0 {
        return None;
    }
    let measured = row.sums.histograms.get(&Measure::FirstOutputMs);
    let latency_ms = measured.map_or_else(Mean::default, |measured| Mean {
        count: measured.count(),
        sum: sum(Column::Sum(Measure::FirstOutputMs)),
    });
    let paid = sum(Column::Plain(Plain::PaidMwei));
    Some(Record {
        // A payment names no job of a session, so what was paid is of all jobs or of none.
        cost_jobs: if paid > 0 { jobs } else { 0 },
        cost_wei: Wei(u128::from(paid) * 1_000_000),
        failures,
        gateway,
        jobs,
        latency_ms,
        operator,
        served_ms: Millis(sum(Column::Plain(Plain::ServedMs))),
        work: work(row)?,
    })
}

fn work(row: &SeriesRow) -> Option<WorkClass> {
    Some(WorkClass {
        model: name(row, 3).and_then(|name| name.parse::<Model>().ok()),
        pipeline: name(row, 2).and_then(|name| name.parse::<Pipeline>().ok()),
        workload: name(row, 1)?.parse().ok()?,
    })
}

/// The most that each operator was seen to carry of each kind of work: its busiest hour, were a day made of those.
fn carried(
    warehouse: &dyn Reader,
    network: Network,
    days: std::ops::Range<u64>,
) -> Result<Vec<Carried>, Error> {
    const HOURS: u64 = 24;
    let question = Sums {
        by: BY.iter().copied().take(4).collect(),
        columns: [Column::Plain(Plain::Tenures), Column::Plain(Plain::ServedMs)].into(),
        span: days.start * DAY..days.end * DAY,
        step_minutes: Some(60),
        ..Sums::default()
    };
    let mut most: BTreeMap<(Address, WorkClass), (u64, u64)> = BTreeMap::new();
    for row in warehouse.series(network, &question)? {
        let operator = name(&row, 0).and_then(|name| name.parse().ok());
        let Some((operator, work)) = operator.zip(work(&row)) else { continue };
        let sum =
            |plain: Plain| row.sums.columns.get(&Column::Plain(plain)).copied().unwrap_or_default();
        let (jobs, served) = most.entry((operator, work)).or_default();
        *jobs = (*jobs).max(sum(Plain::Tenures));
        *served = (*served).max(sum(Plain::ServedMs));
    }
    let known = |count: u64| (count > 0).then(|| count.saturating_mul(HOURS));
    let carried = most.into_iter().map(|((operator, work), (jobs, served))| Carried {
        jobs_max: known(jobs),
        operator,
        served_max_ms: known(served).map(Millis),
        work,
    });
    Ok(carried.collect())
}
