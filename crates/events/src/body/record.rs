//! Statements about the record itself: who may speak, what was lost, what was published.

use serde::{Deserialize, Serialize};

use crate::batch::Position;
use crate::delegation::Delegation;
use crate::event::Role;
use crate::identity::{Address, AddressSignature, Digest, Label, PublisherKey, ServiceUrl};
use crate::unit::UnixMillis;

/// One member of the set that may speak. All members observed at one moment by one controller are one roster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct RosterMember {
    /// The moment the whole set was observed.
    pub as_of_ms: UnixMillis,
    /// How many members the set has; it holds once so many were heard.
    pub count: u32,
    /// The address that may speak.
    pub member: Address,
    /// What it may speak as: `orchestrator` also covers its workers and transcoders.
    pub role: Role,
    /// Its registered URLs, at most eight.
    pub urls: Vec<ServiceUrl>,
}

/// A key was given the right to speak; the signature proves itself, whoever carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Granted {
    /// What the address agreed to.
    pub delegation: Delegation,
    /// The address's signature over it.
    pub signature: AddressSignature,
}

/// A key lost the right to speak after the last good batch.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
pub struct Revoked {
    /// The epoch of the last good batch.
    pub epoch: u64,
    /// The header hash of the last good batch.
    pub hash: Digest,
    /// The key.
    pub key: PublisherKey,
    /// The sequence of the last good batch.
    pub seq: u64,
}

impl Revoked {
    /// Where the last good batch stands.
    pub fn position(&self) -> Position {
        Position { key: self.key, epoch: self.epoch, seq: self.seq }
    }
}

/// Events were lost before they could be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Dropped {
    /// How many.
    pub count: u64,
    /// Why: `spool_full`, `gateway_send_errors`.
    pub reason: Label,
}

/// A scorecard was published. Never an input of a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Scorecard {
    /// Its digest.
    pub digest: Digest,
    /// The revision of its window.
    pub revision: u32,
    /// The window, such as `2026-01-08T21Z`.
    pub window: Label,
}
