//! What was added up, offered, scored and contradicted, over records that are known.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sla::rollup::Detail;
use sla::rollup::series::Question;
use sla::score::agreement::Agreement;
use sla::score::cluster::{Cluster, Edge};
use sla::tally::cell::Measure;
use sla::tally::link::Tie;
use warehouse::contract::sample;
use warehouse::{Reader as _, Warehouse as _};

use crate::reads::explained;
use crate::world::World;

/// The two hours of the settled world: 60 jobs, and 3 that are provisional.
const BOTH: &str = "from_ms=1767906000000&to_ms=1767913200000";

fn items(answer: &Value) -> &Vec<Value> {
    answer["items"].as_array().unwrap()
}

fn sum(items: &[Value], member: &str) -> u64 {
    items.iter().filter_map(|item| item[member].as_u64()).sum()
}

#[tokio::test]
async fn every_null_has_a_reason_here_too() {
    let world = World::settled();
    for path in [
        format!("/v1/query?by=operator,model&metrics=jobs,first_output_ms.p95&{BOTH}"),
        format!("/v1/network/demand?{BOTH}"),
        format!("/v1/gpu/metrics?{BOTH}"),
        "/v1/network/capabilities".to_owned(),
        "/v1/sla/score?window=1h".to_owned(),
        "/v1/sla/score?window=7d".to_owned(),
        "/v1/metrics".to_owned(),
    ] {
        let answer = world.json(&path).await;
        assert!(!items(&answer).is_empty(), "{path}");
        explained(&answer);
    }
}

#[tokio::test]
async fn any_metric_is_told_by_any_dimension() {
    let world = World::settled();
    let answer = world.json(&format!("/v1/query?{BOTH}")).await;
    let all: Vec<u64> = items(&answer).iter().map(|item| item["value"].as_u64().unwrap()).collect();
    assert_eq!(all, [60, 3], "jobs by the hour");
    let by_model = format!("/v1/query?by=model&step=1d&metrics=jobs&{BOTH}");
    let answer = world.json(&by_model).await;
    assert_eq!(sum(items(&answer), "value"), 63);
    let models: BTreeSet<Option<&str>> =
        items(&answer).iter().map(|item| item["first"].as_str()).collect();
    assert_eq!(models, BTreeSet::from([None, Some("sd-turbo"), Some("streamdiffusion")]));
    // A quantile is of all that were measured, as they were measured.
    let path = format!("/v1/query?metrics=first_output_ms.p95&step=1d&{BOTH}");
    let answer = world.json(&path).await;
    let mut measured = sample::rollup(sample::HOUR, 60, Detail::Hour);
    measured.rows.extend(sample::rollup(sample::HOUR.next(), 3, Detail::Hour).rows);
    let mut histogram = sla::histogram::Histogram::default();
    for jobs in [60, 3] {
        (0..jobs).for_each(|number| histogram.add(number * 37));
    }
    assert_eq!(items(&answer)[0]["value"], json!(histogram.quantile(950_000)));
    assert_eq!(items(&answer)[0]["unit"], "ms");
    // What nobody told of is unknown, and told apart from nothing.
    let answer = world.json(&format!("/v1/query?metrics=jobs,paid_mwei&{BOTH}")).await;
    let told: Vec<bool> = items(&answer).iter().map(|item| !item["value"].is_null()).collect();
    assert_eq!(told, [true, false, true, false]);
    let answer = world.json(&format!("/v1/query?metrics=paid_mwei&{BOTH}")).await;
    assert_eq!(items(&answer).len(), 0, "a row of nothing is none");
    let operator = sample::operator(1);
    let path = format!("/v1/query?by=operator&metrics=served_ms&operator={operator}&{BOTH}");
    let answer = world.json(&path).await;
    assert!(items(&answer).iter().all(|item| item["first"] == json!(operator.to_string())));
}

#[tokio::test]
async fn pages_of_sums_lose_and_repeat_nothing() {
    let world = World::settled();
    let path = format!("/v1/query?by=operator,gateway&metrics=served_ms&step=5m&{BOTH}");
    let whole = world.json(&format!("{path}&limit=500")).await;
    let whole = items(&whole).clone();
    assert!(whole.len() > 20);
    let (mut walked, mut cursor) = (Vec::new(), String::new());
    for turn in 0..whole.len() {
        let page = world.json(&format!("{path}&limit=7{cursor}")).await;
        walked.extend(items(&page).clone());
        // What is written meanwhile may change rows to come, and loses none.
        if turn == 1 {
            let hour = sample::HOUR.next().next();
            world.warehouse.record_hour(&sample::record(sample::NETWORK, hour, 0, 2)).unwrap();
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(walked, whole);
    // A page of "now" goes on with the time that the first page was about.
    let first = world.json("/v1/query?by=operator&metrics=served_ms&step=1h&limit=1").await;
    let next = first["next"].as_str().unwrap();
    world.now_ms.fetch_add(3_600_000, std::sync::atomic::Ordering::SeqCst);
    let path = format!("/v1/query?by=operator&metrics=served_ms&step=1h&limit=1&cursor={next}");
    let second = world.json(&path).await;
    assert_eq!((&first["from_ms"], &first["to_ms"]), (&second["from_ms"], &second["to_ms"]));
    let other = world.get(&format!("/v1/query?by=operator&metrics=jobs&cursor={next}")).await;
    assert_eq!(other.problem(), "E-API-CURSOR");
}

/// A cursor with something else in it, as anybody can write one.
fn forged(cursor: &str, change: impl FnOnce(&mut Value)) -> String {
    let mut said: Value =
        serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap()).unwrap();
    change(&mut said["after"]);
    BASE64_URL_SAFE_NO_PAD.encode(said.to_string())
}

#[tokio::test]
async fn a_cursor_reaches_no_further_than_a_request() {
    let world = World::settled();
    for path in [
        format!("/v1/query?by=operator,gateway&metrics=served_ms&step=5m&{BOTH}"),
        format!("/v1/gpu/metrics?{BOTH}"),
        format!("/v1/network/demand?{BOTH}"),
    ] {
        let page = world.json(&format!("{path}&limit=1")).await;
        let next = page["next"].as_str().unwrap();
        let with = |cursor: String| {
            let path = format!("{path}&limit=1&cursor={cursor}");
            let world = &world;
            async move { world.get(&path).await }
        };
        assert!(with(forged(next, |_| {})).await.status.is_success());
        for cursor in [
            forged(next, |after| after["from"] = json!(0)),
            forged(next, |after| after["to"] = json!(u64::MAX)),
            forged(next, |after| after["from"] = json!(after["from"].as_u64().unwrap() + 1)),
            forged(next, |after| after["to"] = after["from"].clone()),
            forged(next, |after| after["from"] = json!(26_297_280)),
            forged(next, |after| after["names"] = json!([])),
            forged(next, |after| after["minute"] = json!(u64::MAX)),
            forged(next, |after| after["minute"] = json!(0)),
        ] {
            let answer = with(cursor).await;
            assert_eq!(answer.problem(), "E-API-CURSOR", "{}", answer.text());
        }
    }
    let none = World::empty().get("/v1/scores?cursor=x").await;
    assert_eq!(none.problem(), "E-API-CURSOR");
}

#[tokio::test]
async fn minutes_are_asked_for_as_far_back_as_they_are_kept() {
    let world = World::settled();
    let now = world.now_ms.load(std::sync::atomic::Ordering::SeqCst);
    let asked = async |hours: u64, step: &str| {
        let (from, to) = (now - hours * 3_600_000, now - (hours - 1) * 3_600_000);
        let path = format!("/v1/query?by=operator&metrics=jobs&from_ms={from}&to_ms={to}");
        world.get(&format!("{path}&step={step}")).await
    };
    assert_eq!(asked(48, "1m").await.status, StatusCode::OK);
    assert_eq!(asked(49, "5m").await.problem(), "E-API-PARAMETER-INVALID");
    assert_eq!(asked(49, "1h").await.status, StatusCode::OK);
}

#[tokio::test]
async fn demand_and_cards_are_told_by_their_dimensions() {
    let world = World::settled();
    let answer = world.json(&format!("/v1/network/demand?{BOTH}&limit=500")).await;
    assert_eq!(sum(items(&answer), "jobs"), 63);
    let gateway = sample::reporter(0);
    let path = format!("/v1/network/demand?{BOTH}&limit=500&gateway={gateway}&interval=1d");
    let answer = world.json(&path).await;
    assert_eq!(sum(items(&answer), "jobs"), 20 + 1);
    assert!(items(&answer).iter().all(|item| item["gateway"] == json!(gateway.to_string())));
    let operator = sample::operator(2);
    let path = format!("/v1/gpu/metrics?{BOTH}&o_wallet={operator}&window=1d&limit=500");
    let answer = world.json(&path).await;
    assert!(!items(&answer).is_empty());
    assert!(items(&answer).iter().all(|item| item["operator"] == json!(operator.to_string())));
    let question = Question {
        columns: sla::rollup::column::Column::all().collect(),
        histograms: [Measure::FirstOutputMs].into(),
        filter: [(sla::rollup::Dimension::Operator, [Some(operator.to_string())].into())].into(),
        span: 0..u64::from(u32::MAX),
        ..Question::default()
    };
    let rows = world.warehouse.series(sample::NETWORK, &question).unwrap();
    let spread = &rows[0].sums.histograms[&Measure::FirstOutputMs];
    let middle: Vec<u64> =
        items(&answer).iter().filter_map(|item| item["first_output_ms_p50"].as_u64()).collect();
    assert!(middle.iter().all(|one| *one <= spread.quantile(1_000_000).unwrap()));
    let both = format!("/v1/gpu/metrics?o_wallet={operator}&operator={operator}");
    assert_eq!(world.get(&both).await.problem(), "E-API-PARAMETER-REPEATED");
}

#[tokio::test]
async fn offers_are_those_of_24_hours() {
    let world = World::settled();
    for (hours_later, expected) in [(23, 3), (24, 0)] {
        let now_ms = sample::HOUR.end().0 + hours_later * 3_600_000;
        world.now_ms.store(now_ms, std::sync::atomic::Ordering::SeqCst);
        let answer = world.json("/v1/network/capabilities").await;
        assert_eq!(items(&answer).len(), expected, "{hours_later} hours later");
    }
}

#[tokio::test]
async fn offers_are_listed_and_paged() {
    let world = World::settled();
    let whole = world.json("/v1/network/capabilities").await;
    assert_eq!(items(&whole).len(), 3);
    let mut walked = Vec::new();
    let mut path = "/v1/network/capabilities?limit=1".to_owned();
    for _ in 0..5 {
        let page = world.json(&path).await;
        walked.extend(items(&page).clone());
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v1/network/capabilities?limit=1&cursor={next}");
    }
    assert_eq!(&walked, items(&whole));
    let operator = sample::operator(1);
    let one = world.json(&format!("/v1/network/capabilities?operator={operator}")).await;
    assert_eq!(items(&one).len(), 1);
    let none = world.json("/v1/network/capabilities?pipeline=upscale").await;
    assert_eq!(items(&none).len(), 0);
}

#[tokio::test]
async fn the_score_is_the_scorecards() {
    let world = World::settled();
    let scores = world.json("/v1/scores?window=2026-01-08T21Z&limit=500").await;
    let sla = world.json("/v1/sla/score?window=2026-01-08T21Z&limit=500").await;
    assert_eq!(world.json("/v1/sla/compliance?period=1h&limit=500").await["items"], sla["items"]);
    assert_eq!(items(&scores).len(), items(&sla).len());
    assert_eq!(sla["digest"], scores["digest"]);
    for (score, sla) in items(&scores).iter().zip(items(&sla)) {
        let of = |value: &Value| value.as_f64().map(|ppm| ppm / 10_000.0);
        assert_eq!(of(&score["score_ppm"]), sla["score"].as_f64());
        assert_eq!((&score["grade"], &score["operator"]), (&sla["grade"], &sla["orchestrator"]));
        let exports = sla["evidence"]["export"].as_str().unwrap();
        assert!(exports.starts_with("/v1/exports/2026-01-08T21Z"));
    }
    let good = world.json("/v1/sla/score?window=2026-01-08T21Z&limit=500&grade_min=B").await;
    let expected = items(&sla).iter().filter(|item| item["grade"] == "A" || item["grade"] == "B");
    assert_eq!(items(&good).len(), expected.count());
    assert!(items(&good).len() < items(&sla).len());
    let none = World::empty().get("/v1/sla/score").await;
    assert_eq!(none.problem(), "E-API-UNSETTLED");
}

#[tokio::test]
async fn pages_of_a_scorecard_lose_and_repeat_nothing() {
    let world = World::settled();
    let (one, hour) = (sample::operator(0), sample::HOUR.next().next());
    let mut record = sample::record(sample::NETWORK, hour, 0, 4);
    let cluster = |number| Cluster { edges: Vec::new(), members: vec![sample::operator(number)] };
    record.scorecard.clusters = (0..4).map(cluster).collect();
    record.scorecard.clusters.insert(0, Cluster { edges: Vec::new(), members: Vec::new() });
    let pair = |number: u64| Agreement {
        both: 10,
        disagreed: Default::default(),
        disputed: 1,
        lower: events::unit::Ppm(10_000),
        missing: 2,
        other: sample::operator(number),
        self_dealing: false,
        teller: sample::reporter(0),
        upper: events::unit::Ppm(250_000),
    };
    record.scorecard.agreements = (0..4).map(pair).collect();
    world.warehouse.record_hour(&record).unwrap();
    for path in ["/v1/clusters", "/v1/disagreements"] {
        let (mut walked, mut cursor) = (Vec::new(), String::new());
        for _ in 0..4 {
            let page = world.json(&format!("{path}?window={hour}&limit=2{cursor}")).await;
            assert!(items(&page).len() <= 2);
            walked.extend(items(&page).clone());
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(walked.len(), 4, "{path}");
        let whole = world.json(&format!("{path}?window={hour}")).await;
        assert_eq!(&walked, items(&whole));
        let other = world.get(&format!("{path}?window={hour}&operator={one}{cursor}")).await;
        assert_eq!(other.problem(), "E-API-CURSOR");
    }
}

#[tokio::test]
async fn parties_and_contradictions_are_those_of_the_scorecard() {
    let world = World::settled();
    let (one, other) = (sample::operator(0), sample::operator(1));
    let hour = sample::HOUR.next().next();
    let mut record = sample::record(sample::NETWORK, hour, 0, 4);
    let edge = Edge { counts: true, of: one, tellers: 2, tie: Tie::Payer, to: other.to_string() };
    record.scorecard.clusters = vec![Cluster { edges: vec![edge], members: vec![one, other] }];
    let (lower, upper) = (events::unit::Ppm(10_000), events::unit::Ppm(250_000));
    record.scorecard.agreements = vec![Agreement {
        both: 10,
        disagreed: Default::default(),
        disputed: 1,
        lower,
        missing: 2,
        other: one,
        self_dealing: false,
        teller: sample::reporter(0),
        upper,
    }];
    world.warehouse.record_hour(&record).unwrap();
    let clusters = world.json(&format!("/v1/clusters?window={hour}")).await;
    let expected = json!([{
        "cluster": one.to_string(),
        "members": [one.to_string(), other.to_string()],
        "edges": [{
            "of": one.to_string(), "tie": "payer", "to": other.to_string(), "counts": true, "tellers": 2,
        }],
    }]);
    assert_eq!(clusters["items"], expected);
    let third = sample::operator(2);
    let none = world.json(&format!("/v1/clusters?window={hour}&operator={third}")).await;
    assert_eq!(none["items"], json!([]));
    let pairs = world.json(&format!("/v1/disagreements?window={hour}&operator={one}")).await;
    assert_eq!(items(&pairs).len(), 1);
    assert_eq!(pairs["items"][0]["disputed"], 1);
    assert_eq!(pairs["items"][0]["upper_ppm"], 250_000);
    let newest = world.json("/v1/clusters").await;
    assert_eq!(newest["window"], "2026-01-08T21Z/7d", "the newest of seven days goes first");
    assert_eq!(world.get("/v1/clusters?window=2030-01-01T00Z").await.problem(), "E-API-ABSENT");
}

#[tokio::test]
async fn an_instance_without_datasets_says_so() {
    let answer = World::settled().json("/v1/datasets?type=bad&workflow=upscale").await;
    assert_eq!(answer["items"], json!([]));
    assert!(answer["reasons"]["items"].as_str().unwrap().contains("no tester"));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_named() {
    let world = World::settled();
    for (path, parameter) in [
        ("/v1/query?metrics=speed", "metrics"),
        ("/v1/query?metrics=jobs,jobs", "metrics"),
        ("/v1/query?metrics=", "metrics"),
        ("/v1/query?by=operator,model,region", "by"),
        ("/v1/query?by=colour", "by"),
        ("/v1/query?step=2h", "step"),
        ("/v1/query?step=1m&from_ms=1577836800000&to_ms=1767909600000", "from_ms"),
        ("/v1/query?from_ms=1767909600000&to_ms=1767906000000", "to_ms"),
        ("/v1/query?operator=0x12", "operator"),
        ("/v1/query?origin=real", "origin"),
        ("/v1/query?url=nowhere", "url"),
        ("/v1/query?cursor=abc", "cursor"),
        ("/v1/gpu/metrics?window=10m", "window"),
        ("/v1/gpu/metrics?orchestrator=1", "orchestrator"),
        ("/v1/network/demand?interval=1w", "interval"),
        ("/v1/network/demand?workload=video", "workload"),
        ("/v1/network/capabilities?limit=0", "limit"),
        ("/v1/sla/score?window=1y", "window"),
        ("/v1/sla/score?period=5m", "period"),
        ("/v1/sla/score?grade_min=F", "grade_min"),
        ("/v1/clusters?window=yesterday", "window"),
        ("/v1/datasets?type=ugly", "type"),
    ] {
        let problem = world.get(path).await;
        assert!(problem.status.is_client_error(), "{path}: {}", problem.status);
        let problem = problem.json();
        assert_eq!(problem["parameter"], parameter, "{path}: {problem}");
        assert!(!problem["instead"].as_str().unwrap().is_empty(), "{path}");
    }
}
