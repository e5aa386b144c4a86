//! The door of the API: what it reads from, what else answers there, and where.
//!
//! Which roles there are is decided elsewhere; here the parts they give are put together.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use api::live::Feed;
use api::serve::Options;
use api::state::LedgerSource;
use api::{Limits, Parts, State};
use pace::{Allowance, Visitors};
use pipeline::Clock;
use publisher::intake::posted;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use warehouse::Reader;

use crate::config::Config;
use crate::exports::LedgerExports;
use crate::{leaderboard, store};

/// What roles give to the API.
#[derive(Default)]
pub struct Gifts {
    /// What must work.
    pub checks: Vec<api::health::Check>,
    /// Whoever counts.
    pub contributors: Vec<api::metrics::Contributor>,
    /// The nodes that hear in this process.
    pub nodes: Vec<api::state::Heard>,
    /// What feeds and private views need.
    pub private: Option<api::Private>,
    /// The door of the leaderboard; none where nobody listens behind it.
    pub routes: Option<axum::Router>,
}

impl Gifts {
    /// Adds what another role gives.
    pub fn extend(&mut self, more: Self) {
        self.checks.extend(more.checks);
        self.contributors.extend(more.contributors);
        self.nodes.extend(more.nodes);
        self.private = more.private.or(self.private.take());
        self.routes = more.routes.or(self.routes.take());
    }
}

/// What the API reads from.
#[derive(Clone)]
pub struct Sources {
    /// The record.
    pub ledger: LedgerSource,
    /// The facts.
    pub warehouse: Arc<dyn Reader>,
}

/// The API over these sources.
pub fn router(
    config: &Config,
    clock: &Clock,
    sources: Sources,
    feed: Arc<Feed>,
    gifts: Gifts,
    stopping: CancellationToken,
) -> anyhow::Result<axum::Router> {
    let limits = Limits {
        exports: config.api.exports_max,
        kept_bytes: config.api.kept_bytes_max,
        reads: config.api.reads_max,
        request_ms: config.api.request_ms,
        requests: config.api.requests_max,
        streams: config.api.streams_max,
        ..Limits::default()
    };
    let visitors = visitors(config);
    let routes = gifts.routes.unwrap_or_else(posted::closed);
    let routes = leaderboard::paced(routes, Arc::clone(&visitors));
    let clock = Arc::clone(clock);
    let exports = LedgerExports::new(sources.ledger.clone(), Arc::clone(&sources.warehouse));
    let reading = api::router(State::new(Parts {
        checks: gifts.checks,
        clock: Arc::new(move || clock().0),
        contributors: gifts.contributors,
        exports: Arc::new(exports),
        feed,
        ledger: sources.ledger,
        limits,
        network: config.instance.network,
        nodes: gifts.nodes,
        policies: store::routing_policies(config)?,
        private: gifts.private.unwrap_or_default(),
        stopping,
        visitors,
        warehouse: sources.warehouse,
    }));
    Ok(reading.merge(routes))
}

/// How often one client may call, whatever it calls.
fn visitors(config: &Config) -> Arc<Visitors> {
    Arc::new(Visitors::new(Allowance {
        bounds_loopback: config.api.bounds_loopback,
        burst: config.api.requests_burst,
        per_second: config.api.requests_per_s,
        proxies: config.accept.proxies.clone(),
    }))
}

/// Takes an address to listen on.
pub async fn bind(address: SocketAddr, what: &str, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| taken(address, what, flag))
}

/// What to do about an address that cannot be listened on.
pub fn taken(address: SocketAddr, what: &str, flag: &str) -> String {
    format!(
        "cannot listen on {address} for {what}: free the port, or name another with {flag} (port 0: any)"
    )
}

/// The bounds of a door.
pub fn door(config: &Config) -> Options {
    Options {
        bounds_loopback: config.api.bounds_loopback,
        connections: config.api.connections_max,
        connections_per_client: config.api.connections_per_client_max,
        drain_ms: config.instance.stop_ms / 2,
        head_ms: config.api.head_ms,
        proxies: config.accept.proxies.clone(),
        stall_ms: config.api.stall_ms,
    }
}

/// Serves until `stopping`.
pub async fn serve(
    listener: TcpListener,
    router: axum::Router,
    options: Options,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    api::serve(listener, router, options, stopping).await.context("the API failed")
}
