//! A scorecard: the results of a window with everything they rest on, in canonical bytes with one digest.
//!
//! The digested body names the window, the hashes of policy, trust file, context and standing facts, the event set and
//! the results. Revision, refusals, software and time of computation stand beside it and change no digest.

use events::event::Network;
use events::identity::{Address, Digest, ServiceUrl};
use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use crate::hour::EventSet;
use crate::tally::{Counts, Obligation, WorkClass};
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

/// The result for one operator and kind of work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scored {
    /// The kind of work; absent for all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<WorkClass>,
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
    /// Where it answered, sorted.
    pub urls: Vec<ServiceUrl>,
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
    /// What the results rest on.
    pub basis: Basis,
    /// The hash of the context: the jobs that were open when the window began.
    pub context: Digest,
    /// The format of this body.
    pub format: String,
    /// The network.
    pub network: Network,
    /// The policy.
    pub policy: PolicyName,
    /// The results, by operator and kind of work.
    pub results: Vec<Scored>,
    /// The hash of the standing facts.
    pub standing: Digest,
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
