//! What homes do with counts for people to look at, and with offers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sla::rollup::column::{Column, Plain};
use sla::rollup::series::{Question, SeriesRow};
use sla::rollup::{Detail, Dimension, Minute, Rollup, RollupKey, Sums};
use sla::supply::offered;
use sla::tally::cell::Measure;
use sla::window::Hour;

use super::sample::{self, HOUR, NETWORK};
use crate::{MINUTES_KEPT, Warehouse};

/// The hours of the counts: two days and a bit, with a hole.
fn hours() -> impl Iterator<Item = (Hour, u64)> {
    let numbers = (0..55).filter(|at| *at != 30);
    numbers.map(|at| (Hour(HOUR.0 + at), 3 + at % 7))
}

fn everything() -> Question {
    let (first, _) = hours().next().unwrap();
    Question {
        columns: Column::all().collect(),
        histograms: Measure::ALL.iter().copied().collect(),
        span: first.0 * 60..(first.0 + 100) * 60,
        ..Question::default()
    }
}

/// When and of what a row of an answer is.
type Group = (Option<Minute>, Vec<Option<Arc<str>>>);

/// The answer by hand: each row of the hours looked at and added where it belongs.
fn by_hand(rollups: &[Rollup], question: &Question) -> Vec<SeriesRow> {
    let mut groups: BTreeMap<Group, Sums> = BTreeMap::new();
    for (key, minutes) in rollups.iter().flat_map(|rollup| &rollup.rows) {
        let name = |dimension: Dimension| key.name(dimension).map(|name| name.into_owned());
        if !question.filter.iter().all(|(dimension, wanted)| wanted.contains(&name(*dimension))) {
            continue;
        }
        let names: Vec<Option<Arc<str>>> =
            question.by.iter().map(|dimension| name(*dimension).map(Arc::from)).collect();
        for (minute, sums) in minutes.iter().filter(|(minute, _)| question.span.contains(minute)) {
            let begin = question.step_minutes.map(|step| minute - minute % step);
            let mut wanted = sums.clone();
            wanted.columns.retain(|column, _| question.columns.contains(column));
            wanted.histograms.retain(|measure, _| question.histograms.contains(measure));
            if wanted != Sums::default() {
                groups.entry((begin, names.clone())).or_default().merge(&wanted);
            }
        }
    }
    let row = |((minute, names), sums)| SeriesRow { minute, names, sums };
    groups.into_iter().map(row).collect()
}

/// Hours, days and spans that end anywhere add up to the same, by whatever they are told apart and whatever is asked of
/// them, and again when they are asked for a second time.
pub fn counts_add_up_however_they_are_asked_for(home: &dyn Warehouse) {
    let mut rollups = Vec::new();
    for (hour, jobs) in hours() {
        home.record_hour(&sample::record(NETWORK, hour, 0, jobs)).unwrap();
        rollups.push(sample::rollup(hour, jobs, Detail::Hour));
    }
    let all = everything();
    let first = all.span.start;
    let operator = sample::operator(1).to_string();
    let questions = [
        all.clone(),
        Question { step_minutes: Some(60), ..all.clone() },
        Question { step_minutes: Some(24 * 60), by: vec![Dimension::Operator], ..all.clone() },
        Question { by: vec![Dimension::Model, Dimension::Gateway], ..all.clone() },
        Question { by: Dimension::ALL.to_vec(), step_minutes: Some(60), ..all.clone() },
        Question { span: first + 120..first + 60 * 30, by: vec![Dimension::Url], ..all.clone() },
        Question {
            filter: BTreeMap::from([(Dimension::Operator, BTreeSet::from([Some(operator)]))]),
            columns: BTreeSet::from([Column::Plain(Plain::ServedMs)]),
            histograms: BTreeSet::new(),
            ..all.clone()
        },
        Question {
            filter: BTreeMap::from([(Dimension::Operator, BTreeSet::from([None]))]),
            ..all.clone()
        },
        Question { span: first..first, ..all.clone() },
    ];
    for round in 0..2 {
        for question in &questions {
            let expected = by_hand(&rollups, question);
            assert_eq!(home.series(NETWORK, question).unwrap(), expected, "{round} {question:?}");
        }
    }
    // Days are made of hours, and of those that come later again.
    make_days(home);
    // Another revision takes the place of the first, before its day is made again and after.
    let (hour, _) = hours().next().unwrap();
    let ask_all = |rollups: &[Rollup]| {
        for question in &questions {
            let expected = by_hand(rollups, question);
            assert_eq!(home.series(NETWORK, question).unwrap(), expected, "{question:?}");
        }
    };
    ask_all(&rollups);
    home.record_hour(&sample::record(NETWORK, hour, 1, 20)).unwrap();
    rollups[0] = sample::rollup(hour, 20, Detail::Hour);
    ask_all(&rollups);
    assert_eq!(make_days(home), 1);
    ask_all(&rollups);
}

/// Makes all days that are to be made; how many those were.
fn make_days(home: &dyn Warehouse) -> usize {
    (0..10).take_while(|_| home.record_day(NETWORK).unwrap()).count()
}

/// Whoever wants a page is given whole steps, as many as it needs and hardly more.
pub fn enough_is_enough(home: &dyn Warehouse) {
    let mut rollups = Vec::new();
    for (hour, jobs) in hours() {
        home.record_hour(&sample::record(NETWORK, hour, 0, jobs)).unwrap();
        rollups.push(sample::rollup(hour, jobs, Detail::Hour));
    }
    make_days(home);
    for step in [60, 24 * 60] {
        let all =
            Question { by: vec![Dimension::Operator], step_minutes: Some(step), ..everything() };
        let expected = by_hand(&rollups, &all);
        for enough in [0, 1, 5, 40, 10_000] {
            let page = Question { rows_enough: Some(enough), ..all.clone() };
            let rows = home.series(NETWORK, &page).unwrap();
            assert_eq!(rows, expected[..rows.len()], "the first of all");
            let first = rows.first().unwrap().minute;
            let after = rows.iter().filter(|row| row.minute != first).count();
            assert!(after >= enough || rows.len() == expected.len(), "{step} {enough}");
            let next = expected.get(rows.len()).map(|row| row.minute);
            assert_ne!(next, Some(rows.last().unwrap().minute), "a step is whole");
            assert!(after <= enough + 20, "{step} {enough}: {after}");
        }
    }
}

/// Every region that was ever told is known, also when it is told of no more.
pub fn regions_are_all_that_were_told(home: &dyn Warehouse) {
    let told = |names: &[&str]| {
        let mut rollup = Rollup::new(Detail::Hour);
        for name in names {
            let key = RollupKey { region: name.parse().ok(), ..RollupKey::default() };
            rollup.row(key).at(HOUR.start()).add(Column::Plain(Plain::Jobs), 1);
        }
        rollup
    };
    assert_eq!(home.regions(NETWORK).unwrap(), BTreeSet::new());
    for (hour, names) in [(HOUR, ["FRA", "SIN"]), (HOUR.next(), ["SIN", "LAX"]), (HOUR, ["FRA"; 2])]
    {
        home.record_rollup(NETWORK, hour, &told(&names), &[], &[]).unwrap();
    }
    home.record_rollup(NETWORK, HOUR.next(), &told(&[]), &[], &[]).unwrap();
    let expected = ["FRA", "LAX", "SIN"].map(|name| name.parse().unwrap());
    assert_eq!(home.regions(NETWORK).unwrap(), BTreeSet::from(expected));
}

/// The open hour and those before it are known by the minute, and for as long as is promised; then by the hour.
pub fn minutes_are_kept_for_a_while(home: &dyn Warehouse) {
    let open = sample::record(NETWORK, HOUR, 0, 9);
    let sums = sample::sums(&open, &open.scorecard);
    home.record_provisional(NETWORK, HOUR, &[], Some(sums), HOUR.start()).unwrap();
    let minutes = |hour: Hour, jobs| vec![sample::rollup(hour, jobs, Detail::Minute)];
    let question = |hour: Hour| Question {
        by: vec![Dimension::Model],
        span: hour.0 * 60 + 3..hour.0 * 60 + 40,
        step_minutes: Some(5),
        ..everything()
    };
    let read = |hour| home.series(NETWORK, &question(hour)).unwrap();
    assert_eq!(read(HOUR), by_hand(&minutes(HOUR, 9), &question(HOUR)));
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 12)).unwrap();
    assert_eq!(read(HOUR), by_hand(&minutes(HOUR, 12), &question(HOUR)));
    let kept = MINUTES_KEPT.0 / 3_600_000;
    let last = Hour(HOUR.0 + kept);
    home.record_hour(&sample::record(NETWORK, last, 0, 2)).unwrap();
    assert_eq!(read(HOUR), by_hand(&minutes(HOUR, 12), &question(HOUR)), "still kept");
    home.record_hour(&sample::record(NETWORK, last.next(), 0, 2)).unwrap();
    assert_eq!(read(HOUR), [], "an hour stands at its first minute");
    let whole = Question { span: HOUR.0 * 60..HOUR.0 * 60 + 60, ..question(HOUR) };
    let hours = [sample::rollup(HOUR, 12, Detail::Hour)];
    assert_eq!(home.series(NETWORK, &whole).unwrap(), by_hand(&hours, &whole));
    assert_eq!(read(last.next()), by_hand(&minutes(last.next(), 2), &question(last.next())));
}

/// What is on offer is made of the words of all hours that are asked for.
pub fn offers_are_made_of_all_words(home: &dyn Warehouse) {
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 3)).unwrap();
    home.record_hour(&sample::record(NETWORK, HOUR.next(), 0, 1)).unwrap();
    let read = |first: Hour, last: Hour| home.supply(NETWORK, first..=last).unwrap().to_vec();
    let of = |hour: Hour, numbers: &[u64]| {
        numbers.iter().map(|number| sample::word(hour, *number)).collect::<Vec<_>>()
    };
    let both = [of(HOUR, &[0, 1, 2]), of(HOUR.next(), &[0])].concat();
    for _ in 0..2 {
        assert_eq!(read(HOUR, HOUR.next()), offered(&both));
        assert_eq!(read(HOUR.next(), HOUR.next()), offered(&of(HOUR.next(), &[0])));
    }
    home.record_rollup(NETWORK, HOUR.next(), &Rollup::new(Detail::Hour), &[], &[]).unwrap();
    assert_eq!(read(HOUR.next(), HOUR.next()), []);
    assert_eq!(read(HOUR.next().next(), HOUR), [], "no span at all");
}

/// Whoever had or offered work stays known.
pub fn operators_are_all_who_had_or_offered_work(home: &dyn Warehouse) {
    home.record_hour(&sample::record(NETWORK, HOUR, 0, 2)).unwrap();
    let idle = sample::word(HOUR.next(), 3);
    home.record_rollup(NETWORK, HOUR.next(), &Rollup::new(Detail::Hour), &[idle], &[]).unwrap();
    let operators = home.operators(NETWORK).unwrap();
    let known: BTreeSet<_> = operators.iter().map(|row| row.operator).collect();
    let expected: BTreeSet<_> = [0, 1, 3].into_iter().map(sample::operator).collect();
    assert_eq!(known, expected);
    assert!(operators.iter().all(|row| row.first_ms <= row.last_ms));
    let idle = operators.iter().find(|row| row.operator == sample::operator(3)).unwrap();
    assert_eq!((idle.first_ms, idle.last_ms), (HOUR.next().start(), HOUR.next().start()));
}
