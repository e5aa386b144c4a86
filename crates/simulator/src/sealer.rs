//! Turns statements into sealed batches, in virtual time: one chain a node.
//!
//! It keeps chains in memory and hands every batch over as soon as it is sealed; keeping and sending them is the
//! caller's. It asks no clock: each call says what time it is, and the node's own skew is added to that.

use std::collections::BTreeSet;

use events::batch::{Batch, MAX_EVENTS, Payload, Tail};
use events::body::Body;
use events::event::{Event, Network};
use events::refusal::Refusal;
use events::unit::{Millis, UnixMillis};

use crate::cast::{Cast, Node};

/// The most event bytes in one batch. Events are JSON in which keys and hex make up most: zstd halves them at the very
/// least, so that 48 KiB hold this much.
pub const MAX_LINES_BYTES: usize = 90 * 1024;

/// The longest a statement may wait: an event counts by its own time for ten minutes, and clocks differ.
pub const MAX_SPAN: Millis = Millis(9 * 60_000);

/// One node's chain in the making.
#[derive(Debug)]
pub struct Sealer {
    bytes: usize,
    /// When the waiting statements have to be sealed.
    due: Option<UnixMillis>,
    epoch: u64,
    lines: Vec<Vec<u8>>,
    node: Node,
    span: Millis,
    tail: Option<Tail>,
}

impl Sealer {
    /// A new chain of `node`, whose statements wait at most `span` (and never longer than [`MAX_SPAN`]).
    ///
    /// An epoch is for one chain only: a caller that begins again picks another one.
    pub fn new(node: &Node, epoch: u64, span: Millis) -> Self {
        let node = node.clone();
        Self {
            bytes: 0,
            due: None,
            epoch,
            lines: Vec::new(),
            node,
            span: span.min(MAX_SPAN),
            tail: None,
        }
    }

    /// When the waiting statements have to be sealed, if there are any.
    pub fn due(&self) -> Option<UnixMillis> {
        self.due
    }

    /// Takes a statement at true time `now`; gives the batch that it filled or found full, if there is one.
    ///
    /// Refuses an event that has no canonical bytes within the limits; the chain goes on without it.
    pub fn push(&mut self, now: UnixMillis, event: &Event) -> Result<Option<Batch>, Refusal> {
        let line = event.encode()?;
        let filled =
            if self.bytes + line.len() >= MAX_LINES_BYTES { self.seal(now)? } else { None };
        self.bytes += line.len() + 1;
        self.lines.push(line);
        // A commitment binds from its sealing on, so it waits for nothing.
        let is_binding = matches!(event.body, Body::ProbeCommitted(_));
        let due = if is_binding { now } else { now.plus(self.span) };
        self.due = Some(self.due.map_or(due, |known| known.min(due)));
        if filled.is_none() && self.lines.len() == MAX_EVENTS {
            return self.seal(now);
        }
        Ok(filled)
    }

    /// Seals what waits, at true time `now`; nothing waits, nothing comes.
    pub fn seal(&mut self, now: UnixMillis) -> Result<Option<Batch>, Refusal> {
        if self.lines.is_empty() {
            return Ok(None);
        }
        let payload = Payload::of(self.lines.iter().map(Vec::as_slice));
        let clock = self.node.clock(now);
        let network = Network::Simulation;
        let batch = Batch::seal(
            &self.node.secret,
            network,
            self.epoch,
            self.tail.as_ref(),
            clock,
            payload,
        )?;
        self.tail = Some(batch.tail());
        self.lines.clear();
        self.bytes = 0;
        self.due = None;
        Ok(Some(batch))
    }
}

/// The chains of a whole cast, each begun when its node first says something.
#[derive(Debug)]
pub struct Sealers {
    due: BTreeSet<(UnixMillis, usize)>,
    epoch: u64,
    sealers: Vec<Option<Sealer>>,
    span: Millis,
}

impl Sealers {
    /// No chain yet; each will be of `epoch`, its statements waiting at most `span`.
    pub fn new(cast: &Cast, epoch: u64, span: Millis) -> Self {
        let sealers = cast.nodes.iter().map(|_| None).collect();
        Self { due: BTreeSet::new(), epoch, sealers, span }
    }

    /// Takes a statement of the node at `speaker` of `cast`; gives the batch that it filled, if there is one.
    pub fn push(
        &mut self,
        cast: &Cast,
        speaker: usize,
        now: UnixMillis,
        event: &Event,
    ) -> Result<Option<Batch>, Refusal> {
        let (Some(slot), Some(node)) = (self.sealers.get_mut(speaker), cast.nodes.get(speaker))
        else {
            return Ok(None);
        };
        let sealer = slot.get_or_insert_with(|| Sealer::new(node, self.epoch, self.span));
        let before = sealer.due();
        let batch = sealer.push(now, event)?;
        let after = sealer.due();
        if before != after {
            self.due.extend(after.map(|at| (at, speaker)));
            if let Some(before) = before {
                self.due.remove(&(before, speaker));
            }
        }
        Ok(batch)
    }

    /// Seals every chain whose statements have waited long enough at true time `now`, each at the moment it was due.
    pub fn ripe(&mut self, now: UnixMillis) -> Result<Vec<Batch>, Refusal> {
        let mut batches = Vec::new();
        while let Some((at, speaker)) = self.due.first().copied().filter(|(at, _)| *at <= now) {
            self.due.pop_first();
            if let Some(Some(sealer)) = self.sealers.get_mut(speaker) {
                batches.extend(sealer.seal(at)?);
            }
        }
        Ok(batches)
    }

    /// Seals all that waits.
    pub fn flush(&mut self, now: UnixMillis) -> Result<Vec<Batch>, Refusal> {
        self.due.clear();
        let mut batches = Vec::new();
        for sealer in self.sealers.iter_mut().flatten() {
            batches.extend(sealer.seal(now)?);
        }
        Ok(batches)
    }
}
