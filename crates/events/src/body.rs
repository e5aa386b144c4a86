//! The taxonomy, version 1: every kind of statement and the data it carries.
//!
//! Kinds only grow. A member that is absent is unknown, never zero. Nothing here holds a prompt, a parameter, a log
//! line or a client's address: `publisher::translate` leaves those at home.

pub mod capability;
pub mod job;
pub mod node;
pub mod payment;
pub mod probe;
pub mod record;
pub mod stream;

use serde::{Deserialize, Serialize};

use crate::identity::{Address, ServiceUrl};
use crate::object::Object;
use crate::refusal::{Defect, Refusal};

/// Declares the kinds once: variant, its data and its name.
macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident($data:ty) = $word:literal,)*) => {
        crate::words! {
            /// The name of a kind of statement.
            Kind { $($(#[$doc])* $name = $word,)* }
        }

        /// What was seen.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize)]
        #[serde(untagged)]
        pub enum Body { $($(#[$doc])* $name($data),)* }

        impl Body {
            /// The kind of statement this is.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$name(_) => Kind::$name),* }
            }

            /// Reads the data of the kind named `kind`.
            pub fn decode(kind: &str, data: &str) -> Result<Self, Refusal> {
                let malformed = |error| Refusal::new(Defect::EventMalformed, format_args!("{kind}: {error}"));
                let mut reader = serde_json::Deserializer::from_str(data);
                match kind {
                    $($word => <$data>::deserialize(Object(&mut reader))
                        .and_then(|data| reader.end().map(|()| Self::$name(data)))
                        .map_err(malformed),)*
                    _ => Err(Refusal::new(Defect::EventKind, format_args!("kind {kind:?}"))),
                }
            }

            /// The JSON Schema of each kind's data, by the kind's name.
            pub fn data_schemas(generator: &mut schemars::SchemaGenerator) -> Vec<(&'static str, schemars::Schema)> {
                vec![$(($word, generator.subschema_for::<$data>())),*]
            }
        }
    };
}

kinds! {
    /// A user asked for work.
    JobRequested(job::Requested) = "job.requested",
    /// The work was given to an orchestrator.
    JobAssigned(job::Assigned) = "job.assigned",
    /// The first output arrived.
    JobFirstOutput(job::FirstOutput) = "job.first_output",
    /// Enough output arrived to watch.
    JobPlayable(job::Playable) = "job.playable",
    /// The work was taken from an orchestrator.
    JobSwapped(job::Swapped) = "job.swapped",
    /// No orchestrator took the work.
    JobUnserved(job::Unserved) = "job.unserved",
    /// The work failed.
    JobFailed(job::Failed) = "job.failed",
    /// The work ended as it should, or the user left.
    JobCompleted(job::Completed) = "job.completed",
    /// One attempt to transcode one segment at one orchestrator.
    SegmentAttempted(job::SegmentAttempted) = "segment.attempted",
    /// How a running session does.
    StreamStatus(stream::Status) = "stream.status",
    /// How the user's input arrives.
    StreamIngest(stream::Ingest) = "stream.ingest",
    /// What an orchestrator offers, and the addresses it goes by.
    CapabilityOffered(capability::Offered) = "capability.offered",
    /// An orchestrator answered, or did not, when asked for a session.
    DiscoveryAnswered(capability::Answered) = "discovery.answered",
    /// Tickets went to an orchestrator.
    PaymentSent(payment::Sent) = "payment.sent",
    /// A remote signer signed for work.
    PaymentSigned(payment::Signed) = "payment.signed",
    /// A node is alive.
    NodeHeartbeat(node::Heartbeat) = "node.heartbeat",
    /// A GPU's state.
    GpuSampled(node::GpuSample) = "gpu.sampled",
    /// A node's bandwidth.
    BandwidthSampled(node::BandwidthSample) = "bandwidth.sampled",
    /// A named count or reading.
    CounterSampled(node::CounterSample) = "counter.sampled",
    /// A worker came.
    WorkerJoined(node::Worker) = "worker.joined",
    /// A worker went.
    WorkerLeft(node::Worker) = "worker.left",
    /// A tester bound itself to tests it will make.
    ProbeCommitted(probe::Committed) = "probe.committed",
    /// A tester showed which jobs were tests.
    ProbeRevealed(probe::Revealed) = "probe.revealed",
    /// What a test gave.
    ProbeObserved(probe::Observed) = "probe.observed",
    /// One member of the set that may speak.
    RosterObserved(record::RosterMember) = "roster.observed",
    /// A key was given the right to speak for an address.
    DelegationGranted(record::Granted) = "delegation.granted",
    /// That right was taken back.
    DelegationRevoked(record::Revoked) = "delegation.revoked",
    /// Events were lost before they could be signed.
    EventsDropped(record::Dropped) = "events.dropped",
    /// A scorecard was published.
    ScorecardPublished(record::Scorecard) = "scorecard.published",
}

/// The ways an orchestrator is named; at least one is known.
///
/// Gateways see the signer's address and the URL, the chain knows the recipient: `capability.offered` ties the three.
#[derive(
    Debug,
    Clone,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(remote = "Orchestrator")]
pub struct Orchestrator {
    /// The on-chain address that is paid: the operator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Address>,
    /// The address the node signs with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<Address>,
    /// Where it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<ServiceUrl>,
}

crate::object::object_only!(Orchestrator);

impl Orchestrator {
    /// Whether nobody is named.
    pub fn is_nobody(&self) -> bool {
        self.recipient.is_none() && self.signer.is_none() && self.url.is_none()
    }
}

crate::words! {
    /// Whose eyes saw it, where the speaker relays another's word.
    Witness {
        /// The gateway itself.
        Gateway = "gateway",
        /// The orchestrator.
        Orchestrator = "orchestrator",
        /// The runner behind the orchestrator.
        Runner = "runner",
    }
}

crate::words! {
    /// Why work failed, ended early or changed hands.
    Reason {
        /// Nothing came in time.
        Timeout = "timeout",
        /// The model or its runner said no.
        ModelError = "model_error",
        /// The runner went away.
        RunnerDisconnect = "runner_disconnect",
        /// A connection between nodes broke.
        TransportDisconnect = "transport_disconnect",
        /// The orchestrator had no room.
        Capacity = "capacity",
        /// The gateway restarted or gave up.
        GatewayReset = "gateway_reset",
        /// The orchestrator restarted or gave up.
        OrchestratorReset = "orchestrator_reset",
        /// The user left.
        UserDisconnect = "user_disconnect",
        /// The user's input was missing or broken.
        InputFailed = "input_failed",
        /// No orchestrator was to be had.
        NoOrchestrator = "no_orchestrator",
        /// The request could not be served by anybody.
        InvalidRequest = "invalid_request",
        /// Payment was refused or missing.
        Payment = "payment",
        /// Nobody said.
        Unknown = "unknown",
    }
}

/// A price: `wei` for each `units`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(remote = "Price")]
pub struct Price {
    /// How many units the price is for: pixels, tokens, seconds, as the capability counts them.
    pub units: u64,
    /// What they cost.
    pub wei: crate::unit::Wei,
}

crate::object::object_only!(Price);
