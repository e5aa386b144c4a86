//! What `dev` and `ingest` have in common: a record that is written, settled, repaired and served in one process.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use api::live::{Bounds, Feed};
use api::metrics::Exposition;
use api::state::LedgerSource;
use channel::address::Policy;
use channel::http::{Limits, Peer, Served};
use events::event::Network;
use pace::{Allowance, Visitors};
use pipeline::Clock;
use pipeline::repair::{Progress, RepairError, repair};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::accept::{Door, Fault};
use crate::config::Config;
use crate::doors;
use crate::instance::Instance;
use crate::private;
use crate::process::{Deadline, Failures};
use crate::settling::{self, Settling};
use crate::store::Store;
use crate::web::{self, Gifts, Sources};

/// The parts at work.
pub struct Backbone {
    /// Where the API answers.
    pub address: SocketAddr,
    repairs: Vec<JoinHandle<()>>,
    serving: JoinHandle<()>,
    settling: Settling,
    stopping: CancellationToken,
    telling: Vec<JoinHandle<()>>,
}

/// A backbone whose API does not answer yet.
pub struct Foundation {
    /// The record's door.
    pub door: Door,
    gifts: Gifts,
    feed: Arc<Feed>,
    listener: TcpListener,
    settling: Settling,
    store: Store,
}

impl Foundation {
    /// Begins to settle what `store` keeps; the API will answer at `listener`.
    pub fn lay(
        store: Store,
        listener: TcpListener,
        clock: &Clock,
        failures: &Failures,
    ) -> anyhow::Result<Self> {
        let feed = Arc::new(Feed::new(clock(), Bounds::default()));
        let (wake, woken) = settling::waker();
        let door = Door {
            clock: Arc::clone(clock),
            failures: failures.clone(),
            fault: Fault::default(),
            intake: Arc::clone(&store.intake),
            wake: wake.clone(),
        };
        let (settling, gifts) =
            settling::start(&store, &feed, clock, (wake, woken), failures, &door.fault)?;
        Ok(Self { door, gifts, feed, listener, settling, store })
    }

    /// What the record knows of chains.
    pub fn source(&self) -> pipeline::repair::LedgerSource {
        self.store.source()
    }

    /// Lets the API answer, with what the other roles give, and repairs gaps from peers. Whoever `is_at_home` may sign in
    /// at the API's own address on this machine, where nothing else is configured.
    pub fn open(
        self,
        instance: &Instance,
        is_at_home: bool,
        mut gifts: Gifts,
        config: &Config,
        failures: &Failures,
    ) -> anyhow::Result<Backbone> {
        let Self { door, gifts: own, feed, listener, settling, store } = self;
        gifts.checks.splice(0..0, own.checks);
        gifts.contributors.extend(own.contributors);
        let address = listener.local_addr().context("the API's address")?;
        let stopping = CancellationToken::new();
        let ledger: LedgerSource = {
            let ledger = Arc::clone(&store.ledger);
            Arc::new(move || Arc::clone(&ledger))
        };
        let sources = Sources { ledger, warehouse: store.warehouse.clone() };
        let home = Some(address).filter(|_| is_at_home);
        let (private, telling) =
            private::start(instance, config, &store, home, &door.clock, failures, &stopping)?;
        gifts.extend(private);
        let visitors = visitors(config, &mut gifts);
        let served = Served {
            sink: Some(door.sink()),
            feed: None,
            source: Some(Arc::new(store.source())),
            visitors: Some(visitors),
        };
        let peers = channel::http::router(served, Limits::default());
        let router = web::router(config, &door.clock, sources, feed, gifts, stopping.clone())?;
        let router = router.merge(peers);
        let serving = web::serve(listener, router, web::door(config), stopping.clone());
        let serving = failures.watch("serving", serving);
        let mut repairs = Vec::new();
        for url in &config.channel.peers {
            let peer = doors::peer(config, url).context("channel.peers")?;
            let every = Duration::from_millis(config.channel.repair_ms);
            let work = mend(
                store.ledger.clone(),
                door.clone(),
                peer,
                url.clone(),
                every,
                stopping.clone(),
            );
            repairs.push(failures.watch("repairing", work));
        }
        Ok(Backbone { address, repairs, serving, settling, stopping, telling })
    }
}

impl Backbone {
    /// Stops serving, repairing and, last, settling.
    pub async fn stop(self, deadline: Deadline) {
        self.stopping.cancel();
        deadline.join("serving", [self.serving]).await;
        deadline.join("repairing", self.repairs).await;
        deadline.join("telling of changes", self.telling).await;
        let settling = tokio::task::spawn_blocking(move || self.settling.stop());
        deadline.join("settling", [settling]).await;
    }
}

/// Who may call the channel how often; what is turned away is counted.
pub fn visitors(config: &Config, gifts: &mut Gifts) -> Arc<Visitors> {
    let accept = &config.accept;
    let visitors = Arc::new(Visitors::new(Allowance {
        bounds_loopback: false,
        burst: accept.requests_burst,
        per_second: accept.requests_per_s,
        proxies: accept.proxies.clone(),
    }));
    let counted = Arc::clone(&visitors);
    gifts.contributors.push(Arc::new(move |to: &mut Exposition| {
        let meaning = "Requests of addresses that called too often.";
        to.counter("naap_paced_requests_total", meaning, &[], counted.turned_away());
    }));
    visitors
}

/// Which addresses peers may have.
pub fn policy(config: &Config) -> Policy {
    Policy {
        loopback: config.channel.loopback,
        private: config.channel.private,
        ..Policy::default()
    }
}

/// Asks a peer for what the record lacks, again and again.
async fn mend(
    ledger: Arc<ledger::Ledger>,
    door: Door,
    peer: Peer,
    url: String,
    every: Duration,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let (mut is_reachable, mut progress) = (true, Progress::default());
    loop {
        match repair(&ledger, &door.intake, &peer, &door.clock, &mut progress).await {
            Ok(repaired) => {
                if repaired.kept > 0 {
                    door.wake();
                    tracing::info!(
                        peer = url,
                        kept = repaired.kept,
                        refused = repaired.refused,
                        "repaired gaps"
                    );
                }
                is_reachable = true;
            }
            Err(RepairError::Kept(error)) if !error.is_retryable() => return Err(error.into()),
            Err(error) => {
                if std::mem::take(&mut is_reachable) {
                    tracing::warn!(peer = url, %error, "cannot ask a peer for what is missing; trying again");
                }
            }
        }
        tokio::select! {
            () = stopping.cancelled() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
    }
}

/// The networks that a folder knows, by their trust files.
pub fn known_networks(
    instance: &crate::instance::Instance,
) -> anyhow::Result<Vec<sla::trust::TrustFile>> {
    Network::ALL.iter().filter_map(|network| instance.trust(*network).transpose()).collect()
}
