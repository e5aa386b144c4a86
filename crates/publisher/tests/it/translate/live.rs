//! Live sessions, subtype by subtype: what goes in, what comes out.

use events::job;
use events::refusal::Defect;
use serde_json::{Value, json};

use super::{AT, check, envelope, live, refused, said, somebody};

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
