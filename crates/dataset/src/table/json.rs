//! Rows that come as JSON: members go to the columns of their dotted names. It drops nothing and makes nothing up.

use serde_json::Value as Json;

use super::{Column, Kind, Table, Value, short};
use crate::Error;

impl Table {
    /// Adds a row that is a JSON object.
    ///
    /// A column `outer.inner` holds member `inner` of object `outer`; a column of kind [`Kind::Json`] holds the value
    /// as it is, as compact text. What is absent or null, or whose outer object is, is unknown. A member for which there
    /// is no column is an error, and so is a value of another kind; then the row is not added.
    pub fn push_json(&mut self, row: &Json) -> Result<(), Error> {
        let Json::Object(members) = row else {
            return Err(Error::Schema {
                what: format!("the row {}", short(&row.to_string())),
                wanted: "a row is an object",
            });
        };
        for (name, value) in members {
            described(self.columns(), name, value)?;
        }
        let row = self.columns().iter().map(|column| value(column, row));
        let row = row.collect::<Result<Vec<_>, _>>()?;
        self.push(row)
    }
}

/// An error unless each value within a member has a column.
fn described(columns: &[Column], path: &str, value: &Json) -> Result<(), Error> {
    if columns.iter().any(|column| column.name == path) {
        return Ok(());
    }
    let is_within =
        |column: &Column| column.name.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'));
    match value {
        // Whatever would stand in it is unknown; the columns of what it could be are elsewhere, or nowhere.
        Json::Null => Ok(()),
        Json::Object(members) if columns.iter().any(is_within) => members
            .iter()
            .try_for_each(|(name, value)| described(columns, &format!("{path}.{name}"), value)),
        _ => Err(Error::Undescribed { path: path.to_owned() }),
    }
}

/// What a column holds of a row.
fn value(column: &Column, row: &Json) -> Result<Value, Error> {
    let Some(found) = find(row, &column.name) else { return Ok(Value::Unknown) };
    let mismatch = || Error::Mismatch {
        column: column.name.clone(),
        found: short(&found.to_string()),
        kind: column.kind,
    };
    match (column.kind, found) {
        (_, Json::Null) => Ok(Value::Unknown),
        (Kind::Boolean, Json::Bool(value)) => Ok(Value::Boolean(*value)),
        (Kind::Integer, Json::Number(number)) => {
            let signed = number.as_i64().map(Value::Integer);
            signed.or_else(|| number.as_u64().map(Value::Unsigned)).ok_or_else(mismatch)
        }
        (Kind::Number, Json::Number(number)) => {
            number.as_f64().map(Value::Number).ok_or_else(mismatch)
        }
        (Kind::Json, any) => Ok(Value::Text(any.to_string())),
        (Kind::Text, Json::String(text)) => Ok(Value::Text(text.clone())),
        _ => Err(mismatch()),
    }
}

/// What stands at a dotted name. A member whose own name has dots goes before an object.
fn find<'a>(row: &'a Json, path: &str) -> Option<&'a Json> {
    if let Some(found) = row.get(path) {
        return Some(found);
    }
    path.match_indices('.').find_map(|(at, _)| {
        let (outer, inner) = path.split_at(at);
        find(row.get(outer)?, inner.strip_prefix('.')?)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::csv;

    fn table() -> Table {
        let columns = vec![
            Column::new("id", Kind::Text),
            Column::new("flag", Kind::Boolean),
            Column::new("of.count", Kind::Integer),
            Column::new("of.deep.share", Kind::Number),
            Column::new("tags", Kind::Json),
        ];
        Table::new(columns).unwrap()
    }

    #[test]
    fn members_go_to_the_columns_of_their_names() {
        let mut table = table();
        for row in [
            json!({"id": "a", "flag": true, "of": {"count": -3, "deep": {"share": 0.25}}, "tags": ["x", 1]}),
            json!({"id": "b", "of": {"count": null, "deep": null}, "tags": {"k": "v"}}),
            json!({"id": "c", "of": null, "tags": "x"}),
            json!({"of.count": 7, "of": {"deep.share": 2}}),
            json!({}),
        ] {
            table.push_json(&row).unwrap();
        }
        let expected = "id,flag,of.count,of.deep.share,tags\r\n\
             a,true,-3,0.25,\"[\"\"x\"\",1]\"\r\n\
             b,,,,\"{\"\"k\"\":\"\"v\"\"}\"\r\n\
             c,,,,\"\"\"x\"\"\"\r\n\
             ,,7,2,\r\n\
             ,,,,\r\n";
        assert_eq!(csv::encode(&table), expected);
    }

    #[test]
    fn what_no_column_holds_is_named() {
        for (row, named) in [
            (json!({"id": "a", "new": 1}), "\"new\""),
            (json!({"of": {"extra": 1}}), "\"of.extra\""),
            (json!({"of": {"deep": {"x": {"y": 1}}}}), "\"of.deep.x\""),
            (json!({"of": 3}), "\"of\""),
            (json!({"id": 3}), "\"id\""),
            (json!({"flag": "yes"}), "\"flag\""),
            (json!({"of": {"count": 1.5}}), "\"of.count\""),
            (json!({"of": {"count": u64::MAX}}), "\"of.count\""),
            (json!([1]), "[1]"),
        ] {
            let mut table = table();
            let error = table.push_json(&row).unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
            assert_eq!(table.rows(), 0);
        }
    }
}
