//! Sends what stands on the shelf down one channel, in order, again and again until it is held or set aside.
//! It never reorders a chain, never gives a batch up that a receiver may still take, and never waits for another sender.

use std::time::Duration;

use channel::{Message, Receipt};
use events::unit::Millis;
use tokio_util::sync::CancellationToken;

use super::{Clock, Counts, Settings, Way, duration, now};
use crate::outbox::{self, Outgoing, Shelf};

/// How far a receiver came is noted when there is nothing more, and at the latest after so many batches.
const NOTE_BATCHES: u64 = 64;

/// A channel that is busy so many times in a row counts as failing; any other failure counts at once.
const BUSY_MAX: u32 = 3;

/// What became of one batch on one channel.
enum Outcome {
    /// The receiver holds it.
    Held,
    /// It left, and nobody says more.
    Sent,
    /// This receiver will never take it.
    Refused,
    /// The channel is closed for good.
    Closed,
}

pub(super) struct Sender {
    pub(super) way: Way,
    pub(super) shelf: Shelf,
    pub(super) clock: Clock,
    pub(super) counts: Counts,
    pub(super) settings: Settings,
}

impl Sender {
    /// Sends until `is_last` and nothing is left, or until `is_over`.
    pub(super) async fn run(self, is_last: CancellationToken, is_over: CancellationToken) {
        tokio::select! {
            () = self.send_all(is_last) => {}
            () = is_over.cancelled() => {}
        }
    }

    async fn send_all(&self, is_last: CancellationToken) {
        let mut end = self.shelf.end();
        let mut next = self.begin();
        let mut noted = next;
        if self.offer_again(next).await.is_none() {
            return;
        }
        loop {
            let known_end = *end.borrow_and_update();
            if noted < next && (next >= known_end || next - noted >= NOTE_BATCHES) {
                self.note(next);
                noted = next;
            }
            match self.read(next).await {
                Ok(Some(outgoing)) => {
                    let ordinal = outgoing.ordinal;
                    let outcome = self.send(outgoing).await;
                    if matches!(outcome, Outcome::Closed) {
                        return;
                    }
                    // What is not noted as set aside must not be passed, or it would count as held.
                    if self.done(ordinal, &outcome) {
                        next = ordinal + 1;
                    } else {
                        tokio::time::sleep(duration(self.settings.backoff_max_ms)).await;
                    }
                }
                Ok(None) if next < known_end => next = known_end,
                Ok(None) => tokio::select! {
                    changed = end.changed() => if changed.is_err() { return },
                    () = is_last.cancelled() => if *end.borrow() == known_end { return },
                },
                Err(failure @ outbox::Error::Damaged { .. }) => {
                    tracing::error!(%failure, "a sealed batch cannot be read");
                    self.counts.change(|counts| counts.set_aside += 1);
                    next = self.shelf.first_from(next).map_or(known_end, |ordinal| ordinal + 1);
                }
                // Deleted since it was looked up, because the others hold it, or the disk is busy: look again.
                Err(failure) => {
                    tracing::debug!(%failure, "a sealed batch was not read");
                    tokio::time::sleep(duration(self.settings.backoff_ms)).await;
                }
            }
        }
    }

    /// Where this receiver goes on. One that never says what it holds gets what nobody else holds.
    fn begin(&self) -> u64 {
        let below = self.shelf.held_below();
        if !self.is_heard() {
            return below;
        }
        self.shelf.sent_below(&self.way.name).unwrap_or_else(|failure| {
            tracing::warn!(%failure, to = self.way.name, "how far a receiver came is not known; it gets everything");
            0
        })
    }

    /// Offers what was set aside before `end`: the receiver may have learned to take it. Nothing if the channel closed.
    async fn offer_again(&self, end: u64) -> Option<()> {
        let mut from = 0;
        while let Some(ordinal) = self.shelf.next_aside(from).filter(|ordinal| *ordinal < end) {
            from = ordinal + 1;
            let Ok(Some(outgoing)) = self.read(ordinal).await else { continue };
            if outgoing.ordinal != ordinal {
                continue;
            }
            match self.send(outgoing).await {
                Outcome::Closed => return None,
                // That a mute channel sent it says nothing, and that it is refused once more nothing new.
                Outcome::Sent | Outcome::Refused => {}
                Outcome::Held => {
                    self.done(ordinal, &Outcome::Held);
                }
            }
        }
        Some(())
    }

    async fn read(&self, next: u64) -> Result<Option<Outgoing>, outbox::Error> {
        let shelf = self.shelf.clone();
        match tokio::task::spawn_blocking(move || shelf.next(next)).await {
            Ok(found) => found,
            Err(_) => Err(outbox::Error::Stopped),
        }
    }

    /// Sends one batch until it is answered, waiting longer after each failure.
    async fn send(&self, outgoing: Outgoing) -> Outcome {
        let to = self.way.name.as_str();
        let bytes = outgoing.frame.len() as u64;
        let message = Message { chain: outgoing.position.key.to_string(), body: outgoing.frame };
        let mut pause = duration(self.settings.backoff_ms);
        let mut tries = 0u32;
        loop {
            match self.way.channel.publish(message.clone()).await {
                Ok(receipt) => {
                    self.counts.change(|counts| {
                        counts.batches += 1;
                        counts.bytes += bytes;
                    });
                    self.works();
                    let is_held = receipt == Receipt::Held;
                    return if is_held { Outcome::Held } else { Outcome::Sent };
                }
                Err(channel::Error::Closed) => return Outcome::Closed,
                Err(failure) if failure.is_refusal() => {
                    let (epoch, seq) = (outgoing.position.epoch, outgoing.position.seq);
                    tracing::warn!(%failure, to, epoch, seq, "a batch was refused for good");
                    self.counts.change(|counts| counts.refusal = Some(format!("{to}: {failure}")));
                    self.works();
                    return Outcome::Refused;
                }
                Err(failure) => {
                    tracing::debug!(%failure, to, "a batch was not taken");
                    self.counts.change(|counts| counts.retries += 1);
                    tries = tries.saturating_add(1);
                    let asked = match failure {
                        channel::Error::Busy { retry_after_ms } => Millis(retry_after_ms),
                        _ => Millis(0),
                    };
                    if asked == Millis(0) || tries >= BUSY_MAX {
                        self.fails(&failure);
                    }
                    let longest = duration(self.settings.backoff_max_ms);
                    tokio::time::sleep(pause.max(duration(asked)).min(longest)).await;
                    pause = pause.saturating_mul(2).clamp(Duration::from_millis(1), longest);
                }
            }
        }
    }

    fn fails(&self, failure: &channel::Error) {
        let to = self.way.name.as_str();
        if self.counts.fail(to, now(&self.clock), failure.to_string()) {
            tracing::warn!(to, %failure, "batches cannot be sent; they are kept, and sent again until they are taken");
        }
    }

    fn works(&self) {
        if let Some(failing) = self.counts.work(&self.way.name) {
            let for_ms = now(&self.clock).since(failing.since_ms).unwrap_or(Millis(0)).0;
            tracing::info!(to = self.way.name, for_ms, "batches can be sent again");
        }
    }

    fn is_heard(&self) -> bool {
        self.way.channel.capabilities().ack
    }

    /// Notes what became of a batch; says whether the next one may follow.
    fn done(&self, ordinal: u64, outcome: &Outcome) -> bool {
        let noted = match outcome {
            Outcome::Held => self.shelf.hold(ordinal),
            Outcome::Refused => {
                let noted = if self.is_heard() { self.shelf.set_aside(ordinal) } else { Ok(()) };
                if let Err(failure) = noted {
                    tracing::error!(%failure, "a batch that was refused was not set aside; it is sent again");
                    return false;
                }
                self.counts.change(|counts| counts.set_aside += 1);
                Ok(())
            }
            Outcome::Sent | Outcome::Closed => Ok(()),
        };
        if let Err(failure) = noted {
            tracing::warn!(%failure, "how far others hold the outbox was not noted; batches will be sent again");
        }
        true
    }

    fn note(&self, next: u64) {
        if !self.is_heard() {
            return;
        }
        if let Err(failure) = self.shelf.note_sent(&self.way.name, next) {
            tracing::warn!(%failure, "how far a receiver came was not noted; batches will be sent again");
        }
    }
}
