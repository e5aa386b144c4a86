//! What a score is made of, where its policy composes it. Nothing is computed here.

use events::event::Workload;
use events::identity::Address;
use events::unit::Ppm;
use serde::Serialize;
use sla::scorecard::{Component, Excluded, Grade, SourceView, WorkloadScore};

use crate::answer::Reasons;
use crate::schema;

/// One part of a score: what its sources prove.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreComponent {
    /// Its name in the policy.
    name: String,
    /// Its weight in sixteenths.
    weight: u32,
    /// The truth is not below this, in parts per million: what the score is made of. Null where there is too little.
    #[schema(value_type = Option<u32>)]
    lower_ppm: Option<Ppm>,
    /// The truth is not above this, in parts per million.
    #[schema(value_type = Option<u32>)]
    upper_ppm: Option<Ppm>,
    /// The share met as the deciding source saw it, each block by what it weighs, in parts per million, rounded down.
    #[schema(value_type = Option<u32>)]
    rate_ppm: Option<Ppm>,
    /// The source that decides: the low median of all, each party with one vote.
    #[schema(value_type = Option<schema::Address>)]
    decides: Option<Address>,
    /// The independent observations that count as evidence.
    evidence: Option<u64>,
    /// Those of them that were not met, rounded up.
    failures: Option<u64>,
    /// How many obligations of the deciding source make one independent observation, in parts per million, rounded up.
    effect_ppm: Option<u64>,
    /// Everybody who told of it.
    sources: Vec<ScoreSource>,
    /// Why a member is null.
    reasons: Reasons,
}

/// What one source told of a component.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreSource {
    /// Who told.
    #[schema(value_type = schema::Address)]
    source: Address,
    /// How many sources share a vote, itself among them; absent where it has one of its own, or does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    sharers: Option<u64>,
    /// How many independent observations what it told is worth, rounded down.
    observations: u64,
    /// Whether it told of enough to count.
    counts: bool,
    /// Obligations met.
    good: u64,
    /// Obligations not met.
    bad: u64,
    /// Obligations that are contested.
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
    /// The score in parts per million; null where there is too little evidence.
    #[schema(value_type = Option<u32>)]
    score_ppm: Option<Ppm>,
    /// The score were all of its parts as good as they can be.
    #[schema(value_type = Option<u32>)]
    upper_ppm: Option<Ppm>,
    /// What it weighs over all work: how many observations stand behind sources of middling size, of all parts together.
    evidence: u64,
    /// Its parts.
    components: Vec<ScoreComponent>,
    /// Why a member is null.
    reasons: Reasons,
}

/// Obligations that count for nothing, by why.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreExcluded {
    /// The one who told them and the one they are about are one party.
    linked: u64,
    /// They failed in an outage.
    outage: u64,
    /// Nobody but the operator told of them.
    own: u64,
    /// The one who told them is no source yet.
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
