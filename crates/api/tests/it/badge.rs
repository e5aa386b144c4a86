//! Badges: what they show of whom, and that nothing about them depends on more than the newest window.

use std::path::Path;

use axum::http::StatusCode;
use events::unit::Ppm;
use sla::scorecard::Grade;
use sla::window::Span;
use warehouse::Warehouse as _;
use warehouse::contract::sample;

use crate::world::World;

const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/badges");

/// The sample's newest week, in which the first operator is good, the third middling by one kind of work and low by
/// another, and the second without enough evidence.
fn world() -> World {
    let world = World::empty();
    let mut record = sample::window_record(sample::NETWORK, sample::HOUR, Span::Week, 7);
    for scored in &mut record.scorecard.results {
        if scored.operator == Some(sample::operator(0)) {
            (scored.grade, scored.score, scored.upper) =
                (Grade::A, Some(Ppm(973_129)), Some(Ppm(990_000)));
        }
        if scored.operator == Some(sample::operator(2)) {
            let is_whole = scored.class.is_none();
            let score = if is_whole { Ppm(720_000) } else { Ppm(12_000) };
            (scored.grade, scored.score, scored.upper) = (Grade::D, Some(score), None);
        }
    }
    world.warehouse.record_window(&record).unwrap();
    world
}

#[tokio::test]
async fn badges_are_drawn_as_they_are_kept() {
    let world = world();
    let (good, without, middling) = (sample::operator(0), sample::operator(1), sample::operator(2));
    let nobody = sample::address(7);
    for (name, query) in [
        ("good", format!("{good}.svg")),
        ("insufficient", format!("{without}.svg")),
        ("middling", format!("{middling}.svg?window=7d")),
        ("low", format!("{middling}.svg?pipeline=text-to-image&model=sd-turbo&workload=ai-batch")),
        ("unknown", format!("{nobody}.svg")),
        ("unmade", format!("{good}.svg?window=28d")),
        ("other-work", format!("{good}.svg?model=no-such-%3Cmodel%3E")),
    ] {
        let answer = world.get(&format!("/badge/{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{name}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "image/svg+xml; charset=utf-8");
        assert_eq!(answer.header("cache-control"), "public, max-age=60");
        let path = Path::new(KEPT).join(format!("{name}.svg"));
        if std::env::var_os("UPDATE").is_some() {
            std::fs::create_dir_all(KEPT).unwrap();
            std::fs::write(&path, answer.text()).unwrap();
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            answer.text() == kept,
            "{name} is drawn otherwise; `UPDATE=1 cargo test -p api badge` keeps it as it is: {}",
            answer.text()
        );
    }
}

#[tokio::test]
async fn what_is_shown_is_what_the_window_says() {
    let world = world();
    let shown = async |path: String| world.get(&path).await.text();
    let good = shown(format!("/badge/{}.svg", sample::operator(0))).await;
    assert!(good.contains(">97.31–99.00 A</text>") && good.contains("2026-01-08T21Z/7d"), "{good}");
    let low = shown(format!("/badge/{}.svg?workload=ai-batch", sample::operator(2))).await;
    assert!(low.contains(">1.20 D</text>"), "{low}");
    let without = shown(format!("/badge/{}.svg", sample::operator(1))).await;
    assert!(without.contains(">insufficient evidence</text>") && !without.contains("#b42318"));
    let nobody = shown(format!("/badge/{}.svg", sample::address(7))).await;
    assert!(nobody.contains(">unknown operator</text>") && nobody.contains("stroke-dasharray"));
    // A newer window is shown within a second.
    let next = sample::HOUR.next();
    world
        .warehouse
        .record_window(&sample::window_record(sample::NETWORK, next, Span::Week, 8))
        .unwrap();
    world.a_second_passes();
    let newer = shown(format!("/badge/{}.svg", sample::operator(0))).await;
    assert!(
        newer.contains("2026-01-08T22Z/7d") && newer.contains(">90.00–95.00 B</text>"),
        "{newer}"
    );
}

#[tokio::test]
async fn only_an_address_has_a_badge() {
    let world = world();
    let upper = sample::operator(0).to_string().to_uppercase();
    for file in ["x.svg", "0x12.svg", &format!("{}", sample::operator(0)), &format!("{upper}.svg")]
    {
        let answer = world.get(&format!("/badge/{file}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{file}");
        assert_eq!(answer.problem(), "E-API-PARAMETER-INVALID", "{file}");
    }
    let path = format!("/badge/{}.svg?window=1h", sample::operator(0));
    assert_eq!(world.get(&path).await.problem(), "E-API-PARAMETER-INVALID");
}
