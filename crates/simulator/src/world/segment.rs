//! A stream to transcode: a segment every two seconds, each tried at one orchestrator after another until one gives it.
//!
//! The gateway says what go-livepeer puts on its metadata queue; each orchestrator says its own attempts.

use std::sync::Arc;

use events::body::job::SegmentAttempted;
use events::body::{Body, Reason};
use events::event::Workload;
use events::job;
use events::unit::{Millis, UnixMillis};

use super::What;
use super::agenda::{Handle, Step};
use super::plan::is_speaking;
use super::stage::{Stage, Topic};
use crate::cast::{Gateway, Orchestrator};
use crate::envelope::{network, segment};
use crate::truth::{Fault, Outcome, Truth};

/// A stream under way.
#[derive(Debug)]
pub(crate) struct Stream {
    stream_id: String,
    gateway: usize,
    orchestrator: Option<usize>,
    sequence: u64,
    segments: u64,
}

/// One try of one segment.
struct Attempt {
    orchestrator: usize,
    latency_ms: u64,
    faults: Vec<Fault>,
    is_success: bool,
}

/// How long one segment plays.
const SEGMENT_MS: u64 = 2_000;

/// The most orchestrators one segment goes to.
const ATTEMPTS_MAX: usize = 3;

impl Stream {
    /// A stream that a user sends.
    pub fn asked(stage: &mut Stage) -> Option<Self> {
        let gateways = u64::try_from(stage.cast.gateways.len()).unwrap_or(1);
        let gateway = usize::try_from(stage.chance.below(gateways)).unwrap_or(0);
        let length = stage
            .chance
            .waiting(stage.options.session_mean_ms)
            .clamp(10_000, 8 * stage.options.session_mean_ms);
        Some(Self {
            stream_id: stage.chance.uuid(),
            gateway,
            orchestrator: None,
            sequence: 0,
            segments: length / SEGMENT_MS,
        })
    }

    /// Takes a step; when it begins, says about how many events it will make.
    pub fn step(&mut self, stage: &mut Stage, handle: Handle, step: Step) -> u64 {
        match step {
            Step::Begin => {
                stage.plan(stage.now + SEGMENT_MS, handle, Step::Segment);
                let speaking = u64::from(stage.options.speaking.0);
                self.segments + self.segments * speaking / 1_000_000 + self.segments / 30 + 1
            }
            Step::Segment => {
                self.segment(stage);
                let jitter = stage.chance.below(60);
                if self.sequence < self.segments {
                    stage.plan(stage.now + SEGMENT_MS - 30 + jitter, handle, Step::Segment);
                } else {
                    stage.plan(stage.now, handle, Step::Gone);
                }
                0
            }
            _ => 0,
        }
    }

    fn segment(&mut self, stage: &mut Stage) {
        let cast = Arc::clone(&stage.cast);
        let Some(gateway) = cast.gateways.get(self.gateway) else { return };
        let is_unserved = self.sequence == 0 && stage.chance.happens(stage.options.faults.unserved);
        let attempts = if is_unserved { Vec::new() } else { self.tries(stage) };
        let size_bytes = stage.chance.between(180_000, 620_000);
        self.gateway_says(stage, gateway, &attempts, size_bytes);
        let count = u32::try_from(attempts.len()).unwrap_or(0);
        if attempts.is_empty() {
            self.keep(stage, None, vec![Fault::Unserved], Outcome::Unserved);
            self.segments = self.sequence;
        }
        for (place, attempt) in (1u32..).zip(attempts) {
            let Some(orchestrator) = cast.orchestrators.get(attempt.orchestrator) else { continue };
            if !attempt.faults.contains(&Fault::Outage) {
                self.orchestrator_says(stage, orchestrator, &attempt, (place, count), size_bytes);
            }
            let outcome = if attempt.is_success { Outcome::Served } else { Outcome::Failed };
            self.keep(stage, Some(attempt.orchestrator), attempt.faults, outcome);
        }
        if self.sequence.is_multiple_of(30) && gateway.is_on_chain {
            self.pay(stage, gateway);
        }
        self.sequence += 1;
    }

    /// The orchestrators that get this segment, and how they do.
    fn tries(&mut self, stage: &mut Stage) -> Vec<Attempt> {
        let cast = Arc::clone(&stage.cast);
        let sellers = cast.orchestrators.iter().enumerate().filter(|(_, it)| it.is_transcoding);
        let sellers: Vec<usize> = sellers.map(|(place, _)| place).collect();
        let mut attempts: Vec<Attempt> = Vec::new();
        while attempts.len() < ATTEMPTS_MAX {
            let tried: Vec<usize> = attempts.iter().map(|attempt| attempt.orchestrator).collect();
            let Some(place) = self.orchestrator.or_else(|| stage.seller(&sellers, &tried)) else {
                break;
            };
            let Some(orchestrator) = cast.orchestrators.get(place) else { break };
            let attempt = attempt(stage, place, orchestrator);
            self.orchestrator = attempt.is_success.then_some(place);
            let is_last = attempt.is_success || attempt.faults.contains(&Fault::Dispute);
            attempts.push(attempt);
            if is_last {
                break;
            }
        }
        attempts
    }

    fn gateway_says(
        &self,
        stage: &mut Stage,
        gateway: &Gateway,
        attempts: &[Attempt],
        size_bytes: u64,
    ) {
        let cast = Arc::clone(&stage.cast);
        let Some(node) = cast.nodes.get(gateway.node) else { return };
        let id = stage.chance.uuid();
        if stage.chance.happens(stage.options.faults.lost) {
            stage.truths.count(Fault::Lost);
            return;
        }
        let said = attempts.iter().filter_map(|attempt| {
            let error = match (attempt.is_success, attempt.faults.contains(&Fault::Outage)) {
                (true, _) => None,
                (false, true) => Some("context deadline exceeded"),
                (false, false) => Some("OrchestratorBusy"),
            };
            let party = cast.orchestrators.get(attempt.orchestrator)?.party();
            Some(segment::Attempt { party, latency_ms: attempt.latency_ms, error })
        });
        let said: Vec<segment::Attempt<'_>> = said.collect();
        let body = segment::transcoded(
            &segment::Segment {
                id: &id,
                at_ms: node.clock(UnixMillis(stage.now)).0,
                stream_id: &self.stream_id,
                node_id: &gateway.sender,
                sequence: self.sequence,
                duration_ms: SEGMENT_MS,
                size_bytes,
            },
            &said,
        );
        let events = u32::try_from(said.len().max(1)).unwrap_or(1);
        stage.deliver(gateway.node, events, What::Transcode(body));
    }

    fn orchestrator_says(
        &self,
        stage: &mut Stage,
        orchestrator: &Orchestrator,
        attempt: &Attempt,
        (place, count): (u32, u32),
        size_bytes: u64,
    ) {
        let is_claimed = attempt.is_success || attempt.faults.contains(&Fault::Dispute);
        let topic = Topic {
            job: Some(job::segment(&self.stream_id, self.sequence, Some(orchestrator.signer))),
            listed: None,
            origin: None,
            workload: Some(Workload::Transcoding),
        };
        let attempted = SegmentAttempted {
            attempt: place,
            attempts: count,
            duration_ms: Some(Millis(SEGMENT_MS)),
            latency_ms: Some(Millis(attempt.latency_ms.saturating_sub(40))),
            orchestrator: orchestrator.named.clone(),
            reason: (!is_claimed).then_some(Reason::Capacity),
            size_bytes: Some(size_bytes),
            success: is_claimed,
        };
        stage.say(orchestrator.node, topic, Body::SegmentAttempted(attempted));
    }

    fn keep(
        &self,
        stage: &mut Stage,
        orchestrator: Option<usize>,
        faults: Vec<Fault>,
        outcome: Outcome,
    ) {
        let signer =
            orchestrator.and_then(|place| stage.cast.orchestrators.get(place)).map(|it| it.signer);
        stage.keep(Truth {
            at_ms: UnixMillis(stage.now),
            faults,
            is_probe: false,
            job_id: job::segment(&self.stream_id, self.sequence, signer),
            orchestrator,
            outcome,
            workload: Workload::Transcoding,
        });
    }

    fn pay(&self, stage: &mut Stage, gateway: &Gateway) {
        let cast = Arc::clone(&stage.cast);
        let Some(orchestrator) = self.orchestrator.and_then(|place| cast.orchestrators.get(place))
        else {
            return;
        };
        let (manifest, session) = (self.stream_id.get(..8), self.stream_id.get(9..13));
        let payment = network::Payment {
            party: orchestrator.party(),
            recipient: &orchestrator.written.recipient,
            signer: &orchestrator.written.signer_mixed,
            sender: &gateway.sender,
            request_id: "",
            manifest_id: manifest.unwrap_or_default(),
            session_id: session.unwrap_or_default(),
            face_value_wei: 1_500_000_000_000_000,
            price_wei: 217,
            tickets: 1 + self.sequence % 2,
        };
        stage.tell(self.gateway, "create_new_payment", |json, _| network::payment(json, &payment));
    }
}

/// Decides how an orchestrator does with a segment.
fn attempt(stage: &mut Stage, place: usize, orchestrator: &Orchestrator) -> Attempt {
    let faults = stage.options.faults;
    let typical_ms = 6 * orchestrator.pace_percent;
    let mut attempt = Attempt {
        orchestrator: place,
        latency_ms: stage.chance.around(typical_ms),
        faults: Vec::new(),
        is_success: true,
    };
    if stage.chance.happens(stage.prone(faults.slow, orchestrator)) {
        attempt.faults.push(Fault::Slow);
        attempt.latency_ms *= stage.chance.between(3, 6);
    }
    let is_out = stage.outage(orchestrator.node, stage.now, stage.now + 1).is_some();
    if is_out && stage.chance.below(10) < 8 {
        attempt.faults.push(Fault::Outage);
        attempt.is_success = false;
        attempt.latency_ms = 8_000;
    } else if stage.chance.happens(stage.prone(faults.failure, orchestrator)) {
        attempt.faults.push(Fault::Failure);
        attempt.is_success = false;
        if is_speaking(stage, orchestrator.node) && stage.chance.happens(faults.dispute) {
            attempt.faults.push(Fault::Dispute);
        }
    }
    attempt
}
