//! Transcoding: the body go-livepeer puts on its AMQP exchange for each segment, attempt by attempt.

use events::body::job::{SegmentAttempted, Unserved};
use events::body::{Body, Reason};
use events::event::Workload;
use events::job;
use events::refusal::Refusal;
use events::unit::{MAX_JSON_INTEGER, Millis};

use super::json::{Json, Object};
use super::names::{Work, orchestrator};
use super::{Draft, Envelope, Page, reason, refuse_data};

pub(super) fn transcode(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    // The body is the message itself; an envelope around it is tolerated.
    let data = envelope.data.and_then(Json::object).unwrap_or_else(|| envelope.members.clone());
    let segment = data.object("segment");
    let stream = data.text("streamId").ok_or_else(|| refuse_data("no streamId"))?;
    let sequence = segment.count("seqNo").filter(|sequence| *sequence <= MAX_JSON_INTEGER);
    let sequence = sequence.ok_or_else(|| refuse_data("no segment.seqNo"))?;
    let work = Work { workload: Some(Workload::Transcoding), ..Work::default() };
    let attempts: Vec<Object<'_>> =
        data.array("attempts").into_iter().filter_map(Json::object).collect();
    let success = data.flag("success").unwrap_or(!attempts.is_empty());
    if attempts.is_empty() && !success {
        let body = Body::JobUnserved(Unserved { reason: Reason::NoOrchestrator });
        page.say(
            Draft::new(envelope.at_ms, body)
                .about(Some(job::segment(&stream, sequence, None)), &work),
        );
        return Ok(());
    }
    let count = u32::try_from(attempts.len()).map_err(|_| refuse_data("too many attempts"))?;
    for (number, attempt) in (1..=count).zip(&attempts) {
        let Some(body) = attempted(attempt, &segment, number, count, success) else {
            page.refuse(refuse_data("an attempt that names no orchestrator"));
            continue;
        };
        let job = job::segment(&stream, sequence, body.orchestrator.signer);
        page.say(Draft::new(envelope.at_ms, Body::SegmentAttempted(body)).about(Some(job), &work));
    }
    Ok(())
}

/// One attempt. The last one of a failed segment failed, whether it says so or not.
fn attempted(
    data: &Object<'_>,
    segment: &Object<'_>,
    attempt: u32,
    attempts: u32,
    success: bool,
) -> Option<SegmentAttempted> {
    let who = data.object("orchestrator");
    let orchestrator =
        orchestrator(who.text("address").as_deref(), who.text("transcodeUri").as_deref());
    let error = data.text("error");
    let is_good = error.is_none() && (success || attempt < attempts);
    let reason = error.map_or(Reason::Unknown, |message| reason::read_anybodys(&message));
    let body = SegmentAttempted {
        attempt,
        attempts,
        duration_ms: segment.decimal("duration").and_then(|seconds| seconds.count(3)).map(Millis),
        latency_ms: data.millis("latencyMs"),
        orchestrator,
        reason: (!is_good).then_some(reason),
        size_bytes: segment.count("byteSize"),
        success: is_good,
    };
    (!body.orchestrator.is_nobody()).then_some(body)
}
