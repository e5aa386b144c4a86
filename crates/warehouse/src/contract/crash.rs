//! A process that records hours until it is killed, and what must hold after.
//!
//! The home's own test starts the process and kills it; these two say what is recorded and what is checked.

use std::collections::BTreeMap;

use sla::window::Hour;

use super::hours::expect_record;
use super::sample::{self, HOUR, NETWORK, batch};
use crate::page::Page;
use crate::{Reader, Warehouse};

/// The name of the cursor that counts hours.
const CURSOR: &str = "hours";
/// Jobs of an hour: enough that a kill lands within a transaction.
const JOBS: u64 = 300;

/// Records hour after hour, each watched while it is open, then settled, then revised; tells each step when it is kept.
///
/// Goes on where an earlier process was killed. Ends after `steps`, should nobody kill it.
pub fn record_until_killed(home: &dyn Warehouse, steps: u64, mut kept: impl FnMut(u64)) {
    let done = home.cursor(CURSOR).unwrap().unwrap_or(0);
    for step in done..done + steps {
        let hour = Hour(HOUR.0 + step);
        let facts = sample::facts(hour, 0..JOBS / 2);
        home.record_provisional(NETWORK, hour, &facts, None, hour.end()).unwrap();
        home.record_hour(&sample::record(NETWORK, hour, 0, JOBS)).unwrap();
        home.record_hour(&sample::record(NETWORK, hour, 1, JOBS + 1)).unwrap();
        home.record_batches(&[batch(NETWORK, step)], Some((CURSOR, step + 1))).unwrap();
        kept(step);
    }
}

/// Checks that every step told of is kept, and that whatever else is there is whole.
///
/// # Panics
/// With what is lost or torn.
pub fn check(home: &(impl Reader + ?Sized), last_kept: Option<u64>) {
    let cursor = home.cursor(CURSOR).unwrap().unwrap_or(0);
    assert!(cursor >= last_kept.map_or(0, |last| last + 1), "{last_kept:?} was kept, not {cursor}");
    assert_eq!(home.last_ordinal().unwrap(), cursor.checked_sub(1));
    let mut hours = BTreeMap::new();
    let mut page = Page::first(1000);
    loop {
        let windows = home.windows(NETWORK, &page).unwrap();
        for window in &windows.rows {
            let step = window.hour.0 - HOUR.0;
            assert!(step <= cursor, "{} is ahead of {cursor}", window.hour);
            let revisions = home.revisions(NETWORK, window.hour).unwrap();
            assert!(step == cursor || revisions.len() == 2, "{} is not settled", window.hour);
            let jobs = match revisions.len() {
                0 => JOBS / 2,
                1 => JOBS,
                _ => JOBS + 1,
            };
            assert_eq!(window.jobs, jobs);
            hours.insert(window.hour, jobs);
            for row in revisions {
                let jobs = JOBS + u64::from(row.revision);
                expect_record(home, &sample::record(NETWORK, window.hour, row.revision, jobs));
            }
        }
        page.after = windows.next;
        if page.after.is_none() {
            break;
        }
    }
    // The same jobs have claims in every hour: each knows exactly those that its count tells.
    for number in 0..=JOBS {
        let known = home.job(NETWORK, sample::job_id(number)).unwrap();
        let found: Vec<Hour> = known.iter().map(|row| row.hour).collect();
        let expected = hours.iter().filter(|(_, jobs)| **jobs > number).map(|(hour, _)| *hour);
        assert_eq!(found, expected.collect::<Vec<_>>(), "job {number}");
        assert!(known.iter().all(|row| row.fact == sample::fact(row.hour, number)));
    }
}
