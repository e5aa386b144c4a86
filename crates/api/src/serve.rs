//! The door: takes connections, bounds them, and lets the last ones finish when it is time to stop.
//!
//! HTTP/1.1 in plain text, for loopback or behind a proxy that speaks TLS. It knows no path.

mod guests;
mod paced;

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use axum::http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulConnection, GracefulShutdown};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::Error;
use guests::Guests;
use paced::Paced;

/// The bounds of the door.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether clients on this machine may have no more connections than others.
    pub bounds_loopback: bool,
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// Connections of one client at once, where a /64 of IPv6 is one; further ones are told to come back.
    pub connections_per_client: usize,
    /// How long the last answers may take once it is time to stop.
    pub drain_ms: u64,
    /// How long a client may take to send a request's head, or may be idle between requests.
    pub head_ms: u64,
    /// Proxies, which may have as many connections as there are.
    pub proxies: BTreeSet<IpAddr>,
    /// How long a client may take nothing of an answer, or too little: see [`BYTES_PER_S_MIN`].
    pub stall_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            bounds_loopback: false,
            connections: 1_024,
            connections_per_client: 128,
            drain_ms: 10_000,
            head_ms: 15_000,
            proxies: BTreeSet::new(),
            stall_ms: 30_000,
        }
    }
}

/// The most bytes of a request's head: an over-long query must reach the router to be refused there.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A client that takes an answer more slowly than this has, all in all, as long as one that takes nothing. The slowest
/// lines that people still have are several times as fast.
pub const BYTES_PER_S_MIN: u32 = 1_024;

/// What a client is told that has too many connections: nothing of its request was read.
const CROWDED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\n\
    content-length: 0\r\n\r\n";

/// The pause after the system had no room for a connection.
const PAUSE: Duration = Duration::from_millis(100);

/// Serves until `cancel`, then lets the requests under way finish, and cuts off what is left after `drain_ms`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: Options,
    cancel: CancellationToken,
) -> Result<(), Error> {
    let room = Arc::new(Semaphore::new(options.connections.clamp(1, Semaphore::MAX_PERMITS)));
    let guests = Arc::new(Guests::new(&options));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let outcome = loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = cancel.cancelled() => break Ok(()),
            next = next => next,
        };
        while connections.try_join_next().is_some() {}
        match accepted {
            Ok((stream, from)) => {
                let Some(guest) = guests.admit(from.ip()) else {
                    // It fits what the system buffers for any connection; where it does not, there is nobody to tell.
                    stream.try_write(CROWDED).ok();
                    continue;
                };
                let connection = connect(stream, from, router.clone(), &options);
                let connection = graceful.watch(connection);
                connections.spawn(async move {
                    // Whatever ended it, the client is gone: there is nobody to tell.
                    connection.await.ok();
                    drop((guest, permit));
                });
            }
            Err(source) if is_lasting(&source) => break Err(Error::Accept { source }),
            Err(error) => {
                tracing::warn!(error = %error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    };
    drop(listener);
    let drain = Duration::from_millis(options.drain_ms);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(connections = connections.len(), "cut off what was still under way");
    }
    connections.shutdown().await;
    outcome
}

/// Answers one client; its requests carry its address.
fn connect(
    stream: TcpStream,
    from: SocketAddr,
    router: Router,
    options: &Options,
) -> impl GracefulConnection<Error = hyper::Error> + use<> {
    let router = TowerToHyperService::new(router);
    let answer = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(from));
        router.call(request)
    });
    // Small answers leave at once; where the system refuses that, they are only slower.
    stream.set_nodelay(true).ok();
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(options.head_ms))
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(
            TokioIo::new(Paced::new(stream, Duration::from_millis(options.stall_ms))),
            answer,
        )
}

/// Whether the listener itself is broken, as against one connection or a moment's shortage.
fn is_lasting(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::InvalidInput | io::ErrorKind::NotConnected | io::ErrorKind::Unsupported
    )
}
