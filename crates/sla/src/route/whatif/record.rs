//! What a replay is made from: what was known before each day, and what came of the work of that day, as sums.
//!
//! Nothing here is a single job, and nobody who ordered one is named.

use events::identity::{Address, GatewayName};
use events::unit::{Millis, UnixMillis, Wei};
use serde::{Deserialize, Serialize};

use crate::route::candidate::Candidate;
use crate::score::fraction::Mean;
use crate::tally::cell::WorkClass;

/// What came of a day's work of one kind that one gateway gave to one operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// The jobs whose cost is known.
    pub cost_jobs: u64,
    /// What those cost together.
    pub cost_wei: Wei,
    /// The jobs that failed; no more than there were.
    pub failures: u64,
    /// Who gave the work: its name, or its address as text.
    pub gateway: GatewayName,
    /// The jobs.
    pub jobs: u64,
    /// Milliseconds to the first output, or the answer, of those for which it is known.
    pub latency_ms: Mean,
    /// Who did it.
    pub operator: Address,
    /// How long the jobs were served, all together; zero is unknown.
    pub served_ms: Millis,
    /// The kind of work.
    pub work: WorkClass,
}

/// One day of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Day {
    /// What was known when the day began, and nothing later.
    pub candidates: Vec<Candidate>,
    /// Its number since 1970-01-01.
    pub day: u64,
    /// What came of it.
    pub records: Vec<Record>,
    /// Where the scores of the candidates end; absent where there were none.
    pub scores_to: Option<UnixMillis>,
}

/// The most work of a kind that an operator was ever seen to carry in a day, or could by the rate of its busiest hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Carried {
    /// In jobs, where known.
    pub jobs_max: Option<u64>,
    /// Who carried it.
    pub operator: Address,
    /// In time served, where known.
    pub served_max_ms: Option<Millis>,
    /// The kind of work.
    pub work: WorkClass,
}

/// How much record a replay asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bounds {
    /// So many days before and after one stand in for it where it has too little.
    pub around_days: u64,
    /// So many jobs make a rate.
    pub jobs_min: u64,
}

impl Default for Bounds {
    /// A week around each day, and as many jobs as a source must see to count (docs/scoring.md, "Method `evidence`").
    fn default() -> Self {
        Self { around_days: 3, jobs_min: 20 }
    }
}
