//! The first half of the loop: records out of the spool, events into the outbox, the cursor behind them.
//! It never forgets a record before its events are synced.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use events::body::Body;
use events::body::node::Heartbeat;
use events::body::record::Dropped;
use events::event::Event;
use events::identity::EventId;
use events::unit::{Millis, UnixMillis};
use tokio_util::sync::CancellationToken;

use super::{Clock, Counts, Error, Settings, now};
use crate::outbox::{self, Outbox, Pushed};
use crate::spool::{self, Position, Reader, Spool, Stored};
use crate::translate::{Speaker, translate};

/// The longest the loop sleeps, so that a clock that jumped is noticed.
const NAP_MAX: Millis = Millis(1_000);

/// How long it waits for an outbox that is full.
const FULL_NAP: Millis = Millis(250);

/// The cursor is stored at the latest after so many events, well within what the outbox remembers of them.
const COMMIT_EVENTS: u64 = 20_000;

/// What the blocking half of the loop holds while it works.
struct Desk {
    outbox: Outbox,
    speaker: Speaker,
    counts: Counts,
    /// Events that wait for room, with the record they came from, if any.
    waiting: VecDeque<(Event, Option<Position>)>,
    /// Which records are done with once so many events are durable.
    marks: VecDeque<(u64, Position)>,
    is_full: bool,
}

pub(super) struct Intake {
    spool: Arc<Spool>,
    reader: Reader,
    desk: Option<Desk>,
    clock: Clock,
    settings: Settings,
    counts: Counts,
    began_ms: UnixMillis,
    beaten_ms: Option<UnixMillis>,
    committed: Position,
    committed_ms: UnixMillis,
    committed_events: u64,
    next: Position,
    refused_seen: u64,
    damaged: u64,
    dropped: u64,
}

impl Intake {
    pub(super) fn new(
        spool: Arc<Spool>,
        outbox: Outbox,
        speaker: Speaker,
        clock: Clock,
        settings: Settings,
        counts: Counts,
    ) -> Self {
        let committed = spool.committed();
        let began_ms = now(&clock);
        let desk = Desk {
            outbox,
            speaker,
            counts: counts.clone(),
            waiting: VecDeque::new(),
            marks: VecDeque::new(),
            is_full: false,
        };
        Self {
            reader: spool.read_from(committed),
            spool,
            desk: Some(desk),
            clock,
            settings,
            counts,
            began_ms,
            beaten_ms: None,
            committed,
            committed_ms: began_ms,
            committed_events: 0,
            next: committed,
            refused_seen: 0,
            damaged: 0,
            dropped: 0,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        while !stop.is_cancelled() {
            let nap = self.nap();
            let records = if self.is_full() {
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_millis(FULL_NAP.0)) => Vec::new(),
                    () = stop.cancelled() => break,
                }
            } else {
                let read = tokio::select! {
                    read = self.reader.next(self.settings.records_max) => read,
                    () = tokio::time::sleep(nap) => Ok(Vec::new()),
                    () = stop.cancelled() => break,
                };
                self.survive(read)?
            };
            self.work(records, false).await?;
            self.commit(false).await?;
        }
        self.drain().await
    }

    /// Takes what the spool still holds, as far as the drain allows, and seals it all.
    async fn drain(mut self) -> Result<(), Error> {
        let until = now(&self.clock).plus(self.settings.drain_ms);
        while now(&self.clock) < until && !self.is_full() {
            let read = self.reader.take(self.settings.records_max).await;
            let records = self.survive(read)?;
            if records.is_empty() {
                break;
            }
            self.work(records, false).await?;
        }
        self.work(Vec::new(), true).await?;
        self.commit(true).await
    }

    fn is_full(&self) -> bool {
        self.desk.as_ref().is_some_and(|desk| desk.is_full)
    }

    /// How long there is nothing to do: until the open batch, the heartbeat or the cursor is due.
    fn nap(&self) -> Duration {
        let now = now(&self.clock);
        let seal = self.desk.as_ref().and_then(|desk| desk.outbox.due());
        let beat = self.beaten_ms.map_or(now, |beaten| beaten.plus(self.settings.heartbeat_ms));
        let commit =
            (self.committed < self.next).then(|| self.committed_ms.plus(self.settings.commit_ms));
        let due = [seal, Some(beat), commit].into_iter().flatten().min().unwrap_or(now);
        let nap = due.since(now).unwrap_or(Millis(0)).min(NAP_MAX);
        Duration::from_millis(nap.0.max(1))
    }

    /// Goes on behind what can no longer be read, and counts it as lost.
    fn survive(&mut self, read: Result<Vec<Stored>, spool::Error>) -> Result<Vec<Stored>, Error> {
        let resume = match read {
            Ok(records) => {
                if let Some(last) = records.last() {
                    self.next = last.position.advance(1);
                }
                return Ok(records);
            }
            Err(spool::Error::Damaged { resume: Some(resume), path, offset }) => {
                tracing::error!(path = %path.display(), offset, "records in the spool are damaged");
                resume
            }
            Err(spool::Error::Deleted { oldest, .. }) => oldest,
            Err(failure) => return Err(failure.into()),
        };
        self.damaged += resume.0.saturating_sub(self.next.0);
        self.next = resume;
        self.reader = self.spool.read_from(resume);
        Ok(Vec::new())
    }

    /// What the node itself has to say now.
    fn own_words(&mut self) -> Vec<Body> {
        let mut words = Vec::new();
        let refused = self.spool.refused_records();
        let lost = [("spool_full", refused - self.refused_seen), ("spool_damaged", self.damaged)];
        (self.refused_seen, self.damaged) = (refused, 0);
        for (reason, count) in lost {
            if count > 0
                && let Ok(reason) = reason.parse()
            {
                self.dropped += count;
                self.counts.change(|counts| counts.dropped += count);
                words.push(Body::EventsDropped(Dropped { count, reason }));
            }
        }
        let now = now(&self.clock);
        let is_due =
            |beaten: UnixMillis| now >= beaten.plus(self.settings.heartbeat_ms) || now < beaten;
        if self.beaten_ms.is_none_or(is_due) {
            self.beaten_ms = Some(now);
            let uptime_ms = now.since(self.began_ms).unwrap_or(Millis(0));
            let version = self.settings.version.clone();
            words.push(Body::NodeHeartbeat(Heartbeat {
                dropped: self.dropped,
                uptime_ms,
                version,
            }));
        }
        words
    }

    /// Translates records and pushes their events, off the threads that serve others.
    async fn work(&mut self, records: Vec<Stored>, is_end: bool) -> Result<(), Error> {
        // An outbox without room has none for these either; they are said once it has.
        let words = if self.is_full() { Vec::new() } else { self.own_words() };
        let ended = || Error::Ended("the outbox's desk is gone".to_owned());
        let mut desk = self.desk.take().ok_or_else(ended)?;
        let now = now(&self.clock);
        let worked = tokio::task::spawn_blocking(move || {
            let outcome = desk.work(words, records, now, is_end);
            (desk, outcome)
        });
        let (desk, outcome) = worked.await.map_err(|failure| Error::Ended(failure.to_string()))?;
        self.desk = Some(desk);
        outcome.map_err(Error::Outbox)
    }

    /// Stores how far the records are durable, now and then.
    async fn commit(&mut self, is_end: bool) -> Result<(), Error> {
        let Some(desk) = &mut self.desk else { return Ok(()) };
        let durable = desk.outbox.durable();
        let Some(position) = desk.durable_position() else { return Ok(()) };
        let now = now(&self.clock);
        let is_due =
            now >= self.committed_ms.plus(self.settings.commit_ms) || now < self.committed_ms;
        let is_many = durable.saturating_sub(self.committed_events) >= COMMIT_EVENTS;
        if position <= self.committed || !(is_end || is_due || is_many) {
            return Ok(());
        }
        self.spool.commit(position, now.0).await?;
        self.committed = position;
        self.committed_ms = now;
        self.committed_events = durable;
        Ok(())
    }
}

impl Desk {
    fn work(
        &mut self,
        words: Vec<Body>,
        records: Vec<Stored>,
        now: UnixMillis,
        is_end: bool,
    ) -> Result<(), outbox::Error> {
        for body in words {
            let id = self.own_id(&body, now);
            self.waiting.push_front((self.speaker.event(id, now, body), None));
        }
        self.push_waiting(now)?;
        for stored in records {
            self.take(stored, now)?;
        }
        let sealed = if is_end { self.outbox.seal(now) } else { self.outbox.seal_due(now) };
        match sealed {
            Err(failure) if !failure.is_retryable() => return Err(failure),
            // With the outbox full, what is open is sealed as soon as there is room.
            Err(_) | Ok(_) => {}
        }
        if self.outbox.is_sync_due() {
            self.outbox.sync()?;
        }
        match self.outbox.retire(now) {
            Err(failure) => {
                tracing::warn!(%failure, "old batches were not deleted");
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }

    /// Names what the node says of itself, once for each kind and moment.
    fn own_id(&self, body: &Body, now: UnixMillis) -> EventId {
        let what = match body {
            Body::EventsDropped(dropped) => dropped.reason.as_str(),
            _ => "heartbeat",
        };
        let id = format!("{what}/{}/{now}", self.speaker.node);
        id.parse().expect("a word, a node's id and digits are at most 80 characters")
    }

    fn take(&mut self, stored: Stored, now: UnixMillis) -> Result<(), outbox::Error> {
        let Stored { position, raw } = stored;
        let translated = translate(&raw.value, &self.speaker, UnixMillis(raw.received_ms));
        self.counts.change(|counts| counts.records += 1);
        for refusal in &translated.refusals {
            self.counts.refuse(refusal);
        }
        let done = position.advance(1);
        let last = translated.events.len().checked_sub(1);
        for (index, event) in translated.events.into_iter().enumerate() {
            // A record is done with its last event.
            self.waiting.push_back((event, (Some(index) == last).then_some(done)));
        }
        if last.is_none() && self.waiting.is_empty() {
            self.mark(done);
        } else if last.is_none()
            && let Some((_, record)) = self.waiting.back_mut()
        {
            *record = Some(done);
        }
        self.push_waiting(now)
    }

    /// Pushes what waits, until it is done or the outbox is full.
    fn push_waiting(&mut self, now: UnixMillis) -> Result<(), outbox::Error> {
        while let Some((event, done)) = self.waiting.front() {
            let done = *done;
            match self.outbox.push(event, now) {
                Ok(Pushed::Taken) => self.counts.change(|counts| counts.events += 1),
                Ok(Pushed::Known) => self.counts.change(|counts| counts.known += 1),
                Ok(Pushed::Refused(refusal)) => self.counts.refuse(&refusal),
                Err(failure) if failure.is_retryable() => {
                    self.fill(true);
                    return Ok(());
                }
                Err(failure) => return Err(failure),
            }
            self.waiting.pop_front();
            if let Some(done) = done {
                self.mark(done);
            }
        }
        self.fill(false);
        Ok(())
    }

    fn fill(&mut self, is_full: bool) {
        if std::mem::replace(&mut self.is_full, is_full) != is_full {
            self.counts.change(|counts| counts.is_full = is_full);
        }
    }

    fn mark(&mut self, done: Position) {
        let taken = self.outbox.taken();
        match self.marks.back_mut() {
            Some((at, position)) if *at == taken => *position = done,
            _ => self.marks.push_back((taken, done)),
        }
    }

    /// The position before which every event is durable, if it moved.
    fn durable_position(&mut self) -> Option<Position> {
        let durable = self.outbox.durable();
        let mut reached = None;
        while self.marks.len() > 1 && self.marks.get(1).is_some_and(|(taken, _)| *taken <= durable)
        {
            self.marks.pop_front();
        }
        if let Some((taken, position)) = self.marks.front()
            && *taken <= durable
        {
            reached = Some(*position);
        }
        reached
    }
}
