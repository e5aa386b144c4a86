//! Who there is: every operator, node, key, address, URL and offer, made from the seed alone.
//!
//! An identity depends on the seed and its place in the cast, not on the options, the time or on how many others there
//! are: a network restarted later, or made larger, keeps its old members. Secrets here are worthless by design.

mod authority;
mod maker;

use std::fmt;
use std::ops::Range;

use ed25519_dalek::SigningKey;
use events::body;
use events::event::Role;
use events::identity::{Address, Label, Model, NodeId, Pipeline, PublisherKey, Region, ServiceUrl};
use events::unit::Ppm;

pub use authority::Registered;

/// Everybody, and what they sell.
#[derive(Debug)]
pub struct Cast {
    /// The place of the controller in `nodes`.
    pub controller: usize,
    /// The gateways; the first nodes, in this order.
    pub gateways: Vec<Gateway>,
    /// The models on offer.
    pub models: Vec<Listed>,
    /// Every node that has a key.
    pub nodes: Vec<Node>,
    /// The orchestrators, by service URL.
    pub orchestrators: Vec<Orchestrator>,
    /// The regions in use.
    pub regions: Vec<Region>,
    /// The places of the testers in `nodes`.
    pub testers: Range<usize>,
    pub(crate) seed: u64,
}

/// One node with a key to publish with.
#[derive(Clone)]
pub struct Node {
    /// Its name on disk: a UUID.
    pub id: NodeId,
    /// Whether it was given the right to speak. A stock orchestrator was not, and says nothing.
    pub is_speaking: bool,
    /// The address that answers for it.
    pub operator: Address,
    /// The name of its chain of batches.
    pub publisher: PublisherKey,
    /// Where it stands.
    pub region: Region,
    /// What it does.
    pub role: Role,
    /// The key it seals batches with.
    pub secret: SigningKey,
    /// How far its clock is off.
    pub skew_ms: i64,
    /// Its software's version.
    pub version: Label,
    pub(crate) operator_secret: k256::ecdsa::SigningKey,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("id", &self.id)
            .field("role", &self.role)
            .field("operator", &self.operator)
            .field("publisher", &self.publisher)
            .field("region", &self.region)
            .field("is_speaking", &self.is_speaking)
            .field("skew_ms", &self.skew_ms)
            .finish_non_exhaustive()
    }
}

impl Node {
    /// What this node's clock shows at a moment of true time.
    pub fn clock(&self, now: events::unit::UnixMillis) -> events::unit::UnixMillis {
        events::unit::UnixMillis(now.0.saturating_add_signed(self.skew_ms))
    }
}

/// What is particular to a gateway.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// Whether it pays on chain itself; if not, a remote signer does, and it knows no capabilities.
    pub is_on_chain: bool,
    /// Whether it runs the fork that reports AI batch, LLM and BYOC requests.
    pub is_reporting_requests: bool,
    /// The name it gives itself in envelopes; mostly empty.
    pub name: String,
    /// Its place in the cast's nodes.
    pub node: usize,
    /// Its paying address in mixed case.
    pub(crate) sender: String,
}

/// What is particular to an orchestrator.
#[derive(Debug, Clone)]
pub struct Orchestrator {
    /// How it is named in statements: recipient, signer and URL.
    pub named: body::Orchestrator,
    /// Its place in the cast's nodes.
    pub node: usize,
    /// What it sells.
    pub offers: Vec<Offer>,
    /// How much of its share of faults it has, in parts per million: poor ones over a million.
    pub proneness: Ppm,
    /// The on-chain address that is paid.
    pub recipient: Address,
    /// The address it signs with; often, not always, the recipient.
    pub signer: Address,
    /// Whether it transcodes.
    pub is_transcoding: bool,
    /// Where it answers.
    pub url: ServiceUrl,
    /// The node beside it that runs models or transcodes: a worker or transcoder under the same address.
    pub worker: usize,
    pub(crate) card: usize,
    pub(crate) gpu_id: String,
    pub(crate) pace_percent: u64,
    pub(crate) written: Written,
    pub(crate) weight: u64,
}

/// An orchestrator's names as nodes write them.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// The recipient in mixed case (EIP-55).
    pub recipient: String,
    /// The signer in lower case, as envelopes about sessions have it.
    pub signer: String,
    /// The signer in mixed case, as capabilities have it.
    pub signer_mixed: String,
    /// The URL as its operator registered it, with or without port and slash.
    pub url: String,
}

/// A model that an orchestrator sells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offer {
    /// Sessions it can hold.
    pub capacity: u32,
    /// Whether the model is loaded.
    pub is_warm: bool,
    /// Its place in the cast's models.
    pub model: usize,
    /// What it asks for each unit.
    pub price_wei: u64,
}

/// A model on offer somewhere.
#[derive(Debug, Clone)]
pub struct Listed {
    /// Its name.
    pub model: Model,
    /// Its pipeline, or BYOC capability.
    pub pipeline: Pipeline,
    /// The orchestrators that sell it, by place.
    pub sellers: Vec<usize>,
    /// The kind of work.
    pub workload: events::event::Workload,
    pub(crate) capability: u16,
    pub(crate) typical_ms: u64,
}

impl Cast {
    /// Everybody that `seed` makes for a network of this size.
    pub fn new(seed: u64, options: &crate::options::Options) -> Self {
        maker::make(seed, &options.clone().clamped())
    }

    /// The node that speaks as the controller.
    pub fn controller(&self) -> &Node {
        self.nodes.get(self.controller).expect("the maker gives every cast its controller")
    }
}
