//! What is known of each job in an hour: shown to people, read by no score.

use events::batch::Position;
use events::body::job::Tokens;
use events::body::{Body, Orchestrator, Reason};
use events::event::Origin;
use events::identity::{Address, GatewayName, JobId, Label, Region};
use events::unit::{MilliFps, Millis, UnixMillis, Wei};
use serde::{Deserialize, Serialize};

use super::reading::{Held, Judged};
use crate::admit::Admitted;
use crate::join::episode::Episode;
use crate::join::obligation::Owed;
use crate::join::tenure::How;
use crate::policy::observe::Class;
use crate::tally::cell::WorkClass;

events::words! {
    /// How a job stands.
    State {
        /// It was asked for and nobody has it yet.
        Requested = "requested",
        /// Somebody has it.
        Running = "running",
        /// It ended as it should, or its user left.
        Completed = "completed",
        /// It failed.
        Failed = "failed",
        /// Nobody took it.
        Unserved = "unserved",
        /// It fell silent.
        Silent = "silent",
    }
}

/// What an answer said beside its success.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// How long it took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<Millis>,
    /// The HTTP status that was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_status: Option<u16>,
    /// What it cost for each unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_wei: Option<Wei>,
    /// What a language model's answer measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<Tokens>,
    /// How many orchestrators were tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u32>,
}

/// What is known of one job in one hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFact {
    /// What the answer said; none where nobody told of one in the hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
    /// The batches that hold its claims, sorted.
    pub batches: Vec<Position>,
    /// How many claims were read.
    pub claims: u64,
    /// What was asked for.
    pub class: WorkClass,
    /// When its first claim counts.
    pub first_ms: UnixMillis,
    /// Who told its story; the last who did where several do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<Address>,
    /// The gateway that an unsigned feed named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_name: Option<GatewayName>,
    /// The job.
    pub job_id: JobId,
    /// When its last claim counts.
    pub last_ms: UnixMillis,
    /// Whether it was wanted or a test; a test if any telling of it is of one.
    pub origin: Origin,
    /// Where it was asked for.
    pub region: Option<Region>,
    /// Everybody who spoke of it, sorted.
    pub reporters: Vec<Address>,
    /// When it was asked for, if that was heard.
    pub requested_ms: Option<UnixMillis>,
    /// How it stands.
    pub state: State,
    /// Who had it, in order.
    pub tenures: Vec<TenureFact>,
}

/// One orchestrator's time with a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenureFact {
    /// When it ended, if it did.
    pub end_ms: Option<UnixMillis>,
    /// How it ended: `completed`, `failed`, `swapped`, `silent`.
    pub ended: Option<String>,
    /// When the first output came.
    pub first_output_ms: Option<UnixMillis>,
    /// Mean frames in, rounded down; none where none were told.
    pub fps_in: Option<MilliFps>,
    /// Mean frames out, rounded down; none where none were told.
    pub fps_out: Option<MilliFps>,
    /// The one card it can have run on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<Label>,
    /// The kind of card it ran on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Label>,
    /// Who answers for it; none where no mapping tells.
    pub operator: Option<Address>,
    /// The names it was seen by.
    pub orchestrator: Orchestrator,
    /// When output was enough to watch, or the answer whole.
    pub output_ms: Option<UnixMillis>,
    /// The obligations that belong to the hour.
    pub owed: Vec<Owed>,
    /// Why it ended, where it ended badly or early.
    pub reason: Option<Reason>,
    /// How many statuses were heard.
    pub samples: u64,
    /// Whether nobody but the orchestrator's own side told of it.
    pub self_told: bool,
    /// When it began.
    pub start_ms: UnixMillis,
}

impl JobFact {
    /// Adds another piece of the same job.
    pub(super) fn append(&mut self, other: Self) {
        self.answer = other.answer.or(self.answer.take());
        self.gateway = other.gateway.or(self.gateway);
        self.gateway_name = other.gateway_name.or(self.gateway_name.take());
        self.origin = self.origin.max(other.origin);
        self.requested_ms = self.requested_ms.or(other.requested_ms);
        self.state = other.state;
        self.tenures.extend(other.tenures);
    }
}

impl TenureFact {
    pub(super) fn of(judged: Judged<'_>) -> Self {
        let Judged { held: Held { operator, tenure, .. }, machine, owed } = judged;
        let (ended, reason) = match tenure.end.map(|end| end.how) {
            None => (None, None),
            Some(How::Completed(reason)) => (Some("completed"), reason),
            Some(How::Failed(reason)) => (Some("failed"), Some(reason)),
            Some(How::Swapped(reason)) => (Some("swapped"), Some(reason)),
            Some(How::Silent) => (Some("silent"), None),
        };
        Self {
            end_ms: tenure.end.map(|end| end.at_ms),
            ended: ended.map(str::to_owned),
            first_output_ms: tenure.first_output_ms,
            fps_in: mean(tenure.samples.iter().filter_map(|sample| sample.fps_in)),
            fps_out: mean(tenure.samples.iter().filter_map(|sample| sample.fps_out)),
            gpu: machine.gpu,
            hardware: machine.hardware,
            operator,
            orchestrator: tenure.orchestrator,
            output_ms: tenure.output_ms,
            owed,
            reason,
            samples: u64::try_from(tenure.samples.len()).unwrap_or(u64::MAX),
            self_told: tenure.self_told,
            start_ms: tenure.start_ms,
        }
    }
}

/// What the last answer of an episode said; none where it said no more than that it came or did not.
pub(super) fn answer(episode: &Episode<'_>) -> Option<Answer> {
    let mut said = episode.told().filter_map(|claim| match &claim.event.body {
        Body::JobCompleted(said) => Some(Answer {
            duration_ms: said.duration_ms,
            http_status: said.http_status,
            price_wei: said.price_wei,
            tokens: said.tokens,
            tries: said.tries,
        }),
        Body::JobFailed(said) => Some(Answer {
            duration_ms: said.duration_ms,
            http_status: said.http_status,
            tries: said.tries,
            ..Answer::default()
        }),
        _ => None,
    });
    said.next_back().filter(|answer| *answer != Answer::default())
}

/// The mean, rounded down; none of nothing.
fn mean(values: impl Iterator<Item = MilliFps>) -> Option<MilliFps> {
    let (sum, count) =
        values.fold((0u64, 0u64), |(sum, count), fps| (sum + u64::from(fps.0), count + 1));
    sum.checked_div(count).and_then(|mean| u32::try_from(mean).ok()).map(MilliFps)
}

/// How a job stands after an episode of it.
pub(super) fn state(
    episode: &Episode<'_>,
    tenures: &[TenureFact],
    horizon: UnixMillis,
    class: &Class,
) -> State {
    if let Some(state) = episode.told().fold(None, last_word) {
        return state;
    }
    if episode.fell_silent_ms(class, horizon).is_some() {
        return State::Silent;
    }
    if tenures.iter().any(|tenure| tenure.end_ms.is_none()) {
        State::Running
    } else {
        State::Requested
    }
}

/// How a job stands after one more claim, where the last one left it.
fn last_word(before: Option<State>, claim: &Admitted<'_>) -> Option<State> {
    match &claim.event.body {
        Body::JobAssigned(_) => None,
        Body::JobCompleted(_) => Some(State::Completed),
        Body::JobFailed(_) => Some(State::Failed),
        Body::JobUnserved(_) => Some(State::Unserved),
        Body::SegmentAttempted(said) if said.success => Some(State::Completed),
        Body::SegmentAttempted(_) => Some(State::Failed),
        _ => before,
    }
}
