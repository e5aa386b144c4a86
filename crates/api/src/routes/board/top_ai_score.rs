//! `/api/top_ai_score`: what an orchestrator does best, among what others were tested with too.

use axum::extract::State as Given;
use axum::response::IntoResponse;
use events::event::Network;
use events::identity::{Address, Pipeline, Region};
use serde::{Deserialize, Serialize};
use sla::tested::board::best;
use utoipa::IntoParams;

use super::KEPT;
use super::asked::Asked;
use super::post_stats::Refusals;
use crate::answer::{A_SECOND_MS, Answer};
use crate::number::Share;
use crate::problem::Problem;
use crate::query::Query;
use crate::schema;
use crate::state::State;

/// The orchestrator.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct TopQuery {
    /// The network; that of this instance if not given.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// The on-chain address, in upper or lower case.
    #[param(required = false, example = "0x00000000000000000000000000000000000000aa")]
    orchestrator: Option<String>,
    /// The region, in upper or lower case.
    #[param(required = false)]
    region: Option<String>,
    /// The start of the time range, in Unix seconds; 24 hours before `until` if not given.
    #[param(required = false)]
    since: Option<String>,
    /// The end of the time range, in Unix seconds; now if not given.
    #[param(required = false)]
    until: Option<String>,
}

/// The best score of an orchestrator; an empty object if it has none.
#[derive(Debug, Default, Serialize, utoipa::ToSchema)]
pub struct TopScore {
    /// The region.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    region: Option<Region>,
    /// The orchestrator.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<schema::Address>)]
    orchestrator: Option<Address>,
    /// The score, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1)]
    value: Option<Share>,
    /// The model.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// The title of the pipeline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<String>,
}

/// The best leaderboard score
///
/// A score is relative to the other orchestrators tested with the same model, so only models that others were tested
/// with too are considered, as long as there are any. Of equal scores, the one based on more tests.
#[utoipa::path(
    get, path = "/api/top_ai_score", tag = "leaderboard", params(TopQuery),
    extensions(("x-naap-cost" = json!(5))),
    responses((status = 200, description = "The score.", body = TopScore), Refusals),
)]
pub async fn top_ai_score(
    Given(state): Given<State>,
    Query(query): Query<TopQuery>,
) -> Result<impl IntoResponse, Problem> {
    let TopQuery { network, orchestrator, region, since, until } = query;
    let job_type = Some("ai".to_owned());
    let asked = Asked { job_type, network, orchestrator, region, since, until, ..Asked::default() };
    let found = asked.find(&state).await?;
    let wanted = found.operator()?;
    let best = best(&found.tests(), wanted);
    let top = best.map_or_else(TopScore::default, |best| TopScore {
        region: Some(best.region),
        orchestrator: Some(wanted),
        value: Some(Share(best.standing.score)),
        model: best.kind.1.map(|model| model.to_string()),
        pipeline: best.kind.0.as_ref().map(Pipeline::title),
    });
    Ok((KEPT, Answer::for_ms(A_SECOND_MS, top)))
}
