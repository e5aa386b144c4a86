//! What a score is made of, where its policy composes it. Nothing is computed here.

use events::event::Workload;
use events::identity::Address;
use events::unit::Ppm;
use serde::Serialize;
use sla::scorecard::{Component, Excluded, Grade, SourceView, WorkloadScore};

use crate::answer::Reasons;
use crate::schema;

/// One component of a score: what its sources prove.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreComponent {
    /// Its name in the policy.
    name: String,
    /// Its weight in sixteenths.
    weight: u32,
    /// The lower confidence bound, in parts per million, which is what the score is made of; null if there is too
    /// little evidence.
    #[schema(value_type = Option<u32>)]
    lower_ppm: Option<Ppm>,
    /// The upper confidence bound, in parts per million.
    #[schema(value_type = Option<u32>)]
    upper_ppm: Option<Ppm>,
    /// The share of obligations met as the deciding source saw it, each block of time by its weight, in parts per
    /// million, rounded down.
    #[schema(value_type = Option<u32>)]
    rate_ppm: Option<Ppm>,
    /// The source whose bound is the low median of all sources, each party having one vote.
    #[schema(value_type = Option<schema::Address>)]
    decides: Option<Address>,
    /// How many independent observations count as evidence.
    evidence: Option<u64>,
    /// How many of them were failures, rounded up.
    failures: Option<u64>,
    /// How many obligations of the deciding source make one independent observation, in parts per million, rounded up.
    effect_ppm: Option<u64>,
    /// Everyone who reported on it.
    sources: Vec<ScoreSource>,
    /// Why a member is null.
    reasons: Reasons,
}

/// What one source reported about a component.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreSource {
    /// Who reported it.
    #[schema(value_type = schema::Address)]
    source: Address,
    /// How many sources share its vote, itself included; absent if it has a vote of its own or does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharers: Option<u64>,
    /// How many independent observations its reports are worth, rounded down.
    observations: u64,
    /// Whether it reported enough to count.
    counts: bool,
    /// Obligations met.
    good: u64,
    /// Obligations not met.
    bad: u64,
    /// Obligations on which the parties contradict each other.
    disputed: u64,
}

/// The score of one workload, over all its pipelines and models.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreWorkload {
    /// The workload.
    #[schema(value_type = schema::Workload)]
    workload: Workload,
    /// The evidence grade.
    #[schema(value_type = schema::Grade)]
    grade: Grade,
    /// The score in parts per million; null if there is too little evidence.
    #[schema(value_type = Option<u32>)]
    score_ppm: Option<Ppm>,
    /// What the score would be if every component were at its upper bound, in parts per million.
    #[schema(value_type = Option<u32>)]
    upper_ppm: Option<Ppm>,
    /// Its weight in the score over all work: how many observations a source of median size has, all components
    /// together.
    evidence: u64,
    /// Its components.
    components: Vec<ScoreComponent>,
    /// Why a member is null.
    reasons: Reasons,
}

/// Obligations that do not count, by reason.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreExcluded {
    /// Reported by someone who is one party with the orchestrator.
    linked: u64,
    /// Failed in an outage.
    outage: u64,
    /// Reported by nobody but the operator.
    own: u64,
    /// Reported by someone who does not count as a source yet.
    young: u64,
}

impl From<Component> for ScoreComponent {
    fn from(component: Component) -> Self {
        let Component {
            decides,
            effect_ppm,
            evidence,
            failures,
            lower,
            name,
            rate,
            sources,
            upper,
            weight,
        } = component;
        let mut reasons = Reasons::default();
        let few = || "too few obligations were told of by sources that count".to_owned();
        Self {
            name,
            weight,
            lower_ppm: reasons.explain("lower_ppm", lower, few),
            upper_ppm: reasons.explain("upper_ppm", upper, few),
            rate_ppm: reasons.explain("rate_ppm", rate, few),
            decides: reasons.explain("decides", decides, few),
            evidence: reasons.explain("evidence", evidence, few),
            failures: reasons.explain("failures", failures, few),
            effect_ppm: reasons.explain("effect_ppm", effect_ppm, few),
            sources: sources.into_iter().map(ScoreSource::from).collect(),
            reasons,
        }
    }
}

impl From<SourceView> for ScoreSource {
    fn from(view: SourceView) -> Self {
        let SourceView { bad, counts, disputed, good, observations, sharers, source } = view;
        Self { source, sharers, observations, counts, good, bad, disputed }
    }
}

impl From<WorkloadScore> for ScoreWorkload {
    fn from(of: WorkloadScore) -> Self {
        let mut reasons = Reasons::default();
        let why = of.reason;
        let unscored = || why.unwrap_or_else(|| "the scorecard gives none".to_owned());
        let is_scored = of.score.is_some();
        Self {
            workload: of.workload,
            grade: of.grade,
            score_ppm: reasons.explain("score_ppm", of.score, unscored),
            upper_ppm: reasons.explain("upper_ppm", of.upper, || no_upper(is_scored)),
            evidence: of.evidence,
            components: of.components.into_iter().map(ScoreComponent::from).collect(),
            reasons,
        }
    }
}

impl From<Excluded> for ScoreExcluded {
    fn from(excluded: Excluded) -> Self {
        let Excluded { linked, outage, own, young, .. } = excluded;
        Self { linked, outage, own, young }
    }
}

/// Why there is no upper bound.
pub fn no_upper(is_scored: bool) -> String {
    if is_scored { "its policy gives none" } else { "there is no score" }.to_owned()
}
