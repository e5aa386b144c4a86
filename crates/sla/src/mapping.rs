//! Who is who: the operator behind a signer's address and a URL, as `capability.offered` ties them.
//!
//! Gateways name an orchestrator by the address it signs with and where it answers; scores are kept by the on-chain
//! recipient. Of the ties within 24 hours on either side the best fitting, then the nearest, holds; none is guessed.

use std::collections::BTreeMap;

use events::body::{Body, Orchestrator};
use events::identity::{Address, Digest, ServiceUrl};
use events::unit::{Millis, UnixMillis};

use crate::admit::Admitted;

/// How far from a moment a tie still holds, on either side.
pub const REACH: Millis = Millis(24 * 3_600_000);

/// A tie between a recipient and the names it goes by.
#[derive(Debug, Clone, Copy)]
struct Tie<'a> {
    claim: Admitted<'a>,
    recipient: Address,
    signer: Option<Address>,
    url: Option<&'a ServiceUrl>,
}

/// All ties, found by signer or by URL.
#[derive(Debug, Default)]
pub struct Mappings<'a> {
    by_signer: BTreeMap<Address, Vec<Tie<'a>>>,
    by_url: BTreeMap<&'a ServiceUrl, Vec<Tie<'a>>>,
}

/// An operator, and the claim that tied it to what a gateway saw.
#[derive(Debug, Clone, Copy)]
pub struct Resolved<'a> {
    /// The operator.
    pub operator: Address,
    /// The tie, where one was needed.
    pub tie: Option<Admitted<'a>>,
}

impl<'a> Mappings<'a> {
    /// Gathers the ties among admitted events.
    pub fn of(claims: impl IntoIterator<Item = Admitted<'a>>) -> Self {
        let mut mappings = Self::default();
        for claim in claims {
            let Body::CapabilityOffered(offered) = &claim.event.body else { continue };
            let Some(recipient) = offered.orchestrator.recipient else { continue };
            let tie = Tie {
                claim,
                recipient,
                signer: offered.orchestrator.signer,
                url: offered.orchestrator.url.as_ref(),
            };
            if let Some(signer) = tie.signer {
                mappings.by_signer.entry(signer).or_default().push(tie);
            }
            if let Some(url) = tie.url {
                mappings.by_url.entry(url).or_default().push(tie);
            }
        }
        mappings
    }

    /// The operator behind `seen` at `moment`.
    pub fn resolve(&self, seen: &Orchestrator, moment: UnixMillis) -> Option<Resolved<'a>> {
        if let Some(operator) = seen.recipient {
            return Some(Resolved { operator, tie: None });
        }
        let by_signer = seen.signer.and_then(|signer| self.by_signer.get(&signer));
        let by_url = seen.url.as_ref().and_then(|url| self.by_url.get(url));
        let ties = by_signer.into_iter().chain(by_url).flatten();
        let best = ties
            .filter_map(|tie| rank(tie, seen, moment).map(|rank| (rank, tie)))
            .min_by_key(|(rank, _)| *rank);
        best.map(|(_, tie)| Resolved { operator: tie.recipient, tie: Some(tie.claim) })
    }
}

/// How well a tie fits, less is better: both names before the signer before the URL, then the nearest, then the
/// earlier, then the least hash. Nothing for a tie that contradicts the signer or lies out of reach.
fn rank(
    tie: &Tie<'_>,
    seen: &Orchestrator,
    moment: UnixMillis,
) -> Option<(u8, u64, UnixMillis, Digest)> {
    let signer_fits = seen.signer.is_some() && seen.signer == tie.signer;
    let url_fits = seen.url.is_some() && seen.url.as_ref() == tie.url;
    let fit = match (signer_fits, url_fits) {
        (true, true) => 0,
        (true, false) => 1,
        (false, true) if seen.signer.is_none() || tie.signer.is_none() => 2,
        _ => return None,
    };
    let distance = moment.0.abs_diff(tie.claim.counted_ms.0);
    (distance <= REACH.0).then_some((fit, distance, tie.claim.counted_ms, tie.claim.hash))
}
