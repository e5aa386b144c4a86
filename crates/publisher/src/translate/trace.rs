//! `stream_trace`: the milestones of a live session, told by the gateway or relayed by it from the runner.

use events::body::job::{
    Assigned, Completed, FirstOutput, Output, Playable, Requested, Swapped, Unserved,
};
use events::body::{Body, Orchestrator, Reason, Witness};
use events::refusal::{Defect, Refusal};

use super::json::Object;
use super::live::job_of;
use super::names::{Work, orchestrator_info};
use super::{Draft, Envelope, Page, reason, refuse_data, unknown_subtype};

/// What Daydream's Scope client traces about itself under this family.
const SCOPE_NOISE: &[&str] = &[
    "stream_heartbeat",
    "pipeline_load_start",
    "pipeline_loaded",
    "session_created",
    "stream_started",
    "playback_ready",
    "session_closed",
    "pipeline_unloaded",
    "websocket_connected",
    "websocket_disconnected",
    "error",
];

/// Subtypes that repeat what others say better: the end of a BYOC stream and its token's renewal.
const SAID_ELSEWHERE: &[&str] = &["stream_stopped", "stream_orchestrator_token_refresh"];

pub(super) fn stream_trace(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    if is_noise(&subtype, &data) {
        return Err(Refusal::new(Defect::SubtypeIgnored, super::plain_or(&subtype)));
    }
    let is_relayed = subtype.starts_with("runner_");
    let body = body(&subtype, &data)?;
    let job = job_of(&data)?;
    let at_ms = if is_relayed { envelope.at_ms } else { envelope.spoken_ms(&data, "timestamp") };
    page.say(Draft::new(at_ms, body).about(Some(job), &Work::of_live(&data)));
    Ok(())
}

fn is_noise(subtype: &str, data: &Object<'_>) -> bool {
    let is_scope = data.text("client_source").as_deref() == Some("scope");
    subtype.starts_with("app_")
        || SAID_ELSEWHERE.contains(&subtype)
        || (is_scope && SCOPE_NOISE.contains(&subtype))
}

fn body(subtype: &str, data: &Object<'_>) -> Result<Body, Refusal> {
    Ok(match subtype {
        "gateway_receive_stream_request" => Body::JobRequested(Requested::default()),
        "gateway_send_first_ingest_segment" => assigned(data, Witness::Gateway)?,
        "runner_receive_stream_request" | "runner_receive_first_ingest_segment" => {
            assigned(data, Witness::Runner)?
        }
        "gateway_receive_first_processed_segment" => {
            first_output(data, Output::Media, Witness::Gateway)?
        }
        "gateway_receive_first_data_segment" => first_output(data, Output::Data, Witness::Gateway)?,
        "runner_send_first_processed_segment" => {
            first_output(data, Output::Media, Witness::Runner)?
        }
        "gateway_receive_few_processed_segments" => {
            Body::JobPlayable(Playable { orchestrator: somebody(data)? })
        }
        // The orchestrator it names is the one that was left.
        "orchestrator_swap" => {
            let message = data.text("message");
            let reason = message.map_or(Reason::Unknown, |message| reason::read_anybodys(&message));
            Body::JobSwapped(Swapped { orchestrator: somebody(data)?, reason })
        }
        "gateway_no_orchestrators_available" => {
            of_nobody(data)?;
            Body::JobUnserved(Unserved { reason: Reason::NoOrchestrator })
        }
        "gateway_ingest_stream_closed" => Body::JobCompleted(ended(of_nobody(data)?, None)),
        _ => return Err(unknown_subtype(subtype)),
    })
}

/// Nobody, as the gateway's own words have it: it fills in the orchestrator only where it passes on what a runner sent
/// under any name it liked, and no runner ends a session.
fn of_nobody(data: &Object<'_>) -> Result<Orchestrator, Refusal> {
    let orchestrator = orchestrator_info(data);
    if orchestrator.is_nobody() {
        Ok(orchestrator)
    } else {
        Err(refuse_data("the end of a session, said through an orchestrator"))
    }
}

fn assigned(data: &Object<'_>, witness: Witness) -> Result<Body, Refusal> {
    let said_ms = if witness == Witness::Runner { data.moment("timestamp") } else { None };
    Ok(Body::JobAssigned(Assigned {
        attempt: None,
        orchestrator: somebody(data)?,
        said_ms,
        witness,
    }))
}

fn first_output(data: &Object<'_>, output: Output, witness: Witness) -> Result<Body, Refusal> {
    let said_ms = if witness == Witness::Runner { data.moment("timestamp") } else { None };
    Ok(Body::JobFirstOutput(FirstOutput {
        orchestrator: somebody(data)?,
        output,
        said_ms,
        witness,
    }))
}

/// A session that ended as the gateway saw it.
pub(super) fn ended(orchestrator: Orchestrator, reason: Option<Reason>) -> Completed {
    Completed {
        duration_ms: None,
        http_status: None,
        orchestrator,
        price_wei: None,
        reason,
        tokens: None,
        tries: None,
        witness: Witness::Gateway,
    }
}

/// The orchestrator the data names, where an event is nothing without one.
pub(super) fn somebody(data: &Object<'_>) -> Result<Orchestrator, Refusal> {
    let orchestrator = orchestrator_info(data);
    if orchestrator.is_nobody() {
        Err(refuse_data("names no orchestrator"))
    } else {
        Ok(orchestrator)
    }
}
