//! Pulls a peer's feed by long-polls, and hands each message out until it is acknowledged.
//! It never asks for more while something it pulled waits to be handed out, or too much is unacknowledged.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::http::client::{Inner, Peer};
use crate::http::{CURSOR_HEADER, GAP_HEADER};
use crate::traits::{
    BoxFuture, Cursor, Delivery, Lease, Message, Selector, Start, Subscribe, Subscription, check,
};

/// Most chains that are named in a long-poll; a longer selector is applied on this side only.
const NAMED_CHAINS_MAX: usize = 64;
/// The pause after an empty page, so that a peer that does not wait is not asked without end.
const IDLE_PAUSE: Duration = Duration::from_millis(100);

impl Subscribe for Peer {
    fn subscribe(
        &self,
        selector: Selector,
        from: Start,
    ) -> BoxFuture<'_, Result<Box<dyn Subscription>>> {
        Box::pin(async move {
            self.inner.gate.check()?;
            let position = match from {
                Start::Oldest => None,
                Start::After(cursor) => Some(cursor),
            };
            let inbox = Mutex::new(Inbox { position: position.clone(), ..Inbox::default() });
            let shelf = Arc::new(Shelf {
                inbox,
                changed: watch::Sender::new(0),
                unacked_max: self.inner.limits.unacked_max,
            });
            let changed = shelf.changed.subscribe();
            let puller =
                Puller { peer: self.inner.clone(), selector, after: position, shelf, changed };
            let subscription: Box<dyn Subscription> = Box::new(puller);
            Ok(subscription)
        })
    }
}

struct Puller {
    peer: Arc<Inner>,
    selector: Selector,
    after: Option<Cursor>,
    shelf: Arc<Shelf>,
    changed: watch::Receiver<u64>,
}

impl Subscription for Puller {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Delivery>>> {
        Box::pin(async {
            loop {
                if self.peer.gate.check().is_err() {
                    return Ok(None);
                }
                self.changed.mark_unchanged();
                let (leased, unacked) = {
                    let mut inbox = self.shelf.lock();
                    (inbox.lease(), inbox.items.len())
                };
                if let Some((id, message)) = leased {
                    return Ok(Some(Delivery::new(
                        message,
                        Ticket { shelf: self.shelf.clone(), id },
                    )));
                }
                let has_room = unacked < self.shelf.unacked_max;
                let pulled = tokio::select! {
                    biased;
                    () = self.peer.gate.closed() => return Ok(None),
                    _ = self.changed.changed() => continue,
                    pulled = self.peer.pull(self.after.as_ref(), &self.selector), if has_room => pulled?,
                };
                let is_empty = pulled.messages.is_empty();
                let gap = pulled.is_gapped.then(|| self.after.take()).flatten();
                self.after = Some(pulled.cursor.clone());
                self.shelf.lock().add(pulled);
                if let Some(after) = gap {
                    return Err(Error::Gap { after: after.0 });
                }
                if is_empty {
                    tokio::time::sleep(IDLE_PAUSE).await;
                }
            }
        })
    }

    fn position(&self) -> Option<Cursor> {
        self.shelf.lock().position.clone()
    }
}

/// One answer to a long-poll.
struct Pulled {
    messages: Vec<(Cursor, Message)>,
    cursor: Cursor,
    is_gapped: bool,
}

impl Inner {
    /// Asks for what follows the cursor.
    async fn pull(&self, after: Option<&Cursor>, selector: &Selector) -> Result<Pulled> {
        let mut query = vec![("wait_ms", self.limits.wait_ms.to_string())];
        query.extend(after.map(|cursor| ("after", cursor.0.clone())));
        if let Selector::Chains(chains) = selector
            && chains.len() <= NAMED_CHAINS_MAX
        {
            query.extend(chains.iter().map(|chain| ("chain", chain.clone())));
        }
        let url = reqwest::Url::parse_with_params(
            self.target.join(&["channel", "v1", "batches"]).as_str(),
            query,
        )
        .map_err(|error| self.foreign(error))?;
        let timeout =
            Duration::from_millis(self.limits.request_ms.saturating_add(self.limits.wait_ms));
        let response = self.send(self.client.get(url).timeout(timeout)).await?;
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let cursor = text(CURSOR_HEADER).map(|text| Cursor(text.to_owned()));
        let cursor = cursor.ok_or_else(|| self.foreign("a page without a cursor"))?;
        let is_gapped = text(GAP_HEADER).is_some();
        // A page may hold one message that passes its bound, with its frames and its cursor.
        let parts =
            self.frames(response, self.limits.page_bytes.max(self.limits.max_bytes) + 1024).await?;
        let mut messages = Vec::new();
        let mut parts = parts.into_iter();
        while let Some(place) = parts.next() {
            let (Some(chain), Some(body)) = (parts.next(), parts.next()) else {
                return Err(self.foreign("a message without its chain or body"));
            };
            let (Ok(place), Ok(chain)) =
                (String::from_utf8(place.into()), String::from_utf8(chain.into()))
            else {
                return Err(self.foreign("a cursor or chain that is not text"));
            };
            let message = Message { chain, body };
            check(&message, self.limits.max_bytes).map_err(|error| self.foreign(error))?;
            if selector.is_match(&message.chain) {
                messages.push((Cursor(place), message));
            }
        }
        Ok(Pulled { messages, cursor, is_gapped })
    }
}

/// What was pulled and is not yet acknowledged, in order.
#[derive(Default)]
struct Inbox {
    next: u64,
    items: BTreeMap<u64, Item>,
    /// Everything up to here was acknowledged.
    position: Option<Cursor>,
}

struct Item {
    cursor: Cursor,
    stage: Stage,
}

/// Where a pulled message is.
enum Stage {
    Waiting(Message),
    Leased(Message),
    Acked,
}

struct Shelf {
    inbox: Mutex<Inbox>,
    changed: watch::Sender<u64>,
    unacked_max: usize,
}

impl Shelf {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn announce(&self) {
        self.changed.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Inbox {
    fn lease(&mut self) -> Option<(u64, Message)> {
        let waiting = |(id, item): (&u64, &mut Item)| {
            let Stage::Waiting(message) = &item.stage else { return None };
            let message = message.clone();
            item.stage = Stage::Leased(message.clone());
            Some((*id, message))
        };
        self.items.iter_mut().find_map(waiting)
    }

    fn ack(&mut self, id: u64) {
        if let Some(item) = self.items.get_mut(&id) {
            item.stage = Stage::Acked;
        }
        while let Some(first) = self.items.first_entry() {
            if !matches!(first.get().stage, Stage::Acked) {
                break;
            }
            self.position = Some(first.remove().cursor);
        }
    }

    fn release(&mut self, id: u64) {
        if let Some(item) = self.items.get_mut(&id)
            && let Stage::Leased(message) = &item.stage
        {
            item.stage = Stage::Waiting(message.clone());
        }
    }

    fn add(&mut self, pulled: Pulled) {
        for (cursor, message) in pulled.messages {
            self.items.insert(self.next, Item { cursor, stage: Stage::Waiting(message) });
            self.next += 1;
        }
        if self.items.is_empty() {
            self.position = Some(pulled.cursor);
        }
    }
}

struct Ticket {
    shelf: Arc<Shelf>,
    id: u64,
}

impl Lease for Ticket {
    fn ack(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            let was_full = {
                let mut inbox = self.shelf.lock();
                let was_full = inbox.items.len() >= self.shelf.unacked_max;
                inbox.ack(self.id);
                was_full
            };
            // Waking the puller ends its long-poll, so only wake it if it waits for room.
            if was_full {
                self.shelf.announce();
            }
            Ok(())
        })
    }

    fn release(self: Box<Self>) {
        self.shelf.lock().release(self.id);
        self.shelf.announce();
    }
}
