//! `/v1/route/webhook`: the list as go-livepeer's `-orchWebhookUrl` and the python gateway read it.
//!
//! go-livepeer takes a score in it for a rank of trust, where a fraction breaks transcoding and more than one ends the
//! process, and an empty list for "nobody" (`discovery/wh_discovery.go`). So there is no score, and no list rather than an
//! empty one. It draws its own order; the python gateway tries the list from its top.

use axum::extract::State as Given;
use events::identity::{Address, ServiceUrl};
use serde::Serialize;

use super::asked::{PolicyQuery, RouteQuery};
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Code, Problem, Problems};
use crate::query::Queries;
use crate::schema;
use crate::state::State;

/// One orchestrator, as a gateway discovers it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Discovered {
    /// Its service URL.
    #[schema(value_type = schema::ServiceUrl)]
    address: ServiceUrl,
    /// Its on-chain address, for people; gateways ignore it.
    #[schema(value_type = schema::Address)]
    eth_address: Address,
}

/// The list for gateways
///
/// For go-livepeer's `-orchWebhookUrl` and the python gateway: a bare list, best first, without scores. If the scores
/// are too old, or nobody can be listed, the answer is 503, so that the gateway keeps the list it has.
#[utoipa::path(
    get, path = "/v1/route/webhook", tag = "routing", params(RouteQuery, PolicyQuery),
    responses((status = 200, description = "The list.", body = Vec<Discovered>), Problems),
)]
pub async fn webhook(
    Given(state): Given<State>,
    Queries(query, by): Queries<RouteQuery, PolicyQuery>,
) -> Result<Answer<Vec<Discovered>>, Problem> {
    let (situation, route) = query.answer(&state, by.policy(&state)?).await?;
    situation.check_fresh()?;
    let entries = route.entries.into_iter();
    let listed: Vec<Discovered> = entries
        .filter_map(|entry| Some(Discovered { address: entry.url?, eth_address: entry.operator }))
        .collect();
    if listed.is_empty() {
        let detail = "no orchestrator can be listed for this work";
        let instead =
            "GET /v1/route/excluded with the same parameters says why, for each orchestrator.";
        return Err(Problem::new(Code::Nobody, detail, instead));
    }
    Ok(Answer::for_ms(A_SECOND_MS, listed))
}
