//! What the loop did and refused, as plain numbers that a metrics page can show.
//! It never holds a name that came from outside, except the names of unknown families, which are few and short.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use events::refusal::{Defect, Refusal};

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
    /// Batches that a receiver will never take, set aside.
    pub set_aside: u64,
    /// Batches on the shelf that nobody else is known to hold.
    pub unheld: u64,
    /// Bytes on the shelf.
    pub shelf_bytes: u64,
}

impl Counts {
    pub(super) fn new(shelf: Shelf) -> Self {
        Self { shelf, shared: Arc::default() }
    }

    /// The numbers now.
    pub fn snapshot(&self) -> Snapshot {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Snapshot { unheld: self.shelf.unheld(), shelf_bytes: self.shelf.used_bytes(), ..shared }
    }

    pub(super) fn change(&self, change: impl FnOnce(&mut Snapshot)) {
        change(&mut self.shared.lock().unwrap_or_else(PoisonError::into_inner));
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
