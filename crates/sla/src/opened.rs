//! A batch whose events are read once and then asked many times.
//!
//! Opening needs nothing but the batch: whose word counts is decided later, by [`crate::admit`].

use events::batch::{Batch, Header, Position};
use events::body::Kind;
use events::event::Event;
use events::identity::Digest;
use events::merkle;
use events::refusal::Refusal;
use events::unit::{Millis, UnixMillis};

/// How far before its batch an event's own time still counts (SCORING section 2).
pub const EVENT_AGE_MAX: Millis = Millis(600_000);

/// How far after its batch an event's own time still counts (SCORING section 2).
pub const EVENT_LEAD_MAX: Millis = Millis(30_000);

/// One event of a batch, or why it is none.
#[derive(Debug, Clone)]
pub struct OpenedEvent {
    /// When it counts.
    pub counted_ms: UnixMillis,
    /// The event, or the refusal of its bytes.
    pub event: Result<Event, Refusal>,
    /// The hash of its bytes: its RFC 6962 leaf hash.
    pub hash: Digest,
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
        let sealed_ms = batch.header.sealed_ms;
        let read = |bytes: &[u8]| {
            let event = Event::decode(bytes);
            let counted_ms =
                event.as_ref().map_or(sealed_ms, |event| counted_ms(event.at_ms, sealed_ms));
            OpenedEvent { counted_ms, event, hash: merkle::leaf(bytes) }
        };
        Self {
            events: batch.payload.events().map(read).collect(),
            hash: batch.header.hash(),
            header: batch.header.clone(),
        }
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

    /// Whether it says who may speak: rosters, delegations and their ends reach beyond their hour.
    pub fn has_records(&self) -> bool {
        let is_record = |kind| {
            matches!(kind, Kind::RosterObserved | Kind::DelegationGranted | Kind::DelegationRevoked)
        };
        self.readable().any(|(_, event)| is_record(event.kind()))
    }

    /// Whether it ties addresses and URLs together, which counts for 24 hours around.
    pub fn has_mappings(&self) -> bool {
        self.readable().any(|(_, event)| event.kind() == Kind::CapabilityOffered)
    }
}

/// When an event counts: at its own time if its batch was sealed near it, else when the batch was sealed.
pub fn counted_ms(at_ms: UnixMillis, sealed_ms: UnixMillis) -> UnixMillis {
    let near = sealed_ms.minus(EVENT_AGE_MAX) <= at_ms && at_ms <= sealed_ms.plus(EVENT_LEAD_MAX);
    if near { at_ms } else { sealed_ms }
}
