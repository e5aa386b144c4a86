//! Numbers of the known world, reckoned by hand.

use serde_json::{Value, json};
use warehouse::contract::sample;

use super::known::{LIVE, MODEL, world};

/// Whether two answers are the same; numbers to a billionth.
fn assert_same(place: &str, found: &Value, expected: &Value) {
    match (found, expected) {
        (Value::Object(one), Value::Object(other)) => {
            let names =
                |of: &serde_json::Map<String, Value>| of.keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(one), names(other), "{place}");
            one.iter().for_each(|(name, value)| {
                assert_same(&format!("{place}.{name}"), value, &other[name]);
            });
        }
        (Value::Array(one), Value::Array(other)) => {
            assert_eq!(one.len(), other.len(), "{place}: {found}");
            for (number, (one, other)) in one.iter().zip(other).enumerate() {
                assert_same(&format!("{place}[{number}]"), one, other);
            }
        }
        (Value::Number(one), Value::Number(other)) => {
            let apart = (one.as_f64().unwrap() - other.as_f64().unwrap()).abs();
            assert!(apart < 1e-9, "{place}: {one} is not {other}");
        }
        _ => assert_eq!(found, expected, "{place}"),
    }
}

async fn assert_answer(path: &str, expected: Value) {
    assert_same(path, &world().json(path).await, &expected);
}

fn operator(number: u64) -> String {
    sample::operator(number).to_string()
}

fn url(number: u64) -> String {
    sample::url(number).to_string()
}

#[tokio::test]
async fn totals_and_their_changes() {
    // Four hours, of which two have anything: 5 sessions in the first half, 10 in the second. 12 of 15 were delivered; 35
    // minutes; one ether, then half of one.
    let hour = |hour: u64, value: f64| json!({"hour": format!("2026-01-08T{hour}:00:00Z"), "value": value});
    let both = |value: f64, delta: f64| json!({"value": value, "delta": delta});
    assert_answer(
        "/v1/dashboard/kpi?window=4h",
        json!({
            "streaming": {
                "successRate": both(80.0, 70.0 - 100.0),
                "orchestratorsObserved": both(2.0, 0.0),
                "dailyUsageMins": both(35.0, -25.0),
                "dailySessionCount": both(15.0, 100.0),
                "dailyNetworkFeesEth": both(1.5, -50.0),
                "timeframeHours": 4,
                "hourlySessions": [hour(19, 0.0), hour(20, 5.0), hour(21, 10.0), hour(22, 0.0)],
                "hourlyUsage": [hour(19, 0.0), hour(20, 20.0), hour(21, 15.0), hour(22, 0.0)],
            },
            "requests": {
                "ai_batch": {"total_jobs": 6, "selected_jobs": 5, "no_orch_jobs": 1, "success_rate": 4.0 / 6.0,
                    "avg_duration_ms": 2000.0},
                "byoc": {"total_jobs": 1, "selected_jobs": 1, "no_orch_jobs": 0, "success_rate": 0.0,
                    "avg_duration_ms": null},
            },
        }),
    )
    .await;
    let world = world();
    let other =
        world.json("/v1/dashboard/kpi?window=4&pipeline=live-video-to-video&model_id=x").await;
    assert_eq!(other["streaming"]["dailySessionCount"]["value"], 0.0);
    assert_eq!(other["streaming"]["orchestratorsObserved"]["value"], 0.0);
    assert_eq!(other["requests"]["ai_batch"]["total_jobs"], 6, "requests are never narrowed");
    // The window before had one orchestrator with work, this one has it and another.
    let grown = world.json("/v1/dashboard/kpi?window=2h").await;
    assert_eq!(grown["streaming"]["orchestratorsObserved"], both(2.0, 100.0));
}

#[tokio::test]
async fn pipelines_have_their_sums_and_means() {
    let stats = |jobs: u64, selected: u64, unserved: u64, rate: f64, took: Value| {
        json!({"total_jobs": jobs, "selected_jobs": selected, "no_orch_jobs": unserved, "success_rate": rate,
            "avg_duration_ms": took})
    };
    let named = |name: &str, value: &str, mut stats: Value| {
        stats[name] = value.into();
        stats
    };
    let image = stats(4, 3, 1, 0.5, json!(2000.0));
    let llm = stats(2, 2, 0, 1.0, Value::Null);
    let own = stats(1, 1, 0, 0.0, Value::Null);
    assert_answer(
        "/v1/dashboard/pipelines",
        json!({
            "streaming": [{"name": LIVE, "mins": 35.0, "sessions": 15, "avgFps": 16.5,
                "modelMins": [{"model": MODEL, "mins": 35.0, "sessions": 15, "avgFps": 16.5}]}],
            "requests": {
                "by_pipeline": [named("pipeline", "text-to-image", image.clone()), named("pipeline", "llm", llm.clone())],
                "by_capability": [named("capability", "my cap", own.clone())],
            },
        }),
    )
    .await;
    assert_answer(
        "/v1/requests/ai-batch/summary",
        json!([named("pipeline", "llm", llm), named("pipeline", "text-to-image", image)]),
    )
    .await;
    assert_answer("/v1/requests/byoc/summary", json!([named("capability", "my cap", own)])).await;
    assert_answer(
        "/v1/requests/ai-batch/llm-summary",
        json!([{"model": "llama", "total_requests": 2, "success_rate": 1.0, "avg_tokens_per_sec": 45.0,
            "avg_ttft_ms": 300.0, "avg_total_tokens": 50.0}]),
    )
    .await;
    assert_answer(
        "/v1/requests/byoc/auth",
        json!([{"capability": "my cap", "total_events": 4, "success_rate": 0.75, "failure_count": 1}]),
    )
    .await;
    // The sums lie two minutes into their hour.
    let minute = "/v1/requests/byoc/summary?start=2026-01-08T21:02:00Z&end=2026-01-08T21:03:00Z";
    assert_eq!(world().json(minute).await.as_array().unwrap().len(), 1);
    let offset = minute.replace("Z&end", "+00:00&end");
    assert_eq!(world().json(&offset).await.as_array().unwrap().len(), 1, "{offset}");
    let before = "/v1/requests/byoc/summary?start=2026-01-08T21:00:00Z&end=2026-01-08T21:02:00Z";
    assert_eq!(world().json(before).await, json!([]));
}

#[tokio::test]
async fn orchestrators_have_their_shares_and_the_scorecards_score() {
    // The first: 10 good of 11 decided (three were excused), kept 3 of 4. The second: 2 good, one disputed.
    assert_answer(
        "/v1/dashboard/orchestrators?window=1d",
        json!([
            {"address": operator(0), "serviceUri": url(0), "knownSessions": 11, "successSessions": 10,
             "successRatio": 1000.0 / 11.0, "effectiveSuccessRate": 10.0 / 11.0, "noSwapRatio": 0.75, "slaScore": 94.05,
             "slaWindowStart": "2026-01-08T21:00:00Z",
             "pipelines": [LIVE, "llm", "my cap", "text-to-image"],
             "pipelineModels": [{"pipelineId": LIVE, "modelIds": [MODEL]}, {"pipelineId": "llm", "modelIds": ["llama"]},
                {"pipelineId": "my cap", "modelIds": []}, {"pipelineId": "text-to-image", "modelIds": ["sd"]}],
             "gpuCount": 2},
            {"address": operator(1), "serviceUri": url(1), "knownSessions": 3, "successSessions": 2,
             "successRatio": 200.0 / 3.0, "effectiveSuccessRate": 2.0 / 3.0, "noSwapRatio": null, "slaScore": null,
             "pipelines": [LIVE], "pipelineModels": [{"pipelineId": LIVE, "modelIds": [MODEL]}], "gpuCount": 1},
        ]),
    )
    .await;
}

#[tokio::test]
async fn what_is_on_offer() {
    assert_answer(
        "/v1/dashboard/gpu-capacity?window=6h",
        json!({
            "totalGPUs": 3, "activeGPUs": 0, "availableCapacity": 3,
            "models": [{"model": "RTX 4090", "count": 2}, {"model": "Unknown", "count": 1}],
            "pipelineGPUs": [{"name": LIVE, "gpus": 2, "models": [{"model": MODEL, "gpus": 2}]}],
        }),
    )
    .await;
    let entry =
        |id: &str, models: &[&str]| json!({"id": id, "name": id, "models": models, "regions": []});
    assert_answer(
        "/v1/dashboard/pipeline-catalog",
        json!([
            entry(LIVE, &[MODEL]),
            entry("llm", &["llama"]),
            entry("my cap", &[]),
            entry("text-to-image", &["sd"])
        ]),
    )
    .await;
    // A price of nothing is none, and one beyond 64 bits is nobody's.
    assert_answer(
        "/v1/dashboard/pricing",
        json!([
            {"orchAddress": operator(0), "orchName": "orchestrator-0.example", "pipeline": LIVE, "model": MODEL,
             "priceWeiPerUnit": 1618, "pixelsPerUnit": 1, "isWarm": true},
            {"orchAddress": operator(0), "orchName": "orchestrator-0.example", "pipeline": "my cap",
             "priceWeiPerUnit": 5, "pixelsPerUnit": 2, "isWarm": false},
            {"orchAddress": operator(1), "orchName": "orchestrator-1.example", "pipeline": LIVE, "model": MODEL,
             "priceWeiPerUnit": 2000, "pixelsPerUnit": 1, "isWarm": false},
        ]),
    )
    .await;
    assert_answer(
        "/v1/streaming/models",
        json!([{"pipeline": LIVE, "model": MODEL, "warm_orch_count": 1, "gpu_slots": 2, "active_streams": 1,
            "available_capacity": 1, "avg_fps": 16.5}]),
    )
    .await;
    assert_answer(
        "/v1/requests/models",
        json!([
            {"pipeline": "llm", "model": "llama", "job_type": "ai-batch", "warm_orch_count": 1, "gpu_slots": 0,
             "job_count_24h": 2, "success_rate": 1.0, "avg_duration_ms": null},
            {"pipeline": "text-to-image", "model": "sd", "job_type": "ai-batch", "warm_orch_count": 0, "gpu_slots": 0,
             "job_count_24h": 4, "success_rate": 0.5, "avg_duration_ms": 2000.0},
        ]),
    )
    .await;
    let capabilities = json!(["llm:llama", "my cap", "text-to-image:sd"]);
    assert_answer(
        "/v1/requests/orchestrators?limit=1000",
        json!([{"address": operator(0), "uri": url(0), "capabilities": capabilities, "gpu_count": 2,
            "last_seen": "2026-01-08T21:00:00Z"}]),
    )
    .await;
    let place = |number: u64, gpus: u64, seen: &str| json!({"address": operator(number), "uri": url(number), "models": [MODEL], "gpu_count": gpus, "last_seen": seen});
    let places = [place(0, 2, "2026-01-08T21:00:00Z"), place(1, 1, "2026-01-08T21:00:00.001Z")];
    assert_answer("/v1/streaming/orchestrators", json!(places)).await;
    assert_answer("/v1/streaming/orchestrators?limit=1", json!(places[..1])).await;
}

#[tokio::test]
async fn hours_of_live_video() {
    let data = |path: &'static str| async move { world().json(path).await["data"].clone() };
    let (gateway, early, late) =
        (sample::address(200).to_string(), "2026-01-08T20:00:00Z", "2026-01-08T21:00:00Z");
    let row = |hour: &str, number: u64, gpu: &str, counts: Value| {
        let mut row = json!({"window_start": hour, "org": gateway, "orchestrator_address": operator(number),
            "pipeline_id": LIVE, "model_id": MODEL, "gpu_id": gpu});
        counts.as_object().unwrap().iter().for_each(|(name, value)| row[name] = value.clone());
        row
    };
    let sla = |requested: u64, good: u64, share: f64, kept: Value, fps: Value, score: Value| {
        json!({"requested_sessions": requested, "startup_success_sessions": good, "effective_success_rate": share,
            "no_swap_rate": kept, "avg_output_fps": fps, "sla_score": score})
    };
    let none = || Value::Null;
    let expected = [
        row(late, 0, "GPU-1", sla(6, 5, 5.0 / 6.0, json!(0.75), json!(16.5), json!(90.0))),
        row(late, 1, "", sla(3, 2, 2.0 / 3.0, none(), none(), none())),
        row(early, 0, "GPU-1", sla(5, 5, 1.0, none(), none(), json!(90.0))),
    ];
    assert_same("sla", &data("/v1/streaming/sla").await, &json!(expected));
    let card = |known: u64, good: u64, fps: Value, took: Value, swaps: Value| {
        json!({"gpu_model_name": "RTX 4090", "known_sessions_count": known, "startup_success_sessions": good,
            "avg_output_fps": fps, "avg_e2e_latency_ms": took, "swap_rate": swaps})
    };
    let expected = [
        row(late, 0, "GPU-1", card(6, 5, json!(16.5), json!(2500.0), json!(0.25))),
        row(early, 0, "GPU-1", card(5, 5, none(), none(), none())),
    ];
    assert_same("gpu", &data("/v1/streaming/gpu-metrics").await, &json!(expected));
    let demand = |hour: &str,
                  jobs: u64,
                  delivered: u64,
                  share: f64,
                  minutes: f64,
                  unserved: u64| {
        json!({"window_start": hour, "org": gateway, "gateway": gateway, "pipeline_id": LIVE, "model_id": MODEL,
            "requested_sessions": jobs, "startup_success_sessions": delivered, "effective_success_rate": share,
            "total_minutes": minutes, "no_orch_sessions": unserved})
    };
    let expected = [demand(late, 10, 7, 7.0 / 9.0, 15.0, 2), demand(early, 5, 5, 1.0, 20.0, 0)];
    assert_same("demand", &data("/v1/streaming/demand").await, &json!(expected));
    let one = "/v1/streaming/demand?start=2026-01-08T20:00:00.001Z&end=2026-01-09T00:00:00Z";
    assert_same("an hour", &data(one).await, &json!(expected[..1]));
}

#[tokio::test]
async fn single_jobs() {
    let world = world();
    let feed = world.json("/v1/dashboard/job-feed").await;
    let [item] = feed.as_array().unwrap().as_slice() else { panic!("one stream runs: {feed}") };
    assert_eq!(item["id"], sample::job_id(61).to_string());
    assert_eq!((&item["state"], &item["model"]), (&json!("running"), &json!(MODEL)));
    assert_eq!((&item["inputFps"], &item["outputFps"]), (&json!(30.0), &json!(17.298)));
    assert_eq!(item["lastSeen"], "2026-01-08T22:09:30Z");
    // It began 305 s into the hour, which is now ten minutes old.
    assert_eq!(
        (&item["firstSeen"], &item["durationSeconds"]),
        (&json!("2026-01-08T22:05:05Z"), &json!(295.0))
    );
    let listed = world.json("/v1/requests/ai-batch/jobs").await;
    let org = |number| sample::reporter(number).to_string();
    let job = |number: u64, more: Value| {
        let mut job = json!({"request_id": sample::job_id(number).to_string(), "org": org(number),
            "gateway": "gate way/é", "pipeline": "text-to-image", "model_id": "sd", "tries": 2, "duration_ms": 2100,
            "gpu_model_name": ""});
        more.as_object().unwrap().iter().for_each(|(name, value)| job[name] = value.clone());
        job
    };
    let expected = [
        job(
            2,
            json!({"completed_at": "2026-01-08T21:00:12.500Z", "success": false, "orch_url": "",
            "selection_outcome": "no_orch", "attribution_status": "unresolved"}),
        ),
        job(
            1,
            json!({"completed_at": "2026-01-08T21:00:07.500Z", "success": true, "orch_url": url(1),
            "selection_outcome": "selected", "attribution_status": "hardware_less"}),
        ),
    ];
    assert_same("jobs", &listed["data"], &json!(expected));
    let own = world.json("/v1/requests/byoc/jobs").await;
    let expected = json!([{"request_id": sample::job_id(4).to_string(), "org": org(4), "capability": "my cap",
        "model": "sd", "completed_at": "2026-01-08T21:00:22.500Z", "success": false, "duration_ms": 2100,
        "http_status": 504, "orch_address": operator(4), "orch_url": url(4), "worker_url": "",
        "selection_outcome": "selected", "gpu_model_name": "", "attribution_status": "hardware_less",
        "error": "timeout"}]);
    assert_same("byoc", &own["data"], &expected);
}

#[tokio::test]
async fn whoever_offers_a_capability_is_discovered_best_first() {
    let live = format!("{LIVE}/{MODEL}");
    let found = |number: u64, score: f64, is_known: bool, capabilities: Value| {
        let (ms, text) =
            (1_767_906_000_000 + number, ["", ".001"][usize::try_from(number).unwrap()]);
        json!({"address": url(number), "score": score, "capabilities": capabilities, "last_seen_ms": ms,
            "last_seen": format!("2026-01-08T21:00:00{text}Z"), "recent_work": is_known})
    };
    // The scorecard's 0.9405 to three places; the second has no score, but two of three sessions were delivered.
    let both = json!([found(0, 0.941, true, json!([live])), found(1, 0.667, true, json!([live]))]);
    assert_answer("/v1/discover/orchestrators?caps=live-video-to-video", both.clone()).await;
    assert_answer("/v1/discover/orchestrators?caps=x%2Fy&caps=live-video-to-video", both).await;
    let own = json!([found(0, 0.0, false, json!(["my cap"]))]);
    assert_answer("/v1/discover/orchestrators?caps=my%20cap", own).await;
    assert_answer("/v1/discover/orchestrators?caps=nobody/has", json!([])).await;
    let all = world().json("/v1/discover/orchestrators").await;
    assert_eq!(all[0]["capabilities"].as_array().unwrap().len(), 4, "{all}");
}
