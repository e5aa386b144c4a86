//! The publisher's integration tests, one binary.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod file;
mod full_disk;
mod http;
mod identity;
mod kafka;
mod outbox;
mod posted;
mod pump;
mod spool;
mod translate;
