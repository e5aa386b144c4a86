//! What a tenure owes, when it is due, and what came of it.
//!
//! Each obligation has one due time and belongs to the hour that holds it. A signal that the gateway would have given
//! is bad for the orchestrator only if the gateway's chain goes on past the due time without it, else it is missing.

use events::body::{Body, Reason};
use events::unit::{Millis, UnixMillis};

use super::coverage::Coverage;
use super::episode::Episode;
use super::tenure::{End, How, Tenure};
use crate::policy::{Class, Observe};
use crate::tally::{Excuse, Obligation, Outcome};
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
    /// The hour whose obligations are asked for.
    pub hour: Hour,
    /// What is measured.
    pub observe: &'a Observe,
}

impl Bench<'_> {
    /// The obligations of `tenure` that belong to the hour. A tenure nobody else told of owes nothing countable.
    pub fn judge(&self, tenure: &Tenure) -> Vec<Owed> {
        if tenure.self_told {
            return Vec::new();
        }
        let mut owed = Vec::new();
        if tenure.start_seen {
            owed.extend(self.class.start_patience_ms.map(|patience| {
                self.output(tenure, Obligation::Start, patience, tenure.first_output_ms)
            }));
            let whole = if self.class.start_patience_ms.is_some() {
                tenure.output_ms
            } else {
                self.answer_ms(tenure)
            };
            owed.push(self.output(
                tenure,
                Obligation::Output,
                self.class.output_patience_ms,
                whole,
            ));
            owed.extend(self.latency(tenure));
        }
        if self.class.start_patience_ms.is_some() {
            owed.extend(self.ending(tenure));
            owed.extend(self.quality(tenure));
        }
        owed.retain(|owed| self.hour.holds(owed.due_ms));
        owed
    }

    /// The end of the tenure: what was said, or the moment its silence became an end.
    fn end(&self, tenure: &Tenure) -> Option<End> {
        let silent = || self.episode.fell_silent_ms(self.class, self.hour.end());
        tenure.end.or_else(|| silent().map(|at_ms| End { at_ms, how: How::Silent }))
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
        let due_ms = end.map_or(promised_ms, |end| end.at_ms.min(promised_ms));
        let outcome = if came_ms.is_some_and(|came_ms| came_ms <= due_ms) {
            Outcome::Good
        } else {
            let ended = end.filter(|end| end.at_ms <= promised_ms);
            self.not_delivered(tenure, due_ms, ended)
        };
        Owed { due_ms, obligation, outcome }
    }

    /// Nothing came by the due time: why, and whose fault that was.
    fn not_delivered(&self, tenure: &Tenure, due_ms: UnixMillis, ended: Option<End>) -> Outcome {
        let outcome = match ended.map(|end| end.how) {
            Some(How::Completed(_)) => Outcome::Excused(Excuse::UserLeft),
            Some(How::Failed(reason) | How::Swapped(reason)) => charge(reason),
            Some(How::Silent) | None => self.silence(tenure, due_ms),
        };
        let contradicted = outcome == Outcome::Bad && self.orchestrator_claims_output(due_ms);
        if contradicted { Outcome::Disputed } else { outcome }
    }

    fn silence(&self, tenure: &Tenure, due_ms: UnixMillis) -> Outcome {
        let (key, epoch) = tenure.chain;
        let from = tenure.start_ms.max(self.hour.start());
        let covered = self.coverage.passes(key, epoch, from, due_ms.plus(self.observe.grace_ms));
        if covered { Outcome::Bad } else { Outcome::Missing }
    }

    fn orchestrator_claims_output(&self, due_ms: UnixMillis) -> bool {
        self.episode.orchestrator_claims().filter(|claim| claim.counted_ms <= due_ms).any(|claim| {
            match &claim.event.body {
                Body::JobFirstOutput(_) | Body::JobPlayable(_) => true,
                Body::JobCompleted(said) => said.reason.is_none(),
                Body::SegmentAttempted(said) => said.success,
                Body::StreamStatus(said) => said.fps_out.is_some_and(|fps| fps.0 > 0),
                _ => false,
            }
        })
    }

    /// The first output within the objective; a segment within the time it plays.
    fn latency(&self, tenure: &Tenure) -> Option<Owed> {
        let objective = match (&tenure.segment, self.class.realtime_share_ppm) {
            (Some(segment), Some(share)) => {
                let plays = u128::from(segment.duration_ms?.0) * u128::from(share.0) / 1_000_000;
                Millis(u64::try_from(plays).ok()?)
            }
            _ => self.class.latency_objective_ms?,
        };
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

    /// How the tenure ended.
    fn ending(&self, tenure: &Tenure) -> Option<Owed> {
        let end = self.end(tenure)?;
        let outcome = match end.how {
            How::Completed(_) => Outcome::Good,
            How::Failed(reason) | How::Swapped(reason) => charge(reason),
            How::Silent => Outcome::Excused(Excuse::EndUnknown),
        };
        Some(Owed { due_ms: end.at_ms, obligation: Obligation::Ending, outcome })
    }

    /// The frames of the hour: good if at least half of the statuses reach the objective.
    fn quality(&self, tenure: &Tenure) -> Option<Owed> {
        let after = self.class.quality_after_ms?;
        let from_ms = tenure.start_ms.max(self.hour.start());
        let last_ms = self.hour.end().minus(Millis(1));
        let due_ms = self.end(tenure).map_or(last_ms, |end| end.at_ms.min(last_ms));
        if due_ms.since(from_ms)? < after {
            return None;
        }
        let samples = tenure
            .samples
            .iter()
            .filter(|sample| from_ms <= sample.at_ms && sample.at_ms <= due_ms);
        let verdicts: Vec<bool> = samples
            .filter_map(|sample| self.reaches(sample.fps_in?.0, sample.fps_out?.0))
            .collect();
        let good = verdicts.iter().filter(|reached| **reached).count();
        let outcome = match verdicts.len() {
            0 => self.silence(tenure, due_ms),
            all if 2 * good >= all => Outcome::Good,
            _ => Outcome::Bad,
        };
        Some(Owed { due_ms, obligation: Obligation::Quality, outcome })
    }

    /// Whether frames out reach their share of what was possible; unknown while nothing comes in.
    fn reaches(&self, fps_in: u32, fps_out: u32) -> Option<bool> {
        let share = self.class.fps_share_ppm?;
        let possible = fps_in.min(self.class.fps_target_milli.map_or(u32::MAX, |target| target.0));
        let needed = u64::from(possible) * u64::from(share.0);
        (fps_in > 0).then_some(u64::from(fps_out) * 1_000_000 >= needed)
    }
}

/// Who answers for a failure of this reason.
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
