//! The publisher's integration tests, one binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod kafka;
mod spool;
mod translate;
