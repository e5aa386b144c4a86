//! Every way to spoil a small ledger, byte by byte: repaired when a crash explains it, refused otherwise.

use std::fs;
use std::path::Path;

use crc32c::crc32c_append;
use events::identity::Digest;
use ledger::{Error, Ledger, Options};

use crate::batches::{
    FRONT_BYTES, contents, entry, filled, open, segments, snapshot, with_extension,
};

const HEAD_BYTES: usize = 48;

/// The error of an opening that must fail, and must fail for a reader and change nothing.
fn refused(directory: &Path) -> String {
    let before = snapshot(directory);
    let error = Ledger::open(directory, Options::default()).map(|_| ()).unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    assert_eq!(snapshot(directory), before);
    assert!(with_extension(directory, "torn").is_empty());
    error.to_string()
}

/// Writes `front` and `rest` as the only segment of a ledger.
fn write(directory: &Path, front: &[u8], rest: &[u8]) {
    fs::write(directory.join("0000000000000000.seg"), [front, rest].concat()).unwrap();
}

/// The bytes of a one-segment ledger of `count` entries and those of the same with one more.
fn before_and_after(count: u64) -> (Vec<u8>, Vec<u8>) {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), count, 1 << 20);
    let before = fs::read(&segments(directory.path())[0]).unwrap();
    let (ledger, _) = open(directory.path());
    ledger.append(vec![entry(count)]).unwrap();
    drop(ledger);
    (before, fs::read(&segments(directory.path())[0]).unwrap())
}

#[test]
fn a_tail_torn_at_any_byte_is_moved_aside() {
    let (before, after) = before_and_after(2);
    let directory = tempfile::tempdir().unwrap();
    for end in before.len()..=after.len() {
        // The crash came before the sync of the last record, so the marks are those from before it.
        write(directory.path(), &before, &after[before.len()..end]);
        let (reader, _) = Ledger::open_read_only(directory.path()).unwrap();
        assert_eq!(contents(&reader), [entry(0), entry(1)]);
        let (ledger, recovery) = open(directory.path());
        let torn = with_extension(directory.path(), "torn");
        if end == after.len() {
            assert_eq!((recovery.torn, recovery.records), (None, 3));
        } else if end == before.len() {
            assert_eq!((recovery.torn, recovery.records), (None, 2));
        } else {
            let cut = recovery.torn.unwrap();
            assert_eq!(cut.bytes, u64::try_from(end - before.len()).unwrap());
            assert_eq!(torn, [cut.kept_in]);
            assert_eq!(fs::read(&torn[0]).unwrap(), after[before.len()..end]);
            assert_eq!(contents(&ledger), [entry(0), entry(1)]);
            assert_eq!(ledger.append(vec![entry(9)]).unwrap(), 2..3);
            drop(ledger);
            assert_eq!(contents(&open(directory.path()).0), [entry(0), entry(1), entry(9)]);
            fs::remove_file(&torn[0]).unwrap();
        }
    }
}

#[test]
fn torn_bytes_of_two_crashes_are_both_kept() {
    let directory = tempfile::tempdir().unwrap();
    let (before, after) = before_and_after(1);
    for _ in 0..2 {
        write(directory.path(), &before, &after[before.len()..before.len() + 60]);
        assert!(open(directory.path()).1.torn.is_some());
    }
    assert_eq!(with_extension(directory.path(), "torn").len(), 2);
}

#[test]
fn pages_that_never_reached_the_disk_are_a_torn_tail() {
    let (before, after) = before_and_after(2);
    let directory = tempfile::tempdir().unwrap();
    let mut tail = after[before.len()..].to_vec();
    let whole = tail.clone();
    tail[..40].fill(0);
    tail.extend_from_slice(&whole);
    write(directory.path(), &before, &tail);
    let (ledger, recovery) = open(directory.path());
    assert_eq!(recovery.torn.unwrap().bytes, u64::try_from(tail.len()).unwrap());
    assert_eq!(ledger.end().next, 2);
}

#[test]
fn a_synced_record_or_header_that_is_cut_is_refused() {
    let (before, after) = before_and_after(2);
    let directory = tempfile::tempdir().unwrap();
    for end in (0..FRONT_BYTES).chain(before.len()..after.len()) {
        write(directory.path(), &after[..end], &[]);
        let message = refused(directory.path());
        assert!(
            message.contains("0000000000000000.seg at byte") && message.contains("restore"),
            "{message}"
        );
        assert!(Ledger::open_read_only(directory.path()).is_err());
    }
}

#[test]
fn a_flipped_bit_is_refused_wherever_it_was_synced() {
    let directory = tempfile::tempdir().unwrap();
    let entries = filled(directory.path(), 4, 2500);
    let originals = snapshot(directory.path());
    assert_eq!(originals.len(), 2);
    let mut mended = 0;
    for (path, bytes) in &originals {
        for place in 0..bytes.len() {
            let mut spoiled = bytes.clone();
            spoiled[place] ^= 1 << (place % 8);
            fs::write(path, &spoiled).unwrap();
            if (512..FRONT_BYTES).contains(&place) {
                // One of the two marks: the other one still stands, and a writer writes the broken one anew.
                let reader = Ledger::open_read_only(directory.path()).unwrap().0;
                assert!(entries.starts_with(&contents(&reader)));
                if place % 32 == 0 {
                    let (ledger, recovery) = open(directory.path());
                    assert_eq!((recovery.mended_marks, recovery.torn), (1, None));
                    assert_eq!(contents(&ledger), entries);
                    drop(ledger);
                    assert_eq!(open(directory.path()).1.mended_marks, 0);
                    mended += 1;
                }
                fs::write(path, bytes).unwrap();
            } else {
                refused(directory.path());
                assert!(Ledger::open_read_only(directory.path()).is_err(), "byte {place}");
            }
        }
        fs::write(path, bytes).unwrap();
    }
    assert_eq!(mended, 2 * 1024 / 32);
    assert_eq!(contents(&open(directory.path()).0), entries);
}

/// Gives the record at `offset` a new arrival time and a checksum that fits; with a new chain as well, if asked.
fn rewrite(bytes: &mut [u8], offset: usize, before: Option<[u8; 32]>) {
    let length =
        usize::try_from(u32::from_be_bytes(bytes[offset..offset + 4].try_into().unwrap())).unwrap();
    let record = &mut bytes[offset..offset + HEAD_BYTES + length];
    record[15] ^= 1;
    if let Some(before) = before {
        let chain = Digest::of(&[&before, &record[8..16], &record[HEAD_BYTES..]]);
        record[16..48].copy_from_slice(&chain.0);
    }
    let sum = crc32c_append(crc32c_append(0, &record[..4]), &record[8..]);
    record[4..8].copy_from_slice(&sum.to_be_bytes());
}

#[test]
fn a_rewritten_record_is_refused_even_with_its_checksum() {
    let (before, after) = before_and_after(2);
    let directory = tempfile::tempdir().unwrap();
    let first_chain: [u8; 32] = after[FRONT_BYTES + 16..FRONT_BYTES + 48].try_into().unwrap();
    let last_chain: [u8; 32] = {
        let mut at = FRONT_BYTES;
        let length = u32::from_be_bytes(after[at..at + 4].try_into().unwrap());
        at += HEAD_BYTES + usize::try_from(length).unwrap();
        after[at + 16..at + 48].try_into().unwrap()
    };
    assert_ne!(first_chain, last_chain);
    for (offset, chain) in [
        (FRONT_BYTES, None),
        (FRONT_BYTES, Some([0; 32])),
        (before.len(), None),
        (before.len(), Some(last_chain)),
    ] {
        let mut bytes = after.clone();
        rewrite(&mut bytes, offset, chain);
        write(directory.path(), &bytes, &[]);
        let message = refused(directory.path());
        assert!(message.contains("rewritten"), "{message}");
    }
    // Beyond the mark as well: a crash tears records, it does not give them fitting checksums.
    let mut bytes = after.clone();
    rewrite(&mut bytes, before.len(), None);
    write(directory.path(), &before, &bytes[before.len()..]);
    assert!(refused(directory.path()).contains("rewritten"));
}

#[test]
fn records_that_changed_places_are_refused() {
    let (before, after) = before_and_after(2);
    let directory = tempfile::tempdir().unwrap();
    let records = &after[FRONT_BYTES..];
    let (earlier, last) = records.split_at(before.len() - FRONT_BYTES);
    write(directory.path(), &after[..FRONT_BYTES], &[last, earlier].concat());
    assert!(refused(directory.path()).contains("does not follow"));
    write(directory.path(), &after[..FRONT_BYTES], &[earlier, earlier, last].concat());
    refused(directory.path());
}

#[test]
fn segments_that_are_missing_exchanged_or_foreign_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let entries = filled(directory.path(), 6, 1);
    let paths = segments(directory.path());
    assert_eq!(paths.len(), 6);
    let aside = directory.path().join("aside");

    for gone in [0, 3] {
        fs::rename(&paths[gone], &aside).unwrap();
        assert!(refused(directory.path()).contains("a segment is missing"));
        fs::rename(&aside, &paths[gone]).unwrap();
    }

    fs::rename(&paths[2], &aside).unwrap();
    fs::rename(&paths[3], &paths[2]).unwrap();
    fs::rename(&aside, &paths[3]).unwrap();
    assert!(refused(directory.path()).contains("not the one it is named for"));
    fs::rename(&paths[2], &aside).unwrap();
    fs::rename(&paths[3], &paths[2]).unwrap();
    fs::rename(&aside, &paths[3]).unwrap();

    let other = tempfile::tempdir().unwrap();
    let (ledger, _) = Ledger::open(other.path(), Options { segment_bytes: 1 }).unwrap();
    for seq in 10..16 {
        ledger.append(vec![entry(seq)]).unwrap();
    }
    drop(ledger);
    let kept = fs::read(&paths[2]).unwrap();
    fs::copy(&segments(other.path())[2], &paths[2]).unwrap();
    assert!(refused(directory.path()).contains("does not continue"));
    fs::write(&paths[2], kept).unwrap();

    fs::write(directory.path().join("7.seg"), b"").unwrap();
    assert!(refused(directory.path()).contains("not the name of a segment"));
    fs::remove_file(directory.path().join("7.seg")).unwrap();
    assert_eq!(contents(&open(directory.path()).0), entries);
}

#[test]
fn a_whole_segment_that_is_cut_or_longer_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 3, 1);
    let path = &segments(directory.path())[1];
    let bytes = fs::read(path).unwrap();
    for end in FRONT_BYTES..bytes.len() {
        fs::write(path, &bytes[..end]).unwrap();
        refused(directory.path());
    }
    fs::write(path, [&bytes[..], &[0]].concat()).unwrap();
    refused(directory.path());
}

#[test]
fn damage_under_an_open_ledger_is_an_error_of_the_reader() {
    let directory = tempfile::tempdir().unwrap();
    filled(directory.path(), 3, 1 << 20);
    let (ledger, _) = open(directory.path());
    let path = &segments(directory.path())[0];
    let mut bytes = fs::read(path).unwrap();
    bytes[FRONT_BYTES + 200] ^= 1;
    fs::write(path, bytes).unwrap();
    assert!(matches!(ledger.get(0), Err(Error::Corrupt { .. })));
    assert_eq!(ledger.get(1).unwrap(), Some(entry(1)));
    let mut records = ledger.read(0);
    assert!(matches!(records.next(), Some(Err(Error::Corrupt { .. }))));
    assert!(records.next().is_none());
    assert_eq!(ledger.read(1).count(), 2);
}
