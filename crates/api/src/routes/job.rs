//! `/v1/jobs/{id}`: all that is known of one job: what came of it, hour by hour, and every party's claims with the
//! batches they stand in. It decides nothing about them.

mod claims;
mod hours;

use axum::extract::State as Given;
use events::event::Network;
use events::identity::JobId;
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;

use crate::answer::{A_SECOND_MS, Answer};
use crate::cursor::List;
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query, Segments};
use crate::schema;
use crate::state::State;

use claims::{Claims, Place};
use hours::HourFact;

/// Which claims of the job.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct JobQuery {
    /// `claims.next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The maximum number of claims on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
}

/// One job.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct JobDetail {
    /// The job.
    #[schema(value_type = schema::JobId)]
    job_id: JobId,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// What is known of it, one entry per hour in which it had claims, first to last.
    hours: Vec<HourFact>,
    /// Every party's claims about it, by the sealing time of the batch, with the evidence. Paged by `limit` and
    /// `cursor`.
    claims: Claims,
}

/// One job
///
/// Its tenures and obligations with their outcomes, hour by hour, and every claim about it: who made it, in which role,
/// the event itself, and the signed batch that contains it.
#[utoipa::path(
    get, path = "/v1/jobs/{id}", tag = "jobs",
    params(("id" = inline(schema::JobId), Path, description = "The job."), JobQuery),
    responses((status = 200, description = "The job.", body = JobDetail), Problems),
)]
pub async fn job(
    Given(state): Given<State>,
    segments: Segments,
    Query(query): Query<JobQuery>,
) -> Result<Answer<JobDetail>, Problem> {
    let job_id: JobId = segments.parse("id", "Send 32 lower-case hex digits.")?;
    let network = state.network(query.network);
    let limit = query.limit.unwrap_or(Limit::DEFAULT);
    let list = List::new("claims", &(network, job_id));
    let after: Option<Place> =
        query.cursor.as_deref().map(|cursor| list.key(cursor)).transpose()?;
    let detail = state.read(move |sources| {
        let rows = sources.warehouse.job(network, job_id).map_err(Problem::warehouse)?;
        if rows.is_empty() {
            let detail = format!("no job {job_id} is known on {network}");
            return Err(Problem::absent(detail, "GET /v1/jobs lists the jobs that are known."));
        }
        let batches = rows.iter().flat_map(|row| row.fact.batches.iter().copied()).collect();
        let claims = claims::read(&sources.ledger(), &batches, job_id, after, limit, &list)?;
        let hours = rows.into_iter().map(HourFact::from).collect();
        Ok(JobDetail { job_id, network, hours, claims })
    });
    Ok(Answer::for_ms(A_SECOND_MS, detail.await?))
}
