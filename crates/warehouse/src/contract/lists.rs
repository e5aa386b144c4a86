//! Lists: filters, pages under writes, orchestrators, and networks that never meet.

use std::collections::BTreeSet;

use events::event::Network;
use events::identity::JobId;
use events::unit::{Millis, UnixMillis};
use sla::hour::fact::{JobFact, State};
use sla::scorecard::Grade;
use sla::window::{Hour, Window};

use super::sample::{
    self, HOUR, NETWORK, OPERATORS, address, batch, class, fact, facts, job_id, key, operator,
    publisher, record, reporter,
};
use crate::page::{Cursor, Page, Paged, Party};
use crate::record::RefusalCount;
use crate::view::{JobFilter, JobRow, ScoreFilter};
use crate::{Error, Warehouse};

/// No list of the suite has as many rows.
const TURNS_MAX: usize = 2000;

/// Reads a list to its end by pages of `limit`, with `between` done after each.
fn walk<R>(
    limit: usize,
    read: impl Fn(&Page) -> Result<Paged<R>, Error>,
    mut between: impl FnMut(usize),
) -> Vec<R> {
    let mut rows = Vec::new();
    let mut page = Page::first(limit);
    for turn in 0.. {
        assert!(turn < TURNS_MAX, "the list has no end");
        let paged = read(&page).unwrap();
        assert!(paged.rows.len() <= limit);
        assert!(!paged.rows.is_empty() || paged.next.is_none(), "an empty page with a next one");
        rows.extend(paged.rows);
        // The cursor goes out and comes back as text.
        page.after = paged.next.map(|cursor| cursor.to_string().parse().unwrap());
        if page.after.is_none() {
            break;
        }
        between(turn);
    }
    rows
}

fn jobs(home: &dyn Warehouse, filter: &JobFilter, limit: usize) -> Vec<JobRow> {
    walk(limit, |page| home.jobs(NETWORK, filter, page), |_| {})
}

fn expect_empty(home: &dyn Warehouse, network: Network) {
    let page = Page::first(10);
    let all = UnixMillis(0)..=UnixMillis(u64::MAX);
    assert_eq!(home.batches_sealed(network, all.clone()).unwrap(), []);
    assert_eq!(home.record_batch_rows(network).unwrap(), []);
    assert_eq!(home.mapping_batch_rows(network, all).unwrap(), []);
    assert_eq!(home.batch_rows_at(network, &[batch(network, 1).position]).unwrap(), []);
    assert_eq!(home.windows(network, &page).unwrap().rows, []);
    assert_eq!(home.revisions(network, HOUR).unwrap(), []);
    assert_eq!(home.hour_record(network, HOUR, None).unwrap(), None);
    assert_eq!(home.hour_record(network, HOUR, Some(0)).unwrap(), None);
    assert_eq!(home.provisional(network, HOUR).unwrap(), None);
    assert_eq!(
        home.scores(network, Window::hour(HOUR), &ScoreFilter::default(), &page).unwrap().rows,
        []
    );
    let by_class = JobFilter { workload: Some(class(0).workload), ..JobFilter::default() };
    for filter in [JobFilter::default(), by_class] {
        let found = home.jobs(network, &filter, &page).unwrap();
        assert_eq!((found.rows, found.next), (vec![], None));
    }
    assert_eq!(home.job(network, job_id(1)).unwrap(), []);
    assert_eq!(home.orchestrators(network, HOUR.end(), &page).unwrap().rows, []);
    assert_eq!(home.publishers(network, &page).unwrap().rows, []);
    assert_eq!(home.refusals(network, None).unwrap(), []);
    assert_eq!(home.refusals(network, Some(&key(0))).unwrap(), []);
}

/// An empty home gives empty answers and no errors.
pub fn nothing_is_found_in_an_empty_home(home: &dyn Warehouse) {
    expect_empty(home, Network::Livepeer);
    expect_empty(home, Network::Simulation);
    assert_eq!(home.last_ordinal().unwrap(), None);
    assert_eq!(home.cursor("reader").unwrap(), None);
}

/// Every filter alone, and all together, let pass what they name and nothing else, in order, whatever the page.
pub fn filters_let_pass_what_they_name(home: &dyn Warehouse) {
    home.record_hour(&record(NETWORK, HOUR, 0, 200)).unwrap();
    let none = JobFilter::default();
    let from = HOUR.start().plus(Millis(100_000));
    let filters = [
        none.clone(),
        JobFilter { from_ms: Some(from), ..none.clone() },
        JobFilter { to_ms: Some(from), ..none.clone() },
        JobFilter { from_ms: Some(from), to_ms: Some(from), ..none.clone() },
        JobFilter { operator: Some(operator(1)), ..none.clone() },
        JobFilter { operator: Some(reporter(1)), ..none.clone() },
        JobFilter { reporter: Some(reporter(1)), ..none.clone() },
        JobFilter { reporter: Some(operator(1)), ..none.clone() },
        JobFilter { operator: Some(operator(2)), reporter: Some(reporter(1)), ..none.clone() },
        JobFilter { workload: Some(class(0).workload), ..none.clone() },
        JobFilter { pipeline: class(1).pipeline, ..none.clone() },
        JobFilter { model: class(1).model, ..none.clone() },
        JobFilter { model: class(1).model, pipeline: class(0).pipeline, ..none.clone() },
        JobFilter { model: Some("unheard-of".parse().unwrap()), ..none.clone() },
        JobFilter { state: Some(State::Failed), ..none.clone() },
        JobFilter { state: Some(State::Failed), model: class(0).model, ..none.clone() },
        JobFilter { state: Some(State::Silent), operator: Some(operator(1)), ..none.clone() },
        JobFilter {
            from_ms: Some(from),
            model: class(7).model,
            operator: Some(operator(7)),
            pipeline: class(7).pipeline,
            reporter: Some(reporter(7)),
            state: Some(fact(HOUR, 91).state),
            to_ms: Some(HOUR.end()),
            workload: Some(class(7).workload),
        },
    ];
    let all = facts(HOUR, 0..200);
    for filter in &filters {
        let mut expected: Vec<&JobFact> = all.iter().filter(|fact| passes(filter, fact)).collect();
        expected.sort_by_key(|fact| std::cmp::Reverse((fact.first_ms, fact.job_id)));
        for limit in [1, 7, 1000] {
            let found = jobs(home, filter, limit);
            let found: Vec<&JobFact> = found.iter().map(|row| &row.fact).collect();
            assert_eq!(found, expected, "{filter:?} by {limit}");
        }
    }
    score_filters(home);
}

fn passes(filter: &JobFilter, fact: &JobFact) -> bool {
    fn is<T: PartialEq>(wanted: &Option<T>, found: Option<&T>) -> bool {
        wanted.as_ref().is_none_or(|wanted| Some(wanted) == found)
    }
    let has_operator = |wanted| fact.tenures.iter().any(|tenure| tenure.operator == Some(wanted));
    is(&filter.workload, Some(&fact.class.workload))
        && is(&filter.pipeline, fact.class.pipeline.as_ref())
        && is(&filter.model, fact.class.model.as_ref())
        && is(&filter.state, Some(&fact.state))
        && filter.from_ms.is_none_or(|from| fact.first_ms >= from)
        && filter.to_ms.is_none_or(|to| fact.first_ms < to)
        && filter.operator.is_none_or(has_operator)
        && filter.reporter.is_none_or(|reporter| fact.reporters.contains(&reporter))
}

fn score_filters(home: &dyn Warehouse) {
    let all = sample::scorecard(NETWORK, HOUR, 200).results;
    let none = ScoreFilter::default();
    let filters = [
        none.clone(),
        ScoreFilter { grade: Some(Grade::B), ..none.clone() },
        ScoreFilter { grade_min: Some(Grade::B), ..none.clone() },
        ScoreFilter { operator: Some(operator(3)), ..none.clone() },
        ScoreFilter { workload: Some(class(2).workload), ..none.clone() },
        ScoreFilter { pipeline: class(1).pipeline, ..none.clone() },
        ScoreFilter { model: class(0).model, ..none.clone() },
        ScoreFilter { overall: Some(true), ..none.clone() },
        ScoreFilter { overall: Some(false), ..none.clone() },
        ScoreFilter { overall: Some(true), model: class(0).model, ..none },
    ];
    for filter in &filters {
        let passes = |scored: &&sla::scorecard::Scored| {
            let class = scored.class.as_ref();
            filter.grade.is_none_or(|grade| grade == scored.grade)
                && filter.grade_min.is_none_or(|grade| scored.grade <= grade)
                && filter.operator.is_none_or(|operator| Some(operator) == scored.operator)
                && filter.overall.is_none_or(|overall| overall == class.is_none())
                && filter
                    .workload
                    .is_none_or(|name| class.is_some_and(|class| class.workload == name))
                && (filter.pipeline.is_none()
                    || class.is_some_and(|class| class.pipeline == filter.pipeline))
                && (filter.model.is_none()
                    || class.is_some_and(|class| class.model == filter.model))
        };
        let expected = all.iter().filter(passes).count();
        for limit in [1, 3, 1000] {
            let found =
                walk(limit, |page| home.scores(NETWORK, Window::hour(HOUR), filter, page), |_| {});
            assert!(found.iter().all(|row| passes(&&row.scored)));
            let keys: BTreeSet<_> =
                found.iter().map(|row| (row.scored.operator, row.scored.class.clone())).collect();
            assert_eq!((keys.len(), found.len()), (expected, expected), "{filter:?} by {limit}");
        }
    }
}

/// Every list, walked by pages of every small size, gives each row once.
pub fn pages_neither_lose_nor_repeat(home: &dyn Warehouse) {
    // Many jobs of one moment: the id decides.
    let mut together = facts(HOUR, 0..30);
    for fact in &mut together {
        fact.first_ms = HOUR.start();
    }
    assert!(home.record_provisional(NETWORK, HOUR, &together, None, HOUR.end()).unwrap());
    for hours in 1..12 {
        let hour = Hour(HOUR.0 + hours);
        home.record_hour(&record(NETWORK, hour, 0, 3)).unwrap();
    }
    let publishers: Vec<_> =
        (0..12).map(|number| publisher(NETWORK, number / 3, number % 3)).collect();
    home.record_publishers(&publishers).unwrap();
    for limit in 1..8 {
        let found = jobs(home, &JobFilter::default(), limit);
        let keys: Vec<_> = found.iter().map(|row| (row.fact.first_ms, row.fact.job_id)).collect();
        assert!(keys.is_sorted_by(|one, next| one > next), "{keys:?}");
        // The first three jobs had claims in later hours too, and stand there.
        assert_eq!(keys.len(), 30);
        assert_eq!(found.iter().filter(|row| row.hour == Hour(HOUR.0 + 11)).count(), 3);

        let windows = walk(limit, |page| home.windows(NETWORK, page), |_| {});
        let hours: Vec<u64> = windows.iter().map(|row| row.hour.0 - HOUR.0).collect();
        assert_eq!(hours, (0..12).rev().collect::<Vec<_>>());
        let rows = walk(limit, |page| home.publishers(NETWORK, page), |_| {});
        assert_eq!(rows.len(), 12);
        assert!(rows.is_sorted_by(|one, next| (one.key, one.epoch) < (next.key, next.epoch)));
        let rows = walk(limit, |page| home.orchestrators(NETWORK, HOUR.end(), page), |_| {});
        assert_eq!(rows.len(), usize::try_from(OPERATORS).unwrap());
        assert!(rows.is_sorted_by(|one, next| one.operator < next.operator));
    }
    assert_eq!(home.windows(NETWORK, &Page::first(0)).unwrap().rows.len(), 1);
    assert_eq!(home.windows(NETWORK, &Page::first(usize::MAX)).unwrap().rows.len(), 12);
}

/// Rows that stay while a list is walked appear once each, whatever is recorded, revised and removed meanwhile.
pub fn writers_do_not_disturb_pages(home: &dyn Warehouse) {
    home.record_hour(&record(NETWORK, HOUR, 0, 60)).unwrap();
    let staying: BTreeSet<JobId> = (0..50).map(job_id).collect();
    let found = walk(
        7,
        |page| home.jobs(NETWORK, &JobFilter::default(), page),
        |turn| {
            let turn = u64::try_from(turn).unwrap();
            // Ten jobs go; then new ones come among the old, and in an hour after.
            let revised = record(NETWORK, HOUR, u32::try_from(turn).unwrap() + 1, 50 + turn % 2);
            home.record_hour(&revised).unwrap();
            let next = facts(HOUR.next(), 1000 * (turn + 1)..1000 * (turn + 1) + 20);
            home.record_provisional(NETWORK, HOUR.next(), &next, None, HOUR.end()).unwrap();
        },
    );
    let met: Vec<JobId> =
        found.iter().map(|row| row.fact.job_id).filter(|id| staying.contains(id)).collect();
    assert_eq!(met.len(), staying.len());
    assert_eq!(met.into_iter().collect::<BTreeSet<_>>(), staying);
    let all: BTreeSet<_> = found.iter().map(|row| (row.fact.job_id, row.hour)).collect();
    assert_eq!(all.len(), found.len());
}

/// A cursor of one list is refused by every other.
pub fn other_lists_cursors_are_refused(home: &dyn Warehouse) {
    let window = Page { after: Some(Cursor::Window(HOUR)), limit: 3 };
    let party = Page { after: Some(Cursor::Orchestrator(Party::Nameless)), limit: 3 };
    let is_refused = |error: Error| matches!(error, Error::ForeignCursor { .. });
    assert!(is_refused(home.windows(NETWORK, &party).unwrap_err()));
    assert!(is_refused(home.jobs(NETWORK, &JobFilter::default(), &window).unwrap_err()));
    let scores = home.scores(NETWORK, Window::hour(HOUR), &ScoreFilter::default(), &window);
    assert!(is_refused(scores.unwrap_err()));
    assert!(is_refused(home.orchestrators(NETWORK, HOUR.end(), &window).unwrap_err()));
    assert!(is_refused(home.publishers(NETWORK, &window).unwrap_err()));
}

/// Orchestrators come with their jobs, are told apart by operator or signer, and go with their last job.
pub fn orchestrators_follow_their_jobs(home: &dyn Warehouse) {
    let read = |now: UnixMillis| home.orchestrators(NETWORK, now, &Page::first(100)).unwrap().rows;
    let mut open = facts(HOUR, 0..8);
    for fact in &mut open {
        // While no mapping is known, they are known by their signers.
        fact.tenures[0].operator = None;
    }
    assert!(home.record_provisional(NETWORK, HOUR, &open, None, HOUR.end()).unwrap());
    let unresolved = read(HOUR.end());
    assert_eq!(unresolved.len(), 4);
    assert_eq!((unresolved[0].operator, unresolved[0].signer), (None, Some(address(50))));
    assert_eq!(unresolved[0].latest, None);

    let mut settled = record(NETWORK, HOUR, 0, 9);
    // One operator twice in a job counts once; one without any name counts nowhere.
    let again = settled.jobs.iter_mut().find(|fact| fact.job_id == job_id(8)).unwrap();
    let mut nameless = again.tenures[0].clone();
    (nameless.operator, nameless.orchestrator) = Default::default();
    again.tenures = vec![again.tenures[0].clone(), again.tenures[0].clone(), nameless];
    home.record_hour(&settled).unwrap();
    let rows = read(HOUR.end());
    assert_eq!(rows.len(), 4);
    let first = &rows[0];
    assert_eq!((first.operator, first.signer), (Some(operator(0)), None));
    assert_eq!(first.urls, [sample::url(0)]);
    let mut classes = vec![class(0), class(4), class(8)];
    classes.sort();
    assert_eq!(first.classes, classes);
    assert_eq!((first.jobs_24h, rows[1].jobs_24h), (3, 2));
    assert_eq!(first.first_ms, fact(HOUR, 0).first_ms);
    assert!(first.last_ms >= fact(HOUR, 8).first_ms);
    let latest = first.latest.as_ref().unwrap();
    assert_eq!((latest.hour, latest.revision, latest.grade), (HOUR, 0, Grade::B));
    assert_eq!(latest.score, sample::scored(0, None).score);
    assert_eq!(rows[1].latest.as_ref().unwrap().reason, sample::scored(1, None).reason);

    // A revision without the last job, and with more claims about the first.
    let mut revised = record(NETWORK, HOUR, 1, 8);
    revised.jobs.iter_mut().for_each(|fact| fact.claims += 1);
    home.record_hour(&revised).unwrap();
    let rows = read(HOUR.end());
    assert_eq!((rows[0].jobs_24h, rows[1].jobs_24h), (2, 2));
    assert_eq!(rows[0].latest.as_ref().unwrap().revision, 1);

    // A day later its jobs are not recent; an open hour has no standing; a job carried over began once.
    let carried = facts(HOUR, 0..9);
    let next = HOUR.next();
    let card = sample::scorecard(NETWORK, next, 1);
    let settled = sample::record(NETWORK, next, 0, 1);
    let sums = Some(sample::sums(&settled, &card));
    home.record_provisional(NETWORK, next, &carried, sums, next.end()).unwrap();
    let rows = read(next.start());
    assert_eq!(rows[0].jobs_24h, 2);
    assert_eq!(rows[0].latest.as_ref().unwrap().hour, HOUR);
    assert_eq!(read(HOUR.start().plus(Millis(24 * 3_600_000)))[0].jobs_24h, 0);
}

/// What is recorded for one network is in no answer about another, though every name and number is the same.
pub fn networks_never_mix(home: &dyn Warehouse) {
    let (one, other) = (Network::Simulation, Network::Livepeer);
    let record_all = |network: Network, jobs: u64| {
        home.record_batches(&[batch(network, jobs)], None).unwrap();
        home.record_hour(&record(network, HOUR, 0, jobs)).unwrap();
        let next = HOUR.next();
        let open = facts(next, 50..50 + jobs);
        assert!(home.record_provisional(network, next, &open, None, next.end()).unwrap());
        home.record_publishers(&[publisher(network, 1, 0)]).unwrap();
        let (hour, key) = (HOUR, Some(key(1)));
        let defect = events::refusal::Defect::BatchRoot;
        home.record_refusals(&[RefusalCount { count: jobs, defect, hour, key, network }], &[])
            .unwrap();
    };
    record_all(one, 8);
    expect_empty(home, other);
    record_all(other, 22);
    let page = Page::first(1000);
    for (network, jobs) in [(one, 8), (other, 22)] {
        let count = usize::try_from(jobs).unwrap();
        let filter = JobFilter::default();
        assert_eq!(home.jobs(network, &filter, &page).unwrap().rows.len(), 2 * count);
        let by_operator = JobFilter { operator: Some(operator(1)), ..filter };
        let found = home.jobs(network, &by_operator, &page).unwrap().rows;
        assert_eq!(found.len(), (0..jobs).chain(50..50 + jobs).filter(|n| n % 4 == 1).count());
        assert_eq!(home.job(network, job_id(1)).unwrap().len(), 1);
        assert_eq!(home.job(network, job_id(20)).unwrap().len(), usize::from(jobs > 20));
        let all = UnixMillis(0)..=UnixMillis(u64::MAX);
        assert_eq!(home.batches_sealed(network, all).unwrap(), [batch(network, jobs)]);
        let view = home.hour_record(network, HOUR, None).unwrap().unwrap();
        assert_eq!(view.digest, sample::scorecard(network, HOUR, jobs).digest());
        assert_eq!(home.publishers(network, &page).unwrap().rows, [publisher(network, 1, 0)]);
        let refused = home.refusals(network, Some(&key(1))).unwrap();
        assert!(refused.iter().any(|row| row.count == jobs));
        let rows = home.orchestrators(network, HOUR.next().end(), &page).unwrap().rows;
        assert_eq!(rows.iter().map(|row| row.jobs_24h).sum::<u64>(), 2 * jobs);
    }
}

/// The number of a home's version stands still while nobody writes, and is larger after whatever is written.
pub fn the_version_grows_with_what_is_written(home: &dyn Warehouse) {
    let mut before = home.version().unwrap();
    let mut grown = |what: &str| {
        let after = home.version().unwrap();
        assert!(after > before, "{what}: {before} and then {after}");
        home.jobs(NETWORK, &JobFilter::default(), &Page::first(10)).unwrap();
        assert_eq!(home.version().unwrap(), after, "reading is not writing");
        before = after;
    };
    home.record_hour(&record(NETWORK, HOUR, 0, 3)).unwrap();
    grown("an hour");
    home.record_hour(&record(NETWORK, HOUR, 1, 4)).unwrap();
    grown("a revision");
    let next = facts(HOUR.next(), 30..35);
    home.record_provisional(NETWORK, HOUR.next(), &next, None, HOUR.end()).unwrap();
    grown("what is provisional");
    home.record_publishers(&[super::sample::publisher(NETWORK, 1, 0)]).unwrap();
    grown("a publisher");
    home.record_document(b"a document").unwrap();
    grown("a document");
}
