//! The columns of a row that a JSON Schema of an OpenAPI 3.1 document describes. It looks at no row.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{Column, Kind, short};
use crate::Error;

/// How deep objects within objects become columns; what lies deeper, as in a type that holds itself, is JSON text.
pub const DEPTH_MAX: usize = 6;

/// The columns of an object, by name, given the document that its references (`#/components/schemas/…`) point into.
///
/// Members that are objects with described members give a column for each of those, `outer.inner`; lists, maps, and
/// what may be of several kinds give one of [`Kind::Json`]. `null` beside a kind says nothing new: any value of a column
/// may be unknown. An error where a reference points nowhere, or the row is not described as an object with members.
pub fn columns(document: &Json, row: &Json) -> Result<Vec<Column>, Error> {
    let Shape::Object(members) = shape(document, row, 0)? else {
        return Err(Error::Schema {
            what: short(&row.to_string()),
            wanted: "a row is an object whose properties are described",
        });
    };
    let mut columns = Vec::new();
    gather(document, "", members, 0, &mut columns)?;
    Ok(columns)
}

/// What a schema describes, as far as columns care.
enum Shape<'a> {
    One(Kind),
    Object(BTreeMap<&'a str, &'a Json>),
}

/// Adds the columns of an object's members, by name.
fn gather<'a>(
    document: &'a Json,
    outer: &str,
    members: BTreeMap<&'a str, &'a Json>,
    depth: usize,
    columns: &mut Vec<Column>,
) -> Result<(), Error> {
    for (name, schema) in members {
        let path = if outer.is_empty() { name.to_owned() } else { format!("{outer}.{name}") };
        match shape(document, schema, 0)? {
            Shape::One(kind) => columns.push(Column::new(path, kind)),
            Shape::Object(_) if depth + 1 >= DEPTH_MAX => {
                columns.push(Column::new(path, Kind::Json));
            }
            Shape::Object(members) => gather(document, &path, members, depth + 1, columns)?,
        }
    }
    Ok(())
}

/// What a schema describes. `hops` counts references and alternatives on the way, so that a circle of them ends.
fn shape<'a>(document: &'a Json, schema: &'a Json, hops: usize) -> Result<Shape<'a>, Error> {
    if hops > DEPTH_MAX {
        return Ok(Shape::One(Kind::Json));
    }
    if let Some(reference) = schema.get("$ref").and_then(Json::as_str) {
        let target = reference.strip_prefix('#').and_then(|path| document.pointer(path));
        let target = target.ok_or_else(|| Error::Schema {
            what: format!("the reference {:?}", short(reference)),
            wanted: "it points to a schema of the same document",
        })?;
        return shape(document, target, hops + 1);
    }
    for word in ["oneOf", "anyOf"] {
        if let Some(alternatives) = schema.get(word).and_then(Json::as_array) {
            return one_of(document, alternatives, hops);
        }
    }
    if let Some(parts) = schema.get("allOf").and_then(Json::as_array) {
        return all_of(document, schema, parts, hops);
    }
    Ok(plain(schema))
}

/// The one alternative beside `null`; kinds that agree are one kind, others are JSON.
fn one_of<'a>(
    document: &'a Json,
    alternatives: &'a [Json],
    hops: usize,
) -> Result<Shape<'a>, Error> {
    let is_null = |schema: &Json| schema.get("type").and_then(Json::as_str) == Some("null");
    let mut shapes = Vec::new();
    for schema in alternatives.iter().filter(|schema| !is_null(schema)) {
        shapes.push(shape(document, schema, hops + 1)?);
    }
    let all_are = |kind: Kind| {
        shapes.iter().all(|shape| matches!(shape, Shape::One(found) if *found == kind))
    };
    let agreed = match shapes.first() {
        Some(Shape::One(kind)) if all_are(*kind) => Some(*kind),
        _ => None,
    };
    match (agreed, shapes.len(), shapes.pop()) {
        (Some(kind), ..) => Ok(Shape::One(kind)),
        (None, 1, Some(shape)) => Ok(shape),
        _ => Ok(Shape::One(Kind::Json)),
    }
}

/// The members of all parts, and those beside them. A single part that is no object is what it is.
fn all_of<'a>(
    document: &'a Json,
    schema: &'a Json,
    parts: &'a [Json],
    hops: usize,
) -> Result<Shape<'a>, Error> {
    let mut members = properties(schema);
    let mut last = None;
    for part in parts {
        match shape(document, part, hops + 1)? {
            Shape::Object(more) => members.extend(more),
            Shape::One(kind) => last = Some(kind),
        }
    }
    Ok(match (members.is_empty(), last) {
        (true, Some(kind)) if parts.len() == 1 => Shape::One(kind),
        (false, None) => Shape::Object(members),
        _ => Shape::One(Kind::Json),
    })
}

/// What a schema without references and alternatives describes.
fn plain(schema: &Json) -> Shape<'_> {
    let words: Vec<&str> = match schema.get("type") {
        Some(Json::String(word)) => vec![word.as_str()],
        Some(Json::Array(words)) => {
            words.iter().filter_map(Json::as_str).filter(|word| *word != "null").collect()
        }
        _ => Vec::new(),
    };
    let is_enum_of_text = || {
        let values = schema.get("enum").and_then(Json::as_array);
        values.is_some_and(|values| values.iter().all(|value| value.is_string() || value.is_null()))
    };
    Shape::One(match words.as_slice() {
        ["boolean"] => Kind::Boolean,
        ["integer"] => Kind::Integer,
        ["number"] | ["integer", "number"] | ["number", "integer"] => Kind::Number,
        ["string"] => Kind::Text,
        [] if schema.get("const").is_some_and(Json::is_string) || is_enum_of_text() => Kind::Text,
        ["object"] | [] => {
            let members = properties(schema);
            let is_open = schema.get("additionalProperties").is_some_and(|more| more != false);
            if members.is_empty() || is_open {
                return Shape::One(Kind::Json);
            }
            return Shape::Object(members);
        }
        _ => Kind::Json,
    })
}

/// The members that a schema describes itself, by name.
fn properties(schema: &Json) -> BTreeMap<&str, &Json> {
    let members = schema.get("properties").and_then(Json::as_object);
    members.into_iter().flatten().map(|(name, schema)| (name.as_str(), schema)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(row: Json) -> Result<Vec<String>, Error> {
        let document = json!({"components": {"schemas": {
            "Row": row,
            "Inner": {"type": "object", "properties": {"b": {"type": "integer"}, "a": {"type": "string"}}},
            "Grade": {"oneOf": [{"type": "string", "const": "high"}, {"const": "low"}]},
            "Tree": {"type": "object", "properties": {"next": {"$ref": "#/components/schemas/Tree"}, "at": {"type": "integer"}}},
            "Loop": {"$ref": "#/components/schemas/Loop"}
        }}});
        let columns = columns(&document, &json!({"$ref": "#/components/schemas/Row"}))?;
        Ok(columns.iter().map(|column| format!("{} {}", column.name, column.kind)).collect())
    }

    #[test]
    fn columns_are_read_off_the_description() {
        let row = json!({"type": "object", "properties": {
            "text": {"type": ["string", "null"]},
            "integer": {"type": "integer", "format": "int64"},
            "share": {"type": "number"},
            "flag": {"type": "boolean"},
            "list": {"type": "array", "items": {"type": "string"}},
            "map": {"type": "object", "additionalProperties": {"type": "integer"}},
            "inner": {"$ref": "#/components/schemas/Inner"},
            "maybe": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Inner"}]},
            "both": {"allOf": [{"$ref": "#/components/schemas/Inner"}, {"type": "object", "properties": {"c": {"type": "boolean"}}}]},
            "named": {"allOf": [{"type": "string"}], "description": "x"},
            "grade": {"$ref": "#/components/schemas/Grade"},
            "word": {"enum": ["a", "b"]},
            "either": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
            "any": {},
            "round": {"$ref": "#/components/schemas/Loop"}
        }});
        let expected = [
            "any json",
            "both.a text",
            "both.b integer",
            "both.c boolean",
            "either json",
            "flag boolean",
            "grade text",
            "inner.a text",
            "inner.b integer",
            "integer integer",
            "list json",
            "map json",
            "maybe.a text",
            "maybe.b integer",
            "named text",
            "round json",
            "share number",
            "text text",
            "word text",
        ];
        assert_eq!(of(row).unwrap(), expected);
    }

    #[test]
    fn a_type_that_holds_itself_ends() {
        let row = json!({"$ref": "#/components/schemas/Tree"});
        let columns = of(row).unwrap();
        assert_eq!(columns.len(), DEPTH_MAX + 1);
        assert_eq!(columns.last().unwrap(), "next.next.next.next.next.next json");
    }

    #[test]
    fn what_describes_no_row_is_an_error() {
        for row in [
            json!({"type": "string"}),
            json!({"type": "object"}),
            json!({"type": "array", "items": {}}),
            json!({"type": "object", "properties": {"a": {"$ref": "#/components/schemas/None"}}}),
            json!({"type": "object", "properties": {"a": {"$ref": "elsewhere"}}}),
        ] {
            assert!(matches!(of(row.clone()), Err(Error::Schema { .. })), "{row}");
        }
    }
}
