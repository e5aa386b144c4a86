//! Health, metrics, the description and the pages for people.

use std::sync::atomic::Ordering;

use axum::http::StatusCode;

use crate::world::World;

#[tokio::test]
async fn health_says_what_is_wrong() {
    let world = World::settled();
    let well = world.json("/healthz").await;
    assert_eq!((&well["status"], &well["checks"][0]["name"]), (&"ok".into(), &"ledger".into()));
    world.is_well.store(0, Ordering::SeqCst);
    let answer = world.get("/healthz").await;
    assert_eq!((answer.problem().as_str(), answer.status.as_u16()), ("E-API-UNHEALTHY", 503));
    let document = answer.json();
    assert_eq!(document["detail"], "pipeline: 9000 ms behind");
    assert_eq!(
        (&document["checks"][0]["ok"], &document["checks"][1]["ok"]),
        (&true.into(), &false.into())
    );
}

#[tokio::test]
async fn metrics_hold_every_contribution() {
    let world = World::settled();
    world.get("/v1/jobs").await;
    world.get("/v1/jobs?x=1").await;
    world.get("/nowhere").await;
    let answer = world.get("/metrics").await;
    assert!(answer.header("content-type").starts_with("text/plain; version=0.0.4"));
    for line in [
        "naap_batches_accepted_total{role=\"intake\"} 7",
        "naap_api_answers_total{path=\"/v1/jobs\",status=\"200\"} 1",
        "naap_api_answers_total{path=\"/v1/jobs\",status=\"400\"} 1",
        "naap_api_answers_total{path=\"none\",status=\"404\"} 1",
        "# TYPE naap_api_answers_total counter",
    ] {
        assert!(answer.text().lines().any(|known| known == line), "{line} in\n{}", answer.text());
    }
}

#[tokio::test]
async fn the_description_served_is_the_one_committed() {
    let answer = World::empty().get("/v1/openapi.json").await;
    let committed = std::fs::read_to_string(crate::openapi::FILE).unwrap();
    assert!(answer.text() == committed, "see openapi_is_committed");
}

#[tokio::test]
async fn the_pages_for_people_come_from_here_alone() {
    let world = World::empty();
    let redirect = world.get("/docs").await;
    assert_eq!((redirect.status, redirect.header("location")), (StatusCode::SEE_OTHER, "/docs/"));
    let docs = world.get("/docs/").await;
    assert!(docs.text().contains("swagger-ui-bundle.js"));
    let script = world.get("/docs/swagger-initializer.js").await.text();
    assert!(
        script.contains("/v1/openapi.json") && script.contains("\"validatorUrl\": \"none\""),
        "{script}"
    );
    assert_eq!(world.get("/docs/swagger-ui-bundle.js").await.status, StatusCode::OK);
    let landing = world.get("/").await;
    assert!(landing.header("content-security-policy").contains("default-src 'none'"));
    for page in [docs.text(), landing.text()] {
        assert!(!page.contains("http://") && !page.contains("https://"), "no request leaves");
    }
}
