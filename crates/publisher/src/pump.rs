//! The loop that ties the parts together: spool, translation, outbox, channels.
//!
//! A record leaves the spool only once every event of it is sealed and synced; a batch leaves the outbox only once a
//! channel said that it is held. So after a crash anywhere some records are translated again, which the outbox notices,
//! and some batches are sent again, which receivers drop. The loop also says that the node is alive, and what was lost.
//! It never decides what an event means and never waits for a receiver before it seals.

mod counts;
mod desk;
mod intake;
mod sender;

use std::sync::Arc;
use std::time::Duration;

use channel::{Backfill, Publish};
use events::batch::Header;
use events::identity::{BatchSignature, Label, PublisherKey};
use events::unit::{Millis, UnixMillis};
use events::wire::{Frame, MAX_FRAME_BYTES};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::outbox::{self, Outbox, Shelf};
use crate::spool::{self, Spool};
use crate::translate::Speaker;

pub use crate::intake::Clock;
pub use counts::{Counts, Failing, Snapshot};
use intake::Intake;
use sender::Sender;

/// Where batches go: a channel, and the name under which its receiver is known across starts.
#[derive(Clone)]
pub struct Way {
    /// The receiver's name, such as its address.
    pub name: String,
    /// How it is reached.
    pub channel: Arc<dyn Publish>,
}

/// How the loop runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The version that heartbeats tell.
    pub version: Label,
    /// Between two heartbeats: they keep the chain going while nothing happens, or its silence could not be proven.
    pub heartbeat_ms: Millis,
    /// The most records that are translated at once.
    pub records_max: usize,
    /// How often the spool's cursor is stored.
    pub commit_ms: Millis,
    /// The first pause after a send that failed; it doubles.
    pub backoff_ms: Millis,
    /// The longest pause.
    pub backoff_max_ms: Millis,
    /// How long a stop waits for what is on its way.
    pub drain_ms: Millis,
}

impl Settings {
    /// What a sidecar needs.
    pub fn new(version: Label) -> Self {
        Self {
            version,
            heartbeat_ms: Millis(60_000),
            records_max: 512,
            commit_ms: Millis(1_000),
            backoff_ms: Millis(100),
            backoff_max_ms: Millis(10_000),
            drain_ms: Millis(5_000),
        }
    }
}

/// Why the loop ended before it was told to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The spool cannot be read.
    #[error("spool: {0}")]
    Spool(#[from] spool::Error),
    /// The outbox cannot be written.
    #[error("outbox: {0}")]
    Outbox(#[from] outbox::Error),
    /// A part of the loop panicked.
    #[error("a part of the pump ended: {0}")]
    Ended(String),
}

/// A publisher, ready to run.
pub struct Pump {
    intake: Intake,
    shelf: Shelf,
    ways: Vec<Way>,
    clock: Clock,
    settings: Settings,
    counts: Counts,
}

impl Pump {
    /// Puts the parts together. Every channel gets every batch; a batch counts as held elsewhere once one receiver
    /// acknowledged it. One that cannot be reached is sent what it missed later, as far as the outbox still has it.
    pub fn new(
        spool: Arc<Spool>,
        outbox: Outbox,
        speaker: Speaker,
        ways: Vec<Way>,
        clock: Clock,
        settings: Settings,
    ) -> Self {
        let shelf = outbox.shelf().clone();
        let counts = Counts::new(shelf.clone());
        let sealing = Arc::clone(&clock);
        let intake = Intake::new(spool, outbox, speaker, sealing, settings.clone(), counts.clone());
        Self { intake, shelf, ways, clock, settings, counts }
    }

    /// What was done and refused; stays readable while the loop runs.
    pub fn counts(&self) -> Counts {
        self.counts.clone()
    }

    /// The batches, for a backfill to serve.
    pub fn shelf(&self) -> Shelf {
        self.shelf.clone()
    }

    /// Runs until `stop`, then seals what was heard and sends what it can within the drain. A full disk is waited for; any
    /// other error of it ends the loop: what is unknown then is found out by opening spool and outbox again.
    ///
    /// # Errors
    /// `Spool` and `Outbox` where trying again cannot help.
    pub async fn run(self, stop: CancellationToken) -> Result<(), Error> {
        let Self { intake, shelf, ways, clock, settings, counts } = self;
        // Senders outlive the intake: they have its last batches to send.
        let is_last = CancellationToken::new();
        let is_over = CancellationToken::new();
        let mut senders = JoinSet::new();
        for way in ways {
            let (shelf, counts, clock) = (shelf.clone(), counts.clone(), Arc::clone(&clock));
            let sender = Sender { way, shelf, clock, counts, settings: settings.clone() };
            senders.spawn(sender.run(is_last.clone(), is_over.clone()));
        }
        let outcome = intake.run(stop).await;
        is_last.cancel();
        let all = async { while senders.join_next().await.is_some() {} };
        let drained = tokio::time::timeout(duration(settings.drain_ms), all).await;
        if drained.is_err() {
            tracing::warn!(unsent = shelf.unheld(), "stopped before every batch was sent");
        }
        is_over.cancel();
        senders.shutdown().await;
        outcome
    }
}

/// Asks a peer for the newest batch of this key that it holds. Worth asking before the first batch is sealed: where the
/// folder turns out to be an old copy, [`Outbox::heard`] begins a new epoch.
///
/// # Errors
/// What the peer answers.
pub async fn newest(
    key: PublisherKey,
    peer: &dyn Backfill,
) -> channel::Result<Option<(Header, BatchSignature)>> {
    let chain = key.to_string();
    let ours = peer.heads().await?.into_iter().filter(|head| head.chain == chain);
    // A peer may name each epoch; only the newest says whether our folder is behind.
    let Some(head) = ours.max_by_key(|head| (head.epoch, head.seq)) else { return Ok(None) };
    let frames = peer.fetch(&chain, head.epoch, head.seq, head.seq, MAX_FRAME_BYTES).await?;
    let frame = frames.first().and_then(|frame| Frame::parse(frame).ok());
    Ok(frame.map(|frame| (frame.header, frame.signature)))
}

fn duration(millis: Millis) -> Duration {
    Duration::from_millis(millis.0)
}

fn now(clock: &Clock) -> UnixMillis {
    UnixMillis(clock())
}
