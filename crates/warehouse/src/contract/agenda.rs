//! The hours that are to be looked at: what a home must remember of them over a stop.

use events::event::Network;
use sla::window::Hour;

use super::sample::{self, HOUR, NETWORK, batch};
use crate::Warehouse;
use crate::record::{Touch, Touched, TouchedHour};

fn touch(at_once: bool, hours: Touched) -> Touch {
    Touch { at_once, hours, network: NETWORK }
}

/// The hours that wait, with whether they are to be looked at at once, and whether they ever were.
fn waiting(home: &dyn Warehouse, network: Network) -> Vec<(u64, bool, bool)> {
    let row = |row: TouchedHour| (row.hour.0 - HOUR.0, row.at_once, row.looked_ms.is_some());
    home.touched_hours(network).unwrap().into_iter().map(row).collect()
}

/// A touched hour waits until it was looked at; what is in a hurry stays in a hurry until then.
pub fn touched_hours_wait_until_they_are_looked_at(home: &dyn Warehouse) {
    let (next, later) = (HOUR.next(), Hour(HOUR.0 + 5));
    let touches = [touch(false, Touched::Hour(next)), touch(false, Touched::Hour(HOUR))];
    home.record_noted(&[batch(NETWORK, 0)], &touches, ("reader", 1)).unwrap();
    assert_eq!(waiting(home, NETWORK), [(0, false, false), (1, false, false)]);
    assert_eq!(home.cursor("reader").unwrap(), Some(1));
    assert!(home.touched_hours(Network::Livepeer).unwrap().is_empty());

    home.touch(&[touch(true, Touched::Hour(next))]).unwrap();
    home.touch(&[touch(false, Touched::Hour(next))]).unwrap();
    assert_eq!(waiting(home, NETWORK), [(0, false, false), (1, true, false)]);
    home.record_looked(NETWORK, next, later.start()).unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 3)).unwrap();
    assert_eq!(waiting(home, NETWORK), []);

    home.touch(&[touch(false, Touched::Known(HOUR..=later))]).unwrap();
    assert_eq!(waiting(home, NETWORK), [(0, false, true), (1, false, true)], "only known hours");
    home.touch(&[touch(true, Touched::Known(next..=later))]).unwrap();
    assert_eq!(waiting(home, NETWORK), [(0, false, true), (1, true, true)]);
    home.record_looked(NETWORK, next, later.start()).unwrap();
    home.touch(&[touch(false, Touched::Hour(next))]).unwrap();
    assert_eq!(waiting(home, NETWORK), [(0, false, true), (1, false, true)], "once and for all");
}
