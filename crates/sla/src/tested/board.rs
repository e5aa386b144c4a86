//! The leaderboard: what tests come to for each orchestrator and region, by the formulas of
//! [`crate::score::leaderboard`]. It is a service to the clients that read those numbers, and no score of ours.
//!
//! What failed has no time, so the mean round trip is that of what came back. Several kinds of work are scored each by
//! itself, against the median of its own kind, and each counts once in their mean. Where nothing can be said, nothing is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use events::event::Workload;
use events::identity::{Address, Model, Pipeline, Region};
use events::unit::Ppm;

use super::Tested;
use crate::score::fraction::{Fraction, Mean};
use crate::score::leaderboard::{
    Constants, Method, Requests, Score, Segments, median, requests, segments,
};

/// The constants of the leaderboard as it was (`policies/leaderboard.toml` has the same).
pub const CONSTANTS: Constants = Constants {
    method: Method::Leaderboard,
    at_median_ppm: Ppm(800_000),
    round_trip_weight_ppm: Ppm(350_000),
    success_weight_ppm: Ppm(650_000),
};

/// A kind of work: its pipeline and model; transcoding has neither.
pub type Kind = (Option<Pipeline>, Option<Model>);

/// How an orchestrator stands in a region. Every number is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// How fast; zero where nothing came back.
    pub round_trip: Ppm,
    /// Both together.
    pub score: Ppm,
    /// How much came back.
    pub success: Ppm,
    /// How many tests that rests on.
    pub tests: u64,
}

/// By orchestrator, region and kind of work.
type Groups<'a> = BTreeMap<(Address, Cow<'a, Region>), BTreeMap<Kind, Vec<&'a Tested>>>;

/// How everybody stands. Tests whose region is not said stand nowhere.
pub fn standings(tests: &[&Tested]) -> BTreeMap<Address, BTreeMap<Region, Standing>> {
    let medians = medians(tests);
    let mut standings: BTreeMap<Address, BTreeMap<Region, Standing>> = BTreeMap::new();
    for ((operator, region), kinds) in groups(tests) {
        let each = kinds.iter().filter_map(|(kind, tests)| standing(tests, medians.get(kind)));
        if let Some(all) = together(&each.collect::<Vec<_>>()) {
            standings.entry(operator).or_default().insert(region.into_owned(), all);
        }
    }
    standings
}

/// What an orchestrator does best.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Best {
    /// With which pipeline and model.
    pub kind: Kind,
    /// Where.
    pub region: Region,
    /// How it stands there.
    pub standing: Standing,
}

/// What an orchestrator does best, of what others were tested with too: a score is relative to the others, and alone
/// everybody is the best. Only where it was never compared, what it does best alone. Of equals the one with more tests.
pub fn best(tests: &[&Tested], operator: Address) -> Option<Best> {
    let medians = medians(tests);
    let mut rivals: BTreeMap<Kind, BTreeSet<Address>> = BTreeMap::new();
    for test in tests {
        rivals.entry(kind(test)).or_default().insert(test.operator);
    }
    let groups = groups(tests).into_iter().filter(|((whose, _), _)| *whose == operator);
    let all = groups.flat_map(|((_, region), kinds)| {
        kinds.into_iter().map(move |(kind, tests)| (region.clone(), kind, tests))
    });
    let known = all.filter_map(|(region, kind, tests)| {
        let standing = standing(&tests, medians.get(&kind))?;
        let is_compared = rivals.get(&kind).is_some_and(|rivals| rivals.len() > 1);
        Some((is_compared, Best { kind, region: region.into_owned(), standing }))
    });
    let rank = |(is_compared, best): &(bool, Best)| {
        (*is_compared, best.standing.score, best.standing.tests)
    };
    known.max_by_key(rank).map(|(_, best)| best)
}

fn kind(test: &Tested) -> Kind {
    (test.pipeline.clone(), test.model.clone())
}

fn groups<'a>(tests: &[&'a Tested]) -> Groups<'a> {
    let mut groups = Groups::new();
    for test in tests {
        if let Some(place) = test.place() {
            let kinds = groups.entry((test.operator, place)).or_default();
            kinds.entry(kind(test)).or_default().push(test);
        }
    }
    groups
}

/// The median round trip of all perfect tests of each kind of work.
fn medians(tests: &[&Tested]) -> BTreeMap<Kind, Fraction> {
    let mut times: BTreeMap<Kind, BTreeMap<u64, u64>> = BTreeMap::new();
    for test in tests.iter().filter(|test| test.success() == Ppm::ONE) {
        if let Some(took) = test.round_trip() {
            *times.entry(kind(test)).or_default().entry(took.0).or_default() += 1;
        }
    }
    let known = times.into_iter().filter_map(|(kind, times)| Some((kind, median(&times)?)));
    known.collect()
}

/// How tests of one kind of work stand; nothing where they cannot be compared.
fn standing(tests: &[&Tested], median: Option<&Fraction>) -> Option<Standing> {
    let count = u64::try_from(tests.len()).unwrap_or(u64::MAX);
    let mean = |values: &mut dyn Iterator<Item = u64>| {
        values.fold(Mean::default(), |all, value| all.plus(Mean { count: 1, sum: value }))
    };
    let shares = tests.iter().map(|test| u64::from(test.success().0)).sum();
    // Shares are parts per million of a test.
    let success = Mean { count: count.saturating_mul(u64::from(Ppm::ONE.0)), sum: shares };
    let came = || tests.iter().filter_map(|test| test.round_trip());
    let round_trip = mean(&mut came().map(|took| took.0));
    let is_transcoding = tests.iter().any(|test| test.workload == Workload::Transcoding);
    let Score { round_trip, score, success } = if is_transcoding {
        let good = tests.iter().filter(|test| test.round_trip().is_some());
        let plays = good.filter_map(|test| test.measured.segment_us);
        let duration = mean(&mut plays.map(|plays| plays.0));
        segments(&Segments { duration, round_trip, success })
    } else {
        requests(&Requests { round_trip, success }, median, &CONSTANTS)
    };
    let (score, success) = (score?, success?);
    // Nothing that failed has a time; zero is the word for that, and only there.
    let round_trip = round_trip.or((success == Ppm(0)).then_some(Ppm(0)))?;
    Some(Standing { round_trip, score, success, tests: count })
}

/// The mean of several standings, each of which counts once.
fn together(all: &[Standing]) -> Option<Standing> {
    let count = u64::try_from(all.len()).unwrap_or(u64::MAX);
    let mean = |part: fn(&Standing) -> Ppm| {
        let sum: u64 = all.iter().map(|one| u64::from(part(one).0)).sum();
        let below = count.checked_mul(u64::from(Ppm::ONE.0))?;
        Some(Fraction::new(sum, below)?.ppm_nearest())
    };
    Some(Standing {
        round_trip: mean(|one| one.round_trip)?,
        score: mean(|one| one.score)?,
        success: mean(|one| one.success)?,
        tests: all.iter().map(|one| one.tests).sum(),
    })
}
