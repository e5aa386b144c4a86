//! The state of machines: heartbeats, GPUs, bandwidth, counters and workers.

use serde::{Deserialize, Serialize};

use super::{Orchestrator, Price};
use crate::identity::{Label, Model, Pipeline, Pseudonym};
use crate::unit::{Millis, Ppm};

/// A node is alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Heartbeat {
    /// Events lost since the node began.
    pub dropped: u64,
    /// How long it has run.
    pub uptime_ms: Millis,
    /// Its software's version.
    pub version: Label,
}

/// A GPU's state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GpuSample {
    /// The device's own id, for display only.
    pub gpu: Label,
    /// Free memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_free_bytes: Option<u64>,
    /// All memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_total_bytes: Option<u64>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Label>,
    /// Share of time it computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub utilisation: Option<Ppm>,
}

/// A node's bandwidth, in bits per second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct BandwidthSample {
    /// Towards the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub down_bps: Option<u64>,
    /// Away from the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub up_bps: Option<u64>,
}

/// A named count or reading that no other kind carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct CounterSample {
    /// What is counted, its unit last: `auth_webhook_failures`, `inference_latency_ms`.
    pub name: Label,
    /// Whom it is about, if anybody is named.
    #[serde(default, skip_serializing_if = "Orchestrator::is_nobody")]
    pub orchestrator: Orchestrator,
    /// The count or reading.
    pub value: i64,
}

/// A worker came or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Worker {
    /// The capability it serves.
    pub capability: Pipeline,
    /// The models it runs, at most 32.
    pub models: Vec<Model>,
    /// The orchestrator it works for.
    pub orchestrator: Orchestrator,
    /// What it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Its name: a pseudonym of its inner URL, by a secret of the speaker.
    pub worker: Pseudonym,
}
