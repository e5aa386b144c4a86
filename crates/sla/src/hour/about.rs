//! What an episode is about: the class of work it is counted in, and who told of it.
//!
//! The gateway's side says what it asked for; whoever is judged never chooses what it is judged beside.

use std::collections::{BTreeMap, BTreeSet};

use events::body::{Body, Orchestrator};
use events::event::{Origin, Role, Workload};
use events::identity::{Address, GatewayName, Model, NodeId, Pipeline, Region};
use events::unit::UnixMillis;

use super::reading::Held;
use crate::admit::Admitted;
use crate::join::episode::Episode;
use crate::join::story::{Side, known};
use crate::rollup::RollupKey;
use crate::tally::cell::{Subject, WorkClass};

/// The pipeline of live video, where a session's words name none.
const LIVE_VIDEO: &str = "live-video-to-video";

/// What an episode is about, and who told of it.
pub struct About {
    /// What kind of work it is.
    pub class: WorkClass,
    /// Whether an unsigned feed told it.
    pub collected: bool,
    /// The gateway that an unsigned feed named.
    pub gateway: Option<GatewayName>,
    /// The node that first spoke for each of the orchestrator's side.
    nodes: BTreeMap<Address, NodeId>,
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
    pub fn of(
        workload: Workload,
        episode: &Episode<'_>,
        origin: Origin,
        held: &[Held<'_>],
    ) -> Self {
        let claims = &episode.claims;
        let requested =
            episode.told().find(|claim| matches!(claim.event.body, Body::JobRequested(_)));
        let mut nodes = BTreeMap::new();
        for claim in episode.answered() {
            nodes.entry(claim.event.reporter).or_insert_with(|| claim.event.node.clone());
        }
        let testers = episode.claims.iter().map(Side::of).filter(|side| side.role == Role::Tester);
        let testers: BTreeSet<Address> = testers.map(|side| side.reporter).collect();
        let teller = episode.teller;
        let told_by = teller.map(|teller| teller.reporter);
        let mut class = WorkClass {
            model: known(claims, teller, |event| event.model.as_ref()).cloned(),
            pipeline: known(claims, teller, |event| event.pipeline.as_ref()).cloned(),
            workload,
        };
        if class.model.is_none()
            && class.workload == Workload::LiveVideo
            && let Some((pipeline, model)) = common_offer(held, class.pipeline.as_ref())
        {
            class.pipeline = Some(pipeline.clone());
            class.model = Some(model.clone());
        }
        Self {
            class,
            collected: teller.is_some_and(|teller| teller.role == Role::Collector),
            gateway: episode.told().find_map(|claim| claim.event.gateway.clone()),
            nodes,
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

    /// What sums about the episode are kept by, beside whoever had it.
    pub fn rollup_key(&self, teller: Option<Address>) -> RollupKey {
        RollupKey {
            collected: self.collected,
            gateway: teller,
            gateway_name: self.gateway.clone(),
            origin: Some(self.origin),
            region: self.region.clone(),
            ..RollupKey::default().of_class(&self.class)
        }
    }

    /// Whose row a tenure of `operator` is counted in.
    pub fn subject(&self, operator: Option<Address>, seen: &Orchestrator) -> Subject {
        Subject {
            node: operator.and_then(|operator| self.nodes.get(&operator)).cloned(),
            operator,
            signer: if operator.is_none() { seen.signer } else { None },
            url: seen.url.clone(),
        }
    }
}

/// The one live model that everybody who had the session offered, as others than they themselves say. The first words
/// of a session name no model, so one that dies early would else be missing where its model is judged.
fn common_offer<'a>(
    held: &[Held<'a>],
    pipeline: Option<&Pipeline>,
) -> Option<(&'a Pipeline, &'a Model)> {
    let told = held.iter().filter(|held| !held.tenure.self_told);
    let common = told
        .filter_map(|held| live_offers(held.tie?, pipeline))
        .reduce(|common, offers| common.intersection(&offers).copied().collect())?;
    let mut common = common.into_iter();
    common.next().filter(|_| common.next().is_none())
}

/// All the live models that the orchestrator of a tie offers; none where it says so itself, or not all are told.
fn live_offers<'a>(
    tie: Admitted<'a>,
    pipeline: Option<&Pipeline>,
) -> Option<BTreeSet<(&'a Pipeline, &'a Model)>> {
    let Body::CapabilityOffered(said) = &tie.event.body else { return None };
    if said.omitted.is_some() || said.orchestrator.recipient == Some(tie.event.reporter) {
        return None;
    }
    let asked = pipeline.map_or(LIVE_VIDEO, Pipeline::as_str);
    let offers = said.offers.iter().filter(|offer| offer.pipeline.as_str() == asked);
    Some(offers.filter_map(|offer| Some((&offer.pipeline, offer.model.as_ref()?))).collect())
}
