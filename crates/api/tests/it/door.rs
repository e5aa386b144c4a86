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

#[tokio::test]
async fn requests_sent_at_once_are_answered_in_order() {
    let world = World::settled();
    let door = Door::open(&world, Options::default()).await;
    let mut stream = door.connect().await;
    let ask = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: naap\r\n\r\n");
    let all = [ask("/v1/jobs?limit=1"), ask("/v1/nothing"), ask("/healthz")].concat();
    stream.write_all(all.as_bytes()).await.unwrap();
    let answers = until(&mut stream, "\"checks\"").await;
    let statuses: Vec<&str> =
        answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
    assert_eq!(statuses, ["200", "404", "200"]);
    door.stop().await;
}

#[tokio::test]
async fn who_asks_again_and_again_without_reading_is_let_go() {
    let world = World::settled();
    let options = Options { stall_ms: 50, connections: 1, ..Options::default() };
    let door = Door::open(&world, options).await;
    let mut stuck = door.connect().await;
    let request = b"GET /v1/openapi.json HTTP/1.1\r\nhost: naap\r\n\r\n".repeat(64);
    let asking = tokio::spawn(async move {
        // It ends when the other side hangs up, which is what is waited for.
        while stuck.write_all(&request).await.is_ok() {}
    });
    let mut next = door.connect().await;
    next.write_all(b"GET /healthz HTTP/1.1\r\nhost: naap\r\n\r\n").await.unwrap();
    until(&mut next, "\"checks\"").await;
    tokio::time::timeout(DEADLINE, asking).await.unwrap().unwrap();
    door.stop().await;
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let world = World::empty();
    let door = Door::open(&world, Options::default()).await;
    let mut stream = door.connect().await;
    let long = format!("GET /healthz HTTP/1.1\r\nx: {}", "x".repeat(100_000));
    stream.write_all(long.as_bytes()).await.ok();
    let said = String::from_utf8(to_end(&mut stream).await).unwrap();
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 431"), "{said}");
    let mut stream = door.connect().await;
    let many = format!("GET /healthz HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(1_000));
    stream.write_all(many.as_bytes()).await.unwrap();
    assert!(until(&mut stream, "\r\n\r\n").await.starts_with("HTTP/1.1 431"));
    door.stop().await;
}

#[tokio::test]
async fn a_client_has_only_so_many_connections() {
    let world = World::empty();
    let bounded =
        Options { bounds_loopback: true, connections_per_client: 2, ..Options::default() };
    let door = Door::open(&world, bounded.clone()).await;
    let ask = b"GET /healthz HTTP/1.1\r\nhost: naap\r\n\r\n";
    let mut held = Vec::new();
    for _ in 0..2 {
        let mut stream = door.connect().await;
        stream.write_all(ask).await.unwrap();
        until(&mut stream, "\"checks\"").await;
        held.push(stream);
    }
    let mut third = door.connect().await;
    let refused = String::from_utf8(to_end(&mut third).await).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 1"), "{refused}");
    drop(held.pop());
    // The door learns at its own time that the client has gone.
    let served = async {
        loop {
            let mut again = door.connect().await;
            again.write_all(ask).await.ok();
            let mut first = [0; 12];
            if again.read_exact(&mut first).await.is_ok() && &first == b"HTTP/1.1 200" {
                break;
            }
        }
    };
    tokio::time::timeout(DEADLINE, served).await.unwrap();
    door.stop().await;
    let free = Door::open(&World::empty(), Options { bounds_loopback: false, ..bounded }).await;
    for _ in 0..5 {
        let mut stream = free.connect().await;
        stream.write_all(ask).await.unwrap();
        until(&mut stream, "\"checks\"").await;
        held.push(stream);
    }
    free.stop().await;
}

#[tokio::test]
async fn a_listener_that_never_reads_is_let_go() {
    let world = World::bounded(
        api::Limits { streams: 1, ..api::Limits::default() },
        api::live::Bounds::default(),
    );
    let door = Door::open(&world, Options { stall_ms: 50, ..Options::default() }).await;
    let ask = b"GET /v1/events HTTP/1.1\r\nhost: naap\r\n\r\n";
    let mut stuck = door.connect().await;
    stuck.write_all(ask).await.unwrap();
    until(&mut stuck, ": listening").await;
    let next = async {
        loop {
            crate::live::told().iter().for_each(|live| world.feed.publish(live));
            let mut next = door.connect().await;
            next.write_all(ask).await.unwrap();
            let mut first = [0; 12];
            next.read_exact(&mut first).await.unwrap();
            if &first == b"HTTP/1.1 200" {
                break;
            }
        }
    };
    // There is room for one listener only, so another is heard when the stuck one has been let go.
    tokio::time::timeout(DEADLINE, next).await.unwrap();
    door.stop().await;
}
