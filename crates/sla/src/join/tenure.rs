//! Inside a job each orchestrator has a tenure: from its assignment to the swap or the end.
//!
//! What happens is charged to the tenure it happened in. A swap ends the tenure of the orchestrator that was left; the
//! one that takes over starts its own. Words about an orchestrator that was just left open no new tenure.

use events::body::job::SegmentAttempted;
use events::body::{Body, Orchestrator, Reason, Witness};
use events::identity::PublisherKey;
use events::unit::{MilliFps, Millis, UnixMillis};

use super::episode::Episode;
use crate::admit::Admitted;

/// How a tenure ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// The work was done, its input ended, or its user left.
    Completed(Option<Reason>),
    /// The work failed.
    Failed(Reason),
    /// The work was given to another.
    Swapped(Reason),
    /// Nobody said.
    Silent,
}

/// The end of a tenure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at_ms: UnixMillis,
    /// How.
    pub how: How,
}

/// One status of a live session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// When it counts.
    pub at_ms: UnixMillis,
    /// Frames in.
    pub fps_in: Option<MilliFps>,
    /// Frames out.
    pub fps_out: Option<MilliFps>,
}

/// One orchestrator's time with a job.
#[derive(Debug, Clone)]
pub struct Tenure {
    /// The chain of the claim that opened it: whose silence counts.
    pub chain: (PublisherKey, u64),
    /// How it ended, if it did.
    pub end: Option<End>,
    /// When the first output came.
    pub first_output_ms: Option<UnixMillis>,
    /// When output was enough to watch, or the answer was whole.
    pub output_ms: Option<UnixMillis>,
    /// The orchestrator, by every name it was seen under.
    pub orchestrator: Orchestrator,
    /// The statuses.
    pub samples: Vec<Sample>,
    /// What a segment's attempt said.
    pub segment: Option<SegmentAttempted>,
    /// When it began.
    pub start_ms: UnixMillis,
    /// Whether its beginning was seen; without that, nothing is owed from it on.
    pub start_seen: bool,
    /// Whether nobody but the orchestrator's own side told of it.
    pub self_told: bool,
}

/// Whether two sightings are of one orchestrator: by URL where both have one, else by address.
pub fn is_same(one: &Orchestrator, other: &Orchestrator) -> bool {
    fn agree<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> Option<bool> {
        Some(one.as_ref()? == other.as_ref()?)
    }
    agree(&one.url, &other.url)
        .or_else(|| agree(&one.signer, &other.signer))
        .or_else(|| agree(&one.recipient, &other.recipient))
        .unwrap_or(false)
}

/// The tenures of an episode, in order: by the gateway's word, or by the orchestrator's own where no gateway spoke.
pub fn tenures(episode: &Episode<'_>, linger_ms: Millis) -> Vec<Tenure> {
    let mut story = Story { tenures: Vec::new(), linger_ms };
    for claim in episode.gateway_claims() {
        story.hear(claim);
    }
    if story.tenures.is_empty() {
        for claim in episode.orchestrator_claims() {
            story.hear(claim);
        }
        for tenure in &mut story.tenures {
            tenure.self_told = true;
        }
    }
    story.tenures
}

/// The tenures so far.
struct Story {
    tenures: Vec<Tenure>,
    linger_ms: Millis,
}

impl Story {
    fn hear(&mut self, claim: &Admitted<'_>) {
        let at_ms = claim.counted_ms;
        match &claim.event.body {
            Body::JobAssigned(said) => {
                let by_gateway = said.witness == Witness::Gateway;
                self.on(claim, &said.orchestrator, by_gateway);
            }
            Body::PaymentSent(said) => {
                self.on(claim, &said.orchestrator, false);
            }
            Body::JobFirstOutput(said) => {
                if let Some(tenure) = self.on(claim, &said.orchestrator, false) {
                    tenure.saw_first_output(at_ms);
                }
            }
            Body::JobPlayable(said) => {
                if let Some(tenure) = self.on(claim, &said.orchestrator, false) {
                    tenure.saw_output(at_ms);
                }
            }
            Body::StreamStatus(said) => {
                if let Some(tenure) = self.on(claim, &said.orchestrator, false) {
                    tenure.saw_status(Sample { at_ms, fps_in: said.fps_in, fps_out: said.fps_out });
                }
            }
            Body::JobSwapped(said) => self.swap(claim, &said.orchestrator, said.reason),
            Body::JobFailed(said) => {
                self.end(claim, &said.orchestrator, said.duration_ms, How::Failed(said.reason))
            }
            Body::JobCompleted(said) => {
                self.end(claim, &said.orchestrator, said.duration_ms, How::Completed(said.reason));
                let first_token = said.tokens.and_then(|tokens| tokens.ttft_ms);
                if let (None, Some(tenure)) = (said.reason, self.tenures.last_mut()) {
                    let answered = first_token.map_or(at_ms, |ttft| tenure.start_ms.plus(ttft));
                    tenure.saw_first_output(answered.min(at_ms));
                    if claim.event.workload.is_some_and(|workload| !is_streaming(workload)) {
                        tenure.saw_output(at_ms);
                    }
                }
            }
            Body::SegmentAttempted(said) => self.attempt(claim, said),
            _ => {}
        }
    }

    /// The tenure that a claim about `seen` belongs to: the open one, or a new one that ends the open one.
    fn on(
        &mut self,
        claim: &Admitted<'_>,
        seen: &Orchestrator,
        is_assignment: bool,
    ) -> Option<&mut Tenure> {
        if seen.is_nobody() {
            return self.tenures.last_mut().filter(|tenure| tenure.end.is_none());
        }
        let at_ms = claim.counted_ms;
        let is_open = self
            .tenures
            .last()
            .is_some_and(|last| last.end.is_none() && is_same(&last.orchestrator, seen));
        if !is_open {
            if !is_assignment && self.was_just_left(seen, at_ms) {
                return None;
            }
            self.close(at_ms, How::Swapped(Reason::Unknown));
            self.open(claim, seen, at_ms);
        }
        let tenure = self.tenures.last_mut()?;
        tenure.learn(seen);
        Some(tenure)
    }

    fn was_just_left(&self, seen: &Orchestrator, at_ms: UnixMillis) -> bool {
        let ended = self.tenures.iter().filter(|tenure| is_same(&tenure.orchestrator, seen));
        ended.filter_map(|tenure| tenure.end).any(|end| at_ms <= end.at_ms.plus(self.linger_ms))
    }

    fn open(&mut self, claim: &Admitted<'_>, seen: &Orchestrator, start_ms: UnixMillis) {
        let start_seen = !matches!(claim.event.body, Body::StreamStatus(_) | Body::JobSwapped(_));
        self.tenures.push(Tenure {
            chain: (claim.position.key, claim.position.epoch),
            end: None,
            first_output_ms: None,
            output_ms: None,
            orchestrator: seen.clone(),
            samples: Vec::new(),
            segment: None,
            start_ms,
            start_seen,
            self_told: false,
        });
    }

    /// Ends the open tenure, if there is one.
    fn close(&mut self, at_ms: UnixMillis, how: How) {
        if let Some(open) = self.tenures.last_mut().filter(|tenure| tenure.end.is_none()) {
            open.end = Some(End { at_ms, how });
        }
    }

    /// A swap names the orchestrator that was left, which may never have been seen before.
    fn swap(&mut self, claim: &Admitted<'_>, left: &Orchestrator, reason: Reason) {
        let at_ms = claim.counted_ms;
        let is_known = self.tenures.iter().any(|tenure| is_same(&tenure.orchestrator, left));
        let is_open = self
            .tenures
            .last()
            .is_some_and(|last| last.end.is_none() && is_same(&last.orchestrator, left));
        if !is_known && !left.is_nobody() {
            self.close(at_ms, How::Swapped(Reason::Unknown));
            self.open(claim, left, at_ms);
        }
        if is_open || !is_known {
            self.close(at_ms, How::Swapped(reason));
        }
    }

    /// The end of a job; a request that tells of itself only now began as long ago as it took.
    fn end(&mut self, claim: &Admitted<'_>, seen: &Orchestrator, took: Option<Millis>, how: How) {
        let at_ms = claim.counted_ms;
        let is_open = self.tenures.last().is_some_and(|last| {
            last.end.is_none() && (seen.is_nobody() || is_same(&last.orchestrator, seen))
        });
        if !is_open && !seen.is_nobody() {
            if self.was_just_left(seen, at_ms) {
                return;
            }
            let start_ms = at_ms.minus(took.unwrap_or(Millis(0)));
            self.close(at_ms, How::Swapped(Reason::Unknown));
            self.open(claim, seen, start_ms);
        }
        if let Some(tenure) = self.tenures.last_mut() {
            tenure.learn(seen);
        }
        self.close(at_ms, how);
    }

    fn attempt(&mut self, claim: &Admitted<'_>, said: &SegmentAttempted) {
        let at_ms = claim.counted_ms;
        if self.was_just_left(&said.orchestrator, at_ms) {
            return;
        }
        self.open(claim, &said.orchestrator, at_ms.minus(said.latency_ms.unwrap_or(Millis(0))));
        if let Some(tenure) = self.tenures.last_mut() {
            tenure.segment = Some(said.clone());
            if said.success {
                tenure.saw_first_output(at_ms);
                tenure.saw_output(at_ms);
            }
        }
        let how = if said.success {
            How::Completed(None)
        } else {
            How::Failed(said.reason.unwrap_or(Reason::Unknown))
        };
        self.close(at_ms, how);
    }
}

/// Whether a workload is a session with statuses, as against one answer.
pub fn is_streaming(workload: events::event::Workload) -> bool {
    use events::event::Workload;
    matches!(workload, Workload::LiveVideo | Workload::LiveRunner)
}

impl Tenure {
    fn learn(&mut self, seen: &Orchestrator) {
        let known = &mut self.orchestrator;
        known.recipient = known.recipient.or(seen.recipient);
        known.signer = known.signer.or(seen.signer);
        if known.url.is_none() {
            known.url.clone_from(&seen.url);
        }
    }

    fn saw_first_output(&mut self, at_ms: UnixMillis) {
        self.first_output_ms = Some(self.first_output_ms.map_or(at_ms, |known| known.min(at_ms)));
    }

    fn saw_output(&mut self, at_ms: UnixMillis) {
        self.saw_first_output(at_ms);
        self.output_ms = Some(self.output_ms.map_or(at_ms, |known| known.min(at_ms)));
    }

    fn saw_status(&mut self, sample: Sample) {
        if sample.fps_out.is_some_and(|fps| fps.0 > 0) {
            self.saw_output(sample.at_ms);
        }
        self.samples.push(sample);
    }
}
