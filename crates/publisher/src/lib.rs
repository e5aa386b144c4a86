//! publisher

pub mod intake;
pub mod outbox;
pub mod spool;
pub mod translate;
