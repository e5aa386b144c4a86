//! Why something went wrong, read from the words nodes use; the words themselves never leave.

use events::body::Reason;

/// Fragments of go-livepeer's, ai-runner's and the transport's messages, most telling first.
const RULES: &[(&[&str], Reason)] = &[
    (&["no orchestrators", "no_orchestrators", "no orchestrator"], Reason::NoOrchestrator),
    (
        &[
            "whip disconnected",
            "user disconnected",
            "mediamtx ingest disconnected",
            "client disconnected",
            "client closed",
        ],
        Reason::UserDisconnect,
    ),
    (
        &[
            "missing video",
            "missing audio",
            "no video",
            "ice connection",
            "ice failed",
            "no input",
            "input stream",
        ],
        Reason::InputFailed,
    ),
    (
        &[
            "insufficient capacity",
            "no capacity",
            "capacity",
            "orchestratorbusy",
            "orchestratorcapped",
            "overloaded",
            "too many requests",
            "no slots",
            "busy",
            "status=429",
        ],
        Reason::Capacity,
    ),
    (&["payment", "ticket", "balance", "face value", "max price", "status=402"], Reason::Payment),
    (
        &[
            "bad_request",
            "bad request",
            "invalid request",
            "invalid param",
            "validation",
            "unsupported",
            "unprocessable",
        ],
        Reason::InvalidRequest,
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
        &["gateway restart", "gateway reset", "gateway shut", "context canceled"],
        Reason::GatewayReset,
    ),
    (
        &[
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

/// The reason that a message gives; [`Reason::Unknown`] where it gives none we know.
pub(super) fn read(message: &str) -> Reason {
    // A message may be a whole log; its beginning says what kind it is.
    let start: String = message.chars().take(2_000).collect::<String>().to_lowercase();
    let rule = RULES
        .iter()
        .find(|(fragments, _)| fragments.iter().any(|fragment| start.contains(fragment)));
    rule.map_or(Reason::Unknown, |(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_the_field() {
        for (message, reason) in [
            ("no orchestrators available within 2s timeout", Reason::NoOrchestrator),
            ("WHIP disconnected unexpectedly", Reason::UserDisconnect),
            ("mediamtx ingest disconnected", Reason::UserDisconnect),
            ("ICE connection state failed", Reason::InputFailed),
            ("trickle subscribe error, swapping: EOF", Reason::TransportDisconnect),
            ("context deadline exceeded", Reason::Timeout),
            ("OrchestratorBusy", Reason::Capacity),
            ("insufficient ticket balance", Reason::Payment),
            ("CUDA out of memory", Reason::ModelError),
            ("worker_error", Reason::ModelError),
            ("bad_request", Reason::InvalidRequest),
            ("something else", Reason::Unknown),
            ("", Reason::Unknown),
        ] {
            assert_eq!(read(message), reason, "{message}");
        }
    }
}
