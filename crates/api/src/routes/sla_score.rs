//! `/v1/sla/score` and its other name `/v1/sla/compliance`: what an orchestrator's score is, of 100, what it is made of
//! and what it rests on. It filters and pages; it computes none.

use std::collections::BTreeMap;
use std::str::FromStr;

use axum::extract::State as Given;
use events::event::{Network, Workload};
use events::identity::{Address, Digest, Model, Pipeline, ServiceUrl};
use serde::{Deserialize, Serialize};
use sla::scorecard::{Component, Grade, PolicyName, Scored};
use sla::tally::outcome::Obligation;
use sla::window::{Span, Window};
use utoipa::IntoParams;
use warehouse::page::Paged;
use warehouse::view::{ScoreFilter, ScoreRow};

use crate::answer::{Answer, Reasons};
use crate::cursor::List;
use crate::number::Percent;
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query, one_of, shown};
use crate::routes::scores::OutcomeCounts;
use crate::schema;
use crate::state::State;
use crate::windowed::{newest, scorecard};

/// Which scores. `orchestrator`, `period` and `workflow` are other names for `operator`, `window` and `pipeline`.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SlaQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// Only scores with this evidence grade or a better one: A is the best.
    #[param(inline, value_type = schema::Grade, required = false)]
    grade_min: Option<Grade>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// Only scores for this model.
    #[param(value_type = String, required = false)]
    model: Option<Model>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only scores of this operator: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    operator: Option<Address>,
    /// Another name for `operator`.
    #[param(inline, value_type = schema::Address, required = false)]
    orchestrator: Option<Address>,
    /// `true`: only scores over all of an operator's work; `false`: only those for one kind of it.
    #[param(value_type = bool, required = false)]
    overall: Option<bool>,
    /// Another name for `window`.
    #[param(value_type = String, required = false)]
    period: Option<Wanted>,
    /// Only scores for this pipeline.
    #[param(value_type = String, required = false)]
    pipeline: Option<Pipeline>,
    /// `1h`, `24h`, `7d` or `28d` for the newest window of that length, or a window such as `2026-01-08T21Z/7d`; `24h` if
    /// none is named.
    #[param(value_type = String, required = false, example = "24h")]
    window: Option<Wanted>,
    /// Another name for `pipeline`.
    #[param(value_type = String, required = false)]
    workflow: Option<Pipeline>,
    /// Only scores for this workload.
    #[param(inline, value_type = schema::Workload, required = false)]
    workload: Option<Workload>,
}

/// Which window: one that is named, or the newest of a length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// This one.
    Named(Window),
    /// The newest of this length.
    Newest(Span),
}

impl FromStr for Wanted {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A day is also written `1d`.
        if let Ok(span) = if text == "1d" { Ok(Span::Day) } else { text.parse() } {
            return Ok(Self::Newest(span));
        }
        text.parse().map(Self::Named).map_err(|_| {
            let shown = shown(text);
            format!("{shown:?} is neither a window nor a length of one")
        })
    }
}

impl<'de> Deserialize<'de> for Wanted {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// The scores of a window.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SlaScores {
    /// The digest of the scorecard that contains them; null if the window can still change.
    #[schema(value_type = Option<schema::Digest>)]
    digest: Option<Digest>,
    /// The scores, by operator and kind of work.
    items: Vec<SlaScore>,
    /// The maximum number of items on this page.
    #[schema(minimum = 1, maximum = 500)]
    limit: u16,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The cursor of the next page; null on the last.
    next: Option<String>,
    /// The scoring policy that made them.
    policy: ScoringPolicy,
    /// Why a member is null.
    reasons: Reasons,
    /// The window.
    #[schema(value_type = schema::Window)]
    window: Window,
}

/// A policy, of scoring or of routing.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PolicyOf)]
pub struct ScoringPolicy {
    /// The hash of its file.
    #[schema(value_type = schema::Digest)]
    hash: Digest,
    /// Its name.
    id: String,
}

impl From<PolicyName> for ScoringPolicy {
    fn from(PolicyName { hash, id }: PolicyName) -> Self {
        Self { hash, id }
    }
}

/// One score.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SlaScore {
    /// The orchestrator's on-chain address; null if no capability offer ties the signer to one.
    #[schema(value_type = Option<schema::Address>)]
    orchestrator: Option<Address>,
    /// Its signing address; null if the orchestrator is known.
    #[schema(value_type = Option<schema::Address>)]
    signer: Option<Address>,
    /// The workload; null if the score is over all work.
    #[schema(value_type = Option<schema::Workload>)]
    workload: Option<Workload>,
    /// The pipeline; null if the score is over all work or none was named.
    #[schema(value_type = Option<String>)]
    pipeline: Option<Pipeline>,
    /// The model; null if the score is over all work or none was named.
    #[schema(value_type = Option<String>)]
    model: Option<Model>,
    /// The score, 0 to 100 with four decimals; null if there is too little evidence.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100, example = 96.0125)]
    score: Option<Percent>,
    /// What the score would be if every component were at its upper bound, in parts per million.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100)]
    score_upper: Option<Percent>,
    /// How much independent evidence supports it.
    #[schema(value_type = schema::Grade)]
    grade: Grade,
    /// The components of the score; for a score over all work, those of each workload.
    subscores: Vec<Subscore>,
    /// The outcomes of obligations, by kind.
    #[schema(value_type = BTreeMap<String, OutcomeCounts>)]
    inputs: BTreeMap<Obligation, OutcomeCounts>,
    /// Tenures that began in the window.
    tenures: u64,
    /// Where it can be checked.
    evidence: ScoreEvidence,
    /// Why a member is null.
    reasons: Reasons,
}

/// One component of a score.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Subscore {
    /// The workload it belongs to.
    #[schema(value_type = Option<schema::Workload>)]
    workload: Option<Workload>,
    /// Its name in the policy.
    name: String,
    /// Its weight in sixteenths.
    weight: u32,
    /// What its sources prove, 0 to 100; null if there is too little evidence.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100)]
    score: Option<Percent>,
    /// The percentage of obligations met as the deciding source saw it, 0 to 100.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100)]
    rate: Option<Percent>,
    /// How many independent observations count as evidence.
    observations: Option<u64>,
    /// Why a member is null.
    reasons: Reasons,
}

/// Where a score can be checked.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreEvidence {
    /// Everyone whose reports counted.
    #[schema(value_type = Vec<schema::Address>)]
    sources: Vec<Address>,
    /// Its service URL.
    #[schema(value_type = Vec<schema::ServiceUrl>)]
    urls: Vec<ServiceUrl>,
    /// The URL at which this instance explains the score; absent if the orchestrator is unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<String>,
    /// The URL that lists the files to recompute the window from.
    export: String,
}

fn evidence(network: Network, window: Window, scored: &Scored) -> ScoreEvidence {
    let (path, window) = (window.to_string().replace('/', "%2F"), window.to_string());
    let explain = scored.operator.map(|operator| {
        let window = window.replace('/', "%2F");
        format!("/v1/explain/{operator}?network={network}&window={window}")
    });
    ScoreEvidence {
        sources: scored.sources.clone(),
        urls: scored.urls.clone(),
        explain,
        export: format!("/v1/exports/{path}?network={network}"),
    }
}

fn subscore(workload: Option<Workload>, component: &Component) -> Subscore {
    let mut reasons = Reasons::default();
    let few = || "too few obligations were told of by sources that count".to_owned();
    Subscore {
        workload: reasons.explain("workload", workload, || "the score names none".to_owned()),
        name: component.name.clone(),
        weight: component.weight,
        score: reasons.explain("score", component.lower.map(Percent), few),
        rate: reasons.explain("rate", component.rate.map(Percent), few),
        observations: reasons.explain("observations", component.evidence, few),
        reasons,
    }
}

fn item(network: Network, row: ScoreRow) -> SlaScore {
    let ScoreRow { scored, window, .. } = row;
    let evidence = evidence(network, window, &scored);
    let class = scored.class;
    let workload = class.as_ref().map(|class| class.workload);
    let (pipeline, model) = class.map_or((None, None), |class| (class.pipeline, class.model));
    let own = scored.components.iter().map(|component| subscore(workload, component));
    let each = scored.workloads.iter().flat_map(|one| {
        one.components.iter().map(|component| subscore(Some(one.workload), component))
    });
    let inputs = scored.indicators.iter();
    let inputs = inputs.map(|one| (one.obligation, OutcomeCounts::from(one.counts.clone())));
    let mut reasons = Reasons::default();
    let is_scored = scored.score.is_some();
    let why = scored.reason.clone();
    let unscored = || why.clone().unwrap_or_else(|| "the scorecard gives none".to_owned());
    let no_upper = || {
        if is_scored { "the policy gives no interval".to_owned() } else { unscored() }
    };
    let untied = || "no capability offer ties it to an on-chain address".to_owned();
    let overall = || "over all work, or nobody named one".to_owned();
    SlaScore {
        orchestrator: reasons.explain("orchestrator", scored.operator, untied),
        signer: reasons.explain("signer", scored.signer, || "the orchestrator is known".to_owned()),
        workload: reasons.explain("workload", workload, overall),
        pipeline: reasons.explain("pipeline", pipeline, overall),
        model: reasons.explain("model", model, overall),
        score: reasons.explain("score", scored.score.map(Percent), unscored),
        score_upper: reasons.explain("score_upper", scored.upper.map(Percent), no_upper),
        grade: scored.grade,
        subscores: own.chain(each).collect(),
        inputs: inputs.collect(),
        tenures: scored.tenures,
        evidence,
        reasons,
    }
}

/// The score
///
/// For each orchestrator over a window: the score from 0 to 100, its components, the outcomes of its obligations, the
/// evidence grade, and where to check it. If `window` is a length, it is the newest window of that length. Nothing
/// shorter than an hour has a score; `/v1/gpu/metrics` shows shorter times.
#[utoipa::path(
    get, path = "/v1/sla/score", tag = "scores", params(SlaQuery),
    responses((status = 200, description = "A page.", body = SlaScores), Problems),
)]
pub async fn sla_score(
    Given(state): Given<State>,
    Query(query): Query<SlaQuery>,
) -> Result<Answer<SlaScores>, Problem> {
    answer(state, query).await
}

/// The score, under its other name
///
/// The same as `/v1/sla/score`, under the name that the network's first proposal gave it.
#[utoipa::path(
    get, path = "/v1/sla/compliance", tag = "scores", params(SlaQuery),
    responses((status = 200, description = "A page.", body = SlaScores), Problems),
)]
pub async fn sla_compliance(
    Given(state): Given<State>,
    Query(query): Query<SlaQuery>,
) -> Result<Answer<SlaScores>, Problem> {
    answer(state, query).await
}

async fn answer(state: State, query: SlaQuery) -> Result<Answer<SlaScores>, Problem> {
    let network = state.network(query.network);
    let operator = one_of(("operator", query.operator), ("orchestrator", query.orchestrator))?;
    let pipeline = one_of(("pipeline", query.pipeline), ("workflow", query.workflow))?;
    let wanted = one_of(("window", query.window), ("period", query.period))?;
    let wanted = wanted.unwrap_or(Wanted::Newest(Span::Day));
    let filter = ScoreFilter {
        grade_min: query.grade_min,
        model: query.model,
        operator,
        overall: query.overall,
        pipeline,
        workload: query.workload,
        ..ScoreFilter::default()
    };
    let (cursor, limit) = (query.cursor, query.limit.unwrap_or(Limit::DEFAULT));
    let read = state.read(move |sources| {
        let list = List::new("sla_score", &(network, wanted, &filter));
        // The pages of "the newest window" are all of the window that was the newest when the first was asked for.
        let after: Option<(Window, _)> =
            cursor.as_deref().map(|cursor| list.key(cursor)).transpose()?;
        let (window, after) = match (after, wanted) {
            (Some((window, after)), _) => (window, Some(after)),
            (None, Wanted::Named(window)) => (window, None),
            (None, Wanted::Newest(span)) => (newest(sources, network, &[span])?, None),
        };
        let view = scorecard(sources, network, Some(window))?;
        let page = warehouse::page::Page { after, limit: limit.count() };
        let paged = sources.warehouse.scores(network, window, &filter, &page);
        let Paged { next, rows } = paged.map_err(Problem::warehouse)?;
        let mut reasons = Reasons::default();
        let open = || "the window may still change".to_owned();
        Ok(SlaScores {
            digest: reasons.explain("digest", view.digest, open),
            items: rows.into_iter().map(|row| item(network, row)).collect(),
            limit: limit.0,
            network,
            next: next.map(|next| list.cursor(&(window, next))),
            policy: view.scorecard.policy.clone().into(),
            reasons,
            window,
        })
    });
    Ok(Answer::until_written(read.await?))
}
