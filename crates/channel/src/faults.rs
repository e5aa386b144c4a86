//! Spoils any channel by a seed: drops, doubles, delays, reorders and partitions, the same ones for the same seed.
//! It never breaks a promise that the wrapped channel keeps: what it drops is either retried, delivered again, or was
//! never acknowledged, so everything can be recovered.
//!
//! The fate of the n-th message of a chain follows from the seed, the chain and n alone, never from the clock or from
//! how tasks are scheduled. A partition is counted in messages for the same reason.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::error::{Error, Result};
use crate::traits::{
    Backfill, BoxFuture, Capabilities, Channel, Cursor, Delivery, Head, Message, Order, Publish,
    Receipt, Selector, Start, Subscribe, Subscription, check,
};

/// How often what goes wrong. The default is never. Rates are in parts per million of the messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Messages that do not pass.
    pub drop_ppm: u32,
    /// Messages that pass twice.
    pub double_ppm: u32,
    /// Messages that pass late.
    pub delay_ppm: u32,
    /// The longest delay, and how long a reordered message waits for another to overtake it.
    pub delay_max_ms: u64,
    /// Messages that are overtaken by the next one.
    pub reorder_ppm: u32,
    /// Messages at which a partition of their chain begins.
    pub partition_ppm: u32,
    /// How many messages of the chain a partition swallows.
    pub partition_messages: u32,
    /// Whether acknowledgements are hidden, as on a channel that has none: drops look like successes.
    pub is_mute: bool,
}

/// Chains whose fates are told apart; further ones share one. It only bounds memory.
const CHAINS_MAX: usize = 65_536;

/// What happens to one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fate {
    is_lost: bool,
    is_double: bool,
    is_reordered: bool,
    delay: Duration,
}

/// Draws fates.
struct Dice {
    faults: Faults,
    seed: u64,
    lanes: Mutex<BTreeMap<String, Lane>>,
}

struct Lane {
    random: ChaCha8Rng,
    partition_left: u32,
}

impl Dice {
    fn new(faults: Faults, seed: u64) -> Self {
        Self { faults, seed, lanes: Mutex::new(BTreeMap::new()) }
    }

    fn roll(&self, chain: &str) -> Fate {
        let faults = &self.faults;
        let mut lanes = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        let name = if lanes.len() < CHAINS_MAX || lanes.contains_key(chain) { chain } else { "" };
        let lane = lanes.entry(name.to_owned()).or_insert_with(|| Lane {
            random: ChaCha8Rng::seed_from_u64(self.seed ^ fold(name)),
            partition_left: 0,
        });
        // Every fate takes the same number of draws, so that changing one rate leaves the other faults where they are.
        let mut draw = |ppm: u32| lane.random.next_u64() % 1_000_000 < u64::from(ppm);
        let (begins_partition, is_dropped) = (draw(faults.partition_ppm), draw(faults.drop_ppm));
        let (is_double, is_reordered) = (draw(faults.double_ppm), draw(faults.reorder_ppm));
        let is_late = draw(faults.delay_ppm);
        let late_ms = lane.random.next_u64() % faults.delay_max_ms.saturating_add(1).max(1);
        if begins_partition && lane.partition_left == 0 {
            lane.partition_left = faults.partition_messages;
        }
        let is_parted = lane.partition_left > 0;
        lane.partition_left = lane.partition_left.saturating_sub(1);
        let delay = Duration::from_millis(if is_late { late_ms } else { 0 });
        Fate { is_lost: is_parted || is_dropped, is_double, is_reordered, delay }
    }
}

/// FNV-1a, to give each chain its own draws.
fn fold(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

fn lost() -> Error {
    Error::Unreachable { peer: "faults".to_owned(), reason: "dropped by the seed".to_owned() }
}

fn capabilities(inner: Capabilities, faults: &Faults) -> Capabilities {
    let disorder =
        Faults { is_mute: false, double_ppm: 0, delay_max_ms: 0, partition_messages: 0, ..*faults };
    let order = if disorder == Faults::default() { inner.order } else { Order::None };
    Capabilities { ack: inner.ack && !faults.is_mute, order, ..inner }
}

/// A publishing end that goes wrong by a seed. With acknowledgements a lost message is an error; without, it looks sent.
pub struct FaultyPublish {
    inner: Arc<dyn Publish>,
    dice: Dice,
    /// The message that waits to be overtaken, on a channel whose publishers do not wait.
    overtaken: Mutex<Option<Message>>,
}

impl FaultyPublish {
    /// Wraps a publishing end.
    pub fn new(inner: Arc<dyn Publish>, faults: Faults, seed: u64) -> Self {
        Self { inner, dice: Dice::new(faults, seed), overtaken: Mutex::new(None) }
    }

    fn swap_overtaken(&self, message: Option<Message>) -> Option<Message> {
        std::mem::replace(
            &mut *self.overtaken.lock().unwrap_or_else(PoisonError::into_inner),
            message,
        )
    }

    async fn send(&self, message: Message, is_double: bool) -> Result<Receipt> {
        let again = is_double.then(|| message.clone());
        let mut sent = self.inner.publish(message).await;
        if let Some(message) = again {
            sent = sent.or(self.inner.publish(message).await);
        }
        sent
    }
}

impl Channel for FaultyPublish {
    fn capabilities(&self) -> Capabilities {
        capabilities(self.inner.capabilities(), &self.dice.faults)
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.health()
    }

    /// Sends the message that waits to be overtaken, then closes the wrapped end.
    fn close(&self, drain: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            if let Some(message) = self.swap_overtaken(None)
                && let Err(error) = self.inner.publish(message).await
            {
                tracing::debug!(%error, "the overtaken message was lost at the end");
            }
            self.inner.close(drain).await
        })
    }
}

impl Publish for FaultyPublish {
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<Receipt>> {
        Box::pin(async move {
            check(&message, self.inner.capabilities().max_bytes)?;
            let fate = self.dice.roll(&message.chain);
            let has_ack = self.capabilities().ack;
            tokio::time::sleep(fate.delay).await;
            if fate.is_lost {
                return if has_ack { Err(lost()) } else { Ok(Receipt::Sent) };
            }
            if has_ack {
                let wait_ms = if fate.is_reordered { self.dice.faults.delay_max_ms } else { 0 };
                tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                return self.send(message, fate.is_double).await;
            }
            let late = self.swap_overtaken(fate.is_reordered.then(|| message.clone()));
            if !fate.is_reordered {
                self.send(message, fate.is_double).await?;
            }
            if let Some(late) = late {
                self.send(late, false).await?;
            }
            Ok(Receipt::Sent)
        })
    }
}

/// A subscribing end that goes wrong by a seed. With acknowledgements a lost delivery comes again; without, it is gone.
pub struct FaultySubscribe {
    inner: Arc<dyn Subscribe>,
    faults: Faults,
    seed: u64,
    subscriptions: AtomicU64,
}

impl FaultySubscribe {
    /// Wraps a subscribing end. Its n-th subscription goes wrong in its own way.
    pub fn new(inner: Arc<dyn Subscribe>, faults: Faults, seed: u64) -> Self {
        Self { inner, faults, seed, subscriptions: AtomicU64::new(0) }
    }
}

impl Channel for FaultySubscribe {
    fn capabilities(&self) -> Capabilities {
        capabilities(self.inner.capabilities(), &self.faults)
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        self.inner.health()
    }

    fn close(&self, drain: Duration) -> BoxFuture<'_, Result<()>> {
        self.inner.close(drain)
    }
}

impl Subscribe for FaultySubscribe {
    fn subscribe(
        &self,
        selector: Selector,
        from: Start,
    ) -> BoxFuture<'_, Result<Box<dyn Subscription>>> {
        Box::pin(async move {
            let inner = self.inner.subscribe(selector, from).await?;
            let number = self.subscriptions.fetch_add(1, Ordering::Relaxed);
            let dice = Dice::new(self.faults, self.seed.wrapping_add(number));
            let has_ack = self.capabilities().ack;
            let subscription: Box<dyn Subscription> =
                Box::new(FaultySubscription { inner, dice, has_ack, ready: VecDeque::new() });
            Ok(subscription)
        })
    }
}

struct FaultySubscription {
    inner: Box<dyn Subscription>,
    dice: Dice,
    has_ack: bool,
    /// What was overtaken or doubled: at most two deliveries.
    ready: VecDeque<Delivery>,
}

impl Subscription for FaultySubscription {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Delivery>>> {
        Box::pin(async {
            loop {
                if let Some(delivery) = self.ready.pop_front() {
                    return Ok(Some(delivery));
                }
                let Some(delivery) = self.inner.next().await? else { return Ok(None) };
                let fate = self.dice.roll(&delivery.message.chain);
                if fate.is_lost {
                    if self.has_ack {
                        drop(delivery);
                        // It may come again at once, for ever: let others run.
                        tokio::task::yield_now().await;
                    } else {
                        delivery.ack().await?;
                    }
                    continue;
                }
                tokio::time::sleep(fate.delay).await;
                if fate.is_double {
                    self.ready.push_back(Delivery::detached(delivery.message.clone()));
                }
                if !fate.is_reordered {
                    return Ok(Some(delivery));
                }
                self.ready.push_front(delivery);
                let wait = Duration::from_millis(self.dice.faults.delay_max_ms);
                if let Ok(overtaking) = tokio::time::timeout(wait, self.inner.next()).await
                    && let Some(overtaking) = overtaking?
                {
                    return Ok(Some(overtaking));
                }
            }
        })
    }

    fn position(&self) -> Option<Cursor> {
        self.inner.position()
    }
}

/// A backfill that goes wrong by a seed: what is lost is an error, what is late is late.
pub struct FaultyBackfill {
    inner: Arc<dyn Backfill>,
    dice: Dice,
}

impl FaultyBackfill {
    /// Wraps a backfill.
    pub fn new(inner: Arc<dyn Backfill>, faults: Faults, seed: u64) -> Self {
        Self { inner, dice: Dice::new(faults, seed) }
    }

    async fn suffer(&self, lane: &str) -> Result<()> {
        let fate = self.dice.roll(lane);
        tokio::time::sleep(fate.delay).await;
        if fate.is_lost { Err(lost()) } else { Ok(()) }
    }
}

impl Backfill for FaultyBackfill {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        Box::pin(async move {
            self.suffer(chain).await?;
            self.inner.fetch(chain, epoch, from_seq, to_seq, max_bytes).await
        })
    }

    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>> {
        Box::pin(async {
            self.suffer("").await?;
            self.inner.heads().await
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(faults: Faults, seed: u64, chain: &str) -> Vec<Fate> {
        let dice = Dice::new(faults, seed);
        (0..1000).map(|_| dice.roll(chain)).collect()
    }

    const FAULTS: Faults = Faults {
        drop_ppm: 100_000,
        double_ppm: 100_000,
        delay_ppm: 100_000,
        delay_max_ms: 5,
        reorder_ppm: 100_000,
        partition_ppm: 0,
        partition_messages: 0,
        is_mute: false,
    };

    #[test]
    fn the_fate_of_a_message_follows_from_seed_chain_and_place_alone() {
        assert_eq!(fates(FAULTS, 1, "a"), fates(FAULTS, 1, "a"));
        assert_ne!(fates(FAULTS, 1, "a"), fates(FAULTS, 2, "a"));
        assert_ne!(fates(FAULTS, 1, "a"), fates(FAULTS, 1, "b"));
        let dice = Dice::new(FAULTS, 1);
        let among_others: Vec<Fate> = (0..1000)
            .map(|turn| {
                dice.roll(if turn % 3 == 0 { "b" } else { "c" });
                dice.roll("a")
            })
            .collect();
        assert_eq!(among_others, fates(FAULTS, 1, "a"));
    }

    #[test]
    fn rates_are_what_they_say_and_partitions_are_runs() {
        let lost = fates(FAULTS, 7, "a").iter().filter(|fate| fate.is_lost).count();
        assert!((60..140).contains(&lost), "{lost} of 1000 at 10 %");
        assert!(
            fates(Faults::default(), 7, "a")
                .iter()
                .all(|fate| !fate.is_lost && fate.delay.is_zero())
        );
        let parted = Faults { partition_ppm: 20_000, partition_messages: 10, ..Faults::default() };
        let fates = fates(parted, 7, "a");
        let mut runs = fates
            .chunk_by(|a, b| a.is_lost == b.is_lost)
            .filter(|run| run.iter().all(|fate| fate.is_lost));
        assert!(runs.clone().count() > 3);
        assert!(runs.all(|run| run.len() >= 10 || fates.ends_with(run)));
    }
}
