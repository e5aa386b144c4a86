//! How counts become a score: the constants of one method, as they stand in a policy's `[score]`.

use std::collections::BTreeSet;

use events::event::Workload;
use events::unit::{Millis, Ppm};
use serde::{Deserialize, Serialize};

use super::Wrong;
use super::observe::Observe;
use crate::score::bound::Confidence;
use crate::score::compose::SIXTEENTHS;
use crate::score::{leaderboard, quality};
use crate::tally::outcome::Obligation;

events::words! {
    /// How a policy comes to a score.
    #[derive(Default)]
    Method {
        /// The share of all obligations together.
        #[default]
        Pooled = "pooled",
        /// Lower bounds over independent sources, composed.
        Evidence = "evidence",
        /// The leaderboard's scores, for comparison.
        Leaderboard = "leaderboard",
        /// The peer's scores of live video, for comparison.
        QualityBenchmark = "quality-benchmark",
    }
}

/// How counts become a score.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rule {
    /// See [`Method::Evidence`].
    Evidence(Evidence),
    /// See [`Method::Leaderboard`].
    Leaderboard(leaderboard::Constants),
    /// See [`Method::Pooled`].
    Pooled(Pooled),
    /// See [`Method::QualityBenchmark`].
    Quality(quality::Constants),
}

/// The constants of [`Method::Pooled`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pooled {
    /// Which table this is.
    #[serde(default)]
    pub method: Method,
    /// The obligations whose pooled share is the score.
    pub obligations: Vec<Obligation>,
    /// Fewer good, bad and disputed ones than this are too little evidence.
    pub obligations_min: u64,
}

/// One part of a composite score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Its name, unique in its workload.
    pub name: String,
    /// The obligations it counts.
    pub obligations: BTreeSet<Obligation>,
    /// Its weight in sixteenths; the weights of a workload's components sum to sixteen.
    pub weight: u32,
    /// The workload.
    pub workload: Workload,
}

/// When so many operators fail at once that it is no longer theirs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// At least this share of an operator's obligations failed.
    pub bad_share_ppm: Ppm,
    /// At most this share of what a source told of an operator is excused.
    pub excused_share_max_ppm: Ppm,
    /// An operator had at least so many obligations.
    pub obligations_min: u64,
    /// At least so many parties of operators.
    pub operators_min: u64,
}

/// The constants of [`Method::Evidence`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// Which table this is.
    pub method: Method,
    /// Behind the word of a source stands what others saw, up to so many times what it saw itself.
    pub cap_times: u64,
    /// The parts of each workload's score.
    #[serde(default)]
    pub component: Vec<Component>,
    /// How far sessions of one block are taken to fare alike.
    pub correlation_ppm: Ppm,
    /// A gateway is a source once it dealt with so many operators it is not linked to.
    pub counterparties_min: u64,
    /// Up to so many failures the bound is exact.
    pub exact_failures_max: u64,
    /// The share of the capped observations that counts as evidence.
    pub factor_ppm: Ppm,
    /// So many independent sources make grade A.
    pub grade_a_sources_min: u64,
    /// So many independent sources make grade B.
    pub grade_b_sources_min: u64,
    /// An operator's host is a link once so many reporters saw it there.
    pub host_tellers_min: u64,
    /// When failures are an outage.
    pub outage: Outage,
    /// An operator known for a shorter time has no score.
    pub record_min_ms: Millis,
    /// A gateway known for a shorter time is no source.
    pub source_age_min_ms: Millis,
    /// Fewer independent observations than this make no source.
    pub source_observations_min: u64,
    /// Names under which hosts of different owners stand, beside every name without a dot.
    pub suffixes: BTreeSet<String>,
    /// The chance that the truth lies below a bound.
    pub tail_ppm: Ppm,
    /// The quantile of the normal distribution that leaves the tail above it, in thousand millionths.
    pub z_nano: u64,
}

impl Evidence {
    /// The components of a workload, in the order of the file.
    pub fn components(&self, workload: Workload) -> impl Iterator<Item = &Component> {
        self.component.iter().filter(move |component| component.workload == workload)
    }

    /// How sure its bounds are.
    pub fn confidence(&self) -> Confidence {
        Confidence {
            exact_failures_max: self.exact_failures_max,
            tail: self.tail_ppm,
            z_nano: self.z_nano,
        }
    }

    fn check(&self, observe: &Observe) -> Result<(), Wrong> {
        let least = [
            ("cap_times", self.cap_times, 1, 1_000),
            ("counterparties_min", self.counterparties_min, 0, 1_000_000),
            ("correlation_ppm", u64::from(self.correlation_ppm.0), 0, 1_000_000),
            ("exact_failures_max", self.exact_failures_max, 0, 1_000),
            ("factor_ppm", u64::from(self.factor_ppm.0), 1, 1_000_000),
            ("grade_a_sources_min", self.grade_a_sources_min, self.grade_b_sources_min, 1_000),
            ("grade_b_sources_min", self.grade_b_sources_min, 2, 1_000),
            ("host_tellers_min", self.host_tellers_min, 1, 1_000),
            ("record_min_ms", self.record_min_ms.0, 0, YEAR_MS),
            ("source_age_min_ms", self.source_age_min_ms.0, 0, YEAR_MS),
            ("source_observations_min", self.source_observations_min, 1, 1_000_000),
            ("tail_ppm", u64::from(self.tail_ppm.0), 1, 500_000),
            ("z_nano", self.z_nano, 0, 10_000_000_000),
            ("bad_share_ppm", u64::from(self.outage.bad_share_ppm.0), 1, 1_000_000),
            ("excused_share_max_ppm", u64::from(self.outage.excused_share_max_ppm.0), 0, 1_000_000),
            ("operators_min", self.outage.operators_min, 2, 1_000_000),
        ];
        for (member, value, least, most) in least {
            if !(least..=most).contains(&value) {
                let why = format!("score.{member} is {value}, outside {least} to {most}");
                return Err(Wrong::at(member, why));
            }
        }
        self.check_components(observe)
    }

    fn check_components(&self, observe: &Observe) -> Result<(), Wrong> {
        let mut names = BTreeSet::new();
        for (at, component) in self.component.iter().enumerate() {
            let Component { name, obligations, weight, workload } = component;
            let wrong = |why: String| {
                let why = format!("score.component {name} of {workload}: {why}");
                Err(Wrong::in_table("[[score.component]]", at, why))
            };
            if !names.insert((workload, name)) {
                return wrong("it stands twice".to_owned());
            }
            if *weight == 0 || *weight > SIXTEENTHS {
                return wrong(format!("weight {weight} outside 1 to {SIXTEENTHS}"));
            }
            let Some(class) = observe.class(*workload) else {
                return wrong("the workload is not measured".to_owned());
            };
            let owed = class.owes();
            if let Some(none) = obligations.iter().find(|obligation| !owed.contains(obligation)) {
                return wrong(format!("{none} is not owed by it: observe.class has no objective"));
            }
            if obligations.is_empty() {
                return wrong("it counts no obligation".to_owned());
            }
        }
        for workload in Workload::ALL {
            let mine = || (0..).zip(&self.component).filter(|(_, it)| it.workload == *workload);
            let sum = mine().map(|(_, it)| u64::from(it.weight)).sum::<u64>();
            let last = mine().map(|(at, _)| at).last();
            if let Some(last) = last.filter(|_| sum != u64::from(SIXTEENTHS)) {
                let why = format!("the weights of {workload} sum to {sum}, not {SIXTEENTHS}");
                return Err(Wrong::in_table("[[score.component]]", last, why));
            }
            let counted =
                || mine().flat_map(|(at, it)| it.obligations.iter().map(move |o| (at, o)));
            let mut seen = BTreeSet::new();
            if let Some((at, twice)) = counted().find(|(_, obligation)| !seen.insert(*obligation)) {
                let why = format!("{twice} of {workload} counts in two components");
                return Err(Wrong::in_table("[[score.component]]", at, why));
            }
        }
        Ok(())
    }
}

/// What is wrong with a member, at its line.
fn named(checked: Result<(), (&'static str, String)>) -> Result<(), Wrong> {
    checked.map_err(|(member, why)| Wrong::at(member, format!("score.{member}: {why}")))
}

const YEAR_MS: u64 = 366 * 24 * 3_600_000;

impl Rule {
    /// Whether scores lean on the standing of those who speak, which a register keeps.
    pub fn asks_for_standing(&self) -> bool {
        matches!(self, Self::Evidence(_))
    }

    pub(super) fn check(&self, observe: &Observe) -> Result<(), Wrong> {
        match self {
            Self::Pooled(pooled) if pooled.obligations.is_empty() => {
                Err(Wrong::at("obligations", "score.obligations is empty"))
            }
            Self::Pooled(_) => Ok(()),
            Self::Evidence(evidence) => evidence.check(observe),
            Self::Leaderboard(constants) => named(constants.check()),
            Self::Quality(constants) => named(constants.check()),
        }
    }
}
