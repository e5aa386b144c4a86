//! Sends what stands on the shelf down one channel, in order, again and again until it is held or set aside.
//! It never reorders a chain and never gives a batch up that a receiver may still take.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use channel::{Message, Publish, Receipt};
use events::unit::Millis;
use tokio_util::sync::CancellationToken;

use super::{Counts, Settings, duration};
use crate::outbox::{self, Outgoing, Shelf};

/// How far each channel came; only channels that acknowledge count.
#[derive(Clone)]
pub(super) struct Progress(Arc<Mutex<Vec<Option<u64>>>>);

impl Progress {
    pub(super) fn new(channels: &[Arc<dyn Publish>], held_below: u64) -> Self {
        let begin = |channel: &Arc<dyn Publish>| channel.capabilities().ack.then_some(held_below);
        Self(Arc::new(Mutex::new(channels.iter().map(begin).collect())))
    }

    /// Notes that a channel is done with everything before `ordinal`, and says how far all of them are.
    fn advance(&self, index: usize, ordinal: u64) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Some(one)) = all.get_mut(index) {
            *one = (*one).max(ordinal);
        }
        all.iter().flatten().min().copied()
    }
}

/// What became of one batch on one channel.
enum Outcome {
    /// Held, or sent where nobody says more.
    Done,
    /// Nobody will ever take it.
    SetAside,
    /// The channel is closed for good.
    Closed,
}

pub(super) struct Sender {
    pub(super) index: usize,
    pub(super) channel: Arc<dyn Publish>,
    pub(super) progress: Progress,
    pub(super) shelf: Shelf,
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
        let mut next = self.shelf.held_below();
        loop {
            let known_end = *end.borrow_and_update();
            match self.read(next).await {
                Ok(Some(outgoing)) => {
                    next = outgoing.ordinal + 1;
                    match self.send(outgoing).await {
                        Outcome::Closed => return,
                        Outcome::SetAside => self.counts.change(|counts| counts.set_aside += 1),
                        Outcome::Done => {}
                    }
                    self.done_below(next);
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

    async fn read(&self, next: u64) -> Result<Option<Outgoing>, outbox::Error> {
        let shelf = self.shelf.clone();
        match tokio::task::spawn_blocking(move || shelf.next(next)).await {
            Ok(found) => found,
            Err(_) => Err(outbox::Error::Stopped),
        }
    }

    /// Sends one batch until it is answered, waiting longer after each failure.
    async fn send(&self, outgoing: Outgoing) -> Outcome {
        let bytes = outgoing.frame.len() as u64;
        let message = Message { chain: outgoing.position.key.to_string(), body: outgoing.frame };
        let mut pause = duration(self.settings.backoff_ms);
        loop {
            match self.channel.publish(message.clone()).await {
                Ok(Receipt::Held | Receipt::Sent) => {
                    self.counts.change(|counts| {
                        counts.batches += 1;
                        counts.bytes += bytes;
                    });
                    return Outcome::Done;
                }
                Err(channel::Error::Closed) => return Outcome::Closed,
                Err(failure) if failure.is_refusal() => {
                    let (epoch, seq) = (outgoing.position.epoch, outgoing.position.seq);
                    tracing::warn!(%failure, epoch, seq, "a batch was refused for good");
                    return Outcome::SetAside;
                }
                Err(failure) => {
                    tracing::debug!(%failure, "a batch was not taken");
                    self.counts.change(|counts| counts.retries += 1);
                    let asked = match failure {
                        channel::Error::Busy { retry_after_ms } => Millis(retry_after_ms),
                        _ => Millis(0),
                    };
                    let longest = duration(self.settings.backoff_max_ms);
                    tokio::time::sleep(pause.max(duration(asked)).min(longest)).await;
                    pause = pause.saturating_mul(2).clamp(Duration::from_millis(1), longest);
                }
            }
        }
    }

    fn done_below(&self, ordinal: u64) {
        let Some(held) = self.progress.advance(self.index, ordinal) else { return };
        if let Err(failure) = self.shelf.hold_below(held) {
            tracing::warn!(%failure, "how far others hold the outbox was not noted; batches will be sent again");
        }
    }
}
