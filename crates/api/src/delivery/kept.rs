//! Answers that were made before, for as long as they hold. What many ask at once is made once. Nothing here knows what
//! an answer says, and what is kept is bounded in bytes: the oldest goes first.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::response::Response;
use events::unit::UnixMillis;
use tokio::sync::Mutex as Gate;

use crate::answer::{A_SECOND_MS, Holds};
use crate::delivery::encoding::Encoding;
use crate::delivery::form::Form;
use crate::delivery::tag;

/// A question: where, under which parameters whatever their order, and in which form it is to be answered.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Key {
    form: Form,
    path: String,
    query: Vec<(String, String)>,
}

impl Key {
    /// The question that a request asks.
    pub fn of(uri: &Uri, form: Form) -> Self {
        let pairs = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
        let mut query: Vec<_> = pairs.into_owned().collect();
        query.sort_unstable();
        Self { form, path: uri.path().to_owned(), query }
    }

    fn bytes(&self) -> usize {
        let query = self.query.iter().map(|(name, value)| name.len() + value.len() + 64);
        self.path.len() + query.sum::<usize>() + 256
    }
}

/// An answer as it is sent.
#[derive(Debug)]
pub struct Written {
    pub body: Bytes,
    /// Without those that depend on who asks.
    pub headers: HeaderMap,
    /// How long it holds; none for this request alone.
    pub holds: Option<Holds>,
    /// The cursor of the next page.
    pub next: Option<String>,
    pub tag: HeaderValue,
    gzip: OnceLock<Bytes>,
    zstd: OnceLock<Bytes>,
}

impl Written {
    pub fn new(
        body: Bytes,
        headers: HeaderMap,
        holds: Option<Holds>,
        next: Option<String>,
    ) -> Self {
        let tag = tag::of(&body);
        Self { body, headers, holds, next, tag, gzip: OnceLock::new(), zstd: OnceLock::new() }
    }

    /// The body in an encoding, which is made once; nothing where it cannot be.
    pub fn encoded(&self, encoding: Encoding) -> Option<Bytes> {
        let place = match encoding {
            Encoding::Gzip => &self.gzip,
            Encoding::Zstd => &self.zstd,
        };
        if let Some(bytes) = place.get() {
            return Some(bytes.clone());
        }
        let bytes = encoding.encode(&self.body).ok()?;
        Some(place.get_or_init(|| bytes).clone())
    }

    /// What it may come to in memory, with its encodings.
    fn bytes(&self) -> usize {
        self.body.len().saturating_mul(2)
    }
}

/// What became of a question.
#[derive(Debug)]
pub enum Outcome {
    /// An answer that can be sent to many.
    Written(Arc<Written>),
    /// A problem, or an answer for one.
    Unkept(Box<Response>),
}

/// An answer, and since when and at which version of the warehouse it holds.
#[derive(Debug)]
struct Entry {
    at: UnixMillis,
    number: u64,
    version: u64,
    written: Arc<Written>,
}

#[derive(Debug, Default)]
struct Shelf {
    bytes: usize,
    entries: HashMap<Key, Entry>,
    /// The keys by when they came.
    order: BTreeMap<u64, Key>,
    number: u64,
}

/// A question that is being answered. Whoever holds its gate answers it.
#[derive(Debug, Default)]
struct Flight {
    gate: Gate<()>,
    /// Whether its answer turned out to be for one alone, so that nobody need wait for it.
    is_unshared: AtomicBool,
}

type Flights = Mutex<HashMap<(Key, u64), Arc<Flight>>>;

/// The answers that are kept.
#[derive(Debug)]
pub struct Kept {
    bytes_max: usize,
    flights: Flights,
    hits: AtomicU64,
    shelf: Mutex<Shelf>,
}

/// A place in a flight; the last one to leave takes it off the list.
struct Seat<'a> {
    flight: Arc<Flight>,
    flights: &'a Flights,
    name: (Key, u64),
}

impl<'a> Seat<'a> {
    fn take(flights: &'a Flights, name: (Key, u64)) -> Self {
        let mut all = flights.lock().unwrap_or_else(PoisonError::into_inner);
        let flight = Arc::clone(all.entry(name.clone()).or_default());
        Self { flight, flights, name }
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut all = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // One is the list's and one this seat's; others are taken under this lock alone.
        if Arc::strong_count(&self.flight) <= 2 {
            all.remove(&self.name);
        }
    }
}

impl Kept {
    /// Keeps at most so many bytes; none for 0, and then what many ask at once is made for each.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            flights: Mutex::default(),
            hits: AtomicU64::new(0),
            shelf: Mutex::default(),
        }
    }

    /// How many questions were answered by what was kept.
    pub fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    /// The answer to a question at this version of the warehouse or a later one: what is kept if that still holds, else
    /// what `compute` gives, which is kept if it may be.
    pub async fn answer(
        &self,
        key: Key,
        version: u64,
        now: impl Fn() -> UnixMillis,
        compute: impl Future<Output = Outcome>,
    ) -> Outcome {
        if self.bytes_max == 0 {
            return compute.await;
        }
        if let Some(written) = self.find(&key, version, now()) {
            return Outcome::Written(written);
        }
        let seat = Seat::take(&self.flights, (key.clone(), version));
        let turn = seat.flight.gate.lock().await;
        if seat.flight.is_unshared.load(Ordering::Acquire) {
            drop(turn);
            return compute.await;
        }
        let began = now();
        if let Some(written) = self.find(&key, version, began) {
            return Outcome::Written(written);
        }
        let outcome = compute.await;
        match &outcome {
            Outcome::Written(written) if written.holds.is_some() => {
                self.keep(key, version, began, Arc::clone(written));
            }
            _ => seat.flight.is_unshared.store(true, Ordering::Release),
        }
        outcome
    }

    fn find(&self, key: &Key, version: u64, now: UnixMillis) -> Option<Arc<Written>> {
        let shelf = self.shelf();
        let entry = shelf.entries.get(key)?;
        // A clock that was set back says nothing about what was answered since.
        let is_within = |ms: u64| now.0.checked_sub(entry.at.0).is_some_and(|age| age < ms);
        let is_of_now = match entry.written.holds? {
            Holds::Always => true,
            Holds::UntilWritten => entry.version == version || is_within(A_SECOND_MS),
            Holds::ForMs(ms) => is_within(ms),
        };
        if !is_of_now {
            return None;
        }
        self.hits.fetch_add(1, Ordering::Relaxed);
        Some(Arc::clone(&entry.written))
    }

    fn keep(&self, key: Key, version: u64, at: UnixMillis, written: Arc<Written>) {
        let size = |key: &Key, written: &Written| key.bytes().saturating_add(written.bytes());
        let bytes = size(&key, &written);
        if bytes > self.bytes_max {
            return;
        }
        let mut shelf = self.shelf();
        let shelf = &mut *shelf;
        shelf.number += 1;
        let number = shelf.number;
        let entry = Entry { at, number, version, written };
        shelf.bytes += bytes;
        if let Some(before) = shelf.entries.insert(key.clone(), entry) {
            shelf.order.remove(&before.number);
            shelf.bytes = shelf.bytes.saturating_sub(size(&key, &before.written));
        }
        shelf.order.insert(number, key);
        while shelf.bytes > self.bytes_max {
            let Some((_, oldest)) = shelf.order.pop_first() else { break };
            if let Some(gone) = shelf.entries.remove(&oldest) {
                shelf.bytes = shelf.bytes.saturating_sub(size(&oldest, &gone.written));
            }
        }
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::future::{pending, ready};
    use std::pin::Pin;
    use std::sync::atomic::AtomicUsize;
    use std::task::{Context, Waker};

    use super::*;

    fn key(number: usize) -> Key {
        Key::of(&format!("/v1/jobs?limit={number}").parse().unwrap(), Form::Json)
    }

    fn written(holds: Option<Holds>, bytes: usize) -> Outcome {
        let body = Bytes::from(vec![b'x'; bytes]);
        Outcome::Written(Arc::new(Written::new(body, HeaderMap::new(), holds, None)))
    }

    fn is_pending(future: Pin<&mut impl Future>) -> bool {
        future.poll(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    fn at(ms: u64) -> impl Fn() -> UnixMillis {
        move || UnixMillis(ms)
    }

    /// Whether a question had to be answered anew.
    async fn is_made(kept: &Kept, version: u64, now: u64, holds: Option<Holds>) -> bool {
        let made = AtomicBool::new(false);
        let compute = async {
            made.store(true, Ordering::Relaxed);
            written(holds, 10)
        };
        kept.answer(key(1), version, at(now), compute).await;
        made.load(Ordering::Relaxed)
    }

    #[tokio::test]
    async fn each_answer_holds_as_long_as_it_says() {
        let written = Some(Holds::UntilWritten);
        let (brief, always) = (Some(Holds::ForMs(1_000)), Some(Holds::Always));
        for (holds, version, now, expected) in [
            (written, 7, 9_000_000, false),
            (written, 8, 5_999, false),
            (written, 8, 6_000, true),
            (brief, 7, 5_999, false),
            (brief, 8, 5_999, false),
            (brief, 7, 6_000, true),
            (brief, 7, 4_999, true),
            (always, 8, 9_000_000, false),
            (None, 7, 5_000, true),
        ] {
            let kept = Kept::new(1_000_000);
            assert!(is_made(&kept, 7, 5_000, holds).await);
            assert_eq!(is_made(&kept, version, now, holds).await, expected, "{holds:?} {now}");
        }
        let none = Kept::new(0);
        assert!(is_made(&none, 7, 0, always).await && is_made(&none, 7, 0, always).await);
    }

    #[tokio::test]
    async fn what_is_kept_is_bounded_and_the_oldest_goes_first() {
        let kept = Kept::new(100_000);
        for number in 0..100 {
            let compute = ready(written(Some(Holds::Always), 1_000));
            kept.answer(key(number), 1, at(1), compute).await;
        }
        let too_large = ready(written(Some(Holds::Always), 60_000));
        kept.answer(key(1_000), 1, at(1), too_large).await;
        assert!(kept.find(&key(1_000), 1, UnixMillis(1)).is_none());
        let shelf = kept.shelf();
        assert!(shelf.bytes <= 100_000 && shelf.bytes > 80_000, "{}", shelf.bytes);
        assert_eq!(shelf.entries.len(), shelf.order.len());
        assert!(shelf.entries.contains_key(&key(99)) && !shelf.entries.contains_key(&key(0)));
        assert!(kept.flights.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_goes_away_leaves_the_question_to_the_next() {
        let kept = Kept::new(1_000_000);
        let mut gone = Box::pin(kept.answer(key(1), 1, at(1), pending::<Outcome>()));
        assert!(is_pending(gone.as_mut()));
        let next = kept.answer(key(1), 1, at(1), ready(written(Some(Holds::Always), 10)));
        let mut next = Box::pin(next);
        assert!(is_pending(next.as_mut()), "it waits for the first");
        drop(gone);
        assert!(matches!(next.await, Outcome::Written(_)));
        assert!(kept.flights.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn what_is_for_one_alone_keeps_nobody_waiting_in_line() {
        let kept = Kept::new(1_000_000);
        let (made, together) = (AtomicUsize::new(0), tokio::sync::Barrier::new(3));
        let ask = async |is_first: bool| {
            let compute = async {
                made.fetch_add(1, Ordering::Relaxed);
                if is_first {
                    tokio::task::yield_now().await;
                } else {
                    // Passed only if the three that waited are answered side by side.
                    together.wait().await;
                }
                written(None, 10)
            };
            kept.answer(key(1), 1, at(1), compute).await;
        };
        tokio::join!(ask(true), ask(false), ask(false), ask(false));
        assert_eq!(made.load(Ordering::Relaxed), 4);
    }
}
