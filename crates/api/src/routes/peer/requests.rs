//! `/v1/requests/models`, `/v1/requests/orchestrators` and the summaries: AI requests, language models among them, and
//! requests to people's own containers.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Given;
use events::event::Workload;
use events::identity::{Address, ServiceUrl};
use serde::Serialize;
use sla::rollup::column::{Column, Plain};
use sla::rollup::series::{Question, SeriesRow};
use sla::rollup::{Dimension, Sums};
use sla::tally::cell::Measure;

use super::asked::{
    NetworkQuery, PlacesQuery, SpanQuery, UpTo, WindowHours, minutes, minutes_of, span,
};
use super::moment::Moment;
use super::offers::{Offers, Pair, job_type, workload};
use super::reckon;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// AI requests, those to language models included.
const AI_BATCH: [Workload; 2] = [Workload::AiBatch, Workload::Llm];

/// The outcomes of requests.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = PeerStats)]
pub struct Stats {
    /// How many requests there were.
    pub total_jobs: u64,
    /// Requests for which an orchestrator was found.
    selected_jobs: u64,
    /// Requests for which no orchestrator was found.
    no_orch_jobs: u64,
    /// The share of requests that succeeded, 0 to 1; null if there were none.
    success_rate: Option<f64>,
    /// Mean milliseconds from the assignment to the whole answer; null if unknown.
    avg_duration_ms: Option<f64>,
}

impl Stats {
    /// The columns that are read, with the histogram of [`Measure::EndToEndMs`].
    pub fn columns() -> BTreeSet<Column> {
        let plains = [Plain::Jobs, Plain::Unserved, Plain::Delivered, Plain::Tenures];
        let duration = Column::Sum(Measure::EndToEndMs);
        plains.map(Column::Plain).into_iter().chain([duration]).collect()
    }

    /// What these sums come to.
    pub fn of(sums: &Sums) -> Self {
        let total_jobs = reckon::plain(sums, Plain::Jobs);
        let no_orch_jobs = reckon::plain(sums, Plain::Unserved);
        let others = total_jobs.saturating_sub(no_orch_jobs);
        Self {
            total_jobs,
            // A request that was tried at several orchestrators is one request.
            selected_jobs: reckon::plain(sums, Plain::Tenures).min(others),
            no_orch_jobs,
            success_rate: reckon::share(reckon::plain(sums, Plain::Delivered), total_jobs),
            avg_duration_ms: reckon::mean(sums, Measure::EndToEndMs),
        }
    }
}

/// A model offered for requests.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerRequestsModel)]
pub struct RequestsModel {
    /// The pipeline, or the BYOC capability.
    pipeline: String,
    /// The model.
    model: String,
    /// `ai-batch` or `byoc`.
    job_type: &'static str,
    /// Orchestrators that report it as loaded.
    warm_orch_count: usize,
    /// GPUs that are reported to run it.
    gpu_slots: usize,
    /// Requests in the last 24 hours.
    job_count_24h: u64,
    /// The share of requests that succeeded, 0 to 1; null if there were none.
    success_rate: Option<f64>,
    /// Mean milliseconds from the assignment to the whole answer; null if unknown.
    avg_duration_ms: Option<f64>,
}

/// Models offered for requests
///
/// The models offered in the last 24 hours for anything but live video.
#[utoipa::path(
    get, path = "/v1/requests/models", tag = "peer",
    params(NetworkQuery),
    responses((status = 200, description = "The models.", body = Vec<RequestsModel>, example = json!([
        {"pipeline": "text-to-image", "model": "SG161222/RealVisXL_V4.0_Lightning", "job_type": "ai-batch",
         "warm_orch_count": 9, "gpu_slots": 12, "job_count_24h": 80, "success_rate": 0.95, "avg_duration_ms": 2100.0}
    ])), Problems),
)]
pub async fn models(
    Given(state): Given<State>,
    Query(query): Query<NetworkQuery>,
) -> Result<Answer<Vec<RequestsModel>>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let rows = state.read(move |sources| {
        let question = Question {
            by: vec![Dimension::Pipeline, Dimension::Model],
            columns: Stats::columns(),
            filter: [reckon::of(&[Workload::AiBatch, Workload::Llm, Workload::Byoc])].into(),
            histograms: [Measure::EndToEndMs].into(),
            span: minutes(&WindowHours::default().until(now)),
            ..Question::default()
        };
        let sums = sources.warehouse.series(network, &question).map_err(Problem::warehouse)?;
        let offers = Offers::read(sources, network, now, WindowHours::default())?;
        Ok(on_offer(&offers, &sums))
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}

fn on_offer(offers: &Offers, sums: &[SeriesRow]) -> Vec<RequestsModel> {
    let named = |row| (reckon::text(row, 0), reckon::text(row, 1));
    let asked: BTreeMap<Pair, Stats> =
        sums.iter().map(|row| (named(row), Stats::of(&row.sums))).collect();
    let cards = offers.cards_by_pair();
    let warm = offers.warm_by_pair(|workload| workload != Workload::LiveVideo);
    let row = |(pair, warm): (Pair, BTreeSet<Address>)| {
        let stats = asked.get(&pair);
        let kind = pair.0.parse().map_or(Workload::Byoc, |pipeline| workload(&pipeline));
        RequestsModel {
            job_type: job_type(kind),
            warm_orch_count: warm.len(),
            gpu_slots: cards.get(&pair).map_or(0, BTreeSet::len),
            job_count_24h: stats.map_or(0, |stats| stats.total_jobs),
            success_rate: stats.and_then(|stats| stats.success_rate),
            avg_duration_ms: stats.and_then(|stats| stats.avg_duration_ms),
            pipeline: pair.0,
            model: pair.1,
        }
    };
    warm.into_iter().map(row).collect()
}

/// One service URL that takes requests.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerRequestsOrchestrator)]
pub struct RequestsOrchestrator {
    /// The orchestrator's on-chain address.
    #[schema(value_type = schema::Address)]
    address: Address,
    /// Its service URL.
    #[schema(value_type = schema::ServiceUrl)]
    uri: ServiceUrl,
    /// What it offers, as `pipeline:model`, or `pipeline` alone if it offers the whole pipeline.
    capabilities: BTreeSet<String>,
    /// How many of its GPUs have an id.
    gpu_count: usize,
    /// When its latest offer was reported.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Moment,
}

/// Orchestrators for requests
///
/// The orchestrators that offered anything but live video in the last 24 hours, one row per service URL.
#[utoipa::path(
    get, path = "/v1/requests/orchestrators", tag = "peer",
    params(PlacesQuery),
    responses((status = 200, description = "One row per service URL.", body = Vec<RequestsOrchestrator>, example = json!([
        {"address": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "uri": "https://orchestrator.example:8935",
         "capabilities": ["text-to-image:SG161222/RealVisXL_V4.0_Lightning"], "gpu_count": 2,
         "last_seen": "2026-01-08T21:49:05Z"}
    ])), Problems),
)]
pub async fn orchestrators(
    Given(state): Given<State>,
    Query(query): Query<PlacesQuery>,
) -> Result<Answer<Vec<RequestsOrchestrator>>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let limit = query.limit.map_or(usize::MAX, UpTo::count);
    let rows = state.read(move |sources| {
        let offers = Offers::read(sources, network, now, WindowHours::default())?;
        let cards = offers.card_counts();
        let rows = offers.places().filter_map(|place| {
            let offered = place.offers.iter();
            let offered = offered.filter(|it| workload(&it.pipeline) != Workload::LiveVideo);
            let capabilities: BTreeSet<String> = offered
                .map(|offer| match &offer.model {
                    Some(model) => format!("{}:{model}", offer.pipeline),
                    None => offer.pipeline.to_string(),
                })
                .collect();
            (!capabilities.is_empty()).then(|| RequestsOrchestrator {
                address: place.operator,
                uri: place.url.clone(),
                capabilities,
                gpu_count: cards.get(&place.operator).copied().unwrap_or_default(),
                last_seen: Moment(place.at_ms),
            })
        });
        Ok(rows.take(limit).collect())
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}

/// The requests of one pipeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerAiBatchSummary)]
pub struct AiBatchSummary {
    /// The pipeline; empty if none was named.
    pipeline: String,
    /// Their outcomes.
    #[serde(flatten)]
    stats: Stats,
}

/// The requests of one capability.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerByocSummary)]
pub struct ByocSummary {
    /// The capability; empty if none was named.
    capability: String,
    /// Their outcomes.
    #[serde(flatten)]
    stats: Stats,
}

/// A row for each name in a dimension, over a span; what has a sum among the columns has its histogram read too.
async fn summed<T>(
    state: State,
    query: SpanQuery,
    workloads: &[Workload],
    by: Dimension,
    columns: BTreeSet<Column>,
    row: fn(&SeriesRow) -> T,
) -> Result<Answer<Vec<T>>, Problem> {
    let measure = |column: &Column| match column {
        Column::Sum(measure) => Some(*measure),
        _ => None,
    };
    let network = state.network(query.network);
    let span = span(query.start, query.end, state.now())?;
    let question = Question {
        by: vec![by],
        filter: [reckon::of(workloads)].into(),
        histograms: columns.iter().filter_map(measure).collect(),
        columns,
        span: minutes_of(&span),
        ..Question::default()
    };
    let rows = state.read(move |sources| {
        sources.warehouse.series(network, &question).map_err(Problem::warehouse)
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?.iter().map(row).collect()))
}

/// AI requests by pipeline
///
/// The outcomes of AI requests in the time range by pipeline, those to language models included.
#[utoipa::path(
    get, path = "/v1/requests/ai-batch/summary", tag = "peer",
    params(SpanQuery),
    responses((status = 200, description = "The pipelines.", body = Vec<AiBatchSummary>, example = json!([
        {"pipeline": "text-to-image", "total_jobs": 80, "selected_jobs": 78, "no_orch_jobs": 2, "success_rate": 0.95,
         "avg_duration_ms": 2100.0}
    ])), Problems),
)]
pub async fn ai_batch_summary(
    Given(state): Given<State>,
    Query(query): Query<SpanQuery>,
) -> Result<Answer<Vec<AiBatchSummary>>, Problem> {
    let columns = Stats::columns();
    summed(state, query, &AI_BATCH, Dimension::Pipeline, columns, |row| AiBatchSummary {
        pipeline: reckon::text(row, 0),
        stats: Stats::of(&row.sums),
    })
    .await
}

/// BYOC requests
///
/// The outcomes of BYOC requests in the time range, by capability.
#[utoipa::path(
    get, path = "/v1/requests/byoc/summary", tag = "peer",
    params(SpanQuery),
    responses((status = 200, description = "The capabilities.", body = Vec<ByocSummary>, example = json!([
        {"capability": "openai-chat", "total_jobs": 80, "selected_jobs": 78, "no_orch_jobs": 2, "success_rate": 0.95,
         "avg_duration_ms": 2100.0}
    ])), Problems),
)]
pub async fn byoc_summary(
    Given(state): Given<State>,
    Query(query): Query<SpanQuery>,
) -> Result<Answer<Vec<ByocSummary>>, Problem> {
    let columns = Stats::columns();
    summed(state, query, &[Workload::Byoc], Dimension::Pipeline, columns, |row| ByocSummary {
        capability: reckon::text(row, 0),
        stats: Stats::of(&row.sums),
    })
    .await
}

/// The requests to one language model.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerLlmSummary)]
pub struct LlmSummary {
    /// The model; empty if none was named.
    model: String,
    /// How many requests there were.
    total_requests: u64,
    /// The share of requests that succeeded, 0 to 1; null if there were none.
    success_rate: Option<f64>,
    /// Mean tokens per second; null if unknown.
    avg_tokens_per_sec: Option<f64>,
    /// Mean milliseconds to the first token; null if unknown.
    avg_ttft_ms: Option<f64>,
    /// Mean input and output tokens per answer; null if unknown.
    avg_total_tokens: Option<f64>,
}

/// The tokens of an answer, those in and those out.
const TOKENS: [Column; 2] =
    [Column::Plain(Plain::PromptTokens), Column::Plain(Plain::CompletionTokens)];

/// Language models
///
/// The outcomes of requests in the time range, by model.
#[utoipa::path(
    get, path = "/v1/requests/ai-batch/llm-summary", tag = "peer",
    params(SpanQuery),
    responses((status = 200, description = "The models.", body = Vec<LlmSummary>, example = json!([
        {"model": "meta-llama/Meta-Llama-3.1-8B-Instruct", "total_requests": 80, "success_rate": 0.95,
         "avg_tokens_per_sec": 41.5, "avg_ttft_ms": 310.0, "avg_total_tokens": 512.5}
    ])), Problems),
)]
pub async fn llm_summary(
    Given(state): Given<State>,
    Query(query): Query<SpanQuery>,
) -> Result<Answer<Vec<LlmSummary>>, Problem> {
    let measures = [Measure::FirstOutputMs, Measure::TokensPerSecondMilli];
    let plains = [Plain::Jobs, Plain::Delivered].map(Column::Plain).into_iter().chain(TOKENS);
    let columns = plains.chain(measures.map(Column::Sum)).collect();
    summed(state, query, &[Workload::Llm], Dimension::Model, columns, |row| {
        let sums = &row.sums;
        let counts = TOKENS.iter().filter_map(|column| sums.columns.get(column));
        let answered = reckon::plain(sums, Plain::Delivered);
        let is_told = TOKENS.iter().any(|column| sums.columns.contains_key(column));
        let total = counts.fold(0u64, |total, count| total.saturating_add(*count));
        LlmSummary {
            model: reckon::text(row, 0),
            total_requests: reckon::plain(sums, Plain::Jobs),
            success_rate: reckon::share(answered, reckon::plain(sums, Plain::Jobs)),
            avg_tokens_per_sec: reckon::mean(sums, Measure::TokensPerSecondMilli)
                .map(|milli| milli / 1_000.0),
            avg_ttft_ms: reckon::mean(sums, Measure::FirstOutputMs),
            avg_total_tokens: if is_told { reckon::ratio(total, answered) } else { None },
        }
    })
    .await
}
