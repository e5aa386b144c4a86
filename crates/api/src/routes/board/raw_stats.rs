//! `/api/raw_stats`: the tests of one orchestrator, one by one. Never what was asked of a model and what it answered.

use std::collections::BTreeMap;

use axum::extract::State as Given;
use axum::response::IntoResponse;
use events::identity::{Address, Pipeline, Region};
use events::unit::{Micros, Ppm};
use serde::{Serialize, Serializer};
use sla::tested::Tested;

use super::KEPT;
use super::asked::Asked;
use super::post_stats::Refusals;
use crate::answer::{A_SECOND_MS, Answer};
use crate::number::Share;
use crate::problem::Problem;
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// The most tests of an answer; the newest are in it.
const ROWS_MAX: usize = 10_000;

/// Microseconds as a number of seconds.
#[derive(Debug, Clone, Copy)]
struct Seconds(Micros);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Micros(all) = self.0;
        let text = format!("{}.{:06}", all / 1_000_000, all % 1_000_000);
        serializer.serialize_f64(text.parse().map_err(serde::ser::Error::custom)?)
    }
}

/// The result of a test, as it was posted.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = RawStats)]
pub struct Raw {
    /// Where it was made.
    #[schema(value_type = String)]
    region: Region,
    /// The address of the orchestrator that was tested.
    #[schema(value_type = schema::Address)]
    orchestrator: Address,
    /// The share of the output that came back, 0 to 1.
    #[schema(value_type = f64, minimum = 0, maximum = 1)]
    success_rate: Share,
    /// The round-trip time in seconds.
    #[schema(value_type = f64, minimum = 0)]
    round_trip_time: Seconds,
    /// What went wrong.
    errors: Vec<RawError>,
    /// When it was made, in Unix seconds.
    timestamp: u64,
    /// The duration of a segment in seconds; transcoding only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    seg_duration: Option<Seconds>,
    /// How many segments were sent; transcoding only.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments_sent: Option<u32>,
    /// How many segments came back; transcoding only.
    #[serde(skip_serializing_if = "Option::is_none")]
    segments_received: Option<u32>,
    /// Upload time in seconds; transcoding only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    upload_time: Option<Seconds>,
    /// Download time in seconds; transcoding only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    download_time: Option<Seconds>,
    /// Transcoding time in seconds; transcoding only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>)]
    transcode_time: Option<Seconds>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Whether the model was already loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    model_is_warm: Option<bool>,
    /// The title of the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<String>,
}

/// One kind of error in a test.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RawError {
    /// The tester's code.
    error_code: String,
    /// Always empty: error messages are not published.
    message: String,
    /// How often.
    count: u32,
}

/// Leaderboard tests
///
/// The tests of one orchestrator by region, newest first, at most 10000 of them. `orchestrator` is required; the other
/// parameters are those of `/api/aggregated_stats`.
#[utoipa::path(
    get, path = "/api/raw_stats", tag = "leaderboard", params(Asked),
    extensions(("x-naap-cost" = json!(5))),
    responses((status = 200, description = "The tests.", body = BTreeMap<String, Vec<Raw>>), Refusals),
)]
pub async fn raw_stats(
    Given(state): Given<State>,
    Query(asked): Query<Asked>,
) -> Result<impl IntoResponse, Problem> {
    let found = asked.find(&state).await?;
    let wanted = found.operator()?;
    let tests = found.tests();
    let theirs = tests.into_iter().rev().filter(|test| test.operator == wanted).take(ROWS_MAX);
    let mut map: BTreeMap<Region, Vec<Raw>> = BTreeMap::new();
    for test in theirs {
        if let Some(raw) = raw(test) {
            map.entry(raw.region.clone()).or_default().push(raw);
        }
    }
    Ok((KEPT, Answer::for_ms(A_SECOND_MS, map)))
}

fn raw(test: &Tested) -> Option<Raw> {
    let measured = &test.measured;
    let errors = measured.faults.iter().map(|fault| RawError {
        error_code: fault.code.to_string(),
        message: String::new(),
        count: fault.count,
    });
    Some(Raw {
        region: test.place()?.into_owned(),
        orchestrator: test.operator,
        success_rate: Share(measured.success_ppm.unwrap_or(Ppm(0))),
        round_trip_time: Seconds(measured.round_trip_us.unwrap_or(Micros(0))),
        errors: errors.collect(),
        timestamp: test.at_ms.0 / 1_000,
        seg_duration: measured.segment_us.map(Seconds),
        segments_sent: measured.segments_sent,
        segments_received: measured.segments_received,
        upload_time: measured.upload_us.map(Seconds),
        download_time: measured.download_us.map(Seconds),
        transcode_time: measured.transcode_us.map(Seconds),
        model: test.model.as_ref().map(ToString::to_string),
        model_is_warm: measured.warm,
        pipeline: test.pipeline.as_ref().map(Pipeline::title),
    })
}
