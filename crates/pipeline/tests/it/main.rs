//! Tests of the pipeline against a simulated network: real ledgers, real warehouses, real signatures.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

mod crashes;
mod door;
mod killed;
mod laws;
mod probes;
mod repairs;
mod restarts;
mod revisions;
mod standing;
mod support;
mod windows;
