//! Who may speak: the delegations that operators sign and the roster that the controller observes.
//!
//! It makes statements; whether anybody heeds them is decided elsewhere.

use std::collections::BTreeMap;

use events::body::record::{Granted, RosterMember};
use events::delegation::{Delegation, MAX_LIFETIME};
use events::event::{Network, Role};
use events::identity::{Address, ServiceUrl};
use events::unit::{Millis, UnixMillis};

use super::{Cast, Node};

/// One member of the set that may speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// The address.
    pub member: Address,
    /// What it may speak as.
    pub role: Role,
    /// Its URLs, at most eight.
    pub urls: Vec<ServiceUrl>,
}

/// The most URLs one member of a roster names.
const URLS_MAX: usize = 8;

impl Cast {
    /// The delegation of every speaking node, signed at `issued` and good for `lifetime`, at most 90 days.
    ///
    /// Issued later, a delegation has a higher serial and so takes the place of the earlier one.
    pub fn delegations(&self, issued: UnixMillis, lifetime: Millis) -> Vec<Granted> {
        self.nodes
            .iter()
            .filter(|node| node.is_speaking)
            .map(|node| grant(node, issued, lifetime))
            .collect()
    }

    /// The orchestrators and gateways that the controller finds registered.
    pub fn roster(&self) -> Vec<Registered> {
        let mut urls: BTreeMap<(Role, Address), Vec<ServiceUrl>> = BTreeMap::new();
        for gateway in self.gateways.iter().filter_map(|gateway| self.nodes.get(gateway.node)) {
            urls.entry((gateway.role, gateway.operator)).or_default();
        }
        for orchestrator in &self.orchestrators {
            urls.entry((Role::Orchestrator, orchestrator.recipient))
                .or_default()
                .push(orchestrator.url.clone());
        }
        let registered = urls.into_iter().map(|((role, member), mut urls)| {
            urls.truncate(URLS_MAX);
            Registered { member, role, urls }
        });
        registered.collect()
    }

    /// The roster as the controller says it, one statement a member.
    pub fn roster_members(&self, as_of: UnixMillis) -> Vec<RosterMember> {
        let roster = self.roster();
        let count = u32::try_from(roster.len()).unwrap_or(u32::MAX);
        let member = |it: Registered| RosterMember {
            as_of_ms: as_of,
            count,
            member: it.member,
            role: it.role,
            urls: it.urls,
        };
        roster.into_iter().map(member).collect()
    }
}

/// The right of one node to speak, signed by its operator.
fn grant(node: &Node, issued: UnixMillis, lifetime: Millis) -> Granted {
    let delegation = Delegation {
        expiry_ms: issued.plus(lifetime.min(MAX_LIFETIME)),
        key: node.publisher,
        network: Network::Simulation,
        node: node.id.clone(),
        operator: node.operator,
        role: node.role,
        serial: issued.0,
    };
    let signature = delegation.sign(&node.operator_secret);
    Granted { delegation, signature }
}
