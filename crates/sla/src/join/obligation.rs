//! What a tenure owes, when it is due, and what came of it.
//!
//! Each obligation has one due time and belongs to the hour that holds it. A signal that the gateway would have given
//! is bad for the orchestrator only if the gateway's chain goes on past the due time without it, else it is missing.

use events::body::{Body, Orchestrator, Reason};
use events::identity::Address;
use events::unit::{Millis, UnixMillis};

use super::coverage::Coverage;
use super::episode::Episode;
use super::tenure::{End, How, Tenure, agrees};
use crate::policy::observe::{Class, Observe};
use crate::tally::outcome::{Excuse, Obligation, Outcome};
use crate::window::Hour;

/// One obligation with its due time and outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Owed {
    /// When it was due.
    pub due_ms: UnixMillis,
    /// What was owed.
    pub obligation: Obligation,
    /// What came of it.
    pub outcome: Outcome,
}

/// What the obligations of one tenure are judged by.
pub struct Bench<'a> {
    /// The class's objectives.
    pub class: &'a Class,
    /// Whose silence counts.
    pub coverage: &'a Coverage,
    /// The claims around the tenure.
    pub episode: &'a Episode<'a>,
    /// How far the claims are known.
    pub horizon: UnixMillis,
    /// The hour whose obligations are asked for.
    pub hour: Hour,
    /// What is measured.
    pub observe: &'a Observe,
}

impl Bench<'_> {
    /// The obligations of `tenure`, which `operator` answers for, that belong to the hour. A tenure nobody else told of
    /// owes nothing countable.
    pub fn judge(&self, tenure: &Tenure, operator: Option<Address>) -> Vec<Owed> {
        if tenure.self_told {
            return Vec::new();
        }
        let mut owed = Vec::new();
        if tenure.start_seen {
            self.beginning(tenure, &mut owed);
        }
        if self.is_session() {
            self.ending(tenure, &mut owed);
            self.hourly(tenure, &mut owed);
        } else {
            owed.extend(self.throughput(tenure));
        }
        // What is not due yet may still come; only what already came is told of before its time.
        owed.retain(|owed| {
            let has_come = owed.outcome == Outcome::Good && !is_hourly(owed.obligation);
            let is_known = owed.due_ms < self.horizon || has_come;
            self.hour.holds(owed.due_ms) && is_known
        });
        for one in &mut owed {
            if is_output(one.obligation)
                && one.outcome == Outcome::Bad
                && self.operator_claims_output(tenure, operator, one.due_ms)
            {
                one.outcome = Outcome::Disputed;
            }
        }
        owed
    }

    /// Whether the work is a session with a first sign of life, as against one answer.
    fn is_session(&self) -> bool {
        self.class.start_patience_ms.is_some()
    }

    /// What is owed from the beginning on.
    fn beginning(&self, tenure: &Tenure, owed: &mut Vec<Owed>) {
        let first_ms = tenure.first_output_ms;
        owed.extend(
            self.class
                .start_patience_ms
                .map(|patience| self.output(tenure, Obligation::Start, patience, first_ms)),
        );
        let whole_ms = self.delivered_ms(tenure);
        let patience = self.class.output_patience_ms;
        owed.push(self.output(tenure, Obligation::Output, patience, whole_ms));
        owed.extend(self.latency(tenure));
        owed.extend(
            self.class
                .end_to_end_objective_ms
                .map(|objective| self.output(tenure, Obligation::EndToEnd, objective, whole_ms)),
        );
    }

    /// The end of the tenure: what was said, or the moment its silence became an end.
    pub(super) fn end(&self, tenure: &Tenure) -> Option<End> {
        let silent = || self.episode.fell_silent_ms(self.class, self.horizon);
        tenure.end.or_else(|| silent().map(|at_ms| End { at_ms, how: How::Silent }))
    }

    /// When a tenure gave output that lasts, or the whole answer.
    pub fn delivered_ms(&self, tenure: &Tenure) -> Option<UnixMillis> {
        if self.is_session() { tenure.output_ms } else { self.answer_ms(tenure) }
    }

    fn answer_ms(&self, tenure: &Tenure) -> Option<UnixMillis> {
        let done = tenure.end.filter(|end| end.how == How::Completed(None)).map(|end| end.at_ms);
        tenure.output_ms.or(done)
    }

    /// An output that is due after a patience, or when the tenure ends if that is sooner.
    fn output(
        &self,
        tenure: &Tenure,
        obligation: Obligation,
        patience: Millis,
        came_ms: Option<UnixMillis>,
    ) -> Owed {
        let promised_ms = tenure.start_ms.plus(patience);
        let end = self.end(tenure);
        let over_ms = end.map_or(promised_ms, |end| end.at_ms.min(promised_ms));
        let outcome = if came_ms.is_some_and(|came_ms| came_ms <= over_ms) {
            Outcome::Good
        } else {
            self.not_delivered(tenure, over_ms, end.filter(|end| end.at_ms <= promised_ms))
        };
        // What was told only afterwards belongs to the hour it was told in: the one before never heard of it.
        Owed { due_ms: over_ms.max(tenure.told_ms), obligation, outcome }
    }

    /// Nothing came in time: why, and whose fault that was.
    fn not_delivered(&self, tenure: &Tenure, over_ms: UnixMillis, ended: Option<End>) -> Outcome {
        match ended.map(|end| end.how) {
            Some(How::Completed(_)) => Outcome::Excused(Excuse::UserLeft),
            Some(How::Failed(reason) | How::Swapped(reason)) => self.charge(tenure, reason),
            Some(How::Silent) | None => self.silence(tenure, over_ms),
        }
    }

    pub(super) fn silence(&self, tenure: &Tenure, until_ms: UnixMillis) -> Outcome {
        let from = tenure.start_ms.max(self.hour.start());
        let until = until_ms.plus(self.observe.grace_ms);
        if self.coverage.passes(tenure.told, from, until) { Outcome::Bad } else { Outcome::Missing }
    }

    /// Whether the operator itself says that output came. Where no mapping tells who that is, anybody may be it who
    /// names the same orchestrator.
    fn operator_claims_output(
        &self,
        tenure: &Tenure,
        operator: Option<Address>,
        due_ms: UnixMillis,
    ) -> bool {
        let since = |at_ms: UnixMillis| tenure.start_ms <= at_ms && at_ms <= due_ms;
        let answered = self.episode.answered().filter(|claim| since(claim.counted_ms));
        answered.filter_map(|claim| output_of(&claim.event.body).map(|seen| (claim, seen))).any(
            |(claim, seen)| match operator {
                Some(operator) => claim.event.reporter == operator,
                None => agrees(&tenure.orchestrator, seen) == Some(true),
            },
        )
    }

    /// The first output within the objective; a segment within the time it plays.
    fn latency(&self, tenure: &Tenure) -> Option<Owed> {
        let objective = self.objective(tenure)?;
        if let Some(segment) = &tenure.segment {
            // An attempt is over when it is told of, so its lateness shows only in the latency it names.
            let at_ms = tenure.end?.at_ms;
            let in_time = segment.success && segment.latency_ms? <= objective;
            let outcome = if in_time { Outcome::Good } else { Outcome::Bad };
            return segment.success.then_some(Owed {
                due_ms: at_ms,
                obligation: Obligation::Latency,
                outcome,
            });
        }
        Some(self.output(tenure, Obligation::Latency, objective, tenure.first_output_ms))
    }

    /// The time in which the first output should come, or the segment.
    fn objective(&self, tenure: &Tenure) -> Option<Millis> {
        match (&tenure.segment, self.class.realtime_share_ppm) {
            (Some(segment), Some(share)) => {
                let plays = u128::from(segment.duration_ms?.0) * u128::from(share.0) / 1_000_000;
                u64::try_from(plays).ok().map(Millis)
            }
            _ => self.class.latency_objective_ms,
        }
    }

    /// Who answers for a tenure that ended for this reason. Whoever says that it has no room must say so before anything
    /// came and in the time in which it should have come, or these words would excuse any failure.
    fn charge(&self, tenure: &Tenure, reason: Reason) -> Outcome {
        let within = self.objective(tenure).unwrap_or(self.class.output_patience_ms);
        let in_time = |end: End| end.at_ms <= tenure.start_ms.plus(within);
        let declines = tenure.first_output_ms.is_none() && tenure.end.is_some_and(in_time);
        if reason == Reason::Capacity && !declines { Outcome::Bad } else { charge(reason) }
    }

    /// How the tenure ended. Where swaps are judged apart, who was left answers for that and for no ending.
    fn ending(&self, tenure: &Tenure, owed: &mut Vec<Owed>) {
        let Some(end) = self.end(tenure) else { return };
        let mut owe = |obligation, outcome| {
            owed.push(Owed { due_ms: end.at_ms, obligation, outcome });
        };
        match end.how {
            How::Completed(_) => {
                if self.class.swaps_apart {
                    owe(Obligation::Stay, Outcome::Good);
                }
                owe(Obligation::Ending, Outcome::Good);
            }
            How::Failed(reason) => owe(Obligation::Ending, self.charge(tenure, reason)),
            How::Swapped(reason) => {
                let is_apart = self.class.swaps_apart;
                let obligation = if is_apart { Obligation::Stay } else { Obligation::Ending };
                owe(obligation, self.charge(tenure, reason));
            }
            How::Silent => owe(Obligation::Ending, Outcome::Excused(Excuse::EndUnknown)),
        }
    }

    /// The tokens of an answer, where it told of them.
    fn throughput(&self, tenure: &Tenure) -> Option<Owed> {
        let least = self.class.throughput_min_milli?;
        let end = tenure.end.filter(|end| end.how == How::Completed(None))?;
        let rate = tokens_per_second_milli(tenure)?;
        let outcome = if rate >= least { Outcome::Good } else { Outcome::Bad };
        let due_ms = end.at_ms.max(tenure.told_ms);
        Some(Owed { due_ms, obligation: Obligation::Throughput, outcome })
    }
}

/// Whether an obligation is owed once an hour, and known only when the hour or the tenure is over.
pub fn is_hourly(obligation: Obligation) -> bool {
    matches!(obligation, Obligation::Quality | Obligation::Jitter | Obligation::Status)
}

/// Whether an obligation is met by output, which the operator itself may claim.
fn is_output(obligation: Obligation) -> bool {
    use Obligation::{EndToEnd, Latency, Output, Start};
    matches!(obligation, Start | Output | Latency | EndToEnd)
}

/// Thousandths of tokens per second of an answer, rounded down: as told, else by the time from its first token, or from
/// its beginning, to its end.
pub fn tokens_per_second_milli(tenure: &Tenure) -> Option<u64> {
    let tokens = tenure.tokens?;
    tokens.rate_milli.or_else(|| {
        let from_ms = tokens.ttft_ms.map_or(tenure.start_ms, |ttft| tenure.start_ms.plus(ttft));
        let took = tenure.end?.at_ms.since(from_ms).filter(|took| took.0 > 0)?;
        let rate = u128::from(tokens.completion?) * 1_000_000 / u128::from(took.0);
        u64::try_from(rate).ok()
    })
}

/// Whose output the words tell of, if they tell of any.
fn output_of(body: &Body) -> Option<&Orchestrator> {
    match body {
        Body::JobFirstOutput(said) => Some(&said.orchestrator),
        Body::JobPlayable(said) => Some(&said.orchestrator),
        Body::JobCompleted(said) => said.reason.is_none().then_some(&said.orchestrator),
        Body::SegmentAttempted(said) => said.success.then_some(&said.orchestrator),
        Body::StreamStatus(said) => {
            said.fps_out.is_some_and(|fps| fps.0 > 0).then_some(&said.orchestrator)
        }
        _ => None,
    }
}

/// Who answers for a failure of this reason, said in time.
pub fn charge(reason: Reason) -> Outcome {
    match reason {
        Reason::Timeout
        | Reason::ModelError
        | Reason::RunnerDisconnect
        | Reason::TransportDisconnect
        | Reason::OrchestratorReset
        | Reason::Unknown => Outcome::Bad,
        Reason::Capacity => Outcome::Declined,
        Reason::UserDisconnect => Outcome::Excused(Excuse::UserLeft),
        Reason::InputFailed => Outcome::Excused(Excuse::InputFailed),
        Reason::GatewayReset | Reason::Payment => Outcome::Excused(Excuse::GatewayFault),
        Reason::NoOrchestrator => Outcome::Excused(Excuse::NoOrchestrator),
        Reason::InvalidRequest => Outcome::Excused(Excuse::InvalidRequest),
    }
}
