//! Pages: nothing is lost at their edges and nothing comes twice, while somebody writes.

use std::collections::BTreeSet;

use events::event::Workload;
use serde_json::Value;
use sla::hour::fact::State;
use sla::rollup::column::{Column, Plain};
use sla::rollup::{Detail, Rollup};
use warehouse::Warehouse as _;
use warehouse::contract::sample;

use super::known::{HOUR, live, record, request, told, world};
use crate::world::World;

/// Sums of one hour that differ in nothing but who told, so that a key without that would lose them.
fn alike(reporters: std::ops::Range<u64>, hour: sla::window::Hour) -> Rollup {
    let mut rollup = Rollup::new(Detail::Minute);
    for number in reporters {
        let mut key = told(&live());
        key.gateway = Some(sample::address(number));
        key.gateway_name = Some("gateway.example".parse().unwrap());
        rollup.row(key).at(hour.start()).add(Column::Plain(Plain::Jobs), number);
    }
    rollup
}

/// Walks a list page by page; `meanwhile` happens after each.
async fn walk(world: &World, path: &str, mut meanwhile: impl FnMut(usize)) -> Vec<Value> {
    let (mut rows, mut cursor): (Vec<Value>, Option<String>) = (Vec::new(), None);
    for number in 0..200 {
        let more = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let answer = world.get(&format!("{path}{more}")).await;
        let page = answer.json();
        assert_eq!(page["meta"]["request_id"], answer.header("x-request-id"));
        let data = page["data"].as_array().unwrap();
        assert!(
            data.len()
                <= usize::try_from(page["pagination"]["page_size"].as_u64().unwrap()).unwrap()
        );
        rows.extend(data.iter().cloned());
        cursor = page["pagination"]["next_cursor"].as_str().map(str::to_owned);
        assert_eq!(page["pagination"]["has_more"], cursor.is_some());
        if cursor.is_none() {
            return rows;
        }
        meanwhile(number);
    }
    panic!("{path} never ends");
}

#[tokio::test]
async fn hours_are_walked_by_their_full_key() {
    let world = World::empty();
    let hours = [HOUR, HOUR.previous(), HOUR.previous().previous()];
    for hour in hours {
        world
            .warehouse
            .record_hour(&record(hour, alike(1..8, hour), Vec::new(), Vec::new()))
            .unwrap();
    }
    for limit in [1, 2, 3, 7, 20, 21, 1000] {
        let path = format!("/v1/streaming/demand?limit={limit}");
        let rows = walk(&world, &path, |_| {}).await;
        let keys: BTreeSet<(String, String)> = rows
            .iter()
            .map(|row| (row["window_start"].to_string(), row["org"].to_string()))
            .collect();
        assert_eq!((rows.len(), keys.len()), (21, 21), "limit {limit}");
        let starts: Vec<&str> =
            rows.iter().map(|row| row["window_start"].as_str().unwrap()).collect();
        assert!(starts.is_sorted_by(|one, next| one >= next), "newest first");
    }
}

#[tokio::test]
async fn what_stays_comes_once_whatever_is_written() {
    let world = World::empty();
    world
        .warehouse
        .record_hour(&record(HOUR, alike(10..40, HOUR), Vec::new(), Vec::new()))
        .unwrap();
    let rows = walk(&world, "/v1/streaming/demand?limit=4", |page| {
        // Others come before, between and after, and some of the first go.
        let page = u64::try_from(page).unwrap();
        let mut more = alike(10 + page % 3..40, HOUR);
        more.rows.extend(alike(100..100 + 3 * page, HOUR).rows);
        world.warehouse.record_rollup(sample::NETWORK, HOUR, &more, &[], &[]).unwrap();
        let next = HOUR.next();
        let newer = record(next, alike(1..5 + page, next), Vec::new(), Vec::new());
        world.warehouse.record_rollup(sample::NETWORK, next, &newer.rollup, &[], &[]).unwrap();
    })
    .await;
    let orgs: Vec<String> =
        rows.iter().map(|row| row["org"].as_str().unwrap().to_owned()).collect();
    let once: BTreeSet<&String> = orgs.iter().collect();
    assert_eq!(orgs.len(), once.len(), "none comes twice");
    for stayed in 12..40 {
        assert!(once.contains(&sample::address(stayed).to_string()), "{stayed} is lost");
    }
}

#[tokio::test]
async fn two_kinds_of_requests_are_one_list() {
    let world = World::empty();
    let kinds = [Workload::AiBatch, Workload::Llm, Workload::Byoc];
    let states = [State::Completed, State::Running, State::Failed, State::Unserved, State::Silent];
    let jobs = (0..60u64).map(|number| {
        let place = usize::try_from(number).unwrap();
        let mut job = request(number, kinds[place % 3], states[place % 5]);
        // Many begin at once: only the whole key tells them apart.
        job.first_ms = HOUR.start();
        job
    });
    let all: Vec<_> = jobs.collect();
    world.warehouse.record_hour(&record(HOUR, Rollup::new(Detail::Hour), all, Vec::new())).unwrap();
    // 40 are AI requests, of which three fifths have come to an end.
    for limit in [1, 5, 23, 24, 25, 1000] {
        let rows = walk(&world, &format!("/v1/requests/ai-batch/jobs?limit={limit}"), |_| {}).await;
        let ids: BTreeSet<String> = rows.iter().map(|row| row["request_id"].to_string()).collect();
        assert_eq!((rows.len(), ids.len()), (24, 24), "limit {limit}");
    }
    let rows = walk(&world, "/v1/requests/byoc/jobs?limit=2", |_| {}).await;
    assert_eq!(rows.len(), 12);
}

#[tokio::test]
async fn a_cursor_keeps_the_span_of_its_first_page() {
    let world = world();
    let first = world.json("/v1/streaming/demand?limit=1").await;
    let cursor = first["pagination"]["next_cursor"].as_str().unwrap();
    // A day later the hour would be out of the default span, but the walk goes on where it began.
    world.now_ms.fetch_add(86_400_000, std::sync::atomic::Ordering::SeqCst);
    let next = world.json(&format!("/v1/streaming/demand?limit=1&cursor={cursor}")).await;
    assert_eq!(next["data"][0]["window_start"], "2026-01-08T20:00:00Z");
    assert_eq!(next["pagination"]["has_more"], false);
    assert_eq!(world.json("/v1/streaming/demand?limit=1").await["data"], Value::Array(Vec::new()));
}
