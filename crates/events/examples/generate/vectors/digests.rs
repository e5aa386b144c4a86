//! Names and roots that are hashes: job ids, pseudonyms, commitments, Merkle roots.

use events::body::probe;
use events::event::Workload;
use events::identity::{Address, Digest, JobId, Pseudonym};
use events::{job, merkle};
use serde_json::{Value, json};

/// `schemas/vectors/job-ids.json`.
pub fn job_ids() -> Value {
    let case = |name: &str, workload: Workload, ids: &[&str], id: JobId| json!({ "name": name, "workload": workload, "ids": ids, "job_id": id });
    let who = Address([0xbb; 20]);
    let named = who.to_string();
    let request = |workload| case("one id", workload, &["req-1"], job::request(workload, "req-1"));
    json!({
        "about": "Job ids. `ids` are the ids that both parties see, in order.",
        "good": [
            case("a session", Workload::LiveVideo, &["stream-1", "db936fab"], job::live_video("stream-1", "db936fab")),
            case("the same letters in other fields", Workload::LiveVideo, &["stream-1d", "b936fab"], job::live_video("stream-1d", "b936fab")),
            case("no ids", Workload::LiveVideo, &["", ""], job::live_video("", "")),
            case("not ASCII", Workload::LiveVideo, &["ströme", "模型"], job::live_video("ströme", "模型")),
            request(Workload::Byoc),
            request(Workload::Llm),
            request(Workload::AiBatch),
            request(Workload::LiveRunner),
            case("a segment", Workload::Transcoding, &["manifest", "7", &named], job::segment("manifest", 7, Some(who))),
            case("a segment at nobody known", Workload::Transcoding, &["manifest", "7", ""], job::segment("manifest", 7, None)),
        ],
    })
}

/// `schemas/vectors/digests.json`.
pub fn digests() -> Value {
    let secret = Digest([0xcd; 32]);
    let pseudonym = |text: &str| json!({ "secret": secret, "text": text, "pseudonym": Pseudonym::of(&secret, text) });
    let (one, two) =
        (job::live_video("stream-1", "db936fab"), job::request(Workload::Byoc, "req-1"));
    let nonce = Digest([0xab; 32]);
    let commitment = |jobs: &[JobId]| json!({ "jobs": jobs, "nonce": nonce, "commitment": probe::commitment(jobs, &nonce) });
    json!({
        "about": "Pseudonyms, and the commitments of testers; the jobs of a commitment are sorted before they are hashed.",
        "pseudonyms": [
            pseudonym(""),
            pseudonym("https://worker.example:8000"),
            pseudonym("ünïcode"),
            json!({ "secret": Digest::ZERO, "text": "ünïcode", "pseudonym": Pseudonym::of(&Digest::ZERO, "ünïcode") }),
        ],
        "commitments": [commitment(&[]), commitment(&[one]), commitment(&[one, two]), commitment(&[two, one])],
    })
}

/// `schemas/vectors/merkle.json`.
pub fn merkle() -> Value {
    let leaves: Vec<Vec<u8>> = (0u8..=255).map(|n| vec![n; usize::from(n % 5)]).collect();
    let case = |count: usize| {
        let some: Vec<&[u8]> = leaves.iter().take(count).map(Vec::as_slice).collect();
        let root = merkle::root(some.iter().copied());
        json!({ "leaves": some.iter().map(hex::encode).collect::<Vec<_>>(), "root": root })
    };
    let counts = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 31, 33, 64, 100, 255, 256];
    json!({
        "about": "RFC 6962 roots over leaves in hex.",
        "good": counts.map(case),
    })
}
