//! HTTP over what is known: scores with their evidence, jobs with every party's claims, windows, exports, live events.
//!
//! The API reads. It writes nothing but what its signed-in users ask to be kept, through a trait that `naap` passes in
//! ([`private`]); it never computes a score (`sla` does) and never decides whose word counts. What it
//! cannot tell is null with a reason; what it cannot read in a request is a problem document, never a default.
//!
//! Reading order: [`state`] is what `naap` passes in ([`health`], [`metrics`], [`live`], [`exports`]), [`problem`] and
//! [`query`] are how requests are refused and read, `router` lists every path, `routes` holds one file a path, `answer`
//! is what they return, `guard` what every request passes, `delivery` how every answer leaves, [`serve`] is the door.

pub mod changes;
pub mod explaining;
pub mod exports;
pub mod feed;
pub mod health;
pub mod live;
pub mod metrics;
pub mod private;
pub mod regions;
pub mod routing;
pub mod sign_in;
pub mod state;

mod count;

pub mod problem;
pub mod query;

mod answer;
mod cursor;
mod delegates;
mod latest;
mod moment;
mod number;
mod schema;

mod scope;
mod series;
mod windowed;

mod asyncapi;
mod delivery;
mod describing;
mod guard;
mod paths;
mod router;
mod routes;

pub mod serve;

mod error;

pub use error::Error;
pub use private::Private;
pub use router::{asyncapi, openapi, router};
pub use serve::serve;
pub use state::{Limits, Parts, State};
