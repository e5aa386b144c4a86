//! What would raise a score through one of its parts: how many more obligations met, told by sources that count.

use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use crate::policy::rule::Evidence;
use crate::score::bound::lower_bound;
use crate::scorecard::{Component, SourceView};

/// A point: a hundredth of a whole score.
const POINT: u32 = 10_000;

/// More obligations than this are no advice.
const MOST: u64 = 1_000_000;

/// One thing that would raise a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lift {
    /// So many more obligations met, seen by the sources there are in the proportions of now, and as spread over time.
    pub good_more: u64,
    /// What the score becomes by it; absent where it only brings the part a bound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Ppm>,
}

/// What raises a score by a point, or brings a part its bound.
pub(super) fn lift(
    component: &Component,
    score: Option<Ppm>,
    rule: &Evidence,
    with: &dyn Fn(Ppm) -> Option<Ppm>,
) -> Option<Lift> {
    let Some((evidence, failures)) = component.evidence.zip(component.failures) else {
        return to_count(component, rule);
    };
    let score = score?;
    let better = |more: u64| {
        let good = evidence.saturating_sub(failures).saturating_add(more);
        with(lower_bound(good, failures, rule.confidence()))
    };
    let is_enough =
        |more: u64| better(more).is_some_and(|it| it.0 >= score.0.saturating_add(POINT));
    let mut high = 1;
    while !is_enough(high) {
        high *= 2;
        if high > MOST {
            return None;
        }
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low.midpoint(high);
        if is_enough(middle) { high = middle } else { low = middle }
    }
    // So much more of everything that sources told makes so much more evidence.
    let counting = component.sources.iter().filter(|source| source.counts);
    let all = counting.map(|source| u128::from(count(source))).sum::<u128>();
    let told = u128::from(high) * all / u128::from(evidence.max(1));
    Some(Lift { good_more: u64::try_from(told).ok()?.saturating_add(1), score: better(high) })
}

/// What the fullest source lacks to count.
fn to_count(component: &Component, rule: &Evidence) -> Option<Lift> {
    let fullest = component.sources.iter().max_by_key(|source| source.observations)?;
    let seen = fullest.observations;
    let lacking = rule.source_observations_min.checked_sub(seen).filter(|lacking| *lacking > 0)?;
    // As many obligations for each observation as now.
    let told = u128::from(lacking) * u128::from(count(fullest).max(1));
    let good_more = u64::try_from(told.div_ceil(u128::from(seen.max(1)))).ok()?;
    Some(Lift { good_more, score: None })
}

/// How many obligations came to something by the word of a source.
fn count(source: &SourceView) -> u64 {
    source.good.saturating_add(source.bad).saturating_add(source.disputed)
}
