//! The door for testers of the leaderboard: whose word it takes, what it keeps, and what becomes of it.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use events::body::Body as Said;
use events::event::{Event, Role, Workload};
use events::unit::{Micros, Ppm, UnixMillis};
use futures_util::{StreamExt as _, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use publisher::intake::Counts;
use publisher::intake::posted::{Collector, Config, PATH, check, closed, router};
use publisher::spool::{self, Spool};
use publisher::translate::{Speaker, translate};
use serde_json::{Value, json};
use sha2::Sha256;
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

use crate::translate::{AT, speaker};

const SECRET: &str = "a secret that testers share";
const WHO: &str = "0xD00354656922168815fcd1e51cbddb9e359e3c7f";

fn collector() -> Speaker {
    Speaker { role: Role::Collector, region: None, ..speaker() }
}

fn config(home: &Path, secret: &str) -> Config {
    let path = home.join("secret");
    std::fs::write(&path, secret).unwrap();
    Config {
        secret: path,
        regions: ["FRA", "MDW"].map(|name| name.parse().unwrap()).into(),
        body_bytes_max: 4_096,
        requests_max: 2,
        request: std::time::Duration::from_secs(5),
    }
}

struct Door {
    counts: Counts,
    home: TempDir,
    router: Router,
    spool: Arc<Spool>,
}

fn open_in(home: TempDir, quota_bytes: u64) -> Door {
    open_with(home, quota_bytes, std::time::Duration::from_secs(5))
}

fn open_with(home: TempDir, quota_bytes: u64, request: std::time::Duration) -> Door {
    let settings = spool::Config {
        segment_bytes: 1_024,
        quota_bytes,
        ..spool::Config::at(home.path().join("spool"))
    };
    let spool = Arc::new(Spool::open(&settings).unwrap());
    let counts = Counts::default();
    let collector =
        Collector { counts: counts.clone(), speaker: collector(), spool: Arc::clone(&spool) };
    let config = Config { request, ..config(home.path(), &format!("{SECRET}\n")) };
    let router = router(config, collector, Arc::new(|| AT)).unwrap();
    Door { counts, home, router, spool }
}

fn open() -> Door {
    open_in(tempfile::tempdir().unwrap(), 1 << 20)
}

fn sign(secret: &str, body: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    hex::encode(mac.chain_update(body).finalize().into_bytes())
}

async fn send(router: &Router, method: &str, code: &str, body: &[u8]) -> (StatusCode, String) {
    let request = Request::builder().method(method).uri(PATH).header("authorization", code);
    let request = request.body(Body::from(body.to_vec())).unwrap();
    let answer = router.clone().oneshot(request).await.unwrap();
    let status = answer.status();
    let bytes = to_bytes(answer.into_body(), 1 << 16).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn post(door: &Door, body: &Value) -> (StatusCode, String) {
    let bytes = serde_json::to_vec(body).unwrap();
    send(&door.router, "POST", &sign(SECRET, &bytes), &bytes).await
}

/// As the AI job tester writes it.
fn of_model() -> Value {
    json!({
        "region": "fra", "orchestrator": WHO, "success_rate": 1, "round_trip_time": 1.947123,
        "errors": null, "timestamp": AT / 1_000, "model": "ByteDance/SDXL-Lightning",
        "pipeline": "Text to image", "model_is_warm": true,
        "input_parameters": "{\"prompt\":\"a bear of my own\"}",
        "response_payload": "{\"images\":[{\"url\":\"https://answer.example\"}]}",
    })
}

/// As the tester of transcoding writes it.
fn of_segments() -> Value {
    json!({
        "region": "MDW", "orchestrator": WHO, "success_rate": 0.9333333333, "round_trip_time": 1.2,
        "errors": [{"error_code": "HTTP-STATUS-503", "message": "at 10.0.0.7: no room", "count": 2}],
        "timestamp": AT / 1_000 - 86_400, "seg_duration": 2.0089, "segments_sent": 15,
        "segments_received": 28, "upload_time": 0.777, "download_time": 0.957,
        "transcode_time": 0.214,
    })
}

/// What the spool keeps, translated as the pump does.
async fn told(spool: &Spool) -> Vec<Event> {
    let mut reader = spool.read_from(spool.oldest());
    let mut events = Vec::new();
    loop {
        let records = reader.take(64).await.unwrap();
        if records.is_empty() {
            return events;
        }
        for record in records {
            let now = UnixMillis(record.raw.received_ms);
            let translated = translate(&record.raw.value, &collector(), now);
            assert_eq!(translated.refusals, vec![]);
            events.extend(translated.events);
        }
    }
}

#[tokio::test]
async fn results_of_both_testers_become_events() {
    let door = open();
    for body in [of_model(), of_segments()] {
        assert_eq!(post(&door, &body).await, (StatusCode::OK, "ok".to_owned()));
    }
    let events = told(&door.spool).await;
    let [of_model, of_segments] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(of_model.at_ms, UnixMillis(AT / 1_000 * 1_000));
    assert_eq!(of_model.region.as_ref().unwrap().as_str(), "FRA");
    assert_eq!(of_model.pipeline.as_ref().unwrap().as_str(), "text-to-image");
    assert_eq!(of_model.workload, Some(Workload::AiBatch));
    let Said::ProbeObserved(said) = &of_model.body else { panic!("{of_model:?}") };
    assert_eq!(said.orchestrator.recipient.unwrap().to_string(), WHO.to_lowercase());
    let measured = said.measured.as_ref().unwrap();
    assert_eq!(measured.round_trip_us, Some(Micros(1_947_123)));
    assert_eq!((measured.warm, measured.success_ppm), (Some(true), Some(Ppm::ONE)));
    assert!(said.success && said.reason.is_none());

    // A day ago, by the tester's own clock.
    assert_eq!(of_segments.at_ms, UnixMillis((AT / 1_000 - 86_400) * 1_000));
    assert_eq!(of_segments.workload, Some(Workload::Transcoding));
    let Said::ProbeObserved(said) = &of_segments.body else { panic!("{of_segments:?}") };
    let measured = said.measured.as_ref().unwrap();
    assert_eq!(measured.success_ppm, Some(Ppm(933_333)));
    assert_eq!(measured.segment_us, Some(Micros(2_008_900)));
    assert_eq!((measured.segments_sent, measured.segments_received), (Some(15), Some(28)));
    assert_eq!(measured.faults.len(), 1);
    assert_eq!(
        (measured.faults[0].code.as_str(), measured.faults[0].count),
        ("HTTP-STATUS-503", 2)
    );
    assert!(!said.success && said.reason.is_some());
    let public: Vec<String> =
        events.iter().map(|event| String::from_utf8(event.encode().unwrap()).unwrap()).collect();
    for hidden in ["bear", "answer.example", "10.0.0.7", "no room"] {
        assert!(public.iter().all(|text| !text.contains(hidden)), "{hidden}");
    }
}

#[tokio::test]
async fn the_same_result_is_the_same_event() {
    let door = open();
    let mut twin = of_model();
    twin["orchestrator"] = WHO.to_uppercase().replace("0X", "0x").into();
    twin["response_payload"] = "another".into();
    let mut other = of_model();
    other["timestamp"] = (AT / 1_000 - 1).into();
    for body in [of_model(), of_model(), twin, other] {
        assert_eq!(post(&door, &body).await.0, StatusCode::OK);
    }
    let ids: Vec<String> =
        told(&door.spool).await.iter().map(|event| event.id.to_string()).collect();
    assert_eq!(ids.len(), 4);
    assert!(ids[0] == ids[1] && ids[1] == ids[2] && ids[2] != ids[3], "{ids:?}");
}

#[tokio::test]
async fn what_was_answered_ok_is_there_after_another_start() {
    let door = open();
    assert_eq!(post(&door, &of_model()).await.0, StatusCode::OK);
    let Door { home, router, spool, .. } = door;
    drop((router, spool));
    let again = open_in(home, 1 << 20);
    assert_eq!(told(&again.spool).await.len(), 1);
}

#[tokio::test]
async fn codes_are_those_of_the_secret_and_the_body() {
    // RFC 4231, test case 2: the door and this test make the same code of it.
    let known = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(sign("Jefe", b"what do ya want for nothing?"), known);
    let home = tempfile::tempdir().unwrap();
    let config = config(home.path(), "Jefe");
    let spool = Arc::new(Spool::open(&spool::Config::at(home.path().join("spool"))).unwrap());
    let counts = Counts::default();
    let listener = Collector { counts, speaker: collector(), spool: Arc::clone(&spool) };
    let jefe = router(config, listener, Arc::new(|| AT)).unwrap();
    let body = b"what do ya want for nothing?";
    assert_eq!(send(&jefe, "POST", known, body).await.0, StatusCode::BAD_REQUEST, "no JSON");

    let door = open();
    let body = serde_json::to_vec(&of_model()).unwrap();
    let good = sign(SECRET, &body);
    let near = good.replacen(&good[..1], if good.starts_with('0') { "1" } else { "0" }, 1);
    let shorter = good[..62].to_owned();
    for code in [near, shorter, String::new(), "secret".to_owned(), sign("other", &body)] {
        let (status, text) = send(&door.router, "POST", &code, &body).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{code}");
        assert!(serde_json::from_str::<Value>(&text).unwrap()["error"].is_string());
    }
    let mut changed = body.clone();
    changed[20] = b'x';
    assert_eq!(send(&door.router, "POST", &good, &changed).await.0, StatusCode::FORBIDDEN);
    assert_eq!(told(&door.spool).await.len(), 0);
    assert_eq!(door.counts.snapshot().refused["E-DOOR-LOGIN"], 6);
}

#[tokio::test]
async fn what_is_no_result_is_refused_with_a_reason() {
    let door = open();
    let with = |member: &str, value: Value| {
        let mut body = of_model();
        body[member] = value;
        body
    };
    let cases = [
        (json!([]), "object"),
        (with("region", "XXX".into()), "region"),
        (with("region", Value::Null), "region"),
        (with("orchestrator", "0x12".into()), "orchestrator"),
        (with("orchestrator", format!("0x{}", "0".repeat(40)).into()), "orchestrator"),
        (with("success_rate", 1.01.into()), "success_rate"),
        (with("success_rate", (-1).into()), "success_rate"),
        (with("success_rate", "NaN".into()), "success_rate"),
        (with("round_trip_time", (-0.1).into()), "round_trip_time"),
        (with("round_trip_time", 90_000.into()), "round_trip_time"),
        (with("round_trip_time", Value::Null), "round_trip_time"),
        (with("timestamp", 0.into()), "timestamp"),
        (with("timestamp", (AT / 1_000 + 700).into()), "future"),
        (with("model", "".into()), "together"),
        (with("pipeline", Value::Null), "together"),
        (with("model", "m".repeat(200).into()), "model"),
        (with("model", 5.into()), "model is no text"),
        (with("model", "a\nb".into()), "model has control characters"),
        (with("pipeline", "Text\nto image".into()), "pipeline has control characters"),
        (with("pipeline", json!(["Text to image"])), "pipeline is no text"),
        (with("success_rate", "1".into()), "success_rate is no number"),
        (with("round_trip_time", "1.9".into()), "round_trip_time is no number"),
        (with("timestamp", (AT / 1_000).to_string().into()), "timestamp is no number"),
        (with("model_is_warm", "yes".into()), "model_is_warm"),
        (with("model_is_warm", 1.into()), "model_is_warm"),
        (with("errors", "x".into()), "errors is no list"),
        (with("errors", json!(["x"])), "errors is no list"),
        (with("errors", json!([{"error_code": 503}])), "error_code is no text"),
        (with("errors", json!([{"error_code": "a", "count": "1"}])), "count is no number"),
        (with("errors", vec![json!({"error_code": "a"}); 17].into()), "errors"),
        (with("input_parameters", "x".repeat(5_000).into()), "4096 bytes"),
    ];
    for (body, said) in cases {
        let (status, text) = post(&door, &body).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{text}");
        let error: Value = serde_json::from_str(&text).unwrap();
        assert!(error["error"].as_str().unwrap().contains(said), "{said}: {text}");
    }
    for method in ["GET", "PUT", "DELETE"] {
        let (status, text) = send(&door.router, method, "", b"").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);
        assert!(text.contains("error"), "{text}");
    }
    assert_eq!(told(&door.spool).await.len(), 0);
}

#[tokio::test]
async fn nothing_is_ok_that_was_not_written() {
    let door = open_in(tempfile::tempdir().unwrap(), 4_096);
    let mut kept = 0;
    let full = loop {
        let mut body = of_model();
        body["timestamp"] = (AT / 1_000 - kept).into();
        match post(&door, &body).await {
            (StatusCode::OK, _) => kept += 1,
            refused => break refused,
        }
        assert!(kept < 100, "it never fills");
    };
    assert_eq!(full.0, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(full.1.contains("error") && !full.1.contains("spool"), "{}", full.1);
    assert_eq!(u64::try_from(told(&door.spool).await.len()).unwrap(), kept);
}

#[tokio::test]
async fn without_a_secret_the_door_is_closed() {
    let body = serde_json::to_vec(&of_model()).unwrap();
    let (status, text) = send(&closed(), "POST", &sign("", &body), &body).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(text.contains("error"), "{text}");
    let home = tempfile::tempdir().unwrap();
    assert!(check(&config(home.path(), "\n")).is_err(), "an empty secret");
}

/// As many bytes as a request may have.
const FULL: &[u8] = &[0; 4_096];

/// A body of which nothing arrives but `begun`.
fn stuck(begun: &'static [u8]) -> Body {
    let first = stream::once(async move { Ok::<_, std::io::Error>(begun) });
    Body::from_stream(first.chain(stream::pending()))
}

/// Sends from a task of its own, and lets it come as far as it can.
async fn begin(door: &Door, code: &str, body: Body) -> JoinHandle<StatusCode> {
    let request = Request::post(PATH).header("authorization", code).body(body).unwrap();
    let answer = door.router.clone().oneshot(request);
    let task = tokio::spawn(async move { answer.await.unwrap().status() });
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
    task
}

#[tokio::test]
async fn whoever_is_slow_holds_up_nobody() {
    let door = open();
    let wrong = sign("other", b"{");
    // Without the form of a code nothing is read.
    let unsigned = begin(&door, "secret", stuck(b"{")).await;
    assert_eq!(unsigned.await.unwrap(), StatusCode::FORBIDDEN);
    let mut slow = Vec::new();
    for _ in 0..20 {
        slow.push(begin(&door, &wrong, stuck(b"{")).await);
    }
    assert_eq!(post(&door, &of_model()).await.0, StatusCode::OK);
    assert!(slow.iter().all(|one| !one.is_finished()), "they are arriving still");
    slow.iter().for_each(JoinHandle::abort);

    // What is held is bounded in bytes: there is room for two of the longest.
    let first = begin(&door, &wrong, stuck(FULL)).await;
    assert!(begin(&door, &wrong, Body::from("{")).await.is_finished());
    let second = begin(&door, &wrong, stuck(FULL)).await;
    let waiting = begin(&door, &wrong, Body::from("{")).await;
    assert!(!waiting.is_finished());
    first.abort();
    assert_eq!(waiting.await.unwrap(), StatusCode::FORBIDDEN);
    second.abort();
}

#[tokio::test]
async fn whoever_is_too_slow_is_told_so() {
    let request = std::time::Duration::from_millis(10);
    let door = open_with(tempfile::tempdir().unwrap(), 1 << 20, request);
    let late = begin(&door, &sign("other", b"{"), stuck(b"{")).await;
    assert_eq!(late.await.unwrap(), StatusCode::BAD_REQUEST);
    assert_eq!(door.counts.snapshot().refused["E-DOOR-SLOW"], 1);
}

#[test]
fn nobody_but_a_collector_passes_results_on() {
    let envelope = json!({
        "id": "1", "type": "leaderboard_test", "timestamp": AT.to_string(), "data": of_model(),
    });
    let bytes = serde_json::to_vec(&envelope).unwrap();
    assert_eq!(translate(&bytes, &collector(), UnixMillis(AT)).events.len(), 1);
    assert_eq!(translate(&bytes, &speaker(), UnixMillis(AT)).events.len(), 0);
}
