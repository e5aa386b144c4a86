//! Named, typed columns of equal length, in which any value may be unknown. It never guesses a kind from a value.
//!
//! Values are kept by column, because that is how Parquet wants them; rows go in one at a time and come out never.

mod json;
pub mod schema;

use std::collections::BTreeSet;
use std::fmt;

use crate::Error;

/// The most columns of a table.
pub const COLUMNS_MAX: usize = 1024;

/// The largest integer, positive or negative, that every reader of JSON and CSV keeps exactly.
pub const INTEGER_MAX: u64 = (1 << 53) - 1;

/// What a cell takes beside its text.
const CELL_BYTES: usize = 24;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// True or false.
    Boolean,
    /// A whole number from -[`INTEGER_MAX`] to [`INTEGER_MAX`].
    Integer,
    /// Any JSON value as compact JSON text: lists, and objects whose members are not known beforehand.
    Json,
    /// A binary64 number; never NaN and never infinite.
    Number,
    /// UTF-8 text; also whole numbers that are larger than an integer may be.
    Text,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Boolean => "boolean",
            Self::Integer => "integer",
            Self::Json => "json",
            Self::Number => "number",
            Self::Text => "text",
        })
    }
}

/// One column. Each of its values may be unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// What it holds.
    pub kind: Kind,
    /// What it is called, unit last; `outer.inner` where it is a member of an object.
    pub name: String,
}

impl Column {
    /// A column of that name and kind.
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { kind, name: name.into() }
    }
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// For a column of booleans.
    Boolean(bool),
    /// For a column of integers.
    Integer(i64),
    /// For a column of numbers.
    Number(f64),
    /// For a column of text, or of JSON that is written out already.
    Text(String),
    /// Unknown, for any column.
    Unknown,
    /// For a column of integers.
    Unsigned(u64),
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Boolean(value)
    }
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Unsigned(value.into())
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Unsigned(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(value: Option<V>) -> Self {
        value.map_or(Self::Unknown, Into::into)
    }
}

/// The values of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cells {
    Boolean(Vec<Option<bool>>),
    Integer(Vec<Option<i64>>),
    Number(Vec<Option<f64>>),
    Text(Vec<Option<String>>),
}

impl Cells {
    fn of(kind: Kind) -> Self {
        match kind {
            Kind::Boolean => Self::Boolean(Vec::new()),
            Kind::Integer => Self::Integer(Vec::new()),
            Kind::Json | Kind::Text => Self::Text(Vec::new()),
            Kind::Number => Self::Number(Vec::new()),
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Boolean(cells) => cells.clear(),
            Self::Integer(cells) => cells.clear(),
            Self::Number(cells) => cells.clear(),
            Self::Text(cells) => cells.clear(),
        }
    }
}

/// Rows under named and typed columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    cells: Vec<Cells>,
    columns: Vec<Column>,
    rows: usize,
    /// About how many bytes the cells take in memory, by which a writer bounds what it holds.
    held_bytes: usize,
}

impl Table {
    /// A table without rows. An error where a name stands twice, or there are no columns or more than [`COLUMNS_MAX`].
    pub fn new(columns: Vec<Column>) -> Result<Self, Error> {
        if columns.is_empty() || columns.len() > COLUMNS_MAX {
            return Err(Error::ColumnCount { found: columns.len(), most: COLUMNS_MAX });
        }
        let mut names = BTreeSet::new();
        for column in &columns {
            if !names.insert(column.name.as_str()) {
                return Err(Error::ColumnTwice { name: column.name.clone() });
            }
        }
        let cells = columns.iter().map(|column| Cells::of(column.kind)).collect();
        Ok(Self { cells, columns, rows: 0, held_bytes: 0 })
    }

    /// The columns, in the order in which they are written.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// About how many bytes its cells take in memory; the same on every machine.
    pub fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Adds a row, one value for each column in their order. Where one does not fit its column, the row is not added.
    pub fn push(&mut self, row: Vec<Value>) -> Result<(), Error> {
        if row.len() != self.columns.len() {
            return Err(Error::Width { found: row.len(), wanted: self.columns.len() });
        }
        for (column, value) in self.columns.iter().zip(&row) {
            check(column, value)?;
        }
        for (cells, value) in self.cells.iter_mut().zip(row) {
            self.held_bytes += CELL_BYTES + keep(cells, value);
        }
        self.rows += 1;
        Ok(())
    }

    /// Takes the rows away and keeps the columns.
    pub(crate) fn clear(&mut self) {
        self.cells.iter_mut().for_each(Cells::clear);
        self.rows = 0;
        self.held_bytes = 0;
    }

    /// The values by column, in the order of the columns.
    pub(crate) fn cells(&self) -> &[Cells] {
        &self.cells
    }
}

/// An error unless the value may stand in that column.
fn check(column: &Column, value: &Value) -> Result<(), Error> {
    let mismatch = |found: String| {
        Err(Error::Mismatch { column: column.name.clone(), found, kind: column.kind })
    };
    let too_large = |value: String| Err(Error::TooLarge { column: column.name.clone(), value });
    match (column.kind, value) {
        (_, Value::Unknown)
        | (Kind::Boolean, Value::Boolean(_))
        | (Kind::Text | Kind::Json, Value::Text(_)) => Ok(()),
        (Kind::Integer, Value::Integer(value)) if value.unsigned_abs() > INTEGER_MAX => {
            too_large(value.to_string())
        }
        (Kind::Integer, Value::Unsigned(value)) if *value > INTEGER_MAX => {
            too_large(value.to_string())
        }
        (Kind::Integer, Value::Integer(_) | Value::Unsigned(_)) => Ok(()),
        (Kind::Number, Value::Number(value)) if value.is_finite() => Ok(()),
        (_, Value::Boolean(value)) => mismatch(format!("the boolean {value}")),
        (_, Value::Integer(value)) => mismatch(format!("the integer {value}")),
        (_, Value::Unsigned(value)) => mismatch(format!("the integer {value}")),
        (_, Value::Number(value)) => mismatch(format!("the number {value}")),
        (_, Value::Text(text)) => mismatch(format!("the text {:?}", short(text))),
    }
}

/// Keeps a value that [`check`] passed, and says how many bytes of text it has.
fn keep(cells: &mut Cells, value: Value) -> usize {
    let bytes = if let Value::Text(text) = &value { text.len() } else { 0 };
    match cells {
        Cells::Boolean(cells) => cells.push(match value {
            Value::Boolean(value) => Some(value),
            _ => None,
        }),
        Cells::Integer(cells) => cells.push(match value {
            Value::Integer(value) => Some(value),
            Value::Unsigned(value) => i64::try_from(value).ok(),
            _ => None,
        }),
        Cells::Number(cells) => cells.push(match value {
            Value::Number(value) => Some(value),
            _ => None,
        }),
        Cells::Text(cells) => cells.push(match value {
            Value::Text(value) => Some(value),
            _ => None,
        }),
    }
    bytes
}

/// The beginning of a text, for a message.
fn short(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(kind: Kind) -> Table {
        Table::new(vec![Column::new("a", kind)]).unwrap()
    }

    #[test]
    fn a_value_fits_its_column_or_is_named() {
        let edge = i64::try_from(INTEGER_MAX).unwrap();
        let good: [(Kind, Value); 9] = [
            (Kind::Boolean, true.into()),
            (Kind::Integer, edge.into()),
            (Kind::Integer, (-edge).into()),
            (Kind::Integer, INTEGER_MAX.into()),
            (Kind::Number, 0.5.into()),
            (Kind::Text, "".into()),
            (Kind::Json, "[1]".into()),
            (Kind::Text, Value::Unknown),
            (Kind::Integer, None::<u64>.into()),
        ];
        for (kind, value) in good {
            table(kind).push(vec![value]).unwrap();
        }
        let bad: [(Kind, Value, &str); 8] = [
            (Kind::Integer, (edge + 1).into(), "9007199254740992"),
            (Kind::Integer, (-edge - 1).into(), "-9007199254740992"),
            (Kind::Integer, u64::MAX.into(), "18446744073709551615"),
            (Kind::Integer, 1.0.into(), "the number 1"),
            (Kind::Number, f64::NAN.into(), "NaN"),
            (Kind::Number, f64::INFINITY.into(), "inf"),
            (Kind::Text, 1u64.into(), "the integer 1"),
            (Kind::Boolean, "true".into(), "the text \"true\""),
        ];
        for (kind, value, named) in bad {
            let mut table = table(kind);
            let error = table.push(vec![value]).unwrap_err().to_string();
            assert!(error.contains(named) && error.contains("\"a\""), "{error}");
            assert_eq!(table, self::table(kind), "a row that does not fit leaves nothing");
        }
    }

    #[test]
    fn a_row_is_added_whole_or_not_at_all() {
        let columns = vec![Column::new("a", Kind::Text), Column::new("b", Kind::Integer)];
        let mut table = Table::new(columns).unwrap();
        table.push(vec!["x".into(), u64::MAX.into()]).unwrap_err();
        table.push(vec!["x".into()]).unwrap_err();
        assert_eq!((table.rows(), table.held_bytes()), (0, 0));
        table.push(vec!["xy".into(), Value::Unknown]).unwrap();
        assert_eq!((table.rows(), table.held_bytes()), (1, 2 * CELL_BYTES + 2));
    }

    #[test]
    fn columns_have_names_of_their_own() {
        let column = || Column::new("a", Kind::Text);
        assert!(matches!(
            Table::new(vec![column(), column()]),
            Err(Error::ColumnTwice { name }) if name == "a"
        ));
        assert!(matches!(Table::new(Vec::new()), Err(Error::ColumnCount { found: 0, .. })));
        let many = (0..=COLUMNS_MAX).map(|at| Column::new(at.to_string(), Kind::Text)).collect();
        assert!(matches!(Table::new(many), Err(Error::ColumnCount { .. })));
    }
}
