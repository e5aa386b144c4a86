//! Makes a cast from a seed: keys, addresses, names, machines and offers.
//!
//! Every draw about a member comes from a stream of its own, so members do not depend on one another.

use ed25519_dalek::SigningKey;
use events::body;
use events::delegation::address_of;
use events::event::{Role, Workload};
use events::identity::{Address, ServiceUrl};
use events::unit::Ppm;
use sha3::{Digest as _, Keccak256};

use super::{Cast, Gateway, Listed, Node, Offer, Orchestrator, Written};
use crate::catalog::{CARDS, LISTINGS, REGIONS, VERSIONS};
use crate::chance::{Chance, derived, uuid_of};
use crate::options::Options;

/// How far an ordinary clock is off, at most.
const ORDINARY_SKEW_MS: u64 = 250;

/// Everybody, in the order gateways, orchestrators, workers, testers, controller.
pub(super) fn make(seed: u64, options: &Options) -> Cast {
    let mut cast = Cast {
        controller: 0,
        gateways: Vec::new(),
        models: Vec::new(),
        nodes: Vec::new(),
        orchestrators: Vec::new(),
        regions: REGIONS
            .iter()
            .take(options.regions)
            .map(|name| name.parse().expect("regions are short and plain"))
            .collect(),
        testers: 0..0,
        seed,
    };
    for index in 0..options.gateways {
        let node = cast.add(options, Role::Gateway, "gateway", index, index);
        let gateway = gateway(&cast, node, index);
        cast.gateways.push(gateway);
    }
    for index in 0..options.orchestrators {
        // One operator in seven runs two machines behind two URLs.
        let operator = if index % 7 == 6 { index - 1 } else { index };
        let node = cast.add(options, Role::Orchestrator, "orchestrator", operator, index);
        let orchestrator = orchestrator(&cast, options, node, index, operator);
        cast.orchestrators.push(orchestrator);
    }
    for index in 0..options.orchestrators {
        add_worker(&mut cast, options, index);
    }
    let first = cast.nodes.len();
    for index in 0..options.testers {
        cast.add(options, Role::Tester, "tester", index, index);
    }
    cast.testers = first..cast.nodes.len();
    cast.controller = cast.add(options, Role::Controller, "controller", 0, 0);
    cast.models = (0..options.models).filter_map(|index| listed(&cast, index)).collect();
    cast
}

impl Cast {
    /// Adds the node number `index` of its role under the operator number `operator`, and says where it is.
    fn add(
        &mut self,
        options: &Options,
        role: Role,
        kind: &str,
        operator: usize,
        index: usize,
    ) -> usize {
        let (operator, index) = (number(operator), number(index));
        let mut chance = Chance::new(self.seed, role.as_str(), index);
        let secret =
            SigningKey::from_bytes(&derived(self.seed, &format!("{role} session key"), index));
        let operator_secret = operator_secret(self.seed, kind, operator);
        let id = uuid_of(first_half(derived(self.seed, &format!("{role} node"), index)));
        let is_stock = role == Role::Orchestrator && !chance.happens(options.speaking);
        let is_skewed = chance.happens(options.faults.skewed_clock);
        let skew =
            if is_skewed { options.skew_max_ms } else { ORDINARY_SKEW_MS.min(options.skew_max_ms) };
        let skew = i64::try_from(chance.below(2 * skew + 1)).unwrap_or(0)
            - i64::try_from(skew).unwrap_or(0);
        let region = chance.pick(&self.regions).expect("there is a region").clone();
        let version = chance.pick(&VERSIONS).copied().unwrap_or_default();
        self.nodes.push(Node {
            id: id.parse().expect("a UUID is a node id"),
            is_speaking: !is_stock,
            operator: address_of(operator_secret.verifying_key()),
            publisher: events::batch::publisher_key(&secret),
            region,
            role,
            secret,
            skew_ms: skew,
            version: version.parse().expect("versions are short and plain"),
            operator_secret,
        });
        self.nodes.len() - 1
    }
}

/// A worker shares its orchestrator's operator, region and right to speak; it has a key and a clock of its own.
fn add_worker(cast: &mut Cast, options: &Options, index: usize) {
    let operator = if index % 7 == 6 { index - 1 } else { index };
    let Some(orchestrator) = cast.orchestrators.get(index) else { return };
    let host = orchestrator.node;
    let role = if orchestrator.offers.is_empty() { Role::Transcoder } else { Role::Worker };
    let place = cast.add(options, role, "orchestrator", operator, index);
    let (region, is_speaking) = match cast.nodes.get(host) {
        Some(node) => (node.region.clone(), node.is_speaking),
        None => return,
    };
    if let Some(worker) = cast.nodes.get_mut(place) {
        worker.region = region;
        worker.is_speaking = is_speaking;
    }
    if let Some(orchestrator) = cast.orchestrators.get_mut(index) {
        orchestrator.worker = place;
    }
}

fn gateway(cast: &Cast, node: usize, index: usize) -> Gateway {
    let operator = cast.nodes.get(node).map(|node| node.operator).unwrap_or(Address([0; 20]));
    Gateway {
        is_on_chain: index % 3 != 2,
        is_reporting_requests: index % 3 != 1,
        name: if index % 3 == 2 { format!("gateway-{index}.example") } else { String::new() },
        node,
        sender: mixed_case(operator),
    }
}

fn orchestrator(
    cast: &Cast,
    options: &Options,
    node: usize,
    index: usize,
    operator: usize,
) -> Orchestrator {
    let mut chance = Chance::new(cast.seed, "orchestrator shop", number(index));
    let recipient = cast.nodes.get(node).map(|node| node.operator).unwrap_or(Address([0; 20]));
    let signer = if operator % 4 == 1 {
        address_of(
            operator_secret(cast.seed, "orchestrator hot wallet", number(operator)).verifying_key(),
        )
    } else {
        recipient
    };
    let card = usize::try_from(chance.below(number(CARDS.len()))).unwrap_or(0);
    let pace = CARDS.get(card).map_or(100, |card| card.pace_percent);
    let written_url = match index % 5 {
        3 => format!("https://Orch-{index}.example"),
        4 => format!("https://orch-{index}.example:8935/"),
        _ => format!("https://orch-{index}.example:8935"),
    };
    let url = ServiceUrl::normalise(&written_url).expect("our own URLs are URLs");
    let proneness = match index % 6 {
        0 | 1 => Ppm(333_333),
        5 => Ppm(4_000_000),
        _ => Ppm(1_000_000),
    };
    Orchestrator {
        named: body::Orchestrator {
            recipient: Some(recipient),
            signer: Some(signer),
            url: Some(url.clone()),
        },
        node,
        offers: offers(&mut chance, options, index),
        proneness,
        recipient,
        signer,
        is_transcoding: index % 3 != 1,
        url,
        worker: node,
        card,
        gpu_id: format!("GPU-{}", chance.uuid()),
        pace_percent: pace * chance.between(85, 125) / 100,
        written: Written {
            recipient: mixed_case(recipient),
            signer: signer.to_string(),
            signer_mixed: mixed_case(signer),
            url: written_url,
        },
        weight: chance.between(1, 10),
    }
}

/// One to four models, so chosen that each model has sellers however few orchestrators there are; one orchestrator in
/// eleven sells transcoding alone.
fn offers(chance: &mut Chance, options: &Options, index: usize) -> Vec<Offer> {
    if index % 11 == 9 && options.orchestrators > options.models {
        return Vec::new();
    }
    let count = options.models;
    let mut wanted =
        vec![index % count, (index * 5 + 1) % count, (index * 7 + 3) % count, (index / 2) % count];
    wanted.truncate(usize::try_from(chance.between(2, 4)).unwrap_or(2));
    // With fewer orchestrators than models, each takes every model whose turn it is.
    wanted.extend((index..count).step_by(options.orchestrators));
    wanted.sort_unstable();
    wanted.dedup();
    let offer = |model: usize| {
        let price = LISTINGS.get(model).map_or(1, |listing| listing.price_wei);
        Offer {
            capacity: u32::try_from(chance.between(1, 4)).unwrap_or(1),
            is_warm: chance.happens(Ppm(850_000)),
            model,
            price_wei: price * chance.between(80, 130) / 100,
        }
    };
    wanted.into_iter().map(offer).collect()
}

fn listed(cast: &Cast, index: usize) -> Option<Listed> {
    let listing = LISTINGS.get(index)?;
    let sells =
        |orchestrator: &Orchestrator| orchestrator.offers.iter().any(|offer| offer.model == index);
    let sellers =
        cast.orchestrators.iter().enumerate().filter(|(_, orchestrator)| sells(orchestrator));
    Some(Listed {
        model: listing.model.parse().expect("listed models are short and plain"),
        pipeline: listing.pipeline.parse().expect("listed pipelines are short and plain"),
        sellers: sellers.map(|(place, _)| place).collect(),
        workload: listing.workload,
        capability: listing.capability,
        typical_ms: listing.typical_ms,
    })
}

/// An operator's key; a draw that is no key (one in 2^128) moves on to the next.
fn operator_secret(seed: u64, kind: &str, index: u64) -> k256::ecdsa::SigningKey {
    (0..8)
        .find_map(|turn| {
            let bytes = derived(seed, &format!("{kind} operator key {turn}"), index);
            k256::ecdsa::SigningKey::from_slice(&bytes).ok()
        })
        .expect("eight draws in a row do not all miss the curve's order")
}

/// An address in EIP-55 mixed case, as go-ethereum prints it.
fn mixed_case(address: Address) -> String {
    let lower = address.to_string();
    let digits = lower.trim_start_matches("0x");
    let hash = Keccak256::digest(digits.as_bytes());
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    let cased = digits.chars().zip(nibbles);
    let cased =
        cased.map(|(digit, nibble)| if nibble > 7 { digit.to_ascii_uppercase() } else { digit });
    ["0x".to_owned(), cased.collect()].concat()
}

fn first_half(bytes: [u8; 32]) -> [u8; 16] {
    let mut half = [0; 16];
    for (to, from) in half.iter_mut().zip(bytes) {
        *to = from;
    }
    half
}

fn number(index: usize) -> u64 {
    u64::try_from(index).unwrap_or(u64::MAX)
}

impl Cast {
    /// The models of one kind of work that somebody sells.
    pub(crate) fn models_of(&self, workload: Workload) -> Vec<usize> {
        let is_it = |(_, listed): &(usize, &Listed)| {
            listed.workload == workload && !listed.sellers.is_empty()
        };
        self.models.iter().enumerate().filter(is_it).map(|(place, _)| place).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_cased_as_eip_55_has_them() {
        for example in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        ] {
            assert_eq!(mixed_case(Address::parse_any(example).unwrap()), example);
        }
    }
}
