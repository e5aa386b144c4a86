//! Following the record: what is new is read, noted in the warehouse with how far that came, and taken into what settling
//! knows. It settles nothing.

use std::collections::HashSet;
use std::sync::Arc;

use events::batch::Position;
use events::event::Network;
use events::unit::UnixMillis;
use ledger::{Entry, Ledger};
use warehouse::record::Touch;

use super::note::{Care, Noted, join, note, spread};
use super::proof::{is_fork, standing_at, take_last_good};
use super::{CURSOR, LIVE_LAG_MAX, News, Settler, board, live};
use crate::Error;

/// How many records are noted in one step.
const STEP_RECORDS: usize = 1024;

/// How records are read.
#[derive(Debug, Clone, Copy)]
struct Reading {
    threads: usize,
    verifies: bool,
}

impl Reading {
    /// Reads the next records from `from` on; none where there are none yet.
    fn step(self, ledger: &Ledger, from: u64) -> Result<Vec<Noted>, Error> {
        let end = ledger.end().next;
        if from >= end {
            return Ok(Vec::new());
        }
        let entries = ledger.read(from).take(STEP_RECORDS);
        let entries: Vec<(u64, Entry)> = entries.collect::<Result<_, _>>()?;
        let care = Care { opens: end - from <= LIVE_LAG_MAX, verifies: self.verifies };
        let threads = if entries.len() < 8 { 1 } else { self.threads };
        spread(&entries, threads, |(ordinal, entry)| note(*ordinal, entry, care))
    }
}

impl Settler {
    fn reading(&self) -> Reading {
        Reading { threads: self.options.threads, verifies: self.options.verifies }
    }

    /// Notes the next records; tells how many.
    pub(super) fn follow(&mut self, now: UnixMillis, at_once: bool) -> Result<u64, Error> {
        let noted = self.reading().step(&self.ledger, self.next)?;
        if !noted.is_empty() {
            self.record_noted(&noted, now, at_once)?;
        }
        Ok(u64::try_from(noted.len()).unwrap_or(u64::MAX))
    }

    /// Notes all records there are, to be settled at once. While some are recorded, those after them are read.
    pub(super) fn follow_all(
        &mut self,
        now: UnixMillis,
        progress: &mut dyn FnMut(u64, usize),
    ) -> Result<(), Error> {
        let (ledger, reading) = (Arc::clone(&self.ledger), self.reading());
        let mut noted = reading.step(&ledger, self.next)?;
        while let Some(last) = noted.last() {
            let next = last.row.ordinal + 1;
            noted = std::thread::scope(|scope| {
                let ahead = scope.spawn(|| reading.step(&ledger, next));
                self.record_noted(&noted, now, true)?;
                progress(self.next, 0);
                join(ahead)
            })?;
        }
        Ok(())
    }

    /// Records what was noted, and takes it.
    fn record_noted(
        &mut self,
        noted: &[Noted],
        now: UnixMillis,
        at_once: bool,
    ) -> Result<(), Error> {
        let next = self.next + u64::try_from(noted.len()).unwrap_or(u64::MAX);
        let known: Vec<_> =
            noted.iter().filter(|noted| self.boards.contains_key(&noted.row.network)).collect();
        let rows: Vec<_> = known.iter().map(|noted| noted.row.clone()).collect();
        let touch = |noted: &&Noted| {
            let is_imported = self.options.importers.contains(&noted.row.position.key);
            board::touches(noted, self.is_proof(noted), at_once || is_imported)
        };
        let touches: HashSet<Touch> = known.iter().flat_map(touch).collect();
        let touches: Vec<Touch> = touches.into_iter().collect();
        // What is touched lasts with the cursor: a stop between noting and settling forgets no hour.
        self.warehouse.record_noted(&rows, &touches, (CURSOR, next))?;
        for noted in known {
            self.take(noted, now)?;
        }
        self.next = next;
        Ok(())
    }

    fn is_proof(&self, noted: &Noted) -> bool {
        let board = self.boards.get(&noted.row.network);
        is_fork(&self.ledger, &noted.row)
            || board.is_some_and(|board| board.is_last_good(&noted.row.position))
    }

    fn take(&mut self, noted: &Noted, now: UnixMillis) -> Result<(), Error> {
        let row = &noted.row;
        live::remember(&mut self.heard, row, noted.face.as_ref());
        if is_fork(&self.ledger, row) {
            self.take_fork(row.position)?;
        }
        let Some(board) = self.boards.get_mut(&row.network) else { return Ok(()) };
        board.take(noted);
        if noted.records.is_some() || board.is_last_good(&row.position) {
            take_last_good(board, &self.ledger, row)?;
        }
        if noted.records.is_some() {
            self.known.extend(board.known_keys());
        }
        match &noted.opened {
            Some(opened) => {
                (self.listener)(&News::Heard(opened));
                self.live.take(row.network, opened, now);
            }
            None => self.live.miss(row.network, row.sealed_ms, now),
        }
        Ok(())
    }

    /// Takes a position that was sealed twice into the board of its network.
    pub(super) fn take_fork(&mut self, position: Position) -> Result<(), Error> {
        let batches = standing_at(&self.ledger, &position, u64::MAX)?;
        let networks: Vec<Network> =
            batches.iter().map(|(_, batch)| batch.header.network).collect();
        for network in networks {
            if let Some(board) = self.boards.get_mut(&network) {
                board.take_fork(position, batches.clone());
            }
        }
        Ok(())
    }
}
