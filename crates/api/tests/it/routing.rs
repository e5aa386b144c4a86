//! Who is listed, in the words of each client, and what that would have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use warehouse::contract::sample;

use api::Limits;
use api::live::Bounds;
use axum::body::Body;
use axum::http::{Method, Request};
use events::identity::Address;
use sla::rollup::column::{Column, Plain};
use sla::rollup::{Detail, Rollup, RollupKey};
use sla::route::policy::DEFAULT;
use sla::supply::Word;
use sla::window::Span;
use warehouse::Warehouse as _;

use crate::reads::explained;
use crate::world::{Answer, World};

/// The samples' operators have scores in no tier of evidence; this asks for the least there is.
fn everybody() -> BTreeSet<String> {
    (0..sample::OPERATORS).map(|number| sample::operator(number).to_string()).collect()
}

fn addresses(items: &Value, member: &str) -> BTreeSet<String> {
    let items = items.as_array().unwrap().iter();
    items.map(|item| item[member].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn everybody_is_listed_or_left_out_with_a_reason() {
    let world = World::settled();
    let listed = world.json("/v1/route/orchestrators").await;
    let excluded = world.json("/v1/route/excluded").await;
    explained(&listed);
    explained(&excluded);
    let (in_it, out) =
        (addresses(&listed["items"], "operator"), addresses(&excluded["items"], "operator"));
    assert_eq!(&in_it | &out, everybody());
    assert!(!in_it.is_empty());
    assert_eq!(listed["basis"]["policy"]["id"], "standard-1");
    assert_eq!(listed["basis"]["window"], "2026-01-08T21Z/7d");
    assert_eq!(listed["basis"]["is_stale"], false);
    let places: Vec<u64> = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["place"].as_u64().unwrap())
        .collect();
    assert_eq!(places, (1..=places.len() as u64).collect::<Vec<_>>());
    for item in excluded["items"].as_array().unwrap() {
        assert!(!item["why"].as_array().unwrap().is_empty(), "{item}");
    }
    for operator in everybody() {
        let one = world.json(&format!("/v1/route/orchestrators/{operator}")).await;
        let found = [&one["listed"], &one["excluded"]].map(|list| list.as_array().unwrap().len());
        assert!(found.iter().sum::<usize>() > 0);
        explained(&one);
    }
    let stranger = world.get(&format!("/v1/route/orchestrators/0x{}", "12".repeat(20))).await;
    assert_eq!(stranger.problem(), "E-API-ABSENT");
}

#[tokio::test]
async fn the_webhook_is_a_bare_list_without_scores_and_never_an_empty_one() {
    let world = World::settled();
    let list = world.json("/v1/route/webhook").await;
    let listed = world.json("/v1/route/orchestrators").await;
    let urls = |items: &Value, member: &str| -> Vec<Value> {
        items.as_array().unwrap().iter().map(|item| item[member].clone()).collect()
    };
    assert_eq!(urls(&list, "address"), urls(&listed["items"], "url"), "best first");
    for item in list.as_array().unwrap() {
        assert!(item["address"].as_str().unwrap().starts_with("https://"));
        assert_eq!(item.get("score"), None, "a fraction would break transcoding");
    }
    let nobody = world.get("/v1/route/webhook?caps=upscale/none").await;
    assert_eq!((nobody.status.as_u16(), nobody.problem().as_str()), (503, "E-API-NOBODY"));
    world.now_ms.fetch_add(4 * 3_600_000, Ordering::SeqCst);
    for path in ["/v1/route/webhook", "/v1/route/perf-stats"] {
        let stale = world.get(path).await;
        assert_eq!((stale.status.as_u16(), stale.problem().as_str()), (503, "E-API-STALE"));
    }
    assert_eq!(world.json("/v1/route/orchestrators").await["basis"]["is_stale"], true);
    let empty = World::empty().get("/v1/route/webhook").await;
    assert_eq!(empty.problem(), "E-API-STALE", "nothing was ever scored");
}

#[tokio::test]
async fn the_score_map_holds_everybody_everywhere_as_numbers() {
    let world = World::settled();
    let read = |text: &str| -> BTreeMap<String, BTreeMap<String, BTreeMap<String, f64>>> {
        serde_json::from_str(text).unwrap()
    };
    let map = read(&world.get("/v1/route/perf-stats?region=lax").await.text());
    assert_eq!(map.keys().cloned().collect::<BTreeSet<_>>(), everybody());
    for regions in map.values() {
        assert!(regions.contains_key("GLOBAL") && regions.contains_key("LAX"), "{regions:?}");
        for stats in regions.values() {
            assert!((0.0..=1.0).contains(&stats["score"]));
        }
    }
    let listed = world.json("/v1/route/orchestrators").await;
    let scored: BTreeSet<String> = map
        .iter()
        .filter(|(_, regions)| regions["GLOBAL"]["score"] > 0.0)
        .map(|(address, _)| address.clone())
        .collect();
    assert!(!scored.is_empty());
    assert!(addresses(&listed["items"], "operator").is_subset(&scored));
    // Whoever can do nothing of what is asked is an explicit 0, and still there.
    let none = read(&world.get("/v1/route/perf-stats?caps=upscale/none").await.text());
    assert_eq!(none.keys().cloned().collect::<BTreeSet<_>>(), everybody());
    assert!(none.values().all(|regions| regions["GLOBAL"]["score"] == 0.0));
}

#[tokio::test]
async fn policies_are_files_that_can_be_read() {
    let world = World::settled();
    let policies = world.json("/v1/route/policies").await;
    let ids: Vec<&str> = policies["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| item["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["standard-1", "tiered-1"]);
    for item in policies["items"].as_array().unwrap() {
        let file = world.get(item["url"].as_str().unwrap()).await;
        assert_eq!(file.header("content-type"), "application/toml");
        let digest = events::identity::Digest::of(&[file.text().as_bytes()]);
        assert_eq!(item["hash"], json!(digest.to_string()));
    }
    let unknown = world.get("/v1/route/policies/best-1").await;
    assert_eq!(unknown.problem(), "E-API-ABSENT");
    let other = world.json("/v1/route/orchestrators?policy=tiered-1").await;
    assert_eq!(other["basis"]["policy"]["id"], "tiered-1");
}

#[tokio::test]
async fn a_replay_says_what_would_have_changed() {
    let world = World::settled();
    world.now_ms.fetch_add(24 * 3_600_000, Ordering::SeqCst);
    let answer = world.json("/v1/route/whatif?days=3").await;
    assert_eq!(answer["days"], 3);
    let what_if = &answer["what_if"];
    assert_eq!(what_if["policy"]["id"], "standard-1");
    assert!(what_if["jobs"].as_u64().is_some());
    assert!(!what_if["assumptions"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_asked_wrongly_of_routing_is_named() {
    let world = World::settled();
    let many = "caps=a&".repeat(40);
    for (path, parameter) in [
        ("/v1/route/orchestrators?policy=best-1".to_owned(), "policy"),
        ("/v1/route/orchestrators?caps=".to_owned(), "caps"),
        (format!("/v1/route/webhook?{}", many.trim_end_matches('&')), "caps"),
        ("/v1/route/webhook?price_max=cheap".to_owned(), "price_max"),
        ("/v1/route/webhook?price_max=1/0".to_owned(), "price_max"),
        ("/v1/route/webhook?workload=video".to_owned(), "workload"),
        ("/v1/route/perf-stats?score_min_ppm=1000001".to_owned(), "score_min_ppm"),
        ("/v1/route/perf-stats?places_max=0".to_owned(), "places_max"),
        ("/v1/route/orchestrators?places_max=1001".to_owned(), "places_max"),
        ("/v1/route/perf-stats?region=somewhere-far-too-long".to_owned(), "region"),
        ("/v1/route/perf-stats?region=LAX&region=FRA".to_owned(), "region"),
        ("/v1/route/whatif?days=29".to_owned(), "days"),
        ("/v1/route/whatif?combine=most".to_owned(), "combine"),
        ("/v1/route/orchestrators/0x12".to_owned(), "operator"),
    ] {
        let problem = world.get(&path).await;
        assert!(problem.status.is_client_error(), "{path}: {}", problem.status);
        assert_eq!(problem.json()["parameter"], parameter, "{path}: {}", problem.text());
    }
}

/// Asks with a policy in the body.
async fn try_out(world: &World, path: &str, kind: &str, policy: impl Into<Body>) -> Answer {
    let request = Request::post(path).header("content-type", kind);
    world.ask(request.body(policy.into()).unwrap()).await
}

/// The default policy under another name, with some of it changed.
fn changed(before: &str, after: &str) -> String {
    assert!(DEFAULT.contains(before));
    DEFAULT.replace("\"standard-1\"", "\"tried-1\"").replace(before, after)
}

#[tokio::test]
async fn a_policy_can_be_tried_before_it_is_anybodys() {
    let world = World::settled();
    let strict = changed("places_max = 100", "places_max = 1");
    for kind in ["application/toml", "text/plain; charset=utf-8"] {
        let answer = try_out(&world, "/v1/route/orchestrators?warm=false", kind, strict.clone());
        let list = answer.await.json();
        assert_eq!(list["basis"]["policy"]["id"], "tried-1");
        assert_eq!(list["items"].as_array().unwrap().len(), 1);
        explained(&list);
    }
    let excluded = try_out(&world, "/v1/route/excluded", "application/toml", strict.clone()).await;
    let excluded = excluded.json();
    assert_eq!(addresses(&excluded["items"], "operator").len(), everybody().len() - 1);
    let replay = try_out(&world, "/v1/route/whatif?days=2", "application/toml", strict).await;
    assert_eq!(replay.json()["what_if"]["policy"]["id"], "tried-1");
    // As it is in the software it may keep its name, and asks as GET does.
    let same = try_out(&world, "/v1/route/orchestrators", "text/plain", DEFAULT).await.json();
    assert_eq!(same["items"], world.json("/v1/route/orchestrators").await["items"]);
    let ids = world.json("/v1/route/policies").await;
    assert_eq!(ids["items"].as_array().unwrap().len(), 2, "nothing was kept");
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_says_the_line_and_what_is_expected() {
    let world = World::settled();
    let path = "/v1/route/orchestrators";
    let toml = "application/toml";
    for (policy, line, expected) in [
        (changed("period_ms = 3600000", "period_ms = 1"), "6", "600000"),
        (changed("period_ms = 3600000", "period = 1"), "6", "period"),
        (changed("order = \"score\"", "order = \"best\""), "39", "Order"),
        (changed("title = ", "title : "), "4", "="),
        (DEFAULT.replace("places_max = 100", "places_max = 99"), "3", "id"),
    ] {
        let problem = try_out(&world, path, toml, policy).await;
        assert_eq!(problem.problem(), "E-API-BODY-INVALID");
        let detail = problem.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(&format!("line {line}")), "{detail}");
        assert!(detail.contains(expected), "{detail}");
    }
    let json = try_out(&world, path, "application/json", DEFAULT).await;
    assert_eq!((json.status.as_u16(), json.problem().as_str()), (415, "E-API-CONTENT-TYPE"));
    let long = format!("{DEFAULT}{}", "#".repeat(64 * 1024));
    let long = try_out(&world, path, toml, long).await;
    assert_eq!((long.status.as_u16(), long.problem().as_str()), (413, "E-API-BODY"));
    let bytes = try_out(&world, path, toml, vec![0xff, 0xfe]).await;
    assert_eq!(bytes.problem(), "E-API-BODY-INVALID");
    let named = try_out(&world, "/v1/route/orchestrators?policy=tiered-1", toml, DEFAULT).await;
    assert_eq!(named.problem(), "E-API-PARAMETER-UNKNOWN", "the policy is in the body");
}

#[tokio::test]
async fn pages_of_other_origins_may_try_policies() {
    let world = World::empty();
    let request = Request::builder()
        .method(Method::OPTIONS)
        .uri("/v1/route/whatif")
        .header("origin", "https://dashboard.example")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type");
    let answer = world.ask(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status.as_u16(), 200);
    assert!(answer.header("access-control-allow-methods").contains("POST"));
    assert!(answer.header("access-control-allow-headers").contains("content-type"));
    assert_eq!(answer.header("access-control-allow-credentials"), "");
}

#[tokio::test]
async fn replays_have_room_of_their_own() {
    let world = World::bounded(Limits { replays: 0, ..Limits::default() }, Bounds::default());
    let busy = world.get("/v1/route/whatif").await;
    assert_eq!((busy.status.as_u16(), busy.problem().as_str()), (503, "E-API-BUSY"));
    assert_eq!(world.get("/v1/route/orchestrators").await.status.as_u16(), 200);
}

#[tokio::test]
async fn until_there_is_a_window_of_the_policys_length_a_shorter_one_stands_in() {
    let world = World::empty();
    let (network, hour) = (sample::NETWORK, sample::HOUR);
    world.warehouse.record_hour(&sample::record(network, hour, 0, 50)).unwrap();
    for (span, window) in [
        (None, "2026-01-08T21Z"),
        (Some(Span::Day), "2026-01-08T21Z/24h"),
        (Some(Span::Week), "2026-01-08T21Z/7d"),
    ] {
        let made = span.map(|span| sample::window_record(network, hour, span, 7));
        made.iter().for_each(|made| world.warehouse.record_window(made).unwrap());
        world.now_ms.fetch_add(1_001, Ordering::SeqCst);
        let basis = world.json("/v1/route/orchestrators").await["basis"].clone();
        assert_eq!((&basis["window"], &basis["span"]), (&json!(window), &json!("7d")));
        assert_eq!(basis["is_stale"], false);
        assert_eq!(world.get("/v1/route/webhook").await.status.as_u16(), 200);
    }
}

/// Who is left out for its region by a policy that leaves out who was never seen there.
async fn elsewhere(world: &World, region: &str) -> BTreeSet<String> {
    let policy = changed("elsewhere = \"after\"", "elsewhere = \"exclude\"");
    let path = format!("/v1/route/excluded?region={region}");
    let excluded = try_out(world, &path, "application/toml", policy).await.json();
    let items = excluded["items"].as_array().unwrap().iter();
    let is_elsewhere = |item: &&Value| {
        item["why"].as_array().unwrap().iter().any(|why| why["code"] == "region-other")
    };
    items.filter(is_elsewhere).map(|item| item["operator"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn an_orchestrator_is_wherever_anybody_told_of_it_or_of_its_work() {
    let world = World::settled();
    let hour = sample::HOUR.next();
    let word = |number: u64, teller: u64, region: &str| Word {
        region: region.parse().ok(),
        reporter: sample::reporter(teller),
        ..sample::word(hour, number)
    };
    let told = [word(0, 1, "fra"), word(0, 2, "lax"), word(1, 1, "fra"), word(2, 2, "fra")];
    let mut rollup = Rollup::new(Detail::Hour);
    let key = RollupKey {
        operator: Some(sample::operator(1)),
        region: "lax".parse().ok(),
        url: Some(sample::url(1)),
        ..RollupKey::default()
    };
    rollup.row(key).at(hour.start()).add(Column::Plain(Plain::Tenures), 1);
    world.warehouse.record_rollup(sample::NETWORK, hour, &rollup, &told, &[]).unwrap();
    let named = |operators: &[Address]| -> BTreeSet<String> {
        operators.iter().map(ToString::to_string).collect()
    };
    assert_eq!(elsewhere(&world, "lax").await, named(&[sample::operator(2)]));
    assert_eq!(elsewhere(&world, "fra").await, named(&[]));
    let three = [0, 1, 2].map(sample::operator);
    assert_eq!(elsewhere(&world, "nyc").await, named(&three));
    // A region that only work of long ago was told in stays in the map, though nobody asks for it.
    let before = sla::window::Hour(hour.0 - 100);
    let mut rollup = Rollup::new(Detail::Hour);
    let key = RollupKey {
        operator: Some(sample::operator(1)),
        region: "sea".parse().ok(),
        ..RollupKey::default()
    };
    rollup.row(key).at(before.start()).add(Column::Plain(Plain::Tenures), 1);
    world.warehouse.record_rollup(sample::NETWORK, before, &rollup, &[], &[]).unwrap();
    let map = world.json("/v1/route/perf-stats").await;
    for regions in map.as_object().unwrap().values() {
        let names = ["FRA", "GLOBAL", "LAX", "SEA"];
        assert!(names.iter().all(|name| regions[name].is_object()), "{regions}");
    }
}
