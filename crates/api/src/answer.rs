//! What handlers answer with, and the parts that several answers share: pages, kinds of work, and why something is null.
//! Nothing here reads a store.

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use events::event::{Network, Workload};
use events::identity::{Model, Pipeline};
use serde::Serialize;
use sla::tally::cell::WorkClass;

use crate::schema;

/// What a handler that reads answers with, in place of `axum::Json`.
///
/// Return `Result<Answer<T>, Problem>`, and say how long the answer holds:
/// - [`Answer::until_written`] where it follows from the path, the query and the warehouse alone: it is computed once,
///   kept in memory, and given to everybody who asks the same until somebody writes to the warehouse, and for a second
///   even then. Never ask the clock, the ledger, a counter or a header for such an answer.
/// - [`Answer::for_ms`] where it also rests on something else that moves (the clock, counters, the ledger): it is given
///   for so many milliseconds.
///
/// Where it must be computed for each request, return `axum::Json`. All the rest is done on its way out for both: an
/// entity tag and the answer to conditional requests, compression, and, where `T` is a *list*, the formats. A list is
/// an object in the API description with a member `items`, an array of objects: [`Page`] is one, and so is any `T` with
/// `items: Vec<Item>`. Its path takes `?format=json|csv|parquet` and the `Accept` header without a word in the handler
/// or its query; the columns are those that the description of `Item` gives, so describe its members by types, not by
/// `Object`. A member `next: Option<String>` is a cursor, and a `Link` header says where the next page is.
#[derive(Debug)]
pub struct Answer<T> {
    body: T,
    holds: Holds,
}

/// How long an answer may be given again whatever was written since: what many ask for is made once a second.
pub const A_SECOND_MS: u64 = 1_000;

/// How long an answer holds at most, as an extension of the response that it becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// Until the warehouse is written to, and at least for a second.
    UntilWritten,
    /// For so many milliseconds, whatever is written.
    ForMs(u64),
    /// As long as the process lives: what is built into the program.
    Always,
}

impl<T> Answer<T> {
    /// An answer that follows from the request and the warehouse alone.
    pub fn until_written(body: T) -> Self {
        Self { body, holds: Holds::UntilWritten }
    }

    /// An answer that may be given for so many milliseconds, whatever is written meanwhile.
    pub fn for_ms(ms: u64, body: T) -> Self {
        Self { body, holds: Holds::ForMs(ms) }
    }
}

impl<T: Serialize> IntoResponse for Answer<T> {
    /// JSON, which `router` turns into what was asked for.
    fn into_response(self) -> Response {
        let mut response = Json(self.body).into_response();
        response.extensions_mut().insert(self.holds);
        response
    }
}

/// Why each null member of an object is null, by its name. Empty if nothing is unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(value_type = BTreeMap<String, String>, example = json!({"score_ppm": "12 obligations known, 8 more to a score"}))]
pub struct Reasons(BTreeMap<&'static str, String>);

impl Reasons {
    /// The value, with a reason under `member` where there is none.
    pub fn explain<T>(
        &mut self,
        member: &'static str,
        value: Option<T>,
        why: impl FnOnce() -> String,
    ) -> Option<T> {
        if value.is_none() {
            self.0.insert(member, why());
        }
        value
    }
}

/// One page of a list.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The maximum number of items on this page.
    #[schema(minimum = 1, maximum = 500)]
    pub limit: u16,
    /// The network.
    #[schema(value_type = schema::Network)]
    pub network: Network,
    /// The cursor of the next page; null on the last.
    pub next: Option<String>,
}

/// A kind of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Work {
    /// The workload.
    #[schema(value_type = schema::Workload)]
    pub workload: Workload,
    /// The pipeline; null if none was named.
    #[schema(value_type = Option<String>)]
    pub pipeline: Option<Pipeline>,
    /// The model; null if none was named.
    #[schema(value_type = Option<String>)]
    pub model: Option<Model>,
    /// Why a member is null.
    pub reasons: Reasons,
}

impl From<WorkClass> for Work {
    fn from(class: WorkClass) -> Self {
        let mut reasons = Reasons::default();
        let unnamed = || "no party named one".to_owned();
        Self {
            workload: class.workload,
            pipeline: reasons.explain("pipeline", class.pipeline, unnamed),
            model: reasons.explain("model", class.model, unnamed),
            reasons,
        }
    }
}
