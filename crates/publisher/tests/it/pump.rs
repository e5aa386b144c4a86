//! The whole publisher: records in, batches out, through stops, deaths, and channels that do not want to.

mod channels;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use channel::conformance::Archive;
use channel::embedded::{Embedded, Limits};
use channel::{Backfill, BoxFuture, Head, Publish, Selector, Start, Subscribe};
use events::batch::Position;
use events::event::{Event, Network};
use events::refusal::Defect;
use events::unit::Millis;
use events::wire;
use publisher::outbox::{Options, Outbox};
use publisher::pump::{Clock, Counts, Pump, Settings, Snapshot, Way, newest};
use publisher::spool::{self, Raw, Source, Spool};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::outbox::{T, batches, check_links, folder, options, put, secret};
use crate::translate::{envelope, live, speaker};

/// A clock that begins at the tests' time and goes on with the machine's.
fn clock() -> Clock {
    let began = Instant::now();
    Arc::new(move || T.0 + u64::try_from(began.elapsed().as_millis()).unwrap())
}

fn settings() -> Settings {
    Settings {
        backoff_ms: Millis(5),
        backoff_max_ms: Millis(50),
        drain_ms: Millis(2_000),
        ..Settings::new("1.2.3".parse().unwrap())
    }
}

fn raw(id: u64) -> Raw {
    let mut input = envelope(
        "stream_trace",
        live(serde_json::json!({ "type": "gateway_receive_stream_request" })),
    );
    input["id"] = serde_json::json!(format!("e-{id}"));
    Raw {
        received_ms: T.0,
        source: Source::Kafka,
        key: None,
        value: serde_json::to_vec(&input).unwrap(),
    }
}

/// One publisher on disk, to be started as often as it dies.
pub struct Home {
    spool: Arc<Spool>,
    options: Options,
    settings: Settings,
}

pub struct Running {
    counts: Counts,
    stop: CancellationToken,
    task: JoinHandle<Result<(), publisher::pump::Error>>,
}

impl Home {
    fn new(place: &Path) -> Self {
        let spool = Arc::new(Spool::open(&spool::Config::at(place.join("spool"))).unwrap());
        let options = options(&place.join("outbox"));
        Self { spool, options, settings: settings() }
    }

    fn start(&self, channels: Vec<Arc<dyn Publish>>) -> Running {
        // The dead one may still be finishing a write, as a disk would.
        let deadline = Instant::now() + Duration::from_secs(20);
        let (outbox, opening) = loop {
            match Outbox::open(self.options.clone(), secret(), Network::Livepeer) {
                Err(publisher::outbox::Error::Locked(_)) if Instant::now() < deadline => {
                    std::thread::yield_now()
                }
                opened => break opened.unwrap(),
            }
        };
        // A death before the first batch leaves an epoch that nobody goes on with; any other tail is proven.
        let early = Some("no batch was marked in the counted epoch");
        assert!(opening.unproven.is_none() || opening.unproven == early, "{opening:?}");
        let spool = self.spool.clone();
        let way = |(number, channel)| Way { name: format!("receiver {number}"), channel };
        let ways = (0..).zip(channels).map(way).collect();
        let pump = Pump::new(spool, outbox, speaker(), ways, clock(), self.settings.clone());
        let (counts, stop) = (pump.counts(), CancellationToken::new());
        Running { counts, task: tokio::spawn(pump.run(stop.clone())), stop }
    }

    async fn append(&self, ids: std::ops::Range<u64>) {
        self.spool.append(ids.map(raw).collect()).await.unwrap();
    }
}

impl Running {
    async fn stop(self) -> Snapshot {
        self.stop.cancel();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap().unwrap();
        self.counts.snapshot()
    }

    /// Ends it as a crash does: at whatever it waits for.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// What a receiver holds: every batch under its place, checked, never two under one.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<BTreeMap<Position, Bytes>>>);

impl Ledger {
    fn keep(&self, frame: Bytes) {
        let batch = wire::decode(&frame).unwrap();
        let mut held = self.0.lock().unwrap();
        let before = held.entry(batch.header.position()).or_insert_with(|| frame.clone());
        assert_eq!(*before, frame, "one place, one batch");
    }

    /// The ids that came from records; an event heard in two batches would show here.
    fn ids(&self) -> Vec<String> {
        let held = self.0.lock().unwrap();
        let mut ids = Vec::new();
        for frame in held.values() {
            for bytes in wire::decode(frame).unwrap().payload.events() {
                ids.push(Event::decode(bytes).unwrap().id.to_string());
            }
        }
        ids.retain(|id| id.starts_with("e-"));
        ids
    }

    fn kinds(&self, kind: &str) -> Vec<Event> {
        let held = self.0.lock().unwrap();
        let payloads: Vec<_> =
            held.values().map(|frame| wire::decode(frame).unwrap().payload).collect();
        let events = payloads
            .iter()
            .flat_map(|payload| payload.events().map(|bytes| Event::decode(bytes).unwrap()));
        events.filter(|event| event.kind().as_str() == kind).collect()
    }

    /// Waits until something is so; panics when it never is.
    async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_so(self) {
            assert!(Instant::now() < deadline, "{what}: {} ids", self.ids().len());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    fn check(&self, count: u64) {
        let mut ids = self.ids();
        ids.sort();
        let expected: BTreeSet<String> = (0..count).map(|n| format!("e-{n}")).collect();
        assert_eq!(ids.len() as u64, count, "each once");
        assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected);
        let held = self.0.lock().unwrap();
        check_links(
            &held
                .iter()
                .map(|(position, frame)| (*position, wire::decode(frame).unwrap()))
                .collect(),
        );
    }
}

/// A receiver on an embedded channel, listening until it is dropped.
async fn hear(channel: &Embedded, ledger: &Ledger) -> JoinHandle<()> {
    let mut subscription = channel.subscribe(Selector::All, Start::Oldest).await.unwrap();
    let ledger = ledger.clone();
    tokio::spawn(async move {
        while let Ok(Some(delivery)) = subscription.next().await {
            ledger.keep(delivery.message.body.clone());
            delivery.ack().await.unwrap();
        }
    })
}

fn embedded() -> Embedded {
    Embedded::new(Limits { wait_ms: 200, ..Limits::default() })
}

#[tokio::test(flavor = "multi_thread")]
async fn records_become_batches_and_leave_the_spool() {
    let place = folder();
    let home = Home::new(place.path());
    let (channel, ledger) = (embedded(), Ledger::default());
    let _hearing = hear(&channel, &ledger).await;
    home.append(0..600).await;
    let odd = br#"{"id":"1","type":"webrtc_stats","timestamp":"1767908950000","data":{}}"#;
    let records = vec![
        raw(3),
        Raw { value: odd.to_vec(), ..raw(0) },
        Raw { value: b"no".to_vec(), ..raw(0) },
    ];
    home.spool.append(records).await.unwrap();
    let running = home.start(vec![Arc::new(channel.clone())]);
    ledger.until("all is heard", |ledger| ledger.ids().len() >= 600).await;
    let heartbeats = ledger.kinds("node.heartbeat");
    assert_eq!(heartbeats.len(), 1);
    home.append(600..700).await;
    let counts = running.stop().await;
    ledger.check(700);
    assert_eq!(home.spool.committed(), home.spool.end());
    assert_eq!((counts.records, counts.known, counts.unheld, counts.set_aside), (703, 1, 0, 0));
    assert_eq!(counts.events, 700 + ledger.kinds("node.heartbeat").len() as u64);
    let refused = BTreeMap::from([(Defect::FamilyUnknown, 1), (Defect::EnvelopeMalformed, 1)]);
    assert_eq!(counts.refusals, refused);
    assert_eq!(counts.families, BTreeMap::from([("webrtc_stats".to_owned(), 1)]));
    assert!(counts.batches >= 3 && counts.bytes > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_death_at_any_moment_loses_and_doubles_nothing() {
    let place = folder();
    let home = Home::new(place.path());
    let (channel, ledger) = (embedded(), Ledger::default());
    let _hearing = hear(&channel, &ledger).await;
    let mut said = 0;
    for round in 0..25u64 {
        let running = home.start(vec![Arc::new(channel.clone())]);
        for _ in 0..3 {
            home.append(said..said + 40).await;
            said += 40;
            tokio::time::sleep(Duration::from_millis(round * 7 % 40)).await;
        }
        running.kill().await;
    }
    let running = home.start(vec![Arc::new(channel.clone())]);
    ledger.until("all is heard", |ledger| ledger.ids().len() as u64 >= said).await;
    running.stop().await;
    ledger.check(said);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_listening_is_waited_for_and_a_full_outbox_holds_the_spool() {
    let place = folder();
    let mut home = Home::new(place.path());
    home.options = Options { segment_bytes: 2_000, quota_bytes: 6_000, ..home.options };
    let (channel, ledger) = (embedded(), Ledger::default());
    let running = home.start(vec![Arc::new(channel.clone())]);
    for n in 0..40 {
        home.append(n * 100..(n + 1) * 100).await;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while running.counts.snapshot().shelf_bytes < 6_000 {
        assert!(Instant::now() < deadline, "{:?}", running.counts.snapshot());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let full = running.counts.snapshot();
    assert!(full.events < 4_000, "{full:?}");
    assert!(home.spool.committed() < home.spool.end());
    let _hearing = hear(&channel, &ledger).await;
    ledger.until("all is heard", |ledger| ledger.ids().len() >= 4_000).await;
    running.stop().await;
    ledger.check(4_000);
    assert_eq!(home.spool.committed(), home.spool.end());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_that_it_lives_and_what_was_lost() {
    let place = folder();
    let mut home = Home::new(place.path());
    home.settings.heartbeat_ms = Millis(40);
    let config = spool::Config {
        segment_bytes: 4_000,
        quota_bytes: 16_000,
        retention_ms: 0,
        ..spool::Config::at(place.path().join("small"))
    };
    home.spool = Arc::new(Spool::open(&config).unwrap());
    let mut kept = 0;
    while home.spool.append((kept..kept + 10).map(raw).collect()).await.is_ok() {
        kept += 10;
    }
    let (channel, ledger) = (embedded(), Ledger::default());
    let _hearing = hear(&channel, &ledger).await;
    let running = home.start(vec![Arc::new(channel)]);
    ledger.until("heartbeats", |ledger| ledger.kinds("node.heartbeat").len() >= 4).await;
    let counts = running.stop().await;
    ledger.check(kept);
    assert_eq!(counts.dropped, 10);
    let dropped = ledger.kinds("events.dropped");
    assert_eq!(dropped.len(), 1);
    let data: serde_json::Value = serde_json::to_value(&dropped[0].body).unwrap();
    assert_eq!(data, serde_json::json!({ "count": 10, "reason": "spool_full" }));
    let beat = serde_json::to_value(&ledger.kinds("node.heartbeat").last().unwrap().body).unwrap();
    assert_eq!(
        (&beat["dropped"], &beat["version"]),
        (&serde_json::json!(10), &serde_json::json!("1.2.3"))
    );
}

/// Asks a peer as a node does before it seals.
async fn compare(outbox: &mut Outbox, peer: &dyn Backfill) -> bool {
    let known = newest(outbox.key(), peer).await.unwrap();
    known.is_some_and(|(header, signature)| outbox.heard(&header, &signature).unwrap())
}

#[tokio::test]
async fn a_restored_folder_learns_from_a_peer_that_it_is_old() {
    let place = folder();
    let (mut outbox, _) = Outbox::open(options(place.path()), secret(), Network::Livepeer).unwrap();
    put(&mut outbox, "a", T);
    put(&mut outbox, "b", T);
    let mut peer = Archive::default();
    for (position, batch) in batches(outbox.shelf()) {
        let frame = Bytes::from(wire::encode(&batch).unwrap());
        peer.bodies.insert((position.key.to_string(), position.epoch, position.seq), frame);
    }
    let shelf: &dyn Backfill = &outbox.shelf().clone();
    assert!(!compare(&mut outbox, shelf).await);
    assert!(!compare(&mut outbox, &peer).await);
    let lost = folder();
    let (mut outbox, _) = Outbox::open(options(lost.path()), secret(), Network::Livepeer).unwrap();
    assert!(compare(&mut outbox, &peer).await);
    assert_eq!(outbox.epoch(), 1);
    assert!(!compare(&mut outbox, &peer).await);
}

/// A peer that names every epoch, oldest first, as a ledger does.
struct EveryEpoch(Archive);

impl Backfill for EveryEpoch {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, channel::Result<Vec<Bytes>>> {
        self.0.fetch(chain, epoch, from_seq, to_seq, max_bytes)
    }

    fn heads(&self) -> BoxFuture<'_, channel::Result<Vec<Head>>> {
        let head = |(chain, epoch, seq): &(String, u64, u64)| Head {
            chain: chain.clone(),
            epoch: *epoch,
            seq: *seq,
            hash: String::new(),
        };
        let heads = self.0.bodies.keys().map(head).collect();
        Box::pin(async move { Ok(heads) })
    }
}

#[tokio::test]
async fn a_lost_folder_begins_after_the_newest_epoch_a_peer_holds() {
    let place = folder();
    let (mut outbox, _) = Outbox::open(options(place.path()), secret(), Network::Livepeer).unwrap();
    let mut peer = EveryEpoch(Archive::default());
    for name in ["a", "b", "c"] {
        put(&mut outbox, name, T);
        outbox.begin_epoch().unwrap();
    }
    for (position, batch) in batches(outbox.shelf()) {
        let frame = Bytes::from(wire::encode(&batch).unwrap());
        peer.0.bodies.insert((position.key.to_string(), position.epoch, position.seq), frame);
    }
    assert_eq!(peer.0.bodies.len(), 3);
    let lost = folder();
    let (mut outbox, _) = Outbox::open(options(lost.path()), secret(), Network::Livepeer).unwrap();
    assert!(compare(&mut outbox, &peer).await);
    assert_eq!(outbox.epoch(), 3);
}
