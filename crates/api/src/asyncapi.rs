//! The description of what is told rather than asked for, as AsyncAPI 3.0: the stream `/v1/events`, and the kinds of
//! events that publishers put into batches. It is made from the types themselves and describes no path that is asked.

use std::collections::BTreeSet;

use events::body::Kind;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::live::Topic;
use crate::schema;

/// Where schemas stand in both descriptions.
const SCHEMAS: &str = "#/components/schemas/";

/// The description, of an API that is described by `openapi`.
pub fn document(openapi: &OpenApi) -> Value {
    let mut schemas = Map::new();
    let mut messages = Map::new();
    let mut heard = Map::new();
    for topic in Topic::ALL {
        let name = topic.as_str();
        messages.insert(format!("live.{name}"), message(topic.meaning(), &format!("Live.{name}")));
        schemas.insert(format!("Live.{name}"), live(*topic));
        heard.insert(name.to_owned(), reference(&format!("messages/live.{name}")));
    }
    messages.insert("live.gap".to_owned(), message(GAP, "Live.gap"));
    schemas.insert("Live.gap".to_owned(), gap());
    heard.insert("gap".to_owned(), reference("messages/live.gap"));
    let mut sealed = Map::new();
    for kind in Kind::ALL {
        let name = kind.as_str();
        let meaning = format!("An event of the kind `{name}`.");
        messages.insert(format!("event.{name}"), message(&meaning, &format!("Event.{name}")));
        let only = json!({"properties": {"kind": {"const": name}}});
        let all = json!({"allOf": [{"$ref": format!("{SCHEMAS}Event")}, only]});
        schemas.insert(format!("Event.{name}"), all);
        sealed.insert(name.replace('.', "_"), reference(&format!("messages/event.{name}")));
    }
    take_event(&mut schemas);
    take_named(openapi, &mut schemas);
    json!({
        "asyncapi": "3.0.0",
        "info": {
            "title": "naap, live",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What an instance tells, and what publishers tell it. /v1/openapi.json describes what it \
                            answers.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {
            "live": {
                "address": "/v1/events",
                "title": "Live events",
                "description": "Server-sent events over HTTP. The field `event` is the name of the message, `id` goes \
                                into `Last-Event-ID` to go on behind it, and `data` is the payload on one line.",
                "messages": heard,
            },
            "batches": {
                "address": null,
                "title": "What nodes say",
                "description": "The events within signed batches, on whatever channel these travel; docs/events.md \
                                has the bytes around them. New kinds are added, and none is ever changed or removed.",
                "messages": sealed,
            },
        },
        "operations": {
            "tell": {
                "action": "send",
                "channel": {"$ref": "#/channels/live"},
                "summary": "An instance tells whoever listens.",
            },
            "hear": {
                "action": "receive",
                "channel": {"$ref": "#/channels/batches"},
                "summary": "An instance takes what publishers sealed.",
            },
        },
        "components": {"messages": messages, "schemas": schemas},
    })
}

/// What a message says that tells of a gap.
const GAP: &str =
    "More was missed than is still kept, or the instance was started anew: read the lists.";

fn message(summary: &str, payload: &str) -> Value {
    json!({"summary": summary, "payload": {"$ref": format!("{SCHEMAS}{payload}")}})
}

fn reference(place: &str) -> Value {
    json!({"$ref": format!("#/components/{place}")})
}

/// What a message of the stream says.
fn live(topic: Topic) -> Value {
    let named = |name: &str| json!({"$ref": format!("{SCHEMAS}{name}")});
    let count = || json!({"type": "integer", "minimum": 0});
    let members = match topic {
        Topic::Batch => json!({
            "kinds": {"type": "object", "additionalProperties": count(),
                "description": "How many events it holds, by kind; what could not be read stands under `unreadable`."},
            "network": named("Network"),
            "position": place(),
            "received_ms": count(),
            "sealed_ms": count(),
        }),
        Topic::Event => json!({
            "event": {"$ref": format!("{SCHEMAS}Event")},
            "index": count(),
            "network": named("Network"),
            "position": place(),
        }),
        Topic::Window => json!({
            "digest": named("Digest"),
            "network": named("Network"),
            "revision": count(),
            "settled_ms": count(),
            "window": schema_of::<schema::Window>(),
        }),
    };
    closed(topic.meaning(), members)
}

/// The place of a batch in its publisher's chain.
fn place() -> Value {
    let count = || json!({"type": "integer", "minimum": 0});
    let key = schema_of::<schema::PublisherKey>();
    closed(
        "The batch's place in its publisher's chain.",
        json!({"key": key, "epoch": count(), "seq": count()}),
    )
}

fn gap() -> Value {
    closed(GAP, json!({"reason": {"type": "string"}}))
}

/// An object that has all of these members and no other.
fn closed(description: &str, members: Value) -> Value {
    let required: Vec<&String> = members.as_object().into_iter().flat_map(Map::keys).collect();
    let required = json!(required);
    json!({"type": "object", "description": description, "properties": members, "required": required,
        "additionalProperties": false})
}

fn schema_of<S: utoipa::PartialSchema>() -> Value {
    serde_json::to_value(S::schema()).unwrap_or_default()
}

/// Takes over the schema of events, its parts under names of their own.
fn take_event(schemas: &mut Map<String, Value>) {
    let mut event = events::schema::event();
    rename(&mut event, &|at| {
        at.strip_prefix("#/$defs/").map(|name| format!("{SCHEMAS}Event.part.{name}"))
    });
    if let Value::Object(members) = &mut event {
        members.remove("$schema");
        if let Some(Value::Object(parts)) = members.remove("$defs") {
            schemas
                .extend(parts.into_iter().map(|(name, part)| (format!("Event.part.{name}"), part)));
        }
    }
    schemas.insert("Event".to_owned(), event);
}

/// Takes over what is still referred to from the description of the API.
fn take_named(openapi: &OpenApi, schemas: &mut Map<String, Value>) {
    let document = serde_json::to_value(openapi).unwrap_or_default();
    loop {
        let mut wanted = BTreeSet::new();
        schemas.values().for_each(|schema| gather(schema, &mut wanted));
        let missing: Vec<String> =
            wanted.into_iter().filter(|name| !schemas.contains_key(name)).collect();
        let found = missing.into_iter().filter_map(|name| {
            let schema = document.get("components")?.get("schemas")?.get(&name)?.clone();
            Some((name, schema))
        });
        let found: Vec<_> = found.collect();
        if found.is_empty() {
            break;
        }
        schemas.extend(found);
    }
}

/// The names of all schemas that are referred to.
fn gather(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            let name = members.get("$ref").and_then(Value::as_str);
            names.extend(name.and_then(|at| at.strip_prefix(SCHEMAS)).map(str::to_owned));
            members.values().for_each(|member| gather(member, names));
        }
        Value::Array(items) => items.iter().for_each(|item| gather(item, names)),
        _ => {}
    }
}

/// Gives references other targets.
fn rename(value: &mut Value, to: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(at) if name == "$ref" => {
                        if let Some(other) = to(at) {
                            *at = other;
                        }
                    }
                    other => rename(other, to),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, to)),
        _ => {}
    }
}
