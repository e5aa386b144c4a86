//! One event: the fields every statement carries, and the body that says what was seen.
//!
//! Struct fields stand in the order of their JSON names, so that serialising gives canonical bytes without sorting; a
//! law in the tests holds that. Reading goes through [`Event::decode`], which never repairs.

use serde::de::value::BorrowedStrDeserializer;
use serde::{Deserialize, Serialize};

use crate::body::{Body, Kind};
use crate::canonical;
use crate::identity::{Address, EventId, GatewayName, JobId, Model, NodeId, Pipeline, Region};
use crate::refusal::{Defect, Refusal};
use crate::unit::UnixMillis;

/// The most bytes one event may have in canonical form (docs/events.md, "An event").
pub const MAX_EVENT_BYTES: usize = 16 * 1024;

/// The version of the event's shape; kinds and optional fields may be added under the same number.
pub const SCHEMA: u16 = 1;

/// Declares a closed set of words with their one spelling.
#[macro_export]
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, schemars::JsonSchema)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Every word of the set, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word as it stands in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            /// Reads a word, and not the object `{"word":null}` that derived code would also read.
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Word;
                impl serde::de::Visitor<'_> for Word {
                    type Value = $name;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str(concat!("a word of ", stringify!($name)))
                    }
                    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::identity::Invalid;
            fn from_str(text: &str) -> Result<Self, $crate::identity::Invalid> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err($crate::identity::Invalid::unknown_word(stringify!($name), text)),
                }
            }
        }
    };
}

impl crate::identity::Invalid {
    /// A word that is not in its closed set.
    pub fn unknown_word(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(80).collect() }
    }
}

words! {
    /// The network an event belongs to. Two networks never meet in one score.
    Network {
        /// Livepeer on Arbitrum One.
        Livepeer = "livepeer",
        /// Everything a simulator makes.
        Simulation = "simulation",
    }
}

words! {
    /// What a node does, and so what its word is about.
    Role {
        /// Takes work from users and hands it to orchestrators.
        Gateway = "gateway",
        /// Sells work and answers for its workers.
        Orchestrator = "orchestrator",
        /// Runs AI models for an orchestrator.
        Worker = "worker",
        /// Transcodes for an orchestrator.
        Transcoder = "transcoder",
        /// Sends probes.
        Tester = "tester",
        /// Signs as itself what unsigned feeds say.
        Collector = "collector",
        /// Says who may speak.
        Controller = "controller",
    }
}

words! {
    /// The kind of work a job is.
    Workload {
        /// Real-time AI video: a long session with status reports.
        LiveVideo = "live-video",
        /// One AI request, one answer.
        AiBatch = "ai-batch",
        /// A language model request, streamed or not.
        Llm = "llm",
        /// Bring your own container.
        Byoc = "byoc",
        /// Video segments in several renditions.
        Transcoding = "transcoding",
        /// An app session on a live runner.
        LiveRunner = "live-runner",
    }
}

impl Pipeline {
    /// The kind of work of a pipeline that go-livepeer has built in; none for any other, such as a BYOC capability.
    pub fn workload(&self) -> Option<Workload> {
        Some(match self.as_str() {
            "live-video-to-video" => Workload::LiveVideo,
            "llm" => Workload::Llm,
            "text-to-image" | "image-to-image" | "image-to-video" | "text-to-video" | "upscale"
            | "audio-to-text" | "segment-anything-2" | "image-to-text" | "text-to-speech"
            | "noop" => Workload::AiBatch,
            _ => return None,
        })
    }
}

words! {
    /// Whether somebody wanted the work or wanted to measure it.
    Origin {
        /// Asked for by a user.
        Organic = "organic",
        /// Asked for by a tester.
        Probe = "probe",
    }
}

/// One signed statement of one node.
#[derive(Debug, Clone, PartialEq, Eq, schemars::JsonSchema)]
pub struct Event {
    /// When it happened, by the reporter's clock.
    pub at_ms: UnixMillis,
    /// What was seen. In JSON the members `kind` and `data`.
    #[schemars(skip)]
    pub body: Body,
    /// The gateway that an unsigned feed named, where a collector speaks for it.
    pub gateway: Option<GatewayName>,
    /// Unique per reporter.
    pub id: EventId,
    /// The job it is about.
    pub job_id: Option<JobId>,
    /// The model asked for or served.
    pub model: Option<Model>,
    /// The network it belongs to.
    pub network: Network,
    /// The node that speaks.
    pub node: NodeId,
    /// Whether the work was wanted or was a test, where known.
    pub origin: Option<Origin>,
    /// The pipeline asked for or served.
    pub pipeline: Option<Pipeline>,
    /// The configured region of the node.
    pub region: Option<Region>,
    /// The address that answers for the node.
    pub reporter: Address,
    /// The role the node speaks in.
    pub role: Role,
    /// The kind of work, where it is about work.
    pub workload: Option<Workload>,
}

/// The members of an event that this version knows, each as its JSON text.
#[derive(Default)]
struct Incoming<'a> {
    at_ms: Option<&'a str>,
    data: Option<&'a str>,
    gateway: Option<&'a str>,
    id: Option<&'a str>,
    job_id: Option<&'a str>,
    kind: Option<&'a str>,
    model: Option<&'a str>,
    network: Option<&'a str>,
    node: Option<&'a str>,
    origin: Option<&'a str>,
    pipeline: Option<&'a str>,
    region: Option<&'a str>,
    reporter: Option<&'a str>,
    role: Option<&'a str>,
    schema: Option<&'a str>,
    workload: Option<&'a str>,
}

#[derive(Serialize)]
struct Outgoing<'a> {
    at_ms: UnixMillis,
    data: &'a Body,
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway: Option<&'a GatewayName>,
    id: &'a EventId,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<JobId>,
    kind: Kind,
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<&'a Model>,
    network: Network,
    node: &'a NodeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<Origin>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pipeline: Option<&'a Pipeline>,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<&'a Region>,
    reporter: Address,
    role: Role,
    schema: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    workload: Option<Workload>,
}

impl Event {
    /// The kind of statement it is.
    pub fn kind(&self) -> Kind {
        self.body.kind()
    }

    /// The canonical bytes, which are what a batch commits to.
    pub fn encode(&self) -> Result<Vec<u8>, Refusal> {
        let malformed = |error| Refusal::new(Defect::EventMalformed, error);
        let bytes = serde_json::to_vec(&self.outgoing()).map_err(malformed)?;
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(too_large(bytes.len()));
        }
        canonical::check(&bytes)?;
        Ok(bytes)
    }

    /// Reads canonical bytes. Fields this version does not know are passed over; kinds it does not know are refused.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() > MAX_EVENT_BYTES {
            return Err(too_large(bytes.len()));
        }
        let mut incoming = Incoming::default();
        let text = canonical::members(bytes, |name, value| incoming.take(name, value))?;
        if !text.starts_with('{') {
            return Err(Refusal::new(Defect::EventMalformed, "not an object"));
        }
        incoming.read()
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            at_ms: self.at_ms,
            data: &self.body,
            gateway: self.gateway.as_ref(),
            id: &self.id,
            job_id: self.job_id,
            kind: self.kind(),
            model: self.model.as_ref(),
            network: self.network,
            node: &self.node,
            origin: self.origin,
            pipeline: self.pipeline.as_ref(),
            region: self.region.as_ref(),
            reporter: self.reporter,
            role: self.role,
            schema: SCHEMA,
            workload: self.workload,
        }
    }
}

impl<'a> Incoming<'a> {
    /// Keeps the text of a member that is known.
    fn take(&mut self, name: &str, value: &'a str) {
        let place = match name {
            "at_ms" => &mut self.at_ms,
            "data" => &mut self.data,
            "gateway" => &mut self.gateway,
            "id" => &mut self.id,
            "job_id" => &mut self.job_id,
            "kind" => &mut self.kind,
            "model" => &mut self.model,
            "network" => &mut self.network,
            "node" => &mut self.node,
            "origin" => &mut self.origin,
            "pipeline" => &mut self.pipeline,
            "region" => &mut self.region,
            "reporter" => &mut self.reporter,
            "role" => &mut self.role,
            "schema" => &mut self.schema,
            "workload" => &mut self.workload,
            _ => return,
        };
        *place = Some(value);
    }

    fn read(self) -> Result<Event, Refusal> {
        let schema: u16 = required("schema", self.schema)?;
        if schema != SCHEMA {
            return Err(Refusal::new(Defect::EventMalformed, format_args!("schema {schema}")));
        }
        let (kind, data) = (present("kind", self.kind)?, present("data", self.data)?);
        Ok(Event {
            at_ms: required("at_ms", self.at_ms)?,
            gateway: optional("gateway", self.gateway)?,
            id: required("id", self.id)?,
            job_id: optional("job_id", self.job_id)?,
            model: optional("model", self.model)?,
            network: required("network", self.network)?,
            node: required("node", self.node)?,
            origin: optional("origin", self.origin)?,
            pipeline: optional("pipeline", self.pipeline)?,
            region: optional("region", self.region)?,
            reporter: required("reporter", self.reporter)?,
            role: required("role", self.role)?,
            workload: optional("workload", self.workload)?,
            // The last to be read: an event that is malformed in another member is that, whatever its kind.
            body: match text(kind) {
                Some(kind) => Body::decode(kind, data)?,
                None => Body::decode(&value::<String>("kind", kind)?, data)?,
            },
        })
    }
}

/// What canonical JSON text says if it is a string without escapes.
fn text(json: &str) -> Option<&str> {
    let inner = json.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains('\\')).then_some(inner)
}

fn value<'a, T: Deserialize<'a>>(name: &str, json: &'a str) -> Result<T, Refusal> {
    let malformed = |error: serde_json::Error| {
        Refusal::new(Defect::EventMalformed, format_args!("{name}: {error}"))
    };
    match text(json) {
        Some(text) => T::deserialize(BorrowedStrDeserializer::new(text)),
        None => serde_json::from_str(json),
    }
    .map_err(malformed)
}

fn present<'a>(name: &str, json: Option<&'a str>) -> Result<&'a str, Refusal> {
    json.ok_or_else(|| Refusal::new(Defect::EventMalformed, format_args!("no {name}")))
}

fn required<'a, T: Deserialize<'a>>(name: &str, json: Option<&'a str>) -> Result<T, Refusal> {
    value(name, present(name, json)?)
}

/// A member that is null is as good as absent.
fn optional<'a, T: Deserialize<'a>>(
    name: &str,
    json: Option<&'a str>,
) -> Result<Option<T>, Refusal> {
    json.filter(|json| *json != "null").map(|json| value(name, json)).transpose()
}

fn too_large(bytes: usize) -> Refusal {
    Refusal::new(Defect::EventTooLarge, format_args!("{bytes} bytes, at most {MAX_EVENT_BYTES}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_built_in_pipelines_have_a_workload() {
        for (name, workload) in [
            ("live-video-to-video", Some(Workload::LiveVideo)),
            ("llm", Some(Workload::Llm)),
            ("text-to-image", Some(Workload::AiBatch)),
            ("noop", Some(Workload::AiBatch)),
            ("openai-chat", None),
            ("Text-to-image", None),
        ] {
            assert_eq!(name.parse::<Pipeline>().unwrap().workload(), workload, "{name}");
        }
    }
}
