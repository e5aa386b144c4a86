//! Keeps what was settled and what is known of the open hour, and answers questions about it.
//!
//! One trait pair, [`Reader`] and [`Warehouse`], several homes, one [`contract`] that each of them passes. A warehouse
//! never decides what a number means: it counts nothing that `sla` counts, and hands back the bytes it was given.
//! Everything is kept per network, and no answer mixes two. All calls block; callers in async code spawn them.
//!
//! Reading order: [`record`] is what is written, [`view`] what is read, [`page`] how long lists are walked, [`sqlite`]
//! the home in one file.

pub mod page;
pub mod record;
pub mod view;

mod error;
pub mod sqlite;

pub mod contract;

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use events::batch::Position;
use events::event::Network;
use events::identity::{Digest, JobId, PublisherKey, Region};
use events::unit::{Millis, UnixMillis};
use sla::hour::fact::JobFact;
use sla::rollup::Rollup;
use sla::rollup::series::{Question, SeriesRow};
use sla::scorecard::PinnedHour;
use sla::supply::{Supply, Word};
use sla::tested::Tested;
use sla::window::{Hour, Span, Window};

pub use error::Error;
use page::{Page, Paged};
use record::{
    BatchRow, EpochRow, HourRecord, PublisherRow, RefusalCount, RefusalNote, Sums, Touch,
    TouchedHour, UnrolledHour, WindowRecord,
};
use view::{
    HourView, JobFilter, JobRow, OperatorRow, OrchestratorRow, ProvisionalView, RefusalRow,
    RevisionRow, ScoreFilter, ScoreRow, ScorecardView, SpanRow, TestedHours, WindowRow, WindowView,
};

/// How long counts are kept by the minute (requirement: 48 hours).
pub const MINUTES_KEPT: Millis = Millis(48 * 3_600_000);

/// The questions. Each answer is of one moment, and of one network.
///
/// A list is never longer than [`page::ROWS_MAX`]. A page goes on after the full key of the last row, so a row that
/// stays while the list is walked appears exactly once, whatever is written meanwhile.
pub trait Reader: Send + Sync {
    /// A number that is larger after each write, whoever wrote: as long as it stands still, every question has the
    /// answer that it had. It means nothing in another process, costs microseconds, and never waits for a writer.
    ///
    /// Ask for it before the question whose answer is to be kept: then it is at most too small for that answer.
    fn version(&self) -> Result<u64, Error>;

    /// The batches sealed in the span, by (`sealed_ms`, ordinal).
    fn batches_sealed(
        &self,
        network: Network,
        span: RangeInclusive<UnixMillis>,
    ) -> Result<Vec<BatchRow>, Error>;

    /// The batches that hold delegations, revocations or rosters, by (`sealed_ms`, ordinal).
    fn record_batch_rows(&self, network: Network) -> Result<Vec<BatchRow>, Error>;

    /// The batches sealed in the span that hold what hours around them lean on ([`BatchRow::has_mappings`]), by
    /// (`sealed_ms`, ordinal).
    fn mapping_batch_rows(
        &self,
        network: Network,
        span: RangeInclusive<UnixMillis>,
    ) -> Result<Vec<BatchRow>, Error>;

    /// The batches at these positions, by ordinal; more than one at a position that was sealed twice.
    fn batch_rows_at(
        &self,
        network: Network,
        positions: &[Position],
    ) -> Result<Vec<BatchRow>, Error>;

    /// What the recorded batches of every epoch come to, by (key, epoch).
    fn epochs(&self, network: Network) -> Result<Vec<EpochRow>, Error>;

    /// The highest ledger ordinal recorded, of any network.
    fn last_ordinal(&self) -> Result<Option<u64>, Error>;

    /// The hours that were touched since they were last looked at, oldest first.
    fn touched_hours(&self, network: Network) -> Result<Vec<TouchedHour>, Error>;

    /// How far the reader of that name has come.
    fn cursor(&self, name: &str) -> Result<Option<u64>, Error>;

    /// The bytes kept under their SHA-256.
    fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error>;

    /// The hours that are settled or provisional, newest first, each with the longer windows that end with it.
    fn windows(&self, network: Network, page: &Page) -> Result<Paged<WindowRow>, Error>;

    /// The revisions of an hour, first to last.
    fn revisions(&self, network: Network, hour: Hour) -> Result<Vec<RevisionRow>, Error>;

    /// A settled hour at a revision, or at its latest.
    fn hour_record(
        &self,
        network: Network,
        hour: Hour,
        revision: Option<u32>,
    ) -> Result<Option<HourView>, Error>;

    /// What is provisionally known of an hour that is not settled.
    fn provisional(&self, network: Network, hour: Hour) -> Result<Option<ProvisionalView>, Error>;

    /// The settled hours of a span at their latest revisions, first to last.
    fn settled_hours(
        &self,
        network: Network,
        hours: RangeInclusive<Hour>,
    ) -> Result<Vec<PinnedHour>, Error>;

    /// The canonical bytes of an hour's counts at a revision.
    fn tally_bytes(
        &self,
        network: Network,
        hour: Hour,
        revision: u32,
    ) -> Result<Option<Vec<u8>>, Error>;

    /// The last register that is kept up to a day, counted from 1970: its day and its document.
    fn register_at(&self, network: Network, day: u64) -> Result<Option<(u64, Digest)>, Error>;

    /// The hours that were settled and whose longer windows are still to be made, first to last.
    fn unrolled_hours(&self, network: Network) -> Result<Vec<UnrolledHour>, Error>;

    /// A window of several hours.
    fn window_record(&self, network: Network, window: Window) -> Result<Option<WindowView>, Error>;

    /// The windows of this length that end with an hour of the span, first to last; of more than a list may hold, the
    /// newest. Hours themselves are listed by [`Self::windows`].
    fn spans(
        &self,
        network: Network,
        length: Span,
        hours: RangeInclusive<Hour>,
        limit: usize,
    ) -> Result<Vec<SpanRow>, Error>;
    /// The newest window of a length: of an hour the newest that has settled.
    fn newest_window(&self, network: Network, span: Span) -> Result<Option<Window>, Error>;

    /// The scorecard of a window: of an hour at its latest revision, or provisional.
    fn scorecard(&self, network: Network, window: Window) -> Result<Option<ScorecardView>, Error>;

    /// The results of a window by operator, signer and kind of work: of an hour at its latest revision, or provisional.
    fn scores(
        &self,
        network: Network,
        window: Window,
        filter: &ScoreFilter,
        page: &Page,
    ) -> Result<Paged<ScoreRow>, Error>;

    /// Jobs, each as its latest hour knows it, newest first by (`first_ms`, job id).
    fn jobs(
        &self,
        network: Network,
        filter: &JobFilter,
        page: &Page,
    ) -> Result<Paged<JobRow>, Error>;

    /// The jobs that had claims in an hour, as its latest revision knows them, by job id; those after `after`, at most
    /// [`page::ROWS_MAX`] of them. Fewer are the last ones.
    fn hour_jobs(
        &self,
        network: Network,
        hour: Hour,
        after: Option<JobId>,
    ) -> Result<Vec<JobFact>, Error>;

    /// Everything known of one job, an entry for each hour it had claims in, first to last.
    fn job(&self, network: Network, job_id: JobId) -> Result<Vec<JobRow>, Error>;

    /// Every orchestrator that ever had a job, by operator address, then those known by their signer alone.
    ///
    /// `now_ms` is the end of the day that their recent jobs are counted in.
    fn orchestrators(
        &self,
        network: Network,
        now_ms: UnixMillis,
        page: &Page,
    ) -> Result<Paged<OrchestratorRow>, Error>;

    /// What was added up of what people look at, by time and by what is asked.
    ///
    /// Minutes are kept for [`MINUTES_KEPT`]; before that, an hour stands at its first minute.
    fn series(&self, network: Network, question: &Question) -> Result<Vec<SeriesRow>, Error>;

    /// What each orchestrator offers, by the words of the hours; by operator and URL.
    fn supply(&self, network: Network, hours: RangeInclusive<Hour>)
    -> Result<Arc<[Supply]>, Error>;

    /// What tests of this span gave, by their testers' own time: the hours that tell of such, newest first, as long as
    /// they hold no more than `limit` tests together. They tell of other times too.
    fn tests(
        &self,
        network: Network,
        span: RangeInclusive<UnixMillis>,
        limit: usize,
    ) -> Result<TestedHours, Error>;

    /// Every region that anything was ever told in.
    fn regions(&self, network: Network) -> Result<BTreeSet<Region>, Error>;

    /// Every operator that ever had work or offered any, by address.
    fn operators(&self, network: Network) -> Result<Vec<OperatorRow>, Error>;

    /// The epochs of every publisher, by (key, epoch).
    fn publishers(&self, network: Network, page: &Page) -> Result<Paged<PublisherRow>, Error>;

    /// How often a publisher was refused, by reason and place; without a key, the sums over everybody.
    fn refusals(
        &self,
        network: Network,
        key: Option<&PublisherKey>,
    ) -> Result<Vec<RefusalRow>, Error>;

    /// The last refusals of these publishers one by one, newest first.
    fn refusal_notes(
        &self,
        network: Network,
        keys: &[PublisherKey],
        limit: usize,
    ) -> Result<Vec<RefusalNote>, Error>;
}

/// A home that can be written to, by one writer. Each call is one transaction: all of it is kept, or nothing.
pub trait Warehouse: Reader {
    /// Records batches of the ledger and, with them, how far the named reader has come.
    ///
    /// Recording a batch again changes nothing but its flags. Another batch under a known ordinal is an error.
    fn record_batches(&self, rows: &[BatchRow], cursor: Option<(&str, u64)>) -> Result<(), Error>;

    /// Records batches, how far the named reader has come, and the hours they touch, all at once.
    fn record_noted(
        &self,
        rows: &[BatchRow],
        touches: &[Touch],
        cursor: (&str, u64),
    ) -> Result<(), Error>;

    /// Marks hours as touched.
    fn touch(&self, touches: &[Touch]) -> Result<(), Error>;

    /// Marks an hour as looked at, where that made no revision. [`Self::record_hour`] marks it itself.
    fn record_looked(&self, network: Network, hour: Hour, now: UnixMillis) -> Result<(), Error>;

    /// Remembers how far the reader of that name has come.
    fn set_cursor(&self, name: &str, ordinal: u64) -> Result<(), Error>;

    /// Keeps bytes under their SHA-256: policies, trust files, standing facts that scorecards name.
    fn record_document(&self, bytes: &[u8]) -> Result<Digest, Error>;

    /// Records a revision of an hour. Older ones stay; the jobs become those of this revision, and nothing
    /// provisional is left of the hour. The registers that it changes go, and the first revision of an hour leaves it
    /// among the [`Reader::unrolled_hours`].
    ///
    /// The same revision with the same scorecard again changes nothing. Another scorecard under a known revision, or a
    /// new revision below the latest, is an error.
    fn record_hour(&self, record: &HourRecord) -> Result<(), Error>;

    /// Says that many hours are recorded now, one after the other. A home that holds no job may let what only finds
    /// single jobs again wait, at most for [`Self::end_fill`]: whoever asks for them meanwhile waits longer. Who opens
    /// a home to write whose writer stopped in between finds it as if that had been called.
    fn begin_fill(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Says that no more hours follow at once.
    fn end_fill(&self) -> Result<(), Error> {
        Ok(())
    }

    /// Keeps the register of a day, counted from 1970.
    fn record_register(&self, network: Network, day: u64, bytes: &[u8]) -> Result<Digest, Error>;

    /// Records a window of several hours. The same again changes nothing, another scorecard for it is an error.
    fn record_window(&self, record: &WindowRecord) -> Result<(), Error>;

    /// Marks hours as ones whose longer windows are made, or are not to be.
    fn record_rolled(&self, network: Network, hours: &[Hour]) -> Result<(), Error>;

    /// Keeps the counts of a settled hour for people to look at, what was offered in it and what tests gave, in place of
    /// those before; [`Self::record_hour`] does so itself. Minutes older than [`MINUTES_KEPT`] before the newest hour go.
    fn record_rollup(
        &self,
        network: Network,
        hour: Hour,
        rollup: &Rollup,
        supply: &[Word],
        tests: &[Tested],
    ) -> Result<(), Error>;

    /// Makes the counts of one day out of those of its hours, so that long spans are read at once: the first day before
    /// the newest hour's that is not made, or of whose hours one was recorded since. Tells whether there was one. It
    /// changes no answer.
    fn record_day(&self, network: Network) -> Result<bool, Error>;

    /// Takes the jobs of an open hour, each in place of what was known of it, and what it comes to if that was counted.
    ///
    /// Says whether it did: nothing is taken for an hour that is settled.
    fn record_provisional(
        &self,
        network: Network,
        hour: Hour,
        jobs: &[JobFact],
        sums: Option<Sums<'_>>,
        now_ms: UnixMillis,
    ) -> Result<bool, Error>;

    /// Takes what is known of publishers' epochs, each row in place of the one before.
    fn record_publishers(&self, rows: &[PublisherRow]) -> Result<(), Error>;

    /// Adds refusals of intake to what was counted before, and notes them one by one as far as there is room. Those of
    /// settling come with [`Self::record_hour`].
    fn record_refusals(&self, counts: &[RefusalCount], notes: &[RefusalNote]) -> Result<(), Error>;
}
