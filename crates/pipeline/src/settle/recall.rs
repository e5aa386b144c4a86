//! What a settler knows again when it starts: who may speak, what was sealed twice, whom it heard, what is in view.
//!
//! All of it is found in the ledger and the warehouse, so that no start shows less than the stop before it did. Nothing
//! is decided here.

use std::collections::BTreeSet;

use events::batch::Position;
use events::event::Network;
use events::unit::UnixMillis;
use sla::mapping::REACH;
use sla::policy::observe::IDLE_MAX;
use sla::window::Hour;
use warehouse::page::{Page, ROWS_MAX};
use warehouse::record::{EpochRow, PublisherRow};

use super::board::open_one;
use super::note::{Care, Face, note, spread};
use super::proof::standing_at;
use super::schedule::POINTS;
use super::{Heard, LIVE_LAG_MAX, Settler};
use crate::Error;

impl Settler {
    /// Brings back all but the view.
    pub(super) fn recall(&mut self) -> Result<(), Error> {
        let networks: Vec<Network> = self.boards.keys().copied().collect();
        for network in networks {
            self.recall_records(network)?;
            self.recall_publishers(network)?;
        }
        let heads = self.ledger.heads().into_iter();
        let forked = heads.filter_map(|head| {
            head.forked_at.map(|seq| Position { key: head.key, epoch: head.epoch, seq })
        });
        forked.collect::<Vec<_>>().into_iter().try_for_each(|position| self.take_fork(position))
    }

    /// Who may speak.
    fn recall_records(&mut self, network: Network) -> Result<(), Error> {
        let Some(board) = self.boards.get_mut(&network) else { return Ok(()) };
        for row in self.warehouse.record_batch_rows(network)? {
            if let Some(entry) = self.ledger.get(row.ordinal)? {
                let care = Care { opens: false, verifies: false };
                if let Some(records) = note(row.ordinal, &entry, care)?.records {
                    board.take_records(row.ordinal, records);
                }
            }
        }
        for position in board.last_good_unknown() {
            let noted = standing_at(&self.ledger, &position, self.next)?;
            noted.into_iter().for_each(|(ordinal, batch)| board.take_last_good(ordinal, batch));
        }
        self.known.extend(board.known_keys());
        Ok(())
    }

    /// Whom it heard, and how much: counted from the batches, since a crash may have left the publishers' rows behind.
    fn recall_publishers(&mut self, network: Network) -> Result<(), Error> {
        let mut page = Page::first(ROWS_MAX);
        loop {
            let rows = self.warehouse.publishers(network, &page)?;
            for row in rows.rows {
                let heard = heard_of(&row);
                self.heard.insert((row.key, row.epoch), heard);
            }
            page.after = rows.next;
            if page.after.is_none() {
                break;
            }
        }
        for epoch in self.warehouse.epochs(network)? {
            let EpochRow { batches, events, key, last_received_ms, .. } = epoch;
            let place = (key, epoch.epoch);
            let known = self.heard.get(&place);
            let face = known.and_then(|heard| heard.face.clone());
            let is_same = |heard: &Heard| {
                (heard.batches, heard.events, heard.last_received_ms)
                    == (batches, events, last_received_ms)
            };
            let is_fresh = face.is_none() || !known.is_some_and(is_same);
            let face = face.map_or_else(|| self.face(place), |face| Ok(Some(face)))?;
            let heard = Heard { batches, events, face, is_fresh, last_received_ms, network };
            self.heard.insert(place, heard);
        }
        Ok(())
    }

    /// Who the last batch of an epoch says it is.
    fn face(
        &self,
        (key, epoch): (events::identity::PublisherKey, u64),
    ) -> Result<Option<Face>, Error> {
        let Some(head) = self.ledger.head(key, epoch) else { return Ok(None) };
        let position = Position { key, epoch, seq: head.highest.seq };
        let Some(sighting) = self.ledger.find(&position).into_iter().next() else {
            return Ok(None);
        };
        let Some(entry) = self.ledger.get(sighting.ordinal)? else { return Ok(None) };
        Ok(note(sighting.ordinal, &entry, Care { opens: false, verifies: false })?.face)
    }

    /// Brings back the view of the open hours, once: whoever never shows them, as an import, does not wait for it.
    pub(super) fn recall_views(&mut self, now: UnixMillis) -> Result<(), Error> {
        if std::mem::replace(&mut self.has_view, true) {
            return Ok(());
        }
        let networks: Vec<Network> = self.boards.keys().copied().collect();
        networks.into_iter().try_for_each(|network| self.recall_view(network, now))
    }

    /// What the view held: the batches of the open hours, the newest of them where there is no room for all, and the names
    /// that were tied together.
    fn recall_view(&mut self, network: Network, now: UnixMillis) -> Result<(), Error> {
        let [first, ..] = POINTS;
        let oldest = Hour::of(now.minus(first)).start();
        let open = oldest.minus(IDLE_MAX)..=UnixMillis::LATEST;
        let open = self.warehouse.batches_sealed(network, open)?;
        let tied = self.warehouse.mapping_batch_rows(network, oldest.minus(REACH)..=oldest)?;
        let mut room = self.live.room();
        let mut ordinals = BTreeSet::new();
        for row in open.iter().rev().filter(|row| row.ordinal < self.next) {
            match room.checked_sub(usize::from(row.count)) {
                Some(left) => {
                    room = left;
                    ordinals.insert(row.ordinal);
                }
                None => {
                    room = 0;
                    self.live.miss(network, row.sealed_ms, now);
                }
            }
        }
        let most = usize::try_from(LIVE_LAG_MAX).unwrap_or(usize::MAX);
        let tied = tied.iter().rev().filter(|row| row.ordinal < self.next);
        ordinals.extend(tied.map(|row| row.ordinal).take(most));
        let ordinals: Vec<u64> = ordinals.into_iter().collect();
        let threads = if ordinals.len() < 8 { 1 } else { self.options.threads };
        for (_, opened) in spread(&ordinals, threads, |ordinal| open_one(&self.ledger, *ordinal))? {
            self.live.take(network, &opened, now);
        }
        Ok(())
    }
}

/// What a publisher's row says was heard.
fn heard_of(row: &PublisherRow) -> Heard {
    let face = match (row.address, row.node.clone(), row.role) {
        (Some(address), Some(node), Some(role)) => Some(Face { address, node, role }),
        _ => None,
    };
    Heard {
        batches: row.batches,
        events: row.events,
        face,
        is_fresh: false,
        last_received_ms: row.last_received_ms,
        network: row.network,
    }
}
