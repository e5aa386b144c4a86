//! From claims to jobs: what each party said about one job, read as tenures that owe obligations.
//!
//! Each gateway tells its own [`story`] of a job. A story is split where it falls silent or has ended and lingered
//! ([`episode`]); inside it each orchestrator has a [`tenure`]; each tenure owes [`obligation`]s with one due time each.
//! [`coverage`] says whether a gateway's silence is a statement.

pub mod coverage;
pub mod episode;
pub mod hourly;
pub mod obligation;
pub mod story;
pub mod tenure;
