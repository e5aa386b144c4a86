//! Tests by commitment: a tester binds itself before, shows after, and reports what it saw.

use serde::{Deserialize, Serialize};

use super::{Orchestrator, Reason};
use crate::identity::{Digest, JobId, Label};
use crate::unit::Millis;

/// A tester bound itself to tests: SHA-256 over the canonical bytes of the revelation's `jobs` and `nonce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Committed {
    /// The binding.
    pub commitment: Digest,
    /// How many jobs it binds.
    pub jobs: u32,
}

/// A tester showed which jobs were tests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Revealed {
    /// The binding it opens.
    pub commitment: Digest,
    /// The jobs, sorted, at most 256.
    pub jobs: Vec<JobId>,
    /// The secret that kept the binding closed.
    pub nonce: Digest,
}

/// What a test gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Observed {
    /// From sending to the whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Millis>,
    /// From sending to the first output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_output_ms: Option<Millis>,
    /// Who was tested.
    pub orchestrator: Orchestrator,
    /// Why it failed; absent where it did not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The scenario that was run, with its version.
    pub scenario: Label,
    /// Whether the answer was right.
    pub success: bool,
}
