//! The channel inside one process: a bounded queue whose publishers wait until the subscribers hold the message.
//! It never stores: what is not acknowledged stays with the publisher, so a crash loses nothing that had a receipt.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot, watch};

use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::traits::{
    BoxFuture, Capabilities, Channel, Cursor, Delivery, Lease, Message, Order, Publish, Receipt,
    Selector, Start, Subscribe, Subscription, check,
};

/// The bounds of an embedded channel. It holds at most `messages_max * max_bytes` bytes.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Longest message.
    pub max_bytes: usize,
    /// Messages under way at once; further publishers wait.
    pub messages_max: usize,
    /// Subscriptions at once.
    pub subscriptions_max: usize,
    /// How long a publish waits for room and for every acknowledgement.
    pub wait_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_bytes: 64 * 1024, messages_max: 256, subscriptions_max: 64, wait_ms: 10_000 }
    }
}

/// An embedded channel. Clones are ends of the same channel.
#[derive(Clone)]
pub struct Embedded {
    shared: Arc<Shared>,
}

struct Shared {
    limits: Limits,
    gate: Gate,
    room: Semaphore,
    state: Mutex<State>,
    /// Counts the changes a subscription may be waiting for.
    changed: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    next_entry: u64,
    next_subscriber: u64,
    entries: BTreeMap<u64, Entry>,
    subscribers: BTreeMap<u64, Subscriber>,
}

/// A message whose publisher waits.
struct Entry {
    message: Message,
    acked_by: BTreeSet<u64>,
    held: oneshot::Sender<()>,
}

struct Subscriber {
    selector: Selector,
    leased: BTreeSet<u64>,
}

impl State {
    /// Removes the entry and tells its publisher, if everyone who had to hold it does, and someone does.
    fn settle(&mut self, id: u64) {
        let Some(entry) = self.entries.get(&id) else { return };
        let mut waited_for =
            self.subscribers.iter().filter(|(_, one)| one.selector.is_match(&entry.message.chain));
        if entry.acked_by.is_empty()
            || waited_for.any(|(subscriber, _)| !entry.acked_by.contains(subscriber))
        {
            return;
        }
        if let Some(entry) = self.entries.remove(&id)
            && entry.held.send(()).is_err()
        {
            tracing::debug!("a publisher stopped waiting while its message was acknowledged");
        }
    }

    /// Leases the oldest message that this subscriber neither acknowledged nor has in its hands.
    fn lease(&mut self, subscriber: u64) -> Option<(u64, Message)> {
        let one = self.subscribers.get_mut(&subscriber)?;
        let (id, entry) = self.entries.iter().find(|(id, entry)| {
            one.selector.is_match(&entry.message.chain)
                && !entry.acked_by.contains(&subscriber)
                && !one.leased.contains(id)
        })?;
        one.leased.insert(*id);
        Some((*id, entry.message.clone()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Embedded {
    /// Makes a channel without subscribers.
    #[must_use]
    pub fn new(limits: Limits) -> Self {
        Self {
            shared: Arc::new(Shared {
                limits,
                gate: Gate::new(),
                room: Semaphore::new(limits.messages_max),
                state: Mutex::new(State::default()),
                changed: watch::Sender::new(0),
            }),
        }
    }

    async fn send(&self, message: Message) -> Result<()> {
        let shared = &self.shared;
        let _room = shared.room.acquire().await.map_err(|_| Error::Closed)?;
        let (held, is_held) = oneshot::channel();
        let id = {
            let mut state = shared.lock();
            let id = state.next_entry;
            state.next_entry += 1;
            state.entries.insert(id, Entry { message, acked_by: BTreeSet::new(), held });
            id
        };
        let _withdrawal = Withdrawal { shared, id };
        shared.announce();
        is_held.await.map_err(|_| Error::Closed)
    }
}

/// Takes a message back when its publisher stops waiting for it.
struct Withdrawal<'a> {
    shared: &'a Shared,
    id: u64,
}

impl Drop for Withdrawal<'_> {
    fn drop(&mut self) {
        self.shared.lock().entries.remove(&self.id);
    }
}

impl Channel for Embedded {
    fn capabilities(&self) -> Capabilities {
        let max_bytes = self.shared.limits.max_bytes;
        Capabilities { ack: true, replay: false, order: Order::PerChain, max_bytes, partitions: 1 }
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async {
            self.shared.gate.check()?;
            let is_heard = !self.shared.lock().subscribers.is_empty();
            if is_heard { Ok(()) } else { Err(Error::Absent { waited_ms: 0 }) }
        })
    }

    fn close(&self, drain: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.shared.gate.close(drain))
    }
}

impl Publish for Embedded {
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<Receipt>> {
        Box::pin(async move {
            check(&message, self.shared.limits.max_bytes)?;
            let _pass = self.shared.gate.enter()?;
            let waited_ms = self.shared.limits.wait_ms;
            tokio::select! {
                sent = self.send(message) => sent.map(|()| Receipt::Held),
                () = tokio::time::sleep(Duration::from_millis(waited_ms)) => Err(Error::Absent { waited_ms }),
                () = self.shared.gate.closed() => Err(Error::Closed),
            }
        })
    }
}

impl Subscribe for Embedded {
    /// Starts with what publishers are still waiting for, whatever `from` says: there is nothing older to resume.
    fn subscribe(
        &self,
        selector: Selector,
        _from: Start,
    ) -> BoxFuture<'_, Result<Box<dyn Subscription>>> {
        Box::pin(async move {
            self.shared.gate.check()?;
            let mut state = self.shared.lock();
            if state.subscribers.len() >= self.shared.limits.subscriptions_max {
                return Err(Error::Busy { retry_after_ms: 1_000 });
            }
            let id = state.next_subscriber;
            state.next_subscriber += 1;
            state.subscribers.insert(id, Subscriber { selector, leased: BTreeSet::new() });
            let changed = self.shared.changed.subscribe();
            let subscription: Box<dyn Subscription> =
                Box::new(Listener { shared: self.shared.clone(), id, changed });
            Ok(subscription)
        })
    }
}

struct Listener {
    shared: Arc<Shared>,
    id: u64,
    changed: watch::Receiver<u64>,
}

impl Subscription for Listener {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Delivery>>> {
        Box::pin(async {
            loop {
                self.changed.mark_unchanged();
                let leased = self.shared.lock().lease(self.id);
                if let Some((entry, message)) = leased {
                    let ticket = Ticket { shared: self.shared.clone(), subscriber: self.id, entry };
                    return Ok(Some(Delivery::new(message, ticket)));
                }
                tokio::select! {
                    changed = self.changed.changed() => changed.map_err(|_| Error::Closed)?,
                    () = self.shared.gate.closed() => return Ok(None),
                }
            }
        })
    }

    fn position(&self) -> Option<Cursor> {
        None
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.subscribers.remove(&self.id);
        let ids: Vec<u64> = state.entries.keys().copied().collect();
        for id in ids {
            state.settle(id);
        }
    }
}

/// The lease of one message by one subscriber.
struct Ticket {
    shared: Arc<Shared>,
    subscriber: u64,
    entry: u64,
}

impl Lease for Ticket {
    fn ack(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let mut state = self.shared.lock();
            if let Some(subscriber) = state.subscribers.get_mut(&self.subscriber) {
                subscriber.leased.remove(&self.entry);
            }
            if let Some(entry) = state.entries.get_mut(&self.entry) {
                entry.acked_by.insert(self.subscriber);
            }
            state.settle(self.entry);
            Ok(())
        })
    }

    fn release(self: Box<Self>) {
        if let Some(subscriber) = self.shared.lock().subscribers.get_mut(&self.subscriber) {
            subscriber.leased.remove(&self.entry);
        }
        self.shared.announce();
    }
}
