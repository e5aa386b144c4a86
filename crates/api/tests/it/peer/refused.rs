//! Requests that cannot be read: each is a problem document that says what to send instead.

use axum::http::StatusCode;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::known::world;
use crate::world::World;

async fn assert_refused(world: &World, path: &str, code: &str) {
    let answer = world.get(path).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {}", answer.text());
    assert_eq!(answer.problem(), code, "{path}");
}

#[tokio::test]
async fn numbered_pages_are_refused_everywhere() {
    let world = World::empty();
    for path in super::PATHS {
        for name in ["offset", "page", "page_size", "x"] {
            assert_refused(&world, &format!("{path}?{name}=1"), "E-API-PARAMETER-UNKNOWN").await;
        }
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_no_default() {
    let world = World::empty();
    let bad = [
        ("window", "0", &["/v1/dashboard/kpi", "/v1/dashboard/orchestrators"][..]),
        ("window", "169h", &["/v1/dashboard/pipelines", "/v1/dashboard/gpu-capacity"]),
        ("window", "day", &["/v1/dashboard/kpi"]),
        ("limit", "21", &["/v1/dashboard/pipelines"]),
        ("limit", "201", &["/v1/dashboard/job-feed"]),
        (
            "limit",
            "1001",
            &["/v1/streaming/sla", "/v1/requests/byoc/jobs", "/v1/requests/orchestrators"],
        ),
        (
            "limit",
            "0",
            &["/v1/streaming/demand", "/v1/dashboard/job-feed", "/v1/streaming/orchestrators"],
        ),
        ("limit", "many", &["/v1/streaming/gpu-metrics", "/v1/requests/ai-batch/jobs"]),
        (
            "start",
            "yesterday",
            &["/v1/streaming/sla", "/v1/requests/ai-batch/summary", "/v1/requests/byoc/workers"],
        ),
        (
            "end",
            "1767908945",
            &["/v1/streaming/demand", "/v1/requests/byoc/auth", "/v1/requests/byoc/jobs"],
        ),
        ("start", "2026-01-09T00:00:00Z", &["/v1/streaming/sla", "/v1/requests/byoc/summary"]),
        (
            "start",
            "2025-10-01T00:00:00Z",
            &["/v1/streaming/sla", "/v1/requests/ai-batch/llm-summary"],
        ),
        ("network", "moon", &super::PATHS[..]),
        ("model_id", "", &["/v1/dashboard/kpi"]),
        ("caps", "", &["/v1/discover/orchestrators"]),
        ("caps", "%ff", &["/v1/discover/orchestrators"]),
    ];
    for (name, value, paths) in bad {
        for path in paths {
            assert_refused(&world, &format!("{path}?{name}={value}"), "E-API-PARAMETER-INVALID")
                .await;
        }
    }
    for path in super::PATHS {
        let twice = format!("{path}?network=simulation&network=simulation");
        assert_refused(&world, &twice, "E-API-PARAMETER-REPEATED").await;
    }
}

#[tokio::test]
async fn a_cursor_fits_its_own_list_and_span() {
    let world = world();
    let page = world.json("/v1/streaming/sla?limit=1").await;
    let cursor = page["pagination"]["next_cursor"].as_str().unwrap().to_owned();
    for path in [
        format!("/v1/streaming/demand?cursor={cursor}"),
        format!("/v1/streaming/sla?network=livepeer&cursor={cursor}"),
        format!("/v1/streaming/sla?start=2026-01-08T00:00:00Z&cursor={cursor}"),
        format!("/v1/streaming/sla?cursor={}", &cursor[..cursor.len() - 3]),
        "/v1/requests/ai-batch/jobs?cursor=bnVsbA".to_owned(),
        "/v1/requests/byoc/jobs?cursor=".to_owned(),
    ] {
        assert_refused(&world, &path, "E-API-CURSOR").await;
    }
    // Anybody can write a cursor: its key is held to the list, as its span is.
    for list in ["sla", "demand", "gpu-metrics"] {
        let page = world.json(&format!("/v1/streaming/{list}?limit=1")).await;
        let Some(cursor) = page["pagination"]["next_cursor"].as_str() else { continue };
        let said = BASE64_URL_SAFE_NO_PAD.decode(cursor).unwrap();
        let said: Value = serde_json::from_slice(&said).unwrap();
        let key = &said["after"]["key"];
        for wrong in [json!([0, []]), json!([key[0], []]), json!([0, key[1]]), json!([1, key[1]])] {
            let mut forged = said.clone();
            forged["after"]["key"] = wrong;
            let forged = BASE64_URL_SAFE_NO_PAD.encode(forged.to_string());
            let path = format!("/v1/streaming/{list}?limit=1&cursor={forged}");
            assert_refused(&world, &path, "E-API-CURSOR").await;
        }
    }
    assert_eq!(
        world.json(&format!("/v1/streaming/sla?cursor={cursor}")).await["data"][0]["gpu_id"],
        ""
    );
}
