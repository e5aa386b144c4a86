//! What is written: the rows and records that the pipeline hands over. Nothing here knows a home.

use events::batch::Position;
use events::event::{Network, Role};
use events::identity::{Address, Digest, EventId, NodeId, PublisherKey};
use events::refusal::Defect;
use events::unit::UnixMillis;
use sla::admit::{Note, Refused};
use sla::context::Context;
use sla::hour::fact::JobFact;
use sla::hour::{EventSet, OpenJobs};
use sla::rollup::Rollup;
use sla::scorecard::Scorecard;
use sla::supply::Word;
use sla::tally::Tally;
use sla::tested::Tested;
use sla::window::Hour;

use crate::view::Source;

/// A batch of the ledger, without its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BatchRow {
    /// How many events it holds.
    pub count: u16,
    /// Whether it holds what hours around it lean on: capability offers, commitments and reveals of tests.
    pub has_mappings: bool,
    /// Whether it holds delegations, revocations or rosters.
    pub has_records: bool,
    /// The hash of its header.
    pub hash: Digest,
    /// The network.
    pub network: Network,
    /// Its place in the ledger.
    pub ordinal: u64,
    /// Its place in its publisher's chain.
    pub position: Position,
    /// When it arrived.
    pub received_ms: UnixMillis,
    /// When it was sealed.
    pub sealed_ms: UnixMillis,
}

/// What the recorded batches of one epoch of one publisher come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EpochRow {
    /// How many batches.
    pub batches: u64,
    /// The epoch.
    pub epoch: u64,
    /// How many events they hold.
    pub events: u64,
    /// The publisher.
    pub key: PublisherKey,
    /// When the last of them arrived.
    pub last_received_ms: UnixMillis,
}

/// What a batch or a settled hour may change.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Touch {
    /// Whether it is to be looked at as soon as it is over, whatever its age, and not only at its next fixed time.
    pub at_once: bool,
    /// Which hours.
    pub hours: Touched,
    /// The network.
    pub network: Network,
}

/// The hours of a touch.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Touched {
    /// An hour, whether or not anything of it was known.
    Hour(Hour),
    /// Those hours of a range that anything is known of.
    Known(std::ops::RangeInclusive<Hour>),
}

/// An hour that something came for since it was last looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TouchedHour {
    /// Whether it is to be looked at as soon as it is over.
    pub at_once: bool,
    /// The hour.
    pub hour: Hour,
    /// When it was last settled, with or without a new revision.
    pub looked_ms: Option<UnixMillis>,
}

/// What an hour does to the standing of everybody, in the transaction that records it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restanding {
    /// From this day on, counted from 1970, no register holds any more.
    pub day: u64,
    /// The hours that leaned on them.
    pub touch: Touch,
}

/// An hour whose longer windows are still to be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnrolledHour {
    /// The hour.
    pub hour: Hour,
    /// When it was settled first.
    pub settled_ms: UnixMillis,
}

/// A window of several hours. It has one revision, the first, because it is never made again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRecord {
    /// What it leans on beside its hours; its scorecard names it by hash.
    pub context: Context,
    /// When it was made.
    pub made_ms: UnixMillis,
    /// The network.
    pub network: Network,
    /// The scorecard.
    pub scorecard: Scorecard,
}

/// What an open hour comes to so far.
#[derive(Debug, Clone, Copy)]
pub struct Sums<'a> {
    /// The counts for people to look at.
    pub rollup: &'a Rollup,
    /// The scorecard as it would be now.
    pub scorecard: &'a Scorecard,
    /// What was offered in it.
    pub supply: &'a [Word],
    /// What tests in it gave.
    pub tests: &'a [Tested],
}

/// One revision of an hour with everything it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourRecord {
    /// What it leans on beside its events; its scorecard names it by hash.
    pub context: Context,
    /// The events it rests on.
    pub event_set: EventSet,
    /// The hour.
    pub hour: Hour,
    /// The jobs that had claims in it.
    pub jobs: Vec<JobFact>,
    /// The network.
    pub network: Network,
    /// The jobs open at its end.
    pub open: OpenJobs,
    /// What was refused in it.
    pub refused: Refused,
    /// The last refusals of each publisher one by one.
    pub refused_notes: Vec<Note>,
    /// Which registers it changes; none where it changes none.
    pub restands: Option<Restanding>,
    /// Which revision.
    pub revision: u32,
    /// Its counts for people to look at.
    pub rollup: Rollup,
    /// The scorecard.
    pub scorecard: Scorecard,
    /// When it was settled.
    pub settled_ms: UnixMillis,
    /// What was offered in it.
    pub supply: Vec<Word>,
    /// The counts.
    pub tally: Tally,
    /// What tests in it gave.
    pub tests: Vec<Tested>,
    /// The ledger ordinals of the batches it rests on, ascending.
    pub used: Vec<u64>,
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The hash of the last header.
    pub hash: Digest,
    /// Its sequence.
    pub seq: u64,
}

/// What is known of one epoch of one publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublisherRow {
    /// The address it speaks for, where known.
    pub address: Option<Address>,
    /// How many batches were received.
    pub batches: u64,
    /// Whether it signs as a collector what unsigned feeds say.
    pub collected: bool,
    /// The epoch.
    pub epoch: u64,
    /// How many events were received.
    pub events: u64,
    /// The sequences that are missing, each span from its first to its last.
    pub gaps: Vec<(u64, u64)>,
    /// The last batch, where one was received or announced.
    pub head: Option<Head>,
    /// The publisher.
    pub key: PublisherKey,
    /// When something of it last arrived.
    pub last_received_ms: UnixMillis,
    /// The network.
    pub network: Network,
    /// Its node, where known.
    pub node: Option<NodeId>,
    /// Its role, where known.
    pub role: Option<Role>,
    /// When the last batch was sealed.
    pub sealed_ms: Option<UnixMillis>,
}

/// One refusal of a publisher's word, for whoever answers for it. It holds nothing of what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalNote {
    /// When it was refused; of what was refused when its hour was settled, when its batch was sealed.
    pub at_ms: UnixMillis,
    /// Why.
    pub defect: Defect,
    /// What was seen, in words, without private content; at most 200 characters.
    pub detail: String,
    /// The event, where one could be read.
    pub event: Option<EventId>,
    /// The hour it is counted in.
    pub hour: Hour,
    /// The place in the batch; absent where all of the batch was refused.
    pub index: Option<u16>,
    /// The network.
    pub network: Network,
    /// The batch.
    pub position: Position,
    /// Where.
    pub source: Source,
}

/// The most notes that are kept of one publisher, and of all together: the newest.
pub const NOTES_OF_KEY_MAX: usize = 256;
/// See [`NOTES_OF_KEY_MAX`].
pub const NOTES_MAX: usize = 50_000;

/// How often something was refused in an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalCount {
    /// How often.
    pub count: u64,
    /// Why.
    pub defect: Defect,
    /// The hour it was refused in.
    pub hour: Hour,
    /// Whose word it was, where known.
    pub key: Option<PublisherKey>,
    /// The network.
    pub network: Network,
}
