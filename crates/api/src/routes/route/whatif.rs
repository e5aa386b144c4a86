//! `/v1/route/whatif`: what a routing policy would have changed over the last days.

use axum::extract::State as Given;
use events::event::Network;
use serde::Serialize;
use serde::{Deserialize, Deserializer, de};
use sla::route::policy::{DEFAULT, RoutingPolicy};
use sla::route::whatif::record::Bounds;
use sla::route::whatif::{Question, WhatIf, replay};
use utoipa::IntoParams;

use super::asked::{RouteQuery, named};
use super::tried::{Tried, TriedProblems};
use crate::answer::Answer;
use crate::problem::{Problem, Problems};
use crate::query::Queries;
use crate::routing::past;
use crate::schema;
use crate::state::State;

/// A replay is of whole days before today, so it holds until the day ends; but late words may change a day, so it is made
/// again every ten minutes.
const HOLDS_MS: u64 = 600_000;

/// Over which days.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DaysQuery {
    /// How many whole days before today, in UTC, 1 to 28; 7 if not given.
    #[serde(default)]
    #[param(value_type = u64, required = false, minimum = 1, maximum = 28)]
    days: Days,
}

/// Over which days, and by which policy.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ReplayQuery {
    /// So many whole days before today, in UTC, 1 to 28; 7 if not given.
    #[serde(default)]
    #[param(value_type = u64, required = false, minimum = 1, maximum = 28)]
    days: Days,
    /// The routing policy by its name; the instance's own if none is named. `/v1/route/policies` lists them.
    #[param(value_type = String, required = false, example = "standard-1")]
    policy: Option<String>,
}

/// 1 to 28 days.
#[derive(Debug, Clone, Copy)]
struct Days(u64);

impl Default for Days {
    fn default() -> Self {
        Self(7)
    }
}

impl<'de> Deserialize<'de> for Days {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let days = text.parse().ok().filter(|days| (1..=28).contains(days));
        days.map(Self).ok_or_else(|| de::Error::custom("not a whole number from 1 to 28"))
    }
}

/// What a policy would have changed.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WhatIfAnswer {
    /// How many whole days were replayed.
    days: u64,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// What would have changed: jobs moved, failures avoided in millionths of a failure, latency and cost where both
    /// sides are known, who gains and loses jobs, and what cannot be known and why, each with its interval, and the
    /// assumptions behind all of it.
    #[schema(value_type = Object)]
    what_if: WhatIf,
}

/// What a policy would have changed
///
/// Replays the recorded work of the last whole days under a routing policy, with the scores known before each day and
/// the way each gateway shares its work: failures avoided, latency, cost, who gains and who loses, each with an
/// interval from the differences between days. docs/routing.md says what it assumes and does not promise.
#[utoipa::path(
    get, path = "/v1/route/whatif", tag = "routing", params(RouteQuery, ReplayQuery),
    extensions(("x-naap-cost" = json!(300))),
    responses((status = 200, description = "What would have changed.", body = WhatIfAnswer), Problems),
)]
pub async fn whatif(
    Given(state): Given<State>,
    Queries(query, ReplayQuery { days, policy }): Queries<RouteQuery, ReplayQuery>,
) -> Result<Answer<WhatIfAnswer>, Problem> {
    replayed(&state, &query, days, named(policy.as_deref(), &state)?).await
}

/// What a policy would have changed, were it this one
///
/// The same replay of the policy in the body, which is used once and kept nowhere.
#[utoipa::path(
    post, path = "/v1/route/whatif", tag = "routing", params(RouteQuery, DaysQuery),
    request_body(
        description = "The policy, as its file.",
        content(
            (String = "application/toml", example = json!(DEFAULT)),
            (String = "text/plain", example = json!(DEFAULT)),
        ),
    ),
    extensions(("x-naap-cost" = json!(300))),
    responses((status = 200, description = "What would have changed.", body = WhatIfAnswer), TriedProblems, Problems),
)]
pub async fn try_whatif(
    Given(state): Given<State>,
    Queries(query, DaysQuery { days }): Queries<RouteQuery, DaysQuery>,
    Tried(policy): Tried,
) -> Result<Answer<WhatIfAnswer>, Problem> {
    replayed(&state, &query, days, policy).await
}

async fn replayed(
    state: &State,
    query: &RouteQuery,
    Days(days): Days,
    policy: RoutingPolicy,
) -> Result<Answer<WhatIfAnswer>, Problem> {
    let (network, now) = (state.network(query.network), state.now());
    let asked = query.asked()?;
    let what_if = state.replay(move |sources| {
        let past = past(sources.warehouse.as_ref(), network, &policy, now, days);
        let past = past.map_err(Problem::warehouse)?;
        let (bounds, carried) = (Bounds::default(), past.carried.as_slice());
        Ok(replay(Question { asked: &asked, bounds, carried, policy: &policy }, &past.days))
    });
    let answer = WhatIfAnswer { days, network, what_if: what_if.await? };
    Ok(Answer::for_ms(HOLDS_MS, answer))
}
