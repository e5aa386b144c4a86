//! publisher

pub mod spool;
