//! What was paid. A payment that names no request is spend, not a job.

use serde::{Deserialize, Serialize};

use super::{Orchestrator, Price};
use crate::identity::{Address, Label};
use crate::unit::{Millis, Wei};

/// Tickets went to an orchestrator, or a balance was settled with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Sent {
    /// The balance held at the orchestrator after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub balance_wei: Option<Wei>,
    /// The face value of one ticket.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub face_value_wei: Option<Wei>,
    /// Who is paid.
    pub orchestrator: Orchestrator,
    /// The price it was paid at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Who pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<Address>,
    /// Whether it went through, where the sender says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success: Option<bool>,
    /// How many tickets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tickets: Option<u32>,
    /// How likely one ticket wins, in parts per billion, rounded down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub win_probability_ppb: Option<u64>,
}

/// A remote signer signed for work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Signed {
    /// The time it pays for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billable_ms: Option<Millis>,
    /// What it comes to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fee_wei: Option<Wei>,
    /// Who is paid.
    pub orchestrator: Orchestrator,
    /// The pixels it pays for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<u64>,
    /// Its place in the signing session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// `new` or `continuing`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Label>,
    /// How many tickets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tickets: Option<u32>,
}
