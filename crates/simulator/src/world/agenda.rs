//! What is still to happen, earliest first; what was planned first comes first at the same moment.
//!
//! An order, not a clock: it never decides when.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use events::body::probe::Revealed;
use events::event::Workload;

use super::Saying;

/// A job in its slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Handle {
    pub slot: u32,
    pub generation: u32,
}

/// What a job does next. The number is the tenure or attempt it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It is asked for, and everything about it is decided.
    Begin,
    /// Orchestrators were found.
    Selected(u8),
    /// An orchestrator has it.
    Assigned(u8),
    /// The runner got its first input.
    RunnerIn(u8),
    /// The runner gave its first output.
    RunnerOut(u8),
    /// The first output arrived.
    First(u8),
    /// Enough output arrived.
    Few(u8),
    /// Something befell the runner.
    Mishap(u8),
    /// The tenure or attempt ended.
    Left(u8),
    /// A regular status of the runner.
    Status,
    /// A regular word about the input.
    Ingest,
    /// A regular payment.
    Pay,
    /// A regular word of the worker.
    Worker,
    /// One more segment.
    Segment,
    /// It ends for its user.
    Close,
    /// It leaves its slot.
    Gone,
}

/// What a node does of itself, again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Beat {
    /// A node is alive.
    Heart(usize),
    /// A gateway lists the network's capabilities; by its place among the gateways.
    Capabilities(usize),
    /// A gateway reports BYOC workers.
    Workers(usize),
    /// The controller observes the roster.
    Roster,
    /// Operators delegate anew.
    Delegations,
}

/// Something to happen.
#[derive(Debug)]
pub(crate) enum Task {
    /// A user asks for work of this kind.
    Arrival(Workload),
    /// A job goes on.
    Step(Handle, Step),
    /// A delivery comes again.
    Again(Box<Saying>),
    /// A node does what it does.
    Beat(Beat),
    /// A tester plans a round; by its place in the nodes.
    Round(usize),
    /// A tester shows which jobs were tests.
    Reveal(usize, Box<Revealed>),
}

struct Due {
    at: u64,
    order: u64,
    task: Task,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// Everything that is still to happen.
#[derive(Default)]
pub(crate) struct Agenda {
    due: BinaryHeap<Reverse<Due>>,
    order: u64,
}

impl Agenda {
    /// Notes a task for a moment.
    pub fn note(&mut self, at: u64, task: Task) {
        self.order += 1;
        self.due.push(Reverse(Due { at, order: self.order, task }));
    }

    /// Takes the next task and its moment.
    pub fn take(&mut self) -> Option<(u64, Task)> {
        self.due.pop().map(|Reverse(due)| (due.at, due.task))
    }
}
