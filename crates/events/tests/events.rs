//! The laws of the public contract, the signed vectors, and the files generated from the types.
//!
//! Nothing here asks the time or the network; files are read from the checkout only.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "../examples/generate/files.rs"]
mod files;

#[path = "events/strategies.rs"]
mod strategies;

#[path = "events/bytes.rs"]
mod bytes;

#[path = "events/statements.rs"]
mod statements;

#[path = "events/transport.rs"]
mod transport;

#[path = "events/contract.rs"]
mod contract;
