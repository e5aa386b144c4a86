//! Every way to ask wrongly gives a problem document that says what to send instead.

use std::sync::Arc;
use std::time::Duration;

use api::live::Bounds;
use api::problem::Code;
use api::routing::Policies;
use api::{Limits, Parts, State};
use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use events::event::Network;
use tokio::sync::Notify;
use tower::ServiceExt as _;
use warehouse::contract::sample;

use crate::world::World;

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_name() {
    let world = World::settled();
    let job = sample::job_id(1);
    for (path, code, parameter) in [
        ("/v1/scores?windw=x", "E-API-PARAMETER-UNKNOWN", "windw"),
        ("/healthz?verbose=1", "E-API-PARAMETER-UNKNOWN", "verbose"),
        ("/metrics?x", "E-API-PARAMETER-UNKNOWN", "x"),
        ("/v1/openapi.json?x=1", "E-API-PARAMETER-UNKNOWN", "x"),
        ("/?x=1", "E-API-PARAMETER-UNKNOWN", "x"),
        ("/v1/jobs?limit=1&limit=2", "E-API-PARAMETER-REPEATED", "limit"),
        ("/v1/jobs?limit=0", "E-API-PARAMETER-INVALID", "limit"),
        ("/v1/jobs?limit=501", "E-API-PARAMETER-INVALID", "limit"),
        ("/v1/jobs?limit=ten", "E-API-PARAMETER-INVALID", "limit"),
        ("/v1/jobs?limit=", "E-API-PARAMETER-INVALID", "limit"),
        ("/v1/jobs?from_ms=-1", "E-API-PARAMETER-INVALID", "from_ms"),
        ("/v1/jobs?from_ms=7", "E-API-PARAMETER-INVALID", "from_ms"),
        ("/v1/jobs?from_ms=1767909600000&to_ms=1767909600000", "E-API-PARAMETER-INVALID", "to_ms"),
        ("/v1/jobs?state=done", "E-API-PARAMETER-INVALID", "state"),
        (
            "/v1/jobs?operator=0xD00354656922168815FCD1E51CBDDB9E359E3C7F",
            "E-API-PARAMETER-INVALID",
            "operator",
        ),
        ("/v1/jobs?workload=video", "E-API-PARAMETER-INVALID", "workload"),
        ("/v1/jobs?model=", "E-API-PARAMETER-INVALID", "model"),
        ("/v1/jobs?model=%FF", "E-API-PARAMETER-INVALID", "model"),
        ("/v1/scores?network=mainnet", "E-API-PARAMETER-INVALID", "network"),
        ("/v1/scores?window=2026-02-30T00Z", "E-API-PARAMETER-INVALID", "window"),
        ("/v1/scores?window=", "E-API-PARAMETER-INVALID", "window"),
        ("/v1/scores?grade=a", "E-API-PARAMETER-INVALID", "grade"),
        ("/v1/scores?overall=1", "E-API-PARAMETER-INVALID", "overall"),
        ("/v1/scores?window=2030-01-08T21Z", "E-API-ABSENT", "window"),
        ("/v1/scores?window=2026-01-08T21Z%2F24h", "E-API-ABSENT", "window"),
        ("/v1/windows/yesterday", "E-API-PARAMETER-INVALID", "window"),
        ("/v1/windows/%FF", "E-API-PARAMETER-INVALID", "path"),
        ("/v1/windows/2026-01-08T21Z%2F28d", "E-API-ABSENT", "window"),
        ("/v1/windows/2026-01-08T21Z%2F7d?revision=1", "E-API-ABSENT", "revision"),
        ("/v1/windows/2030-01-08T21Z", "E-API-ABSENT", "window"),
        ("/v1/windows/2026-01-08T21Z?revision=2", "E-API-ABSENT", "revision"),
        ("/v1/windows/2026-01-08T21Z?revision=-1", "E-API-PARAMETER-INVALID", "revision"),
        ("/v1/windows/2026-01-08T22Z?revision=0", "E-API-UNSETTLED", "revision"),
        ("/v1/jobs/xyz", "E-API-PARAMETER-INVALID", "id"),
        ("/v1/orchestrators/vitalik.eth", "E-API-PARAMETER-INVALID", "address"),
        ("/v1/refusals?publisher=1", "E-API-PARAMETER-INVALID", "publisher"),
        ("/v1/events?topics=all", "E-API-PARAMETER-INVALID", "topics"),
        ("/v1/exports/2026-01-08T21Z/..%2Fsecret", "E-API-PARAMETER-INVALID", "file"),
    ] {
        let answer = world.get(path).await;
        assert_eq!(answer.problem(), code, "{path}: {}", answer.text());
        assert_eq!(answer.json()["parameter"], parameter, "{path}");
    }
    for (path, code) in [
        ("/v1/orchestrators/0x0000000000000000000000000000000000000000".to_owned(), "E-API-ABSENT"),
        ("/v1/orchestrators/0xffffffffffffffffffffffffffffffffffffffff".to_owned(), "E-API-ABSENT"),
        (format!("/v1/jobs/{}", sample::job_id(999)), "E-API-ABSENT"),
        (format!("/v1/jobs/{job}/claims"), "E-API-PATH"),
        ("/v1/windows/2026-01-08T21Z/24h".to_owned(), "E-API-PATH"),
        ("/v2/scores".to_owned(), "E-API-PATH"),
        ("/docs/no-such-file.js".to_owned(), "E-API-PATH"),
        ("/v1/jobs/".to_owned(), "E-API-PATH"),
        (format!("/v1/jobs?model={}", "m".repeat(2_100)), "E-API-QUERY-LENGTH"),
    ] {
        assert_eq!(world.get(&path).await.problem(), code, "{path}");
    }
}

#[tokio::test]
async fn words_are_listed_where_one_is_wrong() {
    let world = World::empty();
    let instead = world.get("/v1/scores?network=mainnet").await.json()["instead"].clone();
    assert_eq!(instead, "Send one of: livepeer, simulation.");
    let instead = world.get("/v1/windows?window=1").await.json()["instead"].clone();
    assert_eq!(instead, "This path takes: cursor, limit, network.");
}

#[tokio::test]
async fn only_get_without_a_body_is_taken() {
    let world = World::settled();
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
        let request = Request::builder().method(&method).uri("/v1/jobs").body(Body::empty());
        let answer = world.ask(request.unwrap()).await;
        assert_eq!((answer.problem().as_str(), answer.status.as_u16()), ("E-API-METHOD", 405));
        assert_eq!(answer.header("allow"), "GET,HEAD");
    }
    // What is only posted to or deleted says so, whoever asks.
    for (path, allowed) in [
        ("/v1/private/sign-in", "POST"),
        ("/v1/private/subscriptions/x", "DELETE"),
        ("/v1/private/subscriptions", "GET,HEAD,POST"),
    ] {
        let request = Request::put(path).body(Body::empty());
        let answer = world.ask(request.unwrap()).await;
        assert_eq!(answer.problem(), "E-API-METHOD");
        let mut methods: Vec<&str> = answer.header("allow").split(',').collect();
        methods.sort_unstable();
        assert_eq!(methods.join(","), allowed, "{path}");
    }
    let long = Request::post("/v1/jobs").header("content-length", "70000").body(Body::empty());
    assert_eq!(world.ask(long.unwrap()).await.problem(), "E-API-BODY");
    let head = Request::head("/v1/jobs").body(Body::empty()).unwrap();
    assert_eq!(world.ask(head).await.status, StatusCode::OK);
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_any_page_may_read_it() {
    let world = World::settled();
    let with = |id: &str| {
        Request::get("/v1/windows")
            .header("x-request-id", id)
            .header("origin", "https://page.example")
            .body(Body::empty())
            .unwrap()
    };
    let answer = world.ask(with("trace-17.a_b")).await;
    assert_eq!(answer.header("x-request-id"), "trace-17.a_b");
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    for odd in ["", "a b", "<script>", &"x".repeat(65)] {
        let given = world.ask(with(odd)).await.header("x-request-id").to_owned();
        assert_eq!(given.len(), 36, "{odd:?} becomes {given}");
    }
}

/// An API whose clock is as given: a path that asks the time runs it.
fn with_clock(limits: Limits, clock: impl Fn() -> u64 + Send + Sync + 'static) -> axum::Router {
    let World { exports, feed, ledger, stopping, warehouse, .. } =
        World::bounded(limits, Bounds::default());
    api::router(State::new(Parts {
        checks: vec![],
        clock: Arc::new(clock),
        contributors: vec![],
        exports,
        feed,
        ledger: Arc::new(move || ledger.clone()),
        limits,
        network: Network::Simulation,
        nodes: Vec::new(),
        policies: Policies::new(None),
        private: api::Private::default(),
        stopping,
        visitors: Arc::default(),
        warehouse,
    }))
}

async fn ask(router: &axum::Router, path: &str) -> crate::world::Answer {
    use http_body_util::BodyExt as _;
    let request = Request::get(path).body(Body::empty()).unwrap();
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let bytes = body.collect().await.unwrap().to_bytes().to_vec();
    crate::world::Answer { body: Some(bytes), headers: parts.headers, status: parts.status }
}

#[tokio::test]
async fn a_panic_is_a_problem_and_is_counted() {
    let router = with_clock(Limits::default(), || panic!("the clock fell from the wall"));
    let answer = ask(&router, "/v1/windows").await;
    assert_eq!((answer.problem().as_str(), answer.status.as_u16()), ("E-API-INTERNAL", 500));
    assert!(!answer.text().contains("wall"), "the reason stays in the log");
    let metrics = ask(&router, "/metrics").await.text();
    assert!(metrics.contains("naap_api_panics_total 1"), "{metrics}");
    assert!(
        metrics.contains("naap_api_answers_total{path=\"/v1/windows\",status=\"500\"} 1"),
        "{metrics}"
    );
}

#[tokio::test]
async fn a_store_that_hangs_costs_a_bounded_wait_and_leaves_health_alone() {
    let limits = Limits { reads: 1, request_ms: 50, ..Limits::default() };
    let world = World::bounded(limits, Bounds::default());
    let (release, held) = std::sync::mpsc::channel::<()>();
    let entered = Arc::new(Notify::new());
    let signal = entered.clone();
    let held = std::sync::Mutex::new(Some(held));
    let ledger = world.ledger.clone();
    let router = api::router(State::new(Parts {
        checks: vec![],
        clock: Arc::new(|| 1_767_909_600_000),
        contributors: vec![],
        exports: world.exports.clone(),
        feed: world.feed.clone(),
        ledger: Arc::new(move || {
            signal.notify_one();
            if let Some(held) = held.lock().unwrap().take() {
                held.recv().ok();
            }
            ledger.clone()
        }),
        limits,
        network: Network::Simulation,
        nodes: Vec::new(),
        policies: Policies::new(None),
        private: api::Private::default(),
        stopping: world.stopping.clone(),
        visitors: Arc::default(),
        warehouse: world.warehouse.clone(),
    }));
    let first = tokio::spawn({
        let router = router.clone();
        async move { ask(&router, "/v1/publishers").await.problem() }
    });
    tokio::time::timeout(Duration::from_secs(10), entered.notified()).await.unwrap();
    assert_eq!(ask(&router, "/v1/jobs").await.problem(), "E-API-SLOW", "waits for room in vain");
    assert_eq!(first.await.unwrap(), "E-API-SLOW");
    assert_eq!(ask(&router, "/healthz").await.status, StatusCode::OK);
    release.send(()).unwrap();
}

#[tokio::test]
async fn too_many_requests_are_told_to_come_back() {
    let limits = Limits { requests: 0, streams: 0, ..Limits::default() };
    let router = with_clock(limits, || 1);
    for path in ["/v1/jobs", "/v1/events"] {
        let answer = ask(&router, path).await;
        assert_eq!((answer.problem().as_str(), answer.status.as_u16()), ("E-API-BUSY", 503));
        assert_eq!(answer.header("retry-after"), "1");
    }
    assert_eq!(ask(&router, "/healthz").await.status, StatusCode::OK);
}

#[test]
fn every_code_is_explained() {
    let page = include_str!("../../../../docs/refusals.md");
    for code in Code::ALL {
        let row = format!("| `{}` |", code.as_str());
        let line = page.lines().find(|line| line.starts_with(&row)).unwrap_or_default();
        assert!(line.contains(&format!("({})", code.status().as_u16())), "{row}");
    }
}

#[tokio::test]
async fn what_is_private_is_for_no_other_origin_and_kept_nowhere() {
    let world = World::settled();
    for path in ["/v1/private/nothing", "/v1/private"] {
        for method in [Method::GET, Method::OPTIONS] {
            let request = Request::builder().method(method).uri(path);
            let request = request.header("origin", "https://elsewhere.example");
            let request = request.header("access-control-request-method", "GET");
            let answer = world.ask(request.body(Body::empty()).unwrap()).await;
            let said =
                answer.headers.keys().filter(|name| name.as_str().starts_with("access-control"));
            assert_eq!(said.count(), 0, "{path}: {:?}", answer.headers);
            assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        }
    }
    for path in ["/v1/jobs", "/v1/privateer"] {
        let answer = world.get(path).await;
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
        assert_eq!(answer.header("access-control-allow-credentials"), "", "{path}");
    }
}
