//! `/v1/jobs`: jobs in short, newest first, each as the latest hour knows it.

use std::collections::BTreeSet;

use axum::extract::State as Given;
use events::event::{Network, Origin, Workload};
use events::identity::{Address, JobId, Model, Pipeline, Region};
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use sla::hour::fact::State as JobState;
use sla::window::Hour;
use utoipa::IntoParams;
use warehouse::page::Paged;
use warehouse::view::{JobFilter, JobRow};

use crate::answer::{Answer, Page, Reasons, Work};
use crate::cursor::Sheet;
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query};
use crate::schema;
use crate::state::State;

/// Which jobs.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct JobsQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// Only jobs whose first claim is at or after this time, in Unix milliseconds.
    #[param(value_type = u64, required = false)]
    from_ms: Option<UnixMillis>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// Only jobs for this model.
    #[param(value_type = String, required = false)]
    model: Option<Model>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only jobs with a tenure of this operator: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    operator: Option<Address>,
    /// Only jobs for this pipeline.
    #[param(value_type = String, required = false)]
    pipeline: Option<Pipeline>,
    /// Only jobs that this address reported on: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    reporter: Option<Address>,
    /// Only jobs in this state.
    #[param(inline, value_type = schema::JobState, required = false)]
    state: Option<JobState>,
    /// Only jobs whose first claim is before this time, in Unix milliseconds.
    #[param(value_type = u64, required = false)]
    to_ms: Option<UnixMillis>,
    /// Only jobs of this workload.
    #[param(inline, value_type = schema::Workload, required = false)]
    workload: Option<Workload>,
}

/// A summary of one job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct JobSummary {
    /// The job.
    #[schema(value_type = schema::JobId)]
    job_id: JobId,
    /// Whether it is listed, and why.
    #[schema(value_type = schema::JobState)]
    state: JobState,
    /// The latest hour it had claims in.
    #[schema(value_type = schema::Hour)]
    window: Hour,
    /// Whether that hour may still change.
    provisional: bool,
    /// The kind of work that was requested.
    work: Work,
    /// Whether users asked for it (`organic`) or it was a test (`probe`).
    #[schema(value_type = schema::Origin)]
    origin: Origin,
    /// The region in which it was requested; null if nobody reported it.
    #[schema(value_type = Option<String>)]
    region: Option<Region>,
    /// The time of its first claim, in Unix milliseconds.
    #[schema(value_type = u64)]
    first_ms: UnixMillis,
    /// The time of its last claim, in Unix milliseconds.
    #[schema(value_type = u64)]
    last_ms: UnixMillis,
    /// When it was requested, in Unix milliseconds; null if nobody reported it.
    #[schema(value_type = Option<u64>)]
    requested_ms: Option<UnixMillis>,
    /// How many claims that hour read.
    claims: u64,
    /// Everyone who reported on it.
    #[schema(value_type = Vec<schema::Address>)]
    reporters: Vec<Address>,
    /// How many tenures it had in that hour.
    tenures: usize,
    /// The operators that held it, as far as they are known.
    #[schema(value_type = Vec<schema::Address>)]
    operators: BTreeSet<Address>,
    /// Why a member is null.
    reasons: Reasons,
}

impl From<JobRow> for JobSummary {
    fn from(row: JobRow) -> Self {
        let JobRow { fact, hour, revision } = row;
        let mut reasons = Reasons::default();
        let unheard = || "no request was heard".to_owned();
        Self {
            job_id: fact.job_id,
            state: fact.state,
            window: hour,
            provisional: revision.is_none(),
            work: fact.class.into(),
            origin: fact.origin,
            region: reasons
                .explain("region", fact.region, || "no reporter has a region".to_owned()),
            first_ms: fact.first_ms,
            last_ms: fact.last_ms,
            requested_ms: reasons.explain("requested_ms", fact.requested_ms, unheard),
            claims: fact.claims,
            reporters: fact.reporters,
            tenures: fact.tenures.len(),
            operators: fact.tenures.iter().filter_map(|tenure| tenure.operator).collect(),
            reasons,
        }
    }
}

/// Jobs
///
/// Newest first, by the time of the first claim. Filters apply to a job as its latest hour knows it.
#[utoipa::path(
    get, path = "/v1/jobs", tag = "jobs",
    params(JobsQuery),
    responses((status = 200, description = "A page.", body = Page<JobSummary>), Problems),
)]
pub async fn jobs(
    Given(state): Given<State>,
    Query(query): Query<JobsQuery>,
) -> Result<Answer<Page<JobSummary>>, Problem> {
    let network = state.network(query.network);
    let filter = JobFilter {
        from_ms: query.from_ms,
        model: query.model,
        operator: query.operator,
        pipeline: query.pipeline,
        reporter: query.reporter,
        state: query.state,
        to_ms: query.to_ms,
        workload: query.workload,
    };
    check_span(&filter)?;
    let (sheet, page) = Sheet::of("jobs", network, &filter, query.cursor.as_deref(), query.limit)?;
    let paged = state.read(move |sources| {
        sources.warehouse.jobs(network, &filter, &page).map_err(Problem::warehouse)
    });
    let Paged { next, rows } = paged.await?;
    let items = rows.into_iter().map(JobSummary::from).collect();
    Ok(Answer::until_written(sheet.answer(items, next)))
}

fn check_span(filter: &JobFilter) -> Result<(), Problem> {
    if let (Some(from), Some(to)) = (filter.from_ms, filter.to_ms)
        && from >= to
    {
        let detail = format!("from_ms {from} is not before to_ms {to}");
        return Err(Problem::parameter("to_ms", detail, "Send a time after from_ms."));
    }
    for (name, moment) in [("from_ms", filter.from_ms), ("to_ms", filter.to_ms)] {
        if moment.is_some_and(|moment| !moment.is_plausible()) {
            let detail = format!("{name} is not between 2020 and 2100");
            return Err(Problem::parameter(name, detail, "Send Unix milliseconds."));
        }
    }
    Ok(())
}
