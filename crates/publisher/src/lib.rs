//! The sidecar beside a node: hears what it says, keeps it, translates it, and signs and sends what may be public.
//!
//! [`intake`] hears (Kafka, HTTP, files) and [`spool`] keeps the raw, synced, before anything is acknowledged; the raw
//! never leaves the node. [`translate`] is the only place that knows go-livepeer's fields, and drops what is private.
//! [`outbox`] seals events into the node's chain, synced before anybody sees them, and [`pump`] ties the four together
//! and sends. [`identity`] is the node's name and key, [`pseudonym`] what it hides things behind. What an event means is
//! never asked here.

mod folder;
pub mod identity;
pub mod intake;
pub mod outbox;
pub mod pseudonym;
pub mod pump;
pub mod spool;
pub mod translate;
