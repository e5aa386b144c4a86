//! Settling one hour: what it rests on is read from the record, and its revision is written in one transaction.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::batch::Position;
use events::event::Network;
use events::unit::UnixMillis;
use sla::hour::{OpenJobs, Settled, records_for, settle};
use sla::opened::Opened;
use sla::policy::IDLE_MAX;
use sla::score::score_hour;
use sla::window::Hour;
use warehouse::record::{HourRecord, Touch};

use super::board::{HourEnd, tie_days};
use super::note::{Care, note};
use super::schedule::is_due;
use super::{News, Settler};
use crate::Error;

/// How many ends of hours are kept at hand.
const ENDS_KEPT: usize = 4;

impl Settler {
    /// Settles at most `most` of the hours that are due, oldest first.
    pub(super) fn settle_due(&mut self, now: UnixMillis, most: usize) -> Result<u64, Error> {
        let due = self.touched(now, |_, touched| is_due(touched.hour, touched.looked_ms, now))?;
        let due: Vec<(Network, Hour)> = due.into_iter().take(most).collect();
        for (network, hour) in &due {
            self.settle(*network, *hour, now)?;
        }
        Ok(u64::try_from(due.len()).unwrap_or(u64::MAX))
    }

    /// Settles an hour from all that is on hand; writes a revision if its scorecard is not the one it had. Tells whether
    /// the next hour must be looked at again, because other jobs are open at the end of this one.
    pub(super) fn settle(
        &mut self,
        network: Network,
        hour: Hour,
        now: UnixMillis,
    ) -> Result<bool, Error> {
        self.learn_ties(network, hour)?;
        let before = self.end_of(network, hour.previous())?;
        let Some(board) = self.boards.get_mut(&network) else { return Ok(false) };
        let span = hour.start().minus(IDLE_MAX)..=hour.end().plus(IDLE_MAX);
        let near = self.warehouse.batches_sealed(network, span)?;
        let carried: Vec<Position> = before.positions.iter().copied().collect();
        let carried = self.warehouse.batch_rows_at(network, &carried)?;
        let mut ordinals = board.ties_for(hour);
        ordinals.extend(near.iter().chain(&carried).map(|row| row.ordinal));
        let batches = board.open_all(&self.ledger, &ordinals, self.options.threads)?;

        let all: Vec<&Opened> = batches.values().map(Arc::as_ref).collect();
        let observe = &self.options.policy.observe;
        let settled = settle(hour, &all, &before.open, board.authority(), observe);
        let used = ordinals_used(&settled, &batches, board.records());
        let end = end_of_hour(&settled);
        board.keep(batches, hour.end().minus(IDLE_MAX));
        let is_changed = self.end_of(network, hour)? != end;
        if is_changed {
            // Before this hour is written: a stop in between looks at the next one once too often, never too seldom.
            self.warehouse.touch(&[Touch::Known(network, hour.next()..=hour.next())])?;
        }
        self.record(network, hour, now, settled, before.open, used)?;
        if let Some(board) = self.boards.get_mut(&network) {
            board.ends.insert(hour, end);
            while board.ends.len() > ENDS_KEPT {
                board.ends.pop_first();
            }
        }
        self.live.forget(network, hour);
        Ok(is_changed)
    }

    fn record(
        &mut self,
        network: Network,
        hour: Hour,
        now: UnixMillis,
        settled: Settled,
        open_before: OpenJobs,
        used: Vec<u64>,
    ) -> Result<(), Error> {
        let Some(trust) = self.options.trust.iter().find(|trust| trust.network == network) else {
            return Ok(());
        };
        let scorecard = score_hour(hour, &settled, &open_before, trust, &self.options.policy);
        let digest = scorecard.digest();
        let latest = self.warehouse.revisions(network, hour)?.pop();
        let is_empty = settled.event_set.count == 0 && latest.is_none();
        if is_empty || latest.as_ref().is_some_and(|latest| latest.digest == digest) {
            self.warehouse.record_looked(network, hour, now)?;
            return Ok(());
        }
        let revision = latest.map_or(0, |latest| latest.revision + 1);
        self.warehouse.record_hour(&HourRecord {
            event_set: settled.event_set,
            hour,
            jobs: settled.jobs,
            network,
            open: settled.open,
            open_before,
            refused: settled.refused,
            revision,
            scorecard,
            settled_ms: now,
            tally: settled.tally,
            used,
        })?;
        (self.listener)(&News::Settled { digest, hour, network, revision });
        Ok(())
    }

    /// The end of an hour as it was last settled; nothing is open after an hour that never was.
    fn end_of(&self, network: Network, hour: Hour) -> Result<HourEnd, Error> {
        if let Some(end) = self.boards.get(&network).and_then(|board| board.ends.get(&hour)) {
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

    /// Learns the ties around an hour that were noted before this settler began.
    fn learn_ties(&mut self, network: Network, hour: Hour) -> Result<(), Error> {
        const DAY_MS: u64 = 24 * 3_600_000;
        for day in tie_days(hour) {
            let Some(board) = self.boards.get_mut(&network) else { return Ok(()) };
            if !board.tie_days.insert(day) {
                continue;
            }
            let span = UnixMillis(day * DAY_MS)..=UnixMillis((day + 1) * DAY_MS - 1);
            for row in self.warehouse.mapping_batch_rows(network, span)? {
                let Some(entry) = self.ledger.get(row.ordinal)? else { continue };
                let noted = note(row.ordinal, &entry, Care { opens: false, verifies: false })?;
                board.take_ties(row.ordinal, &noted.ties);
            }
        }
        Ok(())
    }
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
