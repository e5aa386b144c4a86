//! Laws of events: what is written is read back, in one form, and everything else is refused without a panic.

use events::body::Kind;
use events::canonical;
use events::event::{Event, MAX_EVENT_BYTES};
use events::refusal::Defect;
use proptest::prelude::*;
use serde_json::Value;

use crate::files::samples::{self, Extent};
use crate::strategies;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_written_is_read_back(event in strategies::event()) {
        let bytes = event.encode().unwrap();
        prop_assert_eq!(&Event::decode(&bytes).unwrap(), &event);
        prop_assert_eq!(event.encode().unwrap(), bytes.clone());
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        prop_assert_eq!(canonical::write(&value).unwrap(), bytes);
    }

    #[test]
    fn changed_bytes_are_refused_or_mean_something_else(
        event in strategies::event(),
        place in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let bytes = event.encode().unwrap();
        let mut changed = bytes.clone();
        changed[place.index(bytes.len())] ^= 1 << bit;
        // A change in a member's name can take the member away, but never leaves all as it was.
        if let Ok(other) = Event::decode(&changed) {
            prop_assert_ne!(&other, &event);
            prop_assert!(canonical::check(&changed).is_ok());
        }
    }

    #[test]
    fn an_event_cut_short_is_refused(event in strategies::event()) {
        let bytes = event.encode().unwrap();
        for end in 0..bytes.len() {
            prop_assert_eq!(Event::decode(&bytes[..end]).unwrap_err().defect, Defect::EventNotCanonical);
        }
    }
}

/// Every object in a value, as a path to it.
fn objects(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(path.to_owned());
            members
                .iter()
                .for_each(|(name, member)| objects(member, &format!("{path}/{name}"), found));
        }
        Value::Array(items) => {
            items
                .iter()
                .enumerate()
                .for_each(|(at, item)| objects(item, &format!("{path}/{at}"), found));
        }
        _ => (),
    }
}

#[test]
fn every_kind_is_drawn_and_has_samples() {
    for kind in Kind::ALL {
        drop(strategies::body(*kind));
        for extent in [Extent::Full, Extent::Least] {
            assert_eq!(samples::event(*kind, extent).kind(), *kind);
        }
    }
}

/// The samples are text, so this holds the order of every struct's fields against the order of their JSON names.
#[test]
fn samples_are_written_as_they_stand() {
    for kind in Kind::ALL {
        for extent in [Extent::Full, Extent::Least] {
            let event = samples::event(*kind, extent);
            let text = String::from_utf8(event.encode().unwrap()).unwrap();
            let data = format!(r#","data":{},"#, samples::data(*kind, extent).unwrap());
            assert!(text.contains(&data), "{kind} {extent:?}: {text} lacks {data}");
            assert_eq!(Event::decode(text.as_bytes()).unwrap(), event);
        }
    }
}

#[test]
fn a_full_sample_has_every_member_that_the_schema_names() {
    let schema = events::schema::event();
    let event = |kind, extent| -> Value {
        serde_json::from_slice(&samples::event(kind, extent).encode().unwrap()).unwrap()
    };
    for kind in Kind::ALL {
        let full = event(*kind, Extent::Full);
        let mut paths = Vec::new();
        objects(&full, "", &mut paths);
        assert!(paths.len() >= 2);
        check_members(&schema, &schema, &full, kind.as_str());
        let rules = schema["allOf"].as_array().unwrap();
        let rule =
            rules.iter().find(|rule| rule["if"]["properties"]["kind"]["const"] == kind.as_str());
        let data = &rule.unwrap()["then"]["properties"]["data"];
        check_members(&schema, data, &full["data"], kind.as_str());
        let least = event(*kind, Extent::Least);
        check_required(&schema, &schema, &least, kind.as_str());
        if *kind != Kind::BandwidthSampled && *kind != Kind::JobRequested {
            check_required(&schema, data, &least["data"], kind.as_str());
        }
    }
}

fn resolve<'a>(schema: &'a Value, part: &'a Value) -> &'a Value {
    let reference = part["$ref"]
        .as_str()
        .or_else(|| part["anyOf"].as_array()?.iter().find_map(|part| part["$ref"].as_str()));
    reference.map_or(part, |path| schema.pointer(path.trim_start_matches('#')).unwrap())
}

/// The object has all members of the schema and no others, down to the leaves; of a list the first item counts.
fn check_members(schema: &Value, part: &Value, value: &Value, what: &str) {
    let part = resolve(schema, part);
    if let (Some(properties), Some(members)) = (part["properties"].as_object(), value.as_object()) {
        let (named, found): (Vec<_>, Vec<_>) =
            (properties.keys().collect(), members.keys().collect());
        assert_eq!(named, found, "{what}");
        for (name, member) in members {
            check_members(schema, &properties[name], member, &format!("{what}/{name}"));
        }
    } else if let Some(item) = value.as_array().and_then(|items| items.first()) {
        check_members(schema, &part["items"], item, what);
    }
}

/// The object has exactly the members that the schema requires.
fn check_required(schema: &Value, part: &Value, value: &Value, what: &str) {
    let required = resolve(schema, part)["required"].as_array().unwrap();
    let found: Vec<Value> = value.as_object().unwrap().keys().cloned().map(Value::from).collect();
    assert_eq!(*required, found, "{what}");
}

/// serde's derived code would read structs from arrays; two spellings would be two verdicts.
#[test]
fn no_object_can_be_written_as_an_array() {
    for kind in Kind::ALL {
        let full: Value =
            serde_json::from_slice(&samples::event(*kind, Extent::Full).encode().unwrap()).unwrap();
        let mut paths = Vec::new();
        objects(&full, "", &mut paths);
        for path in paths {
            let mut changed = full.clone();
            let object = changed.pointer_mut(&path).unwrap();
            *object = object.as_object().unwrap().values().cloned().collect();
            let refusal = Event::decode(&canonical::write(&changed).unwrap()).unwrap_err();
            assert_eq!(refusal.defect, Defect::EventMalformed, "{kind}{path}");
        }
    }
}

#[test]
fn unknown_members_are_passed_over_everywhere() {
    for kind in Kind::ALL {
        let event = samples::event(*kind, Extent::Full);
        let full: Value = serde_json::from_slice(&event.encode().unwrap()).unwrap();
        let mut paths = Vec::new();
        objects(&full, "", &mut paths);
        for path in paths {
            let mut changed = full.clone();
            let object = changed.pointer_mut(&path).unwrap().as_object_mut().unwrap();
            object.insert("zzz".to_owned(), serde_json::json!([{ "any": -1 }, null]));
            assert_eq!(
                Event::decode(&canonical::write(&changed).unwrap()).unwrap(),
                event,
                "{kind}{path}"
            );
        }
    }
}

#[test]
fn an_event_may_have_16_kib_and_not_one_byte_more() {
    let mut event = samples::event(Kind::WorkerJoined, Extent::Least);
    let events::body::Body::WorkerJoined(worker) = &mut event.body else { panic!() };
    worker.models = vec!["m".repeat(120).parse().unwrap(); 200];
    let refusal = event.encode().unwrap_err();
    assert_eq!(refusal.defect, Defect::EventTooLarge);
    let bytes = vec![b' '; MAX_EVENT_BYTES + 1];
    assert_eq!(Event::decode(&bytes).unwrap_err().defect, Defect::EventTooLarge);
    assert_eq!(Event::decode(&bytes[1..]).unwrap_err().defect, Defect::EventNotCanonical);
}

#[test]
fn a_number_that_json_cannot_carry_is_not_written() {
    let mut event = samples::event(Kind::NodeHeartbeat, Extent::Least);
    let events::body::Body::NodeHeartbeat(beat) = &mut event.body else { panic!() };
    beat.dropped = 1 << 53;
    assert_eq!(event.encode().unwrap_err().defect, Defect::EventNotCanonical);
}
