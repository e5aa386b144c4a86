//! `/v1/requests/ai-batch/jobs` and `/v1/requests/byoc/jobs`: single requests that came to an end, the latest first.

use std::collections::VecDeque;

use axum::extract::State as Given;
use axum::{Extension, Json};
use events::event::{Network, Workload};
use events::identity::{Address, JobId};
use events::unit::UnixMillis;
use serde::Serialize;
use sla::hour::fact::{JobFact, State as JobState};
use utoipa::ToSchema;
use warehouse::page::{Cursor, Page, ROWS_MAX};
use warehouse::view::{JobFilter, JobRow};

use super::asked::ListQuery;
use super::feed::{gateway, model, pipeline};
use super::listing::{Listing, Sheet};
use super::moment::Moment;
use crate::guard::RequestId;
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::{Sources, State};

/// How often the warehouse is read for one page. A page may be shorter than asked for where many requests are still
/// open; its cursor goes on behind the last one that was looked at.
const READS_MAX: usize = 12;

/// The key of a request in the list.
type JobKey = (UnixMillis, JobId);

/// The facts that both lists show.
struct Told {
    attribution_status: &'static str,
    completed_at: Moment,
    duration_ms: Option<u64>,
    fact: JobFact,
    gpu_model_name: String,
    orch_address: String,
    orch_url: String,
    selection_outcome: &'static str,
    success: bool,
}

/// One AI request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PeerAiBatchJob)]
pub struct AiBatchJob {
    /// The job's pseudonym, the same for every party.
    #[schema(value_type = schema::JobId)]
    request_id: JobId,
    /// The reporter's address; empty if nobody on the gateway's side reported.
    org: String,
    /// The gateway's name from an unsigned feed, else the reporter's address.
    gateway: String,
    /// The pipeline; empty if none was named.
    pipeline: String,
    /// The model; empty if none was named.
    model_id: String,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    completed_at: Moment,
    /// Whether it was answered.
    success: bool,
    /// How many orchestrators were tried; null if unknown.
    tries: Option<u32>,
    /// How long it took, in milliseconds; null if unknown.
    duration_ms: Option<u64>,
    /// The service URL of the last orchestrator; empty if there was none.
    orch_url: String,
    /// `selected`, `no_orch` or `unknown`.
    selection_outcome: &'static str,
    /// The GPU model it ran on; empty if unknown.
    gpu_model_name: String,
    /// `resolved`, `hardware_less` or `unresolved`.
    attribution_status: &'static str,
}

/// One BYOC request.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PeerByocJob)]
pub struct ByocJob {
    /// The job's pseudonym, the same for every party.
    #[schema(value_type = schema::JobId)]
    request_id: JobId,
    /// The reporter's address; empty if nobody on the gateway's side reported.
    org: String,
    /// The capability; empty if none was named.
    capability: String,
    /// The model; empty if none was named.
    model: String,
    /// When it ended.
    #[schema(value_type = String, format = DateTime)]
    completed_at: Moment,
    /// Whether it was answered.
    success: bool,
    /// How long it took, in milliseconds; null if unknown.
    duration_ms: Option<u64>,
    /// The HTTP status of the answer; null if unknown.
    http_status: Option<u16>,
    /// The on-chain address of the last orchestrator; empty if unknown.
    orch_address: String,
    /// The service URL of the last orchestrator; empty if there was none.
    orch_url: String,
    /// Always empty: worker URLs are not published.
    worker_url: String,
    /// `selected`, `no_orch` or `unknown`.
    selection_outcome: &'static str,
    /// The GPU model it ran on; empty if unknown.
    gpu_model_name: String,
    /// `resolved`, `hardware_less` or `unresolved`.
    attribution_status: &'static str,
    /// Why it failed, in one word of a fixed list; empty if it did not.
    error: String,
}

/// AI requests
///
/// Finished AI requests, those to language models included, most recently started first.
#[utoipa::path(
    get, path = "/v1/requests/ai-batch/jobs", tag = "peer",
    params(ListQuery),
    responses((status = 200, description = "A page.", body = Listing<AiBatchJob>, example = json!({
        "data": [{"request_id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "org": "0x5ae4d9a4b6f1b2a1c9d0e8f7a6b5c4d3e2f1a0b9",
            "gateway": "gateway.example", "pipeline": "text-to-image", "model_id": "SG161222/RealVisXL_V4.0_Lightning",
            "completed_at": "2026-01-08T21:49:05Z", "success": true, "tries": 1, "duration_ms": 2100,
            "orch_url": "https://orchestrator.example:8935", "selection_outcome": "selected",
            "gpu_model_name": "NVIDIA GeForce RTX 4090", "attribution_status": "resolved"}],
        "pagination": {"next_cursor": null, "has_more": false, "page_size": 50},
        "meta": {"generated_at": "2026-01-08T22:10:00Z", "request_id": "5f1c"}
    })), Problems),
)]
pub async fn ai_batch_jobs(
    Given(state): Given<State>,
    Extension(id): Extension<RequestId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Listing<AiBatchJob>>, Problem> {
    let network = state.network(query.network);
    let (sheet, after) = Sheet::of::<JobKey>("peer-ai-batch-jobs", network, &query, state.now())?;
    let listing = state.read(move |sources| {
        let workloads = [Workload::AiBatch, Workload::Llm];
        let (told, last) = Ended::new(&sheet, &workloads, after).read(sources, network, &sheet)?;
        Ok(sheet.page(told.into_iter().map(ai_batch_job).collect(), last, &id))
    });
    listing.await.map(Json)
}

/// BYOC requests
///
/// Finished BYOC requests, most recently started first.
#[utoipa::path(
    get, path = "/v1/requests/byoc/jobs", tag = "peer",
    params(ListQuery),
    responses((status = 200, description = "A page.", body = Listing<ByocJob>, example = json!({
        "data": [{"request_id": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "org": "0x5ae4d9a4b6f1b2a1c9d0e8f7a6b5c4d3e2f1a0b9",
            "capability": "openai-chat", "model": "", "completed_at": "2026-01-08T21:49:05Z", "success": false,
            "duration_ms": 2100, "http_status": 504, "orch_address": "0xd00354656922168815fcd1e51cbddb9e359e3c7f",
            "orch_url": "https://orchestrator.example:8935", "worker_url": "", "selection_outcome": "selected",
            "gpu_model_name": "", "attribution_status": "hardware_less", "error": "timeout"}],
        "pagination": {"next_cursor": null, "has_more": false, "page_size": 50},
        "meta": {"generated_at": "2026-01-08T22:10:00Z", "request_id": "5f1c"}
    })), Problems),
)]
pub async fn byoc_jobs(
    Given(state): Given<State>,
    Extension(id): Extension<RequestId>,
    Query(query): Query<ListQuery>,
) -> Result<Json<Listing<ByocJob>>, Problem> {
    let network = state.network(query.network);
    let (sheet, after) = Sheet::of::<JobKey>("peer-byoc-jobs", network, &query, state.now())?;
    let listing = state.read(move |sources| {
        let ended = Ended::new(&sheet, &[Workload::Byoc], after);
        let (told, last) = ended.read(sources, network, &sheet)?;
        Ok(sheet.page(told.into_iter().map(byoc_job).collect(), last, &id))
    });
    listing.await.map(Json)
}

/// The lists of some workloads, walked as one.
struct Ended {
    lists: Vec<List>,
    reads: usize,
}

/// The list of one workload.
struct List {
    after: Option<Cursor>,
    filter: JobFilter,
    has_more: bool,
    rows: VecDeque<JobRow>,
}

impl Ended {
    fn new(sheet: &Sheet, workloads: &[Workload], after: Option<JobKey>) -> Self {
        let list = |workload: &Workload| List {
            after: after.map(|(first_ms, job_id)| Cursor::Job(first_ms, job_id)),
            filter: JobFilter {
                from_ms: Some(sheet.span.start),
                to_ms: Some(sheet.span.end),
                workload: Some(*workload),
                ..JobFilter::default()
            },
            has_more: true,
            rows: VecDeque::new(),
        };
        Self { lists: workloads.iter().map(list).collect(), reads: 0 }
    }

    /// The requests of a page, and the key behind which more follow.
    fn read(
        mut self,
        sources: &Sources,
        network: Network,
        sheet: &Sheet,
    ) -> Result<(Vec<Told>, Option<JobKey>), Problem> {
        let (mut told, mut last, limit) = (Vec::new(), None, sheet.wanted() - 1);
        loop {
            if !self.fill(sources, network, sheet)? {
                return Ok((told, last));
            }
            let Some(row) = self.pop() else { return Ok((told, None)) };
            let key = (row.fact.first_ms, row.fact.job_id);
            if let Some(one) = Told::of(row.fact) {
                if told.len() == limit {
                    return Ok((told, last));
                }
                told.push(one);
            }
            last = Some(key);
        }
    }

    /// Reads on where a list has run dry; whether every list can still be compared.
    fn fill(
        &mut self,
        sources: &Sources,
        network: Network,
        sheet: &Sheet,
    ) -> Result<bool, Problem> {
        for list in self.lists.iter_mut().filter(|list| list.rows.is_empty() && list.has_more) {
            if self.reads == READS_MAX {
                return Ok(false);
            }
            self.reads += 1;
            let page = Page { after: list.after.take(), limit: sheet.wanted().min(ROWS_MAX) };
            let paged = sources.warehouse.jobs(network, &list.filter, &page);
            let paged = paged.map_err(Problem::warehouse)?;
            list.rows.extend(paged.rows);
            list.has_more = paged.next.is_some();
            list.after = paged.next;
        }
        Ok(true)
    }

    /// The newest request of all lists.
    fn pop(&mut self) -> Option<JobRow> {
        let key =
            |list: &&mut List| list.rows.front().map(|row| (row.fact.first_ms, row.fact.job_id));
        self.lists.iter_mut().max_by_key(key)?.rows.pop_front()
    }
}

impl Told {
    /// What is shown of a request; none where it has not come to an end.
    fn of(fact: JobFact) -> Option<Self> {
        let success = match fact.state {
            JobState::Completed => true,
            JobState::Failed | JobState::Unserved => false,
            JobState::Requested | JobState::Running | JobState::Silent => return None,
        };
        let tenure = fact.tenures.last();
        let hardware = tenure.and_then(|tenure| tenure.hardware.as_ref());
        let operator = tenure.and_then(|tenure| tenure.operator);
        let end_ms = tenure.and_then(|tenure| tenure.end_ms).unwrap_or(fact.last_ms);
        let told_ms = fact.answer.as_ref().and_then(|answer| answer.duration_ms);
        let took_ms = fact.requested_ms.and_then(|since_ms| end_ms.since(since_ms));
        let url = tenure.and_then(|tenure| tenure.orchestrator.url.as_ref());
        Some(Self {
            attribution_status: match (operator, hardware) {
                (None, _) => "unresolved",
                (Some(_), None) => "hardware_less",
                (Some(_), Some(_)) => "resolved",
            },
            completed_at: Moment(end_ms),
            duration_ms: told_ms.or(took_ms).map(|took| took.0),
            gpu_model_name: hardware.map(ToString::to_string).unwrap_or_default(),
            orch_address: operator.map(|operator| operator.to_string()).unwrap_or_default(),
            orch_url: url.map(ToString::to_string).unwrap_or_default(),
            selection_outcome: match (tenure, fact.state) {
                (Some(_), _) => "selected",
                (None, JobState::Unserved) => "no_orch",
                (None, _) => "unknown",
            },
            success,
            fact,
        })
    }

    fn org(&self) -> String {
        self.fact.gateway.as_ref().map(Address::to_string).unwrap_or_default()
    }
}

fn ai_batch_job(told: Told) -> AiBatchJob {
    AiBatchJob {
        request_id: told.fact.job_id,
        org: told.org(),
        gateway: gateway(&told.fact),
        pipeline: pipeline(&told.fact),
        model_id: model(&told.fact).unwrap_or_default(),
        completed_at: told.completed_at,
        success: told.success,
        tries: told.fact.answer.as_ref().and_then(|answer| answer.tries),
        duration_ms: told.duration_ms,
        orch_url: told.orch_url,
        selection_outcome: told.selection_outcome,
        gpu_model_name: told.gpu_model_name,
        attribution_status: told.attribution_status,
    }
}

fn byoc_job(told: Told) -> ByocJob {
    let reason = told.fact.tenures.last().and_then(|tenure| tenure.reason);
    ByocJob {
        request_id: told.fact.job_id,
        org: told.org(),
        capability: pipeline(&told.fact),
        model: model(&told.fact).unwrap_or_default(),
        completed_at: told.completed_at,
        success: told.success,
        duration_ms: told.duration_ms,
        http_status: told.fact.answer.as_ref().and_then(|answer| answer.http_status),
        orch_address: told.orch_address,
        orch_url: told.orch_url,
        worker_url: String::new(),
        selection_outcome: told.selection_outcome,
        gpu_model_name: told.gpu_model_name,
        attribution_status: told.attribution_status,
        error: if told.success {
            String::new()
        } else {
            reason.map_or_else(String::new, |reason| reason.to_string())
        },
    }
}
