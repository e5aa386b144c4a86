//! Windows of several hours: made once, out of what their settled hours came to, after the hours that waited are done.
//!
//! Which hours still lack theirs is kept with the hours, so that a stop in between forgets none. Counts are read one hour
//! at a time; how they become a scorecard is said by `sla`.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::event::Network;
use events::unit::{Millis, UnixMillis};
use sla::context::Context;
use sla::hour::OpenJobs;
use sla::policy::Policy;
use sla::register::Register;
use sla::score::{Question, Scoring};
use sla::scorecard::{Basis, PinnedHour};
use sla::tally::Tally;
use sla::trust::TrustFile;
use sla::window::{Hour, Span, Window};
use warehouse::record::{UnrolledHour, WindowRecord};
use warehouse::{Reader, Warehouse};

use super::note::spread;
use super::standing::tally;
use super::{News, Settler};
use crate::Error;

/// The lengths of the windows that are made, the longest last.
const SPANS: [Span; 3] = [Span::Day, Span::Week, Span::FourWeeks];

/// How long after its end an hour may be settled first for the windows that end with it to be made.
const FRESH: Millis = Millis(24 * 3_600_000);

/// How many hours are read at once.
const HOURS_AT_ONCE: usize = 16;

/// How many rows of counts are kept at hand while the windows of one hour after the other are made.
const ROWS_KEPT: usize = 50_000;

impl Settler {
    /// Makes the days of counts that are over and the windows that end with the hours that wait for theirs, at most `most`
    /// of each; tells with how many hours.
    pub(super) fn roll(
        &mut self,
        now: UnixMillis,
        most: usize,
        progress: &mut dyn FnMut(u64, usize),
    ) -> Result<u64, Error> {
        let mut rolled = 0;
        for trust in &self.options.trust {
            let network = trust.network;
            for _ in 0..most {
                if !self.warehouse.record_day(network)? {
                    break;
                }
            }
            let waiting = self.warehouse.unrolled_hours(network)?;
            let (wanted, unwanted) = self.choose(network, &waiting)?;
            if !unwanted.is_empty() {
                self.warehouse.record_rolled(network, &unwanted)?;
            }
            let mut at_hand = AtHand::default();
            for (place, hour) in wanted.iter().take(most).enumerate() {
                progress(self.next, wanted.len() - place);
                let register = self.registers.of(self.warehouse.as_ref(), network, *hour)?;
                let policy = &self.options.policy;
                let asked = Asked { last: *hour, policy, register: &register, trust };
                let threads = self.options.threads;
                for record in asked.make(self.warehouse.as_ref(), &mut at_hand, threads, now)? {
                    self.warehouse.record_window(&record)?;
                    let (digest, window) = (record.scorecard.digest(), record.scorecard.window);
                    (self.listener)(&News::Made { digest, network, window });
                }
                self.warehouse.record_rolled(network, &[*hour])?;
                rolled += 1;
            }
        }
        Ok(rolled)
    }

    /// Those of the waiting hours whose windows are to be made, and the others: in the past one a day is enough.
    fn choose(
        &self,
        network: Network,
        waiting: &[UnrolledHour],
    ) -> Result<(Vec<Hour>, Vec<Hour>), Error> {
        let Some(last) = waiting.last() else { return Ok((Vec::new(), Vec::new())) };
        let after = last.hour.next()..=Hour(u64::MAX);
        let is_newest = self.warehouse.settled_hours(network, after)?.is_empty();
        let is_wanted = |waiting: &&UnrolledHour| {
            let ends_a_day = waiting.hour.next().0.is_multiple_of(24);
            let is_fresh = waiting.settled_ms <= waiting.hour.end().plus(FRESH);
            ends_a_day || is_fresh || (is_newest && waiting.hour == last.hour)
        };
        let (wanted, unwanted): (Vec<_>, Vec<_>) = waiting.iter().partition(is_wanted);
        let hours = |of: Vec<&UnrolledHour>| of.into_iter().map(|waiting| waiting.hour).collect();
        Ok((hours(wanted), hours(unwanted)))
    }
}

/// The windows that end with an hour, and what they lean on.
struct Asked<'a> {
    last: Hour,
    policy: &'a Policy,
    register: &'a Register,
    trust: &'a TrustFile,
}

/// A window in the making.
struct Making<'a> {
    pinned: Vec<PinnedHour>,
    scoring: Scoring<'a>,
    window: Window,
}

impl Asked<'_> {
    /// Makes those of the windows that are not there yet.
    fn make(
        &self,
        reader: &dyn Warehouse,
        at_hand: &mut AtHand,
        threads: usize,
        now: UnixMillis,
    ) -> Result<Vec<WindowRecord>, Error> {
        let Self { last, policy, register, trust } = *self;
        let network = trust.network;
        let context = Context::of(policy, OpenJobs::new(), register);
        let mut makings = Vec::new();
        for span in SPANS {
            let window = Window { last, span };
            if reader.window_record(network, window)?.is_none() {
                let asked = Question { context: &context, policy, register, trust, window };
                makings.push(Making { pinned: Vec::new(), scoring: Scoring::new(asked), window });
            }
        }
        let longest = makings.last().map_or(0, |making| making.window.span.hours());
        let first = Hour((last.0 + 1).saturating_sub(longest));
        let hours = reader.settled_hours(network, first..=last)?;
        at_hand.forget_before(first);
        for some in hours.chunks(HOURS_AT_ONCE) {
            let counts = at_hand.counts(reader, network, some, threads)?;
            add(&mut makings, last, some, &counts, threads);
        }
        let record = |Making { pinned, scoring, .. }: Making<'_>| WindowRecord {
            context: context.clone(),
            made_ms: now,
            network,
            scorecard: scoring.finish(Basis::Hours(pinned), None),
        };
        Ok(makings.into_iter().map(record).collect())
    }
}

/// Adds hours to each of the windows that they lie in, the longest on a thread of its own.
fn add(
    makings: &mut [Making<'_>],
    last: Hour,
    hours: &[PinnedHour],
    counts: &[Arc<Tally>],
    threads: usize,
) {
    let share = makings.len().div_ceil(threads.max(1)).max(1);
    let add = |making: &mut Making<'_>| {
        for (pinned, tally) in hours.iter().zip(counts) {
            if last.0 - pinned.hour.0 < making.window.span.hours() {
                making.scoring.add(pinned.hour, tally);
                making.pinned.push(pinned.clone());
            }
        }
    };
    std::thread::scope(|scope| {
        for part in makings.chunks_mut(share) {
            scope.spawn(move || part.iter_mut().for_each(add));
        }
    });
}

/// Counts without what is only shown, which is most of them and nothing that a score reads.
fn bare(mut tally: Tally) -> Arc<Tally> {
    tally.cells.values_mut().for_each(|cell| cell.measured.clear());
    Arc::new(tally)
}

/// Counts that the windows of the next hour will ask for again: the oldest ones, as many as there is room for.
#[derive(Default)]
struct AtHand {
    counts: BTreeMap<Hour, (u32, Arc<Tally>)>,
    rows: usize,
}

impl AtHand {
    fn forget_before(&mut self, first: Hour) {
        let kept = self.counts.split_off(&first);
        let gone = std::mem::replace(&mut self.counts, kept);
        self.rows -= gone.values().map(|(_, tally)| tally.cells.len()).sum::<usize>();
    }

    /// The counts of some hours, in their order.
    fn counts(
        &mut self,
        reader: &dyn Reader,
        network: Network,
        hours: &[PinnedHour],
        threads: usize,
    ) -> Result<Vec<Arc<Tally>>, Error> {
        let read = |pinned: &PinnedHour| match self.counts.get(&pinned.hour) {
            Some((revision, tally)) if *revision == pinned.revision => Ok(Arc::clone(tally)),
            _ => tally(reader, network, pinned.hour, pinned.revision).map(bare),
        };
        let counts = spread(hours, threads, read)?;
        for (pinned, tally) in hours.iter().zip(&counts) {
            let rows = self.rows + tally.cells.len();
            if rows <= ROWS_KEPT && !self.counts.contains_key(&pinned.hour) {
                self.counts.insert(pinned.hour, (pinned.revision, Arc::clone(tally)));
                self.rows = rows;
            }
        }
        Ok(counts)
    }
}
