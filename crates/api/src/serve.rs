//! The door: takes connections, bounds them, and lets the last ones finish when it is time to stop.
//!
//! HTTP/1.1 in plain text, for loopback or behind a proxy that speaks TLS. It knows no path.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
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
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Sleep;
use tokio_util::sync::CancellationToken;

use crate::Error;

/// The bounds of the door.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Connections at once; further ones wait to be accepted.
    pub connections: usize,
    /// How long the last answers may take once it is time to stop.
    pub drain_ms: u64,
    /// How long a client may take to send a request's head, or may be idle between requests.
    pub head_ms: u64,
    /// How long a client may take nothing of an answer.
    pub stall_ms: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 1_024, drain_ms: 10_000, head_ms: 15_000, stall_ms: 30_000 }
    }
}

/// The most bytes of a request's head: an over-long query must reach the router to be refused there.
const HEAD_BYTES_MAX: usize = 64 * 1024;

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
                let connection = connect(stream, from, router.clone(), options);
                let connection = graceful.watch(connection);
                connections.spawn(async move {
                    // Whatever ended it, the client is gone: there is nobody to tell.
                    connection.await.ok();
                    drop(permit);
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
    options: Options,
) -> impl GracefulConnection<Error = hyper::Error> {
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

/// A connection whose peer must keep taking what is written.
struct Paced {
    stall: Duration,
    stream: TcpStream,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Paced {
    fn new(stream: TcpStream, stall: Duration) -> Self {
        Self { stall, stream, waiting: None }
    }

    /// Passes on an outcome of writing; a wait that is too long becomes an error.
    fn pace<T>(
        &mut self,
        context: &mut Context<'_>,
        outcome: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if outcome.is_ready() {
            self.waiting = None;
            return outcome;
        }
        let stall = self.stall;
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(stall)));
        ready!(waiting.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl AsyncRead for Paced {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Paced {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = pin!(&mut self.stream).poll_write(context, bytes);
        self.pace(context, outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = pin!(&mut self.stream).poll_write_vectored(context, slices);
        self.pace(context, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = pin!(&mut self.stream).poll_flush(context);
        self.pace(context, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        pin!(&mut self.stream).poll_shutdown(context)
    }
}
