//! The shelf: what the writer, the readers and the consumer's cursor know together: which segments there are, how far they are synced, how far consumed.
//! It never deletes a segment that holds an unconsumed record, nor the one being written.

use std::collections::VecDeque;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::segment::Segment;
use super::{Config, Error, Position, cursor};
use crate::folder;

/// The common knowledge about one open spool.
#[derive(Debug)]
pub struct Shelf {
    directory: PathBuf,
    quota_bytes: u64,
    retention_ms: u64,
    state: Mutex<State>,
    durable: watch::Sender<Position>,
    refused_records: AtomicU64,
}

#[derive(Debug)]
struct State {
    segments: VecDeque<Segment>,
    committed: Position,
}

impl Shelf {
    pub fn open(config: &Config, segments: Vec<Segment>, end: Position) -> Result<Self, Error> {
        let oldest = segments.first().map_or(end, |segment| segment.header.first);
        let stored = cursor::load(&config.directory)?.unwrap_or(oldest);
        if stored > end {
            // Records the consumer saw are gone: somebody took files away. Going on would give their indexes to others.
            return Err(Error::Settings(format!(
                "the cursor is at {stored} but the spool ends at {end}"
            )));
        }
        Ok(Self {
            directory: config.directory.clone(),
            quota_bytes: config.quota_bytes,
            retention_ms: config.retention_ms,
            state: Mutex::new(State { segments: segments.into(), committed: stored.max(oldest) }),
            durable: watch::Sender::new(end),
            refused_records: AtomicU64::new(0),
        })
    }

    /// Adds the segment that is written from now on.
    pub fn push(&self, segment: Segment) {
        self.state().segments.push_back(segment);
    }

    /// Says that the newest segment has this size now and that every record before `end` is synced.
    pub fn advance(&self, bytes: u64, end: Position) {
        if let Some(segment) = self.state().segments.back_mut() {
            segment.bytes = bytes;
        }
        self.durable.send_replace(end);
    }

    /// Whether the quota has room for `bytes` more; consumed segments make room before their retention is over.
    pub fn make_room(&self, bytes: u64) -> Result<(), Error> {
        let mut state = self.state();
        while state.used_bytes().saturating_add(bytes) > self.quota_bytes {
            if !self.delete_oldest(&mut state, |_| true)? {
                let (used_bytes, quota_bytes) = (state.used_bytes(), self.quota_bytes);
                return Err(Error::Full { used_bytes, quota_bytes, asked_bytes: bytes });
            }
        }
        Ok(())
    }

    pub fn refuse(&self, records: u32) {
        self.refused_records.fetch_add(u64::from(records), Ordering::Relaxed);
    }

    pub fn commit(&self, position: Position, now_ms: u64) -> Result<(), Error> {
        let end = self.end();
        if position > end {
            return Err(Error::Settings(format!(
                "commit of {position}, but the spool ends at {end}"
            )));
        }
        let mut state = self.state();
        let mut stored = Ok(());
        if position > state.committed {
            stored = cursor::store(&self.directory, position);
            if stored.is_ok() {
                state.committed = position;
            }
        }
        // Also where the cursor found no room: what was consumed before it may make some.
        let is_old = |opened_ms: u64| now_ms.saturating_sub(opened_ms) >= self.retention_ms;
        while self.delete_oldest(&mut state, is_old)? {}
        stored
    }

    /// Deletes the oldest segment if all of it is consumed, it is not the last, and `is_due` holds for when its successor was opened.
    fn delete_oldest(
        &self,
        state: &mut State,
        is_due: impl Fn(u64) -> bool,
    ) -> Result<bool, Error> {
        let (Some(oldest), Some(next)) = (state.segments.front(), state.segments.get(1)) else {
            return Ok(false);
        };
        if next.header.first > state.committed || !is_due(next.header.opened_ms) {
            return Ok(false);
        }
        fs::remove_file(&oldest.path).map_err(Error::io("delete", &oldest.path))?;
        state.segments.pop_front();
        folder::sync(&self.directory)?;
        Ok(true)
    }

    /// The segment that holds `position`, with the first record of the one after it.
    pub fn find(&self, position: Position) -> Result<(Segment, Option<Position>), Error> {
        let state = self.state();
        let after = state.segments.partition_point(|segment| segment.header.first <= position);
        let found = after.checked_sub(1).and_then(|at| state.segments.get(at));
        let next = state.segments.get(after).map(|segment| segment.header.first);
        match found {
            Some(segment) => Ok((segment.clone(), next)),
            None => Err(Error::Deleted { asked: position, oldest: next.unwrap_or_default() }),
        }
    }

    pub fn watch(&self) -> watch::Receiver<Position> {
        self.durable.subscribe()
    }

    pub fn end(&self) -> Position {
        *self.durable.borrow()
    }

    pub fn committed(&self) -> Position {
        self.state().committed
    }

    pub fn oldest(&self) -> Position {
        self.state().segments.front().map_or_else(|| self.end(), |segment| segment.header.first)
    }

    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    pub fn refused_records(&self) -> u64 {
        self.refused_records.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Every change to the state is complete before anything can panic, so a poisoned lock still guards good state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn used_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| segment.bytes).sum()
    }
}
