//! The settler's thread: started once everything it serves is open, woken by the door, stopped last.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use api::health::{Check, Finding};
use api::live::Feed;
use api::metrics::{Contributor, Exposition};
use pipeline::Clock;
use pipeline::settle::Wake;
use warehouse::Reader;

use crate::process::Failures;
use crate::store::Store;
use crate::watch::{self, Counts};
use crate::web::Gifts;

/// Further behind than this many records is worth a look.
const LAG_MAX: u64 = 65_536;

/// A settler at work.
pub struct Settling {
    thread: JoinHandle<()>,
    wake: SyncSender<Wake>,
}

/// A pair that wakes a settler; one call waits at most.
pub fn waker() -> (SyncSender<Wake>, Receiver<Wake>) {
    sync_channel(1)
}

/// Starts settling `store`, and gives what the API says of it.
pub fn start(
    store: &Store,
    feed: &Arc<Feed>,
    clock: &Clock,
    (wake, woken): (SyncSender<Wake>, Receiver<Wake>),
    failures: &Failures,
) -> anyhow::Result<(Settling, Gifts)> {
    let counts = Counts::default();
    let listener = watch::listener(Arc::clone(feed), counts.clone(), Arc::clone(clock));
    let settler = store.settler(listener, clock())?;
    let is_running = Arc::new(AtomicBool::new(true));
    let gifts = gifts(store, &counts, &is_running);
    let (intake, clock) = (Arc::clone(&store.intake), Arc::clone(clock));
    let thread = failures.watch_thread("settling", move || {
        let outcome = settler.run(&woken, &clock, &|| counts.refusals(&intake));
        is_running.store(false, Ordering::Release);
        Ok(outcome?)
    })?;
    Ok((Settling { thread, wake }, gifts))
}

impl Settling {
    /// Lets it finish its step and waits for it.
    pub fn stop(self) {
        // A settler that is gone has told why itself.
        self.wake.send(Wake::Stop).ok();
        self.thread.join().ok();
    }
}

fn gifts(store: &Store, counts: &Counts, is_running: &Arc<AtomicBool>) -> Gifts {
    let (ledger, running) = (Arc::clone(&store.ledger), Arc::clone(is_running));
    let health = move || match ledger.health() {
        Ok(()) => Finding::ok(format!("{} batches, synced", ledger.end().next)),
        Err(error) => Finding::wrong(error.to_string()),
    };
    let (ledger, warehouse) = (Arc::clone(&store.ledger), Arc::clone(&store.warehouse));
    let settling = move || {
        let noted = match warehouse.last_ordinal() {
            Ok(last) => last.map_or(0, |last| last + 1),
            Err(error) => return Finding::wrong(error.to_string()),
        };
        let behind = ledger.end().next.saturating_sub(noted);
        match running.load(Ordering::Acquire) {
            false => Finding::wrong("the settler has stopped"),
            true if behind > LAG_MAX => {
                Finding::wrong(format!("{behind} batches behind the record"))
            }
            true => Finding::ok(format!("{behind} batches behind the record")),
        }
    };
    let ledger = Arc::clone(&store.ledger);
    let size: Contributor = Arc::new(move |to: &mut Exposition| {
        to.gauge("naap_ledger_batches", "Batches in the record.", &[], ledger.end().next);
    });
    Gifts {
        checks: vec![Check::new("ledger", health), Check::new("settling", settling)],
        contributors: vec![counts.contributor(), size],
    }
}
