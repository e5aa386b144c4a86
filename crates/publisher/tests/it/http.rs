//! The HTTP door: what it keeps, what it refuses, and whom it lets in.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use publisher::intake::http::{Config, router};
use publisher::intake::{Counts, Error};
use publisher::spool::{self, Raw, Source, Spool};
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

struct Door {
    router: Router,
    spool: Arc<Spool>,
    counts: Counts,
    _home: TempDir,
}

fn plain() -> Config {
    Config::plain("127.0.0.1:0".parse().unwrap())
}

fn open(config: Config) -> Door {
    let home = tempfile::tempdir().unwrap();
    let settings =
        spool::Config { segment_bytes: 512, quota_bytes: 8192, ..spool::Config::at(home.path()) };
    let spool = Arc::new(Spool::open(&settings).unwrap());
    let counts = Counts::default();
    let router = router(config, Arc::clone(&spool), Arc::new(|| 77), counts.clone()).unwrap();
    Door { router, spool, counts, _home: home }
}

fn post(path: &str, body: impl Into<Body>) -> Request<Body> {
    Request::post(path)
        .header("host", "127.0.0.1:9093")
        .header("content-type", "application/json")
        .body(body.into())
        .unwrap()
}

impl Door {
    async fn ask(&self, request: Request<Body>) -> (StatusCode, Value) {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let status = answer.status();
        let kind = answer.headers()["content-type"].to_str().unwrap().to_owned();
        let expected =
            if status.is_success() { "application/json" } else { "application/problem+json" };
        assert_eq!(kind, expected);
        (
            status,
            serde_json::from_slice(&to_bytes(answer.into_body(), 1 << 20).await.unwrap()).unwrap(),
        )
    }

    async fn refusal(&self, request: Request<Body>) -> (u16, String) {
        let (status, body) = self.ask(request).await;
        assert_eq!(body["status"], status.as_u16());
        (status.as_u16(), body["code"].as_str().unwrap().to_owned())
    }

    async fn kept(&self) -> Vec<Raw> {
        crate::spool::everything(&self.spool).await.into_iter().map(|stored| stored.raw).collect()
    }
}

#[tokio::test]
async fn one_a_list_and_lines_are_kept_to_the_byte() {
    let door = open(plain());
    let one = r#"{ "id":"a",  "type":"stream_trace","timestamp":"1","data":{"n":1.10} }"#;
    let bodies = [
        (one.to_owned(), 1),
        (format!(" [{one},\n{one}]"), 2),
        (format!("{one}\n{one}\r\n{{}}\n"), 3),
    ];
    for (body, count) in bodies {
        let (status, answer) = door.ask(post("/v1/intake/events", body)).await;
        assert_eq!((status, answer), (StatusCode::ACCEPTED, serde_json::json!({ "count": count })));
    }
    let kept = door.kept().await;
    assert_eq!(kept.len(), 6);
    let expected = Raw {
        received_ms: 77,
        source: Source::Http,
        key: Some("a".to_owned()),
        value: one.as_bytes().to_vec(),
    };
    assert!(kept[..5].iter().all(|raw| *raw == expected));
    assert_eq!((kept[5].key.as_deref(), kept[5].value.as_slice()), (None, b"{}".as_slice()));
    assert_eq!(door.counts.snapshot().kept["http"], 6);
}

#[tokio::test]
async fn transcode_bodies_must_be_that() {
    let door = open(plain());
    let good =
        r#"{"type":"transcode","id":"t1","timestamp":1795343351676,"success":true,"attempts":[]}"#;
    assert_eq!(
        door.ask(post("/v1/intake/transcode", format!("[{good}]"))).await.0,
        StatusCode::ACCEPTED
    );
    let mixed = format!("{good}\n{{\"type\":\"stream_trace\",\"id\":\"x\"}}");
    assert_eq!(
        door.refusal(post("/v1/intake/transcode", mixed)).await,
        (422, "E-ENVELOPE-MALFORMED".to_owned())
    );
    assert_eq!(door.kept().await.len(), 1, "whole or not at all");
}

#[tokio::test]
async fn what_is_no_envelope_is_refused_with_its_place() {
    let door = open(plain());
    for body in [
        "",
        "  ",
        "[]",
        "nope",
        "1",
        "\"a\"",
        "[1]",
        "{\"a\":",
        "[{}",
        "[{},2]",
        "{} x",
        "\u{feff}{}",
    ] {
        let refusal = door.refusal(post("/v1/intake/events", body)).await;
        assert_eq!(refusal, (422, "E-ENVELOPE-MALFORMED".to_owned()), "{body:?}");
    }
    let (_, answer) = door.ask(post("/v1/intake/events", "[{},{},3]")).await;
    assert_eq!(answer["detail"], "item 2: it is no JSON object");
    assert_eq!(door.refusal(post("/v1/intake/events", vec![0xff, 0xfe])).await.0, 422);
    assert!(door.kept().await.is_empty());
    assert_eq!(door.counts.snapshot().refused["E-ENVELOPE-MALFORMED"], 14);
}

#[tokio::test]
async fn too_much_is_refused_before_it_is_read() {
    let door = open(Config { body_bytes_max: 100, items_max: 2, ..plain() });
    let too_large = (413, "E-INPUT-TOO-LARGE".to_owned());
    assert_eq!(
        door.refusal(post("/v1/intake/events", "{}".repeat(60))).await,
        too_large,
        "declared"
    );
    let chunks = futures_util::stream::iter((0..60).map(|_| Ok::<_, std::io::Error>("{}")));
    assert_eq!(
        door.refusal(post("/v1/intake/events", Body::from_stream(chunks))).await,
        too_large,
        "chunked"
    );
    assert_eq!(door.refusal(post("/v1/intake/events", "{}{}{}")).await, too_large, "items");
    let kind = |name: &str, value: &str| {
        let mut request = post("/v1/intake/events", "{}");
        request.headers_mut().insert(
            axum::http::HeaderName::from_bytes(name.as_bytes()).unwrap(),
            value.parse().unwrap(),
        );
        request
    };
    assert_eq!(door.refusal(kind("content-type", "text/plain")).await.0, 415);
    assert_eq!(door.refusal(kind("content-encoding", "gzip")).await.0, 415);
    assert_eq!(
        door.ask(kind("content-type", "Application/X-NDJSON; charset=utf-8")).await.0,
        StatusCode::ACCEPTED
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_stalls_is_given_up() {
    let door = open(plain());
    let stalled =
        Body::from_stream(futures_util::stream::pending::<Result<&str, std::io::Error>>());
    assert_eq!(
        door.refusal(post("/v1/intake/events", stalled)).await,
        (408, "E-DOOR-SLOW".to_owned())
    );
}

#[tokio::test]
async fn a_full_spool_is_told_so_that_it_is_tried_again() {
    let door = open(plain());
    let refusal = loop {
        let (status, body) = door.ask(post("/v1/intake/events", "{}".repeat(20))).await;
        if !status.is_success() {
            break (status.as_u16(), body["code"].as_str().unwrap().to_owned());
        }
    };
    assert_eq!(refusal, (503, "E-SPOOL-FULL".to_owned()));
    let answer =
        door.router.clone().oneshot(post("/v1/intake/events", "{}".repeat(20))).await.unwrap();
    assert_eq!(answer.headers()["retry-after"], "5");
    door.spool.commit(door.spool.end(), 0).await.unwrap();
    assert_eq!(door.ask(post("/v1/intake/events", "{}")).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn only_loopback_may_do_without_a_token() {
    let home = tempfile::tempdir().unwrap();
    let spool = Arc::new(Spool::open(&spool::Config::at(home.path().join("spool"))).unwrap());
    let anywhere = Config { listen: "0.0.0.0:0".parse().unwrap(), ..plain() };
    let refusal = router(anywhere.clone(), spool, Arc::new(|| 0), Counts::default()).err();
    assert!(matches!(refusal, Some(Error::Exposed { .. })));
    let path = home.path().join("token");
    std::fs::write(&path, "s3cret\n").unwrap();
    let door = open(Config { token: Some(path), ..anywhere });
    let with = |token: &str| {
        let mut request = post("/v1/intake/events", "{}");
        request.headers_mut().insert("authorization", token.parse().unwrap());
        request
    };
    let answer = door.router.clone().oneshot(post("/v1/intake/events", "{}")).await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), answer.headers()["www-authenticate"].as_bytes()),
        (401, b"Bearer".as_slice())
    );
    for wrong in
        ["Bearer s3cre", "Bearer s3cret2", "Bearer ", "Basic s3cret", "s3cret", "Bearer  s3cret"]
    {
        assert_eq!(door.refusal(with(wrong)).await, (401, "E-DOOR-LOGIN".to_owned()), "{wrong}");
    }
    assert_eq!(door.ask(with("bearer s3cret")).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_rebound_name_is_turned_away() {
    let door = open(plain());
    for (host, welcome) in [
        ("127.0.0.1:9093", true),
        ("localhost", true),
        ("[::1]:9093", true),
        ("evil.example", false),
        ("127.0.0.1.evil.example:9093", false),
        ("", false),
    ] {
        let mut request = post("/v1/intake/events", "{}");
        request.headers_mut().insert("host", host.parse().unwrap());
        assert_eq!(door.ask(request).await.0.is_success(), welcome, "{host}");
    }
}

#[tokio::test]
async fn another_path_or_method_is_answered_as_any_refusal() {
    let door = open(plain());
    let code = "E-DOOR-REQUEST".to_owned();
    assert_eq!(door.refusal(post("/v1/intake/event", "{}")).await, (404, code.clone()));
    let get = || Request::get("/v1/intake/events").header("host", "127.0.0.1").body(Body::empty());
    assert_eq!(door.refusal(get().unwrap()).await, (405, code.clone()));
    let answer = door.router.clone().oneshot(get().unwrap()).await.unwrap();
    assert_eq!(answer.headers()["allow"], "POST");
    assert_eq!(door.counts.snapshot().refused["E-DOOR-REQUEST"], 3);
}
