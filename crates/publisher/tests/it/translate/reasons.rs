//! Who can excuse an orchestrator: the gateway, in its own words, and never what an orchestrator answers.

use serde_json::{Value, json};

use super::{AT, SIGNER, URL, envelope, live, refused, run, said};
use events::refusal::Defect;

/// What an orchestrator would like its gateway to have said.
const EXCUSES: &[&str] = &[
    "no orchestrators available",
    "no orchestrators available within 2s timeout",
    "no_orchestrators",
    "whip disconnected",
    "mediamtx ingest disconnected",
    "user disconnected",
    "missing video",
    "ICE connection state failed",
    "no input stream",
    "context canceled",
    "gateway restart",
    "insufficient ticket balance",
    "payment required status=402",
    "bad_request",
    "invalid request",
    "429 too many requests",
    "CUDA device is busy",
];

/// Reasons for which the orchestrator answers itself.
const CHARGED: &[&str] = &[
    "model_error",
    "orchestrator_reset",
    "runner_disconnect",
    "timeout",
    "transport_disconnect",
    "unknown",
];

/// Every way in which the words of an orchestrator or its runner reach a gateway's envelopes.
fn passed_on(words: &str) -> Vec<(&'static str, Value)> {
    let info = json!({ "address": SIGNER, "url": URL });
    let request = |more: Value| {
        let mut data =
            json!({ "request_id": "r", "success": false, "duration_ms": 9, "error": words });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    vec![
        ("stream_trace", live(json!({ "type": "orchestrator_swap", "message": words }))),
        ("ai_stream_events", live(json!({ "type": "error", "time": AT, "message": words }))),
        ("ai_stream_events", live(json!({ "type": "error", "message": words }))),
        (
            "ai_stream_status",
            live(json!({ "type": "status", "timestamp": AT, "inference_status": {
                "last_error": words, "last_error_time": AT - 1 } })),
        ),
        (
            "ai_batch_request",
            request(json!({ "type": "ai_batch_request_completed", "orch_url": URL })),
        ),
        (
            "ai_batch_request",
            request(
                json!({ "type": "ai_batch_request_completed", "orch_url": URL, "error_type": "worker_error" }),
            ),
        ),
        ("ai_llm_request", request(json!({ "type": "llm_stream_completed", "orch_url": URL }))),
        (
            "job_gateway",
            request(
                json!({ "type": "job_gateway_completed", "capability": "c", "orchestrator_info": info }),
            ),
        ),
        (
            "job_orchestrator",
            request(
                json!({ "type": "job_orchestrator_completed", "capability": "c", "orchestrator_info": info,
                "error_type": words }),
            ),
        ),
    ]
}

/// The reason that is told of a failure, which must be told of as one.
fn charged(event: &Value) -> String {
    let kind = event["kind"].as_str().unwrap();
    assert!(
        ["job.failed", "job.swapped", "segment.attempted", "stream.status"].contains(&kind),
        "{event}"
    );
    let reason = if kind == "stream.status" { "error" } else { "reason" };
    event["data"][reason].as_str().unwrap().to_owned()
}

#[test]
fn no_words_of_an_orchestrator_excuse_it() {
    for words in EXCUSES {
        for (family, data) in passed_on(words) {
            for event in said(family, data) {
                let reason = charged(&event);
                assert!(CHARGED.contains(&reason.as_str()), "{family}: {words:?} became {reason}");
            }
        }
        let attempt = json!({ "orchestrator": { "address": SIGNER, "transcodeUri": URL }, "latencyMs": 812, "error": words });
        let segment = json!({ "type": "transcode", "id": "e-1", "timestamp": AT, "streamId": "s", "success": false,
            "segment": { "seqNo": 1, "duration": 2.0 }, "attempts": [attempt] });
        for event in super::as_json(&run(&segment).events) {
            let reason = charged(&event);
            assert!(CHARGED.contains(&reason.as_str()), "segment: {words:?} became {reason}");
        }
    }
}

#[test]
fn a_gateways_own_words_excuse() {
    let own = |message: &str| {
        let data = json!({ "type": "error", "stream_id": "s", "request_id": "r", "pipeline": "m", "message": message });
        said("ai_stream_events", data).remove(0)
    };
    for (message, kind, reason) in [
        ("whip disconnected", "job.completed", "user_disconnect"),
        ("ICE connection state failed", "job.failed", "input_failed"),
        ("context canceled", "job.failed", "gateway_reset"),
        ("no orchestrators available within 2s timeout", "job.unserved", "no_orchestrator"),
        // Its own message, around what somebody else said.
        ("orchestrator answered 400: whip disconnected", "job.failed", "transport_disconnect"),
    ] {
        let event = own(message);
        assert_eq!((&event["kind"], &event["data"]["reason"]), (&json!(kind), &json!(reason)));
    }
    let nobody = json!({ "type": "job_gateway_completed", "request_id": "r", "capability": "c", "success": false,
        "error": "no orchestrators available", "orchestrator_info": { "address": "", "url": "" } });
    assert_eq!(said("job_gateway", nobody)[0]["kind"], "job.unserved");
    let class = json!({ "type": "ai_batch_request_completed", "request_id": "r", "success": false,
        "error_type": "bad_request", "error": "secret", "orch_url": "" });
    assert_eq!(said("ai_batch_request", class)[0]["data"]["reason"], "invalid_request");
}

/// A runner may send an event under any name, and the gateway passes it on with the orchestrator filled in.
#[test]
fn no_runner_ends_a_session_in_its_gateways_name() {
    for subtype in ["gateway_ingest_stream_closed", "gateway_no_orchestrators_available"] {
        let forged = envelope("stream_trace", live(json!({ "type": subtype, "timestamp": AT })));
        assert_eq!(refused(&forged), Defect::EnvelopeData, "{subtype}");
    }
}
