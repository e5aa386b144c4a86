//! A table as CSV by RFC 4180: one header row, CRLF after each row, quotes only where they are needed.
//!
//! Unknown is an empty field and empty text is `""`, so that neither is taken for the other. Names of models and the like
//! are anybody's text, and a spreadsheet runs a text that begins as a formula does; so before such a text stands an
//! apostrophe, as OWASP has it ("CSV Injection"), and before one that begins with an apostrophe another. Whoever drops
//! one leading apostrophe of a text has it as it was. Numbers are never touched.

use std::borrow::Cow;
use std::fmt::Write;

use crate::table::{Cells, Table};

/// The table as one text, header first. In a table of one column an unknown value is an empty line, as the RFC has it.
pub fn encode(table: &Table) -> String {
    let mut text = String::new();
    for (at, column) in table.columns().iter().enumerate() {
        separate(&mut text, at);
        field(&mut text, &column.name);
    }
    text.push_str("\r\n");
    for row in 0..table.rows() {
        for (at, cells) in table.cells().iter().enumerate() {
            separate(&mut text, at);
            cell(&mut text, cells, row);
        }
        text.push_str("\r\n");
    }
    text
}

fn separate(text: &mut String, column: usize) {
    if column > 0 {
        text.push(',');
    }
}

/// Adds one value. Numbers are written in the shortest form that reads back as the same number.
fn cell(text: &mut String, cells: &Cells, row: usize) {
    fn known<T>(cells: &[Option<T>], row: usize) -> Option<&T> {
        cells.get(row).and_then(Option::as_ref)
    }
    let written = match cells {
        Cells::Boolean(cells) => known(cells, row).map(|value| write!(text, "{value}")),
        Cells::Integer(cells) => known(cells, row).map(|value| write!(text, "{value}")),
        Cells::Number(cells) => known(cells, row).map(|value| write!(text, "{value}")),
        Cells::Text(cells) => known(cells, row).map(|value| {
            field(text, &harmless(value));
            Ok(())
        }),
    };
    written.transpose().expect("writing to a string does not fail");
}

/// A text that no spreadsheet takes for a formula.
fn harmless(value: &str) -> Cow<'_, str> {
    if value.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']) {
        return Cow::Owned(format!("'{value}"));
    }
    Cow::Borrowed(value)
}

/// Adds a text, quoted where a reader would otherwise end it early, or take it for unknown.
fn field(text: &mut String, value: &str) {
    if !value.is_empty() && !value.contains([',', '"', '\r', '\n']) {
        text.push_str(value);
        return;
    }
    text.push('"');
    text.push_str(&value.replace('"', "\"\""));
    text.push('"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::table::{Column, Kind, Value};

    /// Reads what RFC 4180 allows, each field with whether it was quoted. Written apart from the code that writes.
    fn parse(text: &str) -> Vec<Vec<Option<String>>> {
        let mut rows = Vec::new();
        let mut chars = text.chars().peekable();
        while chars.peek().is_some() {
            let mut row = Vec::new();
            loop {
                let mut value = String::new();
                let is_quoted = chars.next_if_eq(&'"').is_some();
                loop {
                    match (is_quoted, chars.peek()) {
                        (true, Some('"')) => {
                            chars.next();
                            if chars.next_if_eq(&'"').is_none() {
                                break;
                            }
                            value.push('"');
                        }
                        (false, Some(',' | '\r')) | (_, None) => break,
                        (_, Some(_)) => value.extend(chars.next()),
                    }
                }
                row.push((is_quoted || !value.is_empty()).then_some(value));
                if chars.next_if_eq(&',').is_none() {
                    break;
                }
            }
            assert_eq!((chars.next(), chars.next()), (Some('\r'), Some('\n')));
            rows.push(row);
        }
        rows
    }

    #[test]
    fn unknown_and_empty_are_told_apart() {
        let columns = ["text", "a,b", "number", "integer", "flag"];
        let kinds = [Kind::Text, Kind::Text, Kind::Number, Kind::Integer, Kind::Boolean];
        let columns = columns.into_iter().zip(kinds).map(|(name, kind)| Column::new(name, kind));
        let mut table = Table::new(columns.collect()).unwrap();
        table.push(vec![Value::Unknown; 5]).unwrap();
        table
            .push(vec!["".into(), "=1+1".into(), 1e21.into(), (-7_i64).into(), false.into()])
            .unwrap();
        table
            .push(vec![
                "say \"hi\"\r\n".into(),
                " x ".into(),
                0.1.into(),
                0_u64.into(),
                true.into(),
            ])
            .unwrap();
        let expected = "text,\"a,b\",number,integer,flag\r\n\
            ,,,,\r\n\
            \"\",'=1+1,1000000000000000000000,-7,false\r\n\
            \"say \"\"hi\"\"\r\n\", x ,0.1,0,true\r\n";
        assert_eq!(encode(&table), expected);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(rows in prop::collection::vec(
            prop::collection::vec(prop::option::of("[a\"\n\r\t,=+@' é-]{0,6}"), 3), 0..8))
        {
            let columns = ["x", "y", "z"].map(|name| Column::new(name, Kind::Text));
            let mut table = Table::new(columns.to_vec()).unwrap();
            for row in &rows {
                table.push(row.iter().map(|value| value.clone().into()).collect()).unwrap();
            }
            let written = parse(&encode(&table));
            let texts = || written.iter().skip(1).flatten().flatten();
            prop_assert!(!texts().any(|text| text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n'])));
            let drop = |text: &String| text.strip_prefix('\'').unwrap_or(text).to_owned();
            let read: Vec<Vec<Option<String>>> = written.iter().skip(1)
                .map(|row| row.iter().map(|value| value.as_ref().map(drop)).collect()).collect();
            prop_assert_eq!(read.as_slice(), rows.as_slice());
        }
    }
}
