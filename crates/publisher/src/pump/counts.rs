//! What the loop did and refused, as plain numbers that a metrics page can show.
//! It never holds a name that came from outside, except the names of unknown families, which are few and short, and what
//! receivers answered last.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use events::refusal::{Defect, Refusal};
use events::unit::UnixMillis;

use crate::outbox::Shelf;

/// The most unknown families that are told apart; the others are `other`.
const FAMILIES_MAX: usize = 32;

/// What was done since the start. Clones share the numbers.
#[derive(Debug, Clone)]
pub struct Counts {
    shelf: Shelf,
    shared: Arc<Mutex<Snapshot>>,
}

/// The numbers at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Records translated.
    pub records: u64,
    /// Events taken by the outbox.
    pub events: u64,
    /// Events it knew already.
    pub known: u64,
    /// What was refused, by code.
    pub refusals: BTreeMap<Defect, u64>,
    /// Envelopes of families nobody translates, by family.
    pub families: BTreeMap<String, u64>,
    /// Events lost before they could be signed, as far as we know.
    pub dropped: u64,
    /// Batches that left, on any channel.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Sends that failed and were tried again.
    pub retries: u64,
    /// Batches that a receiver will never take, or that cannot be read.
    pub set_aside: u64,
    /// The last refusal for good, with who refused.
    pub refusal: Option<String>,
    /// Receivers that cannot be sent to now, by name.
    pub failing: BTreeMap<String, Failing>,
    /// Whether nothing more is sealed because the outbox has no room, for now.
    pub is_full: bool,
    /// What the outbox could not write because the disk is full, until it can.
    pub outbox_short: Option<String>,
    /// Why the spool's cursor cannot be stored because the disk is full, until it can.
    pub cursor_short: Option<String>,
    /// Batches on the shelf that nobody else is known to hold, with those set aside.
    pub unheld: u64,
    /// Batches on the shelf that were refused for good and that nobody else is known to hold.
    pub aside: u64,
    /// When the oldest batch was sealed that waits for somebody to hold it.
    pub waits_since_ms: Option<UnixMillis>,
    /// Bytes on the shelf.
    pub shelf_bytes: u64,
}

/// A receiver that cannot be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failing {
    /// Since when.
    pub since_ms: UnixMillis,
    /// What happened last.
    pub error: String,
}

impl Counts {
    pub(super) fn new(shelf: Shelf) -> Self {
        Self { shelf, shared: Arc::default() }
    }

    /// The numbers now.
    pub fn snapshot(&self) -> Snapshot {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Snapshot {
            unheld: self.shelf.unheld(),
            aside: self.shelf.aside(),
            waits_since_ms: self.shelf.waits_since(),
            shelf_bytes: self.shelf.used_bytes(),
            ..shared
        }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Notes that a receiver cannot be sent to; says whether that is new.
    pub(super) fn fail(&self, to: &str, now: UnixMillis, error: String) -> bool {
        let mut is_new = false;
        self.change(|counts| {
            let since_ms = counts.failing.get(to).map(|failing| failing.since_ms);
            is_new = since_ms.is_none();
            let since_ms = since_ms.unwrap_or(now);
            counts.failing.insert(to.to_owned(), Failing { since_ms, error });
        });
        is_new
    }

    /// Notes that a receiver answers; says since when it did not, if so.
    pub(super) fn work(&self, to: &str) -> Option<Failing> {
        let mut failing = None;
        self.change(|counts| failing = counts.failing.remove(to));
        failing
    }

    pub(super) fn refuse(&self, refusal: &Refusal) {
        self.change(|counts| {
            *counts.refusals.entry(refusal.defect).or_default() += 1;
            if refusal.defect == Defect::FamilyUnknown {
                let is_room = counts.families.len() < FAMILIES_MAX
                    || counts.families.contains_key(&refusal.detail);
                let family = if is_room { refusal.detail.clone() } else { "other".to_owned() };
                *counts.families.entry(family).or_default() += 1;
            }
        });
    }
}
