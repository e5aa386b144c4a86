//! A disk that fills up, tears writes and breaks syncs on command, and what the ledger makes of it. Tests only.

mod power;

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use ed25519_dalek::SigningKey;
use events::batch::{Batch, Payload};
use events::event::Network;
use events::unit::UnixMillis;
use events::wire;

use crate::volume::{Disk, Volume};
use crate::{Entry, Error, Ledger, Options};

/// What the disk can still do.
#[derive(Default)]
struct Knobs {
    /// Bytes that may still be written.
    room: AtomicU64,
    breaks_sync: AtomicBool,
    breaks_truncate: AtomicBool,
}

struct Faulty(Arc<Knobs>);

impl Volume for Faulty {
    fn write_at(&self, file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let wanted = u64::try_from(bytes.len()).unwrap();
        // Room that is already taken, such as a mark's, needs no more of it.
        let grows = offset + wanted > file.metadata()?.len();
        let room = self.0.room.load(Ordering::Relaxed);
        if !grows || wanted <= room {
            self.0.room.fetch_sub(if grows { wanted } else { 0 }, Ordering::Relaxed);
            return Disk.write_at(file, offset, bytes);
        }
        let part = bytes.get(..usize::try_from(room).unwrap()).unwrap();
        Disk.write_at(file, offset, part)?;
        Err(io::Error::from(io::ErrorKind::StorageFull))
    }

    fn truncate(&self, file: &mut File, length: u64) -> io::Result<()> {
        if self.0.breaks_truncate.load(Ordering::Relaxed) {
            return Err(io::Error::other("truncate broken on purpose"));
        }
        Disk.truncate(file, length)
    }

    fn sync(&self, file: &mut File) -> io::Result<()> {
        if self.0.breaks_sync.load(Ordering::Relaxed) {
            return Err(io::Error::other("sync broken on purpose"));
        }
        Disk.sync(file)
    }
}

fn entry(seq: u64) -> Entry {
    let secret = SigningKey::from_bytes(&[7; 32]);
    let payload = Payload::of([format!("{{\"n\":{seq}}}").as_bytes()]);
    let now = UnixMillis(UnixMillis::EARLIEST.0 + seq);
    let batch = Batch::seal(&secret, Network::Simulation, seq, None, now, payload).unwrap();
    Entry { received_ms: now, frame: wire::encode(&batch).unwrap() }
}

fn open(directory: &Path, room: u64, segment_bytes: u64) -> (Ledger, Arc<Knobs>) {
    let knobs = Arc::new(Knobs { room: AtomicU64::new(room), ..Knobs::default() });
    let (ledger, _) =
        Ledger::open_on(directory, Options { segment_bytes }, Box::new(Faulty(Arc::clone(&knobs))))
            .unwrap();
    (ledger, knobs)
}

/// What a ledger holds after it was closed without a torn tail.
fn entries(directory: &Path) -> Vec<Entry> {
    let (ledger, recovery) = Ledger::open(directory, Options::default()).unwrap();
    assert_eq!(recovery.torn, None);
    entries_of(&ledger)
}

fn entries_of(ledger: &Ledger) -> Vec<Entry> {
    ledger.read(0).map(|record| record.unwrap().1).collect()
}

#[test]
fn a_full_disk_is_an_error_and_room_makes_it_good_again() {
    let directory = tempfile::tempdir().unwrap();
    // Too small segments make the disk fill up while a segment is begun, too; large ones, while a record is written.
    for (name, segment_bytes) in [("begin", 1), ("write", 1 << 20)] {
        let path = directory.path().join(name);
        let (ledger, knobs) = open(&path, 6000, segment_bytes);
        let mut kept = Vec::new();
        for seq in 0..40 {
            match ledger.append(vec![entry(seq)]) {
                Ok(range) => {
                    assert_eq!(range.start, u64::try_from(kept.len()).unwrap());
                    kept.push(entry(seq));
                }
                Err(error) => {
                    assert!(error.is_retryable() && !error.is_fatal(), "{error}");
                    knobs.room.fetch_add(700, Ordering::Relaxed);
                }
            }
        }
        assert!(kept.len() > 5 && kept.len() < 40, "{}", kept.len());
        assert!(ledger.health().is_ok());
        let (beside, _) = Ledger::open_read_only(&path).unwrap();
        assert_eq!(beside.end(), ledger.end());
        drop(ledger);
        assert_eq!(entries(&path), kept);
    }
}

#[test]
fn a_failed_sync_poisons_and_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, knobs) = open(directory.path(), u64::MAX, 1 << 20);
    assert_eq!(ledger.append(vec![entry(0), entry(1)]).unwrap(), 0..2);
    knobs.breaks_sync.store(true, Ordering::Relaxed);
    let failed = ledger.append(vec![entry(2)]).unwrap_err();
    assert!(matches!(&failed, Error::Poisoned { reason } if reason.contains("sync")), "{failed}");
    assert!(failed.is_fatal());
    knobs.breaks_sync.store(false, Ordering::Relaxed);
    assert!(ledger.append(vec![entry(3)]).unwrap_err().is_fatal());
    assert!(ledger.health().is_err());
    assert_eq!(ledger.end().next, 2);
    assert_eq!(ledger.read(0).count(), 2);
    drop(ledger);
    // What was written without a sync may or may not be there; what was acknowledged is.
    let found = entries(directory.path());
    assert_eq!(found.get(..2).unwrap(), [entry(0), entry(1)]);
    assert!(!found.contains(&entry(3)));
}

#[test]
fn a_failed_write_that_cannot_be_taken_back_poisons_and_the_next_opening_repairs_it() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, knobs) = open(directory.path(), 5000, 1 << 20);
    ledger.append(vec![entry(0)]).unwrap();
    knobs.room.store(100, Ordering::Relaxed);
    knobs.breaks_truncate.store(true, Ordering::Relaxed);
    assert!(ledger.append(vec![entry(1)]).unwrap_err().is_fatal());
    drop(ledger);
    let (ledger, recovery) = Ledger::open(directory.path(), Options::default()).unwrap();
    assert_eq!(recovery.torn.unwrap().bytes, 100);
    assert_eq!(ledger.append(vec![entry(2)]).unwrap(), 1..2);
}

#[test]
fn everyone_who_waits_for_a_failed_sync_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, knobs) = open(directory.path(), u64::MAX, 1 << 20);
    knobs.breaks_sync.store(true, Ordering::Relaxed);
    thread::scope(|scope| {
        let callers: Vec<_> = (0..8)
            .map(|seq| {
                scope.spawn({
                    let ledger = &ledger;
                    move || ledger.append(vec![entry(seq)])
                })
            })
            .collect();
        for caller in callers {
            assert!(caller.join().unwrap().unwrap_err().is_fatal());
        }
    });
    assert_eq!(ledger.end().next, 0);
}
