//! `/healthz`: whether this instance is well, and what is wrong when it is not. It mends nothing.

use axum::Json;
use axum::extract::State as Given;
use axum::http::header;
use axum::response::IntoResponse;

use crate::health::{self, Healthy};
use crate::problem::{Problem, Problems};
use crate::query::{Nothing, Query};
use crate::state::State;

/// Whether this instance is well
///
/// 200 when every check is passed; 503 with a problem document that names the failed ones in `detail` and lists all in
/// `checks` when not.
#[utoipa::path(
    get, path = "/healthz", tag = "operation",
    extensions(("x-naap-cost" = json!(0))),
    responses((status = 200, description = "All is well.", body = Healthy), Problems),
)]
pub async fn healthz(
    Given(state): Given<State>,
    Query(Nothing {}): Query<Nothing>,
) -> Result<impl IntoResponse, Problem> {
    let checks = state.inspect(|state| health::look(state.checks())).await?;
    let healthy = health::verdict(checks)?;
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(healthy)))
}
