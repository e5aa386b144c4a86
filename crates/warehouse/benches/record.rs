//! How many job facts a second are recorded on one core, and how long pages take of a month of them.
#![allow(clippy::unwrap_used)]

use divan::Bencher;
use divan::counter::ItemsCount;
use sla::window::Hour;
use tempfile::TempDir;
use warehouse::contract::sample::{self, HOUR, NETWORK};
use warehouse::page::{Cursor, Page};
use warehouse::record::HourRecord;
use warehouse::sqlite::{Options, Sqlite};
use warehouse::view::JobFilter;
use warehouse::{Reader as _, Warehouse as _};

/// Jobs of an hour that is recorded.
const JOBS: u64 = 20_000;
/// Jobs of each hour of the month that is read.
const JOBS_READ: u64 = 300;
/// Hours of that month.
const HOURS: u64 = 720;

fn main() {
    divan::main();
}

fn home() -> (TempDir, Sqlite) {
    let directory = tempfile::tempdir().unwrap();
    let home =
        Sqlite::open(&directory.path().join("warehouse.sqlite"), Options::default()).unwrap();
    (directory, home)
}

/// An hour of jobs that no other hour has.
fn record(hour: Hour, jobs: u64) -> HourRecord {
    let first = hour.0 * jobs;
    HourRecord {
        jobs: sample::facts(hour, first..first + jobs),
        ..sample::record(NETWORK, hour, 0, 1)
    }
}

/// Hours that nothing was known of, one after another in one file, as in a replay.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn hours(bencher: Bencher<'_, '_>) {
    let (_directory, home) = home();
    let mut next = HOUR;
    bencher
        .counter(ItemsCount::new(JOBS))
        .with_inputs(|| {
            next = next.next();
            record(next, JOBS)
        })
        .bench_local_values(|record| home.record_hour(&record).unwrap());
}

/// The jobs of an open hour, in handfuls as they come.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn provisional(bencher: Bencher<'_, '_>) {
    const HANDFUL: usize = 200;
    let (_directory, home) = home();
    let mut next = HOUR;
    bencher
        .counter(ItemsCount::new(JOBS))
        .with_inputs(|| {
            next = next.next();
            record(next, JOBS)
        })
        .bench_local_values(|record| {
            for jobs in record.jobs.chunks(HANDFUL) {
                home.record_provisional(NETWORK, record.hour, jobs, None, record.settled_ms)
                    .unwrap();
            }
        });
}

/// Pages of a hundred out of a month: the newest, one in the middle, one by operator, one by a rare class.
#[divan::bench(args = ["newest", "middle", "operator", "class", "state", "job", "orchestrators", "windows"])]
fn read(bencher: Bencher<'_, '_>, question: &str) {
    let (_directory, home) = home();
    for hour in 0..HOURS {
        home.record_hour(&record(Hour(HOUR.0 + hour), JOBS_READ)).unwrap();
    }
    let middle = Hour(HOUR.0 + HOURS / 2).start();
    let first = Page::first(100);
    let after = Page { after: Some(Cursor::Job(middle, sample::job_id(0))), limit: 100 };
    let none = JobFilter::default();
    bencher.bench_local(|| match question {
        "newest" => home.jobs(NETWORK, &none, &first).unwrap().rows.len(),
        "middle" => home.jobs(NETWORK, &none, &after).unwrap().rows.len(),
        "operator" => {
            let filter = JobFilter { operator: Some(sample::operator(1)), ..none.clone() };
            home.jobs(NETWORK, &filter, &after).unwrap().rows.len()
        }
        "class" => {
            let filter = JobFilter { model: sample::class(1).model, ..none.clone() };
            home.jobs(NETWORK, &filter, &after).unwrap().rows.len()
        }
        "state" => {
            let state = Some(sla::hour::fact::State::Silent);
            let filter = JobFilter { operator: Some(sample::operator(2)), state, ..none.clone() };
            home.jobs(NETWORK, &filter, &after).unwrap().rows.len()
        }
        "job" => home.job(NETWORK, sample::job_id(HOUR.0 * JOBS_READ + 7)).unwrap().len(),
        "orchestrators" => home.orchestrators(NETWORK, middle, &first).unwrap().rows.len(),
        _ => home.windows(NETWORK, &first).unwrap().rows.len(),
    });
}
