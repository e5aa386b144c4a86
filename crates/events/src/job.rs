//! The one name of a job, which every party computes for itself.
//!
//! `job_id` is the first 16 bytes of SHA-256 over `naap/job/1`, the workload and the ids both parties see, each
//! preceded by its length as four big-endian bytes, so that no two lists of ids read alike. It is an unsalted
//! pseudonym: whoever knows the ids can find the job, whoever knows the job cannot read the ids.

use crate::event::Workload;
use crate::identity::{Address, Digest, JobId};

/// The name of the job that `workload` and its shared `ids` single out.
fn job_id(workload: Workload, ids: &[&str]) -> JobId {
    let mut bytes = Vec::from(*b"naap/job/1");
    for part in std::iter::once(workload.as_str()).chain(ids.iter().copied()) {
        let length = u32::try_from(part.len()).unwrap_or(u32::MAX);
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    let Digest(full) = Digest::of(&[&bytes]);
    let mut id = [0; 16];
    for (to, from) in id.iter_mut().zip(full) {
        *to = from;
    }
    JobId(id)
}

/// A live video session: stream id and request id, as gateway, orchestrator and runner all know them.
pub fn live_video(stream_id: &str, request_id: &str) -> JobId {
    job_id(Workload::LiveVideo, &[stream_id, request_id])
}

/// A request with one id: BYOC, LLM, AI batch and Live Runner jobs.
///
/// A stock AI-batch gateway keeps its id to itself, so its claims find no partner and nobody is charged for that.
pub fn request(workload: Workload, request_id: &str) -> JobId {
    job_id(workload, &[request_id])
}

/// One transcoding segment at one orchestrator: stream id, sequence number and the orchestrator's signer address.
pub fn segment(stream_id: &str, sequence: u64, orchestrator: Option<Address>) -> JobId {
    let who = orchestrator.map(|address| address.to_string()).unwrap_or_default();
    job_id(Workload::Transcoding, &[stream_id, &sequence.to_string(), &who])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_cannot_be_shifted_between_fields() {
        assert_ne!(live_video("a", "bc"), live_video("ab", "c"));
        assert_ne!(request(Workload::Llm, "a"), request(Workload::Byoc, "a"));
        assert_eq!(live_video("stream", "request"), live_video("stream", "request"));
    }
}
