//! What orchestrators and workers say of a live session themselves, true or not.
//!
//! Where gateway and orchestrator see the same moment, both are heard here.

use std::sync::Arc;

use events::body::job::{Assigned, Completed, Failed, FirstOutput, Output};
use events::body::stream::Status;
use events::body::{Body, Reason, Witness};
use events::unit::{MilliFps, Millis};

use super::{Live, seller};
use crate::cast::Listed;
use crate::envelope::live;
use crate::truth::{Fault, Outcome};
use crate::world::plan::{Tenure, is_speaking};
use crate::world::stage::Stage;

impl Live {
    pub(super) fn assigned(&self, stage: &mut Stage, listed: &Listed, tenure: &Tenure, place: u8) {
        self.trace(stage, Some(tenure), "gateway_send_first_ingest_segment");
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = seller(&cast, tenure) else { return };
        if place == 0 && stage.chance.below(8) == 0 {
            let model = listed.model.as_str();
            stage.tell(self.gateway, "ai_stream_events", |json, clock| {
                live::parameters(json, &self.name, model, clock, orchestrator.party());
            });
        }
        if !tenure.has(Fault::Outage) || tenure.first_ms.is_some() {
            let assigned = Assigned {
                attempt: Some(u32::from(place) + 1),
                orchestrator: orchestrator.named.clone(),
                said_ms: None,
                witness: Witness::Orchestrator,
            };
            stage.say(orchestrator.node, self.topic(listed, None), Body::JobAssigned(assigned));
        }
    }

    pub(super) fn first(&self, stage: &mut Stage, listed: &Listed, tenure: &Tenure) {
        self.trace(stage, Some(tenure), "gateway_receive_first_processed_segment");
        self.claim_output(stage, listed, tenure);
    }

    pub(super) fn claim_output(&self, stage: &mut Stage, listed: &Listed, tenure: &Tenure) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = seller(&cast, tenure) else { return };
        let output = FirstOutput {
            orchestrator: orchestrator.named.clone(),
            output: Output::Media,
            said_ms: None,
            witness: Witness::Orchestrator,
        };
        stage.say(orchestrator.node, self.topic(listed, None), Body::JobFirstOutput(output));
    }

    /// The worker's own view; when its orchestrator claims what is not so, the worker claims it too.
    pub(super) fn worker(&self, stage: &mut Stage, listed: &Listed) {
        let cast = Arc::clone(&stage.cast);
        let now = stage.now;
        let Some(tenure) =
            self.current(now).filter(|tenure| tenure.first_ms.is_some_and(|first| first < now))
        else {
            return;
        };
        let Some(orchestrator) = seller(&cast, tenure) else { return };
        let (fps_in, fps_out) = self.frames(stage, tenure);
        let fps = |millionths: u64| u32::try_from(millionths / 1_000).ok().map(MilliFps);
        let is_restarted =
            tenure.has(Fault::Restart) && tenure.mishap_ms.is_some_and(|at| at <= now);
        let status = Status {
            error: None,
            fps_in: fps(fps_in),
            fps_out: fps(fps_out),
            orchestrator: orchestrator.named.clone(),
            restarts: Some(u32::from(is_restarted)),
            running_ms: Some(Millis(now - tenure.assigned_ms)),
            state: Some(self.state(tenure, now).1),
            witness: Witness::Runner,
        };
        stage.say(orchestrator.worker, self.topic(listed, None), Body::StreamStatus(status));
    }

    pub(super) fn left(&self, stage: &mut Stage, listed: &Listed, tenure: &Tenure) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = seller(&cast, tenure) else { return };
        if tenure.is_swapped {
            let why = if tenure.first_ms.is_none() {
                "no output from runner"
            } else {
                "timeout waiting for segments"
            };
            let model = listed.model.as_str();
            stage.tell(self.gateway, "stream_trace", |json, _| {
                live::swap(json, &self.name, model, why, orchestrator.party());
            });
        }
        if !tenure.is_heard() || !is_speaking(stage, orchestrator.node) {
            return;
        }
        let is_disputed = tenure.has(Fault::Dispute);
        let duration_ms = Some(Millis(stage.now - tenure.assigned_ms));
        let body = if tenure.outcome() == Outcome::Served || is_disputed {
            Body::JobCompleted(Completed {
                duration_ms,
                http_status: None,
                orchestrator: orchestrator.named.clone(),
                price_wei: None,
                reason: (self.is_user_gone && !tenure.is_swapped).then_some(Reason::UserDisconnect),
                tokens: None,
                tries: None,
                witness: Witness::Orchestrator,
            })
        } else {
            Body::JobFailed(Failed {
                duration_ms,
                http_status: None,
                orchestrator: orchestrator.named.clone(),
                reason: if tenure.first_ms.is_none() {
                    Reason::ModelError
                } else {
                    Reason::RunnerDisconnect
                },
                tries: None,
                witness: Witness::Orchestrator,
            })
        };
        stage.say(orchestrator.node, self.topic(listed, None), body);
    }
}
