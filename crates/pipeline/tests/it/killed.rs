//! A warehouse whose process is killed between two writes: those before are kept, and none after.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use events::batch::Position;
use events::event::Network;
use events::identity::{Digest, JobId, PublisherKey};
use events::unit::UnixMillis;
use sla::hour::fact::JobFact;
use sla::rollup::Rollup;
use sla::rollup::series::{Question, SeriesRow};
use sla::scorecard::PinnedHour;
use sla::supply::{Supply, Word};
use sla::window::{Hour, Span, Window};
use warehouse::page::{Page, Paged};
use warehouse::record::{
    BatchRow, EpochRow, HourRecord, PublisherRow, RefusalCount, RefusalNote, Sums, Touch,
    TouchedHour, UnrolledHour, WindowRecord,
};
use warehouse::sqlite::Sqlite;
use warehouse::view::{
    HourView, JobFilter, JobRow, OperatorRow, OrchestratorRow, ProvisionalView, RefusalRow,
    RevisionRow, ScoreFilter, ScoreRow, ScorecardView, SpanRow, WindowRow, WindowView,
};
use warehouse::{Error, Reader, Warehouse};

pub struct Killed {
    home: Sqlite,
    writes: AtomicU64,
}

impl Killed {
    pub fn after(writes: u64, home: Sqlite) -> Self {
        Self { home, writes: AtomicU64::new(writes) }
    }

    /// The home, once a write: an error that nobody tries again stands for the end of the process.
    fn write(&self) -> Result<&Sqlite, Error> {
        let less = |left: u64| left.checked_sub(1);
        match self.writes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
            Ok(_) => Ok(&self.home),
            Err(_) => Err(Error::Corrupt { action: "write", what: "killed".to_owned() }),
        }
    }
}

/// Methods that ask the home itself.
macro_rules! ask {
    ($(fn $name:ident(&self $(, $argument:ident: $of:ty)* $(,)?) -> $answer:ty;)*) => {$(
        fn $name(&self $(, $argument: $of)*) -> Result<$answer, Error> {
            self.home.$name($($argument),*)
        }
    )*};
}

/// Methods that count as a write.
macro_rules! write {
    ($(fn $name:ident(&self $(, $argument:ident: $of:ty)* $(,)?) -> $answer:ty;)*) => {$(
        fn $name(&self $(, $argument: $of)*) -> Result<$answer, Error> {
            self.write()?.$name($($argument),*)
        }
    )*};
}

impl Reader for Killed {
    ask! {
        fn version(&self) -> u64;
        fn batches_sealed(&self, network: Network, span: RangeInclusive<UnixMillis>) -> Vec<BatchRow>;
        fn record_batch_rows(&self, network: Network) -> Vec<BatchRow>;
        fn mapping_batch_rows(&self, network: Network, span: RangeInclusive<UnixMillis>) -> Vec<BatchRow>;
        fn batch_rows_at(&self, network: Network, positions: &[Position]) -> Vec<BatchRow>;
        fn epochs(&self, network: Network) -> Vec<EpochRow>;
        fn last_ordinal(&self) -> Option<u64>;
        fn touched_hours(&self, network: Network) -> Vec<TouchedHour>;
        fn cursor(&self, name: &str) -> Option<u64>;
        fn document(&self, digest: &Digest) -> Option<Vec<u8>>;
        fn windows(&self, network: Network, page: &Page) -> Paged<WindowRow>;
        fn revisions(&self, network: Network, hour: Hour) -> Vec<RevisionRow>;
        fn hour_record(&self, network: Network, hour: Hour, revision: Option<u32>) -> Option<HourView>;
        fn provisional(&self, network: Network, hour: Hour) -> Option<ProvisionalView>;
        fn settled_hours(&self, network: Network, hours: RangeInclusive<Hour>) -> Vec<PinnedHour>;
        fn tally_bytes(&self, network: Network, hour: Hour, revision: u32) -> Option<Vec<u8>>;
        fn register_at(&self, network: Network, day: u64) -> Option<(u64, Digest)>;
        fn unrolled_hours(&self, network: Network) -> Vec<UnrolledHour>;
        fn window_record(&self, network: Network, window: Window) -> Option<WindowView>;
        fn spans(&self, network: Network, length: Span, hours: RangeInclusive<Hour>, limit: usize) -> Vec<SpanRow>;
        fn newest_window(&self, network: Network, span: Span) -> Option<Window>;
        fn scorecard(&self, network: Network, window: Window) -> Option<ScorecardView>;
        fn scores(&self, network: Network, window: Window, filter: &ScoreFilter, page: &Page) -> Paged<ScoreRow>;
        fn jobs(&self, network: Network, filter: &JobFilter, page: &Page) -> Paged<JobRow>;
        fn hour_jobs(&self, network: Network, hour: Hour, after: Option<JobId>) -> Vec<JobFact>;
        fn job(&self, network: Network, job_id: JobId) -> Vec<JobRow>;
        fn orchestrators(&self, network: Network, now_ms: UnixMillis, page: &Page) -> Paged<OrchestratorRow>;
        fn series(&self, network: Network, question: &Question) -> Vec<SeriesRow>;
        fn supply(&self, network: Network, hours: RangeInclusive<Hour>) -> Arc<[Supply]>;
        fn tests(&self, network: Network, span: std::ops::RangeInclusive<UnixMillis>, limit: usize) -> warehouse::view::TestedHours;
        fn operators(&self, network: Network) -> Vec<OperatorRow>;
        fn regions(&self, network: Network) -> std::collections::BTreeSet<events::identity::Region>;
        fn publishers(&self, network: Network, page: &Page) -> Paged<PublisherRow>;
        fn refusals(&self, network: Network, key: Option<&PublisherKey>) -> Vec<RefusalRow>;
        fn refusal_notes(&self, network: Network, keys: &[PublisherKey], limit: usize) -> Vec<RefusalNote>;
    }
}

impl Warehouse for Killed {
    write! {
        fn record_batches(&self, rows: &[BatchRow], cursor: Option<(&str, u64)>) -> ();
        fn record_noted(&self, rows: &[BatchRow], touches: &[Touch], cursor: (&str, u64)) -> ();
        fn touch(&self, touches: &[Touch]) -> ();
        fn record_looked(&self, network: Network, hour: Hour, now: UnixMillis) -> ();
        fn set_cursor(&self, name: &str, ordinal: u64) -> ();
        fn record_document(&self, bytes: &[u8]) -> Digest;
        fn record_hour(&self, record: &HourRecord) -> ();
        fn record_provisional(
            &self,
            network: Network,
            hour: Hour,
            jobs: &[JobFact],
            sums: Option<Sums<'_>>,
            now_ms: UnixMillis,
        ) -> bool;
        fn record_rollup(&self, network: Network, hour: Hour, rollup: &Rollup, supply: &[Word], tests: &[sla::tested::Tested]) -> ();
        fn record_day(&self, network: Network) -> bool;
        fn record_register(&self, network: Network, day: u64, bytes: &[u8]) -> Digest;
        fn record_window(&self, record: &WindowRecord) -> ();
        fn record_rolled(&self, network: Network, hours: &[Hour]) -> ();
        fn record_publishers(&self, rows: &[PublisherRow]) -> ();
        fn record_refusals(&self, counts: &[RefusalCount], notes: &[RefusalNote]) -> ();
    }
}
