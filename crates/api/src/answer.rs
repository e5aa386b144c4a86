//! The parts that several answers share: pages, kinds of work, and why something is null. Nothing here reads a store.

use std::collections::BTreeMap;

use events::event::{Network, Workload};
use events::identity::{Model, Pipeline};
use serde::Serialize;
use sla::tally::cell::WorkClass;

use crate::schema;

/// Why each null of an object is null, by the member's name. Empty where nothing is unknown.
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
    /// The most items this page could have.
    #[schema(minimum = 1, maximum = 500)]
    pub limit: u16,
    /// The network it is about.
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
    /// The pipeline; null where nobody named one.
    #[schema(value_type = Option<String>)]
    pub pipeline: Option<Pipeline>,
    /// The model; null where nobody named one.
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
