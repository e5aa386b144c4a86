//! The open hour in view: jobs appear within a second of being heard of, and are replaced when the hour settles.
//!
//! What is shown is provisional and has no digest. The view is bounded: past its limit older
//! hours leave it, then it takes nothing more, and nothing but the view is lost. Of an hour that is not wholly in view,
//! what was added up before is never replaced by less.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::event::Network;
use events::identity::{JobId, PublisherKey};
use events::unit::{Millis, UnixMillis};
use sla::admit::{Admitted, admit};
use sla::authority::Authority;
use sla::context::Context;
use sla::hour::{Around, OpenJobs, is_near, read_jobs, settle};
use sla::join::coverage::Coverage;
use sla::mapping::{Mappings, TieKey, tie_key};
use sla::opened::{EVENT_AGE_MAX, EVENT_LEAD_MAX, Opened};
use sla::policy::Policy;
use sla::probes::{Probes, Trace, trace};
use sla::register::Register;
use sla::rollup::column::{Column, Plain};
use sla::rollup::series::Question as SeriesQuestion;
use sla::rollup::{Detail, Rollup};
use sla::score::{Question, score_hour};
use sla::window::{Hour, Window};
use warehouse::Warehouse;
use warehouse::record::{BatchRow, Sums};

use super::Heard;
use super::board::Board;
use super::note::Face;
use super::schedule::is_over;
use super::standing::Registers;
use crate::Error;

/// How long after the last showing the next one comes.
const SHOW_EVERY: Millis = Millis(150);

/// How long after the last provisional scorecard the next one comes.
const SCORE_EVERY: Millis = Millis(5_000);

/// How long after the last look at the publishers the next one comes.
const PUBLISHERS_EVERY: Millis = Millis(1_000);

/// One hour in view.
struct OpenHour {
    batches: Vec<Arc<Opened>>,
    /// Jobs heard of since the last showing.
    fresh: BTreeSet<JobId>,
    /// Where the claims about each job stand in `batches`.
    jobs: BTreeMap<JobId, BTreeSet<usize>>,
    /// Which of `batches` bind or show tests.
    traces: Vec<usize>,
    scored_ms: UnixMillis,
    /// Whether anything came since the last provisional scorecard.
    is_touched: bool,
}

/// The hours in view.
pub(super) struct Live {
    events: usize,
    events_max: usize,
    hours: BTreeMap<(Network, Hour), OpenHour>,
    /// The hours of which something was told that is not in view.
    partial: BTreeSet<(Network, Hour)>,
    publishers_ms: UnixMillis,
    shown_ms: BTreeMap<Network, UnixMillis>,
    /// The newest batch in which each publisher tied each set of names together.
    ties: BTreeMap<(Network, TieKey), Arc<Opened>>,
}

impl OpenHour {
    fn new() -> Self {
        Self {
            batches: Vec::new(),
            fresh: BTreeSet::new(),
            jobs: BTreeMap::new(),
            traces: Vec::new(),
            scored_ms: UnixMillis(0),
            is_touched: false,
        }
    }

    /// The batches that bind or show tests.
    fn traced(&self) -> impl Iterator<Item = &Opened> {
        self.traces.iter().filter_map(|at| self.batches.get(*at)).map(Arc::as_ref)
    }
}

impl Live {
    pub(super) fn new(events_max: usize) -> Self {
        Self {
            events: 0,
            events_max,
            hours: BTreeMap::new(),
            partial: BTreeSet::new(),
            publishers_ms: UnixMillis(0),
            shown_ms: BTreeMap::new(),
            ties: BTreeMap::new(),
        }
    }

    /// Takes a batch into the hours it tells of, as long as they are not over.
    pub(super) fn take(&mut self, network: Network, batch: &Arc<Opened>, now: UnixMillis) {
        let mut told: BTreeMap<Hour, BTreeSet<JobId>> = BTreeMap::new();
        let (mut is_traced, mut shown) = (false, Vec::new());
        for (opened, event) in batch.readable() {
            if let Some(names) = tie_key(batch.header.key, event) {
                self.ties.insert((network, names), Arc::clone(batch));
            }
            let jobs = told.entry(Hour::of(opened.counted_ms)).or_default();
            jobs.extend(event.job_id);
            let said = trace(event);
            is_traced |= said.is_some();
            if let Some(Trace::Revealed(.., jobs)) = said {
                shown.extend(jobs);
            }
        }
        for (hour, jobs) in told.into_iter().filter(|(hour, _)| !is_over(*hour, now)) {
            if !self.has_room_for(hour) {
                self.partial.insert((network, hour));
                continue;
            }
            let open = self.hours.entry((network, hour)).or_insert_with(OpenHour::new);
            let at = open.batches.len();
            open.batches.push(Arc::clone(batch));
            open.traces.extend(is_traced.then_some(at));
            open.is_touched = true;
            for job_id in jobs {
                open.jobs.entry(job_id).or_default().insert(at);
                open.fresh.insert(job_id);
            }
            self.events += batch.events.len();
        }
        self.show_again(network, &shown);
    }

    /// How many more events there is room for.
    pub(super) fn room(&self) -> usize {
        self.events_max.saturating_sub(self.events)
    }

    /// Remembers that a batch is not in view, of whatever open hours it may tell.
    pub(super) fn miss(&mut self, network: Network, sealed_ms: UnixMillis, now: UnixMillis) {
        let hours =
            Hour::of(sealed_ms.minus(EVENT_AGE_MAX))..=Hour::of(sealed_ms.plus(EVENT_LEAD_MAX));
        let open = (hours.start().0..=hours.end().0).map(Hour).filter(|hour| !is_over(*hour, now));
        self.partial.extend(open.map(|hour| (network, hour)));
    }

    /// Has jobs shown again that turn out to be tests.
    fn show_again(&mut self, network: Network, jobs: &[JobId]) {
        for (_, open) in self.hours.iter_mut().filter(|((of, _), _)| *of == network) {
            let known = jobs.iter().filter(|job_id| open.jobs.contains_key(job_id));
            open.fresh.extend(known);
        }
    }

    /// Makes room by letting older hours go; where there is none, the view of this hour stays as it is.
    fn has_room_for(&mut self, hour: Hour) -> bool {
        while self.events >= self.events_max {
            let oldest = self.hours.keys().min_by_key(|(_, hour)| *hour).copied();
            match oldest {
                Some((network, older)) if older < hour => {
                    self.forget(network, older);
                    self.partial.insert((network, older));
                }
                _ => return false,
            }
        }
        true
    }

    /// Lets an hour go that was settled.
    pub(super) fn forget(&mut self, network: Network, hour: Hour) {
        let kept_ms = hour.start().minus(sla::mapping::REACH);
        self.ties.retain(|(of, _), batch| *of != network || batch.header.sealed_ms >= kept_ms);
        self.partial.remove(&(network, hour));
        if let Some(dropped) = self.hours.remove(&(network, hour)) {
            self.events -= dropped.batches.iter().map(|batch| batch.events.len()).sum::<usize>();
        }
    }

    pub(super) fn is_time_for_publishers(&mut self, now: UnixMillis) -> bool {
        let is_time = self.publishers_ms.plus(PUBLISHERS_EVERY) <= now;
        if is_time {
            self.publishers_ms = now;
        }
        is_time
    }

    /// Writes what is new of a network's open hours.
    pub(super) fn show(
        &mut self,
        network: Network,
        board: &mut Board,
        policy: &Policy,
        registers: &Registers,
        warehouse: &dyn Warehouse,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let is_fresh = self.hours.iter().any(|((of, _), open)| *of == network && open.is_touched);
        if !is_fresh
            || self.shown_ms.get(&network).is_some_and(|shown_ms| now < shown_ms.plus(SHOW_EVERY))
        {
            return Ok(());
        }
        self.shown_ms.insert(network, now);
        let authority = board.authority();
        let hours: Vec<Hour> =
            self.hours.keys().filter(|(of, _)| *of == network).map(|(_, hour)| *hour).collect();
        for hour in hours {
            self.show_jobs(network, hour, authority, policy, warehouse, now)?;
            let register = registers.of(warehouse, network, hour)?;
            self.show_scores((network, hour), authority, policy, &register, warehouse, now)?;
        }
        Ok(())
    }

    /// The jobs heard of since the last showing, each read from all its claims in view.
    fn show_jobs(
        &mut self,
        network: Network,
        hour: Hour,
        authority: &Authority,
        policy: &Policy,
        warehouse: &dyn Warehouse,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let Some(open) = self.hours.get_mut(&(network, hour)) else { return Ok(()) };
        let fresh = std::mem::take(&mut open.fresh);
        if fresh.is_empty() {
            return Ok(());
        }
        let around =
            [hour.previous(), hour].into_iter().filter_map(|hour| self.hours.get(&(network, hour)));
        let around: Vec<&OpenHour> = around.collect();
        let told = around.iter().flat_map(|open| {
            let places: BTreeSet<usize> =
                fresh.iter().filter_map(|job| open.jobs.get(job)).flatten().copied().collect();
            places
                .into_iter()
                .filter_map(|at| open.batches.get(at))
                .map(Arc::as_ref)
                .collect::<Vec<_>>()
        });
        let is_fresh = |event: &events::event::Event| {
            event.job_id.is_some_and(|job_id| fresh.contains(&job_id))
        };
        let claims =
            admit(authority, told, |counted_ms, event| counted_ms < hour.end() && is_fresh(event))
                .admitted;
        let near = around.iter().flat_map(|open| &open.batches).map(Arc::as_ref);
        let coverage = Coverage::of(near.filter(|batch| is_near(hour, batch.header.sealed_ms)));
        let tied =
            self.ties.iter().filter(|((of, _), _)| *of == network).map(|(_, batch)| batch.as_ref());
        let mappings = Mappings::of(hour, tied, authority);
        let after = self.hours.get(&(network, hour.next()));
        let traced = around.iter().copied().chain(after).flat_map(OpenHour::traced);
        let probes = Probes::of(hour, traced, authority);
        let now_here = claims.iter().filter(|claim| hour.holds(claim.counted_ms));
        let here: BTreeSet<JobId> = now_here.filter_map(|claim| claim.event.job_id).collect();
        let of_here =
            |claim: &Admitted<'_>| claim.event.job_id.is_some_and(|job_id| here.contains(&job_id));
        let read = read_jobs(
            hour,
            now,
            claims.into_iter().filter(of_here),
            Around { coverage: &coverage, mappings: &mappings, probes: &probes },
            &policy.observe,
            Detail::Hour,
        );
        warehouse.record_provisional(network, hour, &read.jobs, None, now)?;
        Ok(())
    }

    /// The scorecard as it would be if the hour ended now.
    fn show_scores(
        &mut self,
        (network, hour): (Network, Hour),
        authority: &Authority,
        policy: &Policy,
        register: &Register,
        warehouse: &dyn Warehouse,
        now: UnixMillis,
    ) -> Result<(), Error> {
        let tied =
            self.ties.iter().filter(|((of, _), _)| *of == network).map(|(_, batch)| batch.as_ref());
        let tied: Vec<&Opened> = tied.collect();
        let Some(open) = self.hours.get_mut(&(network, hour)) else { return Ok(()) };
        if !open.is_touched || now < open.scored_ms.plus(SCORE_EVERY) {
            return Ok(());
        }
        (open.is_touched, open.scored_ms) = (false, now);
        let batches: Vec<&Opened> = open.batches.iter().map(Arc::as_ref).chain(tied).collect();
        let (open, observe) = (OpenJobs::new(), &policy.observe);
        let settled = settle(hour, &batches, &open, authority, observe, Detail::Minute);
        let is_partial = self.partial.contains(&(network, hour));
        if is_partial && counted(&settled.rollup) < recorded(warehouse, network, hour)? {
            return Ok(());
        }
        let context = Context::of(policy, open, register);
        let (trust, window) = (authority.trust(), Window::hour(hour));
        let asked = Question { context: &context, policy, register, trust, window };
        let scorecard = score_hour(&settled, asked);
        let sums = Sums {
            rollup: &settled.rollup,
            scorecard: &scorecard,
            supply: &settled.supply,
            tests: &settled.tests,
        };
        warehouse.record_provisional(network, hour, &[], Some(sums), now)?;
        Ok(())
    }
}

/// By what it is told whether one sum of an hour holds less than another.
const COUNTED: [Column; 2] = [Column::Plain(Plain::Jobs), Column::Plain(Plain::Tenures)];

/// How many jobs and tenures these sums hold.
fn counted(rollup: &Rollup) -> u64 {
    let sums = rollup.rows.values().flat_map(BTreeMap::values);
    let counts = sums.flat_map(|sums| COUNTED.map(|column| sums.columns.get(&column).copied()));
    counts.flatten().fold(0, u64::saturating_add)
}

/// How many are recorded of an hour.
fn recorded(warehouse: &dyn Warehouse, network: Network, hour: Hour) -> Result<u64, Error> {
    let minutes = hour.0 * 60..hour.0 * 60 + 60;
    let asked =
        SeriesQuestion { columns: COUNTED.into(), span: minutes, ..SeriesQuestion::default() };
    let rows = warehouse.series(network, &asked)?;
    let counts = rows.iter().flat_map(|row| row.sums.columns.values());
    Ok(counts.fold(0, |sum, count| sum.saturating_add(*count)))
}

/// Adds a batch to what is known of its publisher's epoch.
pub(super) fn remember(
    heard: &mut BTreeMap<(PublisherKey, u64), Heard>,
    row: &BatchRow,
    face: Option<&Face>,
) {
    let known = heard.entry((row.position.key, row.position.epoch)).or_insert(Heard {
        batches: 0,
        events: 0,
        face: None,
        is_fresh: true,
        last_received_ms: row.received_ms,
        network: row.network,
    });
    known.batches += 1;
    known.events += u64::from(row.count);
    known.face = known.face.take().or_else(|| face.cloned());
    known.is_fresh = true;
    known.last_received_ms = known.last_received_ms.max(row.received_ms);
}
