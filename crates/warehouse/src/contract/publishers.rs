//! Publishers and refusals.

use events::batch::Position;
use events::refusal::Defect;
use events::unit::Millis;
use sla::window::Hour;

use super::sample::{HOUR, NETWORK, key, publisher, record};
use crate::Warehouse;
use crate::page::Page;
use crate::record::{NOTES_OF_KEY_MAX, PublisherRow, RefusalCount, RefusalNote};
use crate::view::{RefusalRow, Source};

/// A row takes the place of the one before; epochs stand apart; what is not known comes back as not known.
pub fn publishers_are_replaced(home: &dyn Warehouse) {
    let bare = PublisherRow {
        address: None,
        collected: true,
        gaps: Vec::new(),
        head: None,
        node: None,
        role: None,
        sealed_ms: None,
        ..publisher(NETWORK, 2, 0)
    };
    let mut rows = vec![publisher(NETWORK, 1, 0), publisher(NETWORK, 1, 1), bare];
    home.record_publishers(&rows).unwrap();
    rows[1].gaps = vec![(0, (1 << 53) - 1)];
    rows[1].events += 1;
    home.record_publishers(&rows[1..2]).unwrap();
    home.record_publishers(&[]).unwrap();
    rows.sort_by_key(|row| (row.key, row.epoch));
    let page = home.publishers(NETWORK, &Page::first(10)).unwrap();
    assert_eq!((page.rows, page.next), (rows, None));
}

/// Refusals are noted one by one: the newest of each publisher, and of an hour those of its latest revision.
pub fn refusals_are_noted(home: &dyn Warehouse) {
    let noted = |number: u64, of: u64| RefusalNote {
        at_ms: HOUR.start().plus(Millis(10_000 + number)),
        defect: Defect::BatchSignature,
        detail: "too long".to_owned(),
        event: None,
        hour: HOUR,
        index: None,
        network: NETWORK,
        position: Position { key: key(of), epoch: 1, seq: number },
        source: Source::Intake,
    };
    let seqs = |keys: &[_], limit| -> Vec<u64> {
        let notes = home.refusal_notes(NETWORK, keys, limit).unwrap();
        notes.into_iter().map(|note| note.position.seq).collect()
    };
    home.record_refusals(&[], &[noted(1, 0), noted(2, 0), noted(3, 1)]).unwrap();
    home.record_refusals(&[], &[noted(2, 0)]).unwrap();
    assert_eq!(seqs(&[key(0)], 9), [2, 1], "the same again is the same");
    assert_eq!(seqs(&[key(0), key(1)], 9), [3, 2, 1]);
    assert_eq!(seqs(&[key(0), key(1)], 2), [3, 2]);
    assert_eq!(seqs(&[key(7)], 9), Vec::<u64>::new());
    home.record_hour(&record(NETWORK, HOUR, 0, 50)).unwrap();
    assert_eq!(seqs(&[key(0)], 9), [2, 1, 51, 50]);
    home.record_hour(&record(NETWORK, HOUR, 1, 60)).unwrap();
    assert_eq!(seqs(&[key(0)], 9), [2, 1, 61, 60]);
    let last = home.refusal_notes(NETWORK, &[key(0)], 9).unwrap().pop().unwrap();
    assert_eq!((last.index, last.source, last.hour), (Some(7), Source::Settle, HOUR));
    assert_eq!(last.event.unwrap().as_str(), "event-60");
    let many: Vec<RefusalNote> = (100..1_100).map(|number| noted(number, 1)).collect();
    home.record_refusals(&[], &many).unwrap();
    let kept = seqs(&[key(1)], 1_000);
    assert_eq!((kept.len(), kept.first().copied()), (NOTES_OF_KEY_MAX, Some(1_099)));
    assert_eq!(seqs(&[key(0)], 9).len(), 4, "each publisher has room of its own");
}

/// Refusals of intake add up; those of settling are those of each hour's latest revision.
pub fn refusals_are_counted_once(home: &dyn Warehouse) {
    let at = |key, defect, hour, count| RefusalCount { count, defect, hour, key, network: NETWORK };
    let intake = [
        at(Some(key(0)), Defect::BatchSignature, HOUR, 2),
        at(Some(key(0)), Defect::BatchSignature, HOUR.next(), 3),
        at(None, Defect::BatchMalformed, HOUR, 1),
    ];
    home.record_refusals(&intake, &[]).unwrap();
    home.record_refusals(&intake[..1], &[]).unwrap();
    home.record_hour(&record(NETWORK, HOUR, 0, 5)).unwrap();
    home.record_hour(&record(NETWORK, HOUR, 1, 6)).unwrap();
    home.record_hour(&record(NETWORK, HOUR, 1, 6)).unwrap();
    home.record_hour(&record(NETWORK, HOUR.next(), 0, 10)).unwrap();
    let row = |key, defect, source, count, first: Hour, last| RefusalRow {
        count,
        defect,
        first,
        key,
        last,
        source,
    };
    let known = Some(key(0));
    let (first, last) = (HOUR, HOUR.next());
    assert_eq!(
        home.refusals(NETWORK, known.as_ref()).unwrap(),
        [
            row(known, Defect::BatchSignature, Source::Intake, 7, first, last),
            row(known, Defect::EventDuplicate, Source::Settle, 16, first, last),
        ]
    );
    assert_eq!(
        home.refusals(NETWORK, None).unwrap(),
        [
            row(None, Defect::BatchMalformed, Source::Intake, 1, first, first),
            row(None, Defect::BatchSignature, Source::Intake, 7, first, last),
            row(None, Defect::EventDuplicate, Source::Settle, 16, first, last),
            row(None, Defect::SignerUnknown, Source::Settle, 2, first, last),
        ]
    );
    assert_eq!(home.refusals(NETWORK, Some(&key(9))).unwrap(), []);
}
