//! What an episode is about: the class of work it is counted in, and who told of it.
//!
//! The gateway's side says what it asked for; whoever is judged never chooses what it is judged beside.

use std::collections::BTreeSet;

use events::body::{Body, Orchestrator};
use events::event::{Origin, Role, Workload};
use events::identity::{Address, NodeId, Region};
use events::unit::UnixMillis;

use crate::join::episode::Episode;
use crate::join::story::{Side, known};
use crate::tally::{Subject, WorkClass};

/// What an episode is about, and who told of it.
pub struct About {
    /// What kind of work it is.
    pub class: WorkClass,
    /// Whether an unsigned feed told it.
    pub collected: bool,
    /// The node that spoke for the orchestrator's side.
    node: Option<(Address, NodeId)>,
    /// Whether it was wanted or a test.
    pub origin: Origin,
    /// Where it was asked for.
    pub region: Option<Region>,
    /// When it was asked for.
    pub requested_ms: Option<UnixMillis>,
    /// Who spoke for the gateway's side.
    sources: BTreeSet<Address>,
}

impl About {
    /// What `episode` is about.
    pub fn of(workload: Workload, episode: &Episode<'_>, origin: Origin) -> Self {
        let claims = &episode.claims;
        let requested =
            episode.told().find(|claim| matches!(claim.event.body, Body::JobRequested(_)));
        let spoke =
            episode.answered().next().map(|claim| (claim.event.reporter, claim.event.node.clone()));
        let testers = episode.claims.iter().map(Side::of).filter(|side| side.role == Role::Tester);
        let testers: BTreeSet<Address> = testers.map(|side| side.reporter).collect();
        let teller = episode.teller;
        let told_by = teller.map(|teller| teller.reporter);
        Self {
            class: WorkClass {
                model: known(claims, teller, |event| event.model.as_ref()).cloned(),
                pipeline: known(claims, teller, |event| event.pipeline.as_ref()).cloned(),
                workload,
            },
            collected: teller.is_some_and(|teller| teller.role == Role::Collector),
            node: spoke,
            origin,
            region: known(claims, teller, |event| event.region.as_ref()).cloned(),
            requested_ms: requested.map(|claim| claim.counted_ms),
            sources: testers.into_iter().chain(told_by).collect(),
        }
    }

    /// Those whose word about `operator` counts: everybody on the gateway's side but the operator itself.
    pub fn sources(&self, operator: Option<Address>) -> Vec<Address> {
        self.sources.iter().copied().filter(|reporter| Some(*reporter) != operator).collect()
    }

    /// Whose row a tenure of `operator` is counted in.
    pub fn subject(&self, operator: Option<Address>, seen: &Orchestrator) -> Subject {
        let own_node = self.node.as_ref().filter(|(speaker, _)| Some(*speaker) == operator);
        Subject {
            node: own_node.map(|(_, node)| node.clone()),
            operator,
            signer: if operator.is_none() { seen.signer } else { None },
            url: seen.url.clone(),
        }
    }
}
