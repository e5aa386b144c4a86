//! A policy: what is measured and how it becomes a score, as one file that is hashed into every scorecard.
//!
//! A policy is data. Unknown members, wrong units and values out of range are refused with the place and the reason.

use std::collections::BTreeMap;

use events::event::Workload;
use events::identity::Digest;
use events::unit::{MilliFps, Millis, Ppm};
use serde::{Deserialize, Serialize};

use crate::tally::Obligation;
use crate::trust::Unusable;

/// The policy that holds where none is named.
pub const DEFAULT: &str = include_str!("../../../policies/reliability-1.toml");

/// The longest a job may stay silent and still be one job; it bounds how far around an hour its input reaches.
pub const IDLE_MAX: Millis = Millis(600_000);

/// What is measured for one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// The share of the smaller of input and target that output must reach; none where frames are not counted.
    pub fps_share_ppm: Option<Ppm>,
    /// The frames per second a model is asked for.
    pub fps_target_milli: Option<MilliFps>,
    /// After so long in silence a job has ended and nobody knows how.
    pub idle_ms: Millis,
    /// The first output, or the answer, counts as in time up to here.
    pub latency_objective_ms: Option<Millis>,
    /// Output that lasts, or the answer, is due so long after the assignment.
    pub output_patience_ms: Millis,
    /// A tenure must live so long in an hour to owe quality in it; none where quality is not measured.
    pub quality_after_ms: Option<Millis>,
    /// A segment is in time if its latency is at most this share of the time it plays.
    pub realtime_share_ppm: Option<Ppm>,
    /// The first sign of life is due so long after the assignment; none where only the answer counts.
    pub start_patience_ms: Option<Millis>,
    /// The workload.
    pub workload: Workload,
}

/// The table of what to measure. A tally is keyed by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observe {
    /// The length of a block within which failures are taken to be one event.
    pub block_ms: Millis,
    /// One row a workload.
    pub class: Vec<Class>,
    /// How long a chain must go on after a due time before silence counts as a statement.
    pub grace_ms: Millis,
    /// How long after its end a job still hears what other parties say of it.
    pub linger_ms: Millis,
}

/// How counts become a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The obligations whose pooled share is the score.
    pub obligations: Vec<Obligation>,
    /// Fewer good, bad and disputed ones than this are too little evidence.
    pub obligations_min: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    title: String,
    observe: Observe,
    score: Rule,
}

/// A policy and the hash of the file it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// SHA-256 of the file as it is.
    pub hash: Digest,
    /// Its name, never used again for another.
    pub id: String,
    /// What is measured.
    pub observe: Observe,
    /// How it becomes a score.
    pub score: Rule,
    /// The file itself.
    pub text: String,
    /// What it is, in a line.
    pub title: String,
}

impl Policy {
    /// Reads a policy from its TOML text.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let file: File = toml::from_str(text).map_err(|error| unusable(error.to_string()))?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if file.id.is_empty() || file.id.len() > 64 || !file.id.chars().all(plain) {
            return Err(unusable(format!(
                "id {:?} is not lower-case letters, digits and hyphens",
                file.id
            )));
        }
        file.observe.check()?;
        if file.score.obligations.is_empty() {
            return Err(unusable("score.obligations is empty".to_owned()));
        }
        Ok(Self {
            hash: Digest::of(&[text.as_bytes()]),
            id: file.id,
            observe: file.observe,
            score: file.score,
            text: text.to_owned(),
            title: file.title,
        })
    }

    /// The policy that holds where none is named.
    pub fn standard() -> Self {
        Self::parse(DEFAULT).expect("the default policy is checked by a test")
    }
}

impl Observe {
    /// The row for a workload, if it is measured.
    pub fn class(&self, workload: Workload) -> Option<&Class> {
        self.class.iter().find(|class| class.workload == workload)
    }

    /// The hash that keys a tally.
    pub fn hash(&self) -> Digest {
        crate::scorecard::digest_of(self)
    }

    fn check(&self) -> Result<(), Unusable> {
        let mut seen = BTreeMap::new();
        for class in &self.class {
            let name = class.workload;
            if seen.insert(name, ()).is_some() {
                return Err(unusable(format!("observe.class {name} stands twice")));
            }
            if class.idle_ms > IDLE_MAX || class.idle_ms < Millis(1_000) {
                return Err(unusable(format!(
                    "observe.class {name}: idle_ms outside 1 000 to {}",
                    IDLE_MAX.0
                )));
            }
            let shares = [class.fps_share_ppm, class.realtime_share_ppm];
            if shares.iter().flatten().any(|share| share.0 > 10_000_000) {
                return Err(unusable(format!("observe.class {name}: a share over 10 000 000 ppm")));
            }
            let spans = [
                class.start_patience_ms,
                Some(class.output_patience_ms),
                class.latency_objective_ms,
                class.quality_after_ms,
            ];
            if spans.into_iter().flatten().any(|span| span > Millis(3_600_000)) {
                return Err(unusable(format!("observe.class {name}: a span over one hour")));
            }
        }
        let within = |value: Millis, most: u64| value.0 > 0 && value.0 <= most;
        if !within(self.block_ms, 3_600_000) || 3_600_000 % self.block_ms.0 != 0 {
            return Err(unusable("observe.block_ms does not divide an hour".to_owned()));
        }
        if !within(self.grace_ms, 300_000) || !within(self.linger_ms, 300_000) {
            return Err(unusable("observe.grace_ms or linger_ms outside 1 to 300 000".to_owned()));
        }
        Ok(())
    }
}

fn unusable(why: String) -> Unusable {
    Unusable { file: "policy", why }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_reads() {
        let policy = Policy::standard();
        assert_eq!(policy.id, "reliability-1");
        for workload in Workload::ALL {
            assert!(policy.observe.class(*workload).is_some(), "{workload}");
        }
    }

    #[test]
    fn a_wrong_policy_says_where() {
        let wrong = [
            ("id = \"reliability-1\"", "id = \"Reliability 1\"", "id"),
            ("block_ms = 600000", "block_ms = 700000", "block_ms"),
            ("\"start\", ", "\"begin\", ", "begin"),
            ("grace_ms = 60000", "grace_ms = -1", "grace_ms"),
            ("latency_objective_ms = 5000", "latency_objective_ms = 5000000", "live-video"),
            ("workload = \"llm\"", "workload = \"byoc\"", "twice"),
            ("obligations_min = 20", "obligations_min = 20\nweight = 3", "weight"),
        ];
        for (from, to, named) in wrong {
            let why = Policy::parse(&DEFAULT.replace(from, to)).unwrap_err().why;
            assert!(why.contains(named), "{named}: {why}");
        }
    }
}
