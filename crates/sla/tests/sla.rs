//! The laws of settling and scoring, and the worked examples in `cases/` that specify what a score means.
//!
//! Nothing here asks the time or the network; files are read from the checkout only, and written only on
//! `UPDATE=1` and where `NAAP_EXPORTS` says.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::disallowed_methods)]

#[path = "sla/cast.rs"]
mod cast;

#[path = "sla/policies.rs"]
mod policies;

#[path = "sla/settling.rs"]
mod settling;

#[path = "sla/cases.rs"]
mod cases;

#[path = "sla/world.rs"]
mod world;

#[path = "sla/laws.rs"]
mod laws;

#[path = "sla/records.rs"]
mod records;

#[path = "sla/admission.rs"]
mod admission;

#[path = "sla/numbers.rs"]
mod numbers;

#[path = "sla/exports.rs"]
mod exports;
#[path = "sla/rules.rs"]
mod rules;

#[path = "sla/explaining.rs"]
mod explaining;

#[path = "sla/judging.rs"]
mod judging;

#[path = "sla/sources.rs"]
mod sources;

#[path = "sla/statistics.rs"]
mod statistics;

#[path = "sla/peers.rs"]
mod peers;

#[path = "sla/sums.rs"]
mod sums;

#[path = "sla/evidence.rs"]
mod evidence;

#[path = "sla/routing.rs"]
mod routing;

#[path = "sla/candidates.rs"]
mod candidates;

#[path = "sla/supply.rs"]
mod supply;

#[path = "sla/routes.rs"]
mod routes;

#[path = "sla/replaying.rs"]
mod replaying;
