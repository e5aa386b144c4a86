//! Hours: revisions are final and stay, and what is provisional gives way.

use events::event::Network;
use events::identity::Digest;
use events::unit::{MAX_JSON_INTEGER, MilliFps, Millis, UnixMillis};
use sla::hour::fact::{JobFact, State};
use sla::scorecard::{Basis, Scorecard, digest_of};
use sla::window::{Hour, Window};

use super::sample::{self, HOUR, NETWORK, fact, facts, job_id, record, scorecard, sums};
use crate::page::{Page, ROWS_MAX};
use crate::record::HourRecord;
use crate::view::{JobFilter, JobRow, ScoreFilter, ScoreRow};
use crate::{Error, Reader, Warehouse};

fn all_jobs(home: &dyn Warehouse) -> Vec<JobRow> {
    home.jobs(NETWORK, &JobFilter::default(), &Page::first(1000)).unwrap().rows
}

fn all_scores(home: &dyn Warehouse, hour: Hour) -> Vec<ScoreRow> {
    home.scores(NETWORK, Window::hour(hour), &ScoreFilter::default(), &Page::first(1000))
        .unwrap()
        .rows
}

/// The jobs of an hour, page after page.
fn jobs_of(home: &dyn Warehouse, hour: Hour) -> Vec<JobFact> {
    let mut jobs: Vec<JobFact> = Vec::new();
    loop {
        let after = jobs.last().map(|last| last.job_id);
        let page = home.hour_jobs(NETWORK, hour, after).unwrap();
        let is_last = page.len() < ROWS_MAX;
        jobs.extend(page);
        if is_last {
            return jobs;
        }
    }
}

fn by_id(facts: &[JobFact]) -> Vec<JobFact> {
    let mut facts = facts.to_vec();
    facts.sort_by_key(|fact| fact.job_id);
    facts
}

/// Checks that a revision comes back as it was recorded.
pub(super) fn expect_record(home: &(impl Reader + ?Sized), record: &HourRecord) {
    let view =
        home.hour_record(record.network, record.hour, Some(record.revision)).unwrap().unwrap();
    assert_eq!(view.scorecard_bytes, record.scorecard.bytes());
    assert_eq!(view.digest, record.scorecard.digest());
    assert_eq!(view.event_set, record.event_set);
    assert_eq!(view.open, record.open);
    assert_eq!(view.context, record.context);
    assert_eq!(view.refused, record.refused);
    assert_eq!(view.revision, record.revision);
    assert_eq!(view.settled_ms, record.settled_ms);
    assert_eq!(view.tally, record.tally);
    assert_eq!(view.used, record.used);
    let row = view.revisions.iter().find(|row| row.revision == record.revision).unwrap();
    assert_eq!(row.digest, record.scorecard.digest());
    assert_eq!(row.tally_digest, digest_of(&record.tally));
    assert_eq!(row.settled_ms, record.settled_ms);
}

/// Everything of a revision comes back as it was given, its jobs and results too; so do empty and extreme ones.
pub fn an_hour_comes_back_whole(home: &dyn Warehouse) {
    let full = record(NETWORK, HOUR, 0, 40);
    home.record_hour(&full).unwrap();
    expect_record(home, &full);
    for fact in &full.jobs {
        let known = home.job(NETWORK, fact.job_id).unwrap();
        let expected = JobRow { fact: fact.clone(), hour: HOUR, revision: Some(0) };
        assert_eq!(known, [expected]);
    }
    assert_eq!(all_jobs(home).len(), full.jobs.len());
    assert_eq!(jobs_of(home, HOUR), by_id(&full.jobs));
    let mut scored: Vec<_> = all_scores(home, HOUR).into_iter().map(|row| row.scored).collect();
    let mut expected = full.scorecard.results.clone();
    let key = |scored: &sla::scorecard::Scored| (scored.operator, scored.class.clone());
    scored.sort_by_key(key);
    expected.sort_by_key(key);
    assert_eq!(scored, expected);

    let mut empty = record(NETWORK, HOUR.next(), 0, 0);
    empty.scorecard.results.clear();
    (empty.tally, empty.used) = Default::default();
    empty.refused.clear();
    home.record_hour(&empty).unwrap();
    expect_record(home, &empty);

    let mut extreme = record(NETWORK, Hour(0), u32::MAX, 1);
    extreme.settled_ms = UnixMillis(MAX_JSON_INTEGER);
    extreme.used = vec![0, MAX_JSON_INTEGER];
    extreme.event_set.count = MAX_JSON_INTEGER;
    extreme.event_set.rule = String::new();
    extreme.scorecard.basis = Basis::Events(extreme.event_set.clone());
    extreme.scorecard.policy.id = String::new();
    let fact = &mut extreme.jobs[0];
    (fact.first_ms, fact.last_ms) = (UnixMillis(0), UnixMillis(MAX_JSON_INTEGER));
    fact.claims = MAX_JSON_INTEGER;
    (fact.requested_ms, fact.tenures, fact.reporters, fact.batches) = Default::default();
    let position =
        |seq| events::batch::Position { key: sample::key(0), epoch: MAX_JSON_INTEGER, seq };
    fact.batches = (0..20_000).map(position).collect();
    home.record_hour(&extreme).unwrap();
    expect_record(home, &extreme);
    assert!(home.job(NETWORK, job_id(0)).unwrap().iter().any(|row| row.fact == extreme.jobs[0]));
}

/// The jobs of one hour come page by page, by id, and are those of its latest revision.
pub fn the_jobs_of_an_hour_are_those_of_its_latest_revision(home: &dyn Warehouse) {
    let many = u64::try_from(ROWS_MAX).unwrap() + 3;
    let first = record(NETWORK, HOUR, 0, many);
    home.record_hour(&first).unwrap();
    home.record_hour(&record(NETWORK, HOUR.next(), 0, 2)).unwrap();
    assert_eq!(jobs_of(home, HOUR), by_id(&first.jobs));
    let mut second = record(NETWORK, HOUR, 1, many);
    second.jobs.truncate(ROWS_MAX);
    home.record_hour(&second).unwrap();
    assert_eq!(jobs_of(home, HOUR), by_id(&second.jobs));
    assert_eq!(jobs_of(home, HOUR.previous()), []);
}

/// The same revision again, with whatever settling time, changes nothing.
pub fn settling_again_changes_nothing(home: &dyn Warehouse) {
    let first = record(NETWORK, HOUR, 0, 12);
    home.record_hour(&first).unwrap();
    let before = super::answers(home);
    home.record_hour(&first).unwrap();
    let mut later = first.clone();
    later.settled_ms = later.settled_ms.plus(Millis(5));
    home.record_hour(&later).unwrap();
    assert_eq!(super::answers(home), before);
    expect_record(home, &first);
}

/// A later revision stands beside the earlier ones; jobs and results are those of the latest.
pub fn revisions_stay(home: &dyn Warehouse) {
    let mut first = record(NETWORK, HOUR, 0, 30);
    let second = record(NETWORK, HOUR, 1, 33);
    // One job says something else later, one is gone, and three are new.
    let stale = first.jobs.iter_mut().find(|fact| fact.job_id == job_id(4)).unwrap();
    *stale = fact(HOUR, 5);
    stale.job_id = job_id(4);
    first.jobs.push(fact(HOUR, 77));
    for record in [&first, &second] {
        home.record_hour(record).unwrap();
    }
    // A revision may be left out, and an old one recorded again.
    let third = record(NETWORK, HOUR, 3, 34);
    home.record_hour(&third).unwrap();
    home.record_hour(&first).unwrap();
    for record in [&first, &second, &third] {
        expect_record(home, record);
    }
    let latest = home.hour_record(NETWORK, HOUR, None).unwrap().unwrap();
    assert_eq!(latest.revision, 3);
    let revisions: Vec<u32> = latest.revisions.iter().map(|row| row.revision).collect();
    assert_eq!(revisions, [0, 1, 3]);
    assert_eq!(home.hour_record(NETWORK, HOUR, Some(2)).unwrap(), None);
    let jobs = all_jobs(home);
    assert_eq!(jobs.len(), 34);
    for row in jobs {
        assert_eq!(row.revision, Some(3));
        assert!(third.jobs.contains(&row.fact));
    }
    assert!(all_scores(home, HOUR).iter().all(|row| row.revision == Some(3)));
    let window = &home.windows(NETWORK, &Page::first(5)).unwrap().rows[0];
    assert_eq!((window.hour, window.jobs), (HOUR, 34));
    assert_eq!(window.latest.as_ref().unwrap().digest, third.scorecard.digest());
    assert_eq!(home.revisions(NETWORK, HOUR).unwrap(), latest.revisions);
}

/// Another scorecard under a known revision, or a new revision below the latest, is refused and changes nothing.
pub fn a_final_scorecard_never_changes(home: &dyn Warehouse) {
    let first = record(NETWORK, HOUR, 2, 12);
    home.record_hour(&first).unwrap();
    let before = super::answers(home);
    let refused = home.record_hour(&record(NETWORK, HOUR, 2, 13)).unwrap_err();
    assert!(matches!(refused, Error::Final { revision: 2, .. }), "{refused}");
    assert!(!refused.is_retryable());
    let refused = home.record_hour(&record(NETWORK, HOUR, 1, 13)).unwrap_err();
    assert!(matches!(refused, Error::Stale { revision: 1, latest: 2, .. }), "{refused}");
    assert_eq!(super::answers(home), before);
    expect_record(home, &first);
}

/// A scorecard of another network, hour or event set is refused, and nothing of its record is kept.
pub fn mixed_records_are_refused(home: &dyn Warehouse) {
    let good = record(NETWORK, HOUR, 0, 3);
    let other_network = scorecard(Network::Livepeer, HOUR, 3);
    let other_hour = scorecard(NETWORK, HOUR.next(), 3);
    let other_events = scorecard(NETWORK, HOUR, 4);
    for wrong in [&other_network, &other_hour, &other_events] {
        let mixed = HourRecord { scorecard: Scorecard::clone(wrong), ..good.clone() };
        let refused = home.record_hour(&mixed).unwrap_err();
        assert!(matches!(refused, Error::Mixed { .. }), "{refused}");
    }
    for wrong in [&other_network, &other_hour] {
        let sums = Some(sums(&good, wrong));
        let refused = home.record_provisional(NETWORK, HOUR, &good.jobs, sums, HOUR.end());
        assert!(matches!(refused, Err(Error::Mixed { .. })), "{refused:?}");
    }
    assert_eq!(home.windows(NETWORK, &Page::first(9)).unwrap().rows, []);
    assert_eq!(all_jobs(home), []);
}

/// The open hour is taken bit by bit, has no digest, and leaves nothing once its hour is settled.
pub fn provisional_facts_give_way_to_settled_ones(home: &dyn Warehouse) {
    let settled = record(NETWORK, HOUR, 0, 10);
    let take = |facts: &[_], scorecard: Option<&Scorecard>, now: u64| {
        let sums = scorecard.map(|scorecard| sums(&settled, scorecard));
        home.record_provisional(NETWORK, HOUR, facts, sums, HOUR.start().plus(Millis(now))).unwrap()
    };
    assert!(take(&facts(HOUR, 0..10), None, 1));
    let view = home.provisional(NETWORK, HOUR).unwrap().unwrap();
    assert_eq!((view.scorecard, view.updated_ms), (None, HOUR.start().plus(Millis(1))));
    let card = scorecard(NETWORK, HOUR, 10);
    assert!(take(&facts(HOUR, 5..15), Some(&card), 2));
    let mut changed = fact(HOUR, 7);
    changed.claims += 1;
    assert!(take(std::slice::from_ref(&changed), None, 3));
    assert!(take(&[], None, 4));

    let view = home.provisional(NETWORK, HOUR).unwrap().unwrap();
    assert_eq!((view.scorecard, view.updated_ms), (Some(card), HOUR.start().plus(Millis(4))));
    assert_eq!(home.hour_record(NETWORK, HOUR, None).unwrap(), None);
    assert_eq!(home.revisions(NETWORK, HOUR).unwrap(), []);
    let jobs = all_jobs(home);
    assert_eq!(jobs.len(), 15);
    assert!(jobs.iter().all(|row| row.revision.is_none()));
    assert_eq!(home.job(NETWORK, changed.job_id).unwrap()[0].fact, changed);
    assert!(all_scores(home, HOUR).iter().all(|row| row.revision.is_none()));
    assert!(!all_scores(home, HOUR).is_empty());
    let window = &home.windows(NETWORK, &Page::first(5)).unwrap().rows[0];
    assert_eq!((window.jobs, &window.latest), (15, &None));

    // Settled without the last three, which were provisional.
    let settled = record(NETWORK, HOUR, 0, 12);
    home.record_hour(&settled).unwrap();
    expect_record(home, &settled);
    assert_eq!(home.provisional(NETWORK, HOUR).unwrap(), None);
    let jobs = all_jobs(home);
    assert_eq!(jobs.len(), 12);
    assert!(jobs.iter().all(|row| row.revision == Some(0) && settled.jobs.contains(&row.fact)));
    assert_eq!(home.job(NETWORK, job_id(13)).unwrap(), []);
    let before = super::answers(home);
    assert!(!take(&facts(HOUR, 0..20), Some(&scorecard(NETWORK, HOUR, 20)), 9));
    assert_eq!(super::answers(home), before);
    assert_ne!(settled.scorecard.digest(), Digest::ZERO);
}

/// Whatever changes of a job is kept with the next revision, if it is one number that no score reads.
pub fn whatever_changes_of_a_job_is_kept(home: &dyn Warehouse) {
    let changes: [fn(&mut JobFact); 12] = [
        |fact| fact.batches.clear(),
        |fact| fact.claims += 1,
        |fact| fact.last_ms = fact.last_ms.plus(Millis(1)),
        |fact| fact.reporters.truncate(1),
        |fact| fact.requested_ms = None,
        |fact| fact.region = Some("eu-west".parse().unwrap()),
        |fact| fact.tenures.clear(),
        |fact| fact.tenures[0].fps_in = None,
        |fact| fact.tenures[0].fps_out = Some(MilliFps(1)),
        |fact| fact.tenures[0].samples += 1,
        |fact| fact.tenures[0].ended = Some("swapped".to_owned()),
        |fact| fact.tenures[0].operator = None,
    ];
    let mut last = record(NETWORK, HOUR, 0, 12);
    home.record_hour(&last).unwrap();
    for (fact, change) in last.jobs.iter_mut().zip(changes) {
        change(fact);
    }
    last.revision = 1;
    home.record_hour(&last).unwrap();
    for fact in &last.jobs {
        let expected = JobRow { fact: fact.clone(), hour: HOUR, revision: Some(1) };
        assert_eq!(home.job(NETWORK, fact.job_id).unwrap(), [expected]);
    }
}

/// A job is found by how it stands in its last hour: one that ended is no longer among those that run.
pub fn a_job_is_found_by_how_it_stands_last(home: &dyn Warehouse) {
    let numbers = 0..4;
    let mut first = record(NETWORK, HOUR, 0, 0);
    let mut next = record(NETWORK, HOUR.next(), 0, 0);
    for (hour, state) in [(&mut first, State::Running), (&mut next, State::Completed)] {
        let of_hour = |number| JobFact { state, ..fact(HOUR, number) };
        hour.jobs = numbers.clone().map(of_hour).collect();
    }
    let next_fact = |fact: &JobFact| fact.job_id == job_id(0);
    next.jobs.retain(next_fact);
    let standing = |state| {
        let filter = JobFilter { state: Some(state), ..JobFilter::default() };
        home.jobs(NETWORK, &filter, &Page::first(100)).unwrap().rows.len()
    };
    home.record_hour(&first).unwrap();
    assert_eq!((standing(State::Running), standing(State::Completed)), (4, 0));
    home.record_hour(&next).unwrap();
    assert_eq!((standing(State::Running), standing(State::Completed)), (3, 1));
}

/// Hours are recorded and found alike while many are recorded one after the other, after it, and where there are some.
pub fn a_fill_changes_no_answer(home: &dyn Warehouse) {
    let hours = |from: u64| (from..from + 3).map(|number| Hour(HOUR.0 + number));
    let check = |hours: u64| {
        let known: Vec<Hour> =
            home.job(NETWORK, job_id(1)).unwrap().iter().map(|row| row.hour).collect();
        assert_eq!(known, (0..hours).map(|number| Hour(HOUR.0 + number)).collect::<Vec<_>>());
        let last: Vec<Hour> = all_jobs(home).iter().map(|row| row.hour).collect();
        assert_eq!(last, [Hour(HOUR.0 + hours - 1); 4]);
    };
    for from in [0, 3] {
        home.begin_fill().unwrap();
        for hour in hours(from) {
            let jobs = (0..4).map(|number| fact(hour, number)).collect();
            home.record_hour(&HourRecord { jobs, ..record(NETWORK, hour, 0, 0) }).unwrap();
            check(hour.0 + 1 - HOUR.0);
        }
        home.end_fill().unwrap();
        check(from + 3);
    }
    home.end_fill().unwrap();
}
