//! Batches, cursors and documents: what a home must keep of the ledger.

use events::identity::Digest;
use events::unit::{MAX_JSON_INTEGER, UnixMillis};

use super::sample::{self, NETWORK, batch};
use crate::record::BatchRow;
use crate::{Error, Warehouse};

fn everything() -> std::ops::RangeInclusive<UnixMillis> {
    UnixMillis(0)..=UnixMillis(u64::MAX)
}

/// Recording the same batches again, in any grouping, changes nothing.
pub fn batches_are_recorded_once(home: &dyn Warehouse) {
    let rows: Vec<BatchRow> = (0..40).map(|number| batch(NETWORK, number)).collect();
    for chunk in rows.chunks(7) {
        home.record_batches(chunk, None).unwrap();
    }
    home.record_batches(&rows, None).unwrap();
    home.record_batches(&rows[3..9], None).unwrap();
    home.record_batches(&[], None).unwrap();
    assert_eq!(home.batches_sealed(NETWORK, everything()).unwrap(), rows);
    assert_eq!(home.last_ordinal().unwrap(), Some(39));
    // What was found in a batch may be learnt again; which batch it is may not.
    let relearnt = BatchRow { has_records: true, ..rows[0].clone() };
    home.record_batches(std::slice::from_ref(&relearnt), None).unwrap();
    assert_eq!(home.batch_rows_at(NETWORK, &[relearnt.position]).unwrap(), [relearnt]);
}

/// Spans are inclusive, lists are ordered by seal and ordinal, and each list holds what it names.
pub fn batches_are_found(home: &dyn Warehouse) {
    let mut rows: Vec<BatchRow> = (0..40).map(|number| batch(NETWORK, number)).collect();
    // Two sealed in one millisecond, and one position sealed twice.
    rows[5].sealed_ms = rows[4].sealed_ms;
    rows[6].position = rows[4].position;
    let backwards: Vec<BatchRow> = rows.iter().rev().cloned().collect();
    home.record_batches(&backwards, None).unwrap();
    let span = rows[4].sealed_ms..=rows[9].sealed_ms;
    assert_eq!(home.batches_sealed(NETWORK, span.clone()).unwrap(), rows[4..10]);
    let flagged = |flag: fn(&BatchRow) -> bool, rows: &[BatchRow]| -> Vec<BatchRow> {
        rows.iter().filter(|row| flag(row)).cloned().collect()
    };
    let with_records = flagged(|row| row.has_records, &rows);
    assert_eq!(home.record_batch_rows(NETWORK).unwrap(), with_records);
    let with_mappings = flagged(|row| row.has_mappings, &rows[4..10]);
    assert!(!with_mappings.is_empty());
    assert_eq!(home.mapping_batch_rows(NETWORK, span).unwrap(), with_mappings);
    let wanted = [
        rows[20].position,
        rows[4].position,
        rows[20].position,
        sample::batch(NETWORK, 99).position,
    ];
    let found = home.batch_rows_at(NETWORK, &wanted).unwrap();
    assert_eq!(found, [rows[4].clone(), rows[6].clone(), rows[20].clone()]);
}

/// Every epoch tells how many batches and events it holds, whenever they came.
pub fn epochs_are_counted(home: &dyn Warehouse) {
    let mut rows: Vec<BatchRow> = (0..40).map(|number| batch(NETWORK, number)).collect();
    rows.push(BatchRow { network: events::event::Network::Livepeer, ..batch(NETWORK, 40) });
    home.record_batches(&rows, None).unwrap();
    home.record_batches(&rows[10..20], None).unwrap();
    let mut expected = std::collections::BTreeMap::new();
    for row in &rows[..40] {
        let place = (row.position.key, row.position.epoch);
        let (batches, events, last) = expected.entry(place).or_insert((0, 0, UnixMillis(0)));
        *batches += 1;
        *events += u64::from(row.count);
        *last = row.received_ms.max(*last);
    }
    let found = home.epochs(NETWORK).unwrap();
    let found = found
        .into_iter()
        .map(|row| ((row.key, row.epoch), (row.batches, row.events, row.last_received_ms)));
    assert!(expected.len() > 1);
    assert!(found.eq(expected));
}

/// Another batch under a known ordinal is an error, and nothing of its call is kept.
pub fn another_ledger_is_refused(home: &dyn Warehouse) {
    home.record_batches(&[batch(NETWORK, 1)], Some(("reader", 2))).unwrap();
    let other = BatchRow { hash: Digest::of(&[b"other"]), ..batch(NETWORK, 1) };
    let refused = home.record_batches(&[batch(NETWORK, 2), other], Some(("reader", 3)));
    assert!(matches!(refused, Err(Error::AnotherLedger { ordinal: 1, .. })), "{refused:?}");
    assert!(!refused.unwrap_err().is_retryable());
    assert_eq!(home.last_ordinal().unwrap(), Some(1));
    assert_eq!(home.cursor("reader").unwrap(), Some(2));
}

/// A cursor is kept with the batches it counts; names do not meet; it may be set back.
pub fn a_cursor_is_kept_with_its_batches(home: &dyn Warehouse) {
    assert_eq!(home.cursor("one").unwrap(), None);
    home.record_batches(&[batch(NETWORK, 0)], Some(("one", 1))).unwrap();
    home.set_cursor("two", 7).unwrap();
    home.set_cursor("", 0).unwrap();
    home.set_cursor("two", 5).unwrap();
    let cursors = ["one", "two", "", "three"].map(|name| home.cursor(name).unwrap());
    assert_eq!(cursors, [Some(1), Some(5), Some(0), None]);
}

/// Documents come back as they were given, the empty one too.
pub fn documents_are_kept_under_their_digest(home: &dyn Warehouse) {
    let long = "policy ".repeat(100_000);
    for bytes in [b"".as_slice(), b"policy", long.as_bytes()] {
        let digest = home.record_document(bytes).unwrap();
        assert_eq!(digest, Digest::of(&[bytes]));
        assert_eq!(home.record_document(bytes).unwrap(), digest);
        assert_eq!(home.document(&digest).unwrap().as_deref(), Some(bytes));
    }
    assert_eq!(home.document(&Digest::ZERO).unwrap(), None);
}

/// Numbers up to 2^53 - 1 are kept; one that a home has no room for is an error and never another number.
pub fn extreme_numbers_are_kept(home: &dyn Warehouse) {
    let mut row = batch(NETWORK, MAX_JSON_INTEGER);
    row.position.epoch = MAX_JSON_INTEGER;
    row.sealed_ms = UnixMillis(MAX_JSON_INTEGER);
    row.received_ms = UnixMillis(0);
    row.count = u16::MAX;
    home.record_batches(std::slice::from_ref(&row), Some(("reader", MAX_JSON_INTEGER))).unwrap();
    assert_eq!(home.batch_rows_at(NETWORK, &[row.position]).unwrap(), [row.clone()]);
    assert_eq!(home.batches_sealed(NETWORK, everything()).unwrap(), [row.clone()]);
    assert_eq!(home.cursor("reader").unwrap(), Some(MAX_JSON_INTEGER));
    match home.set_cursor("reader", u64::MAX) {
        Ok(()) => assert_eq!(home.cursor("reader").unwrap(), Some(u64::MAX)),
        Err(error) => assert!(matches!(error, Error::TooLarge { .. }), "{error}"),
    }
}
