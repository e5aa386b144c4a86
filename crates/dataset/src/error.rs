//! What cannot be made a table, or cannot be written. It logs nothing and repairs nothing.

use crate::table::Kind;

/// Why a table was not made, or its bytes were not written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Two columns have one name.
    #[error("cannot make a table with two columns {name:?}: give each its own name")]
    ColumnTwice {
        /// The name.
        name: String,
    },
    /// A table has no columns, or too many.
    #[error("cannot make a table of {found} columns: it has 1 to {most}")]
    ColumnCount {
        /// How many were asked for.
        found: usize,
        /// The most there may be.
        most: usize,
    },
    /// A row is longer or shorter than the table is wide.
    #[error("cannot add a row of {found} values to a table of {wanted} columns")]
    Width {
        /// The values.
        found: usize,
        /// The columns.
        wanted: usize,
    },
    /// A value is of another kind than its column.
    #[error("cannot put {found} into column {column:?} of kind {kind}")]
    Mismatch {
        /// The column.
        column: String,
        /// The value, in short.
        found: String,
        /// What the column holds.
        kind: Kind,
    },
    /// An integer that a JSON reader would round.
    #[error("cannot put {value} into column {column:?}: it is beyond 2^53-1, publish it as text")]
    TooLarge {
        /// The column.
        column: String,
        /// The value.
        value: String,
    },
    /// A row of JSON has a member that no column holds.
    #[error("cannot put member {path:?} into the table: no column has that name")]
    Undescribed {
        /// Its name, dotted.
        path: String,
    },
    /// A description that is no description of a row.
    #[error("cannot read columns off {what}: {wanted}")]
    Schema {
        /// The part of the description.
        what: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// Parquet's writer failed: the sink did, or a bound of the format was passed.
    #[error("cannot {action} as parquet: {source}")]
    Parquet {
        /// What was tried.
        action: &'static str,
        /// What the writer said.
        source: ::parquet::errors::ParquetError,
    },
}
