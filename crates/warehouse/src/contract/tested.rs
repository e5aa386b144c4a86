//! What homes do with tests: they are found by when they were made, whatever hour tells of them.

use events::body::probe::Measured;
use events::event::Workload;
use events::unit::{Millis, UnixMillis};
use sla::rollup::{Detail, Rollup};
use sla::tested::Tested;
use sla::window::Hour;

use super::sample::{self, HOUR, NETWORK};
use crate::Warehouse;

/// What a test in an hour gave; the third was told of late.
pub fn one(hour: Hour, number: u64) -> Tested {
    let late = if number == 2 { Millis(5 * 3_600_000) } else { Millis(0) };
    Tested {
        at_ms: hour.start().minus(late).plus(Millis(number)),
        id: format!("test-{number}").parse().unwrap(),
        measured: Measured { warm: Some(number.is_multiple_of(2)), ..Measured::default() },
        model: None,
        operator: sample::operator(number),
        pipeline: None,
        region: Some("FRA".parse().unwrap()),
        reporter: sample::reporter(number),
        workload: Workload::Transcoding,
    }
}

/// Tests are found by when they were made, whatever hour tells of them, and go with their hour.
pub fn tests_are_found_by_their_own_time(home: &dyn Warehouse) {
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 3)).unwrap();
    let next = HOUR.next();
    let open = sample::record(NETWORK, next, 0, 2);
    let sums = sample::sums(&open, &open.scorecard);
    home.record_provisional(NETWORK, next, &[], Some(sums), next.start()).unwrap();
    let read = |from: UnixMillis, to: UnixMillis, limit| {
        let found = home.tests(NETWORK, from..=to, limit).unwrap();
        (found.hours.iter().map(|hour| hour.to_vec()).collect::<Vec<_>>(), found.is_whole)
    };
    let of =
        |hour: Hour, count: u64| (0..count).map(|number| one(hour, number)).collect::<Vec<_>>();
    for _ in 0..2 {
        assert_eq!(read(HOUR.start(), next.end(), 99), (vec![of(next, 2), of(HOUR, 3)], true));
        assert_eq!(read(HOUR.start(), next.end(), 2), (vec![of(next, 2)], false), "no room");
        assert_eq!(read(HOUR.start(), HOUR.start(), 99), (vec![of(HOUR, 3)], true));
    }
    let early = HOUR.start().minus(Millis(5 * 3_600_000));
    assert_eq!(read(early, early.plus(Millis(9)), 99), (vec![of(HOUR, 3)], true), "told late");
    assert_eq!(read(next.end(), next.end().plus(Millis(9)), 99), (vec![], true));
    home.record_rollup(NETWORK, HOUR, &Rollup::new(Detail::Hour), &[], &[]).unwrap();
    assert_eq!(read(HOUR.start(), HOUR.end(), 99), (vec![of(next, 2)], true));
}
