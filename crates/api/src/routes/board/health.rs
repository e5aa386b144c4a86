//! `/api/health`: whether tests can be read. It calls the store by the name that its clients know.

use axum::Json;
use axum::extract::State as Given;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Serialize;

use super::post_stats::Refusals;
use crate::problem::Problem;
use crate::query::{Nothing, Query};
use crate::state::State;

/// The state of the store.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct BoardHealth {
    /// The store. The name is the leaderboard's; there is no Postgres here.
    postgres: Store,
}

/// Whether a store can be read.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = BoardStore)]
pub struct Store {
    /// Whether it can be read.
    ok: bool,
    /// Why not; absent if it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// Leaderboard health
///
/// Whether test results can be read; if not, the answer is 503 in the same form.
#[utoipa::path(
    get, path = "/api/health", tag = "leaderboard",
    responses((status = 200, description = "It answers.", body = BoardHealth), Refusals),
)]
pub async fn health(
    Given(state): Given<State>,
    Query(Nothing {}): Query<Nothing>,
) -> impl IntoResponse {
    let read = state.read(|sources| sources.warehouse.last_ordinal().map_err(Problem::warehouse));
    let error = read.await.err().map(|problem| problem.detail);
    let status = if error.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = BoardHealth { postgres: Store { ok: error.is_none(), error } };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body))
}
