//! `/v1/dashboard/pipelines`: which pipelines had most to do in a window.

use std::collections::BTreeMap;

use axum::extract::State as Given;
use events::event::{Network, Workload};
use serde::{Deserialize, Serialize};
use sla::rollup::column::{Column, Plain};
use sla::rollup::series::Question;
use sla::rollup::{Dimension, Sums};
use sla::tally::cell::Measure;
use utoipa::IntoParams;

use super::asked::{UpTo, WindowHours, minutes};
use super::reckon;
use super::requests::Stats;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// How many pipelines, of which window.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PipelinesQuery {
    /// The maximum number of live-video pipelines, 1 to 20; 5 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 20)]
    limit: Option<UpTo<20>>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// How far back: hours as `24h` or `24`, or days as `7d`; at most 168 hours, 24 if not given.
    #[param(value_type = String, required = false)]
    window: Option<WindowHours>,
}

/// The most used pipelines.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerPipelines)]
pub struct Pipelines {
    /// Live video, most sessions first.
    streaming: Vec<PipelineUse>,
    /// AI and BYOC requests.
    requests: ByKind,
}

/// The use of one pipeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerPipelineUse)]
#[serde(rename_all = "camelCase")]
pub struct PipelineUse {
    /// The pipeline.
    name: String,
    /// Minutes for which orchestrators held sessions.
    mins: f64,
    /// Sessions requested.
    sessions: u64,
    /// Mean output frames per second; 0 if unknown, as in livepeer-naap-analytics.
    avg_fps: f64,
    /// The same by model.
    model_mins: Vec<ModelUse>,
}

/// The use of one model.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerModelUse)]
#[serde(rename_all = "camelCase")]
pub struct ModelUse {
    /// The model; empty if none was named.
    model: String,
    /// Minutes for which orchestrators held sessions.
    mins: f64,
    /// Sessions requested.
    sessions: u64,
    /// Mean output frames per second; 0 if unknown, as in livepeer-naap-analytics.
    avg_fps: f64,
}

/// Requests by pipeline, and by capability.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerRequestsByKind)]
pub struct ByKind {
    /// AI requests, those to language models included, most requested pipeline first.
    by_pipeline: Vec<PipelineStats>,
    /// BYOC requests, most requested capability first.
    by_capability: Vec<CapabilityStats>,
}

/// The requests of one pipeline.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerPipelineStats)]
pub struct PipelineStats {
    /// The pipeline; empty if none was named.
    pipeline: String,
    /// Their outcomes.
    #[serde(flatten)]
    stats: Stats,
}

/// The requests of one capability.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerCapabilityStats)]
pub struct CapabilityStats {
    /// The capability; empty if none was named.
    capability: String,
    /// Their outcomes.
    #[serde(flatten)]
    stats: Stats,
}

/// Pipelines
///
/// The pipelines used in a window of whole hours that ends with the current hour.
#[utoipa::path(
    get, path = "/v1/dashboard/pipelines", tag = "peer",
    params(PipelinesQuery),
    responses((status = 200, description = "The pipelines.", body = Pipelines, example = json!({
        "streaming": [{"name": "live-video-to-video", "mins": 812.5, "sessions": 154, "avgFps": 17.3,
            "modelMins": [{"model": "streamdiffusion-sdxl", "mins": 812.5, "sessions": 154, "avgFps": 17.3}]}],
        "requests": {
            "by_pipeline": [{"pipeline": "text-to-image", "total_jobs": 80, "selected_jobs": 78, "no_orch_jobs": 2,
                "success_rate": 0.95, "avg_duration_ms": 2100.0}],
            "by_capability": []
        }
    })), Problems),
)]
pub async fn pipelines(
    Given(state): Given<State>,
    Query(query): Query<PipelinesQuery>,
) -> Result<Answer<Pipelines>, Problem> {
    let network = state.network(query.network);
    let hours = query.window.unwrap_or_default().until(state.now());
    let limit = query.limit.map_or(5, UpTo::count);
    let measures = [Measure::EndToEndMs, Measure::FpsOutMilli];
    let plains = [Plain::Jobs, Plain::Unserved, Plain::Delivered, Plain::Tenures, Plain::ServedMs];
    let columns = plains.map(Column::Plain).into_iter().chain(measures.map(Column::Sum));
    let question = Question {
        by: vec![Dimension::Workload, Dimension::Pipeline, Dimension::Model],
        columns: columns.collect(),
        filter: [reckon::of(&[
            Workload::LiveVideo,
            Workload::AiBatch,
            Workload::Llm,
            Workload::Byoc,
        ])]
        .into(),
        histograms: measures.into(),
        span: minutes(&hours),
        ..Question::default()
    };
    let rows = state.read(move |sources| {
        sources.warehouse.series(network, &question).map_err(Problem::warehouse)
    });
    let (mut live, mut batch, mut own) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for row in rows.await? {
        let (pipeline, model) = (reckon::text(&row, 1), reckon::text(&row, 2));
        match reckon::name(&row, 0) {
            Some("live-video") => {
                let models: &mut BTreeMap<String, Sums> = live.entry(pipeline).or_default();
                models.entry(model).or_default().merge(&row.sums);
            }
            Some("byoc") => add(&mut own, pipeline, &row.sums),
            _ => add(&mut batch, pipeline, &row.sums),
        }
    }
    let mut streaming: Vec<PipelineUse> =
        live.into_iter().map(|(name, models)| PipelineUse::of(name, models)).collect();
    streaming.sort_by_key(|pipeline| std::cmp::Reverse(pipeline.sessions));
    streaming.truncate(limit);
    let batch = most_first(batch).into_iter();
    let own = most_first(own).into_iter();
    let requests = ByKind {
        by_pipeline: batch.map(|(pipeline, stats)| PipelineStats { pipeline, stats }).collect(),
        by_capability: own
            .map(|(capability, stats)| CapabilityStats { capability, stats })
            .collect(),
    };
    Ok(Answer::for_ms(A_SECOND_MS, Pipelines { streaming, requests }))
}

fn add(to: &mut BTreeMap<String, Sums>, name: String, sums: &Sums) {
    to.entry(name).or_default().merge(sums);
}

fn most_first(sums: BTreeMap<String, Sums>) -> Vec<(String, Stats)> {
    let stats = sums.into_iter().map(|(name, sums)| (name, Stats::of(&sums)));
    let mut stats: Vec<(String, Stats)> = stats.collect();
    stats.sort_by_key(|(_, stats)| std::cmp::Reverse(stats.total_jobs));
    stats
}

impl PipelineUse {
    fn of(name: String, models: BTreeMap<String, Sums>) -> Self {
        let mut all = Sums::default();
        models.values().for_each(|sums| all.merge(sums));
        let model = |(model, sums): (String, Sums)| ModelUse {
            model,
            mins: reckon::minutes(&sums),
            sessions: reckon::plain(&sums, Plain::Jobs),
            avg_fps: reckon::fps_out(&sums).unwrap_or_default(),
        };
        Self {
            name,
            mins: reckon::minutes(&all),
            sessions: reckon::plain(&all, Plain::Jobs),
            avg_fps: reckon::fps_out(&all).unwrap_or_default(),
            model_mins: models.into_iter().map(model).collect(),
        }
    }
}
