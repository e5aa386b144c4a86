//! Why something went wrong, read from the words nodes use; the words themselves never leave.
//!
//! Some reasons excuse the orchestrator, and gateways pass on what orchestrators answer. So a reason that excuses is read
//! from what the gateway itself says alone, and never from words that an orchestrator may have chosen.

use events::body::Reason;

/// What go-livepeer's gateways themselves say of a session, by how the message begins. Whatever else stands in such a
/// message may be wrapped around somebody else's words.
const OWN: &[(&[&str], Reason)] = &[
    (&["no orchestrators available"], Reason::NoOrchestrator),
    (&["whip disconnected", "mediamtx ingest disconnected"], Reason::UserDisconnect),
    (
        &["missing video", "missing audio", "no video", "ice connection", "ice failed", "no input"],
        Reason::InputFailed,
    ),
    (&["gateway restart", "gateway reset", "gateway shut"], Reason::GatewayReset),
];

/// What a gateway says when it was itself told to stop: these words and no others.
const STOPPED: &str = "context canceled";

/// Fragments of go-livepeer's, ai-runner's and the transport's messages, most telling first. No reason here excuses: to
/// have no room is an orchestrator's own to say, and it counts only if it is said in time.
const ANYBODYS: &[(&[&str], Reason)] = &[
    (
        &["insufficient capacity", "no capacity", "orchestratorbusy", "orchestratorcapped"],
        Reason::Capacity,
    ),
    (&["timeout", "timed out", "deadline exceeded", "timed_out"], Reason::Timeout),
    (
        &[
            "runner disconnect",
            "runner exited",
            "runner died",
            "runner crash",
            "container exited",
            "worker disconnect",
            "no heartbeat",
            "heartbeat",
        ],
        Reason::RunnerDisconnect,
    ),
    (
        &[
            "connection refused",
            "connection reset",
            "broken pipe",
            "eof",
            "no such host",
            "tls:",
            "trickle",
            "transport",
            "network is unreachable",
            "stream closed",
            "disconnect",
        ],
        Reason::TransportDisconnect,
    ),
    (
        &["orchestrator restart", "orchestrator reset", "orchestrator shut"],
        Reason::OrchestratorReset,
    ),
    (
        &[
            "bad_request",
            "bad request",
            "invalid request",
            "invalid param",
            "validation",
            "unsupported",
            "unprocessable",
            "cuda",
            "out of memory",
            "tensorrt",
            "model",
            "inference",
            "pipeline",
            "worker_error",
            "worker error",
            "nsfw",
            "prompt",
        ],
        Reason::ModelError,
    ),
];

/// The reason that a gateway's own message about a session gives.
pub(super) fn read_own(message: &str) -> Reason {
    let start = start(message);
    let own = OWN.iter().find(|(phrases, _)| phrases.iter().any(|said| start.starts_with(said)));
    match own {
        Some((_, reason)) => *reason,
        None if start == STOPPED => Reason::GatewayReset,
        None => read_anybodys(message),
    }
}

/// The reason that a message gives which an orchestrator may have worded: one that excuses nobody, and
/// [`Reason::Unknown`] where it gives none we know.
pub(super) fn read_anybodys(message: &str) -> Reason {
    let start = start(message);
    let rule = ANYBODYS
        .iter()
        .find(|(fragments, _)| fragments.iter().any(|fragment| start.contains(fragment)));
    rule.map_or(Reason::Unknown, |(_, reason)| *reason)
}

/// Whether a gateway's own class of an error, or its message about a request that it gave to nobody, says that nobody
/// was to be had.
pub(super) fn is_nobody_there(said: &str) -> bool {
    let start = start(said);
    start == "no_orchestrators" || start.starts_with("no orchestrators available")
}

/// A message may be a whole log; its beginning says what kind it is.
fn start(message: &str) -> String {
    message.trim().chars().take(2_000).collect::<String>().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Those that take an obligation out of an orchestrator's account, whenever they are said.
    const EXCUSING: &[Reason] = &[
        Reason::GatewayReset,
        Reason::InputFailed,
        Reason::InvalidRequest,
        Reason::NoOrchestrator,
        Reason::Payment,
        Reason::UserDisconnect,
    ];

    #[test]
    fn gateways_excuse_by_how_their_messages_begin() {
        for (message, reason) in [
            ("no orchestrators available within 2s timeout", Reason::NoOrchestrator),
            ("WHIP disconnected unexpectedly", Reason::UserDisconnect),
            ("mediamtx ingest disconnected", Reason::UserDisconnect),
            ("ICE connection state failed", Reason::InputFailed),
            ("missing video", Reason::InputFailed),
            ("context canceled", Reason::GatewayReset),
            ("timeout waiting for segments", Reason::Timeout),
            ("something else", Reason::Unknown),
        ] {
            assert_eq!(read_own(message), reason, "{message}");
        }
    }

    #[test]
    fn words_within_a_message_excuse_nobody() {
        let phrases = OWN.iter().flat_map(|(phrases, _)| *phrases).chain([&STOPPED]);
        for phrase in phrases {
            for message in [
                format!("error from orchestrator: {phrase}"),
                format!("status=500 body={{\"error\":{{\"message\":\"{phrase}\"}}}}"),
                format!("\"{phrase}\""),
            ] {
                assert!(!EXCUSING.contains(&read_own(&message)), "{message}");
            }
        }
        assert_eq!(read_own("context canceled: whip disconnected"), Reason::TransportDisconnect);
    }

    #[test]
    fn what_an_orchestrator_may_have_said_excuses_nobody() {
        for (message, reason) in [
            ("no orchestrators available within 2s timeout", Reason::Timeout),
            ("no_orchestrators", Reason::Unknown),
            ("whip disconnected", Reason::TransportDisconnect),
            ("missing video", Reason::Unknown),
            ("context canceled", Reason::Unknown),
            ("insufficient ticket balance", Reason::Unknown),
            ("bad_request", Reason::ModelError),
            ("trickle subscribe error, swapping: EOF", Reason::TransportDisconnect),
            ("context deadline exceeded", Reason::Timeout),
            ("OrchestratorBusy", Reason::Capacity),
            ("{\"error\":{\"message\":\"insufficient capacity\"}}", Reason::Capacity),
            ("CUDA error: device busy", Reason::ModelError),
            ("CUDA out of memory", Reason::ModelError),
            ("worker_error", Reason::ModelError),
            ("something else", Reason::Unknown),
            ("", Reason::Unknown),
        ] {
            assert_eq!(read_anybodys(message), reason, "{message}");
        }
        let rules = ANYBODYS.iter().map(|(_, reason)| reason);
        assert!(rules.into_iter().all(|reason| !EXCUSING.contains(reason)));
    }
}
