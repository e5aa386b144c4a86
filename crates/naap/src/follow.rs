//! What happens beside a process that only reads: another one writes the folder, and this thread looks what is new.
//!
//! New records come into view and are told to those who listen, and so are hours that were settled. It never writes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;
use events::event::Network;
use events::identity::Digest;
use ledger::Ledger;
use pipeline::settle::note;
use pipeline::settle::{Listener, News};
use sla::window::{Span, Window};
use warehouse::Reader;
use warehouse::page::Page;
use warehouse::view::SpanRow;

use crate::process::Failures;

/// How long after one look the next one comes.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// More new records than these are not told one by one: whoever listens hears of the last ones.
const TOLD_MAX: u64 = 4096;

/// The hours whose revisions are watched: those that can still change, and some more.
const HOURS_WATCHED: usize = 200;

/// A thread that looks.
pub struct Following {
    stopping: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Starts looking.
pub fn start(
    ledger: Arc<Ledger>,
    warehouse: Arc<dyn Reader>,
    networks: Vec<Network>,
    listener: Listener,
    failures: &Failures,
) -> anyhow::Result<Following> {
    let stopping = Arc::new(AtomicBool::new(false));
    let is_over = Arc::clone(&stopping);
    let mut follower = Follower { ledger, listener, networks, settled: BTreeMap::new(), warehouse };
    let thread = failures.watch_thread("following", move || {
        follower.settled = follower.revisions()?;
        let mut is_failing = false;
        while !is_over.load(Ordering::Acquire) {
            match follower.look() {
                Ok(()) => is_failing = false,
                // The last view stays. Beside a writer a look can fall between two of its steps.
                Err(error) if !is_failing => {
                    is_failing = true;
                    tracing::warn!(%error, "cannot look at the folder again; what was seen before is served");
                }
                Err(_) => {}
            }
            std::thread::park_timeout(LOOK_EVERY);
        }
        Ok(())
    })?;
    Ok(Following { stopping, thread })
}

impl Following {
    /// Lets it finish its look and waits for it.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        self.thread.thread().unpark();
        // One that panicked has told so itself.
        self.thread.join().ok();
    }
}

/// The latest revision of each settled hour and the only one of each longer window, with the digest of its scorecard.
type Revisions = BTreeMap<(Network, Window), (u32, Digest)>;

struct Follower {
    ledger: Arc<Ledger>,
    listener: Listener,
    networks: Vec<Network>,
    settled: Revisions,
    warehouse: Arc<dyn Reader>,
}

impl Follower {
    fn look(&mut self) -> anyhow::Result<()> {
        self.look_at_record()?;
        self.look_at_hours()
    }

    fn look_at_record(&mut self) -> anyhow::Result<()> {
        let before = self.ledger.end().next;
        let noted = self.warehouse.last_ordinal()?.map_or(0, |last| last + 1);
        if noted <= before {
            return Ok(());
        }
        self.ledger.refresh().context("the record")?;
        let end = self.ledger.end().next;
        for record in self.ledger.read(before.max(end.saturating_sub(TOLD_MAX))) {
            let (ordinal, entry) = record?;
            (self.listener)(&News::Heard(&note::open(ordinal, &entry)?));
        }
        Ok(())
    }

    fn look_at_hours(&mut self) -> anyhow::Result<()> {
        let now = self.revisions()?;
        for (place, latest) in &now {
            if self.settled.get(place) != Some(latest) {
                let ((network, window), (revision, digest)) = (*place, *latest);
                let hour = window.last;
                (self.listener)(&match window.span {
                    Span::Hour => News::Settled { digest, hour, network, revision },
                    _ => News::Made { digest, network, window },
                });
            }
        }
        self.settled = now;
        Ok(())
    }

    fn revisions(&self) -> anyhow::Result<Revisions> {
        let mut revisions = Revisions::new();
        for network in &self.networks {
            let rows = self.warehouse.windows(*network, &Page::first(HOURS_WATCHED))?.rows;
            for row in rows {
                let hour = row.latest.map(|latest| (latest.revision, latest.digest));
                let hour = hour.map(|latest| ((*network, Window::hour(row.hour)), latest));
                let span = |span: SpanRow| ((*network, span.window), (0, span.digest));
                revisions.extend(hour.into_iter().chain(row.spans.into_iter().map(span)));
            }
        }
        Ok(revisions)
    }
}
