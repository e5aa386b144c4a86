//! `/v1/dashboard/orchestrators`: what each orchestrator offers, and how it did with live video in a window.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use axum::extract::State as Given;
use events::event::Workload;
use events::identity::{Address, ServiceUrl};
use serde::Serialize;
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::series::Question;
use sla::rollup::{Dimension, Sums};
use sla::supply::Supply;
use sla::tally::outcome::Obligation;

use super::asked::{WindowHours, WindowQuery, minutes};
use super::moment::Moment;
use super::offers::Offers;
use super::reckon;
use super::score::Scores;
use crate::answer::{A_SECOND_MS, Answer};
use crate::number::Percent;
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// One orchestrator.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerOrchestrator)]
#[serde(rename_all = "camelCase")]
pub struct Orchestrator {
    /// Its on-chain address.
    #[schema(value_type = schema::Address)]
    address: Address,
    /// Its service URL, by its latest offer; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::ServiceUrl>)]
    service_uri: Option<ServiceUrl>,
    /// Sessions assigned to it.
    known_sessions: u64,
    /// Of these, how many got lasting output.
    success_sessions: u64,
    /// `effectiveSuccessRate` in percent; 0 if that is null, as in livepeer-naap-analytics.
    success_ratio: f64,
    /// The share of its sessions with lasting output, 0 to 1, among those that are decided and not excused; null if
    /// there are none.
    effective_success_rate: Option<f64>,
    /// The share of sessions that it kept, 0 to 1, among those that ended or were swapped away for a fault; null if
    /// there are none.
    no_swap_ratio: Option<f64>,
    /// The score of its live video, 0 to 100; null if there is too little evidence.
    #[schema(value_type = Option<f64>)]
    sla_score: Option<Percent>,
    /// When the window of the score begins; absent if there is no score.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    sla_window_start: Option<Moment>,
    /// The pipelines that it offered or had work for.
    pipelines: Vec<String>,
    /// The same pipelines with their models.
    pipeline_models: Vec<PipelineModels>,
    /// How many of its GPUs have an id.
    gpu_count: usize,
}

/// The models of a pipeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerPipelineModels)]
#[serde(rename_all = "camelCase")]
pub struct PipelineModels {
    /// The pipeline.
    pipeline_id: String,
    /// Its models.
    model_ids: BTreeSet<String>,
}

/// What is known of one orchestrator.
#[derive(Default)]
struct Known<'a> {
    models: BTreeMap<String, BTreeSet<String>>,
    place: Option<&'a Supply>,
    sums: Sums,
}

/// Orchestrators
///
/// Every orchestrator with an on-chain address that offered anything or had live-video work in a window of whole hours
/// that ends with the current hour; most sessions first.
#[utoipa::path(
    get, path = "/v1/dashboard/orchestrators", tag = "peer",
    params(WindowQuery),
    responses((status = 200, description = "The orchestrators.", body = Vec<Orchestrator>, example = json!([
        {"address": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "serviceUri": "https://orchestrator.example:8935",
         "knownSessions": 154, "successSessions": 150, "successRatio": 98.7, "effectiveSuccessRate": 0.987,
         "noSwapRatio": 0.99, "slaScore": 94.1, "slaWindowStart": "2026-01-07T22:00:00Z",
         "pipelines": ["live-video-to-video"],
         "pipelineModels": [{"pipelineId": "live-video-to-video", "modelIds": ["streamdiffusion-sdxl"]}], "gpuCount": 2}
    ])), Problems),
)]
pub async fn orchestrators(
    Given(state): Given<State>,
    Query(query): Query<WindowQuery>,
) -> Result<Answer<Vec<Orchestrator>>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let window = query.window.unwrap_or_default();
    let rows = state.read(move |sources| {
        let question = question(window, now);
        let sums = sources.warehouse.series(network, &question).map_err(Problem::warehouse)?;
        let offers = Offers::read(sources, network, now, window)?;
        let scores = Scores::latest(sources, network)?;
        let cards = offers.card_counts();
        let mut known: BTreeMap<Address, Known<'_>> = BTreeMap::new();
        for (operator, place) in offers.latest() {
            known.entry(operator).or_default().place = Some(place);
        }
        for place in offers.places() {
            let Some(known) = known.get_mut(&place.operator) else { continue };
            for offer in &place.offers {
                known.name(
                    offer.pipeline.to_string(),
                    offer.model.as_ref().map(|it| it.to_string()),
                );
            }
        }
        for row in sums {
            let Some(operator) = reckon::name(&row, 0).and_then(|name| name.parse().ok()) else {
                continue;
            };
            let known = known.entry(operator).or_default();
            known.sums.merge(&row.sums);
            if let Some(pipeline) = reckon::name(&row, 1) {
                known.name(pipeline.to_owned(), reckon::name(&row, 2).map(str::to_owned));
            }
        }
        let row = |(operator, known): (Address, Known<'_>)| {
            known.row(operator, cards.get(&operator).copied().unwrap_or_default(), &scores)
        };
        let mut rows: Vec<Orchestrator> = known.into_iter().map(row).collect();
        rows.sort_by_key(|row| (Reverse(row.known_sessions), row.address));
        Ok(rows)
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}

fn question(window: WindowHours, now: events::unit::UnixMillis) -> Question {
    let owed = [Obligation::Output, Obligation::Stay].into_iter().flat_map(reckon::columns_of);
    Question {
        by: vec![Dimension::Operator, Dimension::Pipeline, Dimension::Model],
        columns: owed.chain([Column::Plain(Plain::Tenures)]).collect(),
        filter: [reckon::of(&[Workload::LiveVideo])].into(),
        span: minutes(&window.until(now)),
        ..Question::default()
    }
}

impl Known<'_> {
    fn name(&mut self, pipeline: String, model: Option<String>) {
        self.models.entry(pipeline).or_default().extend(model);
    }

    fn row(self, address: Address, gpu_count: usize, scores: &Scores) -> Orchestrator {
        let effective = reckon::met(&self.sums, Obligation::Output);
        let score = scores.of(address, Workload::LiveVideo);
        let models = self.models.into_iter();
        let models =
            models.map(|(pipeline_id, model_ids)| PipelineModels { pipeline_id, model_ids });
        let pipeline_models: Vec<PipelineModels> = models.collect();
        Orchestrator {
            address,
            service_uri: self.place.map(|place| place.url.clone()),
            known_sessions: reckon::plain(&self.sums, Plain::Tenures),
            success_sessions: reckon::owed(&self.sums, Obligation::Output, Came::Good),
            success_ratio: effective.map_or(0.0, |share| share * 100.0),
            effective_success_rate: effective,
            no_swap_ratio: reckon::met(&self.sums, Obligation::Stay),
            sla_score: score.map(Percent),
            sla_window_start: score.and(scores.begin()),
            pipelines: pipeline_models.iter().map(|it| it.pipeline_id.clone()).collect(),
            pipeline_models,
            gpu_count,
        }
    }
}
