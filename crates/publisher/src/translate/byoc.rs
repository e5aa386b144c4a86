//! Bring your own container: what the gateway does, what orchestrators tell it, and their workers.
//!
//! Subtypes come under a short or a composite name; both are one. What orchestrators relay has no fixed shape and is
//! read loosely.

use events::body::capability::Answered;
use events::body::job::{Assigned, Requested};
use events::body::node::Worker;
use events::body::{Body, Orchestrator, Witness};
use events::event::Workload;
use events::identity::{Model, Pipeline};
use events::refusal::Refusal;

use super::json::{Json, Object};
use super::live::counter;
use super::names::{Work, orchestrator, orchestrator_info};
use super::request::{End, job_of};
use super::trace::somebody;
use super::{Draft, Envelope, Page, refuse_data, unknown_subtype};
use crate::pseudonym::PseudonymKey;

/// The most models of one worker that are kept.
const MODELS_MAX: usize = 32;

fn work(data: &Object<'_>) -> Work {
    Work::of(Workload::Byoc, data.text("capability").as_deref(), None)
}

/// Which try it is, from 1.
fn attempt(data: &Object<'_>) -> Option<u32> {
    data.small("attempt_index")?.checked_add(1)
}

fn end(data: &Object<'_>, witness: Witness) -> Body {
    let end = End {
        duration_ms: data.millis("duration_ms"),
        orchestrator: orchestrator_info(data),
        tries: attempt(data),
        tokens: None,
        witness,
    };
    end.body(data)
}

pub(super) fn job_gateway(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    let work = work(&data);
    let at_ms = envelope.spoken_ms(&data, "timestamp");
    let short = subtype.strip_prefix("job_").unwrap_or(&subtype);
    let short = short
        .strip_prefix("gateway_")
        .or_else(|| short.strip_prefix("orchestrator_"))
        .unwrap_or(short);
    match short {
        "submitted" => {
            let job = job_of(envelope, &data, Workload::Byoc, false);
            let attempt = attempt(&data);
            // A gateway says so once for each orchestrator it tries; the user asked once.
            if attempt.is_none_or(|attempt| attempt == 1) {
                page.say(
                    Draft::new(at_ms, Body::JobRequested(Requested::default())).about(job, &work),
                );
            }
            let orchestrator = orchestrator_info(&data);
            if !orchestrator.is_nobody() {
                let assigned =
                    Assigned { attempt, orchestrator, said_ms: None, witness: Witness::Gateway };
                page.say(Draft::new(at_ms, Body::JobAssigned(assigned)).about(job, &work));
            }
        }
        "completed" => {
            let at_ms = envelope.spoken_ms(&data, "completed_at");
            let job = job_of(envelope, &data, Workload::Byoc, true);
            page.say(Draft::new(at_ms, end(&data, Witness::Gateway)).about(job, &work));
        }
        "discovery_result" => {
            page.say(Draft::new(at_ms, discovery_result(&data)?).about(None, &work))
        }
        "token_fetch_result" => {
            let url = data.text("orch_url");
            let info = orchestrator_info(&data);
            let orchestrator =
                Orchestrator { url: info.url.or(orchestrator(None, url.as_deref()).url), ..info };
            if orchestrator.is_nobody() {
                return Err(refuse_data("a token from nobody"));
            }
            let success = data.flag("success").unwrap_or(data.text("error").is_none());
            page.say(
                Draft::new(at_ms, Body::DiscoveryAnswered(answered(&data, orchestrator, success)))
                    .about(None, &work),
            );
        }
        _ => return Err(unknown_subtype(&subtype)),
    }
    Ok(())
}

/// Finding nobody is an answer; finding some is a count, because each of them is told by itself.
fn discovery_result(data: &Object<'_>) -> Result<Body, Refusal> {
    if data.flag("success") == Some(false) {
        return Ok(Body::DiscoveryAnswered(answered(data, Orchestrator::default(), false)));
    }
    let selected = data.decimal("selected").and_then(|count| count.reading()).unwrap_or(0);
    counter("orchestrators_selected", Orchestrator::default(), selected)
}

fn answered(data: &Object<'_>, orchestrator: Orchestrator, success: bool) -> Answered {
    Answered {
        capacity: data.small("available_capacity"),
        http_status: data.http_status("http_status"),
        latency_ms: data.millis("latency_ms"),
        orchestrator,
        success,
    }
}

/// What an orchestrator tells of its own side of a job, relayed in a response header.
pub(super) fn job_orchestrator(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    let work = work(&data);
    let short = subtype.strip_prefix("job_").unwrap_or(&subtype);
    let short = short.strip_prefix("orchestrator_").unwrap_or(short);
    let body = match short {
        "received" | "accepted" | "started" | "submitted" => {
            let said_ms = data.moment("timestamp");
            let witness = Witness::Orchestrator;
            let assigned =
                Assigned { attempt: None, orchestrator: somebody(&data)?, said_ms, witness };
            let job = job_of(envelope, &data, Workload::Byoc, false);
            page.say(Draft::new(envelope.at_ms, Body::JobAssigned(assigned)).about(job, &work));
            return Ok(());
        }
        "completed" | "processed" | "failed" | "error" => end(&data, Witness::Orchestrator),
        _ if data.flag("success").is_some() => end(&data, Witness::Orchestrator),
        _ => return Err(unknown_subtype(&subtype)),
    };
    let job = job_of(envelope, &data, Workload::Byoc, true);
    page.say(Draft::new(envelope.at_ms, body).about(job, &work));
    Ok(())
}

/// Whether users and credentials are let in: counted, and nothing of who they are.
pub(super) fn job_auth(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    let is_good = data.flag("success").unwrap_or(data.text("error").is_none());
    let name = match (subtype.strip_prefix("job_").unwrap_or(&subtype), is_good) {
        ("auth_webhook_result", true) => "auth_webhook_successes",
        ("auth_webhook_result", false) => "auth_webhook_failures",
        ("credential_verify_result", true) => "credential_verify_successes",
        ("credential_verify_result", false) => "credential_verify_failures",
        _ => return Err(unknown_subtype(&subtype)),
    };
    let body = counter(name, orchestrator_info(&data), 1)?;
    let job = job_of(envelope, &data, Workload::Byoc, false);
    page.say(Draft::new(envelope.at_ms, body).about(job, &work(&data)));
    Ok(())
}

/// Workers of an orchestrator, drained from it by gateways: the orchestrator's own id is the same at each of them.
pub(super) fn worker_lifecycle(envelope: &Envelope<'_>, page: &mut Page) -> Result<(), Refusal> {
    let data = envelope.object()?;
    let subtype = data.text("type").ok_or_else(|| unknown_subtype(""))?;
    let body = match subtype.strip_prefix("worker_").unwrap_or(&subtype) {
        "registered" => Body::WorkerJoined(worker(&data, envelope.pseudonyms)?),
        "unregistered" => Body::WorkerLeft(worker(&data, envelope.pseudonyms)?),
        "capacity_exhausted" => counter("worker_capacity_exhausted", somebody(&data)?, 1)?,
        _ => return Err(unknown_subtype(&subtype)),
    };
    page.id = data.text("id").map(|id| envelope.event_id(&format!("worker/{id}")));
    page.say(Draft::new(envelope.at_ms, body).about(None, &work(&data)));
    Ok(())
}

fn worker(data: &Object<'_>, pseudonyms: &PseudonymKey) -> Result<Worker, Refusal> {
    let capability = data
        .parse::<Pipeline>("capability")
        .ok_or_else(|| refuse_data("a worker of no capability"))?;
    let place = data.text("worker_url").or_else(|| data.text("worker_id"));
    let options = data.array("worker_options").into_iter().filter_map(Json::object);
    let mut models: Vec<Model> = options
        .filter_map(|option| option.parse("model").or_else(|| option.parse("model_id")))
        .collect();
    models.truncate(MODELS_MAX);
    Ok(Worker {
        models,
        orchestrator: somebody(data)?,
        price: data.decimal("price_per_unit").and_then(|price| price.price()),
        worker: pseudonyms.pseudonym(place.as_deref().unwrap_or(capability.as_str())),
        capability,
    })
}
