//! The questions, answered on whatever connection the home lends. It writes nothing.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use events::batch::Position;
use events::event::Network;
use events::identity::{Digest, JobId, PublisherKey, Region};
use events::unit::UnixMillis;
use rusqlite::Connection;
use sla::hour::fact::JobFact;
use sla::rollup::series::{Question, SeriesRow};
use sla::scorecard::PinnedHour;
use sla::supply::Supply;
use sla::window::{Hour, Span, Window};

use crate::page::{Page, Paged};
use crate::record::{BatchRow, EpochRow, PublisherRow, RefusalNote, TouchedHour, UnrolledHour};
use crate::sqlite::cache::Cache;
use crate::sqlite::rollups::Counts;
use crate::sqlite::{
    agenda, batches, hours, notes, offers, orchestrators, publishers, rollups, scores, search,
    spans, standing, tested,
};
use crate::view::{
    HourView, JobFilter, JobRow, OperatorRow, OrchestratorRow, ProvisionalView, RefusalRow,
    RevisionRow, ScoreFilter, ScoreRow, ScorecardView, SpanRow, TestedHours, WindowRow, WindowView,
};
use crate::{Error, Reader};

/// Lends connections that read.
pub trait Source: Send + Sync {
    /// What was read before.
    fn cache(&self) -> &Cache;

    /// Runs `read` on a connection; all it sees is of one moment.
    fn read<T>(
        &self,
        action: &'static str,
        read: impl FnOnce(&Connection) -> Result<T, Error>,
    ) -> Result<T, Error>;

    /// [`Reader::version`].
    fn version(&self) -> Result<u64, Error>;
}

impl<S: Source> Reader for S {
    fn version(&self) -> Result<u64, Error> {
        Source::version(self)
    }

    fn batches_sealed(
        &self,
        network: Network,
        span: RangeInclusive<UnixMillis>,
    ) -> Result<Vec<BatchRow>, Error> {
        self.read("read batches", |connection| batches::sealed(connection, network, &span))
    }

    fn record_batch_rows(&self, network: Network) -> Result<Vec<BatchRow>, Error> {
        self.read("read batches", |connection| batches::with_records(connection, network))
    }

    fn mapping_batch_rows(
        &self,
        network: Network,
        span: RangeInclusive<UnixMillis>,
    ) -> Result<Vec<BatchRow>, Error> {
        self.read("read batches", |connection| batches::with_mappings(connection, network, &span))
    }

    fn batch_rows_at(
        &self,
        network: Network,
        positions: &[Position],
    ) -> Result<Vec<BatchRow>, Error> {
        self.read("read batches", |connection| batches::at(connection, network, positions))
    }

    fn epochs(&self, network: Network) -> Result<Vec<EpochRow>, Error> {
        self.read("read batches", |connection| batches::epochs(connection, network))
    }

    fn touched_hours(&self, network: Network) -> Result<Vec<TouchedHour>, Error> {
        self.read("read the hours to be looked at", |connection| {
            agenda::touched(connection, network)
        })
    }

    fn last_ordinal(&self) -> Result<Option<u64>, Error> {
        self.read("read batches", batches::last_ordinal)
    }

    fn cursor(&self, name: &str) -> Result<Option<u64>, Error> {
        self.read("read a cursor", |connection| batches::cursor(connection, name))
    }

    fn document(&self, digest: &Digest) -> Result<Option<Vec<u8>>, Error> {
        self.read("read a document", |connection| batches::document(connection, digest))
    }

    fn windows(&self, network: Network, page: &Page) -> Result<Paged<WindowRow>, Error> {
        self.read("read windows", |connection| hours::windows(connection, network, page))
    }

    fn revisions(&self, network: Network, hour: Hour) -> Result<Vec<RevisionRow>, Error> {
        self.read("read revisions", |connection| hours::revisions(connection, network, hour))
    }

    fn hour_record(
        &self,
        network: Network,
        hour: Hour,
        revision: Option<u32>,
    ) -> Result<Option<HourView>, Error> {
        self.read("read an hour", |connection| {
            hours::hour_record(connection, network, hour, revision)
        })
    }

    fn provisional(&self, network: Network, hour: Hour) -> Result<Option<ProvisionalView>, Error> {
        self.read("read an hour", |connection| hours::provisional(connection, network, hour))
    }

    fn settled_hours(
        &self,
        network: Network,
        hours: RangeInclusive<Hour>,
    ) -> Result<Vec<PinnedHour>, Error> {
        self.read(standing::READ_TALLY, |connection| {
            standing::settled_hours(connection, network, &hours)
        })
    }

    fn tally_bytes(
        &self,
        network: Network,
        hour: Hour,
        revision: u32,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.read(standing::READ_TALLY, |connection| {
            standing::tally_bytes(connection, network, hour, revision)
        })
    }

    fn register_at(&self, network: Network, day: u64) -> Result<Option<(u64, Digest)>, Error> {
        self.read(standing::READ, |connection| standing::at(connection, network, day))
    }

    fn unrolled_hours(&self, network: Network) -> Result<Vec<UnrolledHour>, Error> {
        self.read(spans::READ, |connection| spans::unrolled(connection, network))
    }

    fn window_record(&self, network: Network, window: Window) -> Result<Option<WindowView>, Error> {
        self.read(spans::READ, |connection| spans::view(connection, network, window))
    }

    fn spans(
        &self,
        network: Network,
        length: Span,
        hours: RangeInclusive<Hour>,
        limit: usize,
    ) -> Result<Vec<SpanRow>, Error> {
        self.read(spans::READ, |connection| spans::list(connection, network, length, &hours, limit))
    }

    fn newest_window(&self, network: Network, span: Span) -> Result<Option<Window>, Error> {
        self.read(spans::READ, |connection| spans::newest(connection, network, span))
    }

    fn scorecard(&self, network: Network, window: Window) -> Result<Option<ScorecardView>, Error> {
        let cache = self.cache();
        self.read(spans::READ, |connection| spans::scorecard(connection, cache, network, window))
    }

    fn scores(
        &self,
        network: Network,
        window: Window,
        filter: &ScoreFilter,
        page: &Page,
    ) -> Result<Paged<ScoreRow>, Error> {
        let cache = self.cache();
        self.read("read scores", |connection| match window.span {
            Span::Hour => scores::select(connection, network, window.last, filter, page),
            _ => spans::scores(connection, cache, network, window, filter, page),
        })
    }

    fn jobs(
        &self,
        network: Network,
        filter: &JobFilter,
        page: &Page,
    ) -> Result<Paged<JobRow>, Error> {
        self.read("read jobs", |connection| search::select(connection, network, filter, page))
    }

    fn hour_jobs(
        &self,
        network: Network,
        hour: Hour,
        after: Option<JobId>,
    ) -> Result<Vec<JobFact>, Error> {
        self.read("read the jobs of an hour", |connection| {
            search::of_hour(connection, network, hour, after)
        })
    }

    fn job(&self, network: Network, job_id: JobId) -> Result<Vec<JobRow>, Error> {
        self.read("read a job", |connection| search::job(connection, network, job_id))
    }

    fn orchestrators(
        &self,
        network: Network,
        now_ms: UnixMillis,
        page: &Page,
    ) -> Result<Paged<OrchestratorRow>, Error> {
        self.read("read orchestrators", |connection| {
            orchestrators::select(connection, network, now_ms, page)
        })
    }

    fn series(&self, network: Network, question: &Question) -> Result<Vec<SeriesRow>, Error> {
        let cache = self.cache();
        self.read(rollups::READ, |connection| {
            Counts { cache, connection, network }.series(question)
        })
    }

    fn supply(
        &self,
        network: Network,
        hours: RangeInclusive<Hour>,
    ) -> Result<Arc<[Supply]>, Error> {
        let cache = self.cache();
        self.read(offers::READ, |connection| offers::select(connection, cache, network, &hours))
    }

    fn tests(
        &self,
        network: Network,
        span: RangeInclusive<UnixMillis>,
        limit: usize,
    ) -> Result<TestedHours, Error> {
        let cache = self.cache();
        self.read(tested::READ, |connection| {
            tested::select(connection, cache, network, &span, limit)
        })
    }

    fn regions(&self, network: Network) -> Result<BTreeSet<Region>, Error> {
        self.read(rollups::READ, |connection| rollups::regions(connection, network))
    }

    fn operators(&self, network: Network) -> Result<Vec<OperatorRow>, Error> {
        self.read(offers::READ, |connection| offers::operators(connection, network))
    }

    fn publishers(&self, network: Network, page: &Page) -> Result<Paged<PublisherRow>, Error> {
        self.read("read publishers", |connection| publishers::select(connection, network, page))
    }

    fn refusal_notes(
        &self,
        network: Network,
        keys: &[PublisherKey],
        limit: usize,
    ) -> Result<Vec<RefusalNote>, Error> {
        self.read(notes::READ, |connection| notes::select(connection, network, keys, limit))
    }

    fn refusals(
        &self,
        network: Network,
        key: Option<&PublisherKey>,
    ) -> Result<Vec<RefusalRow>, Error> {
        self.read("read refusals", |connection| publishers::refusals(connection, network, key))
    }
}
