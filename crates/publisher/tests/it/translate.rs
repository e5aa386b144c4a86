//! The translator against envelopes of every subtype, against private markers, against noise and against real captures.

mod captures;
mod live;
mod oddities;
mod offers;
mod reasons;
mod requests;

use events::event::{Event, Network, Role};
use events::refusal::Defect;
use events::unit::UnixMillis;
use proptest::prelude::*;
use publisher::pseudonym::PseudonymKey;
use publisher::translate::{Speaker, Translated, translate};
use serde_json::{Value, json};

/// When every invented envelope was published.
pub const AT: u64 = 1_767_908_950_000;

pub const SIGNER: &str = "0x1111111111111111111111111111111111111111";
pub const URL: &str = "https://orch.example:8935";

/// What the node with this number hides things behind.
pub fn pseudonyms(node: u8) -> PseudonymKey {
    PseudonymKey::of(&ed25519_dalek::SigningKey::from_bytes(&[node; 32]))
}

pub fn speaker() -> Speaker {
    Speaker {
        network: Network::Livepeer,
        reporter: "0x00000000000000000000000000000000000000aa".parse().unwrap(),
        role: Role::Gateway,
        node: "5f0c1a52-7b1a-4b8e-9c55-0d7f7f3f8a11".parse().unwrap(),
        pseudonyms: pseudonyms(7),
        region: Some("eu-central".parse().unwrap()),
    }
}

pub fn run(input: &Value) -> Translated {
    let bytes = serde_json::to_vec(input).unwrap();
    let once = translate(&bytes, &speaker(), UnixMillis(AT));
    assert_eq!(
        once,
        translate(&bytes, &speaker(), UnixMillis(AT)),
        "the same input, the same output"
    );
    for event in &once.events {
        let bytes = event.encode().unwrap();
        assert_eq!(&Event::decode(&bytes).unwrap(), event);
    }
    once
}

pub fn envelope(family: &str, data: Value) -> Value {
    json!({ "id": "e-1", "type": family, "timestamp": AT.to_string(), "gateway": "gw.example", "data": data })
}

/// The events of an envelope as JSON; fails on a refusal.
pub fn said(family: &str, data: Value) -> Vec<Value> {
    let translated = run(&envelope(family, data));
    assert_eq!(translated.refusals, [], "{family}");
    as_json(&translated.events)
}

pub fn as_json(events: &[Event]) -> Vec<Value> {
    events.iter().map(|event| serde_json::from_slice(&event.encode().unwrap()).unwrap()).collect()
}

/// The single defect of an envelope that says nothing.
pub fn refused(input: &Value) -> Defect {
    let Translated { events, refusals } = run(input);
    assert_eq!(events, []);
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    refusals[0].defect
}

/// A live session's data with some members of its own.
pub fn live(more: Value) -> Value {
    let mut data = json!({
        "stream_id": "stream-secretname", "request_id": "abcd1234", "pipeline_id": "",
        "orchestrator_info": { "address": SIGNER.to_uppercase().replace("0X", "0x"), "url": "https://Orch.example:8935/" },
    });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    data
}

pub fn somebody() -> Value {
    json!({ "signer": SIGNER, "url": URL })
}

/// Kind and data of the one event of an envelope.
fn one(family: &str, data: Value) -> (String, Value) {
    let mut events = said(family, data);
    assert_eq!(events.len(), 1, "{events:?}");
    let event = events.remove(0);
    (event["kind"].as_str().unwrap().to_owned(), event["data"].clone())
}

pub fn check(family: &str, cases: Vec<(Value, &str, Value)>) {
    for (data, kind, expected) in cases {
        assert_eq!(one(family, data.clone()), (kind.to_owned(), expected), "{family} {data}");
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        "[ -~]{0,24}",
        "\\PC{0,12}",
        "[0-9]{1,30}(\\.[0-9]{0,30})?",
        Just(SIGNER.to_owned()),
        Just(URL.to_owned()),
        Just("2026-01-08T21:49:05Z".to_owned()),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e20..1e20f64).prop_map(Value::from),
        words.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((member(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Member names that rules look for, so that noise reaches deep.
const KNOWN: &[&str] = &[
    "type",
    "timestamp",
    "id",
    "data",
    "gateway",
    "stream_id",
    "request_id",
    "pipeline",
    "pipeline_id",
    "capability",
    "orchestrator_info",
    "address",
    "url",
    "local_address",
    "orch_uri",
    "capabilities",
    "constraints",
    "PerCapability",
    "35",
    "37",
    "models",
    "hardware",
    "gpu_info",
    "0",
    "capabilities_prices",
    "constraint",
    "pricePerUnit",
    "pixelsPerUnit",
    "capability_options",
    "model",
    "faceValue",
    "winProb",
    "price",
    "manifestID",
    "numTickets",
    "recipient",
    "orchestrator",
    "success",
    "error",
    "error_type",
    "message",
    "time",
    "stats",
    "track_stats",
    "jitter",
    "rtt",
    "inference_status",
    "input_status",
    "fps",
    "last_error",
    "last_error_time",
    "restart_count",
    "start_time",
    "orch_url",
    "latency_ms",
    "attempt_index",
    "selected",
    "streamId",
    "segment",
    "seqNo",
    "duration",
    "attempts",
    "transcodeUri",
    "worker_url",
    "worker_options",
    "balance",
    "orchestrators",
];

fn member() -> impl Strategy<Value = String> {
    prop_oneof![4 => prop::sample::select(KNOWN).prop_map(|name: &str| name.to_owned()), 1 => "\\PC{0,8}"]
}

/// Families and the subtypes they know.
const FAMILIES: &[(&str, &[&str])] = &[
    (
        "stream_trace",
        &[
            "gateway_receive_stream_request",
            "runner_receive_first_ingest_segment",
            "orchestrator_swap",
        ],
    ),
    ("ai_stream_status", &["status"]),
    ("ai_stream_events", &["error", "restart", "params_update", "inference_complete"]),
    ("stream_ingest_metrics", &[""]),
    ("discovery_results", &[""]),
    ("network_capabilities", &[""]),
    ("create_new_payment", &[""]),
    ("create_signed_ticket", &[""]),
    ("job_payment", &["payment_balance_sync", "payment_stream_cycle"]),
    ("ai_batch_request", &["ai_batch_request_received", "ai_batch_request_completed"]),
    ("ai_llm_request", &["llm_request_started", "llm_stream_completed"]),
    ("job_gateway", &["submitted", "completed", "discovery_result", "token_fetch_result"]),
    ("job_orchestrator", &["job_orchestrator_completed", "received"]),
    ("job_auth", &["job_auth_webhook_result"]),
    ("worker_lifecycle", &["worker_registered", "worker_capacity_exhausted"]),
    ("transcode", &[""]),
    ("nobody_knows", &[""]),
];

fn any_envelope() -> impl Strategy<Value = Value> {
    let pairs = FAMILIES
        .iter()
        .flat_map(|(family, subtypes)| subtypes.iter().map(|subtype| (*family, *subtype)));
    let family = prop::sample::select(pairs.collect::<Vec<_>>());
    (family, any_json(), any_json(), any::<bool>()).prop_map(
        |((family, subtype), mut data, other, is_flat)| {
            if let Some(data) = data.as_object_mut() {
                data.insert("type".to_owned(), subtype.into());
                data.entry("stream_id").or_insert("s".into());
                data.entry("orchestrator_info").or_insert(json!({ "url": URL }));
            }
            let mut envelope = envelope(family, data);
            if is_flat && let Some(other) = other.as_object() {
                let members = envelope.as_object_mut().unwrap();
                members.extend(other.clone());
                members.insert("type".to_owned(), family.into());
            }
            envelope
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn noise_never_panics_and_every_event_encodes(input in any_envelope()) {
        run(&input);
    }

    #[test]
    fn any_json_is_survived(input in any_json()) {
        run(&input);
    }

    #[test]
    fn any_bytes_are_survived(input in prop::collection::vec(any::<u8>(), 0..64)) {
        translate(&input, &speaker(), UnixMillis(AT));
    }
}

#[test]
fn deep_nesting_is_survived() {
    let deep = "[".repeat(200_000) + &"]".repeat(200_000);
    let input =
        format!(r#"{{"id":"1","type":"network_capabilities","timestamp":"{AT}","data":{deep}}}"#);
    let translated = translate(input.as_bytes(), &speaker(), UnixMillis(AT));
    assert_eq!(translated.events, []);
}
