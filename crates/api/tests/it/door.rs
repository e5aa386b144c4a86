//! The door over loopback: graceful stop, bounds on slow clients, many requests on one connection.

use std::net::SocketAddr;
use std::time::Duration;

use api::serve::Options;
use axum::extract::ConnectInfo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::world::World;

/// Nothing here takes nearly as long.
const DEADLINE: Duration = Duration::from_secs(20);

struct Door {
    address: std::net::SocketAddr,
    cancel: CancellationToken,
    task: JoinHandle<Result<(), api::Error>>,
}

impl Door {
    async fn open(world: &World, options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, cancel) = (listener.local_addr().unwrap(), world.stopping.clone());
        let task =
            tokio::spawn(api::serve(listener, world.router.clone(), options, cancel.clone()));
        Self { address, cancel, task }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    async fn stop(self) {
        self.cancel.cancel();
        tokio::time::timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_request_carries_who_called() {
    let say = async |ConnectInfo(from): ConnectInfo<SocketAddr>| from.to_string();
    let router = axum::Router::new().route("/", axum::routing::get(say));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, cancel) = (listener.local_addr().unwrap(), CancellationToken::new());
    let task = tokio::spawn(api::serve(listener, router, Options::default(), cancel.clone()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let own = stream.local_addr().unwrap().to_string();
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    until(&mut stream, &own).await;
    cancel.cancel();
    tokio::time::timeout(DEADLINE, task).await.unwrap().unwrap().unwrap();
}

/// Reads until this text has come.
async fn until(stream: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let work = async {
        while !String::from_utf8_lossy(&read).contains(text) {
            let mut chunk = [0; 4096];
            let count = stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "ended before {text}: {}", String::from_utf8_lossy(&read));
            read.extend_from_slice(&chunk[..count]);
        }
    };
    tokio::time::timeout(DEADLINE, work).await.unwrap();
    String::from_utf8(read).unwrap()
}

/// Reads to the end of the connection, however it ends.
async fn to_end(stream: &mut TcpStream) -> Vec<u8> {
    let mut read = Vec::new();
    tokio::time::timeout(DEADLINE, stream.read_to_end(&mut read)).await.unwrap().ok();
    read
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_long_queries_reach_the_router() {
    let world = World::settled();
    let door = Door::open(&world, Options::default()).await;
    let mut stream = door.connect().await;
    for _ in 0..3 {
        stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: naap\r\n\r\n").await.unwrap();
        assert!(until(&mut stream, "\"checks\"").await.starts_with("HTTP/1.1 200"));
    }
    let long = format!("GET /v1/jobs?model={} HTTP/1.1\r\nhost: naap\r\n\r\n", "m".repeat(20_000));
    stream.write_all(long.as_bytes()).await.unwrap();
    let answer = until(&mut stream, "E-API-QUERY-LENGTH").await;
    assert!(answer.starts_with("HTTP/1.1 414"), "{answer}");
    door.stop().await;
}

#[tokio::test]
async fn stopping_ends_listeners_and_idle_connections() {
    let world = World::empty();
    let door = Door::open(&world, Options::default()).await;
    let mut listener = door.connect().await;
    listener.write_all(b"GET /v1/events HTTP/1.1\r\nhost: naap\r\n\r\n").await.unwrap();
    until(&mut listener, ": listening").await;
    let mut idle = door.connect().await;
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: naap\r\n\r\n").await.unwrap();
    until(&mut idle, "\"checks\"").await;
    door.stop().await;
    let rest = String::from_utf8(to_end(&mut listener).await).unwrap();
    assert!(rest.contains(": stopping"), "{rest}");
    assert!(to_end(&mut idle).await.is_empty());
}

#[tokio::test]
async fn a_client_that_never_finishes_its_request_is_let_go() {
    let world = World::empty();
    let door = Door::open(&world, Options { head_ms: 50, ..Options::default() }).await;
    let mut stream = door.connect().await;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: na").await.unwrap();
    to_end(&mut stream).await;
    let mut silent = door.connect().await;
    to_end(&mut silent).await;
    door.stop().await;
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_let_go() {
    let world = World::empty();
    let large = vec![b'x'; 64 * 1024 * 1024];
    world.exports.files.lock().unwrap().insert("batches.ndjson".to_owned(), large);
    let options = Options { stall_ms: 50, connections: 1, ..Options::default() };
    let door = Door::open(&world, options).await;
    let mut stuck = door.connect().await;
    let request = b"GET /v1/exports/2026-01-08T21Z/batches.ndjson HTTP/1.1\r\nhost: naap\r\n\r\n";
    stuck.write_all(request).await.unwrap();
    // There is room for one connection only, so this one is served when the stuck one has been let go.
    let mut next = door.connect().await;
    next.write_all(b"GET /healthz HTTP/1.1\r\nhost: naap\r\n\r\n").await.unwrap();
    until(&mut next, "\"checks\"").await;
    assert!(to_end(&mut stuck).await.len() < 64 * 1024 * 1024);
    door.stop().await;
}
