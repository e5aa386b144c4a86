//! How fast synced appends go from one thread and from many, and how fast a ledger opens. Asserts nothing.
#![allow(clippy::unwrap_used)]

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use ed25519_dalek::SigningKey;
use events::batch::{Batch, Payload};
use events::event::Network;
use events::unit::UnixMillis;
use events::wire;
use ledger::{Entry, Ledger, Options};
use tempfile::TempDir;

/// Events in a batch, and the bytes of each before compression.
const EVENTS: u64 = 256;

fn main() {
    divan::main();
}

/// A full batch of about 12 KB as a frame.
fn entry(epoch: u64) -> Entry {
    let digests = (0..EVENTS)
        .map(|n| events::identity::Digest::of(&[&n.to_be_bytes(), &epoch.to_be_bytes()]));
    let events: Vec<_> = digests
        .map(|digest| format!("{{\"kind\":\"segment.attempted\",\"id\":\"{digest}\"}}"))
        .collect();
    let payload = Payload::of(events.iter().map(String::as_bytes));
    let secret = SigningKey::from_bytes(&[1; 32]);
    let batch =
        Batch::seal(&secret, Network::Simulation, epoch, None, UnixMillis::EARLIEST, payload)
            .unwrap();
    Entry { received_ms: UnixMillis::EARLIEST, frame: wire::encode(&batch).unwrap() }
}

fn ledger() -> (TempDir, Ledger) {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let (ledger, _) = Ledger::open(directory.path(), Options::default()).unwrap();
    (directory, ledger)
}

#[divan::bench(threads = [1, 8, 64], sample_count = 200)]
fn append_and_sync_a_batch(bencher: Bencher) {
    let (_directory, ledger) = ledger();
    let entry = entry(0);
    bencher
        .counter(ItemsCount::new(EVENTS))
        .with_inputs(|| vec![entry.clone()])
        .bench_values(|entries| ledger.append(entries).unwrap());
}

#[divan::bench(args = [400], sample_count = 5, sample_size = 1)]
fn open_megabytes(bencher: Bencher, megabytes: u64) {
    let (directory, ledger) = ledger();
    let entry = entry(0);
    let records = megabytes * 1_000_000 / u64::try_from(entry.frame.len()).unwrap();
    for _ in 0..records.div_ceil(500) {
        ledger.append(vec![entry.clone(); 500]).unwrap();
    }
    drop(ledger);
    let counter = BytesCount::new(megabytes * 1_000_000);
    bencher.counter(counter).bench(|| Ledger::open_read_only(directory.path()).unwrap());
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn open_a_hundred_thousand_small_batches(bencher: Bencher) {
    let (directory, ledger) = ledger();
    let secret = SigningKey::from_bytes(&[1; 32]);
    let mut tail = None;
    let mut small = || {
        let payload = Payload::of([&b"{}"[..]]);
        let batch = Batch::seal(
            &secret,
            Network::Simulation,
            0,
            tail.as_ref(),
            UnixMillis::EARLIEST,
            payload,
        )
        .unwrap();
        tail = Some(batch.tail());
        Entry { received_ms: UnixMillis::EARLIEST, frame: wire::encode(&batch).unwrap() }
    };
    for _ in 0..100 {
        ledger.append((0..1000).map(|_| small()).collect()).unwrap();
    }
    drop(ledger);
    bencher
        .counter(ItemsCount::new(100_000_usize))
        .bench(|| Ledger::open_read_only(directory.path()).unwrap());
}
