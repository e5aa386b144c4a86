//! An instance that is stopped and started between two fixed points revises as one that never was.
//!
//! When a batch arrives decides which revision first includes it, and nothing else does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use events::batch::Batch;
use events::event::Network;
use events::identity::Digest;
use events::unit::{Millis, UnixMillis};
use pipeline::settle::Step;
use pipeline::settle::schedule::POINTS;
use rand::{RngExt as _, SeedableRng as _};
use sla::rollup::column::{Column, Plain};
use sla::rollup::series::Question;
use sla::trust::TrustFile;
use sla::window::Hour;
use warehouse::page::Page;
use warehouse::record::PublisherRow;
use warehouse::view::{JobFilter, JobRow};

use crate::revisions::twin;
use crate::support::{FIRST, Instance, past_at, trust};

/// How late batches are: those of most classes within the hour, some after the first, second, third and last point.
const LATE_MINUTES: [u64; 6] = [20, 50, 100, 5 * 60, 30 * 60, 9 * 24 * 60];

const HOURS: u64 = 3;

const TOGETHER_MS: u64 = 5 * 60_000;

/// What is known of a revision: its digest, when it was made, and the batches it rests on.
type Revision = (Digest, UnixMillis, BTreeSet<Digest>);

/// When what arrives, with every fixed point of every hour among the minutes.
struct Play {
    ticks: BTreeMap<UnixMillis, Vec<Batch>>,
    trust: TrustFile,
}

impl Play {
    fn of(seed: u64) -> Self {
        let (cast, batches) = past_at(400, seed, HOURS);
        let mut chance = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut ticks: BTreeMap<UnixMillis, Vec<Batch>> = BTreeMap::new();
        for hour in FIRST.0..=FIRST.0 + HOURS {
            let points = POINTS.map(|point| Hour(hour).end().plus(point));
            points.into_iter().for_each(|point| drop(ticks.insert(point, Vec::new())));
        }
        // A publisher seals something twice, and the second sealing is heard of after the first point.
        let of_gateway = |batch: &&Batch| batch.header.key == cast.nodes[0].publisher;
        let forked = batches.iter().filter(of_gateway).nth(20).unwrap();
        let after_first_point = FIRST.end().plus(Millis(61 * 60_000));
        ticks.insert(after_first_point, vec![twin(forked, &cast.nodes[0].secret)]);
        for batch in batches {
            let late = match chance.random_range(0..12) {
                class @ 0..6 => LATE_MINUTES[class],
                _ => 0,
            };
            let arrives_ms = batch.header.sealed_ms.plus(Millis(late * 60_000));
            // Five minutes' batches together, and never at a point itself: those are full quarters.
            let at_ms = UnixMillis((arrives_ms.0 / TOGETHER_MS + 1) * TOGETHER_MS + 1);
            ticks.entry(at_ms).or_default().push(batch);
        }
        Self { ticks, trust: trust(&cast) }
    }

    fn is_point(at_ms: UnixMillis) -> bool {
        at_ms.0.is_multiple_of(TOGETHER_MS)
    }

    /// Lives through all of it. What arrives while it is down is brought by its publishers when it is up again.
    fn live(&self, directory: &Path, mut fate: impl FnMut() -> Fate) -> (Instance, u64) {
        let open = |writes| Instance::try_open(directory, &self.trust, writes);
        let (mut running, mut starts) = (open(u64::MAX).ok(), 1);
        let mut waiting: Vec<&Batch> = Vec::new();
        for (at_ms, arriving) in &self.ticks {
            waiting.extend(arriving);
            match fate() {
                Fate::Down if !Self::is_point(*at_ms) => {
                    drop(running.take());
                    continue;
                }
                Fate::Up | Fate::Down => {}
                Fate::KilledAfter(writes) => {
                    drop(running.take());
                    starts += 1;
                    if let Ok(mut dying) = open(writes) {
                        dying.hear(waiting.drain(..), *at_ms);
                        while matches!(dying.settler.step(*at_ms), Ok(step) if step != Step::default())
                        {
                        }
                    }
                }
            }
            let instance = running.get_or_insert_with(|| {
                starts += 1;
                open(u64::MAX).unwrap()
            });
            instance.hear(waiting.drain(..), *at_ms);
            instance.settle(*at_ms);
        }
        let last = *self.ticks.keys().next_back().unwrap();
        let mut instance = running.unwrap_or_else(|| open(u64::MAX).unwrap());
        instance.hear(waiting, last);
        instance.settle(last);
        (instance, starts)
    }
}

/// What becomes of an instance at a moment.
enum Fate {
    /// It is there.
    Up,
    /// It is not, unless the moment is a fixed point.
    Down,
    /// It starts, its warehouse takes so many writes, and then it is killed and starts again.
    KilledAfter(u64),
}

/// Every revision of every hour.
fn revisions(instance: &Instance) -> BTreeMap<(Hour, u32), Revision> {
    let hash = |ordinal: u64| {
        let entry = instance.ledger.get(ordinal).unwrap().unwrap();
        events::wire::Frame::parse(&entry.frame).unwrap().header.hash()
    };
    let mut all = BTreeMap::new();
    let windows = instance.warehouse.windows(Network::Simulation, &Page::first(100)).unwrap();
    for window in windows.rows {
        for row in instance.warehouse.revisions(Network::Simulation, window.hour).unwrap() {
            let view = instance
                .warehouse
                .hour_record(Network::Simulation, window.hour, Some(row.revision))
                .unwrap()
                .unwrap();
            let used = view.used.into_iter().map(hash).collect();
            all.insert((window.hour, row.revision), (row.digest, row.settled_ms, used));
        }
    }
    all
}

/// What the publishers' rows say, but for when they were last heard of: that was later where we were down.
fn publishers(instance: &Instance) -> Vec<PublisherRow> {
    let rows = instance.warehouse.publishers(Network::Simulation, &Page::first(1000)).unwrap().rows;
    let timeless = |row: PublisherRow| PublisherRow { last_received_ms: UnixMillis(0), ..row };
    rows.into_iter().map(timeless).collect()
}

#[test]
fn a_restart_or_a_kill_between_two_points_changes_no_revision() {
    let play = Play::of(8);
    let folder = tempfile::tempdir().unwrap();
    let (steady, starts) = play.live(&folder.path().join("steady"), || Fate::Up);
    assert_eq!(starts, 1);
    let expected = revisions(&steady);
    let of_first = expected.keys().filter(|(hour, _)| *hour == FIRST).count();
    assert_eq!(of_first, POINTS.len(), "something came before each point: {:?}", expected.keys());

    let mut chance = rand_chacha::ChaCha8Rng::seed_from_u64(9);
    let fate = || match chance.random_range(0..10) {
        0..3 => Fate::Down,
        3..5 => Fate::KilledAfter(chance.random_range(0..8)),
        _ => Fate::Up,
    };
    let (restless, starts) = play.live(&folder.path().join("restless"), fate);
    assert!(starts > 40, "{starts}");
    let found = revisions(&restless);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (place, revision) in &expected {
        assert_eq!(found[place].2, revision.2, "the batches of {place:?}");
        assert_eq!(found[place], *revision, "{place:?}");
    }
    assert_eq!(publishers(&restless), publishers(&steady));
}

/// The jobs of the open hour and its scorecard so far. What a job's silences amount to is asked when it is read, which a
/// restart does again: they are left out here.
fn view(instance: &Instance) -> (Vec<JobRow>, Digest) {
    let page = Page::first(1000);
    let jobs = instance.warehouse.jobs(Network::Simulation, &JobFilter::default(), &page).unwrap();
    let mut jobs = jobs.rows;
    jobs.iter_mut().flat_map(|job| &mut job.fact.tenures).for_each(|tenure| tenure.owed.clear());
    let view = instance.warehouse.provisional(Network::Simulation, FIRST).unwrap().unwrap();
    (jobs, view.scorecard.unwrap().digest())
}

#[test]
fn the_open_hour_is_in_view_after_a_restart_as_before() {
    let (cast, batches) = past_at(1_000, 10, 1);
    let trust = trust(&cast);
    let half = FIRST.start().plus(Millis(30 * 60_000));
    let (before, after): (Vec<&Batch>, Vec<&Batch>) =
        batches.iter().partition(|batch| batch.header.sealed_ms < half);
    let soon = half.plus(Millis(60_000));
    let after = after.into_iter().filter(|batch| batch.header.sealed_ms < soon);
    let after: Vec<&Batch> = after.collect();
    let views = [false, true].map(|is_restarted| {
        let folder = tempfile::tempdir().unwrap();
        let mut instance = Instance::open(folder.path(), &trust);
        instance.hear(before.iter().copied(), half);
        instance.settle(half);
        if is_restarted {
            drop(instance);
            instance = Instance::open(folder.path(), &trust);
        }
        instance.hear(after.iter().copied(), soon);
        instance.settle(soon);
        view(&instance)
    });
    let [steady, restarted] = views;
    assert!(steady.0.len() > 10, "{}", steady.0.len());
    assert_eq!(restarted, steady);
}

/// How many jobs of the open hour are added up.
fn jobs_of(instance: &Instance) -> u64 {
    let jobs = Column::Plain(Plain::Jobs);
    let span = FIRST.0 * 60..FIRST.0 * 60 + 60;
    let asked = Question { columns: [jobs].into(), span, ..Question::default() };
    let rows = instance.warehouse.series(Network::Simulation, &asked).unwrap();
    rows.iter().filter_map(|row| row.sums.columns.get(&jobs)).sum()
}

#[test]
fn what_was_added_up_is_never_replaced_by_less() {
    let (cast, batches) = past_at(2_000, 11, 1);
    let trust = trust(&cast);
    let at = |minutes: u64| FIRST.start().plus(Millis(minutes * 60_000));
    let between = |from: UnixMillis, to: UnixMillis| {
        batches.iter().filter(move |batch| (from..to).contains(&batch.header.sealed_ms))
    };
    let folder = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(folder.path(), &trust);
    instance.hear(between(at(0), at(40)), at(40));
    instance.settle(at(40));
    let whole = jobs_of(&instance);
    assert!(whole > 20, "{whole}");
    drop(instance);
    // A view that holds less than the hour has shows new jobs, and leaves the sums alone.
    let mut instance = Instance::open_with_view(folder.path(), &trust, 300);
    instance.hear(between(at(40), at(45)), at(45));
    instance.settle(at(45));
    assert_eq!(jobs_of(&instance), whole);
    drop(instance);
    let mut instance = Instance::open(folder.path(), &trust);
    instance.hear(between(at(45), at(50)), at(50));
    instance.settle(at(50));
    assert!(jobs_of(&instance) > whole, "{} after {whole}", jobs_of(&instance));
}
