//! The outbox: limits, crashes at every byte, damage, backfill, and what it does when it is full.

mod aside;
mod crashes;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use channel::Backfill;
use ed25519_dalek::SigningKey;
use events::batch::{Batch, MAX_COMPRESSED_BYTES, Position, Tail, check_link};
use events::body::Body;
use events::body::capability::{Gpu, Offered};
use events::body::node::CounterSample;
use events::body::{Orchestrator, capability};
use events::event::{Event, Network};
use events::unit::{Millis, UnixMillis};
use events::wire;
use publisher::outbox::{Error, Opening, Options, Outbox, Pushed, Shelf};

use crate::translate::speaker;

/// When every test begins.
pub const T: UnixMillis = UnixMillis(1_767_908_950_000);

/// A folder in memory where there is one: these tests cut and flip files by the thousand, and no power fails.
pub fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() {
        tempfile::tempdir_in(memory).unwrap()
    } else {
        tempfile::tempdir().unwrap()
    }
}

pub fn options(directory: &Path) -> Options {
    Options { segment_bytes: 2_000, ..Options::at(directory) }
}

pub fn secret() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

pub fn open(directory: &Path) -> (Outbox, Opening) {
    Outbox::open(options(directory), secret(), Network::Livepeer).unwrap()
}

pub fn event(name: &str) -> Event {
    let body = CounterSample {
        name: "tests".parse().unwrap(),
        orchestrator: Orchestrator::default(),
        value: 1,
    };
    speaker().event(name.parse().unwrap(), T, Body::CounterSampled(body))
}

pub fn push(outbox: &mut Outbox, name: &str, now: UnixMillis) {
    assert_eq!(outbox.push(&event(name), now).unwrap(), Pushed::Taken, "{name}");
}

/// Seals and syncs one batch of one event.
pub fn put(outbox: &mut Outbox, name: &str, now: UnixMillis) {
    push(outbox, name, now);
    outbox.seal(now).unwrap();
    outbox.sync().unwrap();
}

/// Every batch on the shelf, checked and by its place.
pub fn batches(shelf: &Shelf) -> BTreeMap<Position, Batch> {
    let mut found = BTreeMap::new();
    let mut next = 0;
    while let Some(outgoing) = shelf.next(next).unwrap() {
        let batch = wire::decode(&outgoing.frame).unwrap();
        assert_eq!(batch.header.position(), outgoing.position);
        assert!(found.insert(outgoing.position, batch).is_none(), "one place, one batch");
        next = outgoing.ordinal + 1;
    }
    found
}

/// Checks that batches of one epoch that stand side by side are linked.
pub fn check_links(batches: &BTreeMap<Position, Batch>) {
    let mut last: Option<(Position, Tail)> = None;
    for (position, batch) in batches {
        if let Some((before, tail)) = &last
            && before.epoch == position.epoch
            && before.seq + 1 == position.seq
        {
            check_link(tail, &batch.header).unwrap();
        }
        last = Some((*position, batch.tail()));
    }
}

/// The ids of every event on the shelf; none stands there twice.
pub fn ids(shelf: &Shelf) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for batch in batches(shelf).values() {
        for bytes in batch.payload.events() {
            assert!(
                ids.insert(Event::decode(bytes).unwrap().id.to_string()),
                "an event was sealed twice"
            );
        }
    }
    ids
}

#[test]
fn a_batch_is_sealed_when_it_is_full_or_has_waited() {
    let folder = folder();
    let (mut outbox, opening) = open(folder.path());
    assert_eq!(opening, Opening { epoch: 0, unproven: None, unheld: 0 });
    for n in 0..256 {
        assert!(!outbox.is_sync_due());
        push(&mut outbox, &n.to_string(), T);
    }
    assert!(outbox.is_sync_due(), "256 events are a batch");
    assert_eq!(outbox.due(), None);
    assert_eq!((outbox.taken(), outbox.durable()), (256, 0));
    assert!(batches(outbox.shelf()).is_empty(), "what is not synced is not shown");
    outbox.sync().unwrap();
    assert_eq!((outbox.taken(), outbox.durable()), (256, 256));

    push(&mut outbox, "later", T);
    assert_eq!(outbox.due(), Some(T.plus(Millis(200))));
    outbox.seal_due(T.plus(Millis(199))).unwrap();
    assert!(!outbox.is_sync_due());
    outbox.seal_due(T.plus(Millis(200))).unwrap();
    assert!(outbox.is_sync_due());
    push(&mut outbox, "clock went back", T);
    outbox.seal_due(T.minus(Millis(1))).unwrap();
    outbox.sync().unwrap();
    let batches = batches(outbox.shelf());
    check_links(&batches);
    let seqs: Vec<_> =
        batches.values().map(|batch| (batch.header.seq, batch.header.count)).collect();
    assert_eq!(seqs, [(0, 256), (1, 1), (2, 1)]);
    assert!(matches!(outbox.push(&event("x"), UnixMillis(0)), Err(Error::Clock(_))));
}

#[test]
fn what_does_not_compress_enough_is_split() {
    let folder = folder();
    let (mut outbox, _) = open(folder.path());
    let mut seed = 1u64;
    let mut word = || {
        let mut word = String::new();
        for _ in 0..90 {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            word.push(char::from_u32(33 + u32::try_from(seed >> 33).unwrap() % 90).unwrap());
        }
        word
    };
    for n in 0..256 {
        let gpu = |_| Gpu {
            id: word().parse().ok(),
            memory_free_bytes: None,
            memory_total_bytes: None,
            model: None,
            name: word().parse().ok(),
            pipeline: None,
        };
        let offered = Offered {
            gpus: (0..20).map(gpu).collect(),
            offers: Vec::<capability::Offer>::new(),
            omitted: None,
            orchestrator: Orchestrator {
                url: "https://a:1".parse().ok(),
                ..Orchestrator::default()
            },
            price: None,
            version: None,
        };
        let event =
            speaker().event(n.to_string().parse().unwrap(), T, Body::CapabilityOffered(offered));
        assert_eq!(outbox.push(&event, T).unwrap(), Pushed::Taken);
    }
    outbox.sync().unwrap();
    let batches = batches(outbox.shelf());
    check_links(&batches);
    assert!(batches.len() > 8, "{} batches", batches.len());
    for batch in batches.values() {
        assert!(wire::encode(batch).unwrap().len() <= wire::MAX_FRAME_BYTES);
        assert!(
            batch.payload.lines().len() > MAX_COMPRESSED_BYTES / 4,
            "no smaller than it must be"
        );
    }
    assert_eq!(ids(outbox.shelf()).len(), 256);
}

#[test]
fn an_event_is_sealed_once_also_after_opening_again() {
    let folder = folder();
    let (mut outbox, _) = open(folder.path());
    put(&mut outbox, "a", T);
    push(&mut outbox, "never synced", T);
    assert_eq!(outbox.push(&event("a"), T).unwrap(), Pushed::Known);
    drop(outbox);
    let (mut outbox, opening) = open(folder.path());
    assert_eq!(opening, Opening { epoch: 0, unproven: None, unheld: 1 });
    assert_eq!(outbox.push(&event("a"), T).unwrap(), Pushed::Known);
    put(&mut outbox, "never synced", T);
    let batches = batches(outbox.shelf());
    check_links(&batches);
    assert_eq!(
        batches.keys().map(|position| (position.epoch, position.seq)).collect::<Vec<_>>(),
        [(0, 0), (0, 1)]
    );
    let other = Event { network: Network::Simulation, ..event("b") };
    assert!(matches!(outbox.push(&other, T).unwrap(), Pushed::Refused(_)));
}

#[test]
fn epochs_only_rise() {
    let folder = folder();
    let first = Options { first_epoch: 1_700_000_000, ..options(folder.path()) };
    let (mut outbox, opening) = Outbox::open(first.clone(), secret(), Network::Livepeer).unwrap();
    assert_eq!(opening.epoch, 1_700_000_000);
    put(&mut outbox, "a", T.plus(Millis(120_000)));
    assert_eq!(outbox.begin_epoch().unwrap(), 1_700_000_001);
    put(&mut outbox, "b", T.plus(Millis(120_000)));
    put(&mut outbox, "c", T);
    assert_eq!(outbox.epoch(), 1_700_000_002, "a chain sealed in the future is left");
    drop(outbox);
    let (outbox, opening) = Outbox::open(first, secret(), Network::Livepeer).unwrap();
    assert_eq!((opening.epoch, opening.unproven), (1_700_000_002, None));
    let epochs: Vec<_> =
        batches(outbox.shelf()).keys().map(|position| (position.epoch, position.seq)).collect();
    assert_eq!(epochs, [(1_700_000_000, 0), (1_700_000_001, 0), (1_700_000_002, 0)]);
    drop(outbox);
    let another = SigningKey::from_bytes(&[8; 32]);
    let (outbox, opening) =
        Outbox::open(options(folder.path()), another, Network::Livepeer).unwrap();
    assert_eq!(opening.unproven, Some("the head mark is another key's"));
    assert_eq!(batches(outbox.shelf()).len(), 3, "what an older key sealed is still served");
}

#[test]
fn a_folder_is_one_process_alone() {
    let folder = folder();
    let (_outbox, _) = open(folder.path());
    let again = Outbox::open(options(folder.path()), secret(), Network::Livepeer);
    assert!(matches!(again, Err(Error::Locked(_))));
}

#[test]
fn an_error_of_the_disk_stops_it_until_it_is_opened_again() {
    let folder = folder();
    let place = folder.path().join("outbox");
    let (mut outbox, _) = open(&place);
    push(&mut outbox, "a", T);
    outbox.seal(T).unwrap();
    std::fs::rename(&place, folder.path().join("away")).unwrap();
    assert!(matches!(outbox.sync(), Err(Error::Io { .. })));
    assert!(matches!(outbox.push(&event("b"), T), Err(Error::Stopped)));
    assert!(matches!(outbox.sync(), Err(Error::Stopped)));
    drop(outbox);
    std::fs::rename(folder.path().join("away"), &place).unwrap();
    let (mut outbox, _) = open(&place);
    put(&mut outbox, "a", T);
    assert_eq!(ids(outbox.shelf()).len(), 1);
}

#[tokio::test]
async fn what_others_hold_makes_room() {
    let folder = folder();
    let options = Options { segment_bytes: 1_000, quota_bytes: 8_000, ..options(folder.path()) };
    let (mut outbox, _) = Outbox::open(options.clone(), secret(), Network::Livepeer).unwrap();
    let mut n = 0;
    let full = loop {
        match outbox.push(&event(&n.to_string()), T) {
            Ok(pushed) => assert_eq!(pushed, Pushed::Taken),
            Err(full) => break full,
        }
        outbox.seal(T).unwrap();
        outbox.sync().unwrap();
        n += 1;
    };
    assert!(matches!(full, Error::Full { .. }) && full.is_retryable());
    let shelf = outbox.shelf().clone();
    assert_eq!(shelf.unheld(), n);
    let sixth = *batches(&shelf).keys().nth(5).unwrap();
    shelf.held_elsewhere(&sixth).unwrap();
    assert_eq!(shelf.held_below(), 6);
    assert_eq!(
        outbox.push(&event(&n.to_string()), T).unwrap(),
        Pushed::Taken,
        "the event that found no room"
    );
    outbox.seal(T).unwrap();
    outbox.sync().unwrap();
    let kept = batches(&shelf);
    assert!(kept.keys().next().unwrap().seq > 0, "the quota goes before the retention");
    assert!(kept.contains_key(&Position { seq: 6, ..sixth }), "nothing goes that nobody holds");

    shelf.hold_below(u64::MAX).unwrap();
    outbox.retire(T).unwrap();
    let before = batches(&shelf).len();
    assert!(before > 2, "young enough and within the quota: kept");
    outbox.retire(T.plus(options.retention_ms)).unwrap();
    let left = batches(&shelf);
    assert!(left.len() < before && !left.is_empty(), "the newest stays");
    let (chain, epoch) = (outbox.key().to_string(), outbox.epoch());
    let held = shelf.fetch(&chain, epoch, 0, u64::MAX, usize::MAX).await.unwrap();
    assert_eq!(held.len(), left.len(), "asked from the beginning, it answers with what it has");
    drop(outbox);
    let (outbox, opening) = Outbox::open(options, secret(), Network::Livepeer).unwrap();
    assert_eq!((opening.unproven, opening.unheld), (None, 0));
    assert_eq!(batches(outbox.shelf()), left);
}

#[test]
fn an_old_copy_of_the_folder_begins_a_new_epoch_when_it_hears_of_it() {
    let folder = folder();
    let place = folder.path().join("outbox");
    let (mut outbox, _) = open(&place);
    put(&mut outbox, "a", T);
    drop(outbox);
    let copy = folder.path().join("copy");
    crashes::copy(&place, &copy);
    let (mut outbox, _) = open(&place);
    put(&mut outbox, "b", T);
    let newest = batches(outbox.shelf()).pop_last().unwrap().1;
    assert!(!outbox.heard(&newest.header, &newest.signature).unwrap(), "our own");

    let (mut old, opening) = open(&copy);
    assert_eq!(opening.unproven, None, "nothing in the folder tells");
    let oldest = batches(outbox.shelf()).pop_first().unwrap().1;
    assert!(!old.heard(&oldest.header, &oldest.signature).unwrap());
    assert!(!old.heard(&newest.header, &oldest.signature).unwrap(), "anybody could say that");
    assert!(old.heard(&newest.header, &newest.signature).unwrap());
    put(&mut old, "c", T);
    let said: Vec<_> =
        batches(old.shelf()).keys().map(|position| (position.epoch, position.seq)).collect();
    assert_eq!(said, [(0, 0), (1, 0)]);
}

#[tokio::test]
async fn the_shelf_backfills() {
    let folder = folder();
    let (mut outbox, _) = open(folder.path());
    for n in 0..10 {
        put(&mut outbox, &n.to_string(), T);
    }
    outbox.begin_epoch().unwrap();
    put(&mut outbox, "last", T);
    push(&mut outbox, "open", T);
    let shelf = outbox.shelf().clone();
    let chain = outbox.key().to_string();
    let all: Vec<_> = (0..10).map(|n| shelf.next(n).unwrap().unwrap().frame).collect();
    let length = all[0].len();
    let fetch = async |epoch, from, to, bytes| shelf.fetch(&chain, epoch, from, to, bytes).await;
    assert_eq!(fetch(0, 0, 9, usize::MAX).await.unwrap(), all);
    assert_eq!(fetch(0, 3, 4, usize::MAX).await.unwrap(), all[3..5]);
    assert_eq!(fetch(0, 8, u64::MAX, usize::MAX).await.unwrap(), all[8..]);
    assert_eq!(fetch(0, 0, 9, length * 2 + 20).await.unwrap().len(), 2);
    assert_eq!(fetch(0, 10, 12, usize::MAX).await.unwrap().len(), 0);
    assert_eq!(fetch(7, 0, 9, usize::MAX).await.unwrap().len(), 0);
    assert!(!fetch(0, 4, 3, usize::MAX).await.unwrap_err().is_retryable());
    assert!(!fetch(0, 0, 3, 10).await.unwrap_err().is_retryable());
    assert_eq!(shelf.fetch("nobody", 0, 0, 9, usize::MAX).await.unwrap().len(), 0);
    let heads = shelf.heads().await.unwrap();
    let newest = wire::decode(&shelf.next(10).unwrap().unwrap().frame).unwrap();
    assert_eq!(heads.len(), 1);
    assert_eq!((heads[0].chain.as_str(), heads[0].epoch, heads[0].seq), (chain.as_str(), 1, 0));
    assert_eq!(heads[0].hash, newest.header.hash().to_string());
}
