//! Writing what hours came to: each in one transaction, in the order they were settled, and only if it is new.
//!
//! A scribe does so on a thread of its own while the next hour is settled. It settles nothing, and after its first
//! failure it writes nothing more, so that no hour is written whose forerunner is not.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread::{Scope, ScopedJoinHandle};

use events::event::Network;
use events::unit::UnixMillis;
use sla::context::Context;
use sla::hour::{OpenJobs, Settled};
use sla::score::{Question, score_hour};
use sla::window::{Hour, Window};
use warehouse::Warehouse;
use warehouse::record::{HourRecord, Touch, Touched};

use super::note::join;
use super::standing::Registers;
use super::{News, Options};
use crate::Error;

/// How many hours wait to be written while another one is; more would be held in memory for nothing.
const WAITING_MAX: usize = 1;

/// A settled hour that is not written yet.
pub(super) struct Finished {
    /// Whether it did not wait for a fixed time, so that what it changes does not either.
    pub at_once: bool,
    /// The jobs open at its start.
    pub before: OpenJobs,
    /// The hour.
    pub hour: Hour,
    /// Whether other jobs are open at its end than were before, so that the next hour must be looked at again.
    pub is_changed: bool,
    /// The network.
    pub network: Network,
    /// What it came to.
    pub settled: Settled,
    /// When it was settled.
    pub settled_ms: UnixMillis,
    /// The ledger ordinals of the batches it rests on, ascending.
    pub used: Vec<u64>,
}

/// Writes a revision of an hour if its scorecard is not the one it had.
pub(super) fn write(
    warehouse: &dyn Warehouse,
    options: &Options,
    registers: &Registers,
    finished: Finished,
) -> Result<Option<News<'static>>, Error> {
    let Finished { at_once, before, hour, is_changed, network, settled, settled_ms, used } =
        finished;
    let Some(trust) = options.trust.iter().find(|trust| trust.network == network) else {
        return Ok(None);
    };
    if is_changed {
        // Before this hour is written: a stop in between looks at the next one once too often, never too seldom.
        let hours = Touched::Known(hour.next()..=hour.next());
        warehouse.touch(&[Touch { at_once, hours, network }])?;
    }
    let register = registers.of(warehouse, network, hour)?;
    let (policy, window) = (&options.policy, Window::hour(hour));
    let context = Context::of(policy, before, &register);
    let asked = Question { context: &context, policy, register: &register, trust, window };
    let scorecard = score_hour(&settled, asked);
    let digest = scorecard.digest();
    let latest = warehouse.revisions(network, hour)?.pop();
    let is_empty = settled.event_set.count == 0 && latest.is_none();
    if is_empty || latest.as_ref().is_some_and(|latest| latest.digest == digest) {
        if !is_empty {
            let (rollup, supply) = (&settled.rollup, settled.supply.as_slice());
            warehouse.record_rollup(network, hour, rollup, supply, &settled.tests)?;
        }
        warehouse.record_looked(network, hour, settled_ms)?;
        return Ok(None);
    }
    let before = latest.map(|latest| latest.revision);
    let revision = before.map_or(0, |before| before + 1);
    let (place, tally) = ((network, hour), settled.tally);
    let restands = registers.restanding(warehouse, place, before, &tally, at_once)?;
    if let Some(restanding) = &restands {
        registers.forget(network, restanding);
    }
    warehouse.record_hour(&HourRecord {
        context,
        event_set: settled.event_set,
        hour,
        jobs: settled.jobs,
        network,
        open: settled.open,
        refused: settled.refused,
        refused_notes: settled.refused_notes,
        restands,
        revision,
        rollup: settled.rollup,
        scorecard,
        settled_ms,
        supply: settled.supply,
        tally,
        tests: settled.tests,
        used,
    })?;
    Ok(Some(News::Settled { digest, hour, network, revision }))
}

/// Writes hours on a thread of its own.
pub(super) struct Scribe<'scope> {
    hours: SyncSender<Finished>,
    news: Receiver<News<'static>>,
    thread: ScopedJoinHandle<'scope, Result<(), Error>>,
}

impl<'scope> Scribe<'scope> {
    /// A scribe that waits for hours.
    pub fn start(
        scope: &'scope Scope<'scope, '_>,
        warehouse: &'scope dyn Warehouse,
        options: &'scope Options,
        registers: &'scope Registers,
    ) -> Self {
        let (hours, waiting) = sync_channel(WAITING_MAX);
        let (tell, news) = channel();
        let thread = scope.spawn(move || write_all(warehouse, options, registers, &waiting, &tell));
        Self { hours, news, thread }
    }

    /// Hands an hour over, as soon as there is room. Tells whether the scribe still writes; [`Self::finish`] says why
    /// not.
    pub fn write(&self, finished: Finished) -> bool {
        self.hours.send(finished).is_ok()
    }

    /// What was written since it was last asked for.
    pub fn news(&self) -> impl Iterator<Item = News<'static>> {
        self.news.try_iter()
    }

    /// Waits until everything is written; gives the news that nobody asked for yet.
    pub fn finish(self) -> Result<Vec<News<'static>>, Error> {
        drop(self.hours);
        join(self.thread)?;
        Ok(self.news.try_iter().collect())
    }
}

fn write_all(
    warehouse: &dyn Warehouse,
    options: &Options,
    registers: &Registers,
    waiting: &Receiver<Finished>,
    tell: &Sender<News<'static>>,
) -> Result<(), Error> {
    for finished in waiting {
        if let Some(news) = write(warehouse, options, registers, finished)? {
            // Whoever no longer listens has failed elsewhere; what was handed over is written all the same.
            drop(tell.send(news));
        }
    }
    Ok(())
}
