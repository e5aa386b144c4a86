//! The body go-livepeer puts on its metadata queue for every transcoded segment: each attempt at each orchestrator.
//!
//! It is no Kafka envelope: the time is a number and there is no gateway name, but a node id.

use super::Party;
use super::json::Json;

/// One attempt at one orchestrator.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt<'a> {
    pub party: Party<'a>,
    pub latency_ms: u64,
    pub error: Option<&'a str>,
}

/// A segment and where it was.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment<'a> {
    pub id: &'a str,
    pub at_ms: u64,
    pub stream_id: &'a str,
    pub node_id: &'a str,
    pub sequence: u64,
    pub duration_ms: u64,
    pub size_bytes: u64,
}

/// The body for a segment and its attempts, the last of which decides.
pub(crate) fn transcoded(segment: &Segment<'_>, attempts: &[Attempt<'_>]) -> Vec<u8> {
    let latency_ms = attempts.iter().map(|attempt| attempt.latency_ms).sum::<u64>();
    let is_success = attempts.last().is_some_and(|last| last.error.is_none());
    let mut json = Json::with_capacity(512);
    json.text("type", "transcode").text("id", segment.id).number("timestamp", segment.at_ms);
    json.text("streamId", segment.stream_id).text("nodeId", segment.node_id);
    json.object("segment", |json| {
        json.text("name", &format!("{}.ts", segment.sequence)).number("seqNo", segment.sequence);
        json.millionths("duration", segment.duration_ms * 1_000)
            .number("byteSize", segment.size_bytes);
    });
    json.number("startTime", segment.at_ms.saturating_sub(latency_ms))
        .number("latencyMs", latency_ms);
    json.flag("success", is_success);
    json.array("attempts", |json| {
        for attempt in attempts {
            json.item(|json| {
                json.object("orchestrator", |json| {
                    json.text("address", attempt.party.address)
                        .text("transcodeUri", attempt.party.url);
                });
                json.number("latencyMs", attempt.latency_ms).text_or_null("error", attempt.error);
            });
        }
    });
    json.finish()
}
