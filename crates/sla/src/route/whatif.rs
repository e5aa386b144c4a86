//! The replay of value: what a routing policy would have changed over recorded days, and how sure that is.
//!
//! A day is judged by what was known before it, never by what came later. Jobs of whoever would not have been listed go to
//! those who would, as their gateway was seen to share its work among them, and fare there as others did. What cannot be
//! told so is counted as unknown and changes nothing: it is no gain.

mod book;
pub mod estimate;
pub mod record;
mod replay;

use std::collections::BTreeMap;

use events::identity::{Address, GatewayName};
use events::unit::{UnixMillis, Wei};
use serde::Serialize;

use super::candidate::Candidate;
use super::choose::choose;
use super::policy::{DAY_MS, Freshness, RoutingPolicy};
use super::reason::Code;
use super::turn::Turn;
use super::work::{Asked, Work};
use crate::scorecard::PolicyName;
use crate::tally::add;
use crate::tally::cell::WorkClass;
use book::Book;
use estimate::Estimate;
use record::{Bounds, Carried, Day};
use replay::{Change, Effect, Listing, Scene};

/// What every figure of a replay rests on, to be shown beside it (docs/routing.md, "What a replay assumes").
pub const ASSUMPTIONS: &[&str] = &[
    "gateways take who is listed and leave who is not; the order within the list changes nothing",
    "an operator listed in part of a day's turns keeps that part of its jobs",
    "a gateway shares what is left among those listed all day as it shared its own work among them that day, or around it",
    "jobs fare with their new operator as its other jobs of that kind did that day, or around it; more of them change no rate",
    "nobody takes more than it was seen to carry, where that is known",
    "what cannot be told is unknown and changes nothing",
];

events::words! {
    /// Why jobs of somebody who would not have been listed stay where they were.
    Unknown {
        /// None of those listed all day had work of that kind from that gateway.
        NoAlternative = "no-alternative",
        /// Too few outcomes of the new operator are recorded.
        NoRecord = "no-record",
        /// The new operator was never seen to carry more.
        NoRoom = "no-room",
        /// Too little was known of the operator before the day to judge it: it was no candidate, or its URL or offers were unknown.
        NotJudged = "not-judged",
        /// The scores were too old, so that the gateway would have kept its list.
        Stale = "stale",
    }
}

/// What a policy would have changed for an operator.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Shift {
    /// Jobs it would have had from others.
    pub gained: u64,
    /// Jobs it had.
    pub jobs: u64,
    /// Of those, jobs that others would have had.
    pub lost: u64,
}

/// Latency of moved jobs for which it is known on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LatencyChange {
    /// Microseconds a job, after less before: less than zero is faster. Absent where no job can be compared.
    pub change_us: Option<Estimate>,
    /// The jobs compared.
    pub jobs: u64,
    /// Their mean under the policy in microseconds, rounded up.
    pub mean_after_us: Option<u64>,
    /// Their mean as recorded in microseconds, rounded down.
    pub mean_before_us: Option<u64>,
}

/// Cost of moved jobs for which it is known on both sides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CostChange {
    /// Under the policy.
    pub after_wei: Wei,
    /// As recorded.
    pub before_wei: Wei,
    /// After less before: less than zero is cheaper. Absent where no job can be compared.
    pub change_wei: Option<Estimate>,
    /// The jobs compared.
    pub jobs: u64,
}

/// What one day would have changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DayChange {
    /// Its number since 1970-01-01.
    pub day: u64,
    /// Failures avoided, in millionths.
    pub failures_avoided_millionths: i64,
    /// Jobs recorded.
    pub jobs: u64,
    /// Jobs that would have gone elsewhere.
    pub moved: u64,
    /// Jobs of which that cannot be told.
    pub unknown: u64,
}

/// What a policy would have changed for a gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GatewayChange {
    /// Cost, where both sides are known.
    pub cost: CostChange,
    /// Failures recorded.
    pub failures: u64,
    /// Failures avoided less failures caused, in millionths of a failure.
    pub failures_avoided_millionths: Estimate,
    /// Jobs recorded.
    pub jobs: u64,
    /// Latency, where both sides are known.
    pub latency: LatencyChange,
    /// Jobs that would have gone elsewhere.
    pub moved: u64,
}

/// What a routing policy would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhatIf {
    /// See [`ASSUMPTIONS`].
    pub assumptions: &'static [&'static str],
    /// Cost, where both sides are known.
    pub cost: CostChange,
    /// Each day with recorded jobs, in order.
    pub days: Vec<DayChange>,
    /// Failures recorded.
    pub failures: u64,
    /// Failures avoided less failures caused, in millionths of a failure.
    pub failures_avoided_millionths: Estimate,
    /// The same for each gateway, by its name, or its address as text; over the days on which it gave work.
    pub gateways: BTreeMap<GatewayName, GatewayChange>,
    /// Jobs recorded.
    pub jobs: u64,
    /// Latency, where both sides are known.
    pub latency: LatencyChange,
    /// Jobs that would have gone elsewhere.
    pub moved: u64,
    /// Who would have gained and lost how many jobs.
    pub operators: BTreeMap<Address, Shift>,
    /// The policy.
    pub policy: PolicyName,
    /// Jobs of which it cannot be told, by why.
    pub unknown: BTreeMap<Unknown, u64>,
}

/// What a replay is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What gateways asked for; of recorded work only what it names is replayed, all where it names none.
    pub asked: &'a Asked,
    /// How much record is asked for.
    pub bounds: Bounds,
    /// How much operators were seen to carry; no bound where nothing is known.
    pub carried: &'a [Carried],
    /// The policy.
    pub policy: &'a RoutingPolicy,
}

/// What a policy would have changed over these days. Their order never matters; one that stands twice is added up.
pub fn replay(question: Question<'_>, days: &[Day]) -> WhatIf {
    let book = Book::of(days);
    let mut known = BTreeMap::<u64, (Vec<Candidate>, Option<UnixMillis>)>::new();
    for day in days {
        let (candidates, scores_to) =
            known.entry(day.day).or_insert_with(|| (Vec::new(), day.scores_to));
        candidates.extend(day.candidates.iter().cloned());
        *scores_to = (*scores_to).min(day.scores_to);
    }
    let changes = known.into_iter().map(|(day, (candidates, scores_to))| {
        (day, question.play(&book, day, &candidates, scores_to))
    });
    let changes = changes.filter(|(_, change)| change.all().jobs > 0).collect();
    question.add_up(changes)
}

impl Question<'_> {
    fn play(
        &self,
        book: &Book,
        day: u64,
        candidates: &[Candidate],
        scores_to: Option<UnixMillis>,
    ) -> Change {
        let mut change = Change::default();
        let start = UnixMillis(day.saturating_mul(DAY_MS));
        let freshness = self.policy.freshness(scores_to, start);
        for (work, page) in book.day(day) {
            if !self.is_asked(work) {
                continue;
            }
            change.count(page);
            if matches!(freshness, Freshness::Stale { .. }) {
                change.leave(total(page.all.values().map(|sums| sums.jobs)), Unknown::Stale);
                continue;
            }
            let (listing, turns) = self.listing(work, candidates, start);
            let listing = &listing;
            let (bounds, carried) = (self.bounds, self.carried);
            Scene { book, bounds, carried, day, listing, turns, work }.play(page, &mut change);
        }
        change
    }

    fn is_asked(&self, work: &WorkClass) -> bool {
        let work = Work::from(work);
        self.asked.work.is_empty() || self.asked.work.iter().any(|asked| asked.covers(&work))
    }

    /// In how many of a day's turns each operator would have been listed, and how many there are.
    fn listing(
        &self,
        work: &WorkClass,
        candidates: &[Candidate],
        start: UnixMillis,
    ) -> (Listing, u64) {
        let asked = Asked { work: vec![Work::from(work)], ..self.asked.clone() };
        let turns = DAY_MS / self.policy.period_ms.0.max(1);
        let first = self.policy.turn(start);
        let mut listing = Listing::new();
        for turn in 0..turns {
            let turn = Turn(first.0.saturating_add(turn));
            let route = choose(self.policy, &asked, candidates, turn);
            let mut listed: Vec<_> = route.entries.iter().map(|entry| entry.operator).collect();
            listed.sort_unstable();
            listed.dedup();
            for operator in listed {
                *listing.entry(operator).or_default() += 1;
            }
            // Of whom a URL or any offer is missing, nothing was judged: the record is too thin, not the work too bad.
            for excluded in route.excluded {
                let offers_nothing = || {
                    let mut theirs =
                        candidates.iter().filter(|it| it.operator == excluded.operator);
                    theirs.all(|it| it.offers.is_empty())
                };
                let is_judged = excluded.reasons.iter().all(|reason| match reason.code {
                    Code::NoUrl => false,
                    Code::NoCapability => !offers_nothing(),
                    _ => true,
                });
                if is_judged {
                    listing.entry(excluded.operator).or_default();
                }
            }
        }
        (listing, turns)
    }

    fn add_up(&self, changes: Vec<(u64, Change)>) -> WhatIf {
        let mut gateways = BTreeMap::<&GatewayName, Vec<Effect>>::new();
        for (name, effect) in changes.iter().flat_map(|(_, change)| &change.gateways) {
            gateways.entry(name).or_default().push(*effect);
        }
        let gateways =
            gateways.into_iter().map(|(name, days)| (name.clone(), GatewayChange::of(&days)));
        let mut operators = BTreeMap::<Address, Shift>::new();
        let mut unknown = BTreeMap::<Unknown, u64>::new();
        for (_, change) in &changes {
            for (operator, jobs) in &change.served {
                add(&mut operators.entry(*operator).or_default().jobs, *jobs);
            }
            for (operator, jobs) in &change.gained {
                add(&mut operators.entry(*operator).or_default().gained, *jobs);
            }
            for (operator, jobs) in &change.lost {
                add(&mut operators.entry(*operator).or_default().lost, *jobs);
            }
            for (why, jobs) in &change.unknown {
                add(unknown.entry(*why).or_default(), *jobs);
            }
        }
        let all: Vec<Effect> = changes.iter().map(|(_, change)| change.all()).collect();
        let all = GatewayChange::of(&all);
        WhatIf {
            assumptions: ASSUMPTIONS,
            cost: all.cost,
            days: changes.iter().map(|(day, change)| day_change(*day, change)).collect(),
            failures: all.failures,
            failures_avoided_millionths: all.failures_avoided_millionths,
            gateways: gateways.collect(),
            jobs: all.jobs,
            latency: all.latency,
            moved: all.moved,
            operators,
            policy: self.policy.name(),
            unknown,
        }
    }
}

impl GatewayChange {
    /// What some days amount to.
    fn of(days: &[Effect]) -> Self {
        let sum = |of: fn(&Effect) -> u64| total(days.iter().map(of));
        let wei = |of: fn(&Effect) -> u128| Wei(total_wide(days.iter().map(of)));
        let cost = |day: &Effect| signed(day.cost_after_wei) - signed(day.cost_before_wei);
        let costs: Vec<i128> = days.iter().map(cost).collect();
        let avoided: Vec<i128> = days.iter().map(|day| day.avoided_millionths).collect();
        let cost_jobs = sum(|day| day.cost_jobs);
        Self {
            cost: CostChange {
                after_wei: wei(|day| day.cost_after_wei),
                before_wei: wei(|day| day.cost_before_wei),
                change_wei: (cost_jobs > 0).then(|| Estimate::of_sum(&costs)),
                jobs: cost_jobs,
            },
            failures: sum(|day| day.failures),
            failures_avoided_millionths: Estimate::of_sum(&avoided),
            jobs: sum(|day| day.jobs),
            latency: latency(days),
            moved: sum(|day| day.moved),
        }
    }
}

fn total(numbers: impl Iterator<Item = u64>) -> u64 {
    numbers.fold(0, u64::saturating_add)
}

fn total_wide(numbers: impl Iterator<Item = u128>) -> u128 {
    numbers.fold(0, u128::saturating_add)
}

fn signed(number: u128) -> i128 {
    i128::try_from(number).unwrap_or(i128::MAX)
}

fn day_change(day: u64, change: &Change) -> DayChange {
    let all = change.all();
    let end = if all.avoided_millionths < 0 { i64::MIN } else { i64::MAX };
    DayChange {
        day,
        failures_avoided_millionths: i64::try_from(all.avoided_millionths).unwrap_or(end),
        jobs: all.jobs,
        moved: all.moved,
        unknown: total(change.unknown.values().copied()),
    }
}

fn latency(days: &[Effect]) -> LatencyChange {
    let jobs = total(days.iter().map(|day| day.latency_jobs));
    let before = total_wide(days.iter().map(|day| day.latency_before_us));
    let after = total_wide(days.iter().map(|day| day.latency_after_us));
    let changes: Vec<_> = days
        .iter()
        .map(|it| (signed(it.latency_after_us) - signed(it.latency_before_us), it.latency_jobs))
        .collect();
    let many = u128::from(jobs);
    let mean = |number: Option<u128>| number.and_then(|mean| u64::try_from(mean).ok());
    LatencyChange {
        change_us: Estimate::of_ratio(&changes),
        jobs,
        mean_after_us: mean((jobs > 0).then(|| after.div_ceil(many))),
        mean_before_us: mean(before.checked_div(many)),
    }
}
