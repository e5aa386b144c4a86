//! Vectors: inputs with the verdict that every implementation must give. The verdicts are stated here, not computed.

pub mod batches;
pub mod delegations;
pub mod digests;
pub mod frames;
pub mod statements;

use events::refusal::Defect;
use serde_json::{Value, json};

/// An input that must be refused, with the code it must be refused by.
fn bad(name: &str, member: &str, input: &str, defect: Defect) -> Value {
    json!({ "name": name, member: input, "code": defect.code() })
}
