//! What proves that a chain went two ways: the batches at one place, looked up in the record.
//!
//! It judges nothing; what two batches at a place mean is said by `sla`.

use std::sync::Arc;

use events::batch::Position;
use ledger::Ledger;
use sla::opened::Opened;
use warehouse::record::BatchRow;

use super::board::Board;
use super::note::records;
use crate::Error;

/// Whether another batch stands in the place of this one.
pub fn is_fork(ledger: &Ledger, noted: &BatchRow) -> bool {
    ledger.find(&noted.position).iter().any(|sighting| sighting.hash != noted.hash)
}

/// Takes what stands where revocations name the last good batch: of those just heard of, and what was just noted.
///
/// Only of what is noted: an hour must not rest on a batch that it does not yet see.
pub fn take_last_good(board: &mut Board, ledger: &Ledger, noted: &BatchRow) -> Result<(), Error> {
    let own = Some(noted.position).filter(|position| board.is_last_good(position));
    for position in board.last_good_unknown().into_iter().chain(own) {
        for (ordinal, batch) in standing_at(ledger, &position, noted.ordinal + 1)? {
            board.take_last_good(ordinal, batch);
        }
    }
    Ok(())
}

/// The records of every batch at one place, of those before `end`.
pub fn standing_at(
    ledger: &Ledger,
    position: &Position,
    end: u64,
) -> Result<Vec<(u64, Arc<Opened>)>, Error> {
    let mut batches = Vec::new();
    for sighting in ledger.find(position).into_iter().filter(|sighting| sighting.ordinal < end) {
        if let Some(entry) = ledger.get(sighting.ordinal)? {
            batches.push((sighting.ordinal, Arc::new(records(sighting.ordinal, &entry)?)));
        }
    }
    Ok(batches)
}
