//! Small signed batches to put into a ledger, and the names of the files they end up in.

use std::fs;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use events::batch::{Batch, Payload, Position, Tail, publisher_key};
use events::event::Network;
use events::identity::PublisherKey;
use events::unit::UnixMillis;
use events::wire;
use ledger::{Entry, Ledger, Options, Recovery};

/// Bytes before the first record of a segment.
pub const FRONT_BYTES: usize = 1536;

pub fn key(publisher: u8) -> PublisherKey {
    publisher_key(&SigningKey::from_bytes(&[publisher; 32]))
}

pub fn position(publisher: u8, epoch: u64, seq: u64) -> Position {
    Position { key: key(publisher), epoch, seq }
}

/// A batch at any place of a chain, without the ones before it; `salt` makes it another batch.
pub fn batch(publisher: u8, epoch: u64, seq: u64, salt: u64) -> Batch {
    let secret = SigningKey::from_bytes(&[publisher; 32]);
    let now = UnixMillis(UnixMillis::EARLIEST.0 + seq % 1000);
    let tail = seq.checked_sub(1).map(|seq| Tail {
        hash: events::identity::Digest::of(&[]),
        sealed_ms: now,
        seq,
    });
    let payload = Payload::of([format!("{{\"salt\":{salt}}}").as_bytes()]);
    Batch::seal(&secret, Network::Simulation, epoch, tail.as_ref(), now, payload).unwrap()
}

pub fn entry_of(batch: &Batch) -> Entry {
    Entry {
        received_ms: UnixMillis(batch.header.sealed_ms.0 + 5),
        frame: wire::encode(batch).unwrap(),
    }
}

/// The `seq`-th entry of publisher 1.
pub fn entry(seq: u64) -> Entry {
    entry_of(&batch(1, 0, seq, 0))
}

pub fn open(directory: &Path) -> (Ledger, Recovery) {
    Ledger::open(directory, Options::default()).unwrap()
}

/// A closed ledger of the entries `0..count`, each in an append of its own.
pub fn filled(directory: &Path, count: u64, segment_bytes: u64) -> Vec<Entry> {
    let (ledger, _) = Ledger::open(directory, Options { segment_bytes }).unwrap();
    let entries: Vec<_> = (0..count).map(entry).collect();
    for entry in &entries {
        ledger.append(vec![entry.clone()]).unwrap();
    }
    entries
}

pub fn contents(ledger: &Ledger) -> Vec<Entry> {
    let records: Vec<_> = ledger.read(0).map(Result::unwrap).collect();
    assert!(records.iter().map(|(ordinal, _)| *ordinal).eq(0..ledger.end().next));
    records.into_iter().map(|(_, entry)| entry).collect()
}

pub fn segments(directory: &Path) -> Vec<PathBuf> {
    with_extension(directory, "seg")
}

pub fn with_extension(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let paths = fs::read_dir(directory).unwrap().map(|item| item.unwrap().path());
    let mut paths: Vec<_> =
        paths.filter(|path| path.extension().is_some_and(|end| end == extension)).collect();
    paths.sort();
    paths
}

/// What the ledger's directory holds, byte for byte.
pub fn snapshot(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    segments(directory).into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect()
}
