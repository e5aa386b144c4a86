//! What the gateway says of a live session.
//!
//! Only envelopes and the tester's report; nothing is decided here.

use std::sync::Arc;

use events::body::stream::State;
use events::event::Origin;
use events::unit::UnixMillis;

use super::{Live, seller};
use crate::cast::{Listed, Orchestrator};
use crate::envelope::live;
use crate::envelope::{Party, network};
use crate::truth::{Fault, Outcome};
use crate::world::plan::Tenure;
use crate::world::stage::Stage;

impl Live {
    pub(super) fn trace(&self, stage: &mut Stage, tenure: Option<&Tenure>, what: &str) {
        let cast = Arc::clone(&stage.cast);
        let party = tenure
            .and_then(|tenure| seller(&cast, tenure))
            .map_or(Party::NOBODY, Orchestrator::party);
        stage.tell(self.gateway, "stream_trace", |json, clock| {
            live::trace(json, &self.name, what, clock, party)
        });
    }

    pub(super) fn selected(&self, stage: &mut Stage, listed: &Listed, tenure: &Tenure, place: u8) {
        let cast = Arc::clone(&stage.cast);
        let mut found = vec![tenure.orchestrator];
        for _ in 0..stage.chance.below(4) {
            found.extend(stage.seller(&listed.sellers, &found));
        }
        let latencies: Vec<u64> = found.iter().map(|_| stage.chance.between(28, 240)).collect();
        stage.tell_list(self.gateway, "discovery_results", found.len(), |json| {
            let parties = found.iter().filter_map(|place| cast.orchestrators.get(*place));
            for (orchestrator, latency) in parties.zip(latencies) {
                network::discovered(json, orchestrator.party(), latency);
            }
        });
        if place == 0 {
            self.payment(
                stage,
                listed,
                tenure,
                &self.name.request_id,
                &format!("35_{}", listed.model),
                0,
            );
        }
    }

    /// A payment mid-session names no request.
    pub(super) fn pay(&mut self, stage: &mut Stage, listed: &Listed) {
        self.payments += 1;
        if let Some(tenure) = self.current(stage.now) {
            self.payment(stage, listed, tenure, "", &self.manifest_id, self.payments);
        }
    }

    pub(super) fn payment(
        &self,
        stage: &mut Stage,
        listed: &Listed,
        tenure: &Tenure,
        request: &str,
        manifest: &str,
        count: u64,
    ) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = seller(&cast, tenure) else { return };
        let Some(gateway) = cast.gateways.get(self.gateway) else { return };
        let offer = orchestrator.offers.iter().find(|offer| offer.model == self.model);
        let payment = network::Payment {
            party: orchestrator.party(),
            recipient: &orchestrator.written.recipient,
            signer: &orchestrator.written.signer_mixed,
            sender: &gateway.sender,
            request_id: request,
            manifest_id: manifest,
            session_id: &self.manifest_id,
            face_value_wei: 2_402_400_000_000_000,
            price_wei: offer.map_or(listed.typical_ms, |offer| offer.price_wei),
            tickets: 1 + count % 3,
        };
        if gateway.is_on_chain {
            stage.tell(self.gateway, "create_new_payment", |json, _| {
                network::payment(json, &payment)
            });
        } else {
            stage.tell(self.gateway, "create_signed_ticket", |json, clock| {
                network::signed(json, &payment, clock, count, if count < 3 { 6 } else { 50 });
            });
        }
    }

    /// The runner's word, relayed with the runner's clock; `late` makes the first input seem later than the output.
    pub(super) fn runner(&self, stage: &mut Stage, tenure: Option<Tenure>, what: &str, late: u64) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = tenure.as_ref().and_then(|tenure| seller(&cast, tenure)) else {
            return;
        };
        let late = stage.chance.below(late + 1);
        let said = cast
            .nodes
            .get(orchestrator.worker)
            .map_or(0, |worker| worker.clock(UnixMillis(stage.now + late)).0);
        stage.tell(self.gateway, "stream_trace", |json, _| {
            live::trace(json, &self.name, what, said, orchestrator.party());
        });
    }

    pub(super) fn status(&mut self, stage: &mut Stage, listed: &Listed) {
        let cast = Arc::clone(&stage.cast);
        let now = stage.now;
        let Some(tenure) = self.current(now).filter(|tenure| !tenure.has(Fault::DeadStart)) else {
            return;
        };
        // A runner that an outage cut off is not heard again.
        if tenure.first_ms.is_none() && tenure.has(Fault::Outage) {
            return;
        }
        let Some(orchestrator) = seller(&cast, tenure) else { return };
        let Some(worker) = cast.nodes.get(orchestrator.worker) else { return };
        let (fps_in, fps_out) = self.frames(stage, tenure);
        let start_ms = worker.clock(UnixMillis(tenure.assigned_ms + 24)).0;
        let mishap =
            tenure.mishap_ms.filter(|at| *at <= now).map(|at| worker.clock(UnixMillis(at)).0);
        let restart_ms = mishap.filter(|_| tenure.has(Fault::Restart));
        let error = mishap.filter(|_| tenure.has(Fault::RunnerError));
        let status = live::Status {
            at_ms: worker.clock(UnixMillis(now)).0,
            start_ms,
            state: self.state(tenure, now).0,
            fps_in_millionths: fps_in,
            fps_out_millionths: fps_out,
            error: error
                .map(|at| ("Error running inference: CUDA error: an illegal memory access", at)),
            restarts: u64::from(restart_ms.is_some()),
            restart_ms,
            params_hash: &self.params_hash,
        };
        let model = listed.model.as_str();
        stage.tell(self.gateway, "ai_stream_status", |json, _| {
            live::status(json, &self.name, model, &status, orchestrator.party());
        });
    }

    /// The runner's state in go-livepeer's words and in ours.
    pub(super) fn state(&self, tenure: &Tenure, now: u64) -> (&'static str, State) {
        if tenure.first_ms.is_none_or(|first| now < first) {
            ("LOADING", State::Loading)
        } else if self.is_weak {
            ("DEGRADED_INPUT", State::DegradedInput)
        } else if tenure.has(Fault::LowFps) {
            ("DEGRADED_INFERENCE", State::DegradedInference)
        } else {
            ("ONLINE", State::Online)
        }
    }

    /// Frames in and out, in millionths a second.
    pub(super) fn frames(&self, stage: &mut Stage, tenure: &Tenure) -> (u64, u64) {
        let fps_in =
            self.fps_in_millionths * stage.chance.between(94, 103) / 100 + stage.chance.below(999);
        if tenure.first_ms.is_none_or(|first| stage.now < first) {
            return (fps_in, 0);
        }
        let fps_out = fps_in * tenure.yield_percent / 100 * stage.chance.between(95, 101) / 100;
        (fps_in, fps_out + stage.chance.below(999))
    }

    pub(super) fn ingest(&mut self, stage: &mut Stage) {
        let is_good = !self.is_weak;
        let ingest = live::Ingest {
            at_ms: stage.now,
            running_ms: stage.now - self.begin_ms,
            jitter_millionths: stage
                .chance
                .between(4_000_000, if is_good { 21_000_000 } else { 90_000_000 }),
            lost_percent: if is_good { 0 } else { stage.chance.between(2, 9) },
            rtt_millionths: stage.chance.below(60_000_000),
            is_good,
        };
        stage.tell(self.gateway, "stream_ingest_metrics", |json, clock| {
            live::ingest(json, &self.name, &live::Ingest { at_ms: clock, ..ingest });
        });
    }

    pub(super) fn mishap(&self, stage: &mut Stage, listed: &Listed, tenure: &Tenure) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = seller(&cast, tenure) else { return };
        if tenure.first_ms.is_none() && tenure.has(Fault::Dispute) {
            self.claim_output(stage, listed, tenure);
        } else if tenure.has(Fault::Restart) {
            stage.tell(self.gateway, "ai_stream_events", |json, clock| {
                live::restart(json, &self.name, 1, clock, orchestrator.party());
            });
        }
    }

    pub(super) fn close(&self, stage: &mut Stage, listed: &Listed) {
        let model = listed.model.as_str();
        let is_unserved = self.tenures.is_empty();
        if is_unserved && stage.chance.below(4) == 0 {
            self.trace(stage, None, "gateway_no_orchestrators_available");
        } else if is_unserved || self.is_user_gone {
            let why = if is_unserved {
                "no orchestrators available within 2s timeout"
            } else {
                "whip disconnected"
            };
            stage.tell(self.gateway, "ai_stream_events", |json, _| {
                live::error(json, &self.name, model, why)
            });
        }
        if stage.chance.happens(stage.options.faults.noise) {
            self.noise(stage);
        }
        self.trace(stage, None, "gateway_ingest_stream_closed");
        if let Some(probe) = self.probe {
            let last = self.tenures.last();
            let first = self.tenures.first().and_then(|first| first.first_ms);
            let is_success = last.is_some_and(|last| last.outcome() == Outcome::Served);
            let duration = stage.now - self.begin_ms;
            let first_output = first.map(|first| first - self.begin_ms);
            probe.observed(
                stage,
                self.topic(listed, Some(Origin::Probe)),
                last.map(|last| last.orchestrator),
                is_success,
                (duration, first_output),
            );
        }
    }

    /// Something that no rule translates: another family, or a trace that is not about the network.
    pub(super) fn noise(&self, stage: &mut Stage) {
        stage.truths.count(Fault::Noise);
        let what = match stage.chance.below(4) {
            0 => {
                return stage.tell_counted(self.gateway, "webrtc_stats", 0, |json, clock| {
                    json.text("stream_id", &self.name.stream_id).number("timestamp", clock);
                });
            }
            1 => "stream_heartbeat",
            2 => "app_user_page_unload",
            _ => "app_send_stream_request",
        };
        stage.tell_counted(self.gateway, "stream_trace", 0, |json, clock| {
            live::trace(json, &self.name, what, clock, Party::NOBODY);
            if what == "stream_heartbeat" {
                json.text("client_source", "scope");
            }
        });
    }
}
