//! How a live session does: the runner's status and the user's input.

use serde::{Deserialize, Serialize};

use super::{Orchestrator, Reason, Witness};
use crate::unit::{MilliFps, Millis, Ppm};

crate::words! {
    /// The runner's own word for how it does.
    State {
        /// Frames come and go.
        Online = "online",
        /// Too little comes in.
        DegradedInput = "degraded_input",
        /// Too little comes out.
        DegradedInference = "degraded_inference",
        /// The pipeline is being made ready.
        Loading = "loading",
        /// Nothing runs.
        Offline = "offline",
        /// The runner gave up.
        Error = "error",
    }
}

/// How a running session does; go-livepeer relays one from the runner every ten seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Status {
    /// A fresh error since the last status; a sticky one is told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Reason>,
    /// Frames per second that came in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps_in: Option<MilliFps>,
    /// Frames per second that went out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fps_out: Option<MilliFps>,
    /// Who runs it.
    pub orchestrator: Orchestrator,
    /// Restarts of the runner since the session began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// Milliseconds since the runner began this session, by its own clock.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub running_ms: Option<Millis>,
    /// The runner's word for how it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// Who saw it.
    pub witness: Witness,
}

crate::words! {
    /// What a track carries.
    Media {
        /// Pictures.
        Video = "video",
        /// Sound.
        Audio = "audio",
    }
}

/// One track of the user's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(remote = "Track")]
pub struct Track {
    /// Interarrival jitter in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jitter_us: Option<u64>,
    /// Share of packets lost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loss: Option<Ppm>,
    /// What it carries.
    pub media: Media,
    /// Packets lost so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_lost: Option<u64>,
    /// Packets received so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub packets_received: Option<u64>,
    /// Round trip in microseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rtt_us: Option<u64>,
}

crate::object::object_only!(Track);

/// How the user's input arrives at the gateway; go-livepeer says so every five seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Ingest {
    /// Bytes received so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes_received: Option<u64>,
    /// The gateway's word for the connection: `good`, `bad`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quality: Option<crate::identity::Label>,
    /// The tracks, at most eight.
    pub tracks: Vec<Track>,
}
