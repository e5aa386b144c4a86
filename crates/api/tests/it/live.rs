//! Server-sent events: what is told, how a listener goes on, and what becomes of a slow one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use api::Limits;
use api::live::{BatchAccepted, Bounds, EventAccepted, Live, WindowSettled};
use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use events::batch::Position;
use events::event::{Network, Role};
use events::identity::Digest;
use events::unit::UnixMillis;
use futures_util::StreamExt as _;
use tower::ServiceExt as _;
use warehouse::contract::sample;

use crate::world::{World, claim, requested};

fn position() -> Position {
    Position { key: sample::key(1), epoch: 0, seq: 7 }
}

fn batch(network: Network) -> Live {
    Live::Batch(BatchAccepted {
        kinds: BTreeMap::from([("job.requested".to_owned(), 2)]),
        network,
        position: position(),
        received_ms: UnixMillis(9),
        sealed_ms: UnixMillis(8),
    })
}

fn window(revision: u32) -> Live {
    Live::Window(WindowSettled {
        digest: Digest::ZERO,
        network: sample::NETWORK,
        revision,
        settled_ms: UnixMillis(5),
        window: "2026-01-08T21Z".parse().unwrap(),
    })
}

/// One message of each topic.
pub fn told() -> [Live; 3] {
    let event = claim(sample::reporter(0), Role::Gateway, sample::job_id(1), 1, requested());
    let event =
        Live::Event(EventAccepted { event: Arc::new(event), index: 3, position: position() });
    [batch(sample::NETWORK), event, window(0)]
}

/// A stream that is read line by line.
pub struct Listener {
    read: String,
    stream: BodyDataStream,
}

impl Listener {
    pub async fn open(world: &World, query: &str, last_event_id: Option<&str>) -> Self {
        let mut request = Request::get(format!("/v1/events{query}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = world.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut listener =
            Self { read: String::new(), stream: response.into_body().into_data_stream() };
        assert!(listener.block().await.unwrap().contains(": listening"));
        listener
    }

    /// The next block, or nothing at the end.
    pub async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.read.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.read = rest;
                return Some(block);
            }
            let next =
                tokio::time::timeout(Duration::from_secs(10), self.stream.next()).await.unwrap()?;
            self.read.push_str(std::str::from_utf8(&next.unwrap()).unwrap());
        }
    }

    async fn field(&mut self, name: &str) -> String {
        let block = self.block().await.unwrap();
        let prefix = format!("{name}: ");
        block.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap_or_default().to_owned()
    }
}

#[tokio::test]
async fn listeners_hear_what_they_asked_for() {
    let world = World::empty();
    let mut all = Listener::open(&world, "", None).await;
    let mut windows = Listener::open(&world, "?topics=window", None).await;
    let mut livepeer = Listener::open(&world, "?network=livepeer", None).await;
    world.feed.publish(&batch(sample::NETWORK));
    let event = claim(sample::reporter(0), Role::Gateway, sample::job_id(1), 1, requested());
    world.feed.publish(&Live::Event(EventAccepted {
        event: Arc::new(event.clone()),
        index: 3,
        position: position(),
    }));
    world.feed.publish(&window(0));
    world.feed.publish(&batch(Network::Livepeer));
    let told = all.block().await.unwrap();
    assert!(told.contains("event: batch") && told.contains("id: 1000-0"), "{told}");
    assert!(told.contains(r#""kinds":{"job.requested":2}"#), "{told}");
    let told = all.field("data").await;
    let value: serde_json::Value = serde_json::from_str(&told).unwrap();
    assert_eq!((&value["index"], &value["event"]["kind"]), (&3.into(), &"job.requested".into()));
    assert!(
        told.contains(std::str::from_utf8(&event.encode().unwrap()).unwrap()),
        "canonical bytes"
    );
    assert_eq!(all.field("event").await, "window");
    assert_eq!(windows.field("event").await, "window");
    assert_eq!(livepeer.field("id").await, "1000-3");
    world.stopping.cancel();
    assert_eq!(all.block().await.unwrap(), ": stopping");
    assert_eq!(all.block().await, None);
}

#[tokio::test]
async fn a_listener_goes_on_behind_what_it_heard() {
    let bounds = Bounds { messages: 4, bytes: 1_000_000 };
    let world = World::bounded(Limits::default(), bounds);
    (0..6).for_each(|revision| world.feed.publish(&window(revision)));
    let mut resumed = Listener::open(&world, "", Some("1000-3")).await;
    world.feed.publish(&window(6));
    for id in ["1000-4", "1000-5", "1000-6"] {
        assert_eq!(resumed.field("id").await, id);
    }
    for lost in ["1000-0", "999-5"] {
        let mut late = Listener::open(&world, "", Some(lost)).await;
        assert_eq!(late.field("event").await, "gap", "{lost}");
        assert_eq!(late.field("id").await, "1000-3", "{lost}");
    }
    let bad = Request::get("/v1/events").header("last-event-id", "7").body(Body::empty()).unwrap();
    assert_eq!(world.ask(bad).await.problem(), "E-API-HEADER");
}

#[tokio::test]
async fn a_slow_listener_is_cut_off_and_nobody_waits() {
    let bounds = Bounds { messages: 4, bytes: 1_000_000 };
    let world = World::bounded(Limits::default(), bounds);
    let mut slow = Listener::open(&world, "", None).await;
    (0..100).for_each(|revision| world.feed.publish(&window(revision)));
    assert_eq!(slow.block().await.unwrap(), ": cut off: 96 messages behind");
    assert_eq!(slow.block().await, None);
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("naap_api_listeners_cut_off_total 1"), "{metrics}");
}

#[tokio::test]
async fn listeners_are_bounded_and_leave_room_when_they_go() {
    let limits = Limits { streams: 1, ..Limits::default() };
    let world = World::bounded(limits, Bounds::default());
    let first = Listener::open(&world, "", None).await;
    assert_eq!(world.get("/v1/events").await.problem(), "E-API-BUSY");
    drop(first);
    Listener::open(&world, "", None).await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_stream_says_that_it_is_still_there() {
    let world = World::empty();
    let mut listener = Listener::open(&world, "", None).await;
    let began = tokio::time::Instant::now();
    for _ in 0..3 {
        // Whatever waits for the stream waits in time that stands still but for its own timers.
        let alive = async { listener.stream.next().await.unwrap().unwrap() };
        assert_eq!(&alive.await[..], b": still here\n\n");
    }
    assert_eq!(began.elapsed(), Duration::from_secs(45));
}

#[tokio::test]
async fn a_listener_that_comes_back_again_and_again_misses_nothing() {
    let world = World::empty();
    let (mut last, mut heard) = (None::<String>, Vec::new());
    for turn in 0..5 {
        let mut listener = Listener::open(&world, "?topics=window", last.as_deref()).await;
        if turn > 0 {
            // What was told while nobody listened.
            heard.push(listener.field("id").await);
        }
        world.feed.publish(&window(turn));
        world.feed.publish(&batch(sample::NETWORK));
        heard.push(listener.field("id").await);
        last = heard.last().cloned();
        drop(listener);
        world.feed.publish(&window(100 + turn));
    }
    let expected: Vec<String> =
        (0..15).filter(|number| number % 3 != 1).map(|number| format!("1000-{number}")).collect();
    assert_eq!(heard, expected[..heard.len()]);
    assert_eq!(heard.len(), 9);
}
