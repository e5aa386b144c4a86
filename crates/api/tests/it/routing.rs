//! Who is listed, in the words of each client, and what that would have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use warehouse::contract::sample;

use crate::reads::explained;
use crate::world::World;

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
    assert_eq!(listed["ground"]["policy"]["id"], "standard-1");
    assert_eq!(listed["ground"]["window"], "2026-01-08T21Z/7d");
    assert_eq!(listed["ground"]["is_stale"], false);
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
    assert_eq!(world.json("/v1/route/orchestrators").await["ground"]["is_stale"], true);
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
    // Whoever can do nothing of what is asked is 0 in words, and still there.
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
    assert_eq!(other["ground"]["policy"]["id"], "tiered-1");
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
