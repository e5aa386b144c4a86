//! `/api/aggregated_stats`: scores by orchestrator and region, as gateways and explorers read them.
//!
//! A gateway discards all of an answer for one member that is no number, so every one is; where nothing can be said of
//! somebody, it is not in it.

use std::collections::BTreeMap;

use axum::extract::State as Given;
use axum::response::IntoResponse;
use events::identity::{Address, Region};
use serde::Serialize;
use sla::tested::board::{Standing, standings};

use super::KEPT;
use super::asked::Asked;
use super::post_stats::Refusals;
use crate::answer::{A_SECOND_MS, Answer};
use crate::number::Share;
use crate::problem::Problem;
use crate::query::Query;
use crate::state::State;

/// An orchestrator's results in one region; scores and shares are 0 to 1.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Stats {
    /// The share of the output that came back, 0 to 1.
    #[schema(value_type = f64, minimum = 0, maximum = 1, example = 1.0)]
    success_rate: Share,
    /// The score for speed, 0 to 1; 0 if nothing came back.
    #[schema(value_type = f64, minimum = 0, maximum = 1, example = 0.742521)]
    round_trip_score: Share,
    /// Success rate and speed combined, 0 to 1.
    #[schema(value_type = f64, minimum = 0, maximum = 1, example = 0.909882)]
    score: Share,
    /// How many tests this is based on.
    #[schema(example = 24)]
    tests: u64,
}

/// By on-chain address and region.
type Map = BTreeMap<Address, BTreeMap<Region, Stats>>;

/// Leaderboard scores
///
/// A bare object: orchestrator address in lower case, then region, then numbers. With `pipeline` and `model` it is
/// about that model, with neither about transcoding; with `job_type=ai` about all models, each pipeline and model
/// counted once. Orchestrators that were not tested, or that cannot be compared with any other, are absent.
#[utoipa::path(
    get, path = "/api/aggregated_stats", tag = "leaderboard", params(Asked),
    extensions(("x-naap-cost" = json!(5))),
    responses((status = 200, description = "The scores.", body = BTreeMap<String, BTreeMap<String, Stats>>), Refusals),
)]
pub async fn aggregated_stats(
    Given(state): Given<State>,
    Query(asked): Query<Asked>,
) -> Result<impl IntoResponse, Problem> {
    let found = asked.find(&state).await?;
    let map: Map = standings(&found.tests())
        .into_iter()
        .filter(|(address, _)| found.asked.is_none_or(|wanted| wanted == *address))
        .map(|(address, regions)| (address, regions.into_iter().map(stats).collect()))
        .collect();
    Ok((KEPT, Answer::for_ms(A_SECOND_MS, map)))
}

fn stats((region, standing): (Region, Standing)) -> (Region, Stats) {
    let Standing { round_trip, score, success, tests } = standing;
    let (round_trip_score, score) = (Share(round_trip), Share(score));
    (region, Stats { success_rate: Share(success), round_trip_score, score, tests })
}
