//! `/v1/openapi.json`: the description of every path, made from the handlers themselves. `/docs` shows it to people.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;

use crate::answer::Holds;
use crate::problem::Problems;
use crate::query::{Nothing, Query};

/// The description as it is sent.
#[derive(Clone)]
pub struct Described(pub Arc<[u8]>);

/// The description as it is sent and committed: indented, with a line feed at the end.
pub fn bytes(openapi: &utoipa::openapi::OpenApi) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(openapi).expect("a description has text keys only");
    bytes.push(b'\n');
    bytes
}

/// This description
///
/// OpenAPI 3.1. `/docs` shows it with a form for every path.
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "operation",
    responses((status = 200, description = "The description.", body = Object), Problems),
)]
pub async fn openapi_json(
    Extension(Described(bytes)): Extension<Described>,
    Query(Nothing {}): Query<Nothing>,
) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (Extension(Holds::Always), headers, Bytes::from_owner(bytes))
}
