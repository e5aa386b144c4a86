//! What orchestrators say of a request themselves, true or not.
//!
//! Where gateway and orchestrator see the same moment, both are heard here.

use std::sync::Arc;

use events::body::job::{Assigned, Completed, Failed, FirstOutput, Output, Tokens};
use events::body::{Body, Reason, Witness};
use events::event::Workload;
use events::job;
use events::unit::{Millis, Wei};

use super::{Attempt, Request};
use crate::cast::{Gateway, Listed};
use crate::envelope::request;
use crate::truth::Fault;
use crate::world::stage::{Stage, Topic};

impl Request {
    /// What an orchestrator knows of the request. A third of them are not told the id of an AI batch request, as stock
    /// gateways do not tell it, and name the job by a session of their own.
    pub(super) fn topic<'a>(&self, listed: &'a Listed, orchestrator: usize) -> Topic<'a> {
        let is_told = self.workload != Workload::AiBatch || !orchestrator.is_multiple_of(3);
        let job = if is_told {
            self.job
        } else {
            job::request(self.workload, &format!("{}-own", self.id))
        };
        Topic { job: Some(job), listed: Some(listed), origin: None, workload: Some(self.workload) }
    }

    pub(super) fn assigned(
        &self,
        stage: &mut Stage,
        listed: &Listed,
        gateway: &Gateway,
        attempt: &Attempt,
        place: u8,
    ) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = cast.orchestrators.get(attempt.orchestrator) else { return };
        if self.workload == Workload::Byoc && gateway.is_reporting_requests {
            let name = self.named(listed);
            let party = orchestrator.party();
            let latency = stage.chance.between(20, 180);
            stage.tell(self.gateway, "job_gateway", |json, _| {
                request::byoc_token(json, name.pipeline, latency, party);
            });
            stage.tell(self.gateway, "job_gateway", |json, _| {
                request::byoc_submitted(json, name, u64::from(place) + 1, party);
            });
            let is_created = stage.chance.below(2) == 0;
            stage.tell(self.gateway, "job_payment", |json, _| {
                request::byoc_payment(
                    json,
                    name,
                    is_created,
                    (&gateway.sender, &orchestrator.written.recipient),
                    party,
                    4_000_000_000_000,
                );
            });
        }
        if attempt.faults.contains(&Fault::Outage) {
            return;
        }
        let assigned = Assigned {
            attempt: Some(u32::from(place) + 1),
            orchestrator: orchestrator.named.clone(),
            said_ms: None,
            witness: Witness::Orchestrator,
        };
        stage.say(
            orchestrator.node,
            self.topic(listed, attempt.orchestrator),
            Body::JobAssigned(assigned),
        );
    }

    pub(super) fn first(&self, stage: &mut Stage, listed: &Listed, attempt: &Attempt) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = cast.orchestrators.get(attempt.orchestrator) else { return };
        let output = FirstOutput {
            orchestrator: orchestrator.named.clone(),
            output: Output::Data,
            said_ms: None,
            witness: Witness::Orchestrator,
        };
        stage.say(
            orchestrator.node,
            self.topic(listed, attempt.orchestrator),
            Body::JobFirstOutput(output),
        );
    }

    pub(super) fn left(&self, stage: &mut Stage, listed: &Listed, attempt: &Attempt, place: u8) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = cast.orchestrators.get(attempt.orchestrator) else { return };
        let ended =
            self.ended(Some(orchestrator), attempt.begin_ms, attempt.end_ms, attempt.is_success);
        let is_reporting =
            cast.gateways.get(self.gateway).is_some_and(|gateway| gateway.is_reporting_requests);
        let is_silent = attempt.faults.contains(&Fault::Outage);
        if self.workload == Workload::Byoc && is_reporting && attempt.is_success && !is_silent {
            stage.tell(self.gateway, "job_orchestrator", |json, _| {
                request::byoc_relayed(json, self.named(listed), &ended, orchestrator.party());
            });
        }
        if is_silent {
            return;
        }
        let duration_ms = Some(Millis(ended.duration_ms.saturating_sub(17)));
        let tries = Some(u32::from(place) + 1);
        let body = if attempt.is_success || attempt.faults.contains(&Fault::Dispute) {
            Body::JobCompleted(Completed {
                duration_ms,
                http_status: Some(200),
                orchestrator: orchestrator.named.clone(),
                price_wei: Some(Wei(u128::from(ended.price_wei))),
                reason: None,
                tokens: self.tokens(ended.duration_ms),
                tries,
                witness: Witness::Orchestrator,
            })
        } else {
            Body::JobFailed(Failed {
                duration_ms,
                http_status: Some(500),
                orchestrator: orchestrator.named.clone(),
                reason: Reason::ModelError,
                tries,
                witness: Witness::Orchestrator,
            })
        };
        stage.say(orchestrator.node, self.topic(listed, attempt.orchestrator), body);
    }

    pub(super) fn tokens(&self, duration_ms: u64) -> Option<Tokens> {
        (self.workload == Workload::Llm).then(|| Tokens {
            completion: Some(self.answer.completion),
            prompt: Some(self.answer.prompt),
            rate_milli: Some(self.answer.completion * 1_000_000 / duration_ms.max(1)),
            ttft_ms: self.answer.is_streaming.then_some(Millis(self.answer.ttft_ms)),
        })
    }
}
