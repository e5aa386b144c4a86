//! What happened to a job, from the request to its end.

use serde::{Deserialize, Serialize};

use super::{Orchestrator, Reason, Witness};
use crate::unit::{Millis, UnixMillis, Wei};

/// A user asked for work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Requested {
    /// Whether the answer is to be streamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub streaming: Option<bool>,
}

/// The work was given to an orchestrator: the beginning of its tenure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Assigned {
    /// Which try this is, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Who got it.
    pub orchestrator: Orchestrator,
    /// The witness's own clock, where it is not the reporter's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said_ms: Option<UnixMillis>,
    /// Who saw it.
    pub witness: Witness,
}

crate::words! {
    /// What came out first.
    Output {
        /// Frames, or the body of an answer.
        Media = "media",
        /// A data channel.
        Data = "data",
    }
}

/// The first output of a tenure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct FirstOutput {
    /// Who gave it.
    pub orchestrator: Orchestrator,
    /// What it was.
    pub output: Output,
    /// The witness's own clock, where it is not the reporter's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said_ms: Option<UnixMillis>,
    /// Who saw it.
    pub witness: Witness,
}

/// Enough output to watch: for go-livepeer, the third segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Playable {
    /// Who gave it.
    pub orchestrator: Orchestrator,
}

/// The work was taken from an orchestrator; who got it next says so with `job.assigned`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Swapped {
    /// Who lost it.
    pub orchestrator: Orchestrator,
    /// Why.
    pub reason: Reason,
}

/// No orchestrator took the work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Unserved {
    /// Why.
    pub reason: Reason,
}

/// The work failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Failed {
    /// How long it took to fail.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Millis>,
    /// The HTTP status that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Who had it, if anybody is named.
    #[serde(default, skip_serializing_if = "Orchestrator::is_nobody")]
    pub orchestrator: Orchestrator,
    /// Why.
    pub reason: Reason,
    /// How many orchestrators were tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// Who saw it.
    pub witness: Witness,
}

/// What a language model's answer measured.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(remote = "Tokens")]
pub struct Tokens {
    /// Tokens given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completion: Option<u64>,
    /// Tokens asked with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<u64>,
    /// Thousandths of a token per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rate_milli: Option<u64>,
    /// Time to the first token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<Millis>,
}

crate::object::object_only!(Tokens);

/// The work ended: it was done, its input ended, or its user left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Completed {
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Millis>,
    /// The HTTP status that was answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// Who did it, if anybody is named.
    #[serde(default, skip_serializing_if = "Orchestrator::is_nobody")]
    pub orchestrator: Orchestrator,
    /// What it cost for each unit, in wei.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price_wei: Option<Wei>,
    /// `user_disconnect` where the user left; absent where it was done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// What a language model's answer measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// How many orchestrators were tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
    /// Who saw it.
    pub witness: Witness,
}

/// One attempt to transcode one segment at one orchestrator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct SegmentAttempted {
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How many attempts the segment took.
    pub attempts: u32,
    /// How long the segment plays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Millis>,
    /// How long the attempt took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Millis>,
    /// Who had it.
    pub orchestrator: Orchestrator,
    /// Why it failed; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// How large the segment was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size_bytes: Option<u64>,
    /// Whether this attempt gave the renditions.
    pub success: bool,
}
