//! Many threads at once, a second opener, a reader beside the writer, and copies taken while it writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use ledger::{Error, Ledger, Options};

use crate::batches::{batch, contents, entry, entry_of, open};

const SMALL: Options = Options { segment_bytes: 20_000 };

#[test]
fn appends_of_many_threads_get_dense_ordinals_that_hold_what_they_brought() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(directory.path(), SMALL).unwrap();
    let work = |publisher: u8| {
        let ledger = &ledger;
        move || -> Vec<_> {
            let one = |seq: u64| {
                let entries: Vec<_> =
                    (0..=seq % 3).map(|salt| entry_of(&batch(publisher, salt, seq, 0))).collect();
                (ledger.append(entries.clone()).unwrap(), entries)
            };
            (0..40).map(one).collect()
        }
    };
    let appended: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (1..=6).map(|publisher| scope.spawn(work(publisher))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    let mut ordinals = BTreeSet::new();
    for (range, entries) in &appended {
        for (ordinal, entry) in range.clone().zip(entries) {
            assert!(ordinals.insert(ordinal));
            assert_eq!(ledger.get(ordinal).unwrap().as_ref(), Some(entry));
        }
        assert_eq!(range.clone().count(), entries.len());
    }
    assert!(ordinals.into_iter().eq(0..ledger.end().next));
    let before = contents(&ledger);
    let end = ledger.end();
    drop(ledger);
    let (ledger, recovery) = open(directory.path());
    assert!(recovery.segments > 1);
    assert_eq!((contents(&ledger), ledger.end()), (before, end));
}

#[test]
fn a_second_writer_is_refused_until_the_first_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let (first, _) = open(directory.path());
    let error = Ledger::open(directory.path(), SMALL).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::InUse { .. }));
    assert!(error.to_string().contains("in use"), "{error}");
    first.append(vec![entry(0)]).unwrap();
    drop(first);
    assert_eq!(open(directory.path()).0.end().next, 1);
}

/// Copies as simple tools do: list, then read each file from its start.
fn copy(from: &Path, to: &Path) {
    let names: Vec<_> = fs::read_dir(from).unwrap().map(|item| item.unwrap().file_name()).collect();
    for name in names {
        match fs::copy(from.join(&name), to.join(&name)) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                assert_eq!(name, "segment.draft")
            }
            copied => assert!(copied.is_ok(), "{name:?}"),
        }
    }
}

#[test]
fn readers_and_copies_beside_a_running_writer_see_a_beginning_of_the_ledger() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(directory.path(), SMALL).unwrap();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 0..400 {
                ledger.append(vec![entry(seq)]).unwrap();
            }
            is_done.store(true, Ordering::Release);
        });
        let (mut seen, mut rounds) = (0, 0);
        let (following, _) = Ledger::open_read_only(directory.path()).unwrap();
        while !is_done.load(Ordering::Acquire) || rounds < 3 {
            rounds += 1;
            let known = ledger.end().next;
            let (beside, _) = Ledger::open_read_only(directory.path()).unwrap();
            following.refresh().unwrap();
            assert!(following.end().next >= known);
            let target = tempfile::tempdir().unwrap();
            copy(directory.path(), target.path());
            let (copied, _) = Ledger::open(target.path(), SMALL).unwrap();
            for (name, reader) in [
                ("same", &ledger),
                ("beside", &beside),
                ("copy", &copied),
                ("following", &following),
            ] {
                let records = contents_so_far(reader);
                assert!(records >= known, "{name}: {records} of {known}");
                seen = seen.max(records);
            }
        }
        assert!(seen > 0);
        following.refresh().unwrap();
        assert_eq!(following.end(), ledger.end());
        assert_eq!(following.heads(), ledger.heads());
    });
    assert_eq!(contents(&ledger), (0..400).map(entry).collect::<Vec<_>>());
}

/// How many records a reader gives, each of which must be the right one.
fn contents_so_far(ledger: &Ledger) -> u64 {
    let records = ledger.read(0).map(Result::unwrap);
    let mut count = 0;
    for (ordinal, found) in records {
        assert_eq!((ordinal, &found), (count, &entry(ordinal)));
        count += 1;
    }
    count
}
