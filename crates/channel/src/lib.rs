//! Carries opaque bytes from many publishers to many subscribers over channels that `naap` picks at run time.
//! It never knows an event, a signature or a key, and it is never the record: what a receiver keeps is the receiver's.
//!
//! A message is bytes plus its *chain*, the partition key (the publisher's key in hex, though this crate never looks).
//! [`embedded`] joins publishers and subscribers of one process, [`http`] joins any two peers,
//! [`faults`] spoils either of them by a seed, and [`conformance`] is the suite that every channel passes.

mod error;
mod gate;
mod traits;

pub mod address;
pub mod conformance;
pub mod embedded;
pub mod faults;
pub mod http;

pub use error::{Error, Result};
pub use traits::{
    Backfill, BoxFuture, CHAIN_BYTES_MAX, Capabilities, Channel, Cursor, Delivery, Head, Lease,
    Message, Order, Publish, Receipt, Selector, Start, Subscribe, Subscription, check,
};
