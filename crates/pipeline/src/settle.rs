//! Settling: follows the ledger, keeps the open hour in view, and writes each hour's scorecard when it is due.
//!
//! One settler serves one warehouse, in a thread of its own. Whatever it knows it can find again: the ledger holds the
//! batches, the warehouse how far they were noted, and an hour is settled from what is on hand, in one transaction.

pub mod board;
mod due;
mod follow;
mod live;
pub mod note;
mod proof;
mod publishers;
mod recall;
pub mod schedule;
mod scribe;
pub mod standing;
mod traces;
mod windows;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use events::event::Network;
use events::identity::{Digest, PublisherKey};
use events::unit::UnixMillis;
use ledger::Ledger;
use sla::opened::Opened;
use sla::policy::Policy;
use sla::trust::TrustFile;
use sla::window::{Hour, Window};
use warehouse::Warehouse;
use warehouse::record::{RefusalCount, TouchedHour};

use crate::intake::{KnownKeys, Refusals};
use crate::{Clock, Error};
use board::Board;
use live::Live;
use note::Face;
use standing::Registers;

/// The name of the settler's cursor in the warehouse: the next ledger record to note.
const CURSOR: &str = "settle";

/// Further behind than this many records the open hour is not shown: catching up comes first.
const LIVE_LAG_MAX: u64 = 4096;

/// How long a settler with nothing to do waits to be woken.
const PAUSE: Duration = Duration::from_millis(200);

/// What a settler is to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// The keys that imports here sign with: what their batches touch does not wait for a fixed time, whoever notes them.
    pub importers: BTreeSet<PublisherKey>,
    /// How many events the view of the open hour holds at most.
    pub live_events_max: usize,
    /// The policy.
    pub policy: Policy,
    /// How many threads read batches.
    pub threads: usize,
    /// The networks, by their trust files.
    pub trust: Vec<TrustFile>,
    /// Whether signatures are checked again when the record is followed.
    pub verifies: bool,
}

/// What a settler tells while it works.
#[derive(Debug)]
pub enum News<'a> {
    /// A batch was noted.
    Heard(&'a Opened),
    /// An hour was settled.
    Settled {
        /// The digest of its scorecard.
        digest: Digest,
        /// The hour.
        hour: Hour,
        /// The network.
        network: Network,
        /// The revision.
        revision: u32,
    },
    /// A window of several hours was made.
    Made {
        /// The digest of its scorecard.
        digest: Digest,
        /// The network.
        network: Network,
        /// The window.
        window: Window,
    },
}

/// Hears a settler's news. It must not block.
pub type Listener = Box<dyn FnMut(&News<'_>) + Send>;

/// What one step did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Step {
    /// Records noted.
    pub noted: u64,
    /// Hours whose longer windows were made.
    pub rolled: u64,
    /// Hours looked at because they were due.
    pub settled: u64,
}

/// What is known of one publisher's epoch.
#[derive(Debug, Clone)]
struct Heard {
    batches: u64,
    events: u64,
    face: Option<Face>,
    is_fresh: bool,
    last_received_ms: UnixMillis,
    network: Network,
}

/// Follows one ledger into one warehouse.
pub struct Settler {
    /// The first record whose ties and traces are kept without being asked for.
    began: u64,
    boards: BTreeMap<Network, Board>,
    /// Whether the view holds what it held at the last stop.
    has_view: bool,
    heard: BTreeMap<(PublisherKey, u64), Heard>,
    known: KnownKeys,
    /// The day in which ties and traces were last let go.
    learned_day: u64,
    ledger: Arc<Ledger>,
    listener: Listener,
    live: Live,
    next: u64,
    options: Options,
    registers: Registers,
    warehouse: Arc<dyn Warehouse>,
}

impl Settler {
    /// Takes up where the warehouse says the last settler stopped.
    pub fn open(
        ledger: Arc<Ledger>,
        warehouse: Arc<dyn Warehouse>,
        known: KnownKeys,
        options: Options,
        listener: Listener,
    ) -> Result<Self, Error> {
        let boards = options.trust.iter().map(|trust| (trust.network, Board::new(trust))).collect();
        let next = warehouse.cursor(CURSOR)?.unwrap_or(0);
        if next > ledger.end().next {
            return Err(Error::Behind { noted: next, kept: ledger.end().next });
        }
        let live = Live::new(options.live_events_max);
        let heard = BTreeMap::new();
        let registers = Registers::new(&options.policy);
        let mut settler = Self {
            began: next,
            boards,
            has_view: false,
            heard,
            known,
            learned_day: 0,
            ledger,
            listener,
            live,
            next,
            options,
            registers,
            warehouse,
        };
        settler.warehouse.record_document(settler.options.policy.text.as_bytes())?;
        for trust in &settler.options.trust {
            settler.warehouse.record_document(&sla::scorecard::canonical_bytes(&trust.sorted()))?;
        }
        settler.registers.keep_empty(settler.warehouse.as_ref())?;
        settler.recall()?;
        Ok(settler)
    }

    /// Works until `stop` says so or hangs up, waking when told and at least five times a second.
    pub fn run(
        mut self,
        wake: &Receiver<Wake>,
        clock: &Clock,
        refusals: &dyn Fn() -> Refusals,
    ) -> Result<(), Error> {
        loop {
            let step = self.step(clock())?;
            self.record_refusals(refusals(), clock())?;
            // With more to do the next step comes at once, but who is told to stop does not finish the backlog first.
            let pause = if step == Step::default() { PAUSE } else { Duration::ZERO };
            match wake.recv_timeout(pause) {
                Ok(Wake::Look) | Err(RecvTimeoutError::Timeout) => {}
                Ok(Wake::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    /// Notes what is new, shows it, and settles at most one hour that is due, or makes the windows that end with one.
    pub fn step(&mut self, now: UnixMillis) -> Result<Step, Error> {
        self.recall_views(now)?;
        let noted = self.follow(now, false)?;
        self.show(now)?;
        if !self.is_caught_up() {
            return Ok(Step { noted, ..Step::default() });
        }
        let settled = self.settle_due(now, 1)?;
        // Windows rest on what their hours came to, so hours come first.
        let rolled = if settled == 0 { self.roll(now, 1, &mut |_, _| {})? } else { 0 };
        Ok(Step { noted, rolled, settled })
    }

    /// Notes everything there is and settles at once every hour that came to an end and was touched by it, or was to be
    /// settled at once before; then it makes the longer windows that lack.
    ///
    /// `progress` hears how many records are noted and how many hours wait.
    pub fn catch_up(
        &mut self,
        now: UnixMillis,
        progress: &mut dyn FnMut(u64, usize),
    ) -> Result<u64, Error> {
        self.follow_all(now, progress)?;
        let settled = self.settle_at_once(now, progress)?;
        self.roll(now, usize::MAX, progress)?;
        self.record_publishers()?;
        Ok(settled)
    }

    fn is_caught_up(&self) -> bool {
        self.next >= self.ledger.end().next
    }

    /// Shows what is new of the open hours.
    fn show(&mut self, now: UnixMillis) -> Result<(), Error> {
        let (policy, registers) = (&self.options.policy, &self.registers);
        for (network, board) in &mut self.boards {
            let warehouse = self.warehouse.as_ref();
            self.live.show(*network, board, policy, registers, warehouse, now)?;
        }
        if self.live.is_time_for_publishers(now) {
            self.record_publishers()?;
        }
        Ok(())
    }

    fn record_refusals(&self, mut refusals: Refusals, now: UnixMillis) -> Result<(), Error> {
        let hour = Hour::of(now);
        let count =
            |((network, key, defect), count)| RefusalCount { count, defect, hour, key, network };
        let counts: Vec<RefusalCount> = refusals.counts.into_iter().map(count).collect();
        if !counts.is_empty() {
            self.warehouse.record_refusals(&counts, refusals.notes.make_contiguous())?;
        }
        Ok(())
    }

    /// The hours that are over, were touched and are `wanted`, oldest first.
    fn waiting(
        &self,
        now: UnixMillis,
        wanted: impl Fn(&TouchedHour) -> bool,
    ) -> Result<Vec<Waiting>, Error> {
        let mut hours = Vec::new();
        for network in self.boards.keys() {
            let touched = self.warehouse.touched_hours(*network)?;
            let over = touched.iter().filter(|touched| schedule::is_over(touched.hour, now));
            let wanted = over.filter(|touched| wanted(touched));
            let waiting = |touched: &TouchedHour| Waiting {
                at_once: touched.at_once,
                hour: touched.hour,
                network: *network,
            };
            hours.extend(wanted.map(waiting));
        }
        hours.sort_unstable_by_key(|waiting| (waiting.hour, waiting.network));
        Ok(hours)
    }
}

/// An hour that is to be settled.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    /// Whether it does not wait for a fixed time.
    at_once: bool,
    /// The hour.
    hour: Hour,
    /// The network.
    network: Network,
}

/// What wakes a settler.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// Something may be new.
    Look,
    /// It is to stop.
    Stop,
}
