//! Who is who: the operator behind a signer's address and a URL, as `capability.offered` ties them.
//!
//! Gateways name an orchestrator by the address it signs with and where it answers; scores are kept by the on-chain
//! recipient. Of the ties within 24 hours on either side the best fitting, then the nearest, holds; none is guessed.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use events::batch::Position;
use events::body::{Body, Orchestrator};
use events::event::{Event, Role};
use events::identity::{Address, Digest, PublisherKey, ServiceUrl};
use events::unit::{Millis, UnixMillis};

use crate::admit::Admitted;
use crate::authority::Authority;
use crate::join::story::is_gateway_side;
use crate::opened::Opened;
use crate::window::Hour;

/// How far from a moment a tie still holds, on either side.
pub const REACH: Millis = Millis(24 * 3_600_000);

/// What a tie ties, and which publisher says so.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TieKey {
    /// The publisher.
    pub key: PublisherKey,
    /// The operator.
    pub recipient: Address,
    /// The address its node signs with.
    pub signer: Option<Address>,
    /// Where it answers.
    pub url: Option<ServiceUrl>,
}

/// A claim that ties names together, and whether it counts.
#[derive(Debug, Clone)]
struct Tie<'a> {
    claim: Admitted<'a>,
    counts: bool,
    names: TieKey,
}

impl Tie<'_> {
    /// Of the same words in several batches, those count that were sealed first and may count.
    fn order(&self) -> (bool, UnixMillis, Position, u16) {
        (!self.counts, self.claim.sealed_ms, self.claim.position, self.claim.index)
    }
}

/// The ties that can hold in an hour, found by signer or by URL.
///
/// Of each publisher's claims about the same names, all those within the hour, the last before it and the first after
/// it can hold; so an hour leans on few claims, and the same ones whoever settles it.
#[derive(Debug, Default)]
pub struct Mappings<'a> {
    ties: Vec<Tie<'a>>,
    by_signer: BTreeMap<Address, Vec<usize>>,
    by_url: BTreeMap<ServiceUrl, Vec<usize>>,
}

/// An operator, and the claim that tied it to what a gateway saw.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// The operator.
    pub operator: Address,
    /// The tie, where one was needed.
    pub tie: Option<Admitted<'a>>,
}

/// The names a claim ties together, if it ties any.
pub fn tie_key(key: PublisherKey, event: &Event) -> Option<TieKey> {
    let Body::CapabilityOffered(offered) = &event.body else { return None };
    let orchestrator = &offered.orchestrator;
    let recipient = orchestrator.recipient?;
    Some(TieKey { key, recipient, signer: orchestrator.signer, url: orchestrator.url.clone() })
}

/// Whether the speaker may tie names to `recipient`: who sells work may only say who it is itself, or it could hand
/// its failures to another.
pub(crate) fn speaks_for_itself(event: &Event, recipient: Address) -> bool {
    is_gateway_side(event.role) || event.role == Role::Controller || event.reporter == recipient
}

impl<'a> Mappings<'a> {
    /// The ties among `batches` that can hold in `hour`.
    pub fn of(
        hour: Hour,
        batches: impl IntoIterator<Item = &'a Opened>,
        authority: &Authority,
    ) -> Self {
        let mut by_names: BTreeMap<TieKey, BTreeMap<(UnixMillis, Digest), Tie<'a>>> =
            BTreeMap::new();
        let reach = hour.start().minus(REACH)..=hour.end().plus(REACH);
        for batch in batches {
            for (opened, event) in
                batch.readable().filter(|(opened, _)| reach.contains(&opened.counted_ms))
            {
                let Some(names) = tie_key(batch.header.key, event) else { continue };
                let counts = speaks_for_itself(event, names.recipient)
                    && authority.check_batch(batch).is_ok()
                    && authority.admit(batch, event).is_ok();
                let tie =
                    Tie { claim: Admitted::of(batch, opened, event), counts, names: names.clone() };
                let place = (opened.counted_ms, opened.hash);
                match by_names.entry(names).or_default().entry(place) {
                    Entry::Vacant(free) => {
                        free.insert(tie);
                    }
                    Entry::Occupied(mut known) if tie.order() < known.get().order() => {
                        known.insert(tie);
                    }
                    Entry::Occupied(_) => {}
                }
            }
        }
        let mut mappings = Self::default();
        for ties in by_names.into_values() {
            mappings.keep(hour, ties);
        }
        mappings
    }

    fn keep(&mut self, hour: Hour, ties: BTreeMap<(UnixMillis, Digest), Tie<'a>>) {
        let before = ties.range(..(hour.start(), Digest::ZERO)).next_back();
        let after = ties.range((hour.end(), Digest::ZERO)..).next();
        let within = ties.range((hour.start(), Digest::ZERO)..(hour.end(), Digest::ZERO));
        for (_, tie) in before.into_iter().chain(within).chain(after) {
            let at = self.ties.len();
            if let Some(signer) = tie.names.signer {
                self.by_signer.entry(signer).or_default().push(at);
            }
            if let Some(url) = &tie.names.url {
                self.by_url.entry(url.clone()).or_default().push(at);
            }
            self.ties.push(tie.clone());
        }
    }

    /// The places of the ties about `seen`.
    fn about(&self, seen: &Orchestrator) -> impl Iterator<Item = usize> {
        let by_signer = seen.signer.and_then(|signer| self.by_signer.get(&signer));
        let by_url = seen.url.as_ref().and_then(|url| self.by_url.get(url));
        by_signer.into_iter().chain(by_url).flatten().copied()
    }

    /// The operator behind `seen` at `moment`.
    pub fn resolve(&self, seen: &Orchestrator, moment: UnixMillis) -> Option<Resolved<'a>> {
        if let Some(operator) = seen.recipient {
            return Some(Resolved { operator, tie: None });
        }
        let ties = self.about(seen).filter_map(|at| self.ties.get(at));
        let counted = ties.filter(|tie| tie.counts);
        let best = counted
            .filter_map(|tie| rank(tie, seen, moment).map(|rank| (rank, tie)))
            .min_by_key(|(rank, _)| *rank);
        best.map(|(_, tie)| Resolved { operator: tie.names.recipient, tie: Some(tie.claim) })
    }

    /// Every tie that [`Self::resolve`] weighs for `seen`, refused ones too: whoever resolves again needs them all.
    pub fn weighed(&self, seen: &Orchestrator) -> impl Iterator<Item = usize> {
        let ties = if seen.recipient.is_some() { None } else { Some(self.about(seen)) };
        ties.into_iter().flatten()
    }

    /// How many ties there are: their places are below that.
    pub fn places(&self) -> usize {
        self.ties.len()
    }

    /// The batches that hold the ties whose places are marked.
    pub fn positions(&self, marked: &[bool]) -> BTreeSet<Position> {
        let ties = self.ties.iter().zip(marked).filter(|(_, is_marked)| **is_marked);
        ties.map(|(tie, _)| tie.claim.position).collect()
    }
}

/// See [`rank`].
type Rank = (bool, u8, u64, UnixMillis, Digest);

/// How well a tie fits, less is better: a buyer's word before a seller's, then both names before the signer before the
/// URL, then the nearest, then the earlier, then the least hash. Nothing for a tie that contradicts the signer or lies out of reach.
fn rank(tie: &Tie<'_>, seen: &Orchestrator, moment: UnixMillis) -> Option<Rank> {
    let names = &tie.names;
    let signer_fits = seen.signer.is_some() && seen.signer == names.signer;
    let url_fits = seen.url.is_some() && seen.url == names.url;
    let fit = match (signer_fits, url_fits) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) if seen.signer.is_none() || names.signer.is_none() => 2,
        _ => return None,
    };
    let distance = moment.0.abs_diff(tie.claim.counted_ms.0);
    let is_sellers = tie.claim.event.reporter == names.recipient;
    let (counted_ms, hash) = (tie.claim.counted_ms, tie.claim.hash);
    (distance <= REACH.0).then_some((is_sellers, fit, distance, counted_ms, hash))
}
