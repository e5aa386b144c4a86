//! The HTTP channel over real sockets.

mod visitors;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel::address::Policy;
use channel::conformance::{self, Home, archive};
use channel::http::{Decline, Feed, FeedLimits, Limits, Peer, Served, Sink, code, router};
use channel::{
    Backfill, BoxFuture, Channel, Cursor, Error, Message, Publish, Receipt, Selector, Start,
    Subscribe,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const LOOPBACK: Policy = Policy { loopback: true, private: false, roots: Vec::new() };
const LIMITS: Limits = Limits {
    max_bytes: 1000,
    page_bytes: 4000,
    page_messages: 100,
    request_ms: 2_000,
    wait_ms: 500,
    requests_max: 16,
    unacked_max: 8,
};

/// The longest any wait may take.
const STEP: Duration = Duration::from_secs(10);

/// A running server; dropping it ends it.
struct Server {
    url: String,
    address: String,
    task: JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(served: Served, limits: Limits) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let service = router(served, limits).into_make_service_with_connect_info::<SocketAddr>();
    let task = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    Server { url: format!("http://{address}"), address, task }
}

fn sink(take: impl Fn(Message) -> Result<(), Decline> + Send + Sync + 'static) -> Sink {
    Arc::new(move |message| {
        let taken = take(message);
        Box::pin(async move { taken })
    })
}

async fn home() -> Home {
    let feed =
        Arc::new(Feed::new(1, FeedLimits { max_bytes: LIMITS.max_bytes, ..FeedLimits::default() }));
    let into: Sink = Arc::new({
        let feed = feed.clone();
        move |message| {
            let feed = feed.clone();
            let held: BoxFuture<'static, _> = Box::pin(async move {
                feed.publish(message)
                    .await
                    .map(drop)
                    .map_err(|_| Decline::Busy { retry_after_ms: 1 })
            });
            held
        }
    });
    let server =
        serve(Served { sink: Some(into), feed: Some(feed), ..Served::default() }, LIMITS).await;
    let publish = Arc::new(Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap());
    let subscribe = Arc::new(Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap());
    Home { publish, subscribe, keep: Box::new(server) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn push_and_pull_conform() {
    conformance::channel(home).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_pulled_by_peers_conforms() {
    conformance::channel(async || {
        let feed = Arc::new(Feed::new(
            1,
            FeedLimits { max_bytes: LIMITS.max_bytes, ..FeedLimits::default() },
        ));
        let server = serve(Served { feed: Some(feed.clone()), ..Served::default() }, LIMITS).await;
        let subscribe = Arc::new(Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap());
        Home { publish: feed, subscribe, keep: Box::new(server) }
    })
    .await;
}

#[tokio::test]
async fn backfill_conforms_in_memory_and_over_http() {
    conformance::backfill(&archive()).await;
    let server =
        serve(Served { source: Some(Arc::new(archive())), ..Served::default() }, LIMITS).await;
    conformance::backfill(&Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap()).await;
    let narrow = Limits { page_messages: 2, ..LIMITS };
    let server =
        serve(Served { source: Some(Arc::new(archive())), ..Served::default() }, narrow).await;
    let peer = Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap();
    assert_eq!(
        peer.fetch("a", 1, 0, u64::MAX, 10_000).await.unwrap().len(),
        2,
        "an answer is bounded in messages"
    );
}

#[tokio::test]
async fn a_sink_decides_and_the_pusher_learns_why() {
    let decide = sink(|message| match &message.body[..] {
        b"never" => Err(Decline::Final { code: "E-TEST".to_owned(), detail: "é".repeat(5_000) }),
        b"busy" => Err(Decline::Busy { retry_after_ms: 1_500 }),
        b"quota" => Err(Decline::Quota { retry_after_ms: 3_000 }),
        _ => Ok(()),
    });
    let server = serve(Served { sink: Some(decide), ..Served::default() }, LIMITS).await;
    let peer = Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap();
    let publish = async |body: &'static str| {
        peer.publish(Message { chain: "a".to_owned(), body: body.into() }).await
    };
    peer.health().await.unwrap();
    assert_eq!(publish("fine").await, Ok(Receipt::Held));
    let refused = Error::Refused { code: "E-TEST".to_owned(), detail: "é".repeat(500) };
    assert!(refused.is_refusal());
    assert_eq!(publish("never").await, Err(refused));
    assert_eq!(publish("busy").await, Err(Error::Busy { retry_after_ms: 2_000 }));
    assert_eq!(publish("quota").await, Err(Error::Busy { retry_after_ms: 3_000 }));
    assert!(matches!(peer.heads().await, Err(Error::Foreign { .. })), "no source is served");
}

/// Sends raw bytes and returns all that comes back until the server hangs up.
async fn raw(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A refusal before the whole request is read may end in a reset; what came before it is the answer.
    let ended = tokio::time::timeout(STEP, stream.read_to_end(&mut answer)).await;
    assert!(ended.is_ok(), "the server kept the connection open");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn malformed_oversized_and_slow_requests_are_refused_with_codes() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let into = sink({
        let heard = heard.clone();
        move |message| {
            heard.lock().unwrap().push(message);
            Ok(())
        }
    });
    let feed = Arc::new(Feed::new(1, FeedLimits::default()));
    let limits = Limits { request_ms: 300, ..LIMITS };
    let source: Arc<dyn Backfill> = Arc::new(archive());
    let served =
        Served { sink: Some(into), feed: Some(feed), source: Some(source), visitors: None };
    let server = serve(served, limits).await;
    let post = |headers: &str, body: &str| {
        format!(
            "POST /channel/v1/batches HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n\r\n{body}"
        )
    };
    let get = |path: &str| {
        format!("GET /channel/v1/{path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    };
    let chunked = format!(
        "channel-chain: a\r\ntransfer-encoding: chunked\r\n\r\n7d0\r\n{}\r\n0",
        "x".repeat(2000)
    );
    for (request, status, code) in [
        (post("content-length: 1", "x"), 400, code::CHAIN),
        (post("channel-chain: two words\r\ncontent-length: 1", "x"), 400, code::CHAIN),
        (post("channel-chain: a\r\ncontent-length: 1001", ""), 413, code::LENGTH),
        (post("channel-chain: a\r\ncontent-length: 99999999999999", ""), 413, code::LENGTH),
        (post(&chunked, ""), 413, code::LENGTH),
        (post("channel-chain: a\r\ncontent-length: 9", "slow"), 408, code::SLOW),
        (get("batches?after=rubbish"), 400, code::QUERY),
        (get("batches?wait_ms=-1"), 400, code::QUERY),
        (get("batches?wait=1"), 400, code::QUERY),
        (get("backfill?chain=a&epoch=1&from=0"), 400, code::QUERY),
        (get("backfill?chain=a&epoch=1&from=0&to=18446744073709551616"), 400, code::QUERY),
        (get("backfill?chain=a&epoch=1&from=3&to=2"), 400, code::RANGE),
        (get("backfill?chain=&epoch=1&from=0&to=2"), 400, code::CHAIN),
        (get("backfill?chain=a&epoch=1&from=0&to=2&max_bytes=31"), 413, code::LENGTH),
    ] {
        let answer = raw(&server, &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{request}: {answer}");
        assert!(
            answer.contains(&format!("{{\"code\":\"{code}\",\"detail\":")),
            "{request}: {answer}"
        );
    }
    assert!(heard.lock().unwrap().is_empty(), "a refused message reached the sink");
}

#[tokio::test]
async fn requests_at_once_are_bounded() {
    let never: Sink = Arc::new(|_| Box::pin(std::future::pending()));
    let server = serve(
        Served { sink: Some(never), ..Served::default() },
        Limits { requests_max: 1, ..LIMITS },
    )
    .await;
    let peer = Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap();
    let message = Message { chain: "a".to_owned(), body: "x".into() };
    let (one, other) = tokio::join!(peer.publish(message.clone()), peer.publish(message));
    assert!(
        one.as_ref().is_err_and(Error::is_retryable)
            && other.as_ref().is_err_and(Error::is_retryable)
    );
    assert!([one, other].contains(&Err(Error::Busy { retry_after_ms: 1_000 })));
}

/// A server that answers every connection with the same bytes, then holds it open.
async fn answering(answer: Vec<u8>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let task = tokio::spawn(async move {
        let mut open = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(&answer).await.unwrap();
            open.push(stream);
        }
    });
    Server { url: format!("http://{address}"), address, task }
}

#[tokio::test]
async fn a_lying_silent_or_endless_peer_costs_bounded_time_and_memory() {
    let message = Message { chain: "a".to_owned(), body: "x".into() };
    let limits = Limits { request_ms: 300, wait_ms: 100, ..LIMITS };
    let ok = |rest: &str| format!("HTTP/1.1 200 OK\r\nchannel-cursor: 1.1\r\n{rest}").into_bytes();
    let endless =
        [ok("transfer-encoding: chunked\r\n\r\n8000\r\n"), vec![b'x'; 32 * 1024]].concat();
    for answer in [
        Vec::new(),
        b"rubbish".to_vec(),
        ok("content-length: 9999999999\r\n\r\n"),
        ok("content-length: 10\r\n\r\nxx"),
        ok("content-length: 6\r\n\r\n\0\0\0\x09xx"),
        ok("content-length: 4\r\n\r\n\0\0\0\0"),
        endless,
        b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"
            .to_vec(),
        b"HTTP/1.1 404 Not Found\r\ncontent-length: 5\r\n\r\nhello".to_vec(),
        b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ] {
        let server = answering(answer.clone()).await;
        let peer = Peer::new(&server.url, &LOOPBACK, limits).unwrap();
        let mut subscription = peer.subscribe(Selector::All, Start::Oldest).await.unwrap();
        let pulled = subscription.next().await.map(drop).unwrap_err();
        let heads = peer.heads().await.unwrap_err();
        let is_success = answer.starts_with(b"HTTP/1.1 200");
        let pushed = if is_success {
            pulled.clone()
        } else {
            peer.publish(message.clone()).await.unwrap_err()
        };
        for error in [pulled, heads, pushed] {
            let is_expected = matches!(error, Error::Foreign { .. } | Error::Unreachable { .. });
            assert!(
                is_expected && error.is_retryable(),
                "{:?}: {error}",
                String::from_utf8_lossy(&answer)
            );
        }
    }
    let gone = {
        let server = answering(Vec::new()).await;
        server.url.clone()
    };
    let error = Peer::new(&gone, &LOOPBACK, limits).unwrap().publish(message).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn more_than_asked_of_a_backfill_is_refused() {
    let two = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n\0\0\0\x01x\0\0\0\x01y".to_vec();
    let server = answering(two).await;
    // A client each, because this server never answers twice on a connection.
    let fetch = async |to_seq, max_bytes| {
        Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap().fetch("a", 1, 0, to_seq, max_bytes).await
    };
    assert_eq!(fetch(1, 2).await.unwrap(), ["x", "y"]);
    assert!(matches!(fetch(0, 100).await, Err(Error::Foreign { .. })));
    assert!(matches!(fetch(9, 1).await, Err(Error::Foreign { .. })));
}

#[tokio::test]
async fn a_puller_that_comes_too_late_is_told_of_the_gap_and_goes_on() {
    let feed = Arc::new(Feed::new(2, FeedLimits { kept_messages: 2, ..FeedLimits::default() }));
    let server = serve(Served { feed: Some(feed.clone()), ..Served::default() }, LIMITS).await;
    let peer = Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap();
    for body in ["1", "2", "3", "4"] {
        feed.publish(Message { chain: "a".to_owned(), body: body.into() }).await.unwrap();
    }
    for cursor in ["2.1", "1.4"] {
        let from = Start::After(Cursor(cursor.to_owned()));
        let mut late = peer.subscribe(Selector::All, from).await.unwrap();
        assert_eq!(late.next().await.map(drop), Err(Error::Gap { after: cursor.to_owned() }));
        for body in ["3", "4"] {
            let delivery = late.next().await.unwrap().unwrap();
            assert_eq!(delivery.message.body, body);
            delivery.ack().await.unwrap();
        }
        assert_eq!(late.position(), Some(Cursor("2.4".to_owned())));
    }
}

#[tokio::test]
async fn a_subscription_stops_asking_until_something_is_acknowledged() {
    let feed = Arc::new(Feed::new(1, FeedLimits::default()));
    let narrow = Limits { page_messages: 4, ..LIMITS };
    let server = serve(Served { feed: Some(feed.clone()), ..Served::default() }, narrow).await;
    let peer = Peer::new(&server.url, &LOOPBACK, LIMITS).unwrap();
    for number in 0..20 {
        feed.publish(Message { chain: "a".to_owned(), body: vec![number].into() }).await.unwrap();
    }
    let mut subscription = peer.subscribe(Selector::All, Start::Oldest).await.unwrap();
    let mut held = Vec::new();
    for _ in 0..LIMITS.unacked_max {
        held.push(subscription.next().await.unwrap().unwrap());
    }
    assert!(tokio::time::timeout(Duration::from_millis(50), subscription.next()).await.is_err());
    held.remove(1).ack().await.unwrap();
    assert_eq!(subscription.position(), None, "the first is not acknowledged");
    held.remove(0).ack().await.unwrap();
    assert_eq!(subscription.position(), Some(Cursor("1.2".to_owned())));
    assert_eq!(subscription.next().await.unwrap().unwrap().message.body, vec![8]);
    peer.close(Duration::ZERO).await.unwrap();
    assert!(subscription.next().await.unwrap().is_none());
}

#[tokio::test]
async fn the_policy_guards_the_peer_and_https_checks_the_certificate() {
    let refused = Peer::new("http://127.0.0.1:1", &Policy::default(), LIMITS).err().unwrap();
    assert!(matches!(&refused, Error::Address { .. }) && !refused.is_retryable());

    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = key.cert.der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private_key =
        rustls::pki_types::PrivateKeyDer::try_from(key.signing_key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], private_key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let task = tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    let trusting = Policy { roots: vec![certificate.to_vec()], ..LOOPBACK };
    let message = Message { chain: "a".to_owned(), body: "x".into() };
    let publish = async |policy: &Policy| {
        Peer::new(&url, policy, LIMITS).unwrap().publish(message.clone()).await
    };
    assert_eq!(publish(&trusting).await, Ok(Receipt::Held));
    assert!(
        matches!(publish(&LOOPBACK).await, Err(Error::Unreachable { .. })),
        "the certificate is not trusted"
    );
    let unconfigured = Policy { loopback: false, ..trusting };
    assert!(
        matches!(publish(&unconfigured).await, Err(Error::Address { .. })),
        "the name leads to loopback"
    );
    task.abort();
}
