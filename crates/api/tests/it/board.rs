//! The leaderboard as its clients read it, and each defect that it had.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use events::body::probe::{Fault, Measured};
use events::event::{Network, Workload};
use events::identity::Address;
use events::unit::{Micros, Millis, Ppm};
use serde_json::{Value, json};
use sla::rollup::{Detail, Rollup};
use sla::tested::Tested;
use warehouse::Warehouse as _;
use warehouse::contract::sample::{self, HOUR};

use crate::world::World;

const IMAGES: (&str, &str) = ("text-to-image", "stabilityai/sd-turbo");
const SPEECH: (&str, &str) = ("text-to-speech", "parler");

/// A test of an orchestrator by its number: seconds in thousandths, success in hundredths.
fn test(who: u64, region: &str, took_ms: u64, success: u32) -> Tested {
    Tested {
        at_ms: HOUR.start().plus(Millis(60_000)),
        id: "overwritten".parse().unwrap(),
        measured: Measured {
            round_trip_us: Some(Micros(took_ms * 1_000)),
            success_ppm: Some(Ppm(success * 10_000)),
            ..Measured::default()
        },
        model: None,
        operator: address(who),
        pipeline: None,
        region: Some(region.parse().unwrap()),
        reporter: sample::reporter(1),
        workload: Workload::Transcoding,
    }
}

fn address(number: u64) -> Address {
    Address([u8::try_from(number).unwrap(); 20])
}

fn of(kind: (&str, &str), test: Tested) -> Tested {
    let (pipeline, model) = (kind.0.parse().ok(), kind.1.parse().ok());
    Tested { pipeline, model, workload: Workload::AiBatch, ..test }
}

fn of_segments(test: Tested) -> Tested {
    let measured = Measured {
        segment_us: Some(Micros(2_000_000)),
        segments_sent: Some(15),
        segments_received: Some(30),
        upload_us: Some(Micros(777_000)),
        download_us: Some(Micros(957_000)),
        transcode_us: Some(Micros(214_000)),
        faults: vec![Fault { code: "HTTP-STATUS-503".parse().unwrap(), count: 2 }],
        ..test.measured.clone()
    };
    Tested { measured, ..test }
}

/// A world in which these tests were told of, each under a name of its own.
fn world(tests: impl IntoIterator<Item = Tested>) -> World {
    let world = World::empty();
    let named = tests
        .into_iter()
        .enumerate()
        .map(|(at, test)| Tested { id: format!("test-{at}").parse().unwrap(), ..test });
    tell(&world, 0, &named.collect::<Vec<_>>());
    world
}

/// Has an hour tell of tests.
fn tell(world: &World, later: u64, tests: &[Tested]) {
    let hour = sla::window::Hour(HOUR.0 + later);
    let rollup = Rollup::new(Detail::Hour);
    world.warehouse.record_rollup(Network::Simulation, hour, &rollup, &[], tests).unwrap();
}

fn who(number: u64) -> String {
    address(number).to_string()
}

fn near(value: &Value, wanted: f64) -> bool {
    (value.as_f64().unwrap() - wanted).abs() < 1e-6
}

const OF_IMAGES: &str = "pipeline=Text%20to%20image&model=stabilityai/sd-turbo";

/// The strict reading of a gateway: one member that is no number spoils all.
async fn scores(
    world: &World,
    query: &str,
) -> BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>> {
    let answer = world.get(&format!("/api/aggregated_stats?{query}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    serde_json::from_str(&answer.text()).unwrap()
}

/// The vectors that were recomputed from the leaderboard itself: round trip, success, and both scores.
const GOLDEN: &[(u64, u32, u32, f64, f64)] = &[
    (8_000, 1, 0, 0.699751727323698, 0.8949131045632943),
    (2_000, 1, 0, 0.9146101038546527, 0.9701135363491284),
    (1_000, 3, 1, 0.956352499790037, 0.822223374926513),
    (2_000, 3, 1, 0.9146101038546527, 0.8076135363491285),
    (500, 19, 1, 0.9779327685429285, 0.9597764689900249),
];

fn golden() -> Vec<Tested> {
    let mut tests = Vec::new();
    for (number, (took_ms, good, bad, ..)) in (10..).zip(GOLDEN) {
        for _ in 0..*good {
            tests.push(of(IMAGES, test(number, "FRA", *took_ms, 100)));
        }
        // What failed took no time at all, which makes nobody faster.
        for _ in 0..*bad {
            tests.push(of(IMAGES, test(number, "FRA", 1, 0)));
        }
    }
    for _ in 0..60 {
        tests.push(of(IMAGES, test(9, "FRA", 5_000, 100)));
    }
    tests
}

#[tokio::test]
async fn golden_vectors_hold() {
    let world = world(golden());
    for query in [OF_IMAGES, "pipeline=text-to-image&model=stabilityai%2Fsd-turbo"] {
        let answer = world.json(&format!("/api/aggregated_stats?{query}")).await;
        for (number, (_, good, bad, round_trip, score)) in (10..).zip(GOLDEN) {
            let found = &answer[who(number)]["FRA"];
            assert!(near(&found["round_trip_score"], *round_trip), "{number}: {found}");
            assert!(near(&found["score"], *score), "{number}: {found}");
            let success = f64::from(*good) / f64::from(good + bad);
            assert!(near(&found["success_rate"], success), "{number}: {found}");
            assert_eq!(found["tests"], json!(good + bad));
        }
        // Whoever takes the median time scores as it was meant.
        assert!(near(&answer[who(9)]["FRA"]["score"], 0.65 + 0.35 * 0.8), "{answer}");
    }
    // Asked for alone, nobody is compared with himself.
    let alone = format!("{OF_IMAGES}&orchestrator={}", who(10).to_uppercase().replace("0X", "0x"));
    let alone = world.json(&format!("/api/aggregated_stats?{alone}")).await;
    assert_eq!(alone.as_object().unwrap().len(), 1);
    assert!(near(&alone[who(10)]["FRA"]["score"], GOLDEN[0].4), "{alone}");
}

#[tokio::test]
async fn transcoding_is_what_is_asked_for_by_default() {
    let tests = [
        of_segments(test(1, "MDW", 1_240, 100)),
        of_segments(test(2, "MDW", 2_000, 100)),
        of_segments(test(2, "FRA", 2_000, 0)),
        of_segments(test(3, "GLOBAL", 1_000, 100)),
        of(IMAGES, test(4, "MDW", 1_000, 100)),
    ];
    let world = world(tests);
    let scores = scores(&world, "").await;
    let expected = 1.0 - (-2.0f64 / 1.24).exp();
    assert!((scores[&who(1)]["MDW"]["score"] - expected).abs() < 1e-6);
    assert!((scores[&who(2)]["MDW"]["score"] - (1.0 - (-1.0f64).exp())).abs() < 1e-6);
    assert_eq!(scores[&who(2)]["FRA"]["score"], 0.0, "nothing came back, which is known");
    assert!(!scores.contains_key(&who(3)), "clients make GLOBAL of transcoding themselves");
    assert!(!scores.contains_key(&who(4)), "a model is no transcoding");
    assert!(scores.keys().all(|address| *address == address.to_lowercase()));
}

#[tokio::test]
async fn regions_are_named_as_clients_look_them_up() {
    // Our own testers say where they are as their operators configured it.
    let tests = [
        of(IMAGES, test(1, "europe", 1_000, 100)),
        of(IMAGES, test(1, "Europe", 1_000, 0)),
        of(IMAGES, test(2, "EUROPE", 1_000, 100)),
        of_segments(test(3, "global", 1_000, 100)),
    ];
    let world = world(tests);
    for query in ["job_type=ai", "job_type=ai&region=europe", "job_type=ai&region=EUROPE"] {
        let scores = scores(&world, query).await;
        assert_eq!(scores[&who(1)].keys().collect::<Vec<_>>(), ["EUROPE"], "{query}");
        assert_eq!(scores[&who(1)]["EUROPE"]["tests"], 2.0);
        assert_eq!(scores[&who(2)]["EUROPE"]["tests"], 1.0);
    }
    assert!(scores(&world, "").await.is_empty(), "nor is transcoding of everywhere, in any case");
    let raw = world
        .json(&format!("/api/raw_stats?job_type=ai&region=europe&orchestrator={}", who(1)))
        .await;
    assert_eq!(raw["EUROPE"].as_array().unwrap().len(), 2);
    assert_eq!(raw["EUROPE"][0]["region"], "EUROPE");
    let top = world.json(&format!("/api/top_ai_score?region=europe&orchestrator={}", who(2))).await;
    assert_eq!(top["region"], "EUROPE");
    let pipelines = world.json("/api/pipelines?region=europe").await;
    assert_eq!(pipelines["pipelines"][0]["regions"], json!(["EUROPE"]));
}

#[tokio::test]
async fn several_models_do_not_overwrite_each_other() {
    let fast = |who| of(IMAGES, test(who, "FRA", 1_000, 100));
    let slow = |who, took| of(SPEECH, test(who, "FRA", took, 100));
    let tests = [fast(1), fast(2), fast(3), slow(1, 9_000), slow(2, 3_000), slow(3, 3_000)];
    let one = scores(&world(tests.clone()), "job_type=ai").await;
    let mut turned = tests;
    turned.reverse();
    let other = scores(&world(turned), "job_type=ai").await;
    assert_eq!(one, other, "whatever is told first");
    // 0.93 at the median of images; three times the median of speech.
    let speech = 0.65 + 0.35 * 0.8f64.powi(3);
    let score = one[&who(1)]["FRA"]["score"];
    assert!((score - (0.93 + speech) / 2.0).abs() < 2e-6, "{score}");
    assert_eq!(one[&who(1)]["FRA"]["tests"], 2.0);
}

#[tokio::test]
async fn what_cannot_be_compared_is_absent_and_never_a_number() {
    let partial = of(IMAGES, test(1, "FRA", 1_000, 50));
    let timeless = of(SPEECH, test(2, "FRA", 0, 100));
    let world = world([partial, timeless, of(IMAGES, test(3, "FRA", 4_000, 0))]);
    let found = scores(&world, "job_type=ai").await;
    assert!(!found.contains_key(&who(1)), "no perfect test to compare with: {found:?}");
    assert!(!found.contains_key(&who(2)), "no time was taken: {found:?}");
    assert_eq!(found[&who(3)]["FRA"]["score"], 0.0);
    assert_eq!(found[&who(3)]["FRA"]["round_trip_score"], 0.0);
    assert_eq!(scores(&self::world([]), "").await, BTreeMap::new());
}

#[tokio::test]
async fn the_testers_time_decides_and_what_is_told_twice_counts_once() {
    let early = HOUR.start().minus(Millis(20 * 3_600_000));
    let told = Tested { at_ms: early, ..of_segments(test(1, "MDW", 1_000, 100)) };
    let world = World::empty();
    // Uploaded late, and once more an hour later, telling another story.
    tell(&world, 0, std::slice::from_ref(&told));
    let story = Measured { success_ppm: Some(Ppm(0)), ..told.measured.clone() };
    tell(&world, 1, &[Tested { measured: story, ..told }]);
    let at = |from: u64, to: u64| format!("since={from}.25&until={to}");
    let seconds = early.0 / 1_000;
    let found = scores(&world, &at(seconds - 10, seconds + 10)).await;
    assert_eq!(found[&who(1)]["MDW"]["tests"], 1.0);
    assert_eq!(found[&who(1)]["MDW"]["success_rate"], 1.0, "what was told first");
    assert!(scores(&world, &at(seconds + 1, seconds + 10)).await.is_empty());
    assert!(scores(&world, &at(HOUR.start().0 / 1_000, HOUR.end().0 / 1_000)).await.is_empty());
    assert_eq!(scores(&world, "").await.len(), 1, "a day is asked about by default");
}

#[tokio::test]
async fn cold_and_warm_are_told_apart() {
    let with = |warm, who, took| {
        let test = of(IMAGES, test(who, "FRA", took, 100));
        Tested { measured: Measured { warm: Some(warm), ..test.measured.clone() }, ..test }
    };
    let world = world([with(true, 1, 1_000), with(false, 1, 30_000), with(true, 2, 1_000)]);
    let warm = scores(&world, &format!("{OF_IMAGES}&model_is_warm=true")).await;
    assert!((warm[&who(1)]["FRA"]["score"] - 0.93).abs() < 1e-6, "{warm:?}");
    let both = scores(&world, OF_IMAGES).await;
    assert!(both[&who(1)]["FRA"]["score"] < 0.8);
    assert_eq!(scores(&world, &format!("{OF_IMAGES}&model_is_warm=false")).await.len(), 1);
}

#[tokio::test]
async fn filters_are_heeded_everywhere() {
    let tests = [
        of(IMAGES, test(1, "FRA", 1_000, 100)),
        of(IMAGES, test(1, "LAX", 1_000, 100)),
        of(SPEECH, test(2, "FRA", 1_000, 100)),
    ];
    let world = world(tests);
    let pipelines = world.json("/api/pipelines").await;
    let images = json!({"id": "Text to image", "models": [IMAGES.1], "regions": ["FRA", "LAX"]});
    let speech = json!({"id": "Text to speech", "models": [SPEECH.1], "regions": ["FRA"]});
    assert_eq!(pipelines, json!({ "pipelines": [images, speech] }));
    let there = world.json("/api/pipelines?region=lax").await;
    let images = json!({"id": "Text to image", "models": [IMAGES.1], "regions": ["LAX"]});
    assert_eq!(there, json!({ "pipelines": [images] }));
    assert_eq!(world.json("/api/pipelines?until=1600000000").await, json!({ "pipelines": [] }));
    let found = scores(&world, &format!("{OF_IMAGES}&region=fra")).await;
    assert_eq!(found[&who(1)].keys().collect::<Vec<_>>(), ["FRA"]);
}

#[tokio::test]
async fn the_best_score_is_one_among_others() {
    // Alone with an easy pipeline, everybody would be the best.
    let tests = [
        of(SPEECH, test(1, "FRA", 1_000, 100)),
        of(IMAGES, test(1, "MDW", 6_000, 100)),
        of(IMAGES, test(2, "MDW", 3_000, 100)),
        of(IMAGES, test(3, "MDW", 3_000, 100)),
    ];
    let world = world(tests);
    let top = world.json(&format!("/api/top_ai_score?orchestrator={}", who(1))).await;
    assert_eq!((&top["pipeline"], &top["model"]), (&json!("Text to image"), &json!(IMAGES.1)));
    assert_eq!((&top["region"], &top["orchestrator"]), (&json!("MDW"), &json!(who(1))));
    assert!(near(&top["value"], 0.65 + 0.35 * 0.64), "{top}");
    let none = world.json(&format!("/api/top_ai_score?orchestrator={}", who(7))).await;
    assert_eq!(none, json!({}));
    let missing = world.get("/api/top_ai_score").await;
    assert_eq!(missing.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn tests_are_told_field_by_field() {
    let mut old = of_segments(test(1, "MDW", 1_947, 100));
    old.at_ms = old.at_ms.minus(Millis(5_000));
    let world =
        world([old, of_segments(test(1, "MDW", 1_000, 50)), of(IMAGES, test(1, "FRA", 9, 100))]);
    let path = format!("/api/raw_stats?orchestrator={}", who(1));
    let raw = world.json(&path).await;
    let rows = raw["MDW"].as_array().unwrap();
    let at = HOUR.start().0 / 1_000 + 60;
    assert_eq!((&rows[0]["timestamp"], &rows[1]["timestamp"]), (&json!(at), &json!(at - 5)));
    let expected = json!({
        "region": "MDW", "orchestrator": who(1), "success_rate": 1.0, "round_trip_time": 1.947,
        "errors": [{"error_code": "HTTP-STATUS-503", "message": "", "count": 2}], "timestamp": at - 5,
        "seg_duration": 2.0, "segments_sent": 15, "segments_received": 30, "upload_time": 0.777,
        "download_time": 0.957, "transcode_time": 0.214,
    });
    assert_eq!(rows[1], expected);
    let of_model = world.json(&format!("{path}&{OF_IMAGES}")).await;
    let expected = json!({
        "region": "FRA", "orchestrator": who(1), "success_rate": 1.0, "round_trip_time": 0.009,
        "errors": [], "timestamp": at, "model": IMAGES.1, "pipeline": "Text to image",
    });
    assert_eq!(of_model, json!({ "FRA": [expected] }));
}

#[tokio::test]
async fn regions_and_health_are_as_their_clients_know_them() {
    let world = World::empty();
    let regions = world.json("/api/regions").await;
    let listed = regions["regions"].as_array().unwrap();
    assert!(listed.contains(&json!({"id": "FRA", "name": "Frankfurt", "type": "ai"})));
    assert!(listed.contains(&json!({"id": "FRA", "name": "Frankfurt", "type": "transcoding"})));
    let is_global = |one: &&Value| one["id"] == "GLOBAL" && one["type"] == "transcoding";
    assert_eq!(listed.iter().filter(is_global).count(), 0);
    assert_eq!(world.json("/api/health").await, json!({"postgres": {"ok": true}}));
}

#[tokio::test]
async fn answers_may_be_read_by_any_page_and_kept_a_while() {
    let world = world(golden());
    for path in ["aggregated_stats", "regions", "pipelines"] {
        let answer = world.get(&format!("/api/{path}")).await;
        let kept = "public, max-age=30, stale-while-revalidate=15";
        assert_eq!(answer.header("cache-control"), kept, "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        assert_eq!(answer.header("access-control-allow-origin"), "*", "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_an_error_in_their_form() {
    let world = World::empty();
    let cases = [
        ("aggregated_stats?model=x", 400),
        ("aggregated_stats?pipeline=x", 400),
        ("aggregated_stats?job_type=video", 400),
        ("aggregated_stats?job_type=transcoding&model=x&pipeline=y", 400),
        ("aggregated_stats?since=soon", 400),
        ("aggregated_stats?since=NaN", 400),
        ("aggregated_stats?since=-5", 400),
        ("aggregated_stats?since=1700000001&until=1700000000", 400),
        ("aggregated_stats?orchestrator=0x12", 400),
        ("aggregated_stats?region=a-region-that-is-far-too-long", 400),
        ("aggregated_stats?model_is_warm=maybe", 400),
        ("aggregated_stats?nonsense=1", 400),
        ("raw_stats", 400),
        ("nothing", 404),
    ];
    for (path, status) in cases {
        let answer = world.get(&format!("/api/{path}")).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
        let error = answer.json();
        assert_eq!(error.as_object().unwrap().len(), 1, "{path}: {error}");
        assert!(error["error"].is_string(), "{path}: {error}");
    }
    // What is empty is not said: forms send it so.
    let answer = world.get("/api/aggregated_stats?pipeline=&model=&region=&since=").await;
    assert_eq!(answer.status, StatusCode::OK);
}
