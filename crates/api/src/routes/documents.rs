//! `/v1/openapi.json` and `/v1/asyncapi.json`: what is answered and what is told, described by the handlers and types
//! themselves. `/docs` shows the first to people.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::http::header;
use axum::response::IntoResponse;

use crate::answer::Holds;
use crate::problem::Problems;
use crate::query::{Nothing, Query};

/// The descriptions as they are sent.
#[derive(Clone)]
pub struct Described {
    /// Of what is told.
    pub asyncapi: Arc<[u8]>,
    /// Of what is answered.
    pub openapi: Arc<[u8]>,
}

/// The description as it is sent and committed: indented, with a line feed at the end.
pub fn bytes(description: &impl serde::Serialize) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(description).expect("a description has text keys only");
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
    Extension(described): Extension<Described>,
    Query(Nothing {}): Query<Nothing>,
) -> impl IntoResponse {
    sent(described.openapi)
}

/// The description of the event stream
///
/// AsyncAPI 3.0: the messages of `/v1/events`, and every kind of event that publishers seal.
#[utoipa::path(
    get, path = "/v1/asyncapi.json", tag = "live",
    responses((status = 200, description = "The description.", body = Object), Problems),
)]
pub async fn asyncapi_json(
    Extension(described): Extension<Described>,
    Query(Nothing {}): Query<Nothing>,
) -> impl IntoResponse {
    sent(described.asyncapi)
}

fn sent(bytes: Arc<[u8]>) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (Extension(Holds::Always), headers, Bytes::from_owner(bytes))
}
