//! What a window leans on beside its own events: the jobs that were open when it began, and the standing of everybody.

use events::identity::Digest;
use serde::{Deserialize, Serialize};

use crate::hour::OpenJobs;
use crate::policy::Policy;
use crate::register::Register;

/// The context of a window, by which its scorecard names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Context {
    /// Of a policy that asks for sources: see [`Standing`].
    Standing(Standing),
    /// Of one that does not: the jobs that were open when the hour began.
    Open(OpenJobs),
}

/// The open jobs and the register.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Standing {
    /// The jobs that were open when the window began; none for a window of several hours, whose hours have their own.
    pub open: OpenJobs,
    /// The digest of the register.
    pub register: Digest,
}

impl Context {
    /// What a window leans on under `policy`.
    pub fn of(policy: &Policy, open: OpenJobs, register: &Register) -> Self {
        if policy.score.asks_for_standing() {
            Self::Standing(Standing { open, register: register.digest() })
        } else {
            Self::Open(open)
        }
    }

    /// The digest of the register, where there is one.
    pub fn register(&self) -> Option<Digest> {
        match self {
            Self::Standing(standing) => Some(standing.register),
            Self::Open(_) => None,
        }
    }

    /// The jobs that were open when the window began.
    pub fn open(&self) -> &OpenJobs {
        match self {
            Self::Standing(standing) => &standing.open,
            Self::Open(open) => open,
        }
    }

    /// The hash that a scorecard names it by.
    pub fn digest(&self) -> Digest {
        crate::scorecard::digest_of(self)
    }
}
