//! publisher

pub mod intake;
pub mod spool;
