//! What the gateway says of a request.
//!
//! Only envelopes and the tester's report; nothing is decided here.

use std::sync::Arc;

use events::event::{Origin, Workload};

use super::Request;
use crate::cast::{Gateway, Listed, Orchestrator};
use crate::envelope::{Party, network, request};
use crate::world::stage::{Stage, Topic};

impl Request {
    pub(super) fn opened(&self, stage: &mut Stage, listed: &Listed, gateway: &Gateway) {
        let cast = Arc::clone(&stage.cast);
        let first =
            self.attempts.first().and_then(|first| cast.orchestrators.get(first.orchestrator));
        let name = self.named(listed);
        if !gateway.is_reporting_requests {
            let Some(orchestrator) = first else { return };
            let manifest = format!("{}_{}", listed.capability, listed.model);
            self.paid(stage, gateway, orchestrator, &manifest);
            return;
        }
        match self.workload {
            Workload::Llm => {
                let ended = self.ended(first, 0, 0, true);
                // It is a request, and where it names somebody an assignment too.
                let events = if first.is_some() { 2 } else { 1 };
                stage.tell_counted(self.gateway, "ai_llm_request", events, |json, clock| {
                    request::llm_started(json, name, clock, self.answer, &ended);
                });
            }
            Workload::Byoc => {
                if stage.chance.below(10) == 0 {
                    stage.tell(self.gateway, "job_auth", |json, _| {
                        request::auth(json, name.id, name.pipeline, true)
                    });
                }
                let url = first.map_or("", |orchestrator| &orchestrator.written.url);
                stage.tell(self.gateway, "job_gateway", |json, _| {
                    request::byoc_discovered(json, name.pipeline, url)
                });
            }
            _ => stage.tell(self.gateway, "ai_batch_request", |json, clock| {
                request::batch_received(json, name, clock);
            }),
        }
    }

    /// A payment whose manifest is all that a stock gateway lets be known of a request.
    pub(super) fn paid(
        &self,
        stage: &mut Stage,
        gateway: &Gateway,
        orchestrator: &Orchestrator,
        manifest_id: &str,
    ) {
        let offer = orchestrator.offers.iter().find(|offer| offer.model == self.model);
        let payment = network::Payment {
            party: orchestrator.party(),
            recipient: &orchestrator.written.recipient,
            signer: &orchestrator.written.signer_mixed,
            sender: &gateway.sender,
            request_id: "",
            manifest_id,
            session_id: self.id.get(..8).unwrap_or_default(),
            face_value_wei: 1_180_000_000_000_000,
            price_wei: offer.map_or(0, |offer| offer.price_wei),
            tickets: 1,
        };
        stage.tell(self.gateway, "create_new_payment", |json, _| network::payment(json, &payment));
    }

    pub(super) fn close(&self, stage: &mut Stage, listed: &Listed, gateway: &Gateway) {
        let cast = Arc::clone(&stage.cast);
        let last = self.attempts.last();
        let orchestrator = last.and_then(|last| cast.orchestrators.get(last.orchestrator));
        let is_success = last.is_some_and(|last| last.is_success);
        if gateway.is_reporting_requests {
            let name = self.named(listed);
            let ended = self.ended(orchestrator, self.begin_ms, stage.now, is_success);
            match self.workload {
                Workload::Llm => stage.tell(self.gateway, "ai_llm_request", |json, clock| {
                    request::llm_completed(json, name, clock, self.answer, &ended);
                }),
                Workload::Byoc => {
                    let party = orchestrator.map_or(Party::NOBODY, Orchestrator::party);
                    stage.tell(self.gateway, "job_gateway", |json, clock| {
                        request::byoc_completed(json, name, clock, &ended, party);
                    });
                }
                _ => stage.tell(self.gateway, "ai_batch_request", |json, clock| {
                    request::batch_completed(json, name, clock, &ended);
                }),
            }
        }
        if let Some(probe) = self.probe {
            let topic = Topic {
                job: Some(self.job),
                listed: Some(listed),
                origin: Some(Origin::Probe),
                workload: Some(self.workload),
            };
            let duration = stage.now - self.begin_ms;
            let first = is_success.then(|| self.answer.ttft_ms.min(duration));
            probe.observed(
                stage,
                topic,
                last.map(|last| last.orchestrator),
                is_success,
                (duration, first),
            );
        }
    }
}
