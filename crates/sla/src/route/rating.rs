//! The one score of a candidate for what is asked: where it is taken from, and how several become one.
//!
//! A score that is unknown is left out and never counted as zero; who has none at all has no rating.

use std::collections::BTreeSet;

use events::unit::Ppm;

use super::candidate::{Candidate, Standing};
use super::policy::RoutingPolicy;
use super::policy::table::{Broader, Combine};
use super::work::Work;
use crate::scorecard::Grade;

/// The score that decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rating {
    pub grade: Grade,
    /// The work whose scores it is made of.
    pub rests_on: BTreeSet<Work>,
    pub score: Ppm,
    pub upper: Option<Ppm>,
}

impl Rating {
    /// Of several, each with its weight; none of none.
    fn combine(parts: Vec<(Self, u32)>, combine: Combine) -> Option<Self> {
        let grade = parts.iter().map(|(part, _)| part.grade).max()?;
        let score = one_of(parts.iter().map(|(it, weight)| (it.score, *weight)), combine)?;
        let uppers: Option<Vec<_>> =
            parts.iter().map(|(part, weight)| Some((part.upper?, *weight))).collect();
        let upper = uppers.and_then(|uppers| one_of(uppers.into_iter(), combine));
        let rests_on = parts.into_iter().flat_map(|(part, _)| part.rests_on).collect();
        Some(Self { grade, rests_on, score, upper })
    }
}

/// One number of several, rounded down; none of none.
fn one_of(parts: impl Iterator<Item = (Ppm, u32)> + Clone, combine: Combine) -> Option<Ppm> {
    let mean = |weight: fn(u32) -> u32| {
        let sums = parts.clone().fold((0u128, 0u128), |(sum, weights), (score, by)| {
            let by = u128::from(weight(by));
            (sum + u128::from(score.0) * by, weights + by)
        });
        u32::try_from(sums.0.checked_div(sums.1)?).ok().map(Ppm)
    };
    match combine {
        Combine::Min => parts.map(|(score, _)| score).min(),
        Combine::Mean => mean(|_| 1),
        Combine::Weighted => mean(|weight| weight),
    }
}

/// The rating of a candidate for any of `wanted`; none where no score of it is known.
pub(super) fn rate(
    candidate: &Candidate,
    wanted: &BTreeSet<Work>,
    policy: &RoutingPolicy,
    combine: Combine,
) -> Option<Rating> {
    let weight = |work: &Work| {
        let row = policy.scores.work.iter().find(|row| row.work().covers(work));
        row.map_or(1, |row| row.weight)
    };
    let parts = wanted.iter().filter_map(|work| {
        let levels = levels(candidate, work, policy.scores.broader);
        let found = levels.iter().find_map(|level| look_up(candidate, level, combine))?;
        Some((found, weight(work)))
    });
    Rating::combine(parts.collect(), combine)
}

/// Where a score of `work` is looked for: the work itself, then what is broader, as far as allowed.
fn levels(candidate: &Candidate, work: &Work, broader: Broader) -> Vec<Work> {
    let mut levels = vec![work.clone()];
    if broader >= Broader::Pipeline && work.pipeline.is_some() && work.model.is_some() {
        levels.push(Work { model: None, ..work.clone() });
    }
    if broader >= Broader::Workload {
        let pipeline = Work { model: None, workload: None, ..work.clone() };
        let theirs = candidate.standings.iter().filter(|it| pipeline.covers(&it.work));
        let seen = theirs.filter_map(|it| it.work.workload).filter(|_| work.pipeline.is_some());
        let workloads: BTreeSet<_> = work.workload.into_iter().chain(seen).collect();
        levels.extend(workloads.into_iter().map(Work::of_workload));
    }
    if broader == Broader::All {
        levels.push(Work::ALL);
    }
    levels
}

/// The score of just this work, or, where there is none, of all its parts that have one.
fn look_up(candidate: &Candidate, work: &Work, combine: Combine) -> Option<Rating> {
    let exact = candidate.standings.iter().filter(|it| it.work == *work);
    let parts = candidate.standings.iter().filter(|it| work.covers(&it.work));
    let of = |standings: &mut dyn Iterator<Item = &Standing>| {
        Rating::combine(standings.filter_map(rating).map(|rating| (rating, 1)).collect(), combine)
    };
    of(&mut { exact }).or_else(|| of(&mut { parts }))
}

fn rating(standing: &Standing) -> Option<Rating> {
    let score = standing.score.filter(|_| standing.grade != Grade::Insufficient)?;
    let rests_on = BTreeSet::from([standing.work.clone()]);
    Some(Rating { grade: standing.grade, rests_on, score, upper: standing.upper })
}
