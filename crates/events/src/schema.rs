//! JSON Schema (draft 2020-12) of events, batch headers and delegations: the public contract for machines.
//!
//! Made from the types, so that it cannot say anything else. Members and kinds that this version does not know are
//! allowed, as [`crate::event::Event::decode`] allows members. A schema sees values, not bytes: it says nothing of
//! canonical form, sizes or signatures. Nothing here validates.

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::batch::{FORMAT, Header, MAX_EVENTS};
use crate::body::{Body, Kind};
use crate::delegation::Delegation;
use crate::event::{Event, SCHEMA};
use crate::unit::{MAX_JSON_INTEGER, UnixMillis};

/// The schema of one event, its data by kind.
pub fn event() -> Value {
    let mut generator = generator();
    let kinds = Body::data_schemas(&mut generator);
    let mut schema = root::<Event>(generator);
    let rules = kinds.into_iter().map(|(kind, data)| {
        json!({
            "if": { "properties": { "kind": { "const": kind } }, "required": ["kind"] },
            "then": { "properties": { "data": data } },
        })
    });
    put(
        &mut schema,
        "/properties/data",
        json!({ "description": "What was seen, by kind.", "type": "object" }),
    );
    let kind = json!({
        "description": "The kind of statement. One that stands in no rule below is one this version does not know.",
        "type": "string",
        "examples": Kind::ALL,
    });
    put(&mut schema, "/properties/kind", kind);
    let version = json!({ "description": "The version of the event's shape.", "const": SCHEMA });
    put(&mut schema, "/properties/schema", version);
    put(&mut schema, "/allOf", rules.collect());
    if let Some(required) = schema.pointer_mut("/required").and_then(Value::as_array_mut) {
        required.extend(["data", "kind", "schema"].map(Value::from));
        required.sort_by(|a, b| a.as_str().cmp(&b.as_str()));
    }
    finish("naap event", schema)
}

/// The schema of a batch header, which is closed: it has these members and no others.
pub fn batch_header() -> Value {
    let mut schema = root::<Header>(generator());
    put(&mut schema, "/properties/format/const", FORMAT.into());
    put(&mut schema, "/properties/count/minimum", 1.into());
    put(&mut schema, "/properties/count/maximum", MAX_EVENTS.into());
    let sealed = json!({
        "description": "When it was sealed, in milliseconds since 1970; from 2020 to the end of 2099.",
        "type": "integer",
        "minimum": UnixMillis::EARLIEST,
        "exclusiveMaximum": UnixMillis::LATEST,
    });
    put(&mut schema, "/properties/sealed_ms", sealed);
    finish("naap batch header", schema)
}

/// The schema of what an address agrees to; its signature is over typed data, see `docs/events.md`.
pub fn delegation() -> Value {
    finish("naap delegation", root::<Delegation>(generator()))
}

fn generator() -> SchemaGenerator {
    SchemaSettings::draft2020_12().for_deserialize().into_generator()
}

fn root<T: JsonSchema>(generator: SchemaGenerator) -> Value {
    generator.into_root_schema_for::<T>().to_value()
}

/// Sets the member that `pointer` names; the object around it is there.
fn put(schema: &mut Value, pointer: &str, value: Value) {
    let (parent, name) =
        pointer.rsplit_once('/').expect("a pointer to a member begins with a slash");
    let parent = schema.pointer_mut(parent).and_then(Value::as_object_mut);
    parent.expect("schemars gives structs properties").insert(name.to_owned(), value);
}

fn finish(title: &str, mut schema: Value) -> Value {
    put(&mut schema, "/title", title.into());
    exact(&schema)
}

/// The schema with its members sorted, and with integers limited by range instead of by Rust's names for them.
fn exact(schema: &Value) -> Value {
    match schema {
        Value::Array(items) => items.iter().map(exact).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(name, member)| (name.clone(), exact(member))).collect();
            if let Some(place) = members.iter().position(|(name, _)| name == "format") {
                let limits = match members.get(place).and_then(|(_, format)| format.as_str()) {
                    Some("uint64") => vec![("maximum", json!(MAX_JSON_INTEGER))],
                    Some("int64") => {
                        let most =
                            i64::try_from(MAX_JSON_INTEGER).expect("2^53 - 1 is less than 2^63");
                        vec![("maximum", json!(most)), ("minimum", json!(-most))]
                    }
                    Some("uint32") => vec![("maximum", json!(u32::MAX))],
                    Some("uint16") => vec![("maximum", json!(u16::MAX))],
                    _ => Vec::new(),
                };
                if !limits.is_empty() {
                    members.remove(place);
                    members.retain(|(name, _)| limits.iter().all(|(limit, _)| limit != name));
                    members
                        .extend(limits.into_iter().map(|(name, limit)| (name.to_owned(), limit)));
                }
            }
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(members))
        }
        scalar => scalar.clone(),
    }
}
