//! `/v1/route/perf-stats`: scores as go-livepeer's `-orchPerfStatsUrl` reads them.
//!
//! A gateway merges what it reads and forgets nobody, takes one wrong member for a reason to discard all, and reads one
//! region and the member `score` (`starter.go`, `refreshOrchPerfScoreLoop`). So every address that was ever known is in it,
//! in every region, as a number, an explicit 0 for whoever is left out.

use std::collections::BTreeMap;

use axum::extract::State as Given;
use events::identity::Address;
use events::unit::Ppm;
use serde::{Serialize, Serializer};
use sla::route::score_map::score_map;

use super::asked::{PolicyQuery, RouteQuery, Situation};
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Queries;
use crate::routing::served;
use crate::state::State;

/// Named values, as a gateway reads them.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct PerfStats {
    /// The score that a gateway compares with `-minPerfScore`, 0 to 1.
    #[schema(value_type = f64, minimum = 0, maximum = 1, example = 0.95)]
    score: Share,
}

/// Parts per million as a number of 1.
#[derive(Debug, Clone, Copy)]
struct Share(Ppm);

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(f64::from(self.0.0) / 1_000_000.0)
    }
}

/// By address and region.
type Map = BTreeMap<Address, BTreeMap<String, PerfStats>>;

/// Scores for gateways
///
/// For go-livepeer's `-orchPerfStatsUrl`: a bare object, on-chain address, then region, then numbers. Every address
/// that was ever known stays in it, for every region and `GLOBAL`; those left out are 0, and newcomers have the
/// policy's value while it is their turn. If the scores are too old the answer is 503, which a gateway ignores, so that
/// it keeps the scores it has.
#[utoipa::path(
    get, path = "/v1/route/perf-stats", tag = "routing", params(RouteQuery, PolicyQuery),
    responses((status = 200, description = "The scores.", body = BTreeMap<String, BTreeMap<String, PerfStats>>), Problems),
)]
pub async fn perf_stats(
    Given(state): Given<State>,
    Queries(query, by): Queries<RouteQuery, PolicyQuery>,
) -> Result<Answer<Map>, Problem> {
    let scores = query.ask(&state, by.policy(&state)?, |warehouse, situation| {
        situation.check_fresh()?;
        let Situation { asked, field, network, policy, turn, .. } = situation;
        let served = served(warehouse, *network, field).map_err(Problem::warehouse)?;
        Ok(score_map(policy, asked, &field.candidates, &served, *turn))
    });
    let (_, scores) = scores.await?;
    let regions = |regions: BTreeMap<String, Ppm>| {
        regions.into_iter().map(|(name, score)| (name, PerfStats { score: Share(score) })).collect()
    };
    let map = scores.into_iter().map(|(address, of)| (address, regions(of))).collect();
    Ok(Answer::for_ms(A_SECOND_MS, map))
}
