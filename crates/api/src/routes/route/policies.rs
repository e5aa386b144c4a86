//! `/v1/route/policies`: the routing policies this instance knows, and each as the file it stands in.

use axum::extract::State as Given;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use events::identity::Digest;
use serde::Serialize;

use crate::answer::{Answer, Holds};
use crate::problem::{Problem, Problems};
use crate::query::{Nothing, Query, Segments};
use crate::schema;
use crate::state::State;

/// The routing policies.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RoutingPolicies {
    /// The policies; the first is the default.
    items: Vec<RoutingPolicyItem>,
}

/// A routing policy.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RoutingPolicyItem {
    /// The SHA-256 of its file.
    #[schema(value_type = schema::Digest)]
    hash: Digest,
    /// Its name.
    id: String,
    /// A one-line description.
    title: String,
    /// The URL of its file.
    url: String,
}

/// Routing policies
///
/// The policies of this instance: its own first, then the built-in ones.
#[utoipa::path(
    get, path = "/v1/route/policies", tag = "routing",
    responses((status = 200, description = "The policies.", body = RoutingPolicies), Problems),
)]
pub async fn policies(
    Given(state): Given<State>,
    Query(Nothing {}): Query<Nothing>,
) -> Answer<RoutingPolicies> {
    let items = state.policies().all().iter().map(|policy| RoutingPolicyItem {
        hash: policy.hash,
        id: policy.id.clone(),
        title: policy.title.clone(),
        url: format!("/v1/route/policies/{}", policy.id),
    });
    Answer::until_written(RoutingPolicies { items: items.collect() })
}

/// A routing policy
///
/// The file as it is: TOML with comments. Its hash is over these bytes.
#[utoipa::path(
    get, path = "/v1/route/policies/{id}", tag = "routing",
    params(("id" = String, Path, description = "The policy's name.")),
    responses((status = 200, description = "The file.", body = String, content_type = "application/toml"), Problems),
)]
pub async fn policy(
    Given(state): Given<State>,
    segments: Segments,
    Query(Nothing {}): Query<Nothing>,
) -> Result<Response, Problem> {
    let id = segments.text("id");
    let found = state.policies().get(Some(id)).map(|policy| policy.text.clone());
    let text = found.ok_or_else(|| {
        let shown: String = id.chars().take(80).collect();
        let detail = format!("there is no routing policy {shown:?}");
        Problem::absent(detail, "GET /v1/route/policies lists them.").about("id")
    })?;
    let headers = [(CONTENT_TYPE, "application/toml")];
    Ok((axum::Extension(Holds::UntilWritten), headers, text).into_response())
}
