//! What really happened, for tests: the outcome of every tenure and attempt, which no score may read.
//!
//! A bounded memory of its own; nothing here is said to anybody.

use std::collections::{BTreeMap, VecDeque};

use events::event::Workload;
use events::identity::JobId;
use events::unit::UnixMillis;

/// The most truths that are kept; older ones are forgotten first.
pub const TRUTHS_MAX: usize = 65_536;

/// A mishap of the play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// The orchestrator was given the session and gave nothing back.
    DeadStart,
    /// The orchestrator claims what did not happen.
    Dispute,
    /// The same bytes were delivered again.
    Duplicate,
    /// An attempt failed.
    Failure,
    /// A statement was never heard.
    Lost,
    /// Far fewer frames came out than went in.
    LowFps,
    /// An envelope that no rule translates.
    Noise,
    /// The orchestrator's region was out.
    Outage,
    /// The runner restarted.
    Restart,
    /// The runner had an error.
    RunnerError,
    /// A node's clock is off by more than a quarter second.
    SkewedClock,
    /// It took several times as long as it should.
    Slow,
    /// The session was swapped away midway.
    Swap,
    /// Nobody was to be had.
    Unserved,
    /// The user left, and the gateway called it an error.
    UserDisconnect,
    /// Too few frames came in.
    WeakInput,
}

impl Fault {
    /// Every fault there is.
    pub const ALL: [Self; 16] = [
        Self::DeadStart,
        Self::Dispute,
        Self::Duplicate,
        Self::Failure,
        Self::Lost,
        Self::LowFps,
        Self::Noise,
        Self::Outage,
        Self::Restart,
        Self::RunnerError,
        Self::SkewedClock,
        Self::Slow,
        Self::Swap,
        Self::Unserved,
        Self::UserDisconnect,
        Self::WeakInput,
    ];
}

/// How a tenure or attempt really ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// It was served to its end.
    Served,
    /// It never gave anything.
    Dead,
    /// It gave output and was then swapped away or cut off.
    Cut,
    /// The attempt failed.
    Failed,
    /// There was nobody to serve it.
    Unserved,
}

/// What really happened in one tenure or attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// When it began, in true time.
    pub at_ms: UnixMillis,
    /// What went wrong.
    pub faults: Vec<Fault>,
    /// Whether a tester asked for it.
    pub is_probe: bool,
    /// The job.
    pub job_id: JobId,
    /// The orchestrator, by its place in the cast's orchestrators.
    pub orchestrator: Option<usize>,
    /// How it ended.
    pub outcome: Outcome,
    /// The kind of work.
    pub workload: Workload,
}

/// The truths that were not yet taken, and how often each fault was.
#[derive(Debug, Default)]
pub(crate) struct Truths {
    kept: VecDeque<Truth>,
    pub counts: BTreeMap<Fault, u64>,
}

impl Truths {
    /// Counts a fault.
    pub fn count(&mut self, fault: Fault) {
        *self.counts.entry(fault).or_default() += 1;
    }

    /// Keeps a truth and counts its faults.
    pub fn keep(&mut self, truth: Truth) {
        for fault in &truth.faults {
            self.count(*fault);
        }
        if self.kept.len() == TRUTHS_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(truth);
    }

    /// Takes what is kept, oldest first.
    pub fn take(&mut self) -> Vec<Truth> {
        self.kept.drain(..).collect()
    }
}
