//! publisher

pub mod identity;
pub mod intake;
pub mod outbox;
pub mod pump;
pub mod spool;
pub mod translate;
