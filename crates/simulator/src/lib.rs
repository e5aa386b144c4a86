//! A seeded network that speaks go-livepeer's own wire, and whose other nodes speak for themselves.
//!
//! One seed makes one cast of operators, keys and machines, and one endless play of sessions, requests, segments,
//! tests and mishaps in virtual time. Gateways say go-livepeer's envelopes; orchestrators, workers, testers and the
//! controller say events of their own. Everything is network `simulation`.
//! This crate never asks the time, touches no file and no socket, and uses no floating point: the same seed, options
//! and beginning give the same bytes on every machine.
//!
//! Reading order: [`options`] is what can be set, [`cast`] who there is, [`world`] what happens, [`truth`] what really
//! happened, [`sealer`] how statements become batches.
#![deny(clippy::float_arithmetic)]

pub mod options;

mod catalog;
mod chance;

pub mod cast;

mod envelope;

pub mod truth;
pub mod world;

pub mod sealer;
