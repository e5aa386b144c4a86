//! ETL in two steps: *intake* lets validly signed batches into the record, *settle* turns the record into facts.
//!
//! Intake acknowledges nothing before the ledger has synced it, and decides nothing about whose word counts. Settling
//! follows the ledger, shows the open hour within a second, and writes each hour's scorecard at fixed times; what a
//! number means it asks of `sla`. Neither asks the time: both are told by a [`Clock`].
//!
//! [`export`] writes what a scorecard rests on as plain files, and [`verify`] settles those files again;
//! [`rescore`] scores recorded windows under another policy.

use std::sync::Arc;

use events::unit::UnixMillis;

pub mod intake;
pub mod repair;

pub mod settle;

pub mod export;
pub mod rescore;
pub mod verify;

mod error;

pub use error::Error;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;
