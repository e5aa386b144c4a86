//! What happens now: accepted batches and events and settled windows, for everybody who listens.
//!
//! A bounded ring keeps what was told last, so that a listener who was cut off can go on where it was. Telling never
//! waits for a listener; one that is too slow is told so and cut off. Nothing here is a record: the ledger is.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::batch::Position;
use events::event::{Event, Network};
use events::identity::{Digest, Invalid};
use events::unit::UnixMillis;
use serde::Serialize;
use serde_json::value::RawValue;
use sla::window::Window;
use tokio::sync::broadcast;

/// What a live message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A batch was accepted.
    Batch,
    /// An event was accepted.
    Event,
    /// A window settled, or got another revision.
    Window,
}

impl Topic {
    /// Every topic.
    pub const ALL: &'static [Self] = &[Self::Batch, Self::Event, Self::Window];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Event => "event",
            Self::Window => "window",
        }
    }

    /// What it tells, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Batch => "A batch was accepted.",
            Self::Event => {
                "An event was accepted. Whether it counts is decided when its hour settles."
            }
            Self::Window => "A window settled, or got another revision.",
        }
    }
}

impl FromStr for Topic {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.iter().copied().find(|topic| topic.as_str() == text);
        found.ok_or_else(|| Invalid::unknown_word("topic", text))
    }
}

/// A batch that was accepted: its summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BatchAccepted {
    /// How many events it holds, by kind; what could not be read stands under `unreadable`.
    pub kinds: BTreeMap<String, u64>,
    /// The network.
    pub network: Network,
    /// Its place in its publisher's chain.
    pub position: Position,
    /// When it arrived.
    pub received_ms: UnixMillis,
    /// When it was sealed.
    pub sealed_ms: UnixMillis,
}

/// One event that was accepted. Whether it counts is decided when its hour settles.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventAccepted {
    /// The event.
    pub event: Arc<Event>,
    /// Its place in its batch.
    pub index: u16,
    /// The batch's place in its publisher's chain.
    pub position: Position,
}

/// A window that settled or got another revision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WindowSettled {
    /// The digest of its scorecard.
    pub digest: Digest,
    /// The network.
    pub network: Network,
    /// Which revision.
    pub revision: u32,
    /// When it was settled, in Unix milliseconds.
    pub settled_ms: UnixMillis,
    /// The window.
    pub window: Window,
}

/// What is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Live {
    /// A batch was accepted.
    Batch(BatchAccepted),
    /// An event was accepted: for rates that people and dashboards can follow, not for replays.
    Event(EventAccepted),
    /// A window settled.
    Window(WindowSettled),
}

#[derive(Serialize)]
struct EventMessage<'a> {
    event: &'a RawValue,
    index: u16,
    network: Network,
    position: Position,
}

impl Live {
    fn topic(&self) -> Topic {
        match self {
            Self::Batch(_) => Topic::Batch,
            Self::Event(_) => Topic::Event,
            Self::Window(_) => Topic::Window,
        }
    }

    fn network(&self) -> Network {
        match self {
            Self::Batch(batch) => batch.network,
            Self::Event(accepted) => accepted.event.network,
            Self::Window(window) => window.network,
        }
    }

    /// One line of JSON; nothing for an event that has no bytes, which no accepted event is.
    fn json(&self) -> Option<String> {
        match self {
            Self::Batch(batch) => serde_json::to_string(batch).ok(),
            Self::Window(window) => serde_json::to_string(window).ok(),
            Self::Event(accepted) => {
                let bytes = accepted.event.encode().ok()?;
                let raw: &RawValue = serde_json::from_slice(&bytes).ok()?;
                let message = EventMessage {
                    event: raw,
                    index: accepted.index,
                    network: accepted.event.network,
                    position: accepted.position,
                };
                serde_json::to_string(&message).ok()
            }
        }
    }
}

/// The name of a message: which feed told it, and as which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MessageId {
    /// The feed: another one after every start.
    pub feed: u64,
    /// Its number in the feed, from 0.
    pub number: u64,
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.feed, self.number)
    }
}

impl FromStr for MessageId {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let parts = text.split_once('-');
        let read =
            parts.and_then(|(feed, number)| Some((feed.parse().ok()?, number.parse().ok()?)));
        let (feed, number) = read.ok_or_else(|| Invalid::unknown_word("message id", text))?;
        let id = Self { feed, number };
        if id.to_string() == text { Ok(id) } else { Err(Invalid::unknown_word("message id", text)) }
    }
}

/// A message as listeners get it.
#[derive(Debug)]
pub struct Message {
    /// Its JSON, one line.
    pub data: String,
    /// Its name.
    pub id: MessageId,
    /// The network.
    pub network: Network,
    /// The metric.
    pub topic: Topic,
}

/// How much a feed keeps for those who come back, and how far one may fall behind.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Messages kept.
    pub messages: usize,
    /// Bytes of JSON kept.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { messages: 4_096, bytes: 8 * 1024 * 1024 }
    }
}

#[derive(Debug, Default)]
struct Ring {
    bytes: usize,
    kept: VecDeque<Arc<Message>>,
    next: u64,
}

/// Tells what happens to whoever listens.
pub struct Feed {
    bounds: Bounds,
    name: u64,
    ring: Mutex<Ring>,
    sender: broadcast::Sender<Arc<Message>>,
}

/// What a listener begins with.
pub struct Listening {
    /// What it missed and can still have, first to last.
    pub backlog: VecDeque<Arc<Message>>,
    /// Whether more was missed than can still be had.
    pub is_gapped: bool,
    /// What comes from here on.
    pub receiver: broadcast::Receiver<Arc<Message>>,
}

impl Feed {
    /// A feed; `started_ms` tells it from the one before a restart.
    pub fn new(started_ms: UnixMillis, bounds: Bounds) -> Self {
        let (sender, _) = broadcast::channel(bounds.messages.clamp(1, 65_536));
        Self { bounds, name: started_ms.0, ring: Mutex::default(), sender }
    }

    /// Tells everybody; never waits.
    pub fn publish(&self, live: &Live) {
        let Some(data) = live.json() else { return };
        let mut ring = self.lock();
        let id = MessageId { feed: self.name, number: ring.next };
        let message = Arc::new(Message { data, id, network: live.network(), topic: live.topic() });
        ring.next = ring.next.saturating_add(1);
        ring.bytes = ring.bytes.saturating_add(message.data.len());
        ring.kept.push_back(Arc::clone(&message));
        while ring.kept.len() > self.bounds.messages || ring.bytes > self.bounds.bytes {
            let Some(oldest) = ring.kept.pop_front() else { break };
            ring.bytes = ring.bytes.saturating_sub(oldest.data.len());
        }
        // Sent under the lock, so that a listener that begins now gets each message once. Nobody listening is no fault.
        self.sender.send(message).ok();
    }

    /// How many listen.
    pub fn listeners(&self) -> usize {
        self.sender.receiver_count()
    }

    /// Begins to listen, right behind the message `after` if one is named.
    pub fn listen(&self, after: Option<MessageId>) -> Listening {
        let ring = self.lock();
        let receiver = self.sender.subscribe();
        let Some(after) = after else {
            return Listening { backlog: VecDeque::new(), is_gapped: false, receiver };
        };
        let is_known = after.feed == self.name && after.number < ring.next;
        let first_kept = ring.kept.front().map_or(ring.next, |message| message.id.number);
        let is_gapped = !is_known || after.number.saturating_add(1) < first_kept;
        let wanted = |message: &&Arc<Message>| !is_known || message.id.number > after.number;
        let backlog = ring.kept.iter().filter(wanted).cloned().collect();
        Listening { backlog, is_gapped, receiver }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(revision: u32) -> Live {
        Live::Window(WindowSettled {
            digest: Digest::ZERO,
            network: Network::Simulation,
            revision,
            settled_ms: UnixMillis(1),
            window: "2026-01-08T21Z".parse().unwrap(),
        })
    }

    #[test]
    fn a_listener_goes_on_where_it_was() {
        let feed = Feed::new(UnixMillis(5), Bounds { messages: 3, bytes: 10_000 });
        (0..5).for_each(|revision| feed.publish(&settled(revision)));
        let heard = |after: &str| {
            let listening = feed.listen(Some(after.parse().unwrap()));
            let numbers: Vec<u64> =
                listening.backlog.iter().map(|message| message.id.number).collect();
            (listening.is_gapped, numbers)
        };
        assert_eq!(heard("5-4"), (false, vec![]));
        assert_eq!(heard("5-2"), (false, vec![3, 4]));
        assert_eq!(heard("5-1"), (false, vec![2, 3, 4]));
        assert_eq!(heard("5-0"), (true, vec![2, 3, 4]));
        assert_eq!(heard("4-4"), (true, vec![2, 3, 4]), "the feed before a restart");
        assert_eq!(heard("5-9"), (true, vec![2, 3, 4]), "never told");
        assert!(feed.listen(None).backlog.is_empty());
    }

    #[test]
    fn the_ring_is_bounded_in_bytes() {
        let feed = Feed::new(UnixMillis(5), Bounds { messages: 1_000, bytes: 1_000 });
        (0..100).for_each(|revision| feed.publish(&settled(revision)));
        let bytes: usize = feed.lock().kept.iter().map(|message| message.data.len()).sum();
        assert!(bytes <= 1_000 && bytes > 500, "{bytes}");
    }

    #[test]
    fn message_ids_have_one_form() {
        for bad in ["", "-", "1", "1-", "-1", "1-+2", "01-2", "1-2-3", "a-b"] {
            assert!(bad.parse::<MessageId>().is_err(), "{bad}");
        }
    }
}
