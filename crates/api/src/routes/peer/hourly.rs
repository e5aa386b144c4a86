//! `/v1/streaming/sla`, `/v1/streaming/demand` and `/v1/streaming/gpu-metrics`: live video hour by hour, the newest hour
//! first.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Given;
use axum::{Extension, Json};
use events::event::{Network, Workload};
use events::unit::Ppm;
use serde::Serialize;
use sla::rollup::Dimension;
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::series::{Question, SeriesRow};
use sla::tally::cell::Measure;
use sla::tally::outcome::Obligation;
use sla::window::{Hour, Window};
use warehouse::view::ScoreFilter;

use super::asked::ListQuery;
use super::listing::{HourKey, Listing, Sheet, hour_key, newest_first};
use super::moment::Moment;
use super::reckon;
use super::score::each;
use crate::guard::RequestId;
use crate::number::Percent;
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::state::{Sources, State};

/// One orchestrator with one model in one hour, as one reporter saw it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerSlaRow)]
pub struct SlaRow {
    /// When the hour begins.
    #[schema(value_type = String, format = DateTime)]
    window_start: Moment,
    /// The reporter's address; empty if there is none.
    org: String,
    /// The orchestrator's on-chain address; empty if unknown.
    orchestrator_address: String,
    /// The pipeline; empty if none was named.
    pipeline_id: String,
    /// The model; empty if none was named.
    model_id: String,
    /// The id of the one GPU it can have run on; empty if unknown.
    gpu_id: String,
    /// Sessions assigned to it in the hour.
    requested_sessions: u64,
    /// Sessions whose lasting output was due in the hour and came.
    startup_success_sessions: u64,
    /// The share of its sessions with lasting output, 0 to 1, among those that are decided and not excused; null if
    /// there are none.
    effective_success_rate: Option<f64>,
    /// The share of sessions that it kept, 0 to 1, among those that ended or were swapped away for a fault; null if
    /// there are none.
    no_swap_rate: Option<f64>,
    /// Mean output frames per second; null if unknown.
    avg_output_fps: Option<f64>,
    /// The score of the hour over all reports, 0 to 100; null if there is too little evidence.
    #[schema(value_type = Option<f64>)]
    sla_score: Option<Percent>,
}

/// Scores and shares by hour
///
/// One row per hour, reporter, orchestrator, model and GPU. The score is that of the hour, the orchestrator and the
/// model over all reports, and therefore the same in each of their rows.
#[utoipa::path(
    get, path = "/v1/streaming/sla", tag = "peer",
    params(ListQuery),
    responses((status = 200, description = "A page.", body = Listing<SlaRow>, example = json!({
        "data": [{"window_start": "2026-01-08T21:00:00Z", "org": "0x5ae4d9a4b6f1b2a1c9d0e8f7a6b5c4d3e2f1a0b9",
            "orchestrator_address": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "pipeline_id": "live-video-to-video",
            "model_id": "streamdiffusion-sdxl", "gpu_id": "GPU-a8d1", "requested_sessions": 12,
            "startup_success_sessions": 12, "effective_success_rate": 1.0, "no_swap_rate": 1.0, "avg_output_fps": 17.3,
            "sla_score": 94.1}],
        "pagination": {"next_cursor": null, "has_more": false, "page_size": 50},
        "meta": {"generated_at": "2026-01-08T22:10:00Z", "request_id": "5f1c"}
    })), Problems),
)]
pub async fn sla(
    Given(state): Given<State>,
    Extension(id): Extension<RequestId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Listing<SlaRow>>, Problem> {
    let network = state.network(query.network);
    let (sheet, after) = Sheet::of::<HourKey>("peer-sla", network, &query, state.now())?;
    let question = by_card(&[], &[Measure::FpsOutMilli]);
    let listing = state.read(move |sources| {
        let rows = shown(sources, network, &sheet, after.as_ref(), &question)?;
        let scores = scores(sources, network, &rows)?;
        Ok(sheet.answer(rows, &id, hour_key, |row| sla_row(&row, &scores)))
    });
    listing.await.map(Json)
}

/// A question about tenures by who told, who had them and on which card, and by what is `beside`.
fn by_card(beside: &[Dimension], measures: &[Measure]) -> Question {
    let by = [
        Dimension::Gateway,
        Dimension::Operator,
        Dimension::Pipeline,
        Dimension::Model,
        Dimension::Gpu,
    ];
    let owed = [Obligation::Output, Obligation::Stay].into_iter().flat_map(reckon::columns_of);
    let sums = measures.iter().copied().map(Column::Sum);
    Question {
        by: by.iter().chain(beside).copied().collect(),
        columns: owed.chain(sums).chain([Column::Plain(Plain::Tenures)]).collect(),
        filter: [reckon::of(&[Workload::LiveVideo])].into(),
        histograms: measures.iter().copied().collect(),
        ..Question::default()
    }
}

/// The rows of a page that say anything.
fn shown(
    sources: &Sources,
    network: Network,
    sheet: &Sheet,
    after: Option<&HourKey>,
    question: &Question,
) -> Result<Vec<SeriesRow>, Problem> {
    newest_first(&*sources.warehouse, network, sheet, after, question, |row| {
        !row.sums.columns.is_empty()
    })
}

/// Scores by hour, operator, pipeline and model.
type Scored = BTreeMap<(u64, String, String, String), Ppm>;

fn hour_of(row: &SeriesRow) -> u64 {
    row.minute.unwrap_or_default() / 60
}

/// The scores of the hours that these rows are of.
fn scores(sources: &Sources, network: Network, rows: &[SeriesRow]) -> Result<Scored, Problem> {
    let hours: BTreeSet<u64> = rows.iter().map(hour_of).collect();
    let workload = Some(Workload::LiveVideo);
    let filter = ScoreFilter { overall: Some(false), workload, ..ScoreFilter::default() };
    let mut scores = Scored::new();
    for hour in hours {
        each(sources, network, Window::hour(Hour(hour)), &filter, |scored| {
            let (Some(operator), Some(class), Some(score)) =
                (scored.operator, scored.class, scored.score)
            else {
                return;
            };
            let text = |name: Option<String>| name.unwrap_or_default();
            let pipeline = text(class.pipeline.map(|name| name.to_string()));
            let model = text(class.model.map(|name| name.to_string()));
            scores.insert((hour, operator.to_string(), pipeline, model), score);
        })?;
    }
    Ok(scores)
}

fn sla_row(row: &SeriesRow, scores: &Scored) -> SlaRow {
    let text = |place| reckon::text(row, place);
    let score = scores.get(&(hour_of(row), text(1), text(2), text(3)));
    SlaRow {
        window_start: Moment::of_minute(row.minute.unwrap_or_default()),
        org: text(0),
        orchestrator_address: text(1),
        pipeline_id: text(2),
        model_id: text(3),
        gpu_id: text(4),
        requested_sessions: reckon::plain(&row.sums, Plain::Tenures),
        startup_success_sessions: reckon::owed(&row.sums, Obligation::Output, Came::Good),
        effective_success_rate: reckon::met(&row.sums, Obligation::Output),
        no_swap_rate: reckon::met(&row.sums, Obligation::Stay),
        avg_output_fps: reckon::fps_out(&row.sums),
        sla_score: score.copied().map(Percent),
    }
}

/// What one gateway requested in one hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerDemandRow)]
pub struct DemandRow {
    /// When the hour begins.
    #[schema(value_type = String, format = DateTime)]
    window_start: Moment,
    /// The reporter's address; empty if there is none.
    org: String,
    /// The gateway's name from an unsigned feed, else the reporter's address.
    gateway: String,
    /// The pipeline; empty if none was named.
    pipeline_id: String,
    /// The model; empty if none was named.
    model_id: String,
    /// Sessions requested in the hour.
    requested_sessions: u64,
    /// Sessions whose lasting output began in the hour.
    startup_success_sessions: u64,
    /// The share of tenures with lasting output, 0 to 1, among those that are decided and not excused.
    effective_success_rate: Option<f64>,
    /// Minutes for which orchestrators held sessions.
    total_minutes: f64,
    /// Sessions for which no orchestrator was found.
    no_orch_sessions: u64,
}

/// Demand by hour
///
/// One row per hour, reporter, gateway and model.
#[utoipa::path(
    get, path = "/v1/streaming/demand", tag = "peer",
    params(ListQuery),
    responses((status = 200, description = "A page.", body = Listing<DemandRow>, example = json!({
        "data": [{"window_start": "2026-01-08T21:00:00Z", "org": "0x5ae4d9a4b6f1b2a1c9d0e8f7a6b5c4d3e2f1a0b9",
            "gateway": "gateway.example", "pipeline_id": "live-video-to-video", "model_id": "streamdiffusion-sdxl",
            "requested_sessions": 154, "startup_success_sessions": 150, "effective_success_rate": 0.987,
            "total_minutes": 812.5, "no_orch_sessions": 2}],
        "pagination": {"next_cursor": null, "has_more": false, "page_size": 50},
        "meta": {"generated_at": "2026-01-08T22:10:00Z", "request_id": "5f1c"}
    })), Problems),
)]
pub async fn demand(
    Given(state): Given<State>,
    Extension(id): Extension<RequestId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Listing<DemandRow>>, Problem> {
    let network = state.network(query.network);
    let (sheet, after) = Sheet::of::<HourKey>("peer-demand", network, &query, state.now())?;
    let plains = [Plain::Jobs, Plain::Delivered, Plain::ServedMs, Plain::Unserved];
    let columns = reckon::columns_of(Obligation::Output).chain(plains.map(Column::Plain));
    let question = Question {
        by: vec![Dimension::Gateway, Dimension::GatewayName, Dimension::Pipeline, Dimension::Model],
        columns: columns.collect(),
        filter: [reckon::of(&[Workload::LiveVideo])].into(),
        ..Question::default()
    };
    let listing = state.read(move |sources| {
        let rows = shown(sources, network, &sheet, after.as_ref(), &question)?;
        Ok(sheet.answer(rows, &id, hour_key, |row| demand_row(&row)))
    });
    listing.await.map(Json)
}

fn demand_row(row: &SeriesRow) -> DemandRow {
    let named = reckon::name(row, 1).map(str::to_owned);
    DemandRow {
        window_start: Moment::of_minute(row.minute.unwrap_or_default()),
        org: reckon::text(row, 0),
        gateway: named.unwrap_or_else(|| reckon::text(row, 0)),
        pipeline_id: reckon::text(row, 2),
        model_id: reckon::text(row, 3),
        requested_sessions: reckon::plain(&row.sums, Plain::Jobs),
        startup_success_sessions: reckon::plain(&row.sums, Plain::Delivered),
        effective_success_rate: reckon::met(&row.sums, Obligation::Output),
        total_minutes: reckon::minutes(&row.sums),
        no_orch_sessions: reckon::plain(&row.sums, Plain::Unserved),
    }
}

/// One GPU in one hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerGpuRow)]
pub struct GpuRow {
    /// When the hour begins.
    #[schema(value_type = String, format = DateTime)]
    window_start: Moment,
    /// The reporter's address; empty if there is none.
    org: String,
    /// The orchestrator's on-chain address; empty if unknown.
    orchestrator_address: String,
    /// The pipeline; empty if none was named.
    pipeline_id: String,
    /// The model; empty if none was named.
    model_id: String,
    /// The GPU id that its orchestrator gives.
    gpu_id: String,
    /// The GPU model; empty if unknown.
    gpu_model_name: String,
    /// Sessions assigned to it in the hour.
    known_sessions_count: u64,
    /// Sessions whose lasting output was due in the hour and came.
    startup_success_sessions: u64,
    /// Mean output frames per second; null if unknown.
    avg_output_fps: Option<f64>,
    /// Mean milliseconds from the assignment to lasting output; null if unknown.
    avg_e2e_latency_ms: Option<f64>,
    /// The share of sessions that were swapped away for a fault, 0 to 1, among those that ended or were swapped away.
    swap_rate: Option<f64>,
}

/// GPUs by hour
///
/// One row per hour, reporter, orchestrator, model and GPU. Work that may have run on any of several GPUs is in no row.
#[utoipa::path(
    get, path = "/v1/streaming/gpu-metrics", tag = "peer",
    params(ListQuery),
    responses((status = 200, description = "A page.", body = Listing<GpuRow>, example = json!({
        "data": [{"window_start": "2026-01-08T21:00:00Z", "org": "0x5ae4d9a4b6f1b2a1c9d0e8f7a6b5c4d3e2f1a0b9",
            "orchestrator_address": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "pipeline_id": "live-video-to-video",
            "model_id": "streamdiffusion-sdxl", "gpu_id": "GPU-a8d1", "gpu_model_name": "NVIDIA GeForce RTX 5090",
            "known_sessions_count": 12, "startup_success_sessions": 12, "avg_output_fps": 17.3,
            "avg_e2e_latency_ms": 2655.0, "swap_rate": 0.0}],
        "pagination": {"next_cursor": null, "has_more": false, "page_size": 50},
        "meta": {"generated_at": "2026-01-08T22:10:00Z", "request_id": "5f1c"}
    })), Problems),
)]
pub async fn gpu_metrics(
    Given(state): Given<State>,
    Extension(id): Extension<RequestId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Listing<GpuRow>>, Problem> {
    let network = state.network(query.network);
    let (sheet, after) = Sheet::of::<HourKey>("peer-gpu-metrics", network, &query, state.now())?;
    let measures = [Measure::FpsOutMilli, Measure::EndToEndMs];
    let question = by_card(&[Dimension::Hardware], &measures);
    let listing = state.read(move |sources| {
        let is_of_a_card =
            |row: &SeriesRow| reckon::name(row, 4).is_some() && !row.sums.columns.is_empty();
        let (warehouse, after) = (&*sources.warehouse, after.as_ref());
        let rows = newest_first(warehouse, network, &sheet, after, &question, is_of_a_card)?;
        Ok(sheet.answer(rows, &id, hour_key, |row| gpu_row(&row)))
    });
    listing.await.map(Json)
}

fn gpu_row(row: &SeriesRow) -> GpuRow {
    GpuRow {
        window_start: Moment::of_minute(row.minute.unwrap_or_default()),
        org: reckon::text(row, 0),
        orchestrator_address: reckon::text(row, 1),
        pipeline_id: reckon::text(row, 2),
        model_id: reckon::text(row, 3),
        gpu_id: reckon::text(row, 4),
        gpu_model_name: reckon::text(row, 5),
        known_sessions_count: reckon::plain(&row.sums, Plain::Tenures),
        startup_success_sessions: reckon::owed(&row.sums, Obligation::Output, Came::Good),
        avg_output_fps: reckon::fps_out(&row.sums),
        avg_e2e_latency_ms: reckon::mean(&row.sums, Measure::EndToEndMs),
        swap_rate: reckon::met(&row.sums, Obligation::Stay).map(|kept| 1.0 - kept),
    }
}
