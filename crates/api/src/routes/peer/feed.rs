//! `/v1/dashboard/job-feed`: the streams that run now. Whoever fell silent is not among them.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use axum::extract::State as Given;
use events::event::{Network, Workload};
use events::identity::{Address, JobId, ServiceUrl};
use events::unit::{HOUR_MS, MilliFps, Millis, UnixMillis};
use serde::{Deserialize, Serialize};
use sla::hour::fact::{JobFact, State as JobState};
use utoipa::IntoParams;
use warehouse::page::{Cursor, Page, ROWS_MAX};
use warehouse::view::JobFilter;

use super::asked::{ROWS_DEFAULT, UpTo};
use super::moment::Moment;
use super::offers::Pair;
use super::reckon;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::{Sources, State};

/// A stream that nobody spoke of for so long runs no more for whoever looks: the peer's own measure of what is live.
const FRESH: Millis = Millis(120_000);

/// How far back running streams are looked for: the open hour and the one before, whose last words may still be the
/// latest.
const LOOKED_BACK: Millis = Millis(2 * HOUR_MS);

/// The most pages of streams that are read for one answer.
const PAGES_MAX: usize = 8;

/// How many streams.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    /// The maximum number of streams, 1 to 200; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 200)]
    limit: Option<UpTo<200>>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
}

/// A running stream.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerFeedItem)]
#[serde(rename_all = "camelCase")]
pub struct FeedItem {
    /// The job's pseudonym, the same for every party.
    #[schema(value_type = schema::JobId)]
    id: JobId,
    /// The pipeline; empty if none was named.
    pipeline: String,
    /// The model; absent if none was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The gateway's name, else its address; empty if unknown.
    gateway: String,
    /// The on-chain address of the orchestrator that holds it; empty if unknown.
    orchestrator_address: String,
    /// The service URL of that orchestrator; absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::ServiceUrl>)]
    orchestrator_url: Option<ServiceUrl>,
    /// `running`.
    #[schema(value_type = schema::JobState)]
    state: JobState,
    /// `stream`.
    #[serde(rename = "job_type")]
    job_type: &'static str,
    /// Mean input frames per second in this hour; 0 if unknown, as in livepeer-naap-analytics.
    #[serde(rename = "inputFps")]
    input_fps: f64,
    /// Mean output frames per second in this hour; 0 if unknown, as in livepeer-naap-analytics.
    #[serde(rename = "outputFps")]
    output_fps: f64,
    /// When it was requested, or else first reported.
    #[schema(value_type = String, format = DateTime)]
    first_seen: Moment,
    /// When it was last reported.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Moment,
    /// Seconds since `firstSeen`.
    duration_seconds: f64,
}

/// Running streams
///
/// Live-video streams that are assigned to an orchestrator and were reported in the last two minutes, most recent
/// report first.
#[utoipa::path(
    get, path = "/v1/dashboard/job-feed", tag = "peer",
    params(FeedQuery),
    responses((status = 200, description = "The streams.", body = Vec<FeedItem>, example = json!([
        {"id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "pipeline": "live-video-to-video", "model": "streamdiffusion-sdxl",
         "gateway": "gateway.example", "orchestratorAddress": "0xd00354656922168815fcd1e51cbddb9e359e3c7f",
         "orchestratorUrl": "https://orchestrator.example:8935", "state": "running", "job_type": "stream",
         "inputFps": 20.48, "outputFps": 17.3, "firstSeen": "2026-01-08T21:40:00Z", "lastSeen": "2026-01-08T21:49:05Z",
         "durationSeconds": 550.0}
    ])), Problems),
)]
pub async fn job_feed(
    Given(state): Given<State>,
    Query(query): Query<FeedQuery>,
) -> Result<Answer<Vec<FeedItem>>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let limit = query.limit.map_or(usize::from(ROWS_DEFAULT), UpTo::count);
    let rows = state.read(move |sources| {
        let mut facts = running(sources, network, now)?;
        facts.sort_by_key(|fact| Reverse((fact.last_ms, fact.job_id)));
        facts.truncate(limit);
        Ok(facts.into_iter().map(|fact| item(fact, now)).collect())
    });
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}

/// The streams that run now; a problem where there are more than an answer can rest on, since a part of them would pass
/// for all.
pub fn running(
    sources: &Sources,
    network: Network,
    now: UnixMillis,
) -> Result<Vec<JobFact>, Problem> {
    let filter = JobFilter {
        from_ms: Some(now.minus(LOOKED_BACK)),
        state: Some(JobState::Running),
        workload: Some(Workload::LiveVideo),
        ..JobFilter::default()
    };
    let (mut facts, mut after): (Vec<JobFact>, Option<Cursor>) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = Page { after: after.take(), limit: ROWS_MAX };
        let paged = sources.warehouse.jobs(network, &filter, &page).map_err(Problem::warehouse)?;
        let rows = paged.rows.into_iter().map(|row| row.fact);
        facts.extend(rows.filter(|fact| fact.last_ms >= now.minus(FRESH)));
        after = paged.next;
        if after.is_none() {
            return Ok(facts);
        }
    }
    let instead = "GET /v1/jobs?state=running gives them page by page.";
    Err(Problem::too_many("streams of the last day", PAGES_MAX * ROWS_MAX, instead))
}

/// How many streams run, by pipeline and model.
pub fn count(facts: &[JobFact]) -> BTreeMap<Pair, usize> {
    let mut counts = BTreeMap::new();
    for fact in facts {
        *counts.entry((pipeline(fact), model(fact).unwrap_or_default())).or_default() += 1;
    }
    counts
}

/// The pipeline of a job; empty where nobody named one.
pub fn pipeline(fact: &JobFact) -> String {
    fact.class.pipeline.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// The model of a job.
pub fn model(fact: &JobFact) -> Option<String> {
    fact.class.model.as_ref().map(ToString::to_string)
}

/// The gateway of a job: by the name in an unsigned feed, else by its address; empty where nobody told of it.
pub fn gateway(fact: &JobFact) -> String {
    let named = fact.gateway_name.as_ref().map(ToString::to_string);
    named.or_else(|| fact.gateway.as_ref().map(Address::to_string)).unwrap_or_default()
}

fn item(fact: JobFact, now: UnixMillis) -> FeedItem {
    let began = fact.tenures.iter().map(|tenure| tenure.start_ms).chain(fact.requested_ms);
    let first_ms = began.chain([fact.first_ms]).min().unwrap_or(fact.first_ms);
    let tenure = fact.tenures.last();
    let fps = |fps: Option<MilliFps>| fps.map_or(0.0, |fps| f64::from(fps.0) / 1_000.0);
    let operator = tenure.and_then(|tenure| tenure.operator);
    FeedItem {
        id: fact.job_id,
        pipeline: pipeline(&fact),
        model: model(&fact),
        gateway: gateway(&fact),
        orchestrator_address: operator.map(|operator| operator.to_string()).unwrap_or_default(),
        orchestrator_url: tenure.and_then(|tenure| tenure.orchestrator.url.clone()),
        state: fact.state,
        job_type: "stream",
        input_fps: fps(tenure.and_then(|tenure| tenure.fps_in)),
        output_fps: fps(tenure.and_then(|tenure| tenure.fps_out)),
        first_seen: Moment(first_ms),
        last_seen: Moment(fact.last_ms),
        duration_seconds: reckon::float(now.0.saturating_sub(first_ms.0)) / 1_000.0,
    }
}
