//! The little that a door reads of an item: whether it is a JSON object, its id and its type.
//! It never judges an envelope; that is for the translation, which also says why.

use serde::Deserialize;
use serde_json::Value;

/// What a door knows of an item.
#[derive(Debug, PartialEq, Eq)]
pub struct Item {
    /// Its id, when that is a text.
    pub id: Option<String>,
    /// Its type, when that is a text.
    pub kind: Option<String>,
}

#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    id: Value,
    #[serde(default, rename = "type")]
    kind: Value,
}

/// Reads an item, which must be a JSON object.
///
/// # Errors
/// What it is instead.
pub fn read(text: &str) -> Result<Item, &'static str> {
    if !text.trim_start().starts_with('{') {
        return Err("it is no JSON object");
    }
    let fields: Fields =
        serde_json::from_str(text).map_err(|_| "it is no JSON object with one id and one type")?;
    let text = |value: Value| match value {
        Value::String(text) => Some(text),
        _ => None,
    };
    Ok(Item { id: text(fields.id), kind: text(fields.kind) })
}
