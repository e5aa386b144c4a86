//! What would raise a score through one of its parts: how many more obligations met, told by sources that count.

use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use crate::policy::rule::Evidence;
use crate::score::bound::lower_bound;
use crate::scorecard::Component;

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
    let (Some(evidence), Some(failures), Some(effect)) =
        (component.evidence, component.failures, component.effect_ppm)
    else {
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
    // Of what is met only a share counts as evidence, and what happens at once is divided.
    let told = u128::from(high) * u128::from(effect) / u128::from(rule.factor_ppm.0.max(1));
    Some(Lift { good_more: u64::try_from(told).ok()?.saturating_add(1), score: better(high) })
}

/// What the fullest source lacks to count.
fn to_count(component: &Component, rule: &Evidence) -> Option<Lift> {
    let counts = component.sources.iter().map(|source| source.good + source.bad + source.disputed);
    let most = counts.max().unwrap_or(0);
    let lacking = rule.source_obligations_min.checked_sub(most).filter(|lacking| *lacking > 0)?;
    Some(Lift { good_more: lacking, score: None })
}
