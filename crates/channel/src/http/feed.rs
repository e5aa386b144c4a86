//! A bounded window over what was published lately, from which peers pull.
//! It never waits for a puller and never stores: who comes too late is told of the gap and asks for backfill.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use crate::error::{Error, Result};
use crate::gate::Gate;
use crate::http::frames::OVERHEAD_BYTES;
use crate::traits::{
    BoxFuture, Capabilities, Channel, Message, Order, Publish, Receipt, Selector, check,
};

/// The bounds of a feed.
#[derive(Clone, Copy, Debug)]
pub struct FeedLimits {
    /// Longest message.
    pub max_bytes: usize,
    /// Messages kept for pullers.
    pub kept_messages: usize,
    /// Bytes kept for pullers.
    pub kept_bytes: usize,
}

impl Default for FeedLimits {
    fn default() -> Self {
        Self { max_bytes: 64 * 1024, kept_messages: 16 * 1024, kept_bytes: 32 * 1024 * 1024 }
    }
}

/// What a peer publishes to whoever pulls. It gives no acknowledgement: every receipt is [`Receipt::Sent`].
pub struct Feed {
    life: u64,
    limits: FeedLimits,
    gate: Gate,
    window: Mutex<Window>,
    /// The place of the last message; it wakes the pullers.
    last: watch::Sender<u64>,
}

#[derive(Default)]
struct Window {
    messages: VecDeque<(u64, Message)>,
    bytes: usize,
    last: u64,
}

/// One answer to a puller.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Cursor and message, oldest first.
    pub(super) messages: Vec<(String, Message)>,
    /// The cursor after everything looked at.
    pub(super) cursor: String,
    /// Whether messages between the asked cursor and this page are gone.
    pub(super) is_gapped: bool,
}

impl Feed {
    /// Makes an empty feed. `life` is a number that no earlier life of this feed had (its start in milliseconds will
    /// do): it tells cursors of an earlier life, whose messages are gone, from its own.
    #[must_use]
    pub fn new(life: u64, limits: FeedLimits) -> Self {
        let window = Mutex::new(Window::default());
        Self { life, limits, gate: Gate::new(), window, last: watch::Sender::new(0) }
    }

    fn lock(&self) -> MutexGuard<'_, Window> {
        self.window.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, message: Message) {
        let place = {
            let mut window = self.lock();
            window.last += 1;
            window.bytes += size(&message);
            let place = window.last;
            window.messages.push_back((place, message));
            while window.messages.len() > self.limits.kept_messages
                || window.bytes > self.limits.kept_bytes
            {
                let Some((_, gone)) = window.messages.pop_front() else { break };
                window.bytes = window.bytes.saturating_sub(size(&gone));
            }
            place
        };
        self.last.send_modify(|last| *last = place.max(*last));
    }

    fn cursor(&self, place: u64) -> String {
        format!("{:x}.{place:x}", self.life)
    }

    /// The place in a cursor, and whether it is of this life; `None` if it never was a cursor of a feed.
    fn place(&self, cursor: &str) -> Option<(u64, bool)> {
        let (life, place) = cursor.split_once('.')?;
        let (life, place) =
            (u64::from_str_radix(life, 16).ok()?, u64::from_str_radix(place, 16).ok()?);
        Some((place, life == self.life))
    }

    /// What follows the cursor now, oldest first, at least one message if there is one, else up to the bounds.
    /// `None` if the cursor is not one.
    pub(super) fn page(
        &self,
        after: Option<&str>,
        selector: &Selector,
        bounds: Bounds,
    ) -> Option<Page> {
        let window = self.lock();
        let oldest = window.messages.front().map_or(window.last + 1, |(place, _)| *place);
        let (from, is_gapped) = match after.map(|cursor| self.place(cursor)) {
            None => (oldest, false),
            Some(None) => return None,
            Some(Some((place, true))) if place <= window.last => {
                (oldest.max(place.saturating_add(1)), place.saturating_add(1) < oldest)
            }
            Some(Some(_)) => (oldest, true),
        };
        let mut page =
            Page { messages: Vec::new(), cursor: self.cursor(from.saturating_sub(1)), is_gapped };
        let mut bytes = 0;
        let skipped = usize::try_from(from - oldest).unwrap_or(usize::MAX);
        for (place, message) in window.messages.iter().skip(skipped) {
            if selector.is_match(&message.chain) {
                bytes += size(message);
                let is_full = bytes > bounds.bytes || page.messages.len() >= bounds.messages;
                if is_full && !page.messages.is_empty() {
                    return Some(page);
                }
                page.messages.push((self.cursor(*place), message.clone()));
            }
            page.cursor = self.cursor(*place);
        }
        Some(page)
    }

    /// Like [`Feed::page`], but waits up to `wait` while there is nothing to say.
    pub(super) async fn next_page(
        &self,
        after: Option<&str>,
        selector: &Selector,
        bounds: Bounds,
        wait: Duration,
    ) -> Option<Page> {
        let mut last = self.last.subscribe();
        let mut after = after.map(str::to_owned);
        let deadline = tokio::time::sleep(wait);
        tokio::pin!(deadline);
        loop {
            last.mark_unchanged();
            let page = self.page(after.as_deref(), selector, bounds)?;
            if !page.messages.is_empty() || page.is_gapped {
                return Some(page);
            }
            tokio::select! {
                changed = last.changed() => if changed.is_err() { return Some(page) },
                () = &mut deadline => return Some(page),
                () = self.gate.closed() => return Some(page),
            }
            after = Some(page.cursor);
        }
    }
}

/// How much one page may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) bytes: usize,
    pub(super) messages: usize,
}

/// What a message takes in a page: three frames, of which the cursor takes at most 33 bytes.
fn size(message: &Message) -> usize {
    message.chain.len() + message.body.len() + 33 + 3 * OVERHEAD_BYTES
}

impl Channel for Feed {
    fn capabilities(&self) -> Capabilities {
        let max_bytes = self.limits.max_bytes;
        Capabilities { ack: false, replay: true, order: Order::PerChain, max_bytes, partitions: 1 }
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { self.gate.check() })
    }

    fn close(&self, drain: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(self.gate.close(drain))
    }
}

impl Publish for Feed {
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<Receipt>> {
        Box::pin(async move {
            check(&message, self.limits.max_bytes)?;
            let _pass = self.gate.enter()?;
            if size(&message) > self.limits.kept_bytes {
                return Err(Error::TooLong {
                    bytes: message.body.len(),
                    max_bytes: self.limits.kept_bytes,
                });
            }
            self.push(message);
            Ok(Receipt::Sent)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 1000, messages: 2 };

    fn feed(kept_messages: usize) -> Feed {
        Feed::new(7, FeedLimits { kept_messages, ..FeedLimits::default() })
    }

    fn fill(feed: &Feed, count: u8) {
        for body in 1..=count {
            feed.push(Message { chain: format!("c{}", body % 2), body: vec![body].into() });
        }
    }

    fn bodies(page: &Page) -> Vec<u8> {
        page.messages.iter().flat_map(|(_, message)| message.body.to_vec()).collect()
    }

    #[test]
    fn pages_follow_each_other_and_filtered_messages_move_the_cursor() {
        let feed = feed(100);
        fill(&feed, 5);
        let first = feed.page(None, &Selector::All, BOUNDS).unwrap();
        assert_eq!(bodies(&first), [1, 2]);
        let second = feed.page(Some(&first.cursor), &Selector::All, BOUNDS).unwrap();
        assert_eq!(bodies(&second), [3, 4]);
        let even = Selector::Chains(["c0".to_owned()].into());
        let rest = feed.page(Some(&second.cursor), &even, BOUNDS).unwrap();
        assert_eq!((bodies(&rest), rest.cursor.as_str(), rest.is_gapped), (vec![], "7.5", false));
    }

    #[test]
    fn a_cursor_that_fell_out_or_of_another_life_is_a_gap_and_rubbish_is_refused() {
        let feed = feed(2);
        fill(&feed, 5);
        for (cursor, is_gapped, expected) in [
            ("7.1", true, vec![4, 5]),
            ("7.3", false, vec![4, 5]),
            ("6.5", true, vec![4, 5]),
            ("7.5", false, vec![]),
        ] {
            let page = feed.page(Some(cursor), &Selector::All, BOUNDS).unwrap();
            assert_eq!((page.is_gapped, bodies(&page)), (is_gapped, expected), "{cursor}");
        }
        let ahead = feed.page(Some("7.ffffffffffffffff"), &Selector::All, BOUNDS).unwrap();
        assert!(ahead.is_gapped);
        for rubbish in ["", "7", "7.x", "-1.2", "7.5.5"] {
            assert!(feed.page(Some(rubbish), &Selector::All, BOUNDS).is_none(), "{rubbish}");
        }
    }

    #[test]
    fn one_message_always_fits_a_page() {
        let feed = feed(100);
        fill(&feed, 3);
        let page = feed.page(None, &Selector::All, Bounds { bytes: 1, messages: 9 }).unwrap();
        assert_eq!(bodies(&page), [1]);
    }
}
