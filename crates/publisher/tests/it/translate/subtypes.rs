//! Each subtype of each family: what goes in, what comes out.

use events::event::Workload;
use events::identity::Pseudonym;
use events::job;
use events::refusal::Defect;
use serde_json::{Value, json};

use super::{AT, SIGNER, URL, as_json, envelope, live, refused, run, said};

fn somebody() -> Value {
    json!({ "signer": SIGNER, "url": URL })
}

/// Kind and data of the one event of an envelope.
fn one(family: &str, data: Value) -> (String, Value) {
    let mut events = said(family, data);
    assert_eq!(events.len(), 1, "{events:?}");
    let event = events.remove(0);
    (event["kind"].as_str().unwrap().to_owned(), event["data"].clone())
}

fn check(family: &str, cases: Vec<(Value, &str, Value)>) {
    for (data, kind, expected) in cases {
        assert_eq!(one(family, data.clone()), (kind.to_owned(), expected), "{family} {data}");
    }
}

#[test]
fn stream_trace() {
    let at = AT - 7;
    let case = |subtype: &str| live(json!({ "type": subtype, "timestamp": at }));
    let nobody = |subtype: &str| {
        live(
            json!({ "type": subtype, "timestamp": at, "orchestrator_info": { "address": "", "url": "" } }),
        )
    };
    let runner = json!({ "orchestrator": somebody(), "said_ms": at, "witness": "runner" });
    let gateway = json!({ "orchestrator": somebody(), "witness": "gateway" });
    let output = |output: &str| json!({ "orchestrator": somebody(), "output": output, "witness": "gateway" });
    let swap = live(
        json!({ "type": "orchestrator_swap", "message": "trickle subscribe error, swapping: EOF" }),
    );
    check(
        "stream_trace",
        vec![
            (nobody("gateway_receive_stream_request"), "job.requested", json!({})),
            (case("gateway_send_first_ingest_segment"), "job.assigned", gateway),
            (case("runner_receive_stream_request"), "job.assigned", runner.clone()),
            (case("runner_receive_first_ingest_segment"), "job.assigned", runner),
            (case("gateway_receive_first_processed_segment"), "job.first_output", output("media")),
            (case("gateway_receive_first_data_segment"), "job.first_output", output("data")),
            (
                case("runner_send_first_processed_segment"),
                "job.first_output",
                json!({ "orchestrator": somebody(), "output": "media", "said_ms": at, "witness": "runner" }),
            ),
            (
                case("gateway_receive_few_processed_segments"),
                "job.playable",
                json!({ "orchestrator": somebody() }),
            ),
            (
                swap,
                "job.swapped",
                json!({ "orchestrator": somebody(), "reason": "transport_disconnect" }),
            ),
            (
                nobody("gateway_no_orchestrators_available"),
                "job.unserved",
                json!({ "reason": "no_orchestrator" }),
            ),
            (
                nobody("gateway_ingest_stream_closed"),
                "job.completed",
                json!({ "witness": "gateway" }),
            ),
        ],
    );
    for (subtype, defect) in [
        ("app_user_page_unload", Defect::SubtypeIgnored),
        ("stream_stopped", Defect::SubtypeIgnored),
        ("stream_orchestrator_token_refresh", Defect::SubtypeIgnored),
        ("gateway_of_tomorrow", Defect::SubtypeUnknown),
        ("playback_ready", Defect::SubtypeUnknown),
    ] {
        assert_eq!(refused(&envelope("stream_trace", case(subtype))), defect, "{subtype}");
    }
    let scope = json!({ "type": "playback_ready", "client_source": "scope" });
    assert_eq!(refused(&envelope("stream_trace", scope)), Defect::SubtypeIgnored);
}

#[test]
fn stream_trace_times_and_names() {
    let own = said(
        "stream_trace",
        live(json!({ "type": "gateway_send_first_ingest_segment", "timestamp": AT - 7 })),
    );
    let relayed = said(
        "stream_trace",
        live(json!({ "type": "runner_receive_stream_request", "timestamp": AT - 7 })),
    );
    assert_eq!(own[0]["at_ms"], AT - 7);
    assert_eq!(relayed[0]["at_ms"], AT, "a runner's clock is not the gateway's");
    assert_eq!(own[0]["id"], "e-1");
    assert_eq!(own[0]["workload"], "live-video");
    assert_eq!(own[0]["job_id"], job::live_video("stream-secretname", "abcd1234").to_string());
    assert_eq!(own[0]["job_id"], relayed[0]["job_id"]);
    assert_eq!(own[0].get("pipeline"), None);
    let swapped = said(
        "stream_trace",
        live(json!({ "type": "orchestrator_swap", "pipeline": "pip_SDXL-turbo" })),
    );
    assert_eq!(swapped[0]["pipeline"], "live-video-to-video");
    assert_eq!(swapped[0]["model"], "streamdiffusion-sdxl");
    assert_eq!(swapped[0]["data"]["reason"], "unknown");
}

#[test]
fn ai_stream_status() {
    let status = |more: Value| {
        let mut data = live(json!({
            "type": "status", "state": "DEGRADED_INFERENCE", "pipeline": "streamdiffusion-sdxl-faceid",
            "start_time": AT - 10_000, "timestamp": AT + 2, "last_status_timestamp": AT - 9_999,
            "input_status": { "fps": 20.484865861692217, "last_input_time": AT },
            "inference_status": {
                "fps": 17.298215447072742, "last_error": null, "last_error_time": null, "restart_count": 0,
                "last_params": { "prompt": "secret" }, "last_restart_logs": null,
            },
        }));
        data["inference_status"].as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    let expected = json!({
        "fps_in": 20_484, "fps_out": 17_298, "orchestrator": somebody(), "restarts": 0, "running_ms": 10_002,
        "state": "degraded_inference", "witness": "runner",
    });
    check("ai_stream_status", vec![(status(json!({})), "stream.status", expected)]);
    let event = &said("ai_stream_status", status(json!({})))[0];
    assert_eq!(event["pipeline"], "live-video-to-video");
    assert_eq!(event["model"], "streamdiffusion-sdxl-faceid");
    assert_eq!(event["at_ms"], AT);

    let error = |at: u64| {
        let data = status(json!({ "last_error": "CUDA out of memory", "last_error_time": at }));
        said("ai_stream_status", data)[0]["data"].get("error").cloned()
    };
    assert_eq!(error(AT - 9_998), Some(json!("model_error")), "after the last status");
    assert_eq!(error(AT + 2), Some(json!("model_error")));
    assert_eq!(error(AT - 9_999), None, "told before");
    assert_eq!(error(AT + 3), None, "not yet");
    let mut alone = status(json!({ "last_error": "x", "last_error_time": AT - 9_998 }));
    alone.as_object_mut().unwrap().remove("last_status_timestamp");
    assert_eq!(
        said("ai_stream_status", alone.clone())[0]["data"].get("error"),
        None,
        "ten seconds and no more"
    );
    alone["inference_status"]["last_error_time"] = json!(AT - 9_997);
    assert_eq!(said("ai_stream_status", alone)[0]["data"]["error"], "unknown");
}

#[test]
fn ai_stream_events() {
    let gateway = |message: &str| json!({ "type": "error", "stream_id": "s", "request_id": "r", "pipeline": "m", "capability": "c", "message": message });
    let failed = |reason: &str| json!({ "reason": reason, "witness": "gateway" });
    let left = json!({ "reason": "user_disconnect", "witness": "gateway" });
    let status = |more: Value| {
        let mut data = json!({ "orchestrator": somebody(), "witness": "runner" });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    check(
        "ai_stream_events",
        vec![
            (
                gateway("no orchestrators available within 2s timeout"),
                "job.unserved",
                json!({ "reason": "no_orchestrator" }),
            ),
            (gateway("whip disconnected"), "job.completed", left.clone()),
            (gateway("mediamtx ingest disconnected"), "job.completed", left),
            (gateway("missing video"), "job.failed", failed("input_failed")),
            (gateway("ICE connection state failed"), "job.failed", failed("input_failed")),
            (gateway("timeout waiting for segments"), "job.failed", failed("timeout")),
            (gateway("who knows"), "job.failed", failed("unknown")),
            (
                live(json!({ "type": "error", "time": AT, "message": "inference failed" })),
                "stream.status",
                status(json!({ "error": "model_error" })),
            ),
            (
                live(json!({ "type": "restart", "restart_count": 3, "restart_logs": ["secret"] })),
                "stream.status",
                status(json!({ "restarts": 3 })),
            ),
            (
                live(
                    json!({ "type": "params_update", "timestamp": AT - 3, "params": { "prompt": "secret" } }),
                ),
                "counter.sampled",
                json!({ "name": "params_updates", "orchestrator": somebody(), "value": 1 }),
            ),
            (
                live(
                    json!({ "type": "inference_complete", "seq": 4, "latency_ms": 320.9, "note": "secret" }),
                ),
                "counter.sampled",
                json!({ "name": "inference_complete_latency_ms", "orchestrator": somebody(), "value": 320 }),
            ),
        ],
    );
    let nothing = live(json!({ "type": "hello", "words": "secret", "seq": 3 }));
    assert_eq!(refused(&envelope("ai_stream_events", nothing)), Defect::SubtypeUnknown);
}

#[test]
fn stream_ingest_metrics() {
    let track = json!({
        "type": "video", "jitter": 10.126770701625134, "packets_lost": -2, "packets_received": 413,
        "packet_loss_pct": 0.053, "rtt": 18_000_000, "last_input_ts": 4.892, "latency": 0, "warnings": ["secret"],
    });
    let audio =
        json!({ "type": "audio", "jitter": 0, "packets_lost": 0, "packet_loss_pct": 0, "rtt": 0 });
    let stats = json!({
        "peer_conn_stats": { "ID": "secret", "BytesReceived": 477_890, "BytesSent": 4_013 },
        "track_stats": [track, audio], "conn_quality": "good",
    });
    let expected = json!({
        "bytes_received": 477_890, "quality": "good",
        "tracks": [
            { "jitter_us": 10_126, "loss": 530, "media": "video", "packets_received": 413, "rtt_us": 18_000 },
            { "jitter_us": 0, "loss": 0, "media": "audio", "packets_lost": 0 },
        ],
    });
    check(
        "stream_ingest_metrics",
        vec![(live(json!({ "timestamp": AT, "stats": stats })), "stream.ingest", expected)],
    );
}

#[test]
fn discovery_results() {
    let data = json!([
        { "address": SIGNER, "url": "HTTPS://ORCH.example:8935", "latency_ms": "77" },
        { "address": "0x0000000000000000000000000000000000000000", "url": "https://other.example", "latency_ms": "x" },
    ]);
    let events = said("discovery_results", data);
    assert_eq!(events[0]["id"], "e-1/1");
    assert_eq!(events[1]["id"], "e-1/2");
    assert_eq!(events[0]["kind"], "discovery.answered");
    assert_eq!(
        events[0]["data"],
        json!({ "latency_ms": 77, "orchestrator": somebody(), "success": true })
    );
    assert_eq!(
        events[1]["data"],
        json!({ "orchestrator": { "url": "https://other.example:443" }, "success": true }),
        "a zero address and an odd latency are none"
    );
    let mixed =
        run(&envelope("discovery_results", json!([{ "latency_ms": "1" }, { "address": SIGNER }])));
    assert_eq!(mixed.events.len(), 1);
    assert_eq!(mixed.events[0].id.as_str(), "e-1");
    assert_eq!(mixed.refusals[0].defect, Defect::EnvelopeData);
    assert_eq!(said("discovery_results", json!([])), [] as [Value; 0]);
}

#[test]
fn network_capabilities() {
    let entry = json!({
        "address": "0xd00354656922168815Fcd1e51CBddB9e359e3C7F", "local_address": SIGNER, "orch_uri": URL,
        "capabilities": {
            "bitstring": [34_426_871_807u64], "capacities": { "35": 1 }, "version": "0.8.8-3a5678ec-dirty",
            "constraints": { "PerCapability": { "35": { "models": {
                "streamdiffusion": { "warm": true, "runnerVersion": "0.14.0", "capacity": 2, "capacityInUse": 1 } } } } },
        },
        "price_info": { "pricePerUnit": 108_539, "pixelsPerUnit": 500 },
        "capabilities_prices": [
            { "pricePerUnit": 1_618, "pixelsPerUnit": 1, "capability": 35, "constraint": "streamdiffusion" },
            { "pricePerUnit": 9, "pixelsPerUnit": 1, "capability": 27, "constraint": "priced/but-not-run" },
            { "pricePerUnit": 2_500, "pixelsPerUnit": 1, "capability": 37, "constraint": "openai-chat" },
        ],
        "hardware": [
            { "pipeline": "live-video-to-video", "model_id": "streamdiffusion", "gpu_info": {
                "0": { "id": "GPU-1", "name": "NVIDIA GeForce RTX 5090", "major": 12, "memory_free": 5, "memory_total": 9 } } },
            { "pipeline": "live-video-to-video", "model_id": "streamdiffusion", "gpu_info": [ { "id": "GPU-2" } ] },
            { "pipeline": "live-video-to-video", "model_id": "streamdiffusion", "gpu_info": null },
        ],
        "capability_options": { "openai-chat": [ { "model": "big/one" }, { "model": "big/two" } ] },
    });
    let names = ("live-video-to-video", "streamdiffusion");
    let expected = json!({
        "gpus": [
            { "id": "GPU-1", "memory_free_bytes": 5, "memory_total_bytes": 9, "model": names.1,
              "name": "NVIDIA GeForce RTX 5090", "pipeline": names.0 },
            { "id": "GPU-2", "model": names.1, "pipeline": names.0 },
        ],
        "offers": [
            { "capacity": 2, "in_use": 1, "model": names.1, "pipeline": names.0,
              "price": { "units": 1, "wei": "1618" }, "runner_version": "0.14.0", "warm": true },
            { "model": "big/one", "pipeline": "openai-chat", "price": { "units": 1, "wei": "2500" } },
            { "model": "big/two", "pipeline": "openai-chat" },
        ],
        "orchestrator": { "recipient": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "signer": SIGNER, "url": URL },
        "price": { "units": 500, "wei": "108539" },
        "version": "0.8.8-3a5678ec-dirty",
    });
    check("network_capabilities", vec![(json!([entry]), "capability.offered", expected.clone())]);
    let dump = run(
        &json!({ "capabilities_names": { "35": "Live video to video" }, "orchestrators": [entry] }),
    );
    assert_eq!(as_json(&dump.events)[0]["data"], expected);
    assert_eq!(dump.events[0].at_ms.0, AT);
    assert!(dump.events[0].id.as_str().starts_with("dump/"));
    let bare = json!([{ "address": "", "local_address": "10.0.1.10:8935", "orch_uri": URL, "capabilities": null,
        "capabilities_prices": null, "hardware": null }]);
    let expected = json!({ "gpus": [], "offers": [], "orchestrator": { "url": URL } });
    check("network_capabilities", vec![(bare, "capability.offered", expected)]);
    assert_eq!(said("network_capabilities", Value::Null), [] as [Value; 0]);
}

#[test]
fn create_new_payment() {
    let pay = |more: Value| {
        let mut data = json!({
            "clientIP": "203.0.113.9", "requestID": "", "capability": "", "manifestID": "d05da5dd", "sessionID": "01b55632",
            "recipient": "0xd00354656922168815Fcd1e51CBddB9e359e3C7F", "sender": SIGNER, "orchestrator": URL,
            "faceValue": "2402400000000000 WEI", "winProb": "0.0009990010", "price": "1635.021 wei/pixel", "numTickets": "2",
        });
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        data
    };
    let expected = json!({
        "face_value_wei": "2402400000000000",
        "orchestrator": { "recipient": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "url": URL },
        "price": { "units": 1_000, "wei": "1635021" }, "sender": SIGNER, "tickets": 2, "win_probability_ppb": 999_001,
    });
    check("create_new_payment", vec![(pay(json!({})), "payment.sent", expected)]);
    let first = &said(
        "create_new_payment",
        pay(json!({ "manifestID": "35_streamdiffusion-sdxl-faceid", "requestID": "r" })),
    )[0];
    assert_eq!(first["workload"], "live-video");
    assert_eq!(first["pipeline"], "live-video-to-video");
    assert_eq!(first["model"], "streamdiffusion-sdxl-faceid");
    assert_eq!(first.get("job_id"), None, "it names the request, not the stream");
    let byoc = &said("create_new_payment", pay(json!({ "manifestID": "37_openai-chat" })))[0];
    assert_eq!(
        (byoc["workload"].as_str(), byoc["pipeline"].as_str()),
        (Some("byoc"), Some("openai-chat"))
    );
    let ether = &said(
        "create_new_payment",
        pay(json!({ "faceValue": "0.0024 ETH", "winProb": "2" })),
    )[0]["data"];
    assert_eq!(ether["face_value_wei"], "2400000000000000");
    assert_eq!(ether.get("win_probability_ppb"), None);
    let bare =
        &said("create_new_payment", pay(json!({ "faceValue": "0.000000100000000000" })))[0]["data"];
    assert_eq!(bare["face_value_wei"], "100000000000");
}

#[test]
fn create_signed_ticket() {
    let data = json!({
        "session_id": "secret", "session_status": "new", "app": "someone/app", "pipeline": "live", "request_id": "r",
        "orch_address": SIGNER, "orch_url": URL, "manifest_id": "secret", "auth_id": "secret",
        "current_time": "2026-01-08T21:49:05Z", "current_time_unix": AT, "billable_secs": 60.5, "pixels": 124_416_000,
        "session_balance": "1000", "computed_fee": "100", "cost": "0.0000000008", "sequence_number": 0, "num_tickets": 1,
    });
    let expected = json!({
        "billable_ms": 60_500, "fee_wei": "100", "orchestrator": somebody(), "pixels": 124_416_000, "sequence": 0,
        "status": "new", "tickets": 1,
    });
    check("create_signed_ticket", vec![(data.clone(), "payment.signed", expected)]);
    let event = &said("create_signed_ticket", data)[0];
    assert_eq!(
        (event["workload"].as_str(), event["pipeline"].as_str()),
        (Some("live-runner"), Some("someone/app"))
    );
}

#[test]
fn job_payment() {
    let info = json!({ "address": SIGNER, "url": URL });
    let balance = json!({
        "type": "payment_balance_sync", "request_id": "r", "capability": "openai-chat", "sender": SIGNER,
        "orchestrator_addr": "0xd00354656922168815Fcd1e51CBddB9e359e3C7F", "balance": "120.000", "diff": "10.000",
        "min_bal_covered": true, "reset_to_zero": false, "orchestrator_info": info,
    });
    let paid = json!({
        "balance_wei": "120", "sender": SIGNER,
        "orchestrator": { "recipient": "0xd00354656922168815fcd1e51cbddb9e359e3c7f", "signer": SIGNER, "url": URL },
    });
    let created = json!({ "type": "payment_created", "balance": "7", "with_tickets": true, "orchestrator_info": info });
    let cycle = |success: bool| json!({ "type": "payment_stream_cycle", "stream_id": "s", "request_id": "r", "success": success, "error": "x" });
    check(
        "job_payment",
        vec![
            (balance.clone(), "payment.sent", paid),
            (created, "payment.sent", json!({ "balance_wei": "7", "orchestrator": somebody() })),
            (cycle(true), "counter.sampled", json!({ "name": "payment_cycles", "value": 1 })),
            (
                cycle(false),
                "counter.sampled",
                json!({ "name": "payment_cycle_failures", "value": 1 }),
            ),
        ],
    );
    let event = &said("job_payment", balance)[0];
    assert_eq!(event["job_id"], job::request(Workload::Byoc, "r").to_string());
    assert_eq!(event["pipeline"], "openai-chat");
    let other = json!({ "type": "payment_of_tomorrow", "orchestrator_info": info });
    assert_eq!(refused(&envelope("job_payment", other)), Defect::SubtypeUnknown);
}

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
            (error("bad_request"), "job.failed", failed("invalid_request")),
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
        "price": { "units": 10, "wei": "125" }, "worker": Pseudonym::of("http://10.0.0.3:9000").to_string(),
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
