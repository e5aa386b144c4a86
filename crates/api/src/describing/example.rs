//! An example of what a schema describes, so that people see an answer before they ask. It is made from the schema
//! alone: the examples of its parts where they have some, else the least that fits.

use serde_json::{Map, Value, json};

/// How deep objects are filled; below that a list is empty and what may be null is null.
const DEPTH_MAX: usize = 8;

/// A moment that examples share, in Unix milliseconds.
const MOMENT_MS: u64 = 1_767_909_600_000;

/// An example of a schema of this document.
pub fn of(document: &Value, schema: &Value) -> Value {
    made(document, schema, "", 0)
}

fn made(document: &Value, schema: &Value, name: &str, depth: usize) -> Value {
    if let Some(own) = own(schema) {
        return own;
    }
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        let target = target.strip_prefix('#').and_then(|at| document.pointer(at));
        return target.map_or(Value::Null, |target| made(document, target, name, depth + 1));
    }
    for choice in ["oneOf", "anyOf", "allOf"] {
        let parts = schema.get(choice).and_then(Value::as_array);
        let is_something = |part: &&Value| part.get("type").is_none_or(|kind| kind != "null");
        if let Some(part) = parts.into_iter().flatten().find(is_something) {
            let can_be_null = depth > DEPTH_MAX && choice != "allOf";
            return if can_be_null { Value::Null } else { made(document, part, name, depth + 1) };
        }
    }
    let kind = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().find(|kind| **kind != "null"),
        kind => kind,
    };
    match kind.and_then(Value::as_str).unwrap_or_default() {
        "object" => object(document, schema, depth),
        "array" if depth > DEPTH_MAX => json!([]),
        "array" => {
            let item = schema.get("items").map(|item| made(document, item, name, depth + 1));
            Value::Array(item.into_iter().collect())
        }
        "integer" | "number" => number(schema, name),
        "boolean" => json!(true),
        "string" => json!("text"),
        _ => json!({}),
    }
}

/// What the schema itself gives.
fn own(schema: &Value) -> Option<Value> {
    let first = |name: &str| schema.get(name)?.as_array()?.first().cloned();
    let said = schema.get("example").or_else(|| schema.get("const")).cloned();
    said.or_else(|| first("examples")).or_else(|| first("enum"))
}

fn object(document: &Value, schema: &Value, depth: usize) -> Value {
    let members = schema.get("properties").and_then(Value::as_object);
    let members = members.into_iter().flatten();
    let made = members.map(|(name, part)| (name.clone(), made(document, part, name, depth + 1)));
    Value::Object(made.collect::<Map<_, _>>())
}

/// A number that its name suggests, within the schema's bounds.
fn number(schema: &Value, name: &str) -> Value {
    let guess = match name {
        name if name.ends_with("_ms") => MOMENT_MS,
        name if name.ends_with("_ppm") => 987_654,
        _ => 3,
    };
    let bound = |name: &str| schema.get(name).and_then(Value::as_u64);
    let least = guess.max(bound("minimum").unwrap_or(0));
    json!(least.min(bound("maximum").unwrap_or(u64::MAX)))
}
