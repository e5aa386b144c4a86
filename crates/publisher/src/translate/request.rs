//! Requests with one answer: `ai_batch_request` and `ai_llm_request`, which some gateways emit.

use events::body::job::{Assigned, Completed, Failed, Requested, Tokens, Unserved};
use events::body::{Body, Orchestrator, Reason, Witness};
use events::event::Workload;
use events::identity::JobId;
use events::job;
use events::refusal::Refusal;
use events::unit::Millis;

use super::json::Object;
use super::names::{Work, orchestrator};
use super::{Draft, Envelope, Page, reason, unknown_subtype};

/// The job of a request. Without an id the end of one still counts, by the envelope's own id; its other events do not.
pub(super) fn job_of(
    envelope: &Envelope<'_>,
    data: &Object<'_>,
    workload: Workload,
    is_end: bool,
) -> Option<JobId> {
    let request = data.text("request_id");
    let name = request.as_deref().or(is_end.then_some(envelope.id.as_ref()))?;
    Some(job::request(workload, name))
}

/// How a request ended, whoever tells it.
pub(super) struct End {
    pub(super) duration_ms: Option<Millis>,
    pub(super) orchestrator: Orchestrator,
    pub(super) tries: Option<u32>,
    pub(super) tokens: Option<Tokens>,
    pub(super) witness: Witness,
}

impl End {
    /// Completed, failed or unserved: by `success`, or, where that is absent, by whether an error is told.
    pub(super) fn body(self, data: &Object<'_>) -> Body {
        let message = data.text("error_type").or_else(|| data.text("error"));
        let http_status = data.http_status("http_status");
        let is_good = data.flag("success").unwrap_or(message.is_none());
        let Self { duration_ms, orchestrator, tries, tokens, witness } = self;
        if is_good {
            let price_wei = data.decimal("price_per_unit").and_then(|price| price.wei());
            let reason = None;
            return Body::JobCompleted(Completed {
                duration_ms,
                http_status,
                orchestrator,
                price_wei,
                reason,
                tokens,
                tries,
                witness,
            });
        }
        if witness == Witness::Gateway && is_unserved(data, &orchestrator) {
            return Body::JobUnserved(Unserved { reason: Reason::NoOrchestrator });
        }
        let is_refused_here = witness == Witness::Gateway
            && orchestrator.is_nobody()
            && data.text("error_type").as_deref() == Some("bad_request");
        let reason = match message {
            _ if is_refused_here => Reason::InvalidRequest,
            Some(message) => reason::read_anybodys(&message),
            None => Reason::Unknown,
        };
        Body::JobFailed(Failed { duration_ms, http_status, orchestrator, reason, tries, witness })
    }
}

/// Whether the gateway found nobody: by its own class of the error, or by a message about a request that names nobody. An
/// error beside an orchestrator's name may be that orchestrator's answer.
fn is_unserved(data: &Object<'_>, orchestrator: &Orchestrator) -> bool {
    let says_so = |field: &str| data.text(field).is_some_and(|said| reason::is_nobody_there(&said));
    says_so("error_type") || orchestrator.is_nobody() && says_so("error")
}

pub(super) fn ai_batch_request(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    let pipeline = data.text("pipeline");
    let model = data.text("model_id").or_else(|| data.text("model"));
    let work = Work::of(Workload::AiBatch, pipeline.as_deref(), model.as_deref());
    let (body, is_end) = match subtype.strip_prefix("ai_batch_request_").unwrap_or(&subtype) {
        "received" => (Body::JobRequested(Requested::default()), false),
        "completed" => {
            let end = End {
                duration_ms: data.millis("duration_ms"),
                orchestrator: orchestrator(None, data.text("orch_url").as_deref()),
                tries: data.small("tries"),
                tokens: None,
                witness: Witness::Gateway,
            };
            (end.body(&data), true)
        }
        _ => return Err(unknown_subtype(&subtype)),
    };
    let at_ms = envelope.spoken_ms(&data, "timestamp");
    page.say(
        Draft::new(at_ms, body).about(job_of(envelope, &data, Workload::AiBatch, is_end), &work),
    );
    Ok(())
}

pub(super) fn ai_llm_request(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    let model = data.text("model").or_else(|| data.text("model_id"));
    let work = Work::of(Workload::Llm, Some("llm"), model.as_deref());
    let at_ms = envelope.spoken_ms(&data, "timestamp");
    let orchestrator = orchestrator(None, data.text("orch_url").as_deref());
    let name = subtype.strip_prefix("llm_").unwrap_or(&subtype);
    match name {
        "request_started" | "started" => {
            let job = job_of(envelope, &data, Workload::Llm, false);
            let requested = Body::JobRequested(Requested { streaming: data.flag("streaming") });
            page.say(Draft::new(at_ms, requested).about(job, &work));
            if !orchestrator.is_nobody() {
                let assigned = Assigned {
                    attempt: None,
                    orchestrator,
                    said_ms: None,
                    witness: Witness::Gateway,
                };
                page.say(Draft::new(at_ms, Body::JobAssigned(assigned)).about(job, &work));
            }
        }
        "request_completed" | "stream_completed" | "completed" => {
            let is_streamed = name == "stream_completed" || data.flag("streaming") == Some(true);
            let end = End {
                duration_ms: data
                    .millis("total_duration_ms")
                    .or_else(|| data.millis("duration_ms")),
                orchestrator,
                tries: data.small("tries"),
                tokens: Some(tokens(&data, is_streamed)),
                witness: Witness::Gateway,
            };
            let job = job_of(envelope, &data, Workload::Llm, true);
            page.say(Draft::new(at_ms, end.body(&data)).about(job, &work));
        }
        _ => return Err(unknown_subtype(&subtype)),
    }
    Ok(())
}

/// Time to the first token is told of streams alone, and never as zero.
fn tokens(data: &Object<'_>, is_streamed: bool) -> Tokens {
    let ttft_ms =
        if is_streamed { data.millis("ttft_ms").filter(|ttft| *ttft > Millis(0)) } else { None };
    Tokens {
        completion: data.count("completion_tokens"),
        prompt: data.count("prompt_tokens"),
        rate_milli: data.decimal("tokens_per_second").and_then(|rate| rate.count(3)),
        ttft_ms,
    }
}
