//! The events that the collector said in earlier imports, by the hashes of their ids and times.
//!
//! An id that comes again with another time is said again, so that it does not matter which is imported first: admission
//! lets one of them count. What else an event says is not asked, so that a later version, which may translate better,
//! says nothing twice. 17 bytes of memory an event, and no false "known" in practice: half of SHA-256 tells them apart.

use std::borrow::Cow;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use events::identity::{Digest, PublisherKey};
use events::unit::UnixMillis;
use events::wire::Frame;
use ledger::Ledger;
use serde::Deserialize;

use crate::console::{Progress, grouped};

/// What is known to be said, and whether the record has it.
pub(super) struct Recorded(HashMap<[u8; 16], bool>);

/// Whether an event was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Never.
    New,
    /// In this import.
    Twice,
    /// In an earlier one.
    Before,
}

/// What is asked of an event.
#[derive(Deserialize)]
struct Named<'a> {
    at_ms: UnixMillis,
    #[serde(borrow)]
    id: Cow<'a, str>,
}

impl Recorded {
    /// What this key said, as the record has it, but for the epoch of an import that was cut off.
    pub(super) fn of(
        ledger: &Ledger,
        key: PublisherKey,
        unfinished: Option<u64>,
    ) -> anyhow::Result<Self> {
        let mut recorded = Self(HashMap::new());
        if !ledger.chains().iter().any(|(chain, _)| *chain == key) {
            return Ok(recorded);
        }
        let mut progress = Progress::new();
        let end = ledger.end().next;
        for record in ledger.read(0) {
            let (ordinal, entry) = record?;
            progress.tell(|| {
                format!("{} of {} batches looked through", grouped(ordinal), grouped(end))
            });
            let frame = Frame::parse(&entry.frame)?;
            if frame.header.key == key && Some(frame.header.epoch) != unfinished {
                for line in frame.inflate()?.payload.events() {
                    if let Ok(event) = serde_json::from_slice::<Named<'_>>(line) {
                        recorded.0.insert(name(&event.id, event.at_ms), true);
                    }
                }
            }
        }
        Ok(recorded)
    }

    /// Adds an event; tells whether it was said.
    pub(super) fn insert(&mut self, id: &str, at_ms: UnixMillis) -> Said {
        match self.0.entry(name(id, at_ms)) {
            Entry::Vacant(place) => {
                place.insert(false);
                Said::New
            }
            Entry::Occupied(known) if *known.get() => Said::Before,
            Entry::Occupied(_) => Said::Twice,
        }
    }
}

fn name(id: &str, at_ms: UnixMillis) -> [u8; 16] {
    let Digest(full) = Digest::of(&[&at_ms.0.to_be_bytes(), id.as_bytes()]);
    full.first_chunk().copied().unwrap_or_default()
}
