//! Tests by commitment: a tester binds itself before, shows after, and reports what it saw.

use serde::{Deserialize, Serialize};

use super::{Orchestrator, Reason};
use crate::identity::{Digest, JobId, Label};
use crate::unit::{Micros, Millis, Ppm};

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
    /// The most jobs one reveal may show.
    pub const JOBS_MAX: usize = 256;

    /// Whether this opens the commitment that it names.
    pub fn opens(&self) -> bool {
        commitment(&self.jobs, &self.nonce) == self.commitment
    }

    /// Whether this is the answer to `committed`: the same binding, as many jobs as it bound, and a key that fits.
    pub fn answers(&self, committed: &Committed) -> bool {
        let jobs = self.jobs.len();
        self.commitment == committed.commitment
            && jobs <= Self::JOBS_MAX
            && u32::try_from(jobs) == Ok(committed.jobs)
            && self.opens()
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
    /// What the tester measured beside, where its test gives more than right or wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
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

/// The figures of a test, as testers of the leaderboard report them: means over the segments of a test of transcoding,
/// or those of one request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(remote = "Self")]
pub struct Measured {
    /// Fetching what came out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub download_us: Option<Micros>,
    /// What went wrong, and how often; at most 16.
    pub faults: Vec<Fault>,
    /// From sending to the whole answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub round_trip_us: Option<Micros>,
    /// How long a segment plays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segment_us: Option<Micros>,
    /// Segments that came back, of every rendition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments_received: Option<u32>,
    /// Segments that were sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments_sent: Option<u32>,
    /// How much of what was asked for came back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_ppm: Option<Ppm>,
    /// The work itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcode_us: Option<Micros>,
    /// Sending what goes in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub upload_us: Option<Micros>,
    /// Whether the model was loaded before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warm: Option<bool>,
}

/// One way in which a test failed, in the tester's own code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(remote = "Self")]
pub struct Fault {
    /// The code, without its message.
    pub code: Label,
    /// How often.
    pub count: u32,
}

crate::object::object_only!(Fault);
crate::object::object_only!(Measured);

impl Measured {
    /// The most faults one test tells.
    pub const FAULTS_MAX: usize = 16;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(jobs: &[JobId]) -> (Committed, Revealed) {
        let nonce = Digest::of(&[b"nonce"]);
        let commitment = commitment(jobs, &nonce);
        let count = u32::try_from(jobs.len()).unwrap();
        (Committed { commitment, jobs: count }, Revealed { commitment, jobs: jobs.to_vec(), nonce })
    }

    #[test]
    fn a_reveal_answers_its_own_commitment_alone() {
        let jobs = [JobId([1; 16]), JobId([2; 16])];
        let (committed, revealed) = round(&jobs);
        assert!(revealed.answers(&committed));
        let turned = Revealed { jobs: jobs.iter().rev().copied().collect(), ..revealed.clone() };
        assert!(turned.answers(&committed), "jobs are bound as a set");
        let (other, _) = round(&jobs[..1]);
        assert!(!revealed.answers(&other), "another binding");
        assert!(!revealed.answers(&Committed { jobs: 1, ..committed.clone() }), "another count");
        let key = Revealed { nonce: Digest::ZERO, ..revealed.clone() };
        assert!(!key.answers(&committed), "another nonce");
        let more = Revealed { jobs: vec![jobs[0], JobId([3; 16])], ..revealed };
        assert!(!more.answers(&committed), "another job");
    }

    #[test]
    fn nobody_binds_more_than_a_reveal_may_show() {
        let jobs: Vec<JobId> = (0..=u8::MAX).map(|byte| JobId([byte; 16])).collect();
        let (committed, revealed) = round(&jobs);
        assert!(revealed.answers(&committed));
        let (committed, revealed) = round(&[jobs, vec![JobId([7; 16])]].concat());
        assert!(revealed.opens() && !revealed.answers(&committed));
    }
}
