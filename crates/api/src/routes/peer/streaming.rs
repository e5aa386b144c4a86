//! `/v1/streaming/models` and `/v1/streaming/orchestrators`: what is on offer for live video.

use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Given;
use events::event::Workload;
use events::identity::{Address, ServiceUrl};
use serde::Serialize;
use sla::rollup::Dimension;
use sla::rollup::column::Column;
use sla::rollup::series::Question;
use sla::tally::cell::Measure;

use super::asked::{NetworkQuery, PlacesQuery, UpTo, WindowHours, minutes};
use super::feed::{count, running};
use super::moment::Moment;
use super::offers::{Offers, Pair, workload};
use super::reckon;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// A model offered for live video.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerStreamingModel)]
pub struct StreamingModel {
    /// The pipeline.
    pipeline: String,
    /// The model.
    model: String,
    /// Orchestrators that report it as loaded.
    warm_orch_count: usize,
    /// GPUs that are reported to run it.
    gpu_slots: usize,
    /// Streams running now.
    active_streams: usize,
    /// GPUs minus running streams, at least 0.
    available_capacity: usize,
    /// Mean output frames per second in the last 24 hours; null if unknown.
    avg_fps: Option<f64>,
}

/// Models offered for live video
///
/// What was offered in the last 24 hours.
#[utoipa::path(
    get, path = "/v1/streaming/models", tag = "peer",
    params(NetworkQuery),
    responses((status = 200, description = "The models.", body = Vec<StreamingModel>, example = json!([
        {"pipeline": "live-video-to-video", "model": "streamdiffusion-sdxl", "warm_orch_count": 40, "gpu_slots": 100,
         "active_streams": 38, "available_capacity": 62, "avg_fps": 17.3}
    ])), Problems),
)]
pub async fn models(
    Given(state): Given<State>,
    Query(query): Query<NetworkQuery>,
) -> Result<Answer<Vec<StreamingModel>>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let rows = state.read(move |sources| {
        let question = Question {
            by: vec![Dimension::Pipeline, Dimension::Model],
            columns: [Column::Sum(Measure::FpsOutMilli)].into(),
            filter: [reckon::of(&[Workload::LiveVideo])].into(),
            histograms: [Measure::FpsOutMilli].into(),
            span: minutes(&WindowHours::default().until(now)),
            ..Question::default()
        };
        let sums = sources.warehouse.series(network, &question).map_err(Problem::warehouse)?;
        let named = |row| (reckon::text(row, 0), reckon::text(row, 1));
        let fps: BTreeMap<Pair, Option<f64>> =
            sums.iter().map(|row| (named(row), reckon::fps_out(&row.sums))).collect();
        let offers = Offers::read(sources, network, now, WindowHours::default())?;
        let active = count(&running(sources, network, now)?);
        let cards = offers.cards_by_pair();
        let warm = offers.warm_by_pair(|workload| workload == Workload::LiveVideo);
        let row = |(pair, warm): (Pair, BTreeSet<Address>)| {
            let gpu_slots = cards.get(&pair).map_or(0, BTreeSet::len);
            let active_streams = active.get(&pair).copied().unwrap_or_default();
            StreamingModel {
                warm_orch_count: warm.len(),
                gpu_slots,
                active_streams,
                available_capacity: gpu_slots.saturating_sub(active_streams),
                avg_fps: fps.get(&pair).copied().flatten(),
                pipeline: pair.0,
                model: pair.1,
            }
        };
        Ok(warm.into_iter().map(row).collect())
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}

/// One service URL that takes live video.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerStreamingOrchestrator)]
pub struct StreamingOrchestrator {
    /// The orchestrator's on-chain address.
    #[schema(value_type = schema::Address)]
    address: Address,
    /// Its service URL.
    #[schema(value_type = schema::ServiceUrl)]
    uri: ServiceUrl,
    /// The models it offers.
    models: BTreeSet<String>,
    /// How many of its GPUs have an id.
    gpu_count: usize,
    /// When its latest offer was reported.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Moment,
}

/// Orchestrators for live video
///
/// The orchestrators that offered live video in the last 24 hours, one row per service URL.
#[utoipa::path(
    get, path = "/v1/streaming/orchestrators", tag = "peer",
    params(PlacesQuery),
    responses((status = 200, description = "One row per service URL.", body = Vec<StreamingOrchestrator>, example = json!([
        {"address": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "uri": "https://orchestrator.example:8935",
         "models": ["streamdiffusion-sdxl"], "gpu_count": 2, "last_seen": "2026-01-08T21:49:05Z"}
    ])), Problems),
)]
pub async fn orchestrators(
    Given(state): Given<State>,
    Query(query): Query<PlacesQuery>,
) -> Result<Answer<Vec<StreamingOrchestrator>>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let limit = query.limit.map_or(usize::MAX, UpTo::count);
    let rows = state.read(move |sources| {
        let offers = Offers::read(sources, network, now, WindowHours::default())?;
        let cards = offers.card_counts();
        let rows = offers.places().filter_map(|place| {
            let mut live = place
                .offers
                .iter()
                .filter(|offer| workload(&offer.pipeline) == Workload::LiveVideo)
                .peekable();
            live.peek()?;
            Some(StreamingOrchestrator {
                address: place.operator,
                uri: place.url.clone(),
                models: live.filter_map(|it| it.model.as_ref()).map(ToString::to_string).collect(),
                gpu_count: cards.get(&place.operator).copied().unwrap_or_default(),
                last_seen: Moment(place.at_ms),
            })
        });
        Ok(rows.take(limit).collect())
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}
