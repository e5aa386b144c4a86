//! What an orchestrator offers, and whether it answers.

use serde::{Deserialize, Serialize};

use super::{Orchestrator, Price};
use crate::identity::{Label, Model, Pipeline};
use crate::unit::Millis;

/// One model an orchestrator offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(remote = "Offer")]
pub struct Offer {
    /// Sessions it says it can hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Sessions it says it holds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_use: Option<u32>,
    /// The model; absent where a whole pipeline is offered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The pipeline, or the BYOC capability.
    pub pipeline: Pipeline,
    /// What it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// The runner's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runner_version: Option<Label>,
    /// Whether the model is loaded.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm: Option<bool>,
}

crate::object::object_only!(Offer);

/// One GPU as its orchestrator describes it; ids churn and are for display only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(remote = "Gpu")]
pub struct Gpu {
    /// The device's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Label>,
    /// Free memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_free_bytes: Option<u64>,
    /// All memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_total_bytes: Option<u64>,
    /// The model it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// What it is, such as `NVIDIA GeForce RTX 4090`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
    /// The pipeline it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
}

crate::object::object_only!(Gpu);

/// What one orchestrator offers: also the tie between its recipient, signer and URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Offered {
    /// Its GPUs, at most 32.
    pub gpus: Vec<Gpu>,
    /// What it offers, at most 64.
    pub offers: Vec<Offer>,
    /// Offers and GPUs left out for length.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u32>,
    /// Who offers.
    pub orchestrator: Orchestrator,
    /// Its general price, for transcoding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Its software's version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Label>,
}

/// An orchestrator was asked for a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Answered {
    /// Sessions it says it can take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// The HTTP status that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// How long the answer took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Millis>,
    /// Who was asked; nobody where the question found nobody.
    #[serde(default, skip_serializing_if = "Orchestrator::is_nobody")]
    pub orchestrator: Orchestrator,
    /// Whether it answered with a session.
    pub success: bool,
}
