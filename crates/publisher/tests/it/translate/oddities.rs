//! The odd, the broken and the private.

use events::event::{MAX_EVENT_BYTES, Role};
use events::refusal::Defect;
use events::unit::UnixMillis;
use publisher::translate::{Speaker, translate};
use serde_json::{Value, json};

use super::{AT, SIGNER, URL, envelope, live, pseudonyms, refused, run, speaker};

fn trace() -> Value {
    envelope(
        "stream_trace",
        live(json!({ "type": "gateway_send_first_ingest_segment", "timestamp": AT })),
    )
}

fn with(field: &str, value: Value) -> Value {
    let mut envelope = trace();
    envelope[field] = value;
    envelope
}

#[test]
fn heads_that_are_none() {
    let bytes = |bytes: &[u8]| translate(bytes, &speaker(), UnixMillis(AT)).refusals[0].defect;
    for broken in [
        &b""[..],
        b"{",
        b"[]",
        b"1",
        b"{}",
        b"null",
        b"\xff",
        b"{\"type\":1}",
        b"{\"type\":\"\"}",
        b"{} {}",
    ] {
        assert_eq!(bytes(broken), Defect::EnvelopeMalformed, "{broken:?}");
    }
    assert_eq!(refused(&with("type", json!("webrtc_stats"))), Defect::FamilyUnknown);
    for absent in [json!(""), json!(null), json!({}), json!("  ")] {
        assert_eq!(refused(&with("id", absent)), Defect::EnvelopeId);
    }
    for absurd in [
        json!(null),
        json!(""),
        json!("0"),
        json!(-5),
        json!("soon"),
        json!("99999999999999999"),
        json!([]),
    ] {
        assert_eq!(refused(&with("timestamp", absurd)), Defect::EnvelopeTime);
    }
    for broken in
        [json!(null), json!([]), json!("x"), json!({ "type": "gateway_send_first_ingest_segment" })]
    {
        let defect = refused(&with("data", broken));
        assert!(matches!(defect, Defect::EnvelopeData | Defect::SubtypeUnknown), "{defect}");
    }
    let unnamed =
        live(json!({ "type": "gateway_send_first_ingest_segment", "orchestrator_info": null }));
    assert_eq!(refused(&with("data", unnamed)), Defect::EnvelopeData);
}

#[test]
fn times_in_every_form() {
    for time in
        [json!(AT.to_string()), json!(AT), json!(1_767_908_950.0), json!("2026-01-08T21:49:10Z")]
    {
        assert_eq!(run(&with("timestamp", time.clone())).events[0].at_ms.0, AT, "{time}");
    }
    let at = |said: Value| {
        let data = live(json!({ "type": "gateway_send_first_ingest_segment", "timestamp": said }));
        run(&with("data", data)).events[0].at_ms.0
    };
    assert_eq!(at(json!(AT - 600_000)), AT - 600_000);
    assert_eq!(at(json!(AT - 600_001)), AT, "too far from when it was published");
    assert_eq!(at(json!("nonsense")), AT);
    assert_eq!(at(json!(1_767_908_950.25)), AT, "seconds are not milliseconds");
}

#[test]
fn ids_in_every_form() {
    let id = |id: Value| run(&with("id", id)).events[0].id.to_string();
    assert_eq!(
        id(json!("59485235-8460-472f-a894-3b84f37ee9bb")),
        "59485235-8460-472f-a894-3b84f37ee9bb"
    );
    assert_eq!(id(json!(17)), "17");
    for odd in ["a/1", "with space", &"x".repeat(73), "hidden/00", "ünïcode", "a\nb"] {
        let id = id(json!(odd));
        assert!(id.starts_with("hidden/") && id.len() == 71, "{odd}: {id}");
    }
}

#[test]
fn a_collector_passes_on_the_gateways_name() {
    let collector = Speaker { role: Role::Collector, ..speaker() };
    let bytes = serde_json::to_vec(&trace()).unwrap();
    let event = &translate(&bytes, &collector, UnixMillis(AT)).events[0];
    assert_eq!(event.gateway.as_ref().unwrap().as_str(), "gw.example");
    assert_eq!(run(&trace()).events[0].gateway, None, "a gateway is who signs");
}

#[test]
fn a_dump_without_a_time_is_none() {
    let dump = serde_json::to_vec(&json!({ "orchestrators": [{ "orch_uri": URL }] })).unwrap();
    let translated = translate(&dump, &speaker(), UnixMillis(0));
    assert_eq!(translated.refusals[0].defect, Defect::EnvelopeTime);
}

#[test]
fn an_orchestrator_with_more_than_fits_is_cut_and_says_so() {
    let names = || (0..300).map(|n| format!("{n:03}-{}", "m".repeat(110)));
    let models: serde_json::Map<_, _> =
        names().map(|name| (name, json!({ "warm": true, "capacity": 1 }))).collect();
    let prices: Vec<_> = names()
        .map(|name| json!({ "pricePerUnit": 1, "pixelsPerUnit": 1, "capability": 27, "constraint": name }))
        .collect();
    let gpus: Vec<_> =
        (0..100).map(|n| json!({ "id": format!("GPU-{n}"), "name": "g".repeat(90) })).collect();
    let data = json!([{ "orch_uri": URL, "capabilities_prices": prices,
        "capabilities": { "constraints": { "PerCapability": { "27": { "models": models } } } },
        "hardware": [{ "pipeline": "text-to-image", "model_id": "m".repeat(120), "gpu_info": gpus }] }]);
    let event = run(&envelope("network_capabilities", data)).events.remove(0);
    let bytes = event.encode().unwrap();
    assert!(bytes.len() <= MAX_EVENT_BYTES);
    let said: Value = serde_json::from_slice(&bytes).unwrap();
    let kept = said["data"]["offers"].as_array().unwrap().len()
        + said["data"]["gpus"].as_array().unwrap().len();
    assert!(kept > 40, "{kept}");
    assert_eq!(said["data"]["omitted"], 400 - kept);
}

/// A word that stands in every field nobody but the node may see.
const SECRET: &str = "xyzzy-private";

#[test]
fn nothing_private_leaves() {
    let info = json!({ "address": SIGNER, "url": format!("{URL}/{SECRET}?key={SECRET}") });
    let params = json!({ "prompt": SECRET, "negative_prompt": SECRET, SECRET: SECRET });
    let mut data = json!({
        "stream_id": SECRET, "request_id": SECRET, "pipeline_id": SECRET, "stream_name": SECRET, "gateway_host": SECRET,
        "client_ip": SECRET, "clientIP": SECRET, "params": params, "message": SECRET, "error": SECRET, "logs": [SECRET],
        "restart_logs": [SECRET], "system_prompt": SECRET, "completion_id": SECRET, "worker_url": SECRET, "auth_id": SECRET,
        "session_id": SECRET, "sessionID": SECRET, "manifestID": SECRET, "manifest_id": SECRET, "pm_session_id": SECRET,
        "requestID": SECRET, "orchestrator_info": info, "orchestrator": format!("{URL}/{SECRET}"), "orch_url": URL,
        "orch_address": SIGNER, "session_status": SECRET, "app": "app", "state": SECRET, "finish_reason": SECRET,
        "inference_status": { "fps": 1, "last_error": SECRET, "last_error_time": AT, "last_params": params,
            "last_params_hash": SECRET, "last_restart_logs": [SECRET] },
        "stats": { "conn_quality": SECRET.to_owned() + SECRET, "peer_conn_stats": { "ID": SECRET },
            "track_stats": [{ "type": "video", "warnings": [SECRET] }] },
        "capability": "c", "id": SECRET, "balance": "1", "latency_ms": 3, "time": AT, "timestamp": AT, "seq": SECRET,
    });
    let mut events = 0;
    for (family, subtypes) in super::FAMILIES {
        let more: &[&str] =
            &["error", "completed", "gateway_ingest_stream_closed", "inference_complete"];
        for subtype in subtypes.iter().chain(more) {
            for success in [json!(true), json!(false), Value::Null] {
                data["type"] = json!(subtype);
                data["success"] = success;
                let mut input = envelope(family, data.clone());
                input["sender"] = json!({ "type": SECRET, "id": SECRET });
                input["streamId"] = json!(SECRET);
                let translated = run(&input);
                events += translated.events.len();
                for event in &translated.events {
                    let bytes = String::from_utf8(event.encode().unwrap()).unwrap();
                    assert!(!bytes.contains(SECRET), "{family} {subtype}: {bytes}");
                }
                assert!(!format!("{:?}", translated.refusals).contains(SECRET));
            }
        }
    }
    let segment = json!({ "type": "transcode", "id": "1", "timestamp": AT, "streamId": SECRET, "nodeId": SECRET,
        "segment": { "name": SECRET, "seqNo": 1 }, "success": false,
        "attempts": [{ "orchestrator": { "transcodeUri": format!("{URL}/{SECRET}") }, "error": SECRET }] });
    let translated = run(&segment);
    events += translated.events.len();
    assert!(!format!("{translated:?}").contains(SECRET));
    assert!(events > 60, "{events} events were looked at");
}

/// Free text in a field that is a name by rights must not carry more than a name.
#[test]
fn odd_names_are_not_repeated_in_refusals() {
    for (family, data) in [
        (SECRET.to_owned() + " with spaces", json!({})),
        ("stream_trace".to_owned(), json!({ "type": SECRET.to_owned() + " with spaces" })),
    ] {
        let translated = run(&envelope(&family, data));
        assert!(!format!("{translated:?}").contains(SECRET));
    }
}

/// The texts of everything an input becomes for the node with this number.
fn published_by(node: u8, input: &Value) -> Vec<String> {
    let speaker = Speaker { pseudonyms: pseudonyms(node), ..speaker() };
    let bytes = serde_json::to_vec(input).unwrap();
    let events = translate(&bytes, &speaker, UnixMillis(AT)).events;
    assert!(!events.is_empty());
    events.iter().map(|event| String::from_utf8(event.encode().unwrap()).unwrap()).collect()
}

#[test]
fn what_is_hidden_is_hidden_from_whoever_guesses_it() {
    let worker = json!({ "id": "w-1", "type": "worker_registered", "capability": "openai-chat",
        "worker_url": "http://10.0.0.3:9000", "orchestrator_info": { "address": SIGNER, "url": URL } });
    let dump = json!({ "capabilities_names": {}, "orchestrators": [{ "local_address": SIGNER, "orch_uri": URL }] });
    let inputs = [envelope("worker_lifecycle", worker), with("id", json!("http://10.0.0.3")), dump];
    for input in &inputs {
        let said = published_by(1, input);
        assert_eq!(said, published_by(1, input), "a node calls a thing by one name");
        // Without the secret of the first, the second cannot make its names, though it knows what they stand for.
        assert_ne!(said, published_by(2, input), "{said:?}");
    }
    let joined: Value = serde_json::from_str(&published_by(1, &inputs[0])[0]).unwrap();
    let other: Value = serde_json::from_str(&published_by(2, &inputs[0])[0]).unwrap();
    assert_ne!(joined["data"]["worker"], other["data"]["worker"]);
    assert_ne!(joined["id"], other["id"]);
}
