//! The committed files: up to date, and every vector given the verdict it states.

use std::path::{Path, PathBuf};

use events::batch::{self, Batch};
use events::body::{Kind, probe};
use events::delegation::Delegation;
use events::event::{Event, Workload};
use events::identity::{AddressSignature, Digest, JobId, Pseudonym};
use events::refusal::{Defect, Refusal};
use events::unit::UnixMillis;
use events::{job, merkle, wire};
use proptest::prelude::*;
use serde_json::Value;

use crate::{files, strategies};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn vectors(name: &str) -> Value {
    serde_json::from_str(&read(&format!("schemas/vectors/{name}.json"))).unwrap()
}

fn cases<'a>(vectors: &'a Value, list: &str) -> &'a [Value] {
    let cases = vectors[list].as_array().unwrap();
    assert!(!cases.is_empty(), "{list} is empty");
    cases
}

fn text<'a>(case: &'a Value, member: &str) -> &'a str {
    case[member].as_str().unwrap_or_else(|| panic!("{} lacks {member}", case["name"]))
}

fn parsed<T: serde::de::DeserializeOwned>(case: &Value, member: &str) -> T {
    serde_json::from_value(case[member].clone())
        .unwrap_or_else(|error| panic!("{}: {error}", case["name"]))
}

/// The verdict is the one the case states: its code, or none.
fn agree<T>(case: &Value, verdict: Result<T, Refusal>) {
    let code = verdict.as_ref().err().map(|refusal| refusal.defect.code());
    let why = verdict.as_ref().err().map(ToString::to_string).unwrap_or_default();
    assert_eq!(code, case["code"].as_str(), "{}: {why}", case["name"]);
}

fn bytes(case: &Value) -> Vec<u8> {
    case["hex"]
        .as_str()
        .map_or_else(|| text(case, "text").into(), |digits| hex::decode(digits).unwrap())
}

#[test]
fn generated_files_are_current() {
    let stale: Vec<&str> = files::files(&read(files::GUIDE))
        .into_iter()
        .filter(|(path, text)| {
            std::fs::read_to_string(root().join(path)).ok().as_ref() != Some(text)
        })
        .map(|(path, _)| path)
        .collect();
    assert!(
        stale.is_empty(),
        "stale: {stale:?}\nwhat to do: cargo run -p events --example generate"
    );
}

#[test]
fn events_get_the_stated_verdicts() {
    let vectors = vectors("events");
    for case in cases(&vectors, "good") {
        Event::decode(&bytes(case)).unwrap_or_else(|refusal| panic!("{}: {refusal}", case["name"]));
        assert_eq!(merkle::leaf(&bytes(case)), parsed(case, "leaf"));
    }
    for case in cases(&vectors, "bad") {
        agree(case, Event::decode(&bytes(case)));
    }
}

#[test]
fn batches_get_the_stated_verdicts() {
    let vectors = vectors("batches");
    for case in cases(&vectors, "good") {
        let batch = line(text(case, "line"));
        assert_eq!(batch.header.hash(), parsed(case, "hash"));
        assert_eq!(batch.payload.root(), parsed(case, "root"));
        assert_eq!(wire::decode(&wire::encode(&batch).unwrap()).unwrap(), batch);
    }
    for case in cases(&vectors, "bad") {
        agree(case, wire::from_line(text(case, "line").as_bytes()));
    }
    for case in cases(&vectors, "links") {
        let (before, after) = (line(text(case, "before")), line(text(case, "after")));
        agree(case, batch::check_link(&before.tail(), &after.header));
    }
    for case in cases(&vectors, "equivocations") {
        let [one, other] = [0, 1].map(|at| line(case["lines"][at].as_str().unwrap()).header);
        assert_eq!(one.contradicts(&other), case["equivocation"], "{}", case["name"]);
        assert_eq!(other.contradicts(&one), case["equivocation"], "{}", case["name"]);
    }
}

fn line(text: &str) -> Batch {
    wire::from_line(text.as_bytes()).unwrap()
}

#[test]
fn frames_get_the_stated_verdicts() {
    let vectors = vectors("frames");
    for case in cases(&vectors, "good") {
        assert_eq!(wire::decode(&bytes(case)).unwrap(), line(text(case, "line")));
    }
    for case in cases(&vectors, "bad") {
        agree(case, wire::decode(&bytes(case)));
    }
}

#[test]
fn delegations_get_the_stated_verdicts() {
    let vectors = vectors("delegations");
    let parts = |case: &Value| {
        (parsed::<Delegation>(case, "delegation"), parsed::<AddressSignature>(case, "signature"))
    };
    for case in cases(&vectors, "good") {
        let (delegation, signature) = parts(case);
        delegation.verify(&signature).unwrap();
        assert_eq!(hex::encode(delegation.signing_hash()), text(case, "signing_hash"));
        assert_eq!(delegation.typed_data(), case["typed_data"]);
    }
    for case in cases(&vectors, "bad") {
        let (delegation, signature) = parts(case);
        agree(case, delegation.verify(&signature));
    }
    for case in cases(&vectors, "covers") {
        let mut delegation: Delegation = parsed(&cases(&vectors, "good")[0], "delegation");
        delegation.expiry_ms = parsed(case, "expiry_ms");
        let covers = delegation.covers(parsed::<UnixMillis>(case, "sealed_ms"));
        assert_eq!(covers, case["covers"], "{}", case["name"]);
    }
}

#[test]
fn names_and_roots_are_the_stated_ones() {
    let job_ids = vectors("job-ids");
    for case in cases(&job_ids, "good") {
        let ids: Vec<String> = parsed(case, "ids");
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let workload: Workload = parsed(case, "workload");
        let id = match (workload, ids.as_slice()) {
            (Workload::LiveVideo, [stream, request]) => job::live_video(stream, request),
            (Workload::Transcoding, [stream, sequence, who]) => {
                job::segment(stream, sequence.parse().unwrap(), who.parse().ok())
            }
            (_, [request]) => job::request(workload, request),
            other => panic!("{other:?}"),
        };
        assert_eq!(id, parsed::<JobId>(case, "job_id"), "{}", case["name"]);
    }
    let digests = vectors("digests");
    for case in cases(&digests, "pseudonyms") {
        let made = Pseudonym::of(&parsed(case, "secret"), text(case, "text"));
        assert_eq!(made, parsed(case, "pseudonym"));
    }
    for case in cases(&digests, "commitments") {
        let revealed: probe::Revealed = serde_json::from_value(case.clone()).unwrap();
        assert!(revealed.opens());
        assert!(!probe::Revealed { nonce: Digest::ZERO, ..revealed }.opens());
    }
    let roots = vectors("merkle");
    for case in cases(&roots, "good") {
        let leaves: Vec<String> = parsed(case, "leaves");
        let leaves: Vec<Vec<u8>> = leaves.iter().map(|leaf| hex::decode(leaf).unwrap()).collect();
        assert_eq!(merkle::root(leaves.iter().map(Vec::as_slice)), parsed(case, "root"));
    }
}

/// Only a header is closed; everything else may grow.
#[test]
fn schemas_allow_members_they_do_not_know() {
    let schema = |name: &str| read(&format!("schemas/{name}.schema.json"));
    let is_closed = |name: &str| {
        schema(name).contains("additionalProperties")
            || schema(name).contains("unevaluatedProperties")
    };
    assert!(is_closed("batch-header"));
    assert!(!is_closed("event") && !is_closed("delegation"));
    for name in ["event", "batch-header", "delegation"] {
        assert!(schema(name).contains("https://json-schema.org/draft/2020-12/schema"), "{name}");
        assert!(!schema(name).contains("\"format\": \"uint"), "{name} names Rust's types");
    }
}

/// Words between backquotes in the first cell of each row of the table under this heading.
fn first_cells<'a>(document: &'a str, heading: &str) -> Vec<&'a str> {
    let section = document.split_once(heading).unwrap_or_else(|| panic!("no {heading}")).1;
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.filter_map(|row| row.split('`').next()).collect()
}

#[test]
fn the_guide_says_who_speaks_each_kind() {
    let guide = read("docs/events.md");
    let named = first_cells(&guide, "\n## Kinds\n");
    let kinds: Vec<&str> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(named, kinds, "the table of docs/events.md and Kind::ALL");
}

#[test]
fn every_refusal_is_explained_once() {
    let document = read("docs/refusals.md");
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `E-"));
    let named: Vec<String> =
        rows.filter_map(|row| row.split('`').next()).map(|rest| format!("E-{rest}")).collect();
    for defect in Defect::ALL {
        assert!(named.iter().any(|code| code == defect.code()), "docs/refusals.md lacks {defect}");
        assert_eq!(Defect::from_code(defect.code()), Some(*defect));
    }
}

proptest! {
    #[test]
    fn delegations_are_read_back_and_verified(mut delegation in strategies::delegation(), secret in 1..u64::MAX, flip in 0..520usize) {
        let text = serde_json::to_string(&delegation).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Delegation>(&text).unwrap(), &delegation);
        let mut bytes = [0; 32];
        bytes[24..].copy_from_slice(&secret.to_be_bytes());
        let secret = k256::ecdsa::SigningKey::from_slice(&bytes).unwrap();
        delegation.operator = events::delegation::address_of(secret.verifying_key());
        let mut signature = delegation.sign(&secret);
        delegation.verify(&signature).unwrap();
        signature.0[flip / 8] ^= 1 << (flip % 8);
        prop_assert_eq!(delegation.verify(&signature).unwrap_err().defect, Defect::DelegationSignature);
    }
}
