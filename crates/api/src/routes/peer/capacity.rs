//! `/v1/dashboard/gpu-capacity`: the cards that are offered, and which of them had work just now.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Given;
use serde::Serialize;
use sla::rollup::column::{Column, Plain};
use sla::rollup::series::Question;
use sla::rollup::{Dimension, MINUTE_MS};

use super::asked::WindowQuery;
use super::offers::{Card, Offers};
use super::reckon;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::state::State;

/// A card that had work in the last so many minutes is active: the peer's measure.
const ACTIVE_MINUTES: u64 = 30;

/// The GPUs.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerGpuCapacity)]
pub struct GpuCapacity {
    /// GPUs that have an id, each counted once per orchestrator.
    #[serde(rename = "totalGPUs")]
    total_gpus: usize,
    /// GPUs that had work in the last 30 minutes.
    #[serde(rename = "activeGPUs")]
    active_gpus: usize,
    /// `totalGPUs` minus `activeGPUs`.
    #[serde(rename = "availableCapacity")]
    available_capacity: usize,
    /// By GPU model, most first.
    models: Vec<KindCount>,
    /// By pipeline, most first.
    #[serde(rename = "pipelineGPUs")]
    pipeline_gpus: Vec<PipelineCards>,
}

/// GPUs of one model.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerKindCount)]
pub struct KindCount {
    /// The GPU model; `Unknown` if it was not named.
    model: String,
    /// How many.
    count: usize,
}

/// GPUs by pipeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerPipelineCards)]
pub struct PipelineCards {
    /// The pipeline.
    name: String,
    /// GPUs that are reported to run it.
    gpus: usize,
    /// By model, most first.
    models: Vec<ModelCards>,
}

/// GPUs by model.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerModelCards)]
pub struct ModelCards {
    /// The model.
    model: String,
    /// GPUs that are reported to run it.
    gpus: usize,
}

/// GPU capacity
///
/// The GPUs offered in the window, 24 hours if none is given. GPU ids are not stable, and a GPU without one is not
/// counted.
#[utoipa::path(
    get, path = "/v1/dashboard/gpu-capacity", tag = "peer",
    params(WindowQuery),
    responses((status = 200, description = "The GPUs.", body = GpuCapacity, example = json!({
        "totalGPUs": 100, "activeGPUs": 38, "availableCapacity": 62,
        "models": [{"model": "NVIDIA GeForce RTX 4090", "count": 100}],
        "pipelineGPUs": [{"name": "live-video-to-video", "gpus": 100, "models": [{"model": "streamdiffusion-sdxl", "gpus": 100}]}]
    })), Problems),
)]
pub async fn gpu_capacity(
    Given(state): Given<State>,
    Query(query): Query<WindowQuery>,
) -> Result<Answer<GpuCapacity>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let window = query.window.unwrap_or_default();
    let answer = state.read(move |sources| {
        let offers = Offers::read(sources, network, now, window)?;
        let end = now.0 / MINUTE_MS + 1;
        let question = Question {
            by: vec![Dimension::Operator, Dimension::Gpu],
            columns: [Column::Plain(Plain::ServedMs)].into(),
            span: end.saturating_sub(ACTIVE_MINUTES)..end,
            ..Question::default()
        };
        let served = sources.warehouse.series(network, &question).map_err(Problem::warehouse)?;
        let cards = offers.cards();
        let active = served.iter().filter(|row| {
            let operator = reckon::name(row, 0).and_then(|name| name.parse().ok());
            let card = operator.zip(reckon::name(row, 1));
            let has_worked = reckon::plain(&row.sums, Plain::ServedMs) > 0;
            has_worked && card.is_some_and(|card| cards.contains_key(&card))
        });
        let active_gpus = active.count();
        Ok(GpuCapacity {
            total_gpus: cards.len(),
            active_gpus,
            available_capacity: cards.len().saturating_sub(active_gpus),
            models: kinds(&cards),
            pipeline_gpus: by_pipeline(&offers),
        })
    });
    Ok(Answer::for_ms(A_SECOND_MS, answer.await?))
}

fn kinds(cards: &BTreeMap<Card<'_>, Option<&str>>) -> Vec<KindCount> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in cards.values() {
        *counts.entry(kind.unwrap_or("Unknown")).or_default() += 1;
    }
    let kind = |(model, count): (&str, usize)| KindCount { model: model.to_owned(), count };
    let mut kinds: Vec<KindCount> = counts.into_iter().map(kind).collect();
    kinds.sort_by_key(|kind| Reverse(kind.count));
    kinds
}

fn by_pipeline(offers: &Offers) -> Vec<PipelineCards> {
    let mut pipelines: BTreeMap<String, (BTreeSet<Card<'_>>, Vec<ModelCards>)> = BTreeMap::new();
    for ((pipeline, model), cards) in offers.cards_by_pair() {
        let (all, models) = pipelines.entry(pipeline).or_default();
        models.push(ModelCards { model, gpus: cards.len() });
        all.extend(cards);
    }
    let row = |(name, (all, mut models)): (String, (BTreeSet<Card<'_>>, Vec<ModelCards>))| {
        models.sort_by_key(|model| Reverse(model.gpus));
        PipelineCards { name, gpus: all.len(), models }
    };
    let mut rows: Vec<PipelineCards> = pipelines.into_iter().map(row).collect();
    rows.sort_by_key(|row| Reverse(row.gpus));
    rows
}
