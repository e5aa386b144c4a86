//! The scores of the transcoding and AI leaderboard, reproduced for comparison. It judges nothing by itself and adds
//! nothing of ours, except that what is unknown is unknown and not zero.
//!
//! *Transcoding*: `success * (1 - e^-(duration / round trip))` of the means.
//! *Requests*: `0.65 success + 0.35 e^-(k * round trip)` with `k = -ln 0.8 / median`, so that a mean at the median of
//! all perfect tests scores 0.8; nothing succeeded scores nothing. The constants stand in the policy.
//!
//! All is exact but for one exponential and one logarithm ([`super::fixed`]); each published number is rounded once, to
//! the nearest part per million, halves up.

use std::collections::BTreeMap;

use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use super::fixed::{Atto, exp_minus, ln};
use super::fraction::{Fraction, Mean};

events::words! {
    /// The name of the method in a policy.
    Method {
        /// These formulas.
        Leaderboard = "leaderboard",
    }
}

/// The constants of the method, as they stand in a policy's `[score]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Which table this is.
    pub method: Method,
    /// What a mean round trip at the median scores, of requests.
    pub at_median_ppm: Ppm,
    /// The weight of the round trip in the score of requests.
    pub round_trip_weight_ppm: Ppm,
    /// The weight of success in the score of requests.
    pub success_weight_ppm: Ppm,
}

impl Constants {
    /// Refuses constants that make no score: the member that is wrong, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let at_median = self.at_median_ppm.0;
        if !(1..Ppm::ONE.0).contains(&at_median) {
            let why = format!("score.at_median_ppm is {at_median}, outside 1 to 999999");
            return Err(("at_median_ppm", why));
        }
        let weights = [self.round_trip_weight_ppm, self.success_weight_ppm];
        let sum: u64 = weights.iter().map(|weight| u64::from(weight.0)).sum();
        if sum != u64::from(Ppm::ONE.0) {
            let names = "score.round_trip_weight_ppm and success_weight_ppm";
            let why = format!("{names} sum to {sum}, not 1000000");
            return Err(("success_weight_ppm", why));
        }
        Ok(())
    }
}

/// Tests of one orchestrator in one region with segments to transcode.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Segments {
    /// How long segments play; in any unit that the round trip shares.
    pub duration: Mean,
    /// How long they took.
    pub round_trip: Mean,
    /// How much came back of what was sent: the sum over tests, each at most one.
    pub success: Mean,
}

/// Tests of one orchestrator in one region with one pipeline and model.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Requests {
    /// How long they took; in any unit that the median shares.
    pub round_trip: Mean,
    /// How many succeeded: the sum over tests, each at most one.
    pub success: Mean,
}

/// A score and what it was made of. What is unknown is absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Score {
    /// How fast.
    pub round_trip: Option<Ppm>,
    /// Both together.
    pub score: Option<Ppm>,
    /// How often it succeeded.
    pub success: Option<Ppm>,
}

impl Score {
    /// Rounds what is known. Where nothing succeeded the score is zero, however fast.
    fn of(
        success: Option<Fraction>,
        speed: Option<Fraction>,
        compose: impl Fn(&Fraction, &Fraction) -> Fraction,
    ) -> Self {
        let nothing = Fraction::whole(0u8);
        let score = match (&success, &speed) {
            (Some(success), _) if *success == nothing => Some(nothing),
            (Some(success), Some(speed)) => Some(compose(success, speed)),
            _ => None,
        };
        let round = |number: Option<Fraction>| number.map(|number| number.ppm_nearest());
        Self { round_trip: round(speed), score: round(score), success: round(success) }
    }
}

/// The score of transcoding. A round trip of no time at all scores nothing, as there.
pub fn segments(tests: &Segments) -> Score {
    let speed = || {
        let (plays, took) = (tests.duration.value()?, tests.round_trip.value()?);
        let times_real = plays.over(&took).unwrap_or_else(|| Fraction::whole(0u8));
        let left = exp_minus(Atto::floor_of(&times_real));
        Some(Fraction::whole(1u8).less(&left.fraction()))
    };
    let success = tests.success.value().map(Fraction::capped);
    Score::of(success, speed(), |success, speed| success.times(speed))
}

/// The score of requests, given the median round trip of all perfect tests there are to compare with. Without one
/// nobody can tell what is fast.
pub fn requests(tests: &Requests, median: Option<&Fraction>, constants: &Constants) -> Score {
    let speed = || {
        let medians = tests.round_trip.value()?.over(median?)?;
        let decay = ln(u64::from(Ppm::ONE.0), u64::from(constants.at_median_ppm.0))?;
        let left = exp_minus(Atto::floor_of(&medians.times(&decay.fraction())));
        Some(left.fraction())
    };
    let success = tests.success.value().map(Fraction::capped);
    let (of_success, of_speed) =
        (constants.success_weight_ppm.into(), constants.round_trip_weight_ppm.into());
    Score::of(success, speed(), |success, speed| {
        success.times(&of_success).plus(&speed.times(&of_speed))
    })
}

/// The median of values that came up so often, zeros left out: SQL's `PERCENTILE_CONT(0.5)`, which of an even number of
/// values is the mean of the two in the middle. None of nothing.
pub fn median(values: &BTreeMap<u64, u64>) -> Option<Fraction> {
    let kept = || values.iter().filter(|(value, _)| **value > 0);
    let total: u128 = kept().map(|(_, count)| u128::from(*count)).sum();
    // The value so many places from the least, counted from zero.
    let at = |place: u128| {
        let mut seen = 0u128;
        let found = kept().find(|(_, count)| {
            seen += u128::from(**count);
            seen > place
        });
        found.map(|(value, _)| u128::from(*value))
    };
    let (low, high) = (at(total.checked_sub(1)? / 2)?, at(total / 2)?);
    Fraction::new(low + high, 2u8)
}
