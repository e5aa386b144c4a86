//! The feed of changes: the same items from the same windows, whatever the order they were looked at in.

use std::sync::Arc;

use api::changes::{Changes, HOURS_KEPT, Place};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use events::unit::Ppm;
use serde_json::Value;
use sla::scorecard::Grade;
use sla::window::{Hour, Span};
use warehouse::Warehouse as _;
use warehouse::contract::sample;

use crate::world::World;

const STEP: Ppm = Ppm(20_000);

/// A window that ends `after` hours after the sample's, in which the first operator scores as given.
fn record(world: &World, span: Span, after: u64, score: u32, grade: Grade) {
    let last = Hour(sample::HOUR.0 + after);
    let mut record = sample::window_record(sample::NETWORK, last, span, after);
    for scored in &mut record.scorecard.results {
        if scored.operator == Some(sample::operator(0)) && scored.class.is_none() {
            (scored.grade, scored.score) = (grade, Some(Ppm(score)));
        }
    }
    world.warehouse.record_window(&record).unwrap();
}

fn refreshed(changes: &Changes, world: &World, most: usize) {
    while !changes.refresh(world.warehouse.as_ref(), sample::NETWORK, most).unwrap() {}
}

/// Five windows of 24 hours with three changes, and two of 7 days with one.
fn world() -> World {
    let world = World::empty();
    for (after, score, grade) in [
        (0, 900_000, Grade::B),
        (1, 910_000, Grade::B),
        (2, 930_000, Grade::B),
        (3, 930_000, Grade::A),
        (4, 800_000, Grade::A),
    ] {
        record(&world, Span::Day, after, score, grade);
    }
    record(&world, Span::Week, 3, 900_000, Grade::B);
    record(&world, Span::Week, 4, 700_000, Grade::B);
    world
}

fn ids(answer: &Value) -> Vec<String> {
    let items = answer["items"].as_array().unwrap();
    items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn changes_are_told_newest_first() {
    let world = world();
    let early = world.get("/v1/feed.json").await;
    assert_eq!(early.problem(), "E-API-BUSY", "nothing is told before all of it was looked at");
    refreshed(&world.changes, &world, 1);
    let answer = world.get("/v1/feed.json").await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/feed+json");
    // It is JSON too, for whoever asks for that, and short enough to send over any line.
    let get = |name: &str, value: &str| {
        let request = Request::get("/v1/feed.json").header(name, value);
        world.ask(request.body(Body::empty()).unwrap())
    };
    assert_eq!(get("accept", "application/json").await.status, StatusCode::OK);
    assert_eq!(get("accept", "text/html").await.problem(), "E-API-FORMAT");
    assert_eq!(get("accept-encoding", "gzip").await.header("content-encoding"), "gzip");
    let feed = answer.json();
    assert_eq!(feed["version"], "https://jsonfeed.org/version/1.1");
    let operator = sample::operator(0);
    let id = |before: &str, window: &str| {
        format!("urn:naap:change:simulation:{before}:{window}:{operator}")
    };
    assert_eq!(
        ids(&feed),
        [
            id("2026-01-09T00Z", "2026-01-09T01Z/7d"),
            id("2026-01-09T00Z", "2026-01-09T01Z/24h"),
            id("2026-01-08T23Z", "2026-01-09T00Z/24h"),
            id("2026-01-08T22Z", "2026-01-08T23Z/24h"),
        ]
    );
    let item = &feed["items"][1];
    assert_eq!(item["_naap"]["change"], "score");
    assert_eq!(item["_naap"]["before_score_ppm"], 930_000);
    assert_eq!(item["_naap"]["score_ppm"], 800_000);
    assert_eq!(feed["items"][2]["_naap"]["before_grade"], "B");
    assert_eq!(feed["items"][2]["_naap"]["grade"], "A");
    assert_eq!(item["date_published"], "2026-01-09T02:16:00.000Z");
    assert_eq!(
        item["url"],
        format!("/v1/explain/{operator}?network=simulation&window=2026-01-09T01Z%2F24h")
    );
    let only = world.json("/v1/feed.json?window=7d").await;
    assert_eq!(only["items"].as_array().unwrap().len(), 1);
    let other = world.json(&format!("/v1/feed.json?operator={}", sample::operator(2))).await;
    assert_eq!(other["items"].as_array().unwrap().len(), 0);
}

#[tokio::test]
async fn pages_go_on_by_next_url() {
    let world = world();
    refreshed(&world.changes, &world, 100);
    let all = ids(&world.json("/v1/feed.json").await);
    let (mut url, mut walked) = ("/v1/feed.json?limit=1".to_owned(), Vec::new());
    loop {
        let page = world.json(&url).await;
        walked.extend(ids(&page));
        let Some(next) = page["next_url"].as_str() else { break };
        url = next.to_owned();
        assert!(walked.len() < 9, "the feed ends");
    }
    assert_eq!(walked, all);
    let foreign = url.replace("limit=1", "limit=1&window=7d");
    assert_eq!(world.get(&foreign).await.problem(), "E-API-CURSOR");
}

#[tokio::test]
async fn items_are_the_same_however_they_came_about() {
    let world = world();
    refreshed(&world.changes, &world, 1);
    // Windows that come later, one of them into the past, and the index of another process that sees all at once.
    record(&world, Span::Day, 9, 500_000, Grade::C);
    refreshed(&world.changes, &world, 2);
    record(&world, Span::Day, 6, 300_000, Grade::C);
    refreshed(&world.changes, &world, 1);
    let whole = Arc::new(Changes::new(STEP));
    refreshed(&whole, &world, 1_000);
    let (one, other) =
        (world.changes.shown(sample::NETWORK).unwrap(), whole.shown(sample::NETWORK).unwrap());
    assert_eq!(one.items, other.items);
    assert_eq!(one.items.len(), 6);
    let last = one.items[3].place;
    assert_eq!(one.after(Some(&last)).len(), 2);
    assert_eq!(one.before(Some(&last)).len(), 3);
    let before_all = Place { hour: Hour(0), hours: 0, operator: sample::address(0) };
    assert_eq!(one.after(Some(&before_all)).len(), 6);
}

#[tokio::test]
async fn the_index_reaches_thirty_days_back() {
    let world = world();
    refreshed(&world.changes, &world, 100);
    record(&world, Span::Day, HOURS_KEPT + 1, 500_000, Grade::C);
    refreshed(&world.changes, &world, 100);
    let shown = world.changes.shown(sample::NETWORK).unwrap();
    let places: Vec<_> =
        shown.items.iter().map(|item| (item.window.span, item.window.last.0)).collect();
    let hour = sample::HOUR.0;
    let expected = [
        (Span::Day, hour + 3),
        (Span::Day, hour + 4),
        (Span::Week, hour + 4),
        (Span::Day, hour + HOURS_KEPT + 1),
    ];
    assert_eq!(places, expected);
    let whole = Changes::new(STEP);
    refreshed(&whole, &world, 3);
    assert_eq!(whole.shown(sample::NETWORK).unwrap().items, shown.items);
}
