//! The first half of the loop: records out of the spool, events into the outbox, the cursor behind them.
//! It never forgets a record before its events are synced.

use std::sync::Arc;
use std::time::Duration;

use events::body::Body;
use events::body::node::Heartbeat;
use events::body::record::Dropped;
use events::unit::{Millis, UnixMillis};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::{Clock, Counts, Error, Settings, now};
use crate::outbox::Outbox;
use crate::spool::{self, Position, Reader, Spool, Stored};
use crate::translate::Speaker;

/// The longest the loop sleeps, so that a clock that jumped is noticed.
const NAP_MAX: Millis = Millis(1_000);

/// How long it waits for an outbox that is full.
const FULL_NAP: Millis = Millis(250);

/// The cursor is stored at the latest after so many events, well within what the outbox remembers of them.
const COMMIT_EVENTS: u64 = 20_000;

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
    /// Whether the cursor found no room on the disk the last time.
    is_cursor_short: bool,
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
        let desk = Desk::new(outbox, speaker, counts.clone());
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
            is_cursor_short: false,
            next: committed,
            refused_seen: 0,
            damaged: 0,
            dropped: 0,
        }
    }

    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), Error> {
        while !stop.is_cancelled() {
            let nap = self.nap();
            let records = if self.is_full() || self.is_far_ahead() {
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
        self.desk.as_ref().is_some_and(Desk::is_full)
    }

    /// Whether so much is sealed behind a cursor that cannot be stored that a crash now could seal it again.
    fn is_far_ahead(&self) -> bool {
        let durable = self.desk.as_ref().map_or(0, |desk| desk.durable());
        self.is_cursor_short && durable.saturating_sub(self.committed_events) >= COMMIT_EVENTS
    }

    /// How long there is nothing to do: until the open batch, the heartbeat or the cursor is due.
    fn nap(&self) -> Duration {
        let now = now(&self.clock);
        let seal = self.desk.as_ref().and_then(|desk| desk.due());
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

    /// Stores how far the records are durable, now and then. On a full disk it is tried again as often.
    async fn commit(&mut self, is_end: bool) -> Result<(), Error> {
        let Some(desk) = &mut self.desk else { return Ok(()) };
        let durable = desk.durable();
        let Some(position) = desk.durable_position() else { return Ok(()) };
        let now = now(&self.clock);
        let is_due =
            now >= self.committed_ms.plus(self.settings.commit_ms) || now < self.committed_ms;
        let is_many = durable.saturating_sub(self.committed_events) >= COMMIT_EVENTS;
        if position <= self.committed || !(is_end || is_due || is_many) {
            return Ok(());
        }
        self.committed_ms = now;
        match self.spool.commit(position, now.0).await {
            Ok(()) => (self.committed, self.committed_events) = (position, durable),
            Err(failure) if failure.is_retryable() => {
                if !std::mem::replace(&mut self.is_cursor_short, true) {
                    tracing::warn!(%failure, "no room for the spool's cursor; trying again");
                }
                self.counts.change(|counts| counts.cursor_short = Some(failure.to_string()));
                return Ok(());
            }
            Err(failure) => return Err(failure.into()),
        }
        if std::mem::take(&mut self.is_cursor_short) {
            tracing::info!("the spool's cursor found room again");
            self.counts.change(|counts| counts.cursor_short = None);
        }
        Ok(())
    }
}
