//! What orchestrators offered in an hour: models, prices, room and cards, each by its latest word. Shown to people and
//! asked by routing; read by no score.

use std::collections::BTreeMap;

use events::body::Body;
use events::body::capability::{Gpu, Offer, Offered};
use events::event::Role;
use events::identity::{Address, Label, Region, ServiceUrl};
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::admit::Admitted;
use crate::window::Hour;

/// What one orchestrator offered at one URL, as somebody told it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Supply {
    /// When that was.
    pub at_ms: UnixMillis,
    /// Its cards.
    pub gpus: Vec<Gpu>,
    /// What it offered.
    pub offers: Vec<Offer>,
    /// Offers and cards that were left out for length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u32>,
    /// The on-chain address.
    pub operator: Address,
    /// Its general price, for transcoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<events::body::Price>,
    /// The region of who told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Who told.
    pub reporter: Address,
    /// In which role.
    pub role: Role,
    /// The address it signs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Address>,
    /// Where it answers.
    pub url: ServiceUrl,
    /// Its software's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Label>,
}

/// By whom, and where.
pub type Place = (Address, ServiceUrl);

/// The latest offers of an hour, by operator and URL. Offers that do not say both are nobody's.
pub fn offered(hour: Hour, admitted: &[Admitted<'_>]) -> Vec<Supply> {
    let mut latest: BTreeMap<Place, (&Admitted<'_>, &Offered)> = BTreeMap::new();
    for claim in admitted.iter().filter(|claim| hour.holds(claim.counted_ms)) {
        let Body::CapabilityOffered(said) = &claim.event.body else { continue };
        let who = &said.orchestrator;
        let (Some(operator), Some(url)) = (who.recipient, who.url.clone()) else { continue };
        let entry = latest.entry((operator, url)).or_insert((claim, said));
        let order = |claim: &Admitted<'_>| (claim.counted_ms, claim.hash);
        if order(claim) > order(entry.0) {
            *entry = (claim, said);
        }
    }
    latest
        .into_iter()
        .map(|((operator, url), (claim, said))| supply(operator, url, claim, said))
        .collect()
}

fn supply(operator: Address, url: ServiceUrl, claim: &Admitted<'_>, said: &Offered) -> Supply {
    Supply {
        at_ms: claim.counted_ms,
        gpus: said.gpus.clone(),
        offers: said.offers.clone(),
        omitted: said.omitted,
        operator,
        price: said.price,
        region: claim.event.region.clone(),
        reporter: claim.event.reporter,
        role: claim.event.role,
        signer: said.orchestrator.signer,
        url,
        version: said.version.clone(),
    }
}

/// The latest of what several hours tell, by operator and URL.
pub fn latest(hours: impl IntoIterator<Item = Vec<Supply>>) -> Vec<Supply> {
    let mut latest: BTreeMap<Place, Supply> = BTreeMap::new();
    for supply in hours.into_iter().flatten() {
        let place = (supply.operator, supply.url.clone());
        match latest.get_mut(&place) {
            Some(known) if known.at_ms >= supply.at_ms => {}
            Some(known) => *known = supply,
            None => {
                latest.insert(place, supply);
            }
        }
    }
    latest.into_values().collect()
}
