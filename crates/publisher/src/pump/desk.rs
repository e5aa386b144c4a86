//! The blocking half of the loop: translates records, pushes their events, and holds what finds no room.
//! It never forgets an event that was neither taken nor refused, and never reads from the spool.

use std::collections::VecDeque;

use events::body::Body;
use events::event::Event;
use events::identity::EventId;
use events::unit::UnixMillis;

use super::Counts;
use crate::outbox::{self, Outbox, Pushed};
use crate::spool::{Position, Stored};
use crate::translate::{Speaker, translate};

/// What the blocking half of the loop holds while it works.
pub(super) struct Desk {
    outbox: Outbox,
    speaker: Speaker,
    counts: Counts,
    /// Events that wait for room, with the record they came from, if any.
    waiting: VecDeque<(Event, Option<Position>)>,
    /// Which records are done with once so many events are durable.
    marks: VecDeque<(u64, Position)>,
    is_full: bool,
    /// Why nothing more is taken, as long as it is so.
    short: Option<outbox::Error>,
}

impl Desk {
    pub(super) fn new(outbox: Outbox, speaker: Speaker, counts: Counts) -> Self {
        let (waiting, marks) = (VecDeque::new(), VecDeque::new());
        Self { outbox, speaker, counts, waiting, marks, is_full: false, short: None }
    }

    /// Whether nothing more is taken for now.
    pub(super) fn is_full(&self) -> bool {
        self.is_full
    }

    /// How many events are on the disk.
    pub(super) fn durable(&self) -> u64 {
        self.outbox.durable()
    }

    /// When the open batch is to be sealed.
    pub(super) fn due(&self) -> Option<UnixMillis> {
        self.outbox.due()
    }

    /// Says, translates and seals what there is. What finds no room waits here.
    pub(super) fn work(
        &mut self,
        words: Vec<Body>,
        records: Vec<Stored>,
        now: UnixMillis,
        is_end: bool,
    ) -> Result<(), outbox::Error> {
        // What found no room the last time goes first.
        let written = self.outbox.sync();
        self.wait(written)?;
        for body in words {
            let id = self.own_id(&body, now);
            self.waiting.push_front((self.speaker.event(id, now, body), None));
        }
        self.push_waiting(now)?;
        for stored in records {
            self.take(stored, now)?;
        }
        // With the outbox full, what is open is sealed as soon as there is room.
        let sealed = if is_end { self.outbox.seal(now) } else { self.outbox.seal_due(now) };
        self.wait(sealed)?;
        let written = self.outbox.sync();
        self.wait(written)?;
        self.tell();
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
                Err(failure) => return self.wait(Err(failure)),
            }
            self.waiting.pop_front();
            if let Some(done) = done {
                self.mark(done);
            }
        }
        Ok(())
    }

    /// Notes what can be tried again later, and passes on what cannot.
    fn wait(&mut self, outcome: Result<(), outbox::Error>) -> Result<(), outbox::Error> {
        match outcome {
            Err(failure) if failure.is_retryable() => {
                self.short.get_or_insert(failure);
                Ok(())
            }
            outcome => outcome,
        }
    }

    /// Says whether the outbox takes what is said, after everything was tried.
    fn tell(&mut self) {
        let short = self.short.take();
        let no_room = match &short {
            Some(failure @ outbox::Error::NoRoom(_)) => Some(failure.to_string()),
            _ => None,
        };
        let was_full = std::mem::replace(&mut self.is_full, short.is_some());
        match &short {
            Some(failure) if !was_full => {
                tracing::warn!(%failure, "nothing more is sealed for now; trying again");
            }
            None if was_full => tracing::info!("events are sealed again"),
            _ => {}
        }
        self.counts.change(|counts| {
            (counts.is_full, counts.outbox_short) = (short.is_some(), no_room);
        });
    }

    fn mark(&mut self, done: Position) {
        let taken = self.outbox.taken();
        match self.marks.back_mut() {
            Some((at, position)) if *at == taken => *position = done,
            _ => self.marks.push_back((taken, done)),
        }
    }

    /// The position before which every event is durable, if it moved.
    pub(super) fn durable_position(&mut self) -> Option<Position> {
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
