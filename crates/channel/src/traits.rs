//! The traits every channel implements, with what each promises about durability.
//! They never name a transport, and nothing here waits or stores.

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A boxed future, so that the traits are object-safe.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Longest partition key in bytes: a hex Ed25519 key is 64, which leaves room for a prefix.
pub const CHAIN_BYTES_MAX: usize = 128;

/// What a channel carries: bytes it never reads, under the key whose order may matter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The partition key: 1 to [`CHAIN_BYTES_MAX`] visible ASCII characters.
    pub chain: String,
    /// The message itself.
    pub body: Bytes,
}

/// Says whether a channel that takes `max_bytes` may carry this message. Every `publish` asks it before sending.
///
/// # Errors
/// [`Error::Chain`] for an unusable key, [`Error::TooLong`] for too long a body.
pub fn check(message: &Message, max_bytes: usize) -> Result<()> {
    check_chain(&message.chain)?;
    if message.body.len() > max_bytes {
        return Err(Error::TooLong { bytes: message.body.len(), max_bytes });
    }
    Ok(())
}

/// Says whether a string can be a partition key on every channel (in a header and in a query).
pub(crate) fn check_chain(chain: &str) -> Result<()> {
    let is_length_right = (1..=CHAIN_BYTES_MAX).contains(&chain.len());
    if is_length_right && chain.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::Chain {
        chain: chain.chars().take(CHAIN_BYTES_MAX).flat_map(char::escape_default).collect(),
    })
}

/// What a successful `publish` knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receipt {
    /// Every receiver that had to, and at least one, said that it holds the message safely. A spool may forget it.
    Held,
    /// The message left; nobody said that it arrived. A spool must keep it for backfill.
    Sent,
}

/// Which order a channel promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// None.
    None,
    /// Messages of one chain are first delivered in the order in which their publishes ended,
    /// if their publisher awaited each before the next.
    PerChain,
}

/// What a channel is able to do. A caller adapts to it and never guesses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// `publish` ends with [`Receipt::Held`], and a delivery dropped without an acknowledgement comes again.
    /// Without it `publish` ends with [`Receipt::Sent`], and the publisher's spool never forgets.
    pub ack: bool,
    /// A subscription can start after a [`Cursor`], as far back as the channel holds.
    pub replay: bool,
    /// The order promised.
    pub order: Order,
    /// Longest message body.
    pub max_bytes: usize,
    /// Among how many subscribers the chains can be divided; with 1 every subscriber hears every chain.
    pub partitions: u32,
}

/// One end of a channel.
pub trait Channel: Send + Sync {
    /// What this channel is able to do; it never changes during a run.
    fn capabilities(&self) -> Capabilities;

    /// Ends well if a message would pass now, and otherwise says why it would not.
    fn health(&self) -> BoxFuture<'_, Result<()>>;

    /// Stops taking messages at once, waits up to `drain` for the publishes under way, then ends the subscriptions.
    /// What did not end in time is [`Error::Undrained`]; nobody received a [`Receipt`] for it. Closing twice is fine.
    fn close(&self, drain: Duration) -> BoxFuture<'_, Result<()>>;
}

/// The sending end.
pub trait Publish: Channel {
    /// Sends one message and waits for what [`Capabilities::ack`] promises. After an error, or if the future is
    /// dropped, the message may have arrived or not: send the same bytes again, receivers drop doubles.
    /// The wait is bounded.
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<Receipt>>;
}

/// Which chains a subscription hears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Selector {
    /// All of them.
    #[default]
    All,
    /// These only.
    Chains(BTreeSet<String>),
}

impl Selector {
    /// Whether the selector wants this chain.
    #[must_use]
    pub fn is_match(&self, chain: &str) -> bool {
        match self {
            Self::All => true,
            Self::Chains(chains) => chains.contains(chain),
        }
    }
}

/// A place in a channel's stream. Opaque: only the channel that made it can read it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Cursor(pub String);

/// Where a subscription starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// At the oldest message the channel still holds.
    #[default]
    Oldest,
    /// After everything acknowledged before. A channel without replay takes it for [`Start::Oldest`].
    After(Cursor),
}

/// The receiving end.
pub trait Subscribe: Channel {
    /// Opens a subscription. Each subscription hears every message of its selector at least once,
    /// from `from` on, as long as the channel holds it.
    fn subscribe(
        &self,
        selector: Selector,
        from: Start,
    ) -> BoxFuture<'_, Result<Box<dyn Subscription>>>;
}

/// A stream of deliveries.
pub trait Subscription: Send {
    /// Waits for the next delivery; `None` once the channel is closed. After a retryable error, call it again
    /// (the caller decides how long to wait). Dropping the future loses nothing.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Delivery>>>;

    /// The place up to which everything was acknowledged. Keep it as safely as what was received,
    /// and start after it the next time. `None` before the first, or on a channel without replay.
    fn position(&self) -> Option<Cursor>;
}

/// How one delivery tells its channel what became of it.
pub trait Lease: Send {
    /// The receiver holds the message safely (synced, if it promises to survive a crash).
    fn ack(self: Box<Self>) -> BoxFuture<'static, Result<()>>;

    /// The receiver gave the message up; where [`Capabilities::ack`] says so it comes again.
    fn release(self: Box<Self>);
}

/// A message in the hands of a receiver. Dropped without [`Delivery::ack`], it is left unacknowledged.
#[must_use = "a delivery that is not acknowledged comes again"]
pub struct Delivery {
    /// What was delivered.
    pub message: Message,
    lease: Option<Box<dyn Lease>>,
}

impl Delivery {
    /// Hands out a message under a lease.
    pub fn new(message: Message, lease: impl Lease + 'static) -> Self {
        Self { message, lease: Some(Box::new(lease)) }
    }

    /// Hands out a message for which nobody waits; acknowledging it does nothing.
    pub fn detached(message: Message) -> Self {
        Self { message, lease: None }
    }

    /// Says that the message is safely held. Never call it before that is so.
    ///
    /// # Errors
    /// When the channel could not note it; the message then comes again.
    pub async fn ack(mut self) -> Result<()> {
        match self.lease.take() {
            Some(lease) => lease.ack().await,
            None => Ok(()),
        }
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        if let Some(lease) = self.lease.take() {
            lease.release();
        }
    }
}

impl std::fmt::Debug for Delivery {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Delivery")
            .field("chain", &self.message.chain)
            .finish_non_exhaustive()
    }
}

/// The last message of a chain that a peer holds, as far as that peer knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The partition key.
    pub chain: String,
    /// The publisher's epoch.
    pub epoch: u64,
    /// Sequence of the last message in the epoch.
    pub seq: u64,
    /// Hash of that message, in the words of whoever made it.
    pub hash: String,
}

/// Reads what was published before, from whoever still holds it. It promises nothing about how long that is.
pub trait Backfill: Send + Sync {
    /// The messages held of `from_seq` to `to_seq` (inclusive) of one epoch, in order. What is not held is left out, so
    /// that a hole here hides nothing that follows it. The answer ends early before one that would pass `max_bytes` in
    /// total: callers read from the messages where that is, and ask again from there. None is left only by an empty one.
    ///
    /// # Errors
    /// [`Error::Range`] when the range is upside down, [`Error::TooLong`] when the first message held alone passes
    /// `max_bytes`, or whatever the source ran into.
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, Result<Vec<Bytes>>>;

    /// The head of every chain this source holds, or of each of its epochs; a source with very many may leave some out.
    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>>;
}
