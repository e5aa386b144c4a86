//! The replay of value: a worked example reckoned by hand, and the laws that keep it honest.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;

use events::event::Workload;
use events::unit::{Millis, UnixMillis, Wei};
use proptest::prelude::*;
use sla::rollup::chunk::Chunk;
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::series::{Answer, Question as Sums, SeriesRow};
use sla::rollup::{Detail, Rollup, RollupKey};
use sla::route::candidate::{Candidate, Offer};
use sla::route::policy::RoutingPolicy;
use sla::route::whatif::estimate::{Estimate, Signed};
use sla::route::whatif::record::{Bounds, Carried, Day, Record};
use sla::route::whatif::{Question, Unknown, WhatIf, replay};
use sla::route::work::{Asked, Work};
use sla::score::fraction::Mean;
use sla::scorecard::Grade;
use sla::tally::cell::{Measure, WorkClass};
use sla::tally::outcome::Obligation;

use crate::routes::policies;
use crate::routing::{address, changed, scored};

const DAY_MS: u64 = 86_400_000;

fn work() -> WorkClass {
    WorkClass {
        model: Some("m".parse().unwrap()),
        pipeline: Some("text-to-image".parse().unwrap()),
        workload: Workload::AiBatch,
    }
}

/// A candidate for the work, with a score of just that.
fn able(number: u8, score: u32) -> Candidate {
    let grade = if score == 0 { Grade::Insufficient } else { Grade::A };
    let mut candidate = scored(number, score, grade);
    candidate.standings[0].work = Work::from(&work());
    candidate.offers = vec![Offer {
        capacity: None,
        model: work().model,
        pipeline: work().pipeline.unwrap(),
        price: None,
        warm: None,
    }];
    candidate
}

/// Jobs that took `latency_ms`, cost `wei` and were served a second each.
fn record(operator: u8, jobs: u64, failures: u64, latency_ms: u64, wei: u128) -> Record {
    Record {
        cost_jobs: jobs,
        cost_wei: Wei(wei * u128::from(jobs)),
        failures,
        gateway: "gateway".parse().unwrap(),
        jobs,
        latency_ms: Mean { count: jobs, sum: jobs * latency_ms },
        operator: address(operator),
        served_ms: Millis(jobs * 1_000),
        work: work(),
    }
}

fn day(number: u64, candidates: Vec<Candidate>, records: Vec<Record>) -> Day {
    let scores_to = Some(UnixMillis(number * DAY_MS));
    Day { candidates, day: number, records, scores_to }
}

fn two_days() -> Vec<Day> {
    let known = || vec![able(1, 990_000), able(2, 960_000), able(3, 400_000)];
    let first =
        vec![record(1, 100, 2, 200, 10), record(2, 300, 3, 400, 20), record(3, 100, 20, 900, 30)];
    let second =
        vec![record(1, 100, 0, 200, 10), record(2, 100, 10, 400, 20), record(3, 40, 4, 900, 30)];
    vec![day(20_000, known(), first), day(20_001, known(), second)]
}

fn play(policy: &RoutingPolicy, days: &[Day], carried: &[Carried]) -> WhatIf {
    let asked = Asked::default();
    replay(Question { asked: &asked, bounds: Bounds::default(), carried, policy }, days)
}

fn estimate(value: i128, half: i128) -> Estimate {
    let end = |end| Some(Signed(end));
    Estimate { high: end(value + half), low: end(value - half), value: Signed(value) }
}

#[test]
fn two_days_come_out_as_reckoned_by_hand() {
    let whatif = play(&RoutingPolicy::standard(), &two_days(), &[]);
    // Day one: 100 jobs go 25 to 75, where 0.5 and 0.75 of them fail instead of 20. Day two: 40 go 20 to 20, and 0 and 2
    // fail instead of 4.
    assert_eq!((whatif.jobs, whatif.failures, whatif.moved), (740, 39, 140));
    assert_eq!(whatif.days[0].failures_avoided_millionths, 18_750_000);
    assert_eq!(whatif.days[1].failures_avoided_millionths, 2_000_000);
    // The days differ by 16.75, which is the error of their sum too; Student's quantile for two days is 12.707.
    assert_eq!(whatif.failures_avoided_millionths, estimate(20_750_000, 212_842_250));
    // 90 + 36 seconds become 35 + 12 for 140 jobs; without either day the mean change is 600 or 550 ms.
    assert_eq!(whatif.latency.jobs, 140);
    assert_eq!(whatif.latency.mean_before_us, Some(900_000));
    assert_eq!(whatif.latency.mean_after_us, Some(335_715));
    assert_eq!(whatif.latency.change_us, Some(estimate(-564_286, 317_675)));
    // 3000 + 1200 wei become 1750 + 600: the days differ by 650, times 12.707 is 8259.55.
    assert_eq!((whatif.cost.before_wei, whatif.cost.after_wei), (Wei(4_200), Wei(2_350)));
    assert_eq!(whatif.cost.change_wei, Some(estimate(-1_850, 8_260)));
    let gained = |number: u8| {
        let shift = whatif.operators[&address(number)];
        (shift.jobs, shift.gained, shift.lost)
    };
    assert_eq!([gained(1), gained(2), gained(3)], [(200, 45, 0), (400, 95, 0), (140, 0, 140)]);
    assert_eq!(whatif.unknown, BTreeMap::new());
}

#[test]
fn what_cannot_be_told_is_unknown() {
    let policy = RoutingPolicy::standard();
    let unknown = |days: &[Day], carried: &[Carried]| play(&policy, days, carried).unknown;
    let only = |why, jobs| BTreeMap::from([(why, jobs)]);
    // Nobody had heard of the third.
    let mut days = two_days();
    days.iter_mut().for_each(|day| day.candidates.truncate(2));
    assert_eq!(unknown(&days, &[]), only(Unknown::NotJudged, 140));
    // Nobody knew what it offered, which says nothing about it.
    let mut days = two_days();
    days.iter_mut().for_each(|day| day.candidates[2].offers.clear());
    assert_eq!(unknown(&days, &[]), only(Unknown::NotJudged, 140));
    // Its scores ended three hours and a millisecond before the day.
    let mut days = two_days();
    days[1].scores_to = Some(UnixMillis(20_001 * DAY_MS - 10_800_001));
    let whatif = play(&policy, &days, &[]);
    assert_eq!(whatif.unknown, only(Unknown::Stale, 240));
    assert_eq!((whatif.moved, whatif.days[1].failures_avoided_millionths), (100, 0));
    // The gateway never dealt with anybody else.
    let mut days = two_days();
    days.iter_mut()
        .flat_map(|day| &mut day.records)
        .filter(|it| it.operator == address(3))
        .for_each(|record| record.gateway = "lonely".parse().unwrap());
    assert_eq!(unknown(&days, &[]), only(Unknown::NoAlternative, 140));
    // Too few jobs make no rate: of the 100 and the 40, 9 and 6 in 309 and 106 go to the first.
    let mut days = two_days();
    days[0].records[0] = record(1, 9, 0, 200, 10);
    days[1].records[0] = record(1, 6, 0, 200, 10);
    assert_eq!(unknown(&days, &[]), only(Unknown::NoRecord, 3 + 2));
    // The second carries 310 jobs at most; or 302 seconds, and jobs of the third take one each.
    let carried = |jobs_max, served_max_ms| {
        [Carried { jobs_max, operator: address(2), served_max_ms, work: work() }]
    };
    assert_eq!(unknown(&two_days(), &carried(Some(310), None)), only(Unknown::NoRoom, 65));
    let by_time = carried(None, Some(Millis(302_000)));
    assert_eq!(unknown(&two_days(), &by_time), only(Unknown::NoRoom, 73));
}

#[test]
fn a_newcomer_keeps_the_part_of_the_day_it_is_listed_in() {
    // Two newcomers at one place take turns hour by hour: each keeps half of its jobs.
    let lines = [("turns_max", "1".to_owned()), ("excluded_share_max_ppm", "1000000".to_owned())];
    let policy = changed("standard-1", lines);
    let known = vec![able(1, 990_000), able(2, 0), able(3, 0)];
    let records = vec![record(1, 100, 0, 1, 1), record(2, 100, 0, 1, 1), record(3, 100, 0, 1, 1)];
    let whatif = play(&policy, &[day(20_000, known, records)], &[]);
    let lost = |number: u8| whatif.operators[&address(number)].lost;
    // A row is drawn anew for every cycle of two hours, in each of which both have one.
    assert_eq!((lost(2), lost(3)), (50, 50));
    assert_eq!(whatif.operators[&address(1)].gained, 100);
    assert_eq!(whatif.failures_avoided_millionths.low, None, "one day alone cannot tell");
}

fn days() -> impl Strategy<Value = Vec<Day>> {
    let candidate = (1..6u8, prop_oneof![Just(0u32), 300_000..1_000_000u32]);
    let records = (1..7u8, 0..200u64, 0..200u64, 0..900u64, 0..50u128, any::<bool>());
    let one = (
        prop::collection::vec(candidate, 0..6),
        prop::collection::vec(records, 0..10),
        prop_oneof![9 => Just(true), 1 => Just(false)],
    );
    prop::collection::vec(one, 0..6).prop_map(|days| {
        let days = (20_000..).zip(days).map(|(number, (candidates, records, is_fresh))| {
            let known = candidates.into_iter().map(|(name, score)| able(name, score)).collect();
            let records =
                records.into_iter().map(|(operator, jobs, failures, latency, wei, here)| {
                    let mut record = record(operator, jobs, failures.min(jobs), latency, wei);
                    if !here {
                        record.gateway = "other".parse().unwrap();
                    }
                    record
                });
            let mut day = day(number, known, records.collect());
            day.scores_to = day.scores_to.filter(|_| is_fresh);
            day
        });
        days.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn jobs_are_conserved_and_order_never_matters(policy in policies(), mut days in days()) {
        let whatif = play(&policy, &days, &[]);
        let recorded: u64 = days.iter().flat_map(|day| &day.records).map(|it| it.jobs).sum();
        prop_assert_eq!(whatif.jobs, recorded);
        let of = |of: fn(&sla::route::whatif::Shift) -> u64| -> u64 {
            whatif.operators.values().map(of).sum()
        };
        prop_assert_eq!(of(|shift| shift.jobs), recorded);
        prop_assert_eq!(of(|shift| shift.gained), whatif.moved);
        prop_assert_eq!(of(|shift| shift.lost), whatif.moved);
        prop_assert!(whatif.operators.values().all(|shift| shift.lost <= shift.jobs));
        prop_assert!(whatif.moved + whatif.unknown.values().sum::<u64>() <= recorded);
        let by_day: i128 =
            whatif.days.iter().map(|day| i128::from(day.failures_avoided_millionths)).sum();
        prop_assert_eq!(whatif.failures_avoided_millionths.value, Signed(by_day));
        prop_assert!(by_day <= i128::from(whatif.failures) * 1_000_000);
        days.reverse();
        for day in &mut days {
            day.records.reverse();
            day.candidates.reverse();
        }
        prop_assert_eq!(play(&policy, &days, &[]), whatif);
    }

    #[test]
    fn a_policy_that_leaves_out_nobody_changes_nothing(mut days in days()) {
        let lines = [
            ("places_max", "1000".to_owned()),
            ("places_per_party_max", "1000".to_owned()),
            ("excluded_share_max_ppm", "0".to_owned()),
        ];
        let policy = changed("standard-1", lines);
        for day in &mut days {
            day.scores_to = Some(UnixMillis(day.day * DAY_MS));
            day.candidates = (1..7).map(|number| able(number, u32::from(number) * 150_000)).collect();
        }
        let whatif = play(&policy, &days, &[]);
        let nothing = whatif.failures_avoided_millionths;
        prop_assert_eq!((whatif.moved, nothing.value), (0, Signed(0)));
        prop_assert!(nothing.low.is_none_or(|low| low <= Signed(0)));
        prop_assert!(nothing.high.is_none_or(|high| high >= Signed(0)));
        prop_assert_eq!((whatif.latency.jobs, whatif.cost.jobs), (0, 0));
        prop_assert!(whatif.unknown.is_empty());
    }

    #[test]
    fn what_is_known_later_changes_no_day(policy in policies(), days in days(), score in 0..1_000_000u32) {
        let before = play(&policy, &days, &[]);
        let mut later = days.clone();
        let Some(last) = later.last_mut() else { return Ok(()) };
        last.candidates.iter_mut().for_each(|it| *it = able(it.operator.0[0], score));
        let last = last.day;
        let after = play(&policy, &later, &[]);
        let earlier = |whatif: &WhatIf| {
            whatif.days.iter().filter(|it| it.day < last).copied().collect::<Vec<_>>()
        };
        prop_assert_eq!(earlier(&before), earlier(&after));
    }
}

#[test]
fn intervals_are_as_wide_as_the_days_differ() {
    assert_eq!(Estimate::of_sum(&[]).value, Signed(0));
    assert_eq!(Estimate::of_sum(&[5]).low, None);
    assert_eq!(Estimate::of_sum(&[7, 7, 7]), estimate(21, 0));
    // Five days with a mean of 3: variance 2.5, of the sum 12.5, root 3.5355, times 2.777 is 9.818.
    assert_eq!(Estimate::of_sum(&[1, 2, 3, 4, 5]), estimate(15, 10));
    assert_eq!(Estimate::of_ratio(&[(1, 0)]), None);
    assert_eq!(Estimate::of_ratio(&[(-6, 2), (-9, 3)]), Some(estimate(-3, 0)));
    assert_eq!(Estimate::of_ratio(&[(i128::MAX, 1)]).unwrap().value, Signed(i128::MAX));
    assert_eq!(serde_json::to_string(&Signed(-12)).unwrap(), "\"-12\"");
}

/// What a question finds in these sums.
fn rows(rollup: &Rollup, question: &Sums) -> Vec<SeriesRow> {
    let (chunk, spreads) = Chunk::of(rollup);
    let mut answer = Answer::new(question);
    let spread = |measure: Measure| Ok(spreads.get(&measure).cloned().map(Arc::new));
    let added: Result<(), Infallible> = answer.add(&chunk, spread);
    added.unwrap();
    answer.rows()
}

#[test]
fn each_gateway_is_told_its_own() {
    let mut days = two_days();
    let policy = &RoutingPolicy::standard();
    let alone = play(policy, &days, &[]);
    let one = &alone.gateways[&"gateway".parse().unwrap()];
    assert_eq!((one.jobs, one.moved, one.failures), (alone.jobs, alone.moved, alone.failures));
    assert_eq!((&one.cost, &one.latency), (&alone.cost, &alone.latency));
    assert_eq!(one.failures_avoided_millionths, alone.failures_avoided_millionths);
    // Another gateway that gave all its work to who is listed would have changed nothing.
    let other = Record { gateway: "other".parse().unwrap(), ..record(1, 40, 1, 200, 10) };
    days[0].records.push(other);
    let both = play(policy, &days, &[]);
    let other = &both.gateways[&"other".parse().unwrap()];
    assert_eq!((other.jobs, other.failures, other.moved), (40, 1, 0));
    assert_eq!(both.jobs, alone.jobs + 40);
    assert!(both.moved > 0);
    assert_eq!(both.gateways[&"gateway".parse().unwrap()].moved, both.moved);
}

#[test]
fn records_are_made_of_signed_sums() {
    let at = |minute: u64| UnixMillis(20_000 * DAY_MS + minute * 60_000);
    let of = |collected: bool, named: bool| RollupKey {
        collected,
        gateway: named.then(|| address(9)),
        operator: Some(address(1)),
        ..RollupKey::default().of_class(&work())
    };
    let mut rollup = Rollup::new(Detail::Minute);
    let mut tell = |key: RollupKey, minute: u64, jobs: u64| {
        let mut row = rollup.row(key);
        let sums = row.at(at(minute));
        sums.add(Column::Plain(Plain::Tenures), jobs);
        sums.add(Column::Plain(Plain::ServedMs), jobs * 1_000);
        sums.add(Column::Owed(Obligation::Output, Came::Good), jobs - 2);
        sums.add(Column::Owed(Obligation::Output, Came::Bad), 1);
        sums.add(Column::Owed(Obligation::Output, Came::Disputed), 1);
        sums.add(Column::Plain(Plain::PaidMwei), jobs * 5);
        for _ in 0..jobs {
            sums.measure(Measure::FirstOutputMs, 200);
        }
    };
    tell(of(false, true), 0, 10);
    tell(of(false, true), 59, 5);
    tell(of(false, true), 60, 12);
    // The same work, told of by an unsigned feed beside; and some that names no gateway.
    tell(of(true, true), 0, 10);
    tell(of(true, true), 59, 5);
    tell(of(false, false), 60, 4);
    let days = 20_000..20_001;
    let found: Vec<_> =
        rows(&rollup, &Record::question(days.clone())).iter().filter_map(Record::of).collect();
    let expected = Record {
        failures: 6,
        gateway: address(9).to_string().parse().unwrap(),
        cost_wei: Wei(27 * 5 * 1_000_000),
        ..record(1, 27, 0, 200, 0)
    };
    assert_eq!(found, [(20_000, expected)]);
    // The busiest hour had 12 and 4, not the 15 that two tellers told of twice.
    let carried = Carried::of(&rows(&rollup, &Carried::question(days)));
    let most = Carried {
        jobs_max: Some(16 * 24),
        operator: address(1),
        served_max_ms: Some(Millis(16_000 * 24)),
        work: work(),
    };
    assert_eq!(carried, [most]);
}
