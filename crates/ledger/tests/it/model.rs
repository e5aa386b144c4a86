//! Any sequence of appends, reopenings and torn tails against a plain list.

use std::fs::OpenOptions;
use std::io::Write as _;

use ledger::{Entry, Ledger, Options};
use proptest::prelude::*;

use crate::batches::{batch, contents, entry_of, position, segments};

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<(u8, u64, u64, u64)>),
    Read(u64),
    Reopen,
    /// Close, and leave bytes behind as a crash does.
    Tear(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    let batch = (1..3_u8, 0..2_u64, 0..6_u64, 0..2_u64);
    prop_oneof![
        4 => prop::collection::vec(batch, 0..5).prop_map(Step::Append),
        2 => (0..40_u64).prop_map(Step::Read),
        1 => Just(Step::Reopen),
        1 => prop::collection::vec(any::<u8>(), 1..200).prop_map(Step::Tear),
    ]
}

fn check(ledger: &Ledger, model: &[Entry], from: u64) {
    let skipped = usize::try_from(from).unwrap();
    let read: Vec<_> = ledger.read(from).map(|record| record.unwrap().1).collect();
    assert_eq!(read, model.get(skipped..).unwrap_or_default());
    assert_eq!(ledger.get(from).unwrap().as_ref(), model.get(skipped));
    assert_eq!(ledger.end().next, u64::try_from(model.len()).unwrap());
}

/// The index against a search through the list.
fn check_index(ledger: &Ledger, model: &[Entry]) {
    for (publisher, epoch, seq) in
        (1..3).flat_map(|p| (0..2).flat_map(move |e| (0..6).map(move |s| (p, e, s))))
    {
        let mut expected = Vec::new();
        for salt in 0..2 {
            let batch = batch(publisher, epoch, seq, salt);
            let place = model.iter().position(|entry| *entry == entry_of(&batch));
            expected
                .extend(place.map(|place| (u64::try_from(place).unwrap(), batch.header.hash())));
        }
        expected.sort();
        let found = ledger.find(&position(publisher, epoch, seq));
        assert_eq!(found.into_iter().map(|s| (s.ordinal, s.hash)).collect::<Vec<_>>(), expected);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_is_a_list(steps in prop::collection::vec(step(), 1..25), segment_bytes in 1..6000_u64) {
        let directory = tempfile::tempdir().unwrap();
        let reopen = || Ledger::open(directory.path(), Options { segment_bytes }).unwrap();
        let (mut ledger, _) = reopen();
        let mut model: Vec<Entry> = Vec::new();
        for step in steps {
            match step {
                Step::Append(batches) => {
                    let entries: Vec<_> = batches.iter().map(|(p, e, s, t)| entry_of(&batch(*p, *e, *s, *t))).collect();
                    let range = ledger.append(entries.clone()).unwrap();
                    let first = u64::try_from(model.len()).unwrap();
                    model.extend(entries);
                    prop_assert_eq!(range, first..u64::try_from(model.len()).unwrap());
                }
                Step::Read(from) => check(&ledger, &model, from),
                Step::Reopen => {
                    drop(ledger);
                    ledger = reopen().0;
                }
                Step::Tear(bytes) => {
                    drop(ledger);
                    let last = segments(directory.path()).pop().unwrap();
                    OpenOptions::new().append(true).open(last).unwrap().write_all(&bytes).unwrap();
                    let (opened, recovery) = reopen();
                    prop_assert_eq!(recovery.torn.unwrap().bytes, u64::try_from(bytes.len()).unwrap());
                    ledger = opened;
                }
            }
        }
        prop_assert_eq!(contents(&ledger), model.clone());
        check_index(&ledger, &model);
    }
}
