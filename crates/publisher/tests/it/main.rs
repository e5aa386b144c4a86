//! The publisher's integration tests, one binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod file;
mod http;
mod kafka;
mod outbox;
mod spool;
mod translate;
