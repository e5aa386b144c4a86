//! Inside a job each orchestrator has a tenure: from its assignment to the swap or the end.
//!
//! What happens is charged to the tenure it happened in. A swap ends the tenure of the orchestrator that was left; the
//! one that takes over starts its own. Words about an orchestrator that was just left open no new tenure.

use events::batch::Position;
use events::body::job::{Completed, SegmentAttempted, Tokens};
use events::body::stream::{State, Status};
use events::body::{Body, Orchestrator, Reason, Witness};
use events::event::Workload;
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
    /// Whether it tells of an error.
    pub is_error: bool,
}

impl Sample {
    /// What a status says at a moment.
    pub fn of(at_ms: UnixMillis, said: &Status) -> Self {
        let is_error =
            said.error.is_some() || matches!(said.state, Some(State::Error | State::Offline));
        Self { at_ms, fps_in: said.fps_in, fps_out: said.fps_out, is_error }
    }
}

/// One orchestrator's time with a job.
#[derive(Debug, Clone)]
pub struct Tenure {
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
    /// The batch of the claim that opened it: from there on the silence of its chain counts.
    pub told: Position,
    /// When that claim counts; later than the start where an answer told how long it took.
    pub told_ms: UnixMillis,
    /// What an answer said of its tokens.
    pub tokens: Option<Tokens>,
}

/// Whether two sightings are of one orchestrator: by URL where both have one, else by address; unknown where they
/// have no kind of name in common.
pub fn agrees(one: &Orchestrator, other: &Orchestrator) -> Option<bool> {
    fn agree<T: PartialEq>(one: &Option<T>, other: &Option<T>) -> Option<bool> {
        Some(one.as_ref()? == other.as_ref()?)
    }
    agree(&one.url, &other.url)
        .or_else(|| agree(&one.signer, &other.signer))
        .or_else(|| agree(&one.recipient, &other.recipient))
}

fn is_same(one: &Orchestrator, other: &Orchestrator) -> bool {
    agrees(one, other) == Some(true)
}

/// The tenures of an episode, in order: by its teller's word, or by the orchestrator's own where nobody told of any.
pub fn tenures(episode: &Episode<'_>, workload: Workload, linger_ms: Millis) -> Vec<Tenure> {
    let is_request = !is_streaming(workload);
    let mut story = Story { tenures: Vec::new(), is_over: false, is_request, linger_ms };
    for claim in episode.told() {
        story.hear(claim);
    }
    if story.tenures.is_empty() {
        story.is_over = false;
        for claim in episode.answered() {
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
    /// Whether the job has ended and was not given out again.
    is_over: bool,
    is_request: bool,
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
            // Who is paid may be told before the work is given out and long after it ended: it only adds a name.
            Body::PaymentSent(said) => {
                let paid = self.running().filter(|tenure| {
                    agrees(&tenure.orchestrator, &said.orchestrator) != Some(false)
                });
                paid.into_iter().for_each(|tenure| tenure.learn(&said.orchestrator));
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
                    tenure.saw_status(Sample::of(at_ms, said));
                }
            }
            Body::JobSwapped(said) => self.swap(claim, &said.orchestrator, said.reason),
            Body::JobFailed(said) => {
                let how = How::Failed(said.reason);
                self.end(claim, &said.orchestrator, said.duration_ms, how);
            }
            Body::JobCompleted(said) => self.complete(claim, said),
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
            return self.running();
        }
        if self.running().is_none_or(|tenure| agrees(&tenure.orchestrator, seen) == Some(false)) {
            let is_straggler = self.is_over || self.was_just_left(seen, claim.counted_ms);
            if is_straggler && !is_assignment {
                return None;
            }
            self.close(claim.counted_ms, How::Swapped(Reason::Unknown));
            self.open(claim, seen, claim.counted_ms);
            self.is_over = false;
        }
        let tenure = self.tenures.last_mut()?;
        tenure.learn(seen);
        Some(tenure)
    }

    fn running(&mut self) -> Option<&mut Tenure> {
        self.tenures.last_mut().filter(|tenure| tenure.end.is_none())
    }

    fn was_just_left(&self, seen: &Orchestrator, at_ms: UnixMillis) -> bool {
        let ended = self.tenures.iter().filter(|tenure| is_same(&tenure.orchestrator, seen));
        ended.filter_map(|tenure| tenure.end).any(|end| at_ms <= end.at_ms.plus(self.linger_ms))
    }

    fn open(&mut self, claim: &Admitted<'_>, seen: &Orchestrator, start_ms: UnixMillis) {
        // Who is first heard of by output would owe only what is known to have gone well.
        let start_seen = matches!(
            claim.event.body,
            Body::JobAssigned(_)
                | Body::JobFailed(_)
                | Body::JobCompleted(_)
                | Body::SegmentAttempted(_)
        );
        self.tenures.push(Tenure {
            end: None,
            first_output_ms: None,
            output_ms: None,
            orchestrator: seen.clone(),
            samples: Vec::new(),
            segment: None,
            start_ms,
            start_seen,
            self_told: false,
            told: claim.position,
            told_ms: claim.counted_ms,
            tokens: None,
        });
    }

    /// Ends the open tenure, if there is one.
    fn close(&mut self, at_ms: UnixMillis, how: How) {
        if let Some(open) = self.running() {
            open.end = Some(End { at_ms, how });
        }
    }

    /// A swap names the orchestrator that was left, which may never have been seen before.
    fn swap(&mut self, claim: &Admitted<'_>, left: &Orchestrator, reason: Reason) {
        let at_ms = claim.counted_ms;
        let names_running =
            self.running().is_some_and(|tenure| agrees(&tenure.orchestrator, left) != Some(false));
        let is_known = self.tenures.iter().any(|tenure| is_same(&tenure.orchestrator, left));
        if names_running || left.is_nobody() {
            self.close(at_ms, How::Swapped(reason));
        } else if is_known {
            self.explain(left, at_ms, How::Swapped(reason));
        } else {
            self.close(at_ms, How::Swapped(Reason::Unknown));
            self.open(claim, left, at_ms);
            self.close(at_ms, How::Swapped(reason));
        }
    }

    /// The reason of an end that was only concluded from another's beginning, told shortly after it.
    fn explain(&mut self, left: &Orchestrator, at_ms: UnixMillis, how: How) {
        let linger_ms = self.linger_ms;
        let mut ends =
            self.tenures.iter_mut().rev().filter(|tenure| is_same(&tenure.orchestrator, left));
        let end = ends.next().and_then(|tenure| tenure.end.as_mut());
        let concluded = End { how: How::Swapped(Reason::Unknown), at_ms };
        if let Some(end) =
            end.filter(|end| end.how == concluded.how && at_ms <= end.at_ms.plus(linger_ms))
        {
            end.how = how;
        }
    }

    /// The end of a job or attempt; one that is told of only now began as long ago as it took.
    ///
    /// Gives the tenure that ended by it.
    fn end(
        &mut self,
        claim: &Admitted<'_>,
        seen: &Orchestrator,
        took: Option<Millis>,
        how: How,
    ) -> Option<&mut Tenure> {
        let at_ms = claim.counted_ms;
        let names_running = self.running().is_some_and(|tenure| {
            seen.is_nobody() || agrees(&tenure.orchestrator, seen) != Some(false)
        });
        if !names_running {
            if seen.is_nobody() {
                self.is_over = true;
                return None;
            }
            if self.was_just_left(seen, at_ms) {
                self.explain(seen, at_ms, how);
                return None;
            }
            self.close(at_ms, How::Swapped(Reason::Unknown));
            self.open(claim, seen, at_ms.minus(took.unwrap_or(Millis(0))));
        }
        self.close(at_ms, how);
        self.is_over = true;
        let tenure = self.tenures.last_mut()?;
        tenure.learn(seen);
        Some(tenure)
    }

    /// The end of the whole job. Of a request it is the answer; of a session it says nothing about output.
    fn complete(&mut self, claim: &Admitted<'_>, said: &Completed) {
        let at_ms = claim.counted_ms;
        let how = How::Completed(said.reason);
        let answers = self.is_request && said.reason.is_none();
        let ended = self.end(claim, &said.orchestrator, said.duration_ms, how);
        if let Some(tenure) = ended.filter(|_| answers) {
            let first_token = said.tokens.and_then(|tokens| tokens.ttft_ms);
            let first_ms = first_token.map_or(at_ms, |ttft| tenure.start_ms.plus(ttft));
            tenure.saw_first_output(first_ms.min(at_ms));
            tenure.saw_output(at_ms);
            tenure.tokens = said.tokens;
        }
        self.is_over = true;
    }

    fn attempt(&mut self, claim: &Admitted<'_>, said: &SegmentAttempted) {
        let at_ms = claim.counted_ms;
        let mut known = self.tenures.iter().filter_map(|tenure| tenure.segment.as_ref());
        let is_told = known.any(|known| {
            known.attempt == said.attempt && is_same(&known.orchestrator, &said.orchestrator)
        });
        if is_told {
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
pub fn is_streaming(workload: Workload) -> bool {
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
