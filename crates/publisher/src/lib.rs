//! publisher

pub mod intake;
pub mod spool;
pub mod translate;
