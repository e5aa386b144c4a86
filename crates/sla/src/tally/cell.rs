//! Rows of counts: what one is about, and what it holds.

use std::collections::{BTreeMap, BTreeSet};

use events::body::Reason;
use events::event::{Origin, Workload};
use events::identity::{Address, GatewayName, Label, Model, NodeId, Pipeline, Region, ServiceUrl};
use events::unit::MAX_JSON_INTEGER;
use serde::{Deserialize, Serialize};

use super::add;
use super::outcome::{Counts, Obligation};
use crate::histogram::Histogram;

/// Who is judged. An operator that no mapping resolved is kept under the names it was seen by.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The node that spoke for itself, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node: Option<NodeId>,
    /// The operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Address>,
    /// The signer, only where the operator is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Address>,
    /// Where it answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<ServiceUrl>,
}

/// The kind of work that is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkClass {
    /// The model, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The pipeline, where known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    /// The workload.
    pub workload: Workload,
}

events::words! {
    /// What rows are kept apart by, where a policy asks for it.
    Apart {
        /// The gateway that an unsigned feed named.
        Gateway = "gateway",
        /// The hardware that was offered for the model.
        Hardware = "hardware",
        /// Whether the model was offered warm.
        Warm = "warm",
    }
}

events::words! {
    /// What is measured in numbers.
    Measure {
        /// Milliseconds from the assignment to the first output.
        FirstOutputMs = "first_output_ms",
        /// Milliseconds from the assignment to output that lasts, or the whole answer.
        EndToEndMs = "end_to_end_ms",
        /// Thousandths of frames per second that came in, a status each.
        FpsInMilli = "fps_in_milli",
        /// Thousandths of frames per second that went out, a status each.
        FpsOutMilli = "fps_out_milli",
        /// How far the frames out of an hour strayed from their mean, in parts per million of it.
        JitterPpm = "jitter_ppm",
        /// Milliseconds that a segment plays; kept value by value or not at all.
        SegmentMs = "segment_ms",
        /// Milliseconds that a segment took; kept value by value or not at all.
        SegmentTookMs = "segment_took_ms",
        /// The time a segment took, in parts per million of the time it plays.
        RealtimePpm = "realtime_ppm",
        /// Thousandths of tokens per second.
        TokensPerSecondMilli = "tokens_per_second_milli",
    }
}

/// What one row of counts is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CellKey {
    /// The block of time, counted from 1970 in the policy's block length.
    pub block: u64,
    /// What was compared.
    pub class: WorkClass,
    /// Whether only unsigned feeds told of it.
    pub collected: bool,
    /// The gateway that an unsigned feed named, where rows are kept apart by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayName>,
    /// The hardware that was offered for the model, where rows are kept apart by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Label>,
    /// Whether it was wanted or a test.
    pub origin: Origin,
    /// The region of those who reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Everybody on the gateway's side who reported it, sorted.
    pub reporters: Vec<Address>,
    /// Who is judged.
    pub subject: Subject,
    /// Whether the model was offered warm, where rows are kept apart by it and it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warm: Option<bool>,
}

/// The counts of one row.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Which pairs contradicted each other how often: reporter, then orchestrator.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<(Address, Address, u64)>,
    /// Why tenures failed or were left.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failures: BTreeMap<Reason, u64>,
    /// How what is measured is spread, for people to look at.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub measured: BTreeMap<Measure, Histogram>,
    /// The outcomes.
    pub obligations: BTreeMap<Obligation, Counts>,
    /// Tenures that began in the hour.
    pub tenures: u64,
    /// What a policy asked to keep value by value: how often each was measured.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<Measure, BTreeMap<u64, u64>>,
}

impl Cell {
    /// Whether it counts anything that a result is made of, as against histograms alone.
    pub fn counts(&self) -> bool {
        self.tenures > 0 || !self.obligations.is_empty()
    }

    /// Counts one measured number, and keeps the number itself where the policy asks for it.
    pub fn measure(&mut self, measure: Measure, value: u64, kept: &BTreeSet<Measure>) {
        self.measured.entry(measure).or_default().add(value);
        if kept.contains(&measure) {
            let value = value.min(MAX_JSON_INTEGER);
            add(self.values.entry(measure).or_default().entry(value).or_default(), 1);
        }
    }

    /// Counts one contradiction between a reporter and an orchestrator.
    pub fn contradict(&mut self, reporter: Address, orchestrator: Address, count: u64) {
        match self
            .contradictions
            .binary_search_by_key(&(reporter, orchestrator), |row| (row.0, row.1))
        {
            Ok(at) => {
                if let Some(row) = self.contradictions.get_mut(at) {
                    add(&mut row.2, count);
                }
            }
            Err(at) => self.contradictions.insert(at, (reporter, orchestrator, count)),
        }
    }

    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (obligation, counts) in &other.obligations {
            self.obligations.entry(*obligation).or_default().merge(counts);
        }
        for (reporter, orchestrator, count) in &other.contradictions {
            self.contradict(*reporter, *orchestrator, *count);
        }
        for (reason, count) in &other.failures {
            add(self.failures.entry(*reason).or_default(), *count);
        }
        for (measure, histogram) in &other.measured {
            self.measured.entry(*measure).or_default().merge(histogram);
        }
        for (measure, values) in &other.values {
            let kept = self.values.entry(*measure).or_default();
            values.iter().for_each(|(value, count)| add(kept.entry(*value).or_default(), *count));
        }
        add(&mut self.tenures, other.tenures);
    }
}
