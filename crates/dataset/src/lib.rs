//! Tables that leave the house: typed columns with unknowns, as CSV, as Parquet, and as a published folder.
//!
//! It knows no scorecard, no warehouse and no clock: whoever has rows says which [`Column`]s they have, and gets the
//! bytes. The same rows give the same bytes on every machine and at any time; nothing in a file tells when or where it
//! was written.
//!
//! # A list of the API
//!
//! What a list serves as JSON it serves as CSV and Parquet too, with the same names and the same values:
//! - [`table::schema::columns`] reads the columns off the list's row in the OpenAPI document, once, so that they depend
//!   on the description and never on which rows happen to be there;
//! - [`table::Table::push_json`] takes each row as `serde_json` has it, objects within it as `outer.inner`, lists as
//!   JSON text, what is absent or null as unknown; a member that the description does not have is an error, so that a
//!   description cannot fall behind unseen;
//! - [`csv::encode`] and [`parquet::encode`] make the body.
//!
//! ```
//! use dataset::table::{Table, schema};
//! use serde_json::json;
//!
//! let document = json!({"components": {"schemas": {"Row": {"type": "object", "properties": {
//!     "operator": {"type": "string"},
//!     "score": {"type": ["integer", "null"]}
//! }}}}});
//! let columns = schema::columns(&document, &json!({"$ref": "#/components/schemas/Row"}))?;
//! let mut table = Table::new(columns)?;
//! table.push_json(&json!({"operator": "0xab", "score": null}))?;
//! assert_eq!(dataset::csv::encode(&table), "operator,score\r\n0xab,\r\n");
//! # Ok::<(), dataset::Error>(())
//! ```
//!
//! Reading order: [`table`] is what is written, [`csv`] and [`mod@parquet`] how; [`manifest`] is what is signed of a
//! published [`folder`], and [`name`] which names may become paths in it.

pub mod table;

pub mod csv;
pub mod parquet;

pub mod folder;
pub mod manifest;
pub mod name;

mod error;

pub use error::Error;
