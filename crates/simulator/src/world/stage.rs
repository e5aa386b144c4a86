//! The ground every job stands on: the moment, chance, the cast, the agenda, and the mouth of every node.
//!
//! Losses and doubled deliveries happen here and nowhere else. Nothing here decides how a job goes.

use std::collections::VecDeque;
use std::sync::Arc;

use events::body::Body;
use events::event::{Event, Network, Origin, Workload};
use events::identity::JobId;
use events::unit::{HOUR_MS, Ppm, UnixMillis};

use super::agenda::{Agenda, Handle, Step, Task};
use super::pace::Pace;
use super::{Saying, What};
use crate::cast::{Cast, Listed, Node, Orchestrator};
use crate::chance::Chance;
use crate::envelope::json::Json;
use crate::envelope::{Frame, Party};
use crate::options::{MINUTE_MS, Options};
use crate::truth::{Fault, Truth, Truths};

/// What a statement is about.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Topic<'a> {
    pub job: Option<JobId>,
    pub listed: Option<&'a Listed>,
    pub origin: Option<Origin>,
    pub workload: Option<Workload>,
}

/// The ground every job stands on.
pub(crate) struct Stage {
    pub cast: Arc<Cast>,
    pub chance: Chance,
    /// Statements that each node lost and has not yet owned up to.
    pub dropped: Vec<u64>,
    pub now: u64,
    pub options: Options,
    pub outbox: VecDeque<Saying>,
    pub pace: Pace,
    seed: u64,
    pub start: u64,
    agenda: Agenda,
    pub truths: Truths,
    /// Workers that went away for a while.
    pub is_away: Vec<bool>,
}

/// The longest an outage lasts; it begins early enough in its hour to end within it.
const OUTAGE_MAX_MS: u64 = 18 * MINUTE_MS;

impl Stage {
    pub fn new(seed: u64, cast: Arc<Cast>, options: Options, start: UnixMillis) -> Self {
        let nodes = cast.nodes.len();
        let pace = Pace::new(&cast, &options, start.0);
        let mut truths = Truths::default();
        for _ in cast.nodes.iter().filter(|node| node.skew_ms.unsigned_abs() > 250) {
            truths.count(Fault::SkewedClock);
        }
        Self {
            cast,
            chance: Chance::new(seed, "play", start.0),
            dropped: vec![0; nodes],
            now: start.0,
            options,
            outbox: VecDeque::new(),
            pace,
            seed,
            start: start.0,
            agenda: Agenda::default(),
            truths,
            is_away: vec![false; nodes],
        }
    }

    /// Plans a task for `wait` milliseconds from now.
    pub fn later(&mut self, wait: u64, task: Task) {
        self.agenda.note(self.now.saturating_add(wait), task);
    }

    /// Plans a step of a job for a moment, or for now where that is past.
    pub fn plan(&mut self, at: u64, handle: Handle, step: Step) {
        self.agenda.note(at.max(self.now), Task::Step(handle, step));
    }

    /// The next task, with the clock moved on to it.
    pub fn next_task(&mut self) -> Option<Task> {
        let (at, task) = self.agenda.take()?;
        self.now = at;
        Some(task)
    }

    /// How long to wait for the next job of this kind after one that makes about `cost` events.
    pub fn gap_ms(&mut self, workload: Workload, cost: u64) -> u64 {
        let mean = self.pace.gap_ms(&self.options, workload, cost, self.now);
        self.chance.waiting(mean).min(12 * HOUR_MS)
    }

    pub fn node(&self, place: usize) -> Option<&Node> {
        self.cast.nodes.get(place)
    }

    /// A fault's likelihood at an orchestrator that is more or less prone to it.
    pub fn prone(&self, likely: Ppm, orchestrator: &Orchestrator) -> Ppm {
        let likely = u64::from(likely.0) * u64::from(orchestrator.proneness.0) / 1_000_000;
        Ppm(u32::try_from(likely.min(900_000)).unwrap_or(900_000))
    }

    /// One of these orchestrators, by weight, that was not tried yet.
    pub fn seller(&mut self, sellers: &[usize], tried: &[usize]) -> Option<usize> {
        let cast = Arc::clone(&self.cast);
        let weight = |place: &usize| {
            cast.orchestrators.get(*place).map_or(0, |orchestrator| orchestrator.weight)
        };
        let open = || sellers.iter().filter(|place| !tried.contains(place));
        let mut ticket = self.chance.below(open().map(weight).sum());
        for place in open() {
            let weight = weight(place);
            if ticket < weight {
                return Some(*place);
            }
            ticket -= weight;
        }
        None
    }

    /// The first outage of a node's region that touches the span.
    pub fn outage(&self, node: usize, from: u64, until: u64) -> Option<(u64, u64)> {
        if self.options.faults.outage.0 == 0 {
            return None;
        }
        let region = &self.node(node)?.region;
        let purpose = ["outage ", region.as_str()].concat();
        let first = from / HOUR_MS;
        (first..=until / HOUR_MS).take(48).find_map(|hour| {
            let mut chance = Chance::new(self.seed, &purpose, hour);
            if !chance.happens(self.options.faults.outage) {
                return None;
            }
            let length = chance.between(4 * MINUTE_MS, OUTAGE_MAX_MS);
            let begin = hour * HOUR_MS + chance.below(HOUR_MS - OUTAGE_MAX_MS);
            (begin < until && from < begin + length).then_some((begin, begin + length))
        })
    }

    /// Keeps what really happened.
    pub fn keep(&mut self, truth: Truth) {
        self.truths.keep(truth);
    }

    /// A gateway says an envelope around an object that stands for one event; the writer gets the gateway's clock.
    pub fn tell(&mut self, gateway: usize, family: &str, write: impl FnOnce(&mut Json, u64)) {
        self.tell_counted(gateway, family, 1, write);
    }

    /// A gateway says an envelope around an object that stands for so many events, which may be none.
    pub fn tell_counted(
        &mut self,
        gateway: usize,
        family: &str,
        events: u32,
        write: impl FnOnce(&mut Json, u64),
    ) {
        self.tell_framed(gateway, events, family, |frame| {
            frame.around(|json| write(json, frame.at_ms))
        });
    }

    /// A gateway says an envelope around a list that stands for so many events.
    pub fn tell_list(
        &mut self,
        gateway: usize,
        family: &str,
        events: usize,
        write: impl FnOnce(&mut Json),
    ) {
        let events = u32::try_from(events).unwrap_or(u32::MAX);
        self.tell_framed(gateway, events, family, |frame| frame.around_list(write));
    }

    fn tell_framed(
        &mut self,
        gateway: usize,
        events: u32,
        family: &str,
        write: impl FnOnce(&Frame<'_>) -> Vec<u8>,
    ) {
        let id = self.chance.uuid();
        let cast = Arc::clone(&self.cast);
        let Some(gateway) = cast.gateways.get(gateway) else { return };
        let Some(node) = cast.nodes.get(gateway.node) else { return };
        if self.chance.happens(self.options.faults.lost) {
            self.truths.count(Fault::Lost);
            return;
        }
        let at_ms = node.clock(UnixMillis(self.now)).0;
        let bytes = write(&Frame { id: &id, family, at_ms, gateway: &gateway.name });
        self.deliver(gateway.node, events, What::Envelope(bytes));
    }

    /// Hands over what a gateway said, and now and then hands it over again.
    pub fn deliver(&mut self, speaker: usize, events: u32, what: What) {
        let saying = Saying { at_ms: UnixMillis(self.now), events, speaker, what };
        if self.chance.happens(self.options.faults.duplicate) {
            self.truths.count(Fault::Duplicate);
            let wait = self.chance.between(40, 8_000);
            let again = Saying { events: 0, ..saying.clone() };
            self.later(wait, Task::Again(Box::new(again)));
        }
        self.outbox.push_back(saying);
    }

    /// A node makes a statement of its own, if it may speak at all.
    pub fn say(&mut self, speaker: usize, topic: Topic<'_>, body: Body) {
        let cast = Arc::clone(&self.cast);
        let Some(node) = cast.nodes.get(speaker).filter(|node| node.is_speaking) else { return };
        let is_record = matches!(body, Body::RosterObserved(_) | Body::DelegationGranted(_));
        if !is_record && self.chance.happens(self.options.faults.lost) {
            self.truths.count(Fault::Lost);
            if let Some(dropped) = self.dropped.get_mut(speaker) {
                *dropped += 1;
            }
            return;
        }
        let event = Event {
            at_ms: node.clock(UnixMillis(self.now)),
            body,
            gateway: None,
            id: self.chance.uuid().parse().expect("a UUID is an event id"),
            job_id: topic.job,
            model: topic.listed.map(|listed| listed.model.clone()),
            network: Network::Simulation,
            node: node.id.clone(),
            origin: topic.origin,
            pipeline: topic.listed.map(|listed| listed.pipeline.clone()),
            region: Some(node.region.clone()),
            reporter: node.operator,
            role: node.role,
            workload: topic.workload,
        };
        let saying = Saying {
            at_ms: UnixMillis(self.now),
            events: 1,
            speaker,
            what: What::Event(Box::new(event)),
        };
        self.outbox.push_back(saying);
    }
}

impl Orchestrator {
    /// How envelopes about a job name it.
    pub(crate) fn party(&self) -> Party<'_> {
        Party { address: &self.written.signer, url: &self.written.url }
    }
}
