//! As much of JSON Schema as our descriptions use: what does not fit a schema is named by its place. A word that is not
//! known here fails, so that nothing passes unlooked at.

use serde_json::Value;

/// Words that say nothing about what fits.
const SILENT: &[&str] = &[
    "description",
    "title",
    "example",
    "examples",
    "format",
    "default",
    "deprecated",
    "contentMediaType",
];

/// What of a value does not fit a schema of a document.
pub fn faults(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(document, schema, value, "", &mut faults);
    faults
}

fn check(document: &Value, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let Some(words) = schema.as_object() else {
        if *schema == false {
            faults.push(format!("{at}: nothing fits"));
        }
        return;
    };
    let fits = |schema: &Value| self::faults(document, schema, value).is_empty();
    for (word, said) in words {
        let is_met = match word.as_str() {
            "$ref" => {
                let target = said.as_str().and_then(|to| document.pointer(to.strip_prefix('#')?));
                let Some(target) = target else {
                    faults.push(format!("{at}: {said} points nowhere"));
                    continue;
                };
                check(document, target, value, at, faults);
                true
            }
            "allOf" => {
                for part in said.as_array().unwrap() {
                    check(document, part, value, at, faults);
                }
                true
            }
            "anyOf" => said.as_array().unwrap().iter().any(fits),
            "oneOf" => said.as_array().unwrap().iter().filter(|part| fits(part)).count() == 1,
            "if" => {
                let then = if fits(said) { words.get("then") } else { words.get("else") };
                then.into_iter().for_each(|then| check(document, then, value, at, faults));
                true
            }
            "then" | "else" => true,
            "not" => !fits(said),
            "type" => match said {
                Value::Array(kinds) => kinds.iter().any(|kind| is_of(kind, value)),
                kind => is_of(kind, value),
            },
            "enum" => said.as_array().unwrap().contains(value),
            "const" => said == value,
            "minimum" => value.as_f64().is_none_or(|number| number >= said.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= said.as_f64().unwrap()),
            "minLength" => length(value).is_none_or(|length| length >= said.as_u64().unwrap()),
            "maxLength" => length(value).is_none_or(|length| length <= said.as_u64().unwrap()),
            "minItems" => items(value).is_none_or(|count| count >= said.as_u64().unwrap()),
            "maxItems" => items(value).is_none_or(|count| count <= said.as_u64().unwrap()),
            "uniqueItems" | "minProperties" | "maxProperties" => true,
            // Patterns are held where the texts are parsed.
            "pattern" => true,
            "required" | "properties" | "additionalProperties" | "propertyNames" | "items" => {
                parts(document, schema, value, (word, said), at, faults)
            }
            silent => SILENT.contains(&silent) || silent.starts_with("x-"),
        };
        if !is_met {
            faults.push(format!("{at}: {value} is not {word} {said}"));
        }
    }
}

/// Looks at the members of an object or the items of a list, as one word has them.
fn parts(
    document: &Value,
    schema: &Value,
    value: &Value,
    (word, said): (&str, &Value),
    at: &str,
    faults: &mut Vec<String>,
) -> bool {
    let members = || value.as_object().into_iter().flatten();
    match word {
        "required" => {
            let has = |name: &Value| value.get(name.as_str().unwrap()).is_some();
            return !value.is_object() || said.as_array().unwrap().iter().all(has);
        }
        "properties" => {
            for (name, member) in members() {
                if let Some(part) = said.get(name) {
                    check(document, part, member, &format!("{at}/{name}"), faults);
                }
            }
        }
        "additionalProperties" => {
            let known = schema.get("properties");
            for (name, member) in members() {
                if known.and_then(|known| known.get(name)).is_none() {
                    check(document, said, member, &format!("{at}/{name}"), faults);
                }
            }
        }
        "items" => {
            for (number, item) in value.as_array().into_iter().flatten().enumerate() {
                check(document, said, item, &format!("{at}/{number}"), faults);
            }
        }
        // The names of members are held where they are parsed.
        _ => {}
    }
    true
}

fn is_of(kind: &Value, value: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is no kind"),
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_str().map(|text| text.chars().count() as u64)
}

fn items(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}
