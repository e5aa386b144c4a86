//! A scorecard: the results of a window with everything they rest on, in canonical bytes with one digest.
//!
//! The digested body names the window, the hashes of policy, trust file, context and standing facts, the event set and
//! the results. Revision, refusals, software and time of computation stand beside it and change no digest.

use events::event::{Network, Workload};
use events::identity::{Address, Digest, ServiceUrl};
use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use crate::hour::EventSet;
use crate::score::agreement::Agreement;
use crate::score::cluster::Cluster;
use crate::tally::add;
use crate::tally::cell::WorkClass;
use crate::tally::outcome::{Counts, Obligation};
use crate::window::Window;

/// The canonical bytes of a value without floats.
pub fn canonical_bytes<T: Serialize>(value: &T) -> Vec<u8> {
    // A value has one canonical form: what is in it as it is written needs no sorting. Maps by number or enum do.
    let written = serde_json::to_vec(value).expect("our types serialise");
    if events::canonical::check(&written).is_ok() {
        return written;
    }
    events::canonical::sort(&written).expect("our types have ASCII names and integers below 2^53")
}

/// SHA-256 over the canonical bytes of a value.
pub fn digest_of<T: Serialize>(value: &T) -> Digest {
    Digest::of(&[&canonical_bytes(value)])
}

events::words! {
    /// How much independent evidence stands behind a score.
    Grade {
        /// Three or more independent sources.
        A = "A",
        /// Two.
        B = "B",
        /// One.
        C = "C",
        /// Unsigned feeds alone.
        D = "D",
        /// Too little for a score.
        Insufficient = "insufficient",
    }
}

/// The outcomes of one kind of obligation, as a score saw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Indicator {
    /// The outcomes.
    pub counts: Counts,
    /// What was owed.
    pub obligation: Obligation,
    /// The share of good among good, bad and disputed, rounded down; absent where there is none of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<Ppm>,
}

/// What one source told of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceView {
    /// Obligations not met.
    pub bad: u64,
    /// Whether it saw enough to count.
    pub counts: bool,
    /// Obligations that are contested.
    pub disputed: u64,
    /// Obligations met.
    pub good: u64,
    /// How many independent observations that is worth, rounded down.
    pub observations: u64,
    /// How many sources share its vote, where it counts and has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharers: Option<u64>,
    /// Who told.
    pub source: Address,
}

/// One part of a composite score: what its sources prove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Component {
    /// The source whose bound is the low median.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decides: Option<Address>,
    /// How many of its obligations make one independent observation, in parts per million, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect_ppm: Option<u64>,
    /// The independent observations that count as evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<u64>,
    /// Those of them that were not met, rounded up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u64>,
    /// The truth is not below this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<Ppm>,
    /// Its name.
    pub name: String,
    /// The share met as that source saw it, each block by what it weighs, rounded down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Ppm>,
    /// Everybody who told of it, by address.
    pub sources: Vec<SourceView>,
    /// The truth is not above this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<Ppm>,
    /// Its weight in sixteenths.
    pub weight: u32,
}

/// The score of one workload, over all its pipelines and models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadScore {
    /// Its parts.
    pub components: Vec<Component>,
    /// What it weighs over all work: how many observations stand behind sources of middling size, of all parts together.
    pub evidence: u64,
    /// The evidence grade.
    pub grade: Grade,
    /// Why there is no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The score; absent is unknown, never zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Ppm>,
    /// The score were all of its parts as good as they can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<Ppm>,
    /// The workload.
    pub workload: Workload,
}

/// Obligations that count for nothing, by why.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Excluded {
    /// The one who told them and the one they are about are one party.
    pub linked: u64,
    /// They failed in an outage.
    pub outage: u64,
    /// Nobody but the operator told of them.
    pub own: u64,
    /// The one who told them is no source yet.
    pub young: u64,
}

impl Excluded {
    /// Whether nothing was excluded.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Counts obligations told by somebody linked.
    pub fn add_linked(&mut self, count: u64) {
        add(&mut self.linked, count);
    }

    /// Counts failures in an outage.
    pub fn add_outage(&mut self, count: u64) {
        add(&mut self.outage, count);
    }

    /// Counts obligations told by somebody who is no source yet.
    pub fn add_young(&mut self, count: u64) {
        add(&mut self.young, count);
    }

    /// With obligations that nobody but the operator told of.
    pub fn with_own(mut self, count: u64) -> Self {
        add(&mut self.own, count);
        self
    }

    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.linked, other.linked);
        add(&mut self.outage, other.outage);
        add(&mut self.own, other.own);
        add(&mut self.young, other.young);
    }
}

/// The result for one operator and kind of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scored {
    /// The kind of work; absent for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<WorkClass>,
    /// The parts of the score, of a policy that composes it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub components: Vec<Component>,
    /// What counts for nothing, and why.
    #[serde(default, skip_serializing_if = "Excluded::is_none")]
    pub excluded: Excluded,
    /// The evidence grade.
    pub grade: Grade,
    /// What the score is made of.
    pub indicators: Vec<Indicator>,
    /// The operator; absent where no mapping tells who it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operator: Option<Address>,
    /// Why there is no score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The score; absent is unknown, never zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub score: Option<Ppm>,
    /// The signer it was seen by, only where the operator is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Address>,
    /// Everybody whose word counted, sorted.
    pub sources: Vec<Address>,
    /// Tenures that began in the window.
    pub tenures: u64,
    /// The score were all of its parts as good as they can be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<Ppm>,
    /// Where it answered, sorted.
    pub urls: Vec<ServiceUrl>,
    /// Over all work, the score of each workload.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub workloads: Vec<WorkloadScore>,
}

/// Which policy made a scorecard.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyName {
    /// The hash of its file.
    pub hash: Digest,
    /// Its id.
    pub id: String,
}

/// An hour that a longer window merged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinnedHour {
    /// The hour.
    pub hour: crate::window::Hour,
    /// Its revision.
    pub revision: u32,
    /// The digest of its tally.
    pub tally: Digest,
}

/// What the results rest on: the events of an hour, or the hours of a longer window.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// The events of one hour.
    Events(EventSet),
    /// The hours that were merged, first to last.
    Hours(Vec<PinnedHour>),
}

/// The digested body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scorecard {
    /// How far reporters agree, by teller and other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agreements: Vec<Agreement>,
    /// What the results rest on.
    pub basis: Basis,
    /// The addresses that are taken to be one party, by their members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub clusters: Vec<Cluster>,
    /// The hash of the context.
    pub context: Digest,
    /// The format of this body.
    pub format: String,
    /// The network.
    pub network: Network,
    /// The policy.
    pub policy: PolicyName,
    /// The results, by operator and kind of work.
    pub results: Vec<Scored>,
    /// The hash of the standing facts; a window of several hours has none beside those of its hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Digest>,
    /// The hash of the trust file.
    pub trust: Digest,
    /// The window.
    pub window: Window,
}

/// The format of the body.
pub const FORMAT: &str = "naap/scorecard/1";

impl Scorecard {
    /// The canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        canonical_bytes(self)
    }

    /// The digest: SHA-256 over the canonical bytes.
    pub fn digest(&self) -> Digest {
        Digest::of(&[&self.bytes()])
    }
}
