//! The ledger from outside: damage, crashes, concurrency, and a model to compare it with.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod batches;

mod chains;
mod concurrency;
mod crash;
mod damage;
mod model;
