//! What the API description says of each path beyond its handler, read once when the router is made: what a request
//! costs, and in which forms it is answered. It decides nothing that a client could not read in the description.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request};
use dataset::table::{Column, schema};
use serde_json::Value;
use utoipa::openapi::OpenApi;

/// The extension of an operation that says what a request to it takes of what its client may ask; 1 where it is not
/// there, 0 for nothing. In `#[utoipa::path]` it is `extensions(("x-naap-cost" = json!(20)))`.
pub const COST: &str = "x-naap-cost";

/// What is known of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    /// The columns of a list, in any form; nothing where it is none.
    pub columns: Option<Arc<[Column]>>,
    /// What a request to it costs, in requests of the least cost.
    pub cost: u32,
    /// What it can answer with; empty where that is not known.
    pub media_types: Vec<String>,
}

/// What is known of a path that is not described: a page or another file of this program.
static UNDESCRIBED: Spec = Spec { columns: None, cost: 1, media_types: Vec::new() };

/// The described paths, by the pattern of their routes.
#[derive(Debug)]
pub struct Paths(BTreeMap<String, Spec>);

impl Paths {
    /// The paths of a description.
    pub fn of_description(openapi: &OpenApi) -> Self {
        let document = serde_json::to_value(openapi).unwrap_or_default();
        let paths = document.get("paths").and_then(Value::as_object);
        let known = |(path, item): (&String, &Value)| (path.clone(), spec(&document, item));
        Self(paths.into_iter().flatten().map(known).collect())
    }

    /// What is known of a path by its pattern.
    pub fn get(&self, path: &str) -> Option<&Spec> {
        self.0.get(path)
    }

    /// What is known of a request's path.
    pub fn of(&self, request: &Request) -> &Spec {
        let matched = request.extensions().get::<MatchedPath>();
        matched.and_then(|path| self.get(path.as_str())).unwrap_or(&UNDESCRIBED)
    }
}

fn spec(document: &Value, item: &Value) -> Spec {
    let costs = item.as_object().into_iter().flat_map(|operations| operations.values());
    let cost = costs.filter_map(|operation| operation.get(COST)?.as_u64()).max();
    let cost = cost.map_or(UNDESCRIBED.cost, |cost| u32::try_from(cost).unwrap_or(u32::MAX));
    let content = item.pointer("/get/responses/200/content").and_then(Value::as_object);
    let media_types = content.into_iter().flatten().map(|(name, _)| name.clone()).collect();
    let columns = columns(document, item);
    Spec { columns, cost, media_types }
}

/// The columns of the items, where the answer is a list of objects and the path has no form of its own making.
fn columns(document: &Value, item: &Value) -> Option<Arc<[Column]>> {
    let parameters = item.pointer("/get/parameters").and_then(Value::as_array);
    let has_own = parameters.into_iter().flatten().any(|parameter| {
        parameter.get("name").is_some_and(|name| name == crate::delivery::FORMAT)
            && parameter.get(OURS).is_none()
    });
    let list = item.pointer("/get/responses/200/content/application~1json/schema")?;
    let row = resolve(document, list).pointer("/properties/items/items")?;
    if has_own { None } else { schema::columns(document, row).ok().map(Arc::from) }
}

/// The extension of a parameter that every list has, as against one of a path's own.
pub const OURS: &str = "x-naap-every-list";

/// What a schema refers to, or itself.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let pointer = schema.get("$ref").and_then(Value::as_str).and_then(|at| at.strip_prefix('#'));
    pointer.and_then(|pointer| document.pointer(pointer)).unwrap_or(schema)
}
