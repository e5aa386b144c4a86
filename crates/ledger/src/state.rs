//! What readers see: the synced records of every segment and the index over them. Only the writer's thread adds to it.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use events::identity::Digest;

use crate::error::Error;
use crate::index::{Index, Stamp};

/// The synced part of one segment file.
#[derive(Debug)]
pub(crate) struct Segment {
    pub path: Arc<Path>,
    /// The ordinal of its first record.
    pub first: u64,
    /// Where each record begins.
    pub offsets: Vec<u32>,
    /// Where the last record ends.
    pub length: u64,
}

impl Segment {
    /// The ordinal after its last record.
    pub(crate) fn next(&self) -> u64 {
        let count =
            u64::try_from(self.offsets.len()).expect("a segment holds fewer records than bytes");
        self.first.saturating_add(count)
    }

    /// Where a record begins, or where the records end when it is the next one; nothing when it is elsewhere.
    pub(crate) fn offset(&self, ordinal: u64) -> Option<u64> {
        let place = usize::try_from(ordinal.checked_sub(self.first)?).ok()?;
        match self.offsets.get(place) {
            Some(offset) => Some(u64::from(*offset)),
            None => (place == self.offsets.len()).then_some(self.length),
        }
    }
}

/// Everything that is synced.
#[derive(Debug)]
pub(crate) struct State {
    pub segments: Vec<Segment>,
    pub index: Index,
    /// The chain after the last record.
    pub chain: Digest,
    /// Why nothing more is accepted, once that is so.
    pub poison: Option<Error>,
}

impl State {
    /// Nothing yet.
    pub(crate) fn empty() -> Self {
        Self { segments: Vec::new(), index: Index::default(), chain: Digest::ZERO, poison: None }
    }

    /// The ordinal that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.segments.last().map_or(0, Segment::next)
    }

    /// The segment that holds a record.
    pub(crate) fn segment_of(&self, ordinal: u64) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.first <= ordinal);
        let segment = self.segments.get(after.checked_sub(1)?)?;
        (ordinal < segment.next()).then_some(segment)
    }

    /// Adds a segment and all its records.
    pub(crate) fn push_segment(&mut self, segment: Segment, stamps: &[Stamp], chain: Digest) {
        for (ordinal, stamp) in (segment.first..).zip(stamps) {
            self.index.insert(ordinal, stamp);
        }
        self.segments.push(segment);
        self.chain = chain;
    }

    /// Adds records to the last segment, which now ends at `length`.
    pub(crate) fn extend(&mut self, offsets: &[u32], stamps: &[Stamp], length: u64, chain: Digest) {
        let Some(last) = self.segments.last_mut() else { return };
        for (ordinal, stamp) in (last.next()..).zip(stamps) {
            self.index.insert(ordinal, stamp);
        }
        last.offsets.extend_from_slice(offsets);
        last.length = length;
        self.chain = chain;
    }
}

/// The state as the writer and its readers hold it.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<RwLock<State>>);

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self(Arc::new(RwLock::new(state)))
    }

    /// To look; never held over input or output.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// To add what has been synced.
    pub(crate) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
