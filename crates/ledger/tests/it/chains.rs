//! What the index says about chains: heads, gaps, forks; and what the ledger refuses to append.

use events::identity::Digest;
use events::unit::MAX_JSON_INTEGER;
use ledger::{Entry, Error, Ledger, Options};

use crate::batches::{batch, contents, entry, entry_of, filled, key, open, position};

#[test]
fn heads_gaps_and_forks_follow_what_arrives_in_any_order() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = open(directory.path());
    let append = |seq, salt| ledger.append(vec![entry_of(&batch(1, 3, seq, salt))]).unwrap().start;
    let seqs = |ledger: &Ledger| {
        let head = ledger.head(key(1), 3).unwrap();
        (head.contiguous.map(|tip| tip.seq), head.highest.seq, head.forked_at)
    };
    append(2, 0);
    assert_eq!(seqs(&ledger), (None, 2, None));
    assert_eq!(ledger.gaps(key(1), 3, 0, 10), [0..=1]);
    append(0, 0);
    append(5, 0);
    append(7, 0);
    assert_eq!(seqs(&ledger), (Some(0), 7, None));
    assert_eq!(ledger.gaps(key(1), 3, 0, 10), [1..=1, 3..=4, 6..=6]);
    assert_eq!(ledger.gaps(key(1), 3, 0, 2), [1..=1, 3..=4]);
    assert_eq!(ledger.gaps(key(1), 3, 4, 10), [4..=4, 6..=6]);
    assert!(ledger.gaps(key(1), 3, 7, 10).is_empty());
    let next = |seq| ledger.next(&position(1, 3, seq)).map(|(seq, _)| seq);
    assert_eq!(
        [next(0), next(1), next(5), next(6), next(8)],
        [Some(0), Some(2), Some(5), Some(7), None]
    );
    append(1, 0);
    assert_eq!(seqs(&ledger), (Some(2), 7, None));
    let forked = append(5, 1);
    append(5, 1);
    assert_eq!(seqs(&ledger), (Some(2), 7, Some(5)));

    let check = |ledger: &Ledger| {
        let sightings = ledger.find(&position(1, 3, 5));
        let hashes = [batch(1, 3, 5, 0).header.hash(), batch(1, 3, 5, 1).header.hash()];
        assert_eq!(sightings.iter().map(|sighting| sighting.hash).collect::<Vec<_>>(), hashes);
        assert_eq!(
            sightings.iter().map(|sighting| sighting.ordinal).collect::<Vec<_>>(),
            [2, forked]
        );
        assert!(ledger.contains(&position(1, 3, 5), &hashes[1]));
        assert!(!ledger.contains(&position(1, 3, 5), &Digest::ZERO));
        assert!(!ledger.contains(&position(2, 3, 5), &hashes[0]));
        assert_eq!(ledger.chains(), [(key(1), 3)]);
        assert_eq!(ledger.heads(), [ledger.head(key(1), 3).unwrap()]);
        assert_eq!(ledger.head(key(1), 4), None);
        assert!(ledger.gaps(key(1), 4, 0, 10).is_empty());
    };
    check(&ledger);
    drop(ledger);
    check(&open(directory.path()).0);
    check(&Ledger::open_read_only(directory.path()).unwrap().0);
}

#[test]
fn the_last_sequence_there_can_be_breaks_nothing() {
    const LAST: u64 = MAX_JSON_INTEGER;
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = open(directory.path());
    ledger.append(vec![entry_of(&batch(1, 0, LAST, 0)), entry(0)]).unwrap();
    assert_eq!(ledger.gaps(key(1), 0, 0, 10), [1..=LAST - 1]);
    assert_eq!(ledger.head(key(1), 0).unwrap().highest.seq, LAST);
}

#[test]
fn what_is_no_frame_or_too_much_is_refused_whole() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, _) = open(directory.path());
    let junk = Entry { received_ms: entry(0).received_ms, frame: b"naap, but no frame".to_vec() };
    let refused = ledger.append(vec![entry(0), junk]).unwrap_err();
    assert!(matches!(refused, Error::NotAFrame { place: 1, .. }), "{refused}");
    let many = vec![entry(0); ledger::MAX_APPEND_BYTES / entry(0).frame.len()];
    assert!(matches!(ledger.append(many), Err(Error::AppendTooLarge { .. })));
    assert_eq!(ledger.append(Vec::new()).unwrap(), 0..0);
    assert_eq!(ledger.end().next, 0);
    assert_eq!(ledger.append(vec![entry(0)]).unwrap(), 0..1);
}

#[test]
fn records_are_found_from_any_ordinal_across_segments() {
    let directory = tempfile::tempdir().unwrap();
    let entries = filled(directory.path(), 20, 3000);
    let (ledger, recovery) =
        Ledger::open(directory.path(), Options { segment_bytes: 3000 }).unwrap();
    assert_eq!(recovery.records, 20);
    assert!((3..20).contains(&recovery.segments), "{}", recovery.segments);
    for from in 0..22 {
        let read: Vec<_> = ledger.read(from).map(Result::unwrap).collect();
        let expected = (0..).zip(entries.clone()).filter(|(ordinal, _)| *ordinal >= from);
        assert!(read.into_iter().eq(expected), "from {from}");
        assert_eq!(ledger.get(from).unwrap(), entries.get(usize::try_from(from).unwrap()).cloned());
    }
    assert_eq!(ledger.get(u64::MAX).unwrap(), None);
}

#[test]
fn a_ledger_that_is_read_takes_nothing_and_a_missing_one_is_not_made() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("none");
    assert!(matches!(Ledger::open_read_only(&missing), Err(Error::Io { .. })));
    assert!(!missing.exists());
    let (reader, recovery) = Ledger::open_read_only(directory.path()).unwrap();
    assert_eq!(recovery.segments, 0);
    assert!(matches!(reader.append(vec![entry(0)]), Err(Error::ReadOnly)));
    assert_eq!(contents(&reader), []);
}
