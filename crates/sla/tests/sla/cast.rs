//! Who speaks in the tests, and how what they say becomes signed batches: every key is made from a name alone.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use events::batch::{Batch, Payload, Tail, publisher_key};
use events::body::record::{Granted, RosterMember};
use events::body::{Body, Orchestrator};
use events::delegation::{Delegation, address_of};
use events::event::{Event, Network, Role};
use events::identity::{Address, Digest, NodeId, PublisherKey, ServiceUrl};
use events::unit::{Millis, UnixMillis};
use sla::trust::{Member, TrustFile};

/// The network that everything made here belongs to.
pub const NETWORK: Network = Network::Simulation;

/// How long delegations last where nothing else is said.
pub const LASTS: Millis = Millis(30 * 24 * 3_600_000);

/// One node with its keys.
#[derive(Debug, Clone)]
pub struct Person {
    pub address: Address,
    pub key: PublisherKey,
    pub node: NodeId,
    pub role: Role,
    pub secret: SigningKey,
    /// The address an orchestrator signs with.
    pub signer: Address,
    pub url: ServiceUrl,
    pub wallet: k256::ecdsa::SigningKey,
}

fn seed(purpose: &str, name: &str) -> Digest {
    Digest::of(&[purpose.as_bytes(), b"\0", name.as_bytes()])
}

fn wallet(purpose: &str, name: &str) -> k256::ecdsa::SigningKey {
    k256::ecdsa::SigningKey::from_slice(&seed(purpose, name).0).expect("a hash is below the order")
}

impl Person {
    /// The node called `name`, for the operator called `operator`.
    pub fn new(name: &str, operator: &str, role: Role) -> Self {
        let secret = SigningKey::from_bytes(&seed("publisher", name).0);
        let wallet_of = wallet("wallet", operator);
        let hex = seed("node", name).to_string();
        let node = [&hex[..8], &hex[8..12], "4000", "8000", &hex[12..24]].join("-");
        Self {
            address: address_of(wallet_of.verifying_key()),
            key: publisher_key(&secret),
            node: node.parse().unwrap(),
            role,
            secret,
            signer: address_of(wallet("signer", name).verifying_key()),
            url: ServiceUrl::normalise(&format!("https://{name}.example:8935")).unwrap(),
            wallet: wallet_of,
        }
    }

    /// How a gateway sees this orchestrator.
    pub fn seen(&self) -> Orchestrator {
        Orchestrator { recipient: None, signer: Some(self.signer), url: Some(self.url.clone()) }
    }

    /// By every name.
    pub fn named(&self) -> Orchestrator {
        Orchestrator { recipient: Some(self.address), ..self.seen() }
    }

    /// An event about no job.
    pub fn says(&self, id: impl ToString, at_ms: UnixMillis, body: Body) -> Event {
        Event {
            at_ms,
            body,
            gateway: None,
            id: id.to_string().parse().unwrap(),
            job_id: None,
            model: None,
            network: NETWORK,
            node: self.node.clone(),
            origin: None,
            pipeline: None,
            region: None,
            reporter: self.address,
            role: self.role,
            workload: None,
        }
    }

    /// The right of this node's key to speak for its address.
    pub fn grant(&self, serial: u64, expiry_ms: UnixMillis) -> Granted {
        let delegation = Delegation {
            expiry_ms,
            key: self.key,
            network: NETWORK,
            node: self.node.clone(),
            operator: self.address,
            role: self.role,
            serial,
        };
        let signature = delegation.sign(&self.wallet);
        Granted { delegation, signature }
    }
}

/// What a roster lists a role under, if it lists it at all.
pub fn listed(role: Role) -> Option<Role> {
    match role {
        Role::Gateway => Some(Role::Gateway),
        Role::Orchestrator | Role::Worker | Role::Transcoder => Some(Role::Orchestrator),
        Role::Tester | Role::Collector | Role::Controller => None,
    }
}

/// A whole roster as the bodies of its events.
pub fn roster<'a>(
    as_of_ms: UnixMillis,
    members: impl IntoIterator<Item = &'a Person>,
) -> Vec<Body> {
    let members = members
        .into_iter()
        .filter_map(|person| listed(person.role).map(|role| (person.address, role)));
    let members: std::collections::BTreeSet<(Address, Role)> = members.collect();
    let count = u32::try_from(members.len()).unwrap();
    let body = |(member, role)| {
        Body::RosterObserved(RosterMember { as_of_ms, count, member, role, urls: Vec::new() })
    };
    members.into_iter().map(body).collect()
}

/// The trust file that names every controller, collector and tester of `people`; collectors by their key.
pub fn trust<'a>(people: impl IntoIterator<Item = &'a Person>) -> TrustFile {
    let is_named = |role| matches!(role, Role::Controller | Role::Collector | Role::Tester);
    let members = people.into_iter().filter(|person| is_named(person.role)).map(|person| Member {
        address: person.address,
        key: (person.role == Role::Collector).then_some(person.key),
        role: person.role,
    });
    TrustFile { members: members.collect(), network: NETWORK, roster_quorum: 1 }
}

/// The ends of everybody's chains.
#[derive(Debug, Default)]
pub struct Chains(BTreeMap<(PublisherKey, u64), Tail>);

impl Chains {
    /// Seals the next batch of a chain.
    pub fn seal(
        &mut self,
        person: &Person,
        epoch: u64,
        sealed_ms: UnixMillis,
        events: &[Vec<u8>],
    ) -> Batch {
        let batch = self.fork(person, epoch, sealed_ms, events);
        self.0.insert((person.key, epoch), batch.tail());
        batch
    }

    /// The last batch of a chain.
    pub fn tail(&self, key: PublisherKey, epoch: u64) -> Option<&Tail> {
        self.0.get(&(key, epoch))
    }

    /// Seals a batch that the chain does not go on from.
    pub fn fork(
        &self,
        person: &Person,
        epoch: u64,
        sealed_ms: UnixMillis,
        events: &[Vec<u8>],
    ) -> Batch {
        let payload = Payload::of(events.iter().map(Vec::as_slice));
        let tail = self.tail(person.key, epoch);
        Batch::seal(&person.secret, NETWORK, epoch, tail, sealed_ms, payload).unwrap()
    }
}

/// The canonical bytes of events.
pub fn encode(events: &[Event]) -> Vec<Vec<u8>> {
    events.iter().map(|event| event.encode().unwrap()).collect()
}
