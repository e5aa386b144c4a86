//! Why a score is what it is: what each part cost, which jobs moved it, what counts for nothing, and what would raise it.
//!
//! Everything here is read from a scorecard and its policy, or from the facts of jobs. It changes no number and is part of
//! no digest.

mod lift;
mod moved;
mod text;

use events::event::Workload;
use events::identity::{Address, Digest};
use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use crate::policy::Policy;
use crate::policy::rule::{Evidence, Rule};
use crate::score::compose::compose;
use crate::scorecard::{Component, Excluded, Grade, Scorecard, Scored, SourceView};
use crate::tally::cell::WorkClass;
use crate::window::Window;

pub use lift::Lift;
pub use moved::{Moved, MovedObligation, moved};
pub use text::text;

/// One whole, in parts per million.
pub(crate) const WHOLE: Ppm = Ppm::ONE;

/// Why an operator's scores are what they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The scorecard it explains.
    pub digest: Digest,
    /// What counts for nothing, over all its work.
    pub excluded: Excluded,
    /// The evidence grade over all its work.
    pub grade: Grade,
    /// The operator.
    pub operator: Address,
    /// The policy's id.
    pub policy: String,
    /// Why there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The score over all its work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Ppm>,
    /// Workload by workload, then by kind of work.
    pub scopes: Vec<Scope>,
    /// The score were all of its parts as good as they can be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upper: Option<Ppm>,
    /// The window.
    pub window: Window,
}

/// Some of an operator's work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The kind of work; absent for all of the workload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub class: Option<WorkClass>,
    /// The evidence grade.
    pub grade: Grade,
    /// The parts of the score.
    pub parts: Vec<Part>,
    /// Why there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<Ppm>,
    /// The workload.
    pub workload: Workload,
}

/// One part of a score, and what it cost.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The source whose bound is the low median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decides: Option<Address>,
    /// How many of its obligations make one independent observation.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect_ppm: Option<u64>,
    /// The independent observations that count as evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub evidence: Option<u64>,
    /// Those of them that were not met.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<u64>,
    /// What would raise the score through this part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lift: Option<Lift>,
    /// What the score would be higher if this part were perfect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Ppm>,
    /// The part of `lost` that is too little evidence rather than failures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost_to_doubt: Option<Ppm>,
    /// What its sources prove at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower: Option<Ppm>,
    /// Its name.
    pub name: String,
    /// The share met as that source saw it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate: Option<Ppm>,
    /// Who told of it.
    pub sources: Vec<SourceView>,
    /// Its weight in sixteenths.
    pub weight: u32,
}

/// Explains what `card`, made by `policy`, says of an operator; nothing if it says nothing of it.
pub fn explain(card: &Scorecard, policy: &Policy, operator: Address) -> Option<Explanation> {
    let mine: Vec<&Scored> =
        card.results.iter().filter(|scored| scored.operator == Some(operator)).collect();
    let all = mine.iter().find(|scored| scored.class.is_none())?;
    let rule = match &policy.score {
        Rule::Evidence(rule) => Some(rule),
        Rule::Leaderboard(_) | Rule::Pooled(_) | Rule::Quality(_) => None,
    };
    let whole = all.workloads.iter().map(|it| Scope {
        class: None,
        grade: it.grade,
        parts: parts(&it.components, it.score, rule),
        reason: it.reason.clone(),
        score: it.score,
        workload: it.workload,
    });
    let kinds = mine.iter().filter_map(|scored| {
        let class = scored.class.clone()?;
        Some(Scope {
            grade: scored.grade,
            parts: parts(&scored.components, scored.score, rule),
            reason: scored.reason.clone(),
            score: scored.score,
            workload: class.workload,
            class: Some(class),
        })
    });
    Some(Explanation {
        digest: card.digest(),
        excluded: all.excluded.clone(),
        grade: all.grade,
        operator,
        policy: card.policy.id.clone(),
        reason: all.reason.clone(),
        score: all.score,
        scopes: whole.chain(kinds).collect(),
        upper: all.upper,
        window: card.window,
    })
}

fn parts(components: &[Component], score: Option<Ppm>, rule: Option<&Evidence>) -> Vec<Part> {
    let parts = components.iter().enumerate().map(|(at, component)| {
        let with = |value: Ppm| composite(components, at, value);
        let above = |value: Option<Ppm>| {
            let (score, higher) = (score?, with(value?)?);
            Some(Ppm(higher.0.saturating_sub(score.0)))
        };
        Part {
            decides: component.decides,
            effect_ppm: component.effect_ppm,
            evidence: component.evidence,
            failures: component.failures,
            lift: rule.and_then(|rule| lift::lift(component, score, rule, &with)),
            lost: above(component.lower.map(|_| WHOLE)),
            lost_to_doubt: above(component.rate),
            lower: component.lower,
            name: component.name.clone(),
            rate: component.rate,
            sources: component.sources.clone(),
            weight: component.weight,
        }
    });
    parts.collect()
}

/// The composite of the parts with the one at `place` exchanged; nothing while one of the others is unknown.
fn composite(components: &[Component], place: usize, value: Ppm) -> Option<Ppm> {
    let parts = components.iter().enumerate().map(|(at, component)| {
        let part = if at == place { Some(value) } else { component.lower };
        Some((part?, component.weight))
    });
    compose(&parts.collect::<Option<Vec<_>>>()?)
}
