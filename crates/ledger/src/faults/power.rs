//! Power cuts: of what was written since the last sync, any sectors may be on the disk and any may be missing.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{entries_of, entry};
use crate::volume::{Disk, Volume};
use crate::{Ledger, Options};

const SECTOR_BYTES: usize = 512;

enum Step {
    Write(usize, Vec<u8>),
    Sync,
    /// The ledger said that so many records are kept.
    Kept(u64),
}

#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Vec<Step>>>);

impl Recorder {
    fn note(&self, step: Step) {
        self.0.lock().unwrap().push(step);
    }
}

impl Volume for Recorder {
    fn write_at(&self, file: &mut File, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.note(Step::Write(usize::try_from(offset).unwrap(), bytes.to_vec()));
        Disk.write_at(file, offset, bytes)
    }

    fn truncate(&self, _: &mut File, _: u64) -> io::Result<()> {
        unreachable!("nothing fails here")
    }

    fn sync(&self, _: &mut File) -> io::Result<()> {
        self.note(Step::Sync);
        Ok(())
    }
}

fn apply(image: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    image.resize(image.len().max(offset + bytes.len()), 0);
    image.get_mut(offset..offset + bytes.len()).unwrap().copy_from_slice(bytes);
}

/// What is on the disk when the power fails after `steps`, and how many records had been acknowledged.
fn image(steps: &[Step], random: &mut StdRng) -> (Vec<u8>, u64) {
    let synced = steps.iter().rposition(|step| matches!(step, Step::Sync)).unwrap();
    let (mut image, mut kept) = (Vec::new(), 0);
    let persistence = random.random_range(0.0..1.0);
    for (place, step) in steps.iter().enumerate() {
        match step {
            Step::Write(offset, bytes) if place < synced => apply(&mut image, *offset, bytes),
            Step::Write(offset, bytes) => {
                let first = SECTOR_BYTES - offset % SECTOR_BYTES;
                let (head, rest) = bytes.split_at(first.min(bytes.len()));
                let mut offset = *offset;
                for sector in [head].into_iter().chain(rest.chunks(SECTOR_BYTES)) {
                    if random.random_bool(persistence) {
                        apply(&mut image, offset, sector);
                    }
                    offset += sector.len();
                }
            }
            Step::Sync => {}
            Step::Kept(records) => kept = *records,
        }
    }
    (image, kept)
}

/// Appends groups of one to five records from what is there on, and gives everything the disk was asked to do.
fn record(directory: &Path, appends: u64) -> Vec<Step> {
    let recorder = Recorder::default();
    let (ledger, _) =
        Ledger::open_on(directory, Options::default(), Box::new(recorder.clone())).unwrap();
    for append in 0..appends {
        let next = ledger.end().next;
        let range = ledger.append((next..=next + append % 5).map(entry).collect()).unwrap();
        recorder.note(Step::Kept(range.end));
    }
    drop(ledger);
    std::mem::take(&mut *recorder.0.lock().unwrap())
}

#[test]
fn a_power_cut_at_any_moment_keeps_all_that_was_acknowledged() {
    let seed = rand::rng().random();
    let mut random = StdRng::seed_from_u64(seed);
    let directory = tempfile::tempdir().unwrap();
    let steps = record(&directory.path().join("recorded"), 12);
    let first_sync = steps.iter().position(|step| matches!(step, Step::Sync)).unwrap();
    let crashed = directory.path().join("crashed");
    for moment in first_sync..steps.len() {
        for _ in 0..6 {
            let (image, kept) = image(steps.get(..=moment).unwrap(), &mut random);
            fs::create_dir(&crashed).unwrap();
            fs::write(crashed.join("0000000000000000.seg"), image).unwrap();
            let found = Ledger::open(&crashed, Options::default());
            let (ledger, _) =
                found.unwrap_or_else(|error| panic!("seed {seed}, step {moment}: {error}"));
            let records = entries_of(&ledger);
            let count = u64::try_from(records.len()).unwrap();
            assert!(count >= kept, "seed {seed}, step {moment}: {count} of {kept}");
            assert_eq!(records, (0..count).map(entry).collect::<Vec<_>>());
            assert_eq!(ledger.append(vec![entry(count)]).unwrap().start, count);
            drop(ledger);
            fs::remove_dir_all(&crashed).unwrap();
        }
    }
}
