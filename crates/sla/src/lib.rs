//! What it means: from a set of signed batches to scores that anyone can recompute to the last byte.
//!
//! Everything here is a pure, total function of its arguments in integers. Order, repetition and grouping of batches
//! never matter; nothing asks the time, touches a file, or remembers a call.
//!
//! Reading order: [`window`], [`trust`] and [`policy`] are the questions; [`opened`] and [`authority`] say whose word
//! counts ([`admit`]); [`mapping`], [`probes`] and [`join`] turn words into jobs with tenures and obligations;
//! [`tally`] counts them, [`register`] keeps who is known since when; [`hour`] is the whole of one hour, [`context`] what
//! it leans on; [`score`] and [`scorecard`] are the answer, [`explain`] says why, [`change`] what is worth telling of two
//! windows, [`route`] whom a gateway should ask for it. [`rollup`], [`supply`] and [`tested`] are for people to
//! look at.
#![deny(clippy::float_arithmetic)]

pub mod window;

pub mod policy;
pub mod trust;

pub mod admit;
pub mod authority;
pub mod opened;

pub mod join;
pub mod mapping;
pub mod probes;

pub mod histogram;
pub mod register;
pub mod rollup;
pub mod supply;
pub mod tally;
pub mod tested;

pub mod context;
pub mod hour;

pub mod score;
pub mod scorecard;

pub mod change;
pub mod explain;

pub mod route;
