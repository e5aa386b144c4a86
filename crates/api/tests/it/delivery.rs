//! How answers leave: forms, tags, encodings, and answers that are kept no longer than they hold.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use api::routing::Policies;
use api::{Limits, Parts, State};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use tower::ServiceExt as _;
use warehouse::Warehouse as _;
use warehouse::contract::sample;

use crate::world::{Answer, World};

/// The paths of all lists, by the description.
fn lists() -> Vec<String> {
    let document = serde_json::to_value(api::openapi()).unwrap();
    let is_list = |item: &Value| {
        let parameters = item["get"]["parameters"].as_array().into_iter().flatten();
        parameters.into_iter().any(|parameter| parameter["x-naap-every-list"] == true)
    };
    let paths = document["paths"].as_object().unwrap().iter();
    paths.filter(|(_, item)| is_list(item)).map(|(path, _)| path.clone()).collect()
}

async fn asked(world: &World, path: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = Request::get(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.ask(request.body(Body::empty()).unwrap()).await
}

/// The rows of a CSV file, the line of names first.
fn rows(text: &str) -> Vec<Vec<String>> {
    let (mut rows, mut row, mut cell, mut is_quoted) =
        (Vec::new(), Vec::new(), String::new(), false);
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '"' if is_quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => row.push(std::mem::take(&mut cell)),
            '\n' if !is_quoted => {
                row.push(std::mem::take(&mut cell));
                rows.push(std::mem::take(&mut row));
            }
            '\r' if !is_quoted => {}
            other => cell.push(other),
        }
    }
    rows
}

#[tokio::test]
async fn every_list_is_a_table_too_and_its_columns_never_depend_on_what_is_there() {
    let (world, empty) = (World::settled(), World::empty());
    let lists = lists();
    for known in ["/v1/jobs", "/v1/scores", "/v1/windows", "/v1/orchestrators", "/v1/refusals"] {
        assert!(lists.contains(&known.to_owned()), "{known} in {lists:?}");
    }
    for path in lists.iter().filter(|path| !path.contains('{')) {
        let list = asked(&world, path, &[("accept", "application/json")]).await;
        if list.status != StatusCode::OK {
            // It needs a parameter; its own test asks it.
            continue;
        }
        let items = list.json()["items"].as_array().unwrap().clone();
        let csv = world.get(&format!("{path}?format=csv")).await;
        assert_eq!(csv.status, StatusCode::OK, "{path}: {}", csv.text());
        assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8; header=present");
        let table = rows(&csv.text());
        assert_eq!(table.len(), items.len() + 1, "{path}");
        assert!(table.iter().all(|row| row.len() == table[0].len()), "{path}");
        let bare = empty.get(&format!("{path}?format=csv")).await;
        // Where nothing has settled some lists say so, and are none.
        if bare.status == StatusCode::OK {
            assert_eq!(rows(&bare.text())[0], table[0], "{path}");
        }
        for (at, name) in table[0].iter().enumerate() {
            for (row, item) in table[1..].iter().zip(&items) {
                let pointer = format!("/{}", name.replace('.', "/"));
                match item.pointer(&pointer).unwrap_or(&Value::Null) {
                    Value::Null => assert_eq!(row[at], "", "{path} {name}"),
                    Value::String(text) => assert_eq!(&row[at], text, "{path} {name}"),
                    other => assert_eq!(row[at], other.to_string(), "{path} {name}"),
                }
            }
        }
        let parquet = asked(&world, path, &[("accept", "application/vnd.apache.parquet")]).await;
        assert_eq!(parquet.header("content-type"), "application/vnd.apache.parquet", "{path}");
        let bytes = parquet.body.unwrap();
        assert!(bytes.starts_with(b"PAR1") && bytes.ends_with(b"PAR1"), "{path}");
    }
}

#[tokio::test]
async fn a_form_that_is_not_there_is_refused_by_name() {
    let world = World::settled();
    for (path, accept, code) in [
        ("/v1/jobs?format=xml", "*/*", "E-API-FORMAT"),
        ("/v1/jobs?format=", "*/*", "E-API-FORMAT"),
        ("/v1/jobs", "text/html", "E-API-FORMAT"),
        ("/v1/jobs", "application/json;q=0", "E-API-FORMAT"),
        ("/v1/windows/2026-01-08T21Z", "text/csv", "E-API-FORMAT"),
        ("/v1/jobs?format=csv&format=csv", "*/*", "E-API-PARAMETER-REPEATED"),
        ("/v1/windows/2026-01-08T21Z?format=csv", "*/*", "E-API-PARAMETER-UNKNOWN"),
    ] {
        let answer = asked(&world, path, &[("accept", accept)]).await;
        assert_eq!(answer.problem(), code, "{path} {accept}: {}", answer.text());
        if code == "E-API-FORMAT" {
            assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE);
        }
    }
    let browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
    let answer = asked(&world, "/v1/jobs?format=csv", &[("accept", browser)]).await;
    assert!(answer.header("content-type").starts_with("text/csv"), "`format` goes before `accept`");
    let answer = asked(&world, "/v1/jobs", &[("accept", browser)]).await;
    assert_eq!(answer.header("content-type"), "application/json");
}

#[tokio::test]
async fn a_list_says_where_it_goes_on() {
    let world = World::settled();
    let (mut at, mut found) = ("/v1/jobs?limit=7&format=csv".to_owned(), Vec::new());
    for _ in 0..20 {
        let answer = world.get(&at).await;
        let table = rows(&answer.text());
        let place = table[0].iter().position(|name| name == "job_id").unwrap();
        found.extend(table[1..].iter().map(|row| row[place].clone()));
        let link = answer.header("link").to_owned();
        let Some(next) =
            link.strip_prefix('<').and_then(|rest| rest.strip_suffix(">; rel=\"next\""))
        else {
            assert_eq!(link, "");
            break;
        };
        assert!(next.contains("format=csv") && next.contains("limit=7"), "{next}");
        at = next.to_owned();
    }
    let all = world.json("/v1/jobs?limit=500").await;
    let all: Vec<&str> = all["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|job| job["job_id"].as_str().unwrap())
        .collect();
    assert!(all.len() > 7);
    assert_eq!(found, all);
}

#[tokio::test]
async fn what_a_client_has_is_not_sent_again() {
    let world = World::settled();
    let window = "/v1/windows/2026-01-08T21Z";
    for path in
        lists().iter().map(String::as_str).chain([window, "/v1/openapi.json", "/", "/docs/"])
    {
        let first = world.get(path).await;
        if first.status != StatusCode::OK {
            continue;
        }
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with("W/\""), "{path}: {tag}");
        assert!(first.header("vary").contains("accept-encoding"), "{path}");
        assert!(
            first.header("cache-control").contains("no-cache")
                || path.len() < 7
                || path.ends_with("openapi.json"),
            "{path}"
        );
        let again = asked(&world, path, &[("if-none-match", &tag)]).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
        assert_eq!(
            (again.body, again.headers.get("etag")),
            (Some(vec![]), first.headers.get("etag"))
        );
        let other = asked(&world, path, &[("if-none-match", "W/\"0\"")]).await;
        assert_eq!((other.status, other.body), (StatusCode::OK, first.body), "{path}");
    }
    let before = world.get("/v1/jobs").await.header("etag").to_owned();
    let csv = world.get("/v1/jobs?format=csv").await.header("etag").to_owned();
    assert_ne!(before, csv, "another form is another answer");
    world.warehouse.record_hour(&sample::record(sample::NETWORK, sample::HOUR, 2, 20)).unwrap();
    world.a_second_passes();
    let after = asked(&world, "/v1/jobs", &[("if-none-match", &before)]).await;
    assert_eq!(after.status, StatusCode::OK, "it has changed");
}

#[tokio::test]
async fn long_answers_are_compressed_for_whoever_takes_that() {
    let world = World::settled();
    let path = "/v1/jobs?limit=50";
    let plain = world.get(path).await;
    assert_eq!(plain.header("content-encoding"), "");
    for (accepted, encoding) in [
        ("gzip", "gzip"),
        ("gzip, zstd", "zstd"),
        ("zstd;q=0.1, gzip;q=0.2", "gzip"),
        ("*", "zstd"),
    ] {
        let answer = asked(&world, path, &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.header("content-encoding"), encoding, "{accepted}");
        assert_eq!(answer.header("etag"), plain.header("etag"), "weak tags are of all encodings");
        let bytes = answer.body.unwrap();
        assert!(bytes.len() * 2 < plain.body.as_ref().unwrap().len());
        let mut read = Vec::new();
        match encoding {
            "gzip" => {
                assert!(flate2::read::GzDecoder::new(&bytes[..]).read_to_end(&mut read).is_ok())
            }
            _ => read = zstd::decode_all(&bytes[..]).unwrap(),
        }
        assert_eq!(Some(read), plain.body, "{accepted}");
    }
    for accepted in ["identity", "gzip;q=0", "br", ""] {
        let answer = asked(&world, path, &[("accept-encoding", accepted)]).await;
        assert_eq!(answer.header("content-encoding"), "", "{accepted}");
    }
    let short = asked(&World::empty(), "/v1/jobs", &[("accept-encoding", "gzip")]).await;
    assert_eq!(short.header("content-encoding"), "", "it fits a packet");
    let parquet = asked(&world, "/v1/jobs?format=parquet", &[("accept-encoding", "gzip")]).await;
    assert_eq!(parquet.header("content-encoding"), "", "it is compressed by nature");
}

#[tokio::test]
async fn an_answer_is_kept_until_somebody_writes() {
    let world = World::settled();
    let hits = async || -> u64 {
        let text = world.get("/metrics").await.text();
        let line = text.lines().find(|line| line.starts_with("naap_api_kept_answers_total"));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    };
    let first = world.get("/v1/jobs?limit=5&state=completed").await.body;
    let before = hits().await;
    let again = world.get("/v1/jobs?state=completed&limit=5").await.body;
    assert_eq!((again, hits().await), (first, before + 1), "the order of parameters says nothing");
    let jobs = async || world.json("/v1/jobs?limit=500").await["items"].as_array().unwrap().len();
    let sixty = jobs().await;
    world.a_second_passes();
    assert_eq!((jobs().await, hits().await), (sixty, before + 2), "nobody wrote");
    world.warehouse.record_hour(&sample::record(sample::NETWORK, sample::HOUR, 2, 20)).unwrap();
    assert_eq!((sixty - jobs().await, hits().await), (40, before + 2));
    world.warehouse.record_hour(&sample::record(sample::NETWORK, sample::HOUR, 3, 60)).unwrap();
    assert_eq!((sixty - jobs().await, hits().await), (40, before + 3), "made once a second");
    world.get("/v1/nothing").await;
    world.get("/v1/nothing").await;
    assert_eq!(hits().await, before + 3, "a problem is never kept");
}

#[tokio::test]
async fn what_rests_on_the_clock_is_not_kept_beyond_its_time() {
    let world = World::settled();
    let state = async || world.json("/v1/windows").await["items"][0]["state"].clone();
    let first = state().await;
    assert_eq!(first, state().await);
    // A day later the hour is over, and nobody wrote.
    world.now_ms.fetch_add(86_400_000, Ordering::SeqCst);
    let later = state().await;
    assert_ne!(first, later);
    world.now_ms.fetch_sub(86_400_000, Ordering::SeqCst);
    assert_eq!(state().await, first, "a clock that is set back is believed too");
}

#[tokio::test]
async fn what_many_ask_at_once_is_made_once() {
    let world = World::settled();
    let made = Arc::new(AtomicUsize::new(0));
    let (count, ledger) = (made.clone(), world.ledger.clone());
    let router = api::router(State::new(Parts {
        checks: vec![],
        clock: Arc::new(|| 1_767_909_600_000),
        contributors: vec![],
        exports: world.exports.clone(),
        feed: world.feed.clone(),
        ledger: Arc::new(move || {
            count.fetch_add(1, Ordering::SeqCst);
            ledger.clone()
        }),
        limits: Limits::default(),
        network: sample::NETWORK,
        nodes: Vec::new(),
        policies: Policies::new(None),
        private: api::Private::default(),
        stopping: world.stopping.clone(),
        visitors: Arc::default(),
        warehouse: world.warehouse.clone(),
    }));
    let ask = async || {
        let request = Request::get("/v1/publishers").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let all = tokio::join!(ask(), ask(), ask(), ask(), ask());
    assert_eq!(made.load(Ordering::SeqCst), 1);
    assert!([&all.1, &all.2, &all.3, &all.4].iter().all(|body| **body == all.0));
}
