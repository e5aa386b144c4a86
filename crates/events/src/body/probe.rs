//! Tests by commitment: a tester binds itself before, shows after, and reports what it saw.

use serde::{Deserialize, Serialize};

use super::{Orchestrator, Reason};
use crate::identity::{Digest, JobId, Label};
use crate::unit::Millis;

/// A tester bound itself to tests it will make (see [`commitment`]).
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

/// The binding of a tester to `jobs`: SHA-256 over `{"jobs":[..],"nonce":".."}` in canonical form.
///
/// The jobs are sorted first, so that they bind as a set; without the nonce nobody can try candidates.
pub fn commitment(jobs: &[JobId], nonce: &Digest) -> Digest {
    #[derive(Serialize)]
    struct Bound<'a> {
        jobs: &'a [JobId],
        nonce: &'a Digest,
    }
    let mut jobs = jobs.to_vec();
    jobs.sort_unstable();
    let bytes = serde_json::to_vec(&Bound { jobs: &jobs, nonce });
    Digest::of(&[&bytes.expect("lists of hex strings serialise")])
}

impl Revealed {
    /// Whether this opens the commitment that it names.
    pub fn opens(&self) -> bool {
        commitment(&self.jobs, &self.nonce) == self.commitment
    }
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
