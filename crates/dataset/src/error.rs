//! What cannot be made a table, or cannot be written. It logs nothing and repairs nothing.

use std::io;
use std::path::{Path, PathBuf};

use events::event::Network;
use events::identity::PublisherKey;

use crate::table::Kind;

/// Why a table was not made, or a folder not written or read.
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
    /// Text that is to become a folder's name and is none.
    #[error("{text:?} is not {wanted}")]
    Name {
        /// The text, cut.
        text: String,
        /// What it should be.
        wanted: &'static str,
    },
    /// A manifest that nobody signed as it is, or that is none.
    #[error("cannot use the manifest: {why}")]
    Manifest {
        /// What is wrong first.
        why: String,
    },
    /// As [`Self::Manifest`], and in which file.
    #[error("{path} is not what was signed: {why}; restore it, or remove it and publish again")]
    Spoiled {
        /// The manifest.
        path: PathBuf,
        /// What is wrong first.
        why: String,
    },
    /// A manifest was to be signed with another key than it names.
    #[error("cannot sign for {key} with another key")]
    OtherKey {
        /// The key that the manifest names.
        key: PublisherKey,
    },
    /// A folder holds another network's dataset.
    #[error("{path} holds the network {found}, not {wanted}: name another folder")]
    OtherNetwork {
        /// The folder.
        path: PathBuf,
        /// What it holds.
        found: Network,
        /// What was to be published.
        wanted: Network,
    },
    /// A folder is written by another process.
    #[error("{path} is being published to by another process: wait for it, or name another folder")]
    Busy {
        /// The folder.
        path: PathBuf,
    },
    /// A folder holds something else than a dataset.
    #[error("{path} holds {name:?} and no dataset: name a new or empty folder")]
    Foreign {
        /// The folder.
        path: PathBuf,
        /// What was found in it.
        name: String,
    },
    /// The file system said no.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }

    /// The same, and in which file a manifest stands.
    pub(crate) fn at(self, path: &Path) -> Self {
        match self {
            Self::Manifest { why } => Self::Spoiled { path: path.to_owned(), why },
            other => other,
        }
    }
}
