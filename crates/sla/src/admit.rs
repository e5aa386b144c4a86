//! Admission: from batches to the events that count, each once, each with who says it.
//!
//! An event heard twice from one reporter counts once, with the least (`sealed_ms`, event hash), among what is asked of
//! one hour: ids of other hours are not known, or each hour would rest on all before it, and stop nobody who says the
//! same under another id. What does not count is refused under a code, and refusals stand beside a scorecard, never in
//! it.

use std::collections::{BTreeMap, VecDeque};

use events::batch::Position;
use events::event::Event;
use events::identity::{Address, Digest, EventId, PublisherKey};
use events::refusal::{Defect, Refusal};
use events::unit::UnixMillis;

use crate::authority::Authority;
use crate::opened::{Opened, OpenedEvent};

/// An event that counts.
#[derive(Debug, Clone, Copy)]
pub struct Admitted<'a> {
    /// When it counts.
    pub counted_ms: UnixMillis,
    /// What is said.
    pub event: &'a Event,
    /// The hash of its bytes.
    pub hash: Digest,
    /// Its place in its batch.
    pub index: u16,
    /// Where its batch stands.
    pub position: Position,
    /// When its batch was sealed.
    pub sealed_ms: UnixMillis,
}

impl<'a> Admitted<'a> {
    /// An event that was found to count.
    pub fn of(batch: &Opened, opened: &OpenedEvent, event: &'a Event) -> Self {
        Self {
            counted_ms: opened.counted_ms,
            event,
            hash: opened.hash,
            index: opened.index,
            position: batch.position(),
            sealed_ms: batch.header.sealed_ms,
        }
    }

    /// What the event-set root commits to for this event (rule `set-1`).
    pub fn leaf(&self) -> [u8; 88] {
        let mut leaf = [0; 88];
        let numbers = [self.position.epoch, self.position.seq, self.sealed_ms.0];
        let [epoch, seq, sealed_ms] = numbers.map(u64::to_be_bytes);
        let parts: [&[u8]; 5] = [&self.hash.0, &self.position.key.0, &epoch, &seq, &sealed_ms];
        let mut room = leaf.as_mut_slice();
        for part in parts {
            let (to, rest) = room.split_at_mut(part.len());
            to.copy_from_slice(part);
            room = rest;
        }
        leaf
    }

    /// The order in which claims about one job are read: time, then kind, then hash.
    pub fn order(&self) -> (UnixMillis, events::body::Kind, Digest) {
        (self.counted_ms, self.event.kind(), self.hash)
    }
}

/// How often each publisher was refused for which reason.
pub type Refused = BTreeMap<(PublisherKey, Defect), u64>;

/// One refusal with where it was seen, for whoever it happened to. It is shown to them alone and counts for nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Why.
    pub defect: Defect,
    /// What was seen, in words, without private content; at most 200 characters.
    pub detail: String,
    /// The event, where one could be read.
    pub event: Option<EventId>,
    /// The place in the batch; none where all of the batch was refused.
    pub index: Option<u16>,
    /// The batch.
    pub position: Position,
    /// When the batch was sealed.
    pub sealed_ms: UnixMillis,
}

/// The most notes of one publisher that an admission keeps, the last ones.
pub const NOTES_MAX: usize = 32;

/// The notes of an admission by publisher.
#[derive(Debug, Default)]
struct Notes(BTreeMap<PublisherKey, VecDeque<Note>>);

impl Notes {
    /// The most publishers whose notes are kept: keys are free.
    const KEYS_MAX: usize = 1_024;

    fn add(&mut self, note: Note) {
        let key = note.position.key;
        if self.0.len() >= Self::KEYS_MAX && !self.0.contains_key(&key) {
            return;
        }
        let notes = self.0.entry(key).or_default();
        if notes.len() == NOTES_MAX {
            notes.pop_front();
        }
        notes.push_back(note);
    }

    fn list(self) -> Vec<Note> {
        self.0.into_values().flatten().collect()
    }
}

/// What an admission gave.
#[derive(Debug, Default)]
pub struct Admission<'a> {
    /// The events that count, in no particular order.
    pub admitted: Vec<Admitted<'a>>,
    /// The last refusals of each publisher one by one, by publisher.
    pub notes: Vec<Note>,
    /// The batches that hold events that count, or say again what counts elsewhere; sorted.
    pub positions: Vec<Position>,
    /// How often what was refused, by publisher.
    pub refused: Refused,
}

impl Note {
    fn repeated(claim: &Admitted<'_>) -> Self {
        Self {
            defect: Defect::EventDuplicate,
            detail: format!("said before by {}", claim.event.reporter),
            event: Some(claim.event.id.clone()),
            index: Some(claim.index),
            position: claim.position,
            sealed_ms: claim.sealed_ms,
        }
    }

    fn of(batch: &Opened, index: Option<u16>, event: Option<&Event>, refusal: &Refusal) -> Self {
        Self {
            defect: refusal.defect,
            detail: refusal.detail.clone(),
            event: event.map(|event| event.id.clone()),
            index,
            position: batch.position(),
            sealed_ms: batch.header.sealed_ms,
        }
    }
}

/// Admits the events of `batches` that `wanted` asks for.
///
/// `wanted` sees each readable event with the time it counts at; it keeps what lies outside a window from costing
/// anything. Batches are taken once each, however often they appear.
pub fn admit<'a>(
    authority: &Authority,
    batches: impl IntoIterator<Item = &'a Opened>,
    mut wanted: impl FnMut(UnixMillis, &Event) -> bool,
) -> Admission<'a> {
    let mut admission = Admission::default();
    let mut heard: Vec<Admitted<'a>> = Vec::new();
    let mut notes = Notes::default();
    for batch in once(batches) {
        let mut refuse = |defect: Defect, count: u64| {
            *admission.refused.entry((batch.header.key, defect)).or_default() += count;
        };
        if let Err(refusal) = authority.check_batch(batch) {
            refuse(refusal.defect, u64::from(batch.header.count));
            notes.add(Note::of(batch, None, None, &refusal));
            continue;
        }
        let mut check = authority.checker(batch);
        let before = heard.len();
        for opened in &batch.events {
            match &opened.event {
                Ok(event) if !wanted(opened.counted_ms, event) => {}
                Ok(event) => match check(event) {
                    Ok(()) => heard.push(Admitted::of(batch, opened, event)),
                    Err(defect) => {
                        refuse(defect, 1);
                        let said = format_args!("said by {} as {}", event.reporter, event.role);
                        let refusal = Refusal::new(defect, said);
                        notes.add(Note::of(batch, Some(opened.index), Some(event), &refusal));
                    }
                },
                Err(refusal) => {
                    refuse(refusal.defect, 1);
                    notes.add(Note::of(batch, Some(opened.index), None, refusal));
                }
            }
        }
        if heard.len() > before {
            admission.positions.push(batch.position());
        }
    }
    // References are put in order, not claims: those are too large to be moved about.
    let mut named: Vec<(u128, &Admitted<'a>)> =
        heard.iter().map(|claim| (prefix(claim.event.id.as_str()), claim)).collect();
    named.sort_unstable_by(|(prefix, one), (other_prefix, other)| {
        let rank =
            |claim: &Admitted<'_>| (claim.sealed_ms, claim.hash, claim.position, claim.index);
        let by_name = prefix.cmp(other_prefix).then_with(|| name(one).cmp(&name(other)));
        by_name.then_with(|| rank(one).cmp(&rank(other)))
    });
    admission.admitted.reserve_exact(named.len());
    for again in named.chunk_by(|(prefix, one), (next_prefix, next)| {
        prefix == next_prefix && name(one) == name(next)
    }) {
        let mut claims = again.iter().map(|(_, claim)| **claim);
        admission.admitted.extend(claims.next());
        for claim in claims {
            let place = (claim.position.key, Defect::EventDuplicate);
            *admission.refused.entry(place).or_default() += 1;
            notes.add(Note::repeated(&claim));
        }
    }
    admission.notes = notes.list();
    admission
}

/// The first bytes of an id as a number: names are told apart by them without a look at the event.
fn prefix(id: &str) -> u128 {
    id.bytes().take(16).fold(0, |number, byte| number << 8 | u128::from(byte))
}

/// What an event is known by: the same name twice is one event.
fn name<'a>(claim: &Admitted<'a>) -> (&'a str, Address) {
    (claim.event.id.as_str(), claim.event.reporter)
}

/// Each batch once, in order; of a batch that was read in part and in whole, the whole.
fn once<'a>(batches: impl IntoIterator<Item = &'a Opened>) -> Vec<&'a Opened> {
    let mut all: Vec<&Opened> = batches.into_iter().collect();
    let place = |batch: &Opened| (batch.position(), batch.hash);
    all.sort_unstable_by(|one, other| {
        place(one).cmp(&place(other)).then_with(|| other.events.len().cmp(&one.events.len()))
    });
    all.dedup_by_key(|batch| place(batch));
    all
}
