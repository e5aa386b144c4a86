//! What the paths read from, and how many may read at once. It never writes and never computes a score.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::event::Network;
use events::identity::PublisherKey;
use events::refusal::Defect;
use ledger::Ledger;
use pace::Visitors;
use sla::supply::Supply;
use sla::window::Hour;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use warehouse::Reader;

use crate::count::Counters;
use crate::delegates::Delegates;
use crate::delivery::Kept;
use crate::exports::Exports;
use crate::health::Check;
use crate::latest::Latest;
use crate::live::Feed;
use crate::metrics::Contributor;
use crate::private::Private;
use crate::problem::Problem;
use crate::routing::Policies;

/// Tells the time in Unix milliseconds.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// Gives the ledger, which is asked for anew with every request.
pub type LedgerSource = Arc<dyn Fn() -> Arc<Ledger> + Send + Sync>;

/// A node of this process, and what it refused of what it heard.
#[derive(Clone)]
pub struct Heard {
    /// Its network.
    pub network: Network,
    /// Its key.
    pub publisher: PublisherKey,
    /// How often it refused what, since the process began.
    pub refused: Arc<dyn Fn() -> BTreeMap<Defect, u64> + Send + Sync>,
}

/// How much is taken on at once.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes a request body may announce.
    pub body_bytes: u64,
    /// Export files sent at once.
    pub exports: usize,
    /// Bytes of answers that are kept for whoever asks the same; 0 for none.
    pub kept_bytes: usize,
    /// Reads of warehouse and ledger at once; further requests wait.
    pub reads: usize,
    /// Replays of routing policies at once; further ones are told to come back.
    pub replays: usize,
    /// How long an answer may take to begin.
    pub request_ms: u64,
    /// Requests under way; further ones are told to come back.
    pub requests: usize,
    /// Listeners of `/v1/events`; further ones are told to come back.
    pub streams: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 64 * 1024,
            exports: 4,
            kept_bytes: 32 * 1024 * 1024,
            reads: 8,
            replays: 1,
            request_ms: 10_000,
            requests: 512,
            streams: 256,
        }
    }
}

/// Everything `naap` passes in.
pub struct Parts {
    /// What must work.
    pub checks: Vec<Check>,
    /// The time.
    pub clock: Clock,
    /// Whoever has counters.
    pub contributors: Vec<Contributor>,
    /// Where exports come from.
    pub exports: Arc<dyn Exports>,
    /// Live events.
    pub feed: Arc<Feed>,
    /// Where batches are read back from.
    pub ledger: LedgerSource,
    /// How much is taken on at once.
    pub limits: Limits,
    /// The network of a request that names none; every answer says which it is about.
    pub network: Network,
    /// The nodes that hear in this process.
    pub nodes: Vec<Heard>,
    /// The routing policies; the first holds where a request names none.
    pub policies: Policies,
    /// What feeds and private views need.
    pub private: Private,
    /// Cancelled when the process stops: listeners are let go.
    pub stopping: CancellationToken,
    /// How often each client may call.
    pub visitors: Arc<Visitors>,
    /// Where facts and scorecards are read.
    pub warehouse: Arc<dyn Reader>,
}

/// What a blocking read reads from.
pub struct Sources {
    /// Where exports come from.
    pub exports: Arc<dyn Exports>,
    ledger: LedgerSource,
    /// Where facts and scorecards are read.
    pub warehouse: Arc<dyn Reader>,
}

/// How many hours back an offer is looked for: gateways tell of offers every 25 minutes where nothing is configured
/// (go-livepeer's `-liveAICapReportInterval`), so a day bridges those that were away.
const OFFER_HOURS: u64 = 24;

impl Sources {
    /// What each orchestrator offered at each of its service URLs, by the latest word in the day that ends with the
    /// hour `last`.
    pub fn offers(&self, network: Network, last: Hour) -> Result<Arc<[Supply]>, Problem> {
        let first = Hour((last.0 + 1).saturating_sub(OFFER_HOURS));
        self.warehouse.supply(network, first..=last).map_err(Problem::warehouse)
    }

    /// The ledger as it is now.
    pub fn ledger(&self) -> Arc<Ledger> {
        (self.ledger)()
    }
}

/// What every path is given. Cheap to clone.
#[derive(Clone)]
pub struct State(Arc<Inner>);

struct Inner {
    checks: Vec<Check>,
    clock: Clock,
    contributors: Vec<Contributor>,
    counters: Counters,
    delegates: Delegates,
    exports: Arc<Semaphore>,
    feed: Arc<Feed>,
    inspections: Arc<Semaphore>,
    kept: Kept,
    latest: Latest,
    limits: Limits,
    network: Network,
    nodes: Vec<Heard>,
    policies: Policies,
    private: Private,
    reads: Arc<Semaphore>,
    replays: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    sources: Arc<Sources>,
    stopping: CancellationToken,
    streams: Arc<Semaphore>,
    visitors: Arc<Visitors>,
}

/// Health checks and metrics at once, apart from other reads so that they answer when those are stuck.
const INSPECTIONS: usize = 2;

impl State {
    /// The state of an API over these parts.
    pub fn new(parts: Parts) -> Self {
        let gate = |permits: usize| Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS)));
        let Parts { exports, ledger, limits, warehouse, .. } = parts;
        Self(Arc::new(Inner {
            checks: parts.checks,
            clock: parts.clock,
            contributors: parts.contributors,
            counters: Counters::default(),
            delegates: Delegates::default(),
            exports: gate(limits.exports),
            feed: parts.feed,
            inspections: gate(INSPECTIONS),
            kept: Kept::new(limits.kept_bytes),
            latest: Latest::default(),
            limits,
            network: parts.network,
            nodes: parts.nodes,
            policies: parts.policies,
            private: parts.private,
            reads: gate(limits.reads),
            replays: gate(limits.replays),
            requests: gate(limits.requests),
            sources: Arc::new(Sources { exports, ledger, warehouse }),
            stopping: parts.stopping,
            streams: gate(limits.streams),
            visitors: parts.visitors,
        }))
    }

    /// What must work.
    pub fn checks(&self) -> &[Check] {
        &self.0.checks
    }

    /// Whoever has counters.
    pub fn contributors(&self) -> &[Contributor] {
        &self.0.contributors
    }

    /// Our own counters.
    pub fn counters(&self) -> &Counters {
        &self.0.counters
    }

    /// Whose keys are whose.
    pub fn delegates(&self) -> &Delegates {
        &self.0.delegates
    }

    /// Live events.
    pub fn feed(&self) -> &Feed {
        &self.0.feed
    }

    /// The answers that are kept.
    pub fn kept(&self) -> &Kept {
        &self.0.kept
    }

    /// The newest windows that were asked for.
    pub fn latest(&self) -> &Latest {
        &self.0.latest
    }

    /// How much is taken on at once.
    pub fn limits(&self) -> Limits {
        self.0.limits
    }

    /// The network asked for, or the configured one.
    pub fn network(&self, asked: Option<Network>) -> Network {
        asked.unwrap_or(self.0.network)
    }

    /// The routing policies.
    pub fn policies(&self) -> &Policies {
        &self.0.policies
    }

    /// The nodes that hear in this process.
    pub fn nodes(&self) -> &[Heard] {
        &self.0.nodes
    }

    /// What feeds and private views need.
    pub fn private(&self) -> &Private {
        &self.0.private
    }

    /// The time.
    pub fn now(&self) -> events::unit::UnixMillis {
        events::unit::UnixMillis((self.0.clock)())
    }

    /// Cancelled when the process stops.
    pub fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    /// How often each client may call.
    pub fn visitors(&self) -> &Visitors {
        &self.0.visitors
    }

    /// The version of what is read, by which answers are kept; none where it cannot be told, and nothing is kept.
    pub fn version(&self) -> Option<u64> {
        self.0.sources.warehouse.version().ok()
    }

    /// Room for one more request, if there is any.
    pub fn request_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.0.requests).try_acquire_owned();
        permit.map_err(|_| Problem::busy("requests under way"))
    }

    /// Room for one more listener, if there is any.
    pub fn stream_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.0.streams).try_acquire_owned();
        permit.map_err(|_| Problem::busy("listeners"))
    }

    /// Room to send one more export file, if there is any.
    pub fn export_permit(&self) -> Result<OwnedSemaphorePermit, Problem> {
        let permit = Arc::clone(&self.0.exports).try_acquire_owned();
        permit.map_err(|_| Problem::busy("exports under way"))
    }

    /// Reads from the stores on a thread that may block, when there is room.
    ///
    /// The room is held until the read has ended, even when nobody waits for it any more.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Sources) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let sources = Arc::clone(&self.0.sources);
        block(&self.0.reads, move || work(&sources)).await?
    }

    /// Reads whole days to replay them, if there is room. That takes seconds and a core, so it has room of its own, which is
    /// held until it has ended, even when nobody waits for it any more; other reads keep theirs.
    pub async fn replay<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Sources) -> Result<T, Problem> + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.0.replays).try_acquire_owned();
        let permit = permit.map_err(|_| Problem::busy("replays under way"))?;
        let sources = Arc::clone(&self.0.sources);
        hold(permit, move || work(&sources)).await?
    }

    /// Looks at ourselves on a thread that may block.
    pub async fn inspect<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let state = self.clone();
        block(&self.0.inspections, move || work(&state)).await
    }
}

async fn block<T: Send + 'static>(
    gate: &Arc<Semaphore>,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let permit = Arc::clone(gate).acquire_owned().await.map_err(|_| Problem::internal())?;
    hold(permit, work).await
}

/// Works on a thread that may block, and holds the room for it until it has ended.
async fn hold<T: Send + 'static>(
    permit: OwnedSemaphorePermit,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Problem> {
    let task = tokio::task::spawn_blocking(move || {
        let done = work();
        drop(permit);
        done
    });
    task.await.map_err(|error| {
        tracing::error!(error = %error, "a read ended without an answer");
        Problem::internal()
    })
}
