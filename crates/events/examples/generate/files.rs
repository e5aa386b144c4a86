//! Every generated file with its text; `generate` writes them and the tests compare them. Nothing here touches a disk.

pub mod reference;
pub mod samples;
pub mod vectors;

use serde_json::Value;

/// The guide that holds a generated part.
pub const GUIDE: &str = "docs/events.md";

/// Each generated file, by its path from the root of the checkout. `guide` is the present text of [`GUIDE`].
pub fn files(guide: &str) -> Vec<(&'static str, String)> {
    vec![
        (GUIDE, reference::replace(guide)),
        ("schemas/event.schema.json", text(&events::schema::event())),
        ("schemas/batch-header.schema.json", text(&events::schema::batch_header())),
        ("schemas/delegation.schema.json", text(&events::schema::delegation())),
        ("schemas/vectors/batches.json", text(&vectors::batches::vectors())),
        ("schemas/vectors/delegations.json", text(&vectors::delegations::vectors())),
        ("schemas/vectors/digests.json", text(&vectors::digests::digests())),
        ("schemas/vectors/events.json", text(&vectors::statements::vectors())),
        ("schemas/vectors/frames.json", text(&vectors::frames::vectors())),
        ("schemas/vectors/job-ids.json", text(&vectors::digests::job_ids())),
        ("schemas/vectors/merkle.json", text(&vectors::digests::merkle())),
    ]
}

/// A file's text: members in the order of their names, whatever order serde_json was built to keep.
fn text(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).expect("a value has string keys");
    text.push('\n');
    text
}

fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(members) => {
            let mut members: Vec<_> =
                members.iter().map(|(name, member)| (name.clone(), sorted(member))).collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(members.into_iter().collect())
        }
        scalar => scalar.clone(),
    }
}
