//! `/healthz`: whether this instance is well, and what is wrong when it is not. It mends nothing.

use axum::Json;
use axum::extract::State as Given;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;

use crate::health::{self, Outcome};
use crate::problem::{Code, Problem, Problems};
use crate::query::{Nothing, Query};
use crate::state::State;

/// Everything that must work does.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Healthy {
    /// `ok`.
    #[schema(example = "ok")]
    status: &'static str,
    /// What was looked at.
    checks: Vec<Outcome>,
}

/// Whether this instance is well
///
/// 200 when every check is passed; 503 with a problem document that names the failed ones in `detail` and lists all in
/// `checks` when not.
#[utoipa::path(
    get, path = "/healthz", tag = "operation",
    responses((status = 200, description = "All is well.", body = Healthy), Problems),
)]
pub async fn healthz(
    Given(state): Given<State>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<impl IntoResponse, Problem> {
    let checks = state.inspect(|state| health::look(state.checks())).await?;
    let wrong: Vec<String> = checks
        .iter()
        .filter(|check| !check.ok)
        .map(|check| format!("{}: {}", check.name, check.detail))
        .collect();
    if wrong.is_empty() {
        let headers = [(header::CACHE_CONTROL, "no-store")];
        return Ok((headers, Json(Healthy { status: "ok", checks })));
    }
    let instead = "Look at the failed checks; every other path goes on answering from what it has.";
    let mut problem = Problem::new(Code::Unhealthy, wrong.join("; "), instead);
    problem.checks = Some(serde_json::to_value(&checks).expect("names, words and flags"));
    Err(problem)
}
