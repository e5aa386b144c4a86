//! Lists are walked without loss or repetition, whatever is written meanwhile.

use std::collections::BTreeSet;

use events::event::Network;
use events::unit::UnixMillis;
use serde_json::Value;
use sla::scorecard::Scored;
use warehouse::Warehouse as _;
use warehouse::contract::sample;

use crate::world::World;

/// Walks a list page by page; `between` runs after each.
async fn walk(
    world: &World,
    path: &str,
    limit: usize,
    mut between: impl FnMut(usize),
) -> Vec<Value> {
    let (mut items, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    let joint = if path.contains('?') { '&' } else { '?' };
    loop {
        let page = world.json(&format!("{path}{joint}limit={limit}{cursor}")).await;
        let rows = page["items"].as_array().unwrap();
        assert!(rows.len() <= limit && page["limit"] == limit);
        items.extend(rows.clone());
        pages += 1;
        between(pages);
        assert!(pages < 1_000, "{path} goes round in circles");
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return items,
        }
    }
}

#[tokio::test]
async fn every_list_pages_to_its_end() {
    let world = World::settled();
    for path in [
        "/v1/jobs",
        "/v1/jobs?workload=ai-batch",
        "/v1/scores",
        "/v1/orchestrators",
        "/v1/publishers",
        "/v1/windows",
    ] {
        let whole = walk(&world, path, 500, |_| {}).await;
        assert!(!whole.is_empty());
        for limit in [1, 2, 7] {
            assert_eq!(walk(&world, path, limit, |_| {}).await, whole, "{path} by {limit}");
        }
    }
}

/// The peer's cursors left out whose row it was, so of rows that several had at one time those behind the edge of a page
/// were lost.
#[tokio::test]
async fn what_several_have_at_one_moment_is_not_lost_at_the_edge_of_a_page() {
    let world = World::empty();
    for network in [Network::Simulation, Network::Livepeer] {
        let mut record = sample::record(network, sample::HOUR, 0, 12);
        for fact in &mut record.jobs {
            (fact.class, fact.first_ms) = (sample::class(0), sample::HOUR.start());
        }
        let nobody = |signer| Scored {
            operator: None,
            signer: Some(sample::address(signer)),
            ..sample::scored(0, Some(sample::class(0)))
        };
        let known = record.scorecard.results;
        record.scorecard.results = (1..4).map(nobody).chain(known).collect();
        world.warehouse.record_hour(&record).unwrap();
    }
    for network in ["simulation", "livepeer"] {
        let jobs = format!("/v1/jobs?network={network}");
        let scores = format!("/v1/scores?network={network}&workload=live-video");
        for (path, count) in [(jobs, 12), (scores, 3 + usize::try_from(sample::OPERATORS).unwrap())]
        {
            let whole = walk(&world, &path, 500, |_| {}).await;
            let unique: BTreeSet<String> = whole.iter().map(Value::to_string).collect();
            assert_eq!((whole.len(), unique.len()), (count, count), "{path}");
            for limit in 1..=count {
                assert_eq!(walk(&world, &path, limit, |_| {}).await, whole, "{path} by {limit}");
            }
        }
    }
}

#[tokio::test]
async fn writers_do_not_disturb_a_walk() {
    let world = World::settled();
    let ids = |items: &[Value]| -> Vec<String> {
        items.iter().map(|item| item["job_id"].as_str().unwrap().to_owned()).collect()
    };
    let before: BTreeSet<String> =
        ids(&walk(&world, "/v1/jobs", 500, |_| {}).await).into_iter().collect();
    let open = sample::HOUR.next();
    let walked = walk(&world, "/v1/jobs", 5, |page| {
        let number = 1_000 + u64::try_from(page).unwrap();
        let jobs = sample::facts(open, number..number + 1);
        let taken =
            world.warehouse.record_provisional(sample::NETWORK, open, &jobs, None, UnixMillis(1));
        assert!(taken.unwrap());
    });
    let walked = ids(&walked.await);
    let unique: BTreeSet<String> = walked.iter().cloned().collect();
    assert_eq!(unique.len(), walked.len(), "nothing twice");
    assert!(before.is_subset(&unique), "nothing lost");
}

#[tokio::test]
async fn a_cursor_fits_its_list_and_its_filters_only() {
    let world = World::settled();
    let next = |page: &Value| page["next"].as_str().unwrap().to_owned();
    let jobs = next(&world.json("/v1/jobs?limit=1").await);
    let scores = next(&world.json("/v1/scores?limit=1").await);
    let windows = next(&world.json("/v1/windows?limit=1").await);
    for path in [
        format!("/v1/jobs?cursor={scores}"),
        format!("/v1/jobs?cursor={jobs}&state=failed"),
        format!("/v1/jobs?cursor={jobs}&network=livepeer"),
        format!("/v1/scores?cursor={jobs}"),
        format!("/v1/scores?cursor={scores}&window=2026-01-08T22Z"),
        format!("/v1/orchestrators?cursor={windows}"),
        format!("/v1/jobs/{}?cursor={jobs}", sample::job_id(1)),
        "/v1/jobs?cursor=".to_owned(),
        "/v1/jobs?cursor=abc".to_owned(),
        "/v1/publishers?cursor=e30".to_owned(),
    ] {
        assert_eq!(world.get(&path).await.problem(), "E-API-CURSOR", "{path}");
    }
    world.json(&format!("/v1/jobs?cursor={jobs}&limit=500")).await;
}
