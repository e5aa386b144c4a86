//! What is measured: the due times and objectives that turn a tenure into obligations, by kind of work.
//!
//! A tally is made by one such table and keyed by its hash; nothing here says how counts become a score.

use std::collections::BTreeSet;

use events::event::Workload;
use events::identity::{Digest, Label, Model, Pipeline};
use events::unit::{HOUR_MS, MilliFps, Millis, Ppm};
use serde::{Deserialize, Serialize};

use super::Wrong;
use crate::tally::cell::{Apart, Measure, WorkClass};
use crate::tally::outcome::Obligation;

/// The longest a job may stay silent and still be one job; it bounds how far around an hour its input reaches.
pub const IDLE_MAX: Millis = Millis(600_000);

/// What is measured for one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Output that lasts, or the whole answer, counts as in time up to here; none where that is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end_objective_ms: Option<Millis>,
    /// The share of the smaller of input and target that output must reach; none where frames are not counted.
    pub fps_share_ppm: Option<Ppm>,
    /// The frames per second a model is asked for.
    pub fps_target_milli: Option<MilliFps>,
    /// After so long in silence a job has ended and nobody knows how.
    pub idle_ms: Millis,
    /// Frames out may stray from their mean by this share of it, on average over an hour; none where that is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_share_ppm: Option<Ppm>,
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
    /// The share of an hour's statuses that must tell of no error; none where that is not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status_share_ppm: Option<Ppm>,
    /// Whether a swap is judged as one obligation of its own, `stay`, and not as a bad ending.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub swaps_apart: bool,
    /// Thousandths of tokens per second that an answer must reach; none where tokens are not judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput_min_milli: Option<u64>,
    /// The workload.
    pub workload: Workload,
}

/// Other objectives for some work of a class. Of several that fit, the one that names most holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// See [`Class::end_to_end_objective_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end_to_end_objective_ms: Option<Millis>,
    /// See [`Class::fps_share_ppm`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps_share_ppm: Option<Ppm>,
    /// See [`Class::fps_target_milli`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fps_target_milli: Option<MilliFps>,
    /// The hardware it is for; any where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Label>,
    /// See [`Class::latency_objective_ms`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_objective_ms: Option<Millis>,
    /// The model it is for; any where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The pipeline it is for; any where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    /// See [`Class::throughput_min_milli`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throughput_min_milli: Option<u64>,
    /// The workload.
    pub workload: Workload,
}

/// How far apart the words of two reporters may lie before they contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compare {
    /// Times for the same thing.
    pub clock_tolerance_ms: Millis,
    /// Mean frames out, as a share of the lower of the two.
    pub fps_tolerance_ppm: Ppm,
}

/// The table of what to measure. A tally is keyed by its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Observe {
    /// What rows of a tally are kept apart by beside what they always are.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub apart: BTreeSet<Apart>,
    /// The length of a block within which failures are taken to be one event.
    pub block_ms: Millis,
    /// One row a workload.
    pub class: Vec<Class>,
    /// How the words of two reporters are compared; none where they are not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare: Option<Compare>,
    /// How long a chain must go on after a due time before silence counts as a statement.
    pub grace_ms: Millis,
    /// How long after its end a job still hears what other parties say of it.
    pub linger_ms: Millis,
    /// Other objectives for some work.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objective: Vec<Objective>,
    /// What is kept value by value, for policies that compare exact quantiles.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub values: BTreeSet<Measure>,
}

impl Objective {
    /// How much of the work it names; nothing if that is other work.
    fn fits(&self, work: &WorkClass, hardware: Option<&Label>) -> Option<usize> {
        fn named<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> Option<usize> {
            match wanted {
                None => Some(0),
                Some(_) => (wanted == found).then_some(1),
            }
        }
        let fits = named(self.pipeline.as_ref(), work.pipeline.as_ref())?
            + named(self.model.as_ref(), work.model.as_ref())?
            + named(self.hardware.as_ref(), hardware)?;
        (self.workload == work.workload).then_some(fits)
    }

    fn names(&self) -> (Workload, Option<&Pipeline>, Option<&Model>, Option<&Label>) {
        (self.workload, self.pipeline.as_ref(), self.model.as_ref(), self.hardware.as_ref())
    }

    fn change(&self, class: &mut Class) {
        fn set<T: Clone>(to: &mut Option<T>, from: &Option<T>) {
            if from.is_some() {
                to.clone_from(from);
            }
        }
        set(&mut class.end_to_end_objective_ms, &self.end_to_end_objective_ms);
        set(&mut class.fps_share_ppm, &self.fps_share_ppm);
        set(&mut class.fps_target_milli, &self.fps_target_milli);
        set(&mut class.latency_objective_ms, &self.latency_objective_ms);
        set(&mut class.throughput_min_milli, &self.throughput_min_milli);
    }
}

impl Observe {
    /// The row for a workload, if it is measured.
    pub fn class(&self, workload: Workload) -> Option<&Class> {
        self.class.iter().find(|class| class.workload == workload)
    }

    /// The row for a workload with the objectives of `work` on `hardware`; none where the row's own hold.
    pub fn special(&self, work: &WorkClass, hardware: Option<&Label>) -> Option<Class> {
        let fitting = self.objective.iter().filter_map(|it| Some((it.fits(work, hardware)?, it)));
        // Of equally many names the first listed holds; `max_by_key` would give the last.
        let (_, objective) = fitting.rev().max_by_key(|(names, _)| *names)?;
        let mut class = self.class(work.workload)?.clone();
        objective.change(&mut class);
        Some(class)
    }

    /// The hash that keys a tally.
    pub fn hash(&self) -> Digest {
        crate::scorecard::digest_of(self)
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        let within = |value: Millis, most: u64| value.0 > 0 && value.0 <= most;
        if !within(self.block_ms, HOUR_MS) || !HOUR_MS.is_multiple_of(self.block_ms.0) {
            return Err(Wrong::at("block_ms", "observe.block_ms does not divide an hour"));
        }
        if !within(self.grace_ms, 300_000) {
            return Err(Wrong::at("grace_ms", "observe.grace_ms outside 1 to 300 000"));
        }
        if !within(self.linger_ms, 300_000) {
            return Err(Wrong::at("linger_ms", "observe.linger_ms outside 1 to 300 000"));
        }
        let mut seen = BTreeSet::new();
        for (at, class) in self.class.iter().enumerate() {
            let wrong = |why: String| Wrong::in_table("[[observe.class]]", at, why);
            let name = class.workload;
            if !seen.insert(name) {
                return Err(wrong(format!("observe.class {name} stands twice")));
            }
            class.check().map_err(wrong)?;
        }
        let mut seen = BTreeSet::new();
        for (at, objective) in self.objective.iter().enumerate() {
            let wrong = |why: String| Wrong::in_table("[[observe.objective]]", at, why);
            let name = objective.workload;
            if !seen.insert(objective.names()) {
                return Err(wrong(format!(
                    "observe.objective for the same {name} work stands twice"
                )));
            }
            let Some(class) = self.class(name) else {
                return Err(wrong(format!("observe.objective for {name}, which is not measured")));
            };
            let mut class = class.clone();
            objective.change(&mut class);
            class.check().map_err(wrong)?;
        }
        Ok(())
    }
}

impl Class {
    /// What tenures of the class can owe.
    pub fn owes(&self) -> BTreeSet<Obligation> {
        let is_session = self.start_patience_ms.is_some();
        let by_hour = is_session && self.quality_after_ms.is_some();
        let has_latency = self.latency_objective_ms.is_some() || self.realtime_share_ppm.is_some();
        let asked = [
            (Obligation::Start, is_session),
            (Obligation::Output, true),
            (Obligation::Ending, is_session),
            (Obligation::Latency, has_latency),
            (Obligation::Quality, by_hour),
            (Obligation::EndToEnd, self.end_to_end_objective_ms.is_some()),
            (Obligation::Stay, is_session && self.swaps_apart),
            (Obligation::Jitter, by_hour && self.jitter_share_ppm.is_some()),
            (Obligation::Status, by_hour && self.status_share_ppm.is_some()),
            (Obligation::Throughput, !is_session && self.throughput_min_milli.is_some()),
        ];
        asked.into_iter().filter(|(_, is_owed)| *is_owed).map(|(owed, _)| owed).collect()
    }

    fn check(&self) -> Result<(), String> {
        let name = self.workload;
        if self.idle_ms > IDLE_MAX || self.idle_ms < Millis(1_000) {
            return Err(format!("observe.class {name}: idle_ms outside 1 000 to {}", IDLE_MAX.0));
        }
        let shares = [self.fps_share_ppm, self.realtime_share_ppm, self.jitter_share_ppm];
        if shares.iter().flatten().any(|share| share.0 > 10_000_000) {
            return Err(format!("observe.class {name}: a share over 10 000 000 ppm"));
        }
        if self.status_share_ppm.is_some_and(|share| share.0 > 1_000_000) {
            return Err(format!("observe.class {name}: status_share_ppm over 1 000 000"));
        }
        if self.throughput_min_milli.is_some_and(|rate| rate > 1_000_000_000) {
            return Err(format!("observe.class {name}: throughput_min_milli over 1 000 000 000"));
        }
        let spans = [
            self.start_patience_ms,
            Some(self.output_patience_ms),
            self.latency_objective_ms,
            self.end_to_end_objective_ms,
            self.quality_after_ms,
        ];
        if spans.into_iter().flatten().any(|span| span > Millis(HOUR_MS)) {
            return Err(format!("observe.class {name}: a span over one hour"));
        }
        Ok(())
    }
}
