//! The committed description of what is told is the one the types give, and what is told fits it.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::live::{Listener, told};
use crate::validity::faults;
use crate::world::World;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schemas/asyncapi.json");

#[tokio::test]
async fn asyncapi_is_committed_and_served() {
    let mut text = serde_json::to_string_pretty(&api::asyncapi()).unwrap();
    text.push('\n');
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(FILE, &text).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        kept == text,
        "schemas/asyncapi.json is not what the types give: `UPDATE=1 cargo test -p api api_is` writes it anew"
    );
    assert_eq!(World::empty().get("/v1/asyncapi.json").await.text(), text);
}

/// Every reference of a value.
fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn asyncapi_points_at_what_exists_and_has_every_kind() {
    let document = api::asyncapi();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    let missing: Vec<_> =
        found.iter().filter(|to| document.pointer(to.trim_start_matches('#')).is_none()).collect();
    assert!(missing.is_empty() && found.len() > 40, "{missing:?} of {}", found.len());
    for kind in events::body::Kind::ALL {
        let name = format!("event.{}", kind.as_str());
        assert!(document["components"]["messages"].get(&name).is_some(), "{name}");
    }
}

#[tokio::test]
async fn what_is_told_fits_its_description() {
    let (world, document) = (World::empty(), api::asyncapi());
    let mut listener = Listener::open(&world, "", Some("1-1")).await;
    told().iter().for_each(|live| world.feed.publish(live));
    for name in ["gap", "batch", "event", "window"] {
        let block = listener.block().await.unwrap();
        assert!(block.contains(&format!("event: {name}")), "{block}");
        let data = block.lines().find_map(|line| line.strip_prefix("data: ")).unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        let schema = &document["components"]["schemas"][format!("Live.{name}")];
        assert_eq!(faults(&document, schema, &data), Vec::<String>::new(), "{data}");
        let wrong = serde_json::json!({"x": 1});
        assert!(!faults(&document, schema, &wrong).is_empty(), "{name} takes anything");
    }
}
