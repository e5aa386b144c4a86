//! How far two reporters agree about the jobs they both spoke of.

use std::collections::BTreeMap;

use events::identity::Address;
use serde::{Deserialize, Serialize};

use super::add;

events::words! {
    /// In what two reporters contradict each other.
    Disagreement {
        /// One says that the work came to something, the other that it failed.
        Outcome = "outcome",
        /// The one who answers counts more frames than the teller and the tolerance allow.
        InflatedFps = "inflated_fps",
        /// The teller counts more frames than the one who answers and the tolerance allow.
        InflatedFpsOfTeller = "inflated_fps_of_teller",
        /// Their times for the same thing lie further apart than the tolerance allows.
        ClockSkew = "clock_skew",
    }
}

/// Who told of jobs, and somebody else who had a part in them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PairKey {
    /// The operator that had the work, or a tester that saw it.
    pub other: Address,
    /// Who told of it.
    pub teller: Address,
}

/// What came of comparing their words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Tenures they both spoke of.
    pub both: u64,
    /// In how many of them they disagreed in at least one thing.
    pub disputed: u64,
    /// In how many of them they disagreed, by thing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disagreed: BTreeMap<Disagreement, u64>,
    /// Tenures that the teller says the other had, and of which the other said nothing.
    pub unmirrored: u64,
}

impl Pair {
    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.both, other.both);
        add(&mut self.disputed, other.disputed);
        for (disagreement, count) in &other.disagreed {
            add(self.disagreed.entry(*disagreement).or_default(), *count);
        }
        add(&mut self.unmirrored, other.unmirrored);
    }
}
