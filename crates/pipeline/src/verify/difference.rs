//! Where two documents differ first, in words. It reads nothing and judges nothing.

use std::collections::BTreeSet;

use serde_json::Value;

/// The first place, in the order of the bytes, where two values differ.
pub fn first_difference(path: &str, claimed: &Value, found: &Value) -> Option<String> {
    match (claimed, found) {
        _ if claimed == found => None,
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let at = |of: &serde_json::Map<String, Value>, name: &String| {
                of.get(name).cloned().unwrap_or(Value::Null)
            };
            names.into_iter().find_map(|name| {
                first_difference(&format!("{path}/{name}"), &at(one, name), &at(other, name))
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            let pairs = one.iter().zip(other).enumerate();
            let inner = pairs.into_iter().find_map(|(at, (one, other))| {
                first_difference(&format!("{path}/{at}"), one, other)
            });
            let lengths = || {
                format!(
                    "{path}: the scorecard has {} entries, these files give {}",
                    one.len(),
                    other.len()
                )
            };
            inner.or_else(|| Some(lengths()))
        }
        _ => Some(format!(
            "{path}: the scorecard says {}, these files give {}",
            short(claimed),
            short(found)
        )),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}
