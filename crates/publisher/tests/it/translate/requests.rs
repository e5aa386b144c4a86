//! Requests, BYOC and transcoding, subtype by subtype: what goes in, what comes out.

use events::event::Workload;
use events::job;
use events::refusal::Defect;
use serde_json::{Value, json};

use super::{AT, SIGNER, URL, as_json, check, envelope, pseudonyms, refused, run, said, somebody};

#[test]
fn ai_batch_request() {
    let ended = |more: Value| {
        let mut data = json!({
            "type": "ai_batch_request_completed", "request_id": "r", "pipeline": "text-to-image", "model_id": "a/b",
            "success": true, "tries": 2, "duration_ms": 4_000, "orch_url": URL, "latency_score": 0.9,
            "price_per_unit": 12, "error_type": "", "error": "", "timestamp": AT - 5,
        });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    let received = json!({
        "type": "ai_batch_request_received", "request_id": "r", "pipeline": "text-to-image", "model_id": "a/b",
        "client_ip": "203.0.113.9", "orchestrator": "",
    });
    let orchestrator = json!({ "url": URL });
    let done = json!({
        "duration_ms": 4_000, "orchestrator": orchestrator, "price_wei": "12", "tries": 2, "witness": "gateway",
    });
    let failed = |reason: &str| json!({ "duration_ms": 4_000, "orchestrator": orchestrator, "reason": reason, "tries": 2, "witness": "gateway" });
    let error = |kind: &str| {
        ended(json!({ "success": false, "error_type": kind, "error": "secret words" }))
    };
    check(
        "ai_batch_request",
        vec![
            (received, "job.requested", json!({})),
            (ended(json!({})), "job.completed", done),
            (error("timeout"), "job.failed", failed("timeout")),
            (error("bad_request"), "job.failed", failed("model_error")),
            (error("worker_error"), "job.failed", failed("model_error")),
            (error("no_orchestrators"), "job.unserved", json!({ "reason": "no_orchestrator" })),
        ],
    );
    let event = &said("ai_batch_request", ended(json!({})))[0];
    assert_eq!(event["job_id"], job::request(Workload::AiBatch, "r").to_string());
    assert_eq!(event["pipeline"], "text-to-image");
    assert_eq!(event["model"], "a/b");
    assert_eq!(event["at_ms"], AT - 5);
}

#[test]
fn ai_llm_request() {
    let started = json!({
        "type": "llm_request_started", "request_id": "r", "model": "m/8B", "streaming": true, "max_tokens": 5,
        "system_prompt": "secret", "orch_url": URL, "client_ip": "203.0.113.9",
    });
    let events = said("ai_llm_request", started);
    assert_eq!(events[0]["kind"], "job.requested");
    assert_eq!(events[0]["data"], json!({ "streaming": true }));
    assert_eq!(events[1]["kind"], "job.assigned");
    assert_eq!(events[1]["data"], json!({ "orchestrator": { "url": URL }, "witness": "gateway" }));
    assert_eq!(events[0]["job_id"], events[1]["job_id"]);

    let ended = |subtype: &str, error: &str| {
        json!({
            "type": subtype, "request_id": "r", "model": "m/8B", "completion_id": "secret", "orch_url": URL,
            "prompt_tokens": 120, "completion_tokens": 200, "total_duration_ms": 2_500, "tokens_per_second": 80.25,
            "ttft_ms": 180, "error": error, "price_per_unit": 0.0001,
        })
    };
    let done = |ttft: Option<u64>| {
        let mut tokens = json!({ "completion": 200, "prompt": 120, "rate_milli": 80_250 });
        if let Some(ttft) = ttft {
            tokens["ttft_ms"] = json!(ttft);
        }
        json!({ "duration_ms": 2_500, "orchestrator": { "url": URL }, "tokens": tokens, "witness": "gateway" })
    };
    let failed = json!({
        "duration_ms": 2_500, "orchestrator": { "url": URL }, "reason": "timeout", "witness": "gateway",
    });
    check(
        "ai_llm_request",
        vec![
            (ended("llm_stream_completed", ""), "job.completed", done(Some(180))),
            (ended("llm_request_completed", ""), "job.completed", done(None)),
            (ended("stream_completed", "context deadline exceeded"), "job.failed", failed),
        ],
    );
}

#[test]
fn job_gateway() {
    let info = json!({ "address": SIGNER, "url": URL });
    let submitted = |index: u64| {
        json!({ "type": "job_gateway_submitted", "request_id": "r", "attempt_index": index, "capability": "openai-chat",
            "orchestrator_info": info })
    };
    let first = said("job_gateway", submitted(0));
    assert_eq!(first[0]["kind"], "job.requested");
    assert_eq!(first[1]["kind"], "job.assigned");
    assert_eq!(
        first[1]["data"],
        json!({ "attempt": 1, "orchestrator": somebody(), "witness": "gateway" })
    );
    assert_eq!(first[1]["workload"], "byoc");
    assert_eq!(first[1]["pipeline"], "openai-chat");
    let second = said("job_gateway", submitted(1));
    assert_eq!(second.len(), 1, "the user asked once");
    assert_eq!(second[0]["data"]["attempt"], 2);

    let completed = |name: &str, success: bool| {
        json!({ "type": name, "request_id": "r", "attempt_index": 0, "capability": "openai-chat", "success": success,
            "error": if success { Value::Null } else { json!("insufficient capacity") }, "duration_ms": 2_345,
            "completed_at": AT - 1, "http_status": 200, "streaming": true, "orchestrator_info": info })
    };
    let done = json!({
        "duration_ms": 2_345, "http_status": 200, "orchestrator": somebody(), "tries": 1, "witness": "gateway",
    });
    let mut failed = done.clone();
    failed["reason"] = json!("capacity");
    let token = |success: bool| {
        json!({ "type": "job_orchestrator_token_fetch_result", "orch_url": URL, "capability": "c", "success": success,
            "latency_ms": 42, "available_capacity": 5, "http_status": if success { Value::Null } else { json!(503) } })
    };
    let orchestrator = json!({ "url": URL });
    let refusal = json!({
        "capacity": 5, "http_status": 503, "latency_ms": 42, "orchestrator": orchestrator, "success": false,
    });
    let found = json!({ "type": "job_orchestrator_discovery_result", "capability": "c", "success": true, "selected": 3 });
    let none = json!({ "type": "discovery_result", "capability": "c", "success": false, "selected": 0, "error": "x" });
    check(
        "job_gateway",
        vec![
            (completed("job_gateway_completed", true), "job.completed", done.clone()),
            (completed("completed", true), "job.completed", done),
            (completed("job_gateway_completed", false), "job.failed", failed),
            (
                token(true),
                "discovery.answered",
                json!({ "capacity": 5, "latency_ms": 42, "orchestrator": orchestrator, "success": true }),
            ),
            (token(false), "discovery.answered", refusal),
            (found, "counter.sampled", json!({ "name": "orchestrators_selected", "value": 3 })),
            (none, "discovery.answered", json!({ "success": false })),
        ],
    );
    let mut nameless = completed("completed", true);
    nameless["request_id"] = json!("");
    let event = &said("job_gateway", nameless)[0];
    assert_eq!(event["job_id"], job::request(Workload::Byoc, "e-1").to_string(), "it still counts");
}

#[test]
fn job_orchestrator() {
    let data = |subtype: &str, success: Value| {
        json!({ "type": subtype, "request_id": "r", "capability": "c", "success": success, "duration_ms": 9,
            "http_status": 500, "worker_url": "http://10.0.0.3:9000", "charged_compute": true, "timestamp": AT - 90,
            "orchestrator_info": { "address": SIGNER, "url": URL } })
    };
    let done = json!({ "duration_ms": 9, "http_status": 500, "orchestrator": somebody(), "witness": "orchestrator" });
    let mut failed = done.clone();
    failed["reason"] = json!("unknown");
    check(
        "job_orchestrator",
        vec![
            (data("job_orchestrator_completed", json!(true)), "job.completed", done),
            (data("job_orchestrator_anything", json!(false)), "job.failed", failed),
            (
                data("job_orchestrator_received", Value::Null),
                "job.assigned",
                json!({ "orchestrator": somebody(), "said_ms": AT - 90, "witness": "orchestrator" }),
            ),
        ],
    );
    let other = data("job_orchestrator_anything", Value::Null);
    assert_eq!(refused(&envelope("job_orchestrator", other)), Defect::SubtypeUnknown);
}

#[test]
fn job_auth_and_worker_lifecycle() {
    let auth = |subtype: &str, success: bool| {
        json!({ "type": subtype, "stream_name": "secret", "stream_id": "secret", "pipeline": "c", "success": success,
            "error": "secret", "gateway_host": "secret" })
    };
    let count = |name: &str| json!({ "name": name, "value": 1 });
    check(
        "job_auth",
        vec![
            (
                auth("job_auth_webhook_result", true),
                "counter.sampled",
                count("auth_webhook_successes"),
            ),
            (auth("auth_webhook_result", false), "counter.sampled", count("auth_webhook_failures")),
            (
                auth("job_credential_verify_result", false),
                "counter.sampled",
                count("credential_verify_failures"),
            ),
        ],
    );
    let worker = |subtype: &str| {
        json!({ "id": "w-1", "type": subtype, "capability": "openai-chat", "worker_url": "http://10.0.0.3:9000",
            "price_per_unit": 12.5, "worker_options": [{ "model": "a/b" }, { "model": "c/d" }],
            "orchestrator_info": { "address": SIGNER, "url": URL } })
    };
    let expected = json!({
        "capability": "openai-chat", "models": ["a/b", "c/d"], "orchestrator": somebody(),
        "price": { "units": 10, "wei": "125" }, "worker": pseudonyms(7).pseudonym("http://10.0.0.3:9000").to_string(),
    });
    check(
        "worker_lifecycle",
        vec![
            (worker("worker_registered"), "worker.joined", expected.clone()),
            (worker("worker_unregistered"), "worker.left", expected),
            (
                worker("worker_capacity_exhausted"),
                "counter.sampled",
                json!({ "name": "worker_capacity_exhausted", "orchestrator": somebody(), "value": 1 }),
            ),
        ],
    );
    let mut again = envelope("worker_lifecycle", worker("worker_registered"));
    let first = run(&again).events[0].id.clone();
    again["id"] = json!("another-drain");
    assert_eq!(
        run(&again).events[0].id,
        first,
        "the orchestrator's id names it, however often it is drained"
    );
}

#[test]
fn transcode() {
    let body = |success: bool, attempts: Value| {
        json!({ "type": "transcode", "id": "e-1", "timestamp": AT, "streamId": "secretstream", "nodeId": "secret",
            "segment": { "name": "secret.ts", "seqNo": 12, "duration": 2.002, "byteSize": 381_234 },
            "startTime": AT - 900, "latencyMs": 812, "success": success, "attempts": attempts })
    };
    let attempt = |error: Value| json!({ "orchestrator": { "address": SIGNER, "transcodeUri": URL }, "latencyMs": 812, "error": error });
    let data = |attempt: u64, attempts: u64, reason: Option<&str>| {
        let mut data = json!({ "attempt": attempt, "attempts": attempts, "duration_ms": 2_002, "latency_ms": 812,
            "orchestrator": somebody(), "size_bytes": 381_234, "success": reason.is_none() });
        if let Some(reason) = reason {
            data["reason"] = json!(reason);
        }
        data
    };
    let retried =
        run(&body(true, json!([attempt(json!("OrchestratorBusy")), attempt(Value::Null)])));
    let events = as_json(&retried.events);
    assert_eq!(events[0]["kind"], "segment.attempted");
    assert_eq!(events[0]["data"], data(1, 2, Some("capacity")));
    assert_eq!(events[1]["data"], data(2, 2, None));
    assert_eq!(events[1]["workload"], "transcoding");
    assert_eq!(
        events[1]["job_id"],
        job::segment("secretstream", 12, Some(SIGNER.parse().unwrap())).to_string()
    );
    let failed = as_json(&run(&body(false, json!([attempt(Value::Null)]))).events);
    assert_eq!(
        failed[0]["data"],
        data(1, 1, Some("unknown")),
        "a failed segment's last attempt failed"
    );
    let nobody = as_json(&run(&body(false, json!([]))).events);
    assert_eq!(nobody[0]["kind"], "job.unserved");
    let unnamed = body(true, json!([{ "orchestrator": { "address": "" }, "error": null }]));
    assert_eq!(refused(&unnamed), Defect::EnvelopeData);
}
