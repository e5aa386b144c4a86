//! Offers, answers and payments, subtype by subtype: what goes in, what comes out.

use events::event::Workload;
use events::job;
use events::refusal::Defect;
use serde_json::{Value, json};

use super::{AT, SIGNER, URL, as_json, check, envelope, refused, run, said, somebody};

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
