//! What can be said, by whom, and in which bytes.
//!
//! This crate fixes the public contract: identities and units, the event taxonomy, the canonical JSON an event is
//! written in, the signed batch that carries events, and the delegation that lets a key speak for an address.
//! It never asks the time, never touches a file or a socket, and never decides what an event *means* (`sla` does).
//!
//! Reading order: [`identity`] and [`mod@unit`] are the words, [`event`] and [`body`] the sentences, [`canonical`] their
//! bytes, [`merkle`], [`batch`] and [`wire`] the envelope, [`delegation`] the authority, [`refusal`] what we say no to; [`schema`]
//! says the same to machines.
#![deny(clippy::float_arithmetic)]

mod object;

pub mod identity;
pub mod unit;

pub mod body;
pub mod event;
pub mod job;

pub mod canonical;
pub mod merkle;

pub mod batch;
pub mod wire;

pub mod delegation;
pub mod refusal;
pub mod sign_in;

pub mod schema;
