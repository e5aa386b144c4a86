//! What is read: filters, and the rows that answer them. Nothing here knows a home.

use std::sync::Arc;

use events::event::Workload;
use events::identity::{Address, Digest, Model, Pipeline, PublisherKey, ServiceUrl};
use events::refusal::Defect;
use events::unit::{Ppm, UnixMillis};
use sla::admit::Refused;
use sla::context::Context;
use sla::hour::fact::{JobFact, State};
use sla::hour::{EventSet, OpenJobs};
use sla::scorecard::{Grade, Scorecard, Scored};
use sla::tally::Tally;
use sla::tally::cell::WorkClass;
use sla::tested::Tested;
use sla::window::{Hour, Window};

/// One revision of an hour, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevisionRow {
    /// The digest of its scorecard.
    pub digest: Digest,
    /// The events it rests on.
    pub event_set: EventSet,
    /// Which revision.
    pub revision: u32,
    /// When it was settled.
    pub settled_ms: UnixMillis,
    /// The digest of its tally.
    pub tally_digest: Digest,
}

/// A window of several hours, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpanRow {
    /// The digest of its scorecard.
    pub digest: Digest,
    /// When it was made.
    pub made_ms: UnixMillis,
    /// The window.
    pub window: Window,
}

/// The scorecard of a window as it is known now.
#[derive(Debug, Clone)]
pub struct ScorecardView {
    /// The digest; none while the window is provisional.
    pub digest: Option<Digest>,
    /// The revision, always 0 of a window longer than an hour; none while it is provisional.
    pub revision: Option<u32>,
    /// The scorecard.
    pub scorecard: Arc<Scorecard>,
}

/// A window of several hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowView {
    /// What it leans on beside its hours.
    pub context: Context,
    /// The digest of the scorecard, checked against its bytes.
    pub digest: Digest,
    /// When it was made.
    pub made_ms: UnixMillis,
    /// The canonical bytes of the scorecard.
    pub scorecard_bytes: Vec<u8>,
}

/// An hour that something is known of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowRow {
    /// The hour.
    pub hour: Hour,
    /// How many jobs had claims in it.
    pub jobs: u64,
    /// Its latest revision; none while it is provisional.
    pub latest: Option<RevisionRow>,
    /// The longer windows that end with it, by their length.
    pub spans: Vec<SpanRow>,
    /// When something of it was last recorded.
    pub updated_ms: UnixMillis,
}

/// A settled hour at one revision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HourView {
    /// What it leans on beside its events.
    pub context: Context,
    /// The digest of the scorecard, checked against its bytes.
    pub digest: Digest,
    /// The events it rests on.
    pub event_set: EventSet,
    /// The jobs open at its end.
    pub open: OpenJobs,
    /// What was refused in it.
    pub refused: Refused,
    /// Which revision.
    pub revision: u32,
    /// Every revision there is, first to last.
    pub revisions: Vec<RevisionRow>,
    /// The canonical bytes of the scorecard.
    pub scorecard_bytes: Vec<u8>,
    /// When it was settled.
    pub settled_ms: UnixMillis,
    /// The counts.
    pub tally: Tally,
    /// The ledger ordinals of the batches it rests on, ascending.
    pub used: Vec<u64>,
}

/// What is known of an hour before it is settled. It has no digest, because it may still change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionalView {
    /// The scorecard as it would be now, where one was made.
    pub scorecard: Option<Scorecard>,
    /// When something of it was last recorded.
    pub updated_ms: UnixMillis,
}

/// Which results are wanted; an absent condition lets everything pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScoreFilter {
    /// With this grade.
    pub grade: Option<Grade>,
    /// With this grade or a better one; A is the best.
    pub grade_min: Option<Grade>,
    /// For this model.
    pub model: Option<Model>,
    /// Of this operator.
    pub operator: Option<Address>,
    /// For this pipeline.
    pub pipeline: Option<Pipeline>,
    /// Only the results over all of an operator's work (`true`), or only those for one kind of it (`false`).
    pub overall: Option<bool>,
    /// For this workload.
    pub workload: Option<Workload>,
}

/// One result of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScoreRow {
    /// The revision it stands in; none while it is provisional.
    pub revision: Option<u32>,
    /// The result.
    pub scored: Scored,
    /// The window.
    pub window: Window,
}

/// Which jobs are wanted; an absent condition lets everything pass.
///
/// Conditions hold for a job as its latest hour knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilter {
    /// First claimed at or after this moment.
    pub from_ms: Option<UnixMillis>,
    /// For this model.
    pub model: Option<Model>,
    /// With a tenure of this operator.
    pub operator: Option<Address>,
    /// For this pipeline.
    pub pipeline: Option<Pipeline>,
    /// Told of by this reporter.
    pub reporter: Option<Address>,
    /// In this state.
    pub state: Option<State>,
    /// First claimed before this moment.
    pub to_ms: Option<UnixMillis>,
    /// For this workload.
    pub workload: Option<Workload>,
}

/// A job as one hour knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// What is known.
    pub fact: JobFact,
    /// The hour.
    pub hour: Hour,
    /// The hour's latest revision; none while it is provisional.
    pub revision: Option<u32>,
}

/// How an orchestrator stood in the latest settled hour that names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The evidence grade.
    pub grade: Grade,
    /// The hour.
    pub hour: Hour,
    /// Why there is no score.
    pub reason: Option<String>,
    /// The revision.
    pub revision: u32,
    /// The score over all its work; absent is unknown.
    pub score: Option<Ppm>,
}

/// The most names of one kind that an [`OrchestratorRow`] lists.
pub const NAMES_MAX: usize = 64;

/// One orchestrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrchestratorRow {
    /// The kinds of work it had, the latest [`NAMES_MAX`], sorted.
    pub classes: Vec<WorkClass>,
    /// When its first tenure began.
    pub first_ms: UnixMillis,
    /// Jobs in which a tenure of it began in the 24 hours before the moment asked for, in whole hours.
    pub jobs_24h: u64,
    /// When it was last heard of in a job.
    pub last_ms: UnixMillis,
    /// How it stood last.
    pub latest: Option<Standing>,
    /// The operator; absent where no mapping tells who it is.
    pub operator: Option<Address>,
    /// The signer it was seen by, only where the operator is unknown.
    pub signer: Option<Address>,
    /// Where it answered, the latest [`NAMES_MAX`], sorted.
    pub urls: Vec<ServiceUrl>,
}

/// An operator that had work or offered any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperatorRow {
    /// Its address.
    pub operator: Address,
    /// When it was first heard of, at latest: by a job, or the hour of an offer.
    pub first_ms: UnixMillis,
    /// When it was last heard of, at least.
    pub last_ms: UnixMillis,
}

/// Where something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// When it arrived. Counts add up.
    Intake,
    /// When its hour was settled. Counts are those of each hour's latest revision.
    Settle,
}

/// How often something was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusalRow {
    /// How often.
    pub count: u64,
    /// Why.
    pub defect: Defect,
    /// The first hour it was refused in.
    pub first: Hour,
    /// Whose word it was; absent where unknown, and in sums over everybody.
    pub key: Option<PublisherKey>,
    /// The last hour it was refused in.
    pub last: Hour,
    /// Where.
    pub source: Source,
}

/// The tests of hours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestedHours {
    /// What the tests of each hour gave, the newest hour first.
    pub hours: Vec<Arc<[Tested]>>,
    /// Whether these are all that was asked for.
    pub is_whole: bool,
}
