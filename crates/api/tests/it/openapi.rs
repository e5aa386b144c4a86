//! The committed API description is the one the handlers give, and it explains everything it names.

use std::path::Path;

use axum::http::StatusCode;
use serde_json::Value;

use crate::validity::faults;
use crate::world::World;

pub const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/openapi.json");

fn described() -> String {
    let mut text = serde_json::to_string_pretty(&api::openapi()).unwrap();
    text.push('\n');
    text
}

#[test]
fn openapi_is_committed() {
    let text = described();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(Path::new(FILE), &text).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        kept == text,
        "schemas/openapi.json is not what the handlers give: `UPDATE=1 cargo test -p api openapi` writes it anew"
    );
}

#[test]
fn openapi_explains_everything() {
    let document: Value = serde_json::from_str(&described()).unwrap();
    let mut silent = Vec::new();
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        for (member, property) in schema["properties"].as_object().into_iter().flatten() {
            let parts = property["oneOf"].as_array().into_iter().flatten();
            if !parts.chain([property]).any(|part| part["description"].is_string()) {
                silent.push(format!("{name}.{member}"));
            }
        }
    }
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            if operation["summary"].is_null() || operation["tags"][0].is_null() {
                silent.push(format!("{method} {path}"));
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["description"].is_null() {
                    silent.push(format!("{method} {path}?{}", parameter["name"]));
                }
            }
        }
    }
    assert!(silent.is_empty(), "no description: {silent:?}");
}

#[test]
fn openapi_points_at_what_exists() {
    let text = described();
    let document: Value = serde_json::from_str(&text).unwrap();
    let known = document["components"]["schemas"].as_object().unwrap();
    let names =
        text.split("\"#/components/schemas/").skip(1).filter_map(|rest| rest.split('"').next());
    let missing: Vec<&str> = names.filter(|name| !known.contains_key(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// The paths that answer in JSON, each with its schema and its example.
fn answers(document: &Value) -> Vec<(String, Value, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let answer = |(path, item): (&String, &Value)| {
        let content = item["get"]["responses"]["200"]["content"]["application/json"].clone();
        let schema = content.get("schema")?.clone();
        Some((path.clone(), schema, content["example"].clone()))
    };
    paths.filter_map(answer).collect()
}

#[tokio::test]
async fn examples_and_answers_fit_what_is_described() {
    let document: Value = serde_json::from_str(&described()).unwrap();
    let world = World::settled();
    let mut asked = 0;
    for (path, schema, example) in answers(&document) {
        if path == "/healthz" || path.starts_with("/v1/private") {
            continue;
        }
        assert!(!example.is_null(), "{path} has no example");
        assert_eq!(faults(&document, &schema, &example), Vec::<String>::new(), "example of {path}");
        let answer = world.get(&path).await;
        if answer.status == StatusCode::OK {
            let faults = faults(&document, &schema, &answer.json());
            assert_eq!(faults, Vec::<String>::new(), "{path}");
            asked += 1;
        }
    }
    assert!(asked >= 7, "{asked}");
}

#[test]
fn every_path_says_which_statuses_it_has() {
    let document: Value = serde_json::from_str(&described()).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        let responses = &item["get"]["responses"];
        for status in ["200", "400", "429", "503", "default"] {
            let is_get = item.get("get").is_some() && !path.starts_with("/v1/private");
            assert!(!is_get || responses.get(status).is_some(), "{path}: {status}");
        }
    }
    for (path, _, _) in answers(&document) {
        for status in ["304", "406"] {
            let is_read = path != "/healthz" && !path.starts_with("/v1/private");
            let responses = &document["paths"][&path]["get"]["responses"];
            assert!(!is_read || responses.get(status).is_some(), "{path}: {status}");
        }
    }
}

#[tokio::test]
async fn docs_load_nothing_from_elsewhere() {
    let world = World::empty();
    let page = world.get("/docs/").await;
    assert_eq!(page.status, StatusCode::OK);
    let mut files = Vec::new();
    for part in page.text().split(['"', '\'']) {
        assert!(!part.starts_with("//") && !part.starts_with("http"), "{part}");
        if part.starts_with("./") || part.ends_with(".js") || part.ends_with(".css") {
            files.push(part.trim_start_matches("./").to_owned());
        }
    }
    assert!(files.len() >= 4, "{files:?}");
    for file in &files {
        assert_eq!(world.get(&format!("/docs/{file}")).await.status, StatusCode::OK, "{file}");
    }
    // And were there something that we missed, the browser is told not to load it.
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("http"), "{policy}");
    let begin = world.get("/docs/swagger-initializer.js").await.text();
    assert!(begin.contains("/v1/openapi.json") && !begin.contains("https://"), "{begin}");
}
