//! The door under load: frames that were sealed before are verified, appended and synced.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use ed25519_dalek::SigningKey;
use events::batch::{Batch, MAX_EVENTS, Payload, Tail};
use events::event::Network;
use events::identity::PublisherKey;
use events::unit::{Millis, UnixMillis};
use events::wire;
use ledger::Ledger;
use pipeline::intake::{Intake, KnownKeys, Limits};
use simulator::options::Options;

use crate::history::Play;
use crate::{Measured, machine};

/// How many senders push at once.
const SENDERS: usize = 8;

/// How many frames one push carries.
const FRAMES: usize = 16;

/// How many chains the batches belong to.
const CHAINS: u8 = 16;

pub fn measure(directory: &Path, events: u64) -> Measured {
    let frames = frames(events);
    let batches = frames.len();
    let bytes: usize = frames.iter().map(Vec::len).sum();
    let (ledger, _) = Ledger::open(&directory.join("ledger"), ledger::Options::default())
        .expect("an empty folder");
    let limits = Limits {
        future_max_ms: Millis(60_000),
        networks: [Network::Simulation].into(),
        strangers_bytes_max: u64::MAX,
        stranger_batches_max: u64::MAX,
    };
    let known = KnownKeys::default();
    known.extend((1..=CHAINS).map(|seed| PublisherKey(secret(seed).verifying_key().to_bytes())));
    let intake = Intake::new(Arc::new(ledger), known, limits);
    let pushes: Vec<Vec<Vec<u8>>> = frames.chunks(FRAMES).map(<[Vec<u8>]>::to_vec).collect();
    drop(frames);
    let queue = std::sync::Mutex::new(pushes);
    let began = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..SENDERS {
            scope.spawn(|| {
                loop {
                    let Some(push) = queue.lock().expect("no sender panics").pop() else { return };
                    for verdict in
                        intake.accept_all(push, UnixMillis(1_800_000_000_000)).expect("an intake")
                    {
                        verdict.expect("a good batch");
                    }
                }
            });
        }
    });
    let seconds = began.elapsed().as_secs_f64();
    let taken = (batches * MAX_EVENTS) as f64;
    let note = format!(
        "{batches} batches of 256 events, {} MiB, {SENDERS} senders of {FRAMES} frames a push; signature, root and sync; {:.0} MiB peak",
        bytes >> 20,
        machine::peak_mib("self")
    );
    Measured { note, ..Measured::default() }.with("events_per_s", taken / seconds)
}

/// The key of a chain.
fn secret(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// Full batches of simulated events, sealed before the clock starts.
fn frames(events: u64) -> Vec<Vec<u8>> {
    let mut play = Play::new(Options::golden());
    let mut chains: Vec<(SigningKey, Option<Tail>)> =
        (1..=CHAINS).map(|seed| (secret(seed), None)).collect();
    let mut waiting: Vec<Vec<u8>> = Vec::new();
    let mut frames = Vec::new();
    while (frames.len() * MAX_EVENTS) < usize::try_from(events).expect("a small number") {
        for batch in play.step() {
            waiting.extend(batch.payload.events().map(<[u8]>::to_vec));
        }
        while waiting.len() >= MAX_EVENTS {
            let some: Vec<Vec<u8>> = waiting.drain(..MAX_EVENTS).collect();
            let at = frames.len() % chains.len();
            let (secret, tail) = &mut chains[at];
            let payload = Payload::of(some.iter().map(Vec::as_slice));
            let now = UnixMillis(1_767_225_600_000 + frames.len() as u64);
            let batch = Batch::seal(secret, Network::Simulation, 1, tail.as_ref(), now, payload)
                .expect("a batch");
            *tail = Some(batch.tail());
            frames.push(wire::encode(&batch).expect("a frame"));
        }
    }
    frames
}
