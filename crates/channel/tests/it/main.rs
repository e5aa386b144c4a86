//! The suite against every channel of this crate, and what is particular to each.
//! Everything binds port 0 on loopback, and every wait is bounded.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod embedded;
mod faults;
mod http;
