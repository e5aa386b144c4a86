//! A batch whose events are read once and then asked many times.
//!
//! Opening needs nothing but the batch: whose word counts is decided later, by [`crate::admit`].

use std::sync::LazyLock;

use events::batch::{Batch, Header, Position};
use events::body::Kind;
use events::event::Event;
use events::identity::Digest;
use events::merkle;
use events::refusal::Refusal;
use events::unit::{Millis, UnixMillis};
use memchr::memmem::Finder;

/// How far before its batch an event's own time still counts (docs/scoring.md, "Time"; case 0025).
pub const EVENT_AGE_MAX: Millis = Millis(600_000);

/// How far after its batch an event's own time still counts (docs/scoring.md, "Time"; case 0025).
pub const EVENT_LEAD_MAX: Millis = Millis(30_000);

/// Finds where an event says its kind. Canonical bytes escape every quote within text, so no text looks like it.
static KIND: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\"kind\":\""));

/// One event of a batch, or why it is none.
#[derive(Debug, Clone)]
pub struct OpenedEvent {
    /// When it counts.
    pub counted_ms: UnixMillis,
    /// The event, or the refusal of its bytes.
    pub event: Result<Event, Refusal>,
    /// The hash of its bytes: its RFC 6962 leaf hash.
    pub hash: Digest,
    /// Its place in its batch.
    pub index: u16,
}

/// A batch that was verified, with its events read.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The events in their order.
    pub events: Vec<OpenedEvent>,
    /// The hash of the header.
    pub hash: Digest,
    /// The header.
    pub header: Header,
}

impl Opened {
    /// Reads the events of a batch that was verified.
    pub fn of(batch: &Batch) -> Self {
        Self::some_of(batch, usize::from(batch.header.count), |_| true)
    }

    /// Reads only the events of the kinds asked for, found by their bytes: a part stands for the whole wherever only
    /// these kinds are asked after.
    pub fn part_of(batch: &Batch, kinds: &[Kind]) -> Self {
        let names_one = |rest: &[u8]| {
            let names = |kind: &Kind| rest.strip_prefix(kind.as_str().as_bytes());
            kinds.iter().filter_map(names).any(|rest| rest.starts_with(b"\""))
        };
        let is_one = |bytes: &[u8]| {
            let mut members = KIND.find_iter(bytes);
            members.any(|at| bytes.get(at + KIND.needle().len()..).is_some_and(names_one))
        };
        Self::some_of(batch, 0, is_one)
    }

    /// Reads the events that are `wanted`, into room for `about` as many.
    fn some_of(batch: &Batch, about: usize, mut wanted: impl FnMut(&[u8]) -> bool) -> Self {
        let sealed_ms = batch.header.sealed_ms;
        let numbered = (0u16..).zip(batch.payload.events());
        let read = |(index, bytes): (u16, &[u8])| {
            let event = Event::decode(bytes);
            let counted_ms =
                event.as_ref().map_or(sealed_ms, |event| counted_ms(event.at_ms, sealed_ms));
            OpenedEvent { counted_ms, event, hash: merkle::leaf(bytes), index }
        };
        let mut events = Vec::with_capacity(about);
        events.extend(numbered.filter(|(_, bytes)| wanted(bytes)).map(read));
        Self { events, hash: batch.header.hash(), header: batch.header.clone() }
    }

    /// Where the batch stands.
    pub fn position(&self) -> Position {
        self.header.position()
    }

    /// The events that could be read.
    pub fn readable(&self) -> impl Iterator<Item = (&OpenedEvent, &Event)> {
        self.events
            .iter()
            .filter_map(|opened| opened.event.as_ref().ok().map(|event| (opened, event)))
    }
}

/// The kinds that say who may speak: they reach beyond their hour.
pub const RECORD_KINDS: &[Kind] =
    &[Kind::RosterObserved, Kind::DelegationGranted, Kind::DelegationRevoked];

/// The kinds that tie addresses and URLs together: they count for 24 hours around.
pub const TIE_KINDS: &[Kind] = &[Kind::CapabilityOffered];

/// The kinds that make a job a test: they bear on hours up to a day later.
pub const PROBE_KINDS: &[Kind] = &[Kind::ProbeCommitted, Kind::ProbeRevealed];

/// When an event counts: at its own time if its batch was sealed near it, else when the batch was sealed.
pub fn counted_ms(at_ms: UnixMillis, sealed_ms: UnixMillis) -> UnixMillis {
    let near = sealed_ms.minus(EVENT_AGE_MAX) <= at_ms && at_ms <= sealed_ms.plus(EVENT_LEAD_MAX);
    if near { at_ms } else { sealed_ms }
}
