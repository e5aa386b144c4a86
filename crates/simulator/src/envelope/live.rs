//! The families about live sessions: `stream_trace`, `ai_stream_status`, `ai_stream_events`, `stream_ingest_metrics`.
//!
//! Members stand in the order go-livepeer writes them; the swap has no time and names who was left.

use super::Party;
use super::json::Json;

/// The ids of one session.
#[derive(Debug, Clone)]
pub(crate) struct SessionName {
    pub stream_id: String,
    pub request_id: String,
}

impl SessionName {
    fn write(&self, json: &mut Json) {
        json.text("pipeline_id", "")
            .text("request_id", &self.request_id)
            .text("stream_id", &self.stream_id);
    }
}

/// A `stream_trace` with its time.
pub(crate) fn trace(
    json: &mut Json,
    session: &SessionName,
    what: &str,
    at_ms: u64,
    party: Party<'_>,
) {
    party.write(json);
    session.write(json);
    json.number("timestamp", at_ms).text("type", what);
}

/// The swap: no time, and the orchestrator that was left.
pub(crate) fn swap(
    json: &mut Json,
    session: &SessionName,
    model: &str,
    why: &str,
    left: Party<'_>,
) {
    json.text("message", why);
    left.write(json);
    json.text("pipeline", model);
    session.write(json);
    json.text("type", "orchestrator_swap");
}

/// An error of the gateway's: no time and no orchestrator.
pub(crate) fn error(json: &mut Json, session: &SessionName, model: &str, why: &str) {
    json.text("capability", "Live video to video").text("message", why).text("pipeline", model);
    session.write(json);
    json.text("type", "error");
}

/// The runner restarted.
pub(crate) fn restart(
    json: &mut Json,
    session: &SessionName,
    count: u64,
    at_ms: u64,
    party: Party<'_>,
) {
    party.write(json);
    session.write(json);
    json.number("restart_count", count).number("restart_time", at_ms);
    json.text("restart_logs", "Traceback (most recent call last): torch.cuda.OutOfMemoryError");
    json.number("timestamp", at_ms).text("type", "restart");
}

/// The user changed the parameters.
pub(crate) fn parameters(
    json: &mut Json,
    session: &SessionName,
    model: &str,
    at_ms: u64,
    party: Party<'_>,
) {
    party.write(json);
    json.object("params", |json| {
        json.text("prompt", "a lighthouse in a storm, oil on canvas")
            .number("height", 512)
            .number("width", 512);
    });
    json.text("pipeline", model);
    session.write(json);
    json.number("timestamp", at_ms).text("type", "params_update");
}

/// What one `ai_stream_status` reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Status<'a> {
    /// The runner's clock now.
    pub at_ms: u64,
    /// When the runner began, by its own clock.
    pub start_ms: u64,
    pub state: &'a str,
    pub fps_in_millionths: u64,
    pub fps_out_millionths: u64,
    /// The last error and its time, which stay for ever.
    pub error: Option<(&'a str, u64)>,
    pub restarts: u64,
    pub restart_ms: Option<u64>,
    pub params_hash: &'a str,
}

/// An `ai_stream_status`, whose `pipeline` is really a model.
pub(crate) fn status(
    json: &mut Json,
    session: &SessionName,
    model: &str,
    status: &Status<'_>,
    party: Party<'_>,
) {
    let quiet = status.fps_out_millionths == 0;
    json.object("inference_status", |json| {
        json.millionths("fps", status.fps_out_millionths);
        json.text_or_null("last_error", status.error.map(|(error, _)| error));
        json.number_or_null("last_error_time", status.error.map(|(_, at)| at));
        json.number_or_null("last_output_time", (!quiet).then(|| status.at_ms.saturating_sub(74)));
        json.object("last_params", |json| {
            json.number("height", 512)
                .text("prompt", "a lighthouse in a storm")
                .number("width", 512);
        });
        json.text("last_params_hash", status.params_hash)
            .number("last_params_update_time", status.start_ms);
        json.null("last_restart_logs").number_or_null("last_restart_time", status.restart_ms);
        json.number("restart_count", status.restarts);
    });
    json.object("input_status", |json| {
        json.millionths("fps", status.fps_in_millionths)
            .number("last_input_time", status.at_ms.saturating_sub(93));
    });
    json.number("last_state_update_time", status.start_ms + 7_863)
        .number("last_status_timestamp", status.start_ms);
    party.write(json);
    json.text("pipeline", model);
    session.write(json);
    json.number("start_time", status.start_ms).text("state", status.state);
    json.number("timestamp", status.at_ms).text("type", "status");
}

/// What one `stream_ingest_metrics` reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ingest {
    pub at_ms: u64,
    /// How long the input has run.
    pub running_ms: u64,
    pub jitter_millionths: u64,
    pub lost_percent: u64,
    pub rtt_millionths: u64,
    pub is_good: bool,
}

/// A `stream_ingest_metrics`: a video and an audio track.
pub(crate) fn ingest(json: &mut Json, session: &SessionName, ingest: &Ingest) {
    session.write(json);
    json.object("stats", |json| {
        json.object("peer_conn_stats", |json| {
            json.text("ID", "iceTransport").number("BytesReceived", ingest.running_ms * 97);
            json.number("BytesSent", ingest.running_ms * 4 / 5);
        });
        json.array("track_stats", |json| {
            for (kind, packets_each_s) in [("video", 84), ("audio", 50)] {
                let packets = ingest.running_ms * packets_each_s / 1_000;
                json.item(|json| track(json, kind, packets, ingest));
            }
        });
        json.text("conn_quality", if ingest.is_good { "good" } else { "bad" });
    });
    json.number("timestamp", ingest.at_ms);
}

fn track(json: &mut Json, kind: &str, packets: u64, ingest: &Ingest) {
    json.text("type", kind).millionths("jitter", ingest.jitter_millionths);
    json.number("packets_lost", packets * ingest.lost_percent / 100)
        .number("packets_received", packets);
    json.number("packet_loss_pct", ingest.lost_percent).millionths("rtt", ingest.rtt_millionths);
    json.millionths("last_input_ts", ingest.running_ms * 1_000)
        .number("last_output_ts", 0)
        .number("latency", 0);
}
