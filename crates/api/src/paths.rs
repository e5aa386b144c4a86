//! What the API description says of each path beyond its handler, read once when the router is made: what a request
//! costs. It decides nothing that a client could not read in the description.

use std::collections::BTreeMap;

use axum::extract::{MatchedPath, Request};
use serde_json::Value;
use utoipa::openapi::OpenApi;

/// The extension of an operation that says what a request to it takes of what its client may ask; 1 where it is not
/// there, 0 for nothing. In `#[utoipa::path]` it is `extensions(("x-naap-cost" = json!(20)))`.
pub const COST: &str = "x-naap-cost";

/// What is known of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// What a request to it costs, in requests of the least cost.
    pub cost: u32,
}

/// What is known of a path that is not described.
const UNDESCRIBED: Spec = Spec { cost: 1 };

/// The described paths, by the pattern of their routes.
#[derive(Debug)]
pub struct Paths(BTreeMap<String, Spec>);

impl Paths {
    /// The paths of a description.
    pub fn of_description(openapi: &OpenApi) -> Self {
        let document = serde_json::to_value(openapi).unwrap_or_default();
        let paths = document.get("paths").and_then(Value::as_object);
        let specs = paths.into_iter().flatten().map(|(path, item)| (path.clone(), spec(item)));
        Self(specs.collect())
    }

    /// What is known of a request's path.
    pub fn of(&self, request: &Request) -> &Spec {
        let matched = request.extensions().get::<MatchedPath>();
        matched.and_then(|path| self.0.get(path.as_str())).unwrap_or(&UNDESCRIBED)
    }
}

fn spec(item: &Value) -> Spec {
    let costs = item.as_object().into_iter().flat_map(|operations| operations.values());
    let cost = costs.filter_map(|operation| operation.get(COST)?.as_u64()).max();
    let cost = cost.map_or(UNDESCRIBED.cost, |cost| u32::try_from(cost).unwrap_or(u32::MAX));
    Spec { cost }
}
