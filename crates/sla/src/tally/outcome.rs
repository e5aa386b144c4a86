//! What a tenure owes, and what came of it.

use std::collections::BTreeMap;

use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use super::add;

events::words! {
    /// What a tenure owes.
    Obligation {
        /// A sign of life: the first output.
        Start = "start",
        /// Output that lasts, or the whole answer.
        Output = "output",
        /// An end that is not the orchestrator's fault.
        Ending = "ending",
        /// The first output within the objective.
        Latency = "latency",
        /// Frames within the objective, once an hour.
        Quality = "quality",
        /// Output that lasts, or the whole answer, within the objective.
        EndToEnd = "end_to_end",
        /// To keep the work until it ends.
        Stay = "stay",
        /// Frames that come evenly, once an hour.
        Jitter = "jitter",
        /// Statuses without errors, once an hour.
        Status = "status",
        /// Tokens as fast as the objective asks.
        Throughput = "throughput",
    }
}

events::words! {
    /// Why an obligation leaves the denominator.
    Excuse {
        /// The user left first.
        UserLeft = "user_left",
        /// The user's input failed.
        InputFailed = "input_failed",
        /// The gateway was at fault.
        GatewayFault = "gateway_fault",
        /// No orchestrator was to be had.
        NoOrchestrator = "no_orchestrator",
        /// Nobody could have served the request.
        InvalidRequest = "invalid_request",
        /// Nobody said how it ended.
        EndUnknown = "end_unknown",
    }
}

/// What came of an obligation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was met.
    Good,
    /// It was not, and the orchestrator answers for that.
    Bad,
    /// Nobody can tell, because the gateway's record has a hole.
    Missing,
    /// The orchestrator said in time that it had no room.
    Declined,
    /// The parties contradict each other.
    Disputed,
    /// It was not the orchestrator's to meet.
    Excused(Excuse),
}

/// How many obligations came to what.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Not met.
    pub bad: u64,
    /// Declined in time.
    pub declined: u64,
    /// Contradicted.
    pub disputed: u64,
    /// Excused, by reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub excused: BTreeMap<Excuse, u64>,
    /// Met.
    pub good: u64,
    /// Not told.
    pub missing: u64,
}

impl Counts {
    /// How many came to something. A disputed one did: nobody can say that it was met.
    pub fn known(&self) -> u64 {
        self.good.saturating_add(self.bad).saturating_add(self.disputed)
    }

    /// The share that was good, rounded down. A disputed obligation counts as not met (docs/scoring.md, "Results"; case
    /// 0016): else whoever failed would gain by claiming otherwise.
    pub fn share(&self) -> Option<Ppm> {
        Ppm::ratio_floor(self.good, self.known())
    }

    /// Counts one outcome.
    pub fn add(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Good => add(&mut self.good, 1),
            Outcome::Bad => add(&mut self.bad, 1),
            Outcome::Missing => add(&mut self.missing, 1),
            Outcome::Declined => add(&mut self.declined, 1),
            Outcome::Disputed => add(&mut self.disputed, 1),
            Outcome::Excused(excuse) => add(self.excused.entry(excuse).or_default(), 1),
        }
    }

    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.bad, other.bad);
        add(&mut self.declined, other.declined);
        add(&mut self.disputed, other.disputed);
        add(&mut self.good, other.good);
        add(&mut self.missing, other.missing);
        for (excuse, count) in &other.excused {
            add(self.excused.entry(*excuse).or_default(), *count);
        }
    }
}
