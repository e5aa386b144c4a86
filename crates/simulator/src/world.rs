//! What happens: an endless play in virtual time, one saying after the other.
//!
//! The world knows only virtual time, which starts where the caller says and goes as fast as it is asked. What was
//! said earlier never comes later, except where a delivery is late on purpose.

mod agenda;
mod beat;
mod live;
mod pace;
mod plan;
mod probe;
mod request;
mod segment;
mod stage;

use std::collections::BTreeMap;
use std::sync::Arc;

use events::event::{Event, Workload};
use events::unit::UnixMillis;

use crate::cast::Cast;
use crate::options::Options;
use crate::truth::{Fault, Truth};
use agenda::{Handle, Step, Task};
use stage::Stage;

/// Something a node says at a moment of virtual time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saying {
    /// The true moment; the speaker's own clock may show another.
    pub at_ms: UnixMillis,
    /// How many canonical events it stands for.
    pub events: u32,
    /// Who speaks, by its place in the cast's nodes.
    pub speaker: usize,
    /// What it says.
    pub what: What,
}

/// What a node says, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// JSON of a go-livepeer envelope, as a gateway says it over Kafka.
    Envelope(Vec<u8>),
    /// JSON of go-livepeer's metadata queue, as a gateway says it over AMQP.
    Transcode(Vec<u8>),
    /// A statement that the node signs itself.
    Event(Box<Event>),
}

/// A job under way.
#[derive(Debug)]
enum Job {
    Live(Box<live::Live>),
    Request(Box<request::Request>),
    Stream(Box<segment::Stream>),
}

/// A place for a job; a new tenant has a new generation, so that steps of the old one find nobody.
#[derive(Debug, Default)]
struct Slot {
    generation: u32,
    job: Option<Job>,
}

/// A network at play. It never ends: take as much of it as you need.
pub struct World {
    free: Vec<u32>,
    slots: Vec<Slot>,
    stage: Stage,
}

impl World {
    /// The network that `seed` and `options` make, from `start` on.
    ///
    /// The cast depends on the seed alone; what happens depends on the start too, so that a network begun again later
    /// says nothing twice.
    pub fn new(seed: u64, options: Options, start: UnixMillis) -> Self {
        let options = options.clamped();
        let cast = Arc::new(Cast::new(seed, &options));
        let mut stage = Stage::new(seed, cast, options, start);
        beat::begin(&mut stage);
        for workload in [
            Workload::LiveVideo,
            Workload::AiBatch,
            Workload::Llm,
            Workload::Byoc,
            Workload::Transcoding,
        ] {
            if pace::share(&stage.options, workload) > 0 {
                let wait = stage.chance.below(2_000);
                stage.later(wait, Task::Arrival(workload));
            }
        }
        Self { free: Vec::new(), slots: Vec::new(), stage }
    }

    /// Everybody in this network; clone it to keep it beside the play.
    pub fn cast(&self) -> &Arc<Cast> {
        &self.stage.cast
    }

    /// How often each fault was until now.
    pub fn faults(&self) -> &BTreeMap<Fault, u64> {
        &self.stage.truths.counts
    }

    /// Jobs under way, at this moment.
    pub fn jobs_open(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes what really happened since the last time, at most [`crate::truth::TRUTHS_MAX`] of it.
    pub fn truth(&mut self) -> Vec<Truth> {
        self.stage.truths.take()
    }

    /// When the next saying will be, without saying it.
    pub fn next_ms(&mut self) -> UnixMillis {
        self.advance();
        self.stage.outbox.front().map_or(UnixMillis(self.stage.now), |saying| saying.at_ms)
    }

    /// Lets things happen until somebody says something.
    fn advance(&mut self) {
        while self.stage.outbox.is_empty() {
            let Some(task) = self.stage.next_task() else { return };
            self.perform(task);
        }
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Arrival(workload) => self.arrive(workload),
            Task::Step(handle, step) => {
                self.step(handle, step);
            }
            Task::Again(saying) => {
                self.stage.outbox.push_back(Saying { at_ms: UnixMillis(self.stage.now), ..*saying })
            }
            Task::Beat(beat) => beat::perform(&mut self.stage, beat),
            Task::Round(tester) => {
                for (job, begin) in probe::round(&mut self.stage, tester) {
                    let handle = self.admit(job);
                    self.stage.later(begin, Task::Step(handle, Step::Begin));
                }
            }
            Task::Reveal(tester, revealed) => probe::reveal(&mut self.stage, tester, *revealed),
        }
    }

    /// A user asks for work; the next one of this kind comes after a time that keeps the pace.
    fn arrive(&mut self, workload: Workload) {
        let job = match workload {
            Workload::LiveVideo => {
                live::Live::asked(&mut self.stage).map(|live| Job::Live(Box::new(live)))
            }
            Workload::Transcoding => {
                segment::Stream::asked(&mut self.stage).map(|stream| Job::Stream(Box::new(stream)))
            }
            _ => request::Request::asked(&mut self.stage, workload)
                .map(|request| Job::Request(Box::new(request))),
        };
        let cost = match job {
            Some(job) => {
                let handle = self.admit(job);
                self.step(handle, Step::Begin)
            }
            None => 10,
        };
        let gap = self.stage.gap_ms(workload, cost);
        self.stage.later(gap, Task::Arrival(workload));
    }

    fn admit(&mut self, job: Job) -> Handle {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(Slot::default());
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let Some(place) = usize::try_from(slot).ok().and_then(|index| self.slots.get_mut(index))
        else {
            return Handle { slot, generation: 0 };
        };
        place.job = Some(job);
        Handle { slot, generation: place.generation }
    }

    /// Lets a job take a step and says about how many events it will make, where it has just been planned.
    fn step(&mut self, handle: Handle, step: Step) -> u64 {
        let Some(slot) =
            usize::try_from(handle.slot).ok().and_then(|index| self.slots.get_mut(index))
        else {
            return 0;
        };
        if slot.generation != handle.generation {
            return 0;
        }
        let stage = &mut self.stage;
        if step == Step::Gone {
            slot.job = None;
            slot.generation = slot.generation.wrapping_add(1);
            self.free.push(handle.slot);
            return 0;
        }
        match slot.job.as_mut() {
            Some(Job::Live(live)) => live.step(stage, handle, step),
            Some(Job::Request(request)) => request.step(stage, handle, step),
            Some(Job::Stream(stream)) => stream.step(stage, handle, step),
            None => 0,
        }
    }
}

impl Iterator for World {
    type Item = Saying;

    fn next(&mut self) -> Option<Saying> {
        self.advance();
        let saying = self.stage.outbox.pop_front();
        self.stage.pace.said += saying.as_ref().map_or(0, |saying| u64::from(saying.events));
        saying
    }
}
