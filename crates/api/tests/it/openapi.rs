//! The committed API description is the one the handlers give, and it explains everything it names.

use std::path::Path;

use serde_json::Value;

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
        let get = &item["get"];
        if get["summary"].is_null() || get["tags"][0].is_null() {
            silent.push(path.clone());
        }
        for parameter in get["parameters"].as_array().into_iter().flatten() {
            if parameter["description"].is_null() {
                silent.push(format!("{path}?{}", parameter["name"]));
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
