//! The play in real time: every saying at its moment, by the way its speaker speaks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use channel::{Message, Publish};
use events::batch::Batch;
use events::unit::{Millis, UnixMillis};
use events::wire;
use pipeline::Clock;
use publisher::spool::{Raw, Source, Spool};
use simulator::cast::Cast;
use simulator::options::Options;
use simulator::sealer::Sealers;
use simulator::world::{Saying, What, World};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::epoch;
use super::producer::Producer;

/// How long a statement waits for its batch.
const SPAN: Millis = Millis(1_000);

/// The longest pause, so that waiting statements are sealed in time.
const NAP: Millis = Millis(200);

/// A play so far behind (a machine that slept) begins anew at the present.
const BEHIND_MAX: Millis = Millis(60_000);

/// How many batches wait for the channel; beyond that simulated nodes lose them.
const WAITING_MAX: usize = 256;

/// Who speaks over Kafka: the place in the cast, the way there, and the spool behind it.
pub(super) type Gateways = Vec<(usize, Producer, Arc<Spool>)>;

/// A play.
pub(super) struct Play {
    cast: Arc<Cast>,
    clock: Clock,
    gateways: BTreeMap<usize, (Producer, Arc<Spool>)>,
    lost: u64,
    make: (u64, Options),
    posts: mpsc::Sender<Batch>,
    sealers: Sealers,
    world: World,
}

impl Play {
    /// The play that `world` goes on with.
    pub(super) fn new(
        world: World,
        make: (u64, Options),
        channel: Arc<dyn Publish>,
        gateways: Gateways,
        clock: Clock,
    ) -> Self {
        let (posts, post) = mpsc::channel(WAITING_MAX);
        tokio::spawn(send(post, channel));
        let cast = Arc::clone(world.cast());
        // One above the past's, which may have been made within the same second.
        let sealers = Sealers::new(&cast, epoch(clock()) + 1, SPAN);
        let gateways = gateways
            .into_iter()
            .map(|(place, producer, spool)| (place, (producer, spool)))
            .collect();
        Self { cast, clock, gateways, lost: 0, make, posts, sealers, world }
    }

    /// Plays until `stop`.
    pub(super) async fn run(mut self, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            let now = (self.clock)();
            self.catch_up(now);
            while self.world.next_ms() <= now {
                let Some(saying) = self.world.next() else { break };
                self.say(saying, now).await?;
            }
            let ripe = self.sealers.ripe(now)?;
            self.post(ripe);
            let nap = self.world.next_ms().since(now).unwrap_or(Millis(0)).min(NAP);
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(Duration::from_millis(nap.0.max(5))) => {}
            }
        }
        let rest = self.sealers.flush((self.clock)())?;
        self.post(rest);
        Ok(())
    }

    fn catch_up(&mut self, now: UnixMillis) {
        if self.world.next_ms().plus(BEHIND_MAX) < now {
            tracing::info!("the simulation fell behind and begins anew");
            self.world = World::new(self.make.0, self.make.1.clone(), now);
        }
    }

    async fn say(&mut self, saying: Saying, now: UnixMillis) -> anyhow::Result<()> {
        match (saying.what, self.gateways.get(&saying.speaker)) {
            (What::Event(event), _) => {
                let filled = self.sealers.push(&self.cast, saying.speaker, now, &event)?;
                self.post(filled);
            }
            (What::Envelope(bytes), Some((producer, _))) => producer.send(bytes),
            // go-livepeer puts these on an AMQP queue, which is no part of the play: they are put where it would end.
            (What::Transcode(value), Some((_, spool))) => {
                let raw = Raw { received_ms: now.0, source: Source::Http, key: None, value };
                if let Err(error) = spool.append(vec![raw]).await {
                    anyhow::ensure!(error.is_retryable(), error);
                }
            }
            (What::Envelope(_) | What::Transcode(_), None) => {}
        }
        Ok(())
    }

    fn post(&mut self, batches: impl IntoIterator<Item = Batch>) {
        for batch in batches {
            if self.posts.try_send(batch).is_err() {
                self.lost += 1;
                tracing::debug!(
                    lost = self.lost,
                    "a simulated batch was lost: the channel is slow"
                );
            }
        }
    }
}

/// Sends batches in their order, each until it is held.
async fn send(mut post: mpsc::Receiver<Batch>, channel: Arc<dyn Publish>) {
    while let Some(batch) = post.recv().await {
        let Ok(frame) = wire::encode(&batch) else { continue };
        let message = Message { chain: batch.header.key.to_string(), body: frame.into() };
        loop {
            match channel.publish(message.clone()).await {
                Err(channel::Error::Closed) => return,
                Err(error) if error.is_retryable() => {
                    tokio::time::sleep(Duration::from_millis(200)).await
                }
                Ok(_) | Err(_) => break,
            }
        }
    }
}
