//! The warehouse's homes from outside.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod contract;
mod crash;
mod files;
