//! `/healthz`: whether this instance is well, and what is wrong when it is not. It mends nothing.

use axum::Json;
use axum::extract::State as Given;
use axum::http::header;
use axum::response::IntoResponse;

use crate::health::{self, Healthy};
use crate::problem::{Problem, Problems};
use crate::query::{Nothing, Query};
use crate::state::State;

/// Health
///
/// 200 if every check passes; otherwise 503 with a problem document that names the failed checks in `detail` and lists
/// all of them in `checks`.
#[utoipa::path(
    get, path = "/healthz", tag = "operation",
    extensions(("x-naap-cost" = json!(0))),
    responses((status = 200, description = "Every check passes.", body = Healthy), Problems),
)]
pub async fn healthz(
    Given(state): Given<State>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<impl IntoResponse, Problem> {
    let checks = state.inspect(|state| health::look(state.checks())).await?;
    let healthy = health::verdict(checks)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(healthy)))
}
