//! What can go wrong with us, as against an input we will not use.

use std::path::PathBuf;

/// An error of the pipeline.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The record could not be read or written.
    #[error(transparent)]
    Ledger(#[from] ledger::Error),
    /// The warehouse could not be read or written.
    #[error(transparent)]
    Warehouse(#[from] warehouse::Error),
    /// The ledger lacks records that the warehouse was made from.
    #[error(
        "the warehouse was made from {noted} records and the ledger holds {kept}: it is an older copy; put the whole one \
         back, or delete the warehouse's files to have them made again from this one"
    )]
    Behind {
        /// Records the warehouse was made from.
        noted: u64,
        /// Records in the ledger.
        kept: u64,
    },
    /// A batch that the ledger acknowledged cannot be read back.
    #[error("ledger record {ordinal} cannot be read as the batch it was accepted as: {why}")]
    Unreadable {
        /// The record.
        ordinal: u64,
        /// Why.
        why: String,
    },
    /// A file of an export could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Something that was asked for does not exist.
    #[error("{0}")]
    Absent(String),
}

impl Error {
    /// Whether trying again can help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_retryable(),
            Self::Warehouse(error) => error.is_retryable(),
            Self::File { .. } => true,
            Self::Behind { .. } | Self::Unreadable { .. } | Self::Absent(_) => false,
        }
    }
}
