//! Tests of the pipeline against a simulated network: real ledgers, real warehouses, real signatures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod door;
mod laws;
mod probes;
mod repairs;
mod revisions;
mod support;
