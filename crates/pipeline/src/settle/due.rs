//! Settling one hour: what it rests on is read from the record, and what it came to is handed on to be written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::batch::Position;
use events::event::Network;
use events::unit::UnixMillis;
use sla::hour::{Settled, records_for, settle};
use sla::opened::Opened;
use sla::policy::observe::IDLE_MAX;
use sla::rollup::Detail;
use sla::window::Hour;
use warehouse::MINUTES_KEPT;

use super::board::{Board, HourEnd, open_one, tie_days};
use super::note::{Care, join, note, spread};
use super::schedule::is_due;
use super::scribe::{Finished, Scribe, write};
use super::{Settler, Waiting};
use crate::Error;

/// How long a day is.
const DAY_MS: u64 = 24 * 3_600_000;

impl Settler {
    /// Settles at most `most` of the hours that are due, oldest first.
    pub(super) fn settle_due(&mut self, now: UnixMillis, most: usize) -> Result<u64, Error> {
        let due = self.waiting(now, |touched| {
            touched.at_once || is_due(touched.hour, touched.looked_ms, now)
        })?;
        let due: Vec<Waiting> = due.into_iter().take(most).collect();
        if !due.is_empty() {
            self.forget_reaching(now);
        }
        for waiting in &due {
            if let Some(finished) = self.settle(*waiting, None, now)?
                && let Some(news) =
                    write(self.warehouse.as_ref(), &self.options, &self.registers, finished)?
            {
                (self.listener)(&news);
            }
            self.live.forget(waiting.network, waiting.hour);
        }
        Ok(u64::try_from(due.len()).unwrap_or(u64::MAX))
    }

    /// Settles every hour that is over and was touched, if it was never settled or is not to wait.
    pub(super) fn settle_at_once(
        &mut self,
        now: UnixMillis,
        progress: &mut dyn FnMut(u64, usize),
    ) -> Result<u64, Error> {
        let waiting = |settler: &Self| {
            settler.waiting(now, |touched| touched.at_once || touched.looked_ms.is_none())
        };
        let mut all = 0;
        let mut some = waiting(self)?;
        if !some.is_empty() {
            // Only while hours that nobody knows follow each other no job is looked for by its id.
            self.warehouse.begin_fill()?;
            let settled = self.settle_in_turn(&some, now, progress);
            let ended = self.warehouse.end_fill();
            // Why settling stopped says more than why the index that it left waiting could not be made.
            all = settled?;
            ended?;
            some = waiting(self)?;
        }
        while !some.is_empty() {
            all += self.settle_in_turn(&some, now, progress)?;
            some = waiting(self)?;
        }
        Ok(all)
    }

    /// Settles hours one after the other, up to one that changes what comes after it and is not waiting. While one is
    /// settled, the one before it is written and the batches of the one after it are opened.
    fn settle_in_turn(
        &mut self,
        waiting: &[Waiting],
        now: UnixMillis,
        progress: &mut dyn FnMut(u64, usize),
    ) -> Result<u64, Error> {
        let (warehouse, options) = (Arc::clone(&self.warehouse), self.options.clone());
        let registers = self.registers.clone();
        std::thread::scope(|scope| {
            let scribe = Scribe::start(scope, warehouse.as_ref(), &options, &registers);
            let mut settled = 0;
            let mut rest = waiting;
            while let [first, after @ ..] = rest {
                progress(self.next, rest.len());
                let finished = self.settle(*first, after.first().copied(), now)?;
                self.live.forget(first.network, first.hour);
                settled += 1;
                rest = after;
                let Some(finished) = finished else { continue };
                let is_next =
                    |it: &Waiting| it.network == first.network && it.hour == first.hour.next();
                if finished.is_changed && !after.iter().any(is_next) {
                    rest = &[];
                }
                if !scribe.write(finished) {
                    break;
                }
                scribe.news().for_each(|news| (self.listener)(&news));
            }
            let last = scribe.finish()?;
            last.iter().for_each(|news| (self.listener)(news));
            Ok(settled)
        })
    }

    /// Settles an hour from all that is on hand, and opens meanwhile what `next` will ask for. It writes nothing.
    fn settle(
        &mut self,
        Waiting { at_once, hour, network }: Waiting,
        next: Option<Waiting>,
        now: UnixMillis,
    ) -> Result<Option<Finished>, Error> {
        let before = self.end_of(network, hour.previous())?;
        let mut ordinals = self.ordinals_near(network, hour)?;
        let carried: Vec<Position> = before.positions.iter().copied().collect();
        let carried = self.warehouse.batch_rows_at(network, &carried)?;
        ordinals.extend(carried.iter().map(|row| row.ordinal));
        let Some(board) = self.boards.get(&network) else { return Ok(None) };
        let mut batches = board.open_all(&self.ledger, &ordinals, self.options.threads)?;
        let traces = board.traces_for(hour, batches.values().map(Arc::as_ref));
        batches.extend(board.open_all(&self.ledger, &traces, self.options.threads)?);
        let ahead = next.map(|next| self.lacking_ahead(next, &batches)).transpose()?;

        let Some(board) = self.boards.get_mut(&network) else { return Ok(None) };
        let all: Vec<&Opened> = batches.values().map(Arc::as_ref).collect();
        let observe = &self.options.policy.observe;
        let (settled, opened) = std::thread::scope(|scope| {
            // Opening takes longer than settling, so whichever core is free first must find some of it left to do.
            let (ledger, threads) = (self.ledger.as_ref(), self.options.threads);
            let open = move |ahead: Vec<u64>| spread(&ahead, threads, |at| open_one(ledger, *at));
            let opening = ahead.map(|ahead| scope.spawn(move || open(ahead)));
            let detail = detail_of(hour, now);
            let settled = settle(hour, &all, &before.open, board.authority(), observe, detail);
            (settled, opening.map(join))
        });
        let used = ordinals_used(&settled, &batches, board.records());
        let end = end_of_hour(&settled);
        board.keep(batches, hour.end().minus(IDLE_MAX));
        let is_changed = self.end_of(network, hour)? != end;
        if let Some(board) = self.boards.get_mut(&network) {
            board.take_end(hour, end);
        }
        // What could not be opened ahead is opened again when its hour comes, and says then why it cannot be.
        if let (Some(next), Some(Ok(opened))) = (next, opened)
            && let Some(board) = self.boards.get_mut(&next.network)
        {
            board.keep_ahead(opened);
        }
        let before = before.open;
        let settled_ms = now;
        Ok(Some(Finished { at_once, before, hour, is_changed, network, settled, settled_ms, used }))
    }

    /// The records an hour rests on as far as they do not depend on the hour before it.
    fn ordinals_near(&mut self, network: Network, hour: Hour) -> Result<BTreeSet<u64>, Error> {
        self.learn_around(network, hour)?;
        let span = hour.start().minus(IDLE_MAX)..=hour.end().plus(IDLE_MAX);
        let near = self.warehouse.batches_sealed(network, span)?;
        let mut ordinals: BTreeSet<u64> = near.iter().map(|row| row.ordinal).collect();
        if let Some(board) = self.boards.get(&network) {
            ordinals.extend(board.ties_for(hour));
            // An export of the hour may hold them whole, so the hour is settled with them whole.
            ordinals.extend(board.last_good());
        }
        Ok(ordinals)
    }

    /// The records that an hour will ask for and that nobody opened yet, `open` aside.
    fn lacking_ahead(
        &mut self,
        Waiting { hour, network, .. }: Waiting,
        open: &BTreeMap<u64, Arc<Opened>>,
    ) -> Result<Vec<u64>, Error> {
        let ordinals = self.ordinals_near(network, hour)?;
        let Some(board) = self.boards.get(&network) else { return Ok(Vec::new()) };
        Ok(board.lacks(&ordinals).into_iter().filter(|at| !open.contains_key(at)).collect())
    }

    /// The end of an hour as it was last settled; nothing is open after an hour that never was.
    fn end_of(&self, network: Network, hour: Hour) -> Result<HourEnd, Error> {
        if let Some(end) = self.boards.get(&network).and_then(|board| board.end(hour)) {
            return Ok(end.clone());
        }
        let Some(view) = self.warehouse.hour_record(network, hour, None)? else {
            return Ok(HourEnd::default());
        };
        let mut positions = BTreeSet::new();
        for job_id in view.open.keys() {
            let rows =
                self.warehouse.job(network, *job_id)?.into_iter().filter(|row| row.hour == hour);
            positions.extend(rows.flat_map(|row| row.fact.batches));
        }
        Ok(HourEnd { open: view.open, positions })
    }

    /// Once a day lets go of all ties and traces, as a stop and a start would: what an hour needs is learned again, and
    /// what nobody asks for any more does not pile up.
    fn forget_reaching(&mut self, now: UnixMillis) {
        let day = now.0 / DAY_MS;
        if std::mem::replace(&mut self.learned_day, day) != day {
            self.began = self.next;
            self.boards.values_mut().for_each(Board::forget_reaching);
        }
    }

    /// Learns the ties and traces around an hour that were noted before this settler began to keep them.
    fn learn_around(&mut self, network: Network, hour: Hour) -> Result<(), Error> {
        for day in tie_days(hour) {
            let Some(board) = self.boards.get_mut(&network) else { return Ok(()) };
            if !board.tie_days.insert(day) {
                continue;
            }
            let span = UnixMillis(day * DAY_MS)..=UnixMillis((day + 1) * DAY_MS - 1);
            let rows = self.warehouse.mapping_batch_rows(network, span)?;
            for row in rows.iter().filter(|row| row.ordinal < self.began) {
                let Some(entry) = self.ledger.get(row.ordinal)? else { continue };
                let noted = note(row.ordinal, &entry, Care { opens: false, verifies: false })?;
                board.take_reaching(&noted);
            }
        }
        Ok(())
    }
}

/// How finely an hour is kept for people: what is long over is not looked at by the minute.
pub(super) fn detail_of(hour: Hour, now: UnixMillis) -> Detail {
    if hour.end().plus(MINUTES_KEPT) < now { Detail::Hour } else { Detail::Minute }
}

/// The jobs open at an hour's end, and where their claims stand.
fn end_of_hour(settled: &Settled) -> HourEnd {
    let open_facts = settled.jobs.iter().filter(|fact| settled.open.contains_key(&fact.job_id));
    HourEnd {
        open: settled.open.clone(),
        positions: open_facts.flat_map(|fact| fact.batches.clone()).collect(),
    }
}

/// The records that an hour rests on and that its admission leans on, ascending.
fn ordinals_used(
    settled: &Settled,
    batches: &BTreeMap<u64, Arc<Opened>>,
    records: &BTreeMap<u64, Arc<Opened>>,
) -> Vec<u64> {
    let leaned_on =
        records_for(records.values().map(Arc::as_ref), &settled.used, &settled.standing);
    let of = |all: &BTreeMap<u64, Arc<Opened>>, wanted: &BTreeSet<Position>| -> BTreeSet<u64> {
        all.iter()
            .filter(|(_, batch)| wanted.contains(&batch.position()))
            .map(|(ordinal, _)| *ordinal)
            .collect()
    };
    of(batches, &settled.used).union(&of(records, &leaned_on)).copied().collect()
}
