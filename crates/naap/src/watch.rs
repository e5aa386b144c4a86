//! What settling tells, passed on to those who listen to the API and to those who count.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::live::{BatchAccepted, EventAccepted, Feed, Live, WindowSettled};
use api::metrics::{Contributor, Exposition};
use events::event::Network;
use events::unit::{HOUR_MS, Millis, UnixMillis};
use pipeline::Clock;
use pipeline::intake::{Intake, Refusals};
use pipeline::settle::{Listener, News};
use sla::opened::Opened;
use sla::window::{Hour, Window};

/// What happened to batches since the start. Clones share the numbers.
#[derive(Debug, Clone, Default)]
pub struct Counts(Arc<Mutex<Numbers>>);

#[derive(Debug, Default)]
struct Numbers {
    batches: BTreeMap<Network, u64>,
    events: BTreeMap<Network, u64>,
    hours: BTreeMap<Network, u64>,
    windows: BTreeMap<Network, u64>,
    refusals: BTreeMap<(Network, &'static str), u64>,
}

impl Counts {
    fn lock(&self) -> MutexGuard<'_, Numbers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the refusals of the door, and counts them before they go to the warehouse.
    pub fn refusals(&self, intake: &Intake) -> Refusals {
        let refusals = intake.take_refusals();
        if !refusals.is_empty() {
            let mut numbers = self.lock();
            for ((network, _, defect), count) in &refusals.counts {
                *numbers.refusals.entry((*network, defect.code())).or_default() += count;
            }
        }
        refusals
    }

    /// Writes the numbers where metrics are asked for.
    pub fn contributor(&self) -> Contributor {
        let counts = self.clone();
        Arc::new(move |to: &mut Exposition| counts.expose(to))
    }

    fn expose(&self, to: &mut Exposition) {
        let numbers = self.lock();
        for (network, count) in &numbers.batches {
            let labels = [("network", network.as_str())];
            to.counter(
                "naap_noted_batches_total",
                "Batches of the record that were noted.",
                &labels,
                *count,
            );
        }
        for (network, count) in &numbers.events {
            let labels = [("network", network.as_str())];
            to.counter(
                "naap_noted_events_total",
                "Events of the batches that were noted.",
                &labels,
                *count,
            );
        }
        for (network, count) in &numbers.hours {
            let labels = [("network", network.as_str())];
            to.counter(
                "naap_settled_revisions_total",
                "Revisions of hours that were settled.",
                &labels,
                *count,
            );
        }
        for (network, count) in &numbers.windows {
            let labels = [("network", network.as_str())];
            to.counter(
                "naap_made_windows_total",
                "Windows of several hours that were made.",
                &labels,
                *count,
            );
        }
        for ((network, code), count) in &numbers.refusals {
            let labels = [("network", network.as_str()), ("code", *code)];
            to.counter(
                "naap_refused_batches_total",
                "Batches that the record's door refused.",
                &labels,
                *count,
            );
        }
    }
}

/// Of hours before it no line is written unless asked for.
const PAST: Millis = Millis(24 * HOUR_MS);

/// Whether an hour is so long ago that a line of its own tells nobody anything: a month of past has seven hundred.
fn is_past(hour: Hour, now: UnixMillis) -> bool {
    now.since(hour.end()).is_some_and(|age| age > PAST)
}

/// A listener that passes everything on.
pub fn listener(feed: Arc<Feed>, counts: Counts, clock: Clock) -> Listener {
    Box::new(move |news| match news {
        News::Heard(opened) => {
            let network = opened.header.network;
            let mut numbers = counts.lock();
            *numbers.batches.entry(network).or_default() += 1;
            *numbers.events.entry(network).or_default() += u64::from(opened.header.count);
            drop(numbers);
            tell(&feed, opened, &clock);
        }
        News::Settled { digest, hour, network, revision } => {
            *counts.lock().hours.entry(*network).or_default() += 1;
            if is_past(*hour, clock()) {
                tracing::debug!(%network, %hour, revision, %digest, "settled an hour");
            } else {
                tracing::info!(%network, %hour, revision, %digest, "settled an hour");
            }
            feed.publish(&Live::Window(WindowSettled {
                digest: *digest,
                network: *network,
                revision: *revision,
                settled_ms: clock(),
                window: Window::hour(*hour),
            }));
        }
        News::Made { digest, network, window } => {
            *counts.lock().windows.entry(*network).or_default() += 1;
            if is_past(window.last, clock()) {
                tracing::debug!(%network, %window, %digest, "made a window");
            } else {
                tracing::info!(%network, %window, %digest, "made a window");
            }
            feed.publish(&Live::Window(WindowSettled {
                digest: *digest,
                network: *network,
                revision: 0,
                settled_ms: clock(),
                window: *window,
            }));
        }
    })
}

/// Tells of a batch, and of its events where somebody listens.
fn tell(feed: &Feed, opened: &Opened, clock: &Clock) {
    let header = &opened.header;
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for event in &opened.events {
        let kind = event
            .event
            .as_ref()
            .map_or_else(|_| "unreadable".to_owned(), |event| event.kind().to_string());
        *kinds.entry(kind).or_default() += 1;
    }
    feed.publish(&Live::Batch(BatchAccepted {
        kinds,
        network: header.network,
        position: opened.position(),
        received_ms: clock(),
        sealed_ms: header.sealed_ms,
    }));
    if feed.listeners() == 0 {
        return;
    }
    for (place, event) in opened.readable() {
        feed.publish(&Live::Event(EventAccepted {
            event: Arc::new(event.clone()),
            index: place.index,
            position: opened.position(),
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_named_by_the_convention() {
        let counts = Counts::default();
        counts.lock().batches.insert(Network::Livepeer, 1);
        counts.lock().events.insert(Network::Livepeer, 1);
        counts.lock().hours.insert(Network::Livepeer, 1);
        counts.lock().refusals.insert((Network::Livepeer, "E-BATCH-ROOT"), 1);
        let mut exposition = Exposition::default();
        counts.expose(&mut exposition);
        assert_eq!(exposition.faults(), Vec::<String>::new());
        assert!(
            exposition.text().contains(
                "naap_refused_batches_total{network=\"livepeer\",code=\"E-BATCH-ROOT\"} 1"
            )
        );
    }
}
