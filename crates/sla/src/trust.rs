//! The trust file: which controllers, collectors and testers count on a network.
//!
//! It is published, and its hash stands in every scorecard. It names no score, no weight and no orchestrator.

use events::event::{Network, Role};
use events::identity::{Address, Digest, PublisherKey};
use serde::{Deserialize, Serialize};

/// Why a trust file or policy cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file} cannot be used: {why}")]
pub struct Unusable {
    /// Which file.
    pub file: &'static str,
    /// Where and why.
    pub why: String,
}

/// Somebody whose word counts without being in a roster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// The address it reports under.
    pub address: Address,
    /// The key it publishes with; without one, a delegation from the address is needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<PublisherKey>,
    /// `controller`, `collector` or `tester`.
    pub role: Role,
}

/// Who counts on a network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFile {
    /// Who counts.
    #[serde(default)]
    pub members: Vec<Member>,
    /// The network it is for.
    pub network: Network,
    /// How many controllers must list an address in their roster.
    pub roster_quorum: u32,
}

impl TrustFile {
    /// Reads a trust file from its TOML text.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let unusable = |why: String| Unusable { file: "trust file", why };
        let file: Self = toml::from_str(text).map_err(|error| unusable(error.to_string()))?;
        for member in &file.members {
            if !matches!(member.role, Role::Controller | Role::Collector | Role::Tester) {
                return Err(unusable(format!(
                    "{} cannot be trusted as {}",
                    member.address, member.role
                )));
            }
        }
        if file.roster_quorum == 0 {
            return Err(unusable("roster_quorum must be at least 1".to_owned()));
        }
        Ok(file)
    }

    /// Its text in TOML, which [`Self::parse`] reads back.
    pub fn to_toml(&self) -> String {
        let mut text =
            format!("network = \"{}\"\nroster_quorum = {}\n", self.network, self.roster_quorum);
        for member in &self.members {
            text.push_str(&format!(
                "\n[[members]]\nrole = \"{}\"\naddress = \"{}\"\n",
                member.role, member.address
            ));
            if let Some(key) = member.key {
                text.push_str(&format!("key = \"{key}\"\n"));
            }
        }
        text
    }

    /// The hash of what it says, whatever its layout and order: SHA-256 over canonical JSON with sorted members.
    pub fn hash(&self) -> Digest {
        crate::scorecard::digest_of(&self.sorted())
    }

    /// The same file with its members in order, each once: what is hashed.
    pub fn sorted(&self) -> Self {
        let mut sorted = self.clone();
        sorted.members.sort();
        sorted.members.dedup();
        sorted
    }

    /// Whether `address` counts in `role`.
    pub fn names(&self, role: Role, address: Address) -> bool {
        self.members.iter().any(|member| member.role == role && member.address == address)
    }

    /// Whether `key` itself is vouched for as `address` in `role`.
    pub fn names_key(&self, role: Role, address: Address, key: PublisherKey) -> bool {
        self.members.iter().any(|member| {
            member.role == role && member.address == address && member.key == Some(key)
        })
    }
}
