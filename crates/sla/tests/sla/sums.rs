//! What people look at is the same as what is scored, however finely it is kept.

use std::collections::BTreeMap;

use events::unit::UnixMillis;
use proptest::prelude::*;
use sla::authority::Authority;
use sla::hour::{Settled, settle};
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::{Detail, Rollup, Sums};
use sla::tally::Tally;

use crate::laws::{config, each_hour, knobs};
use crate::settling::Question;
use crate::world::World;

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_people_look_at_adds_up_to_what_is_scored(knobs in knobs()) {
        let world = World::new(knobs);
        each_hour(&world, |question, settled| {
            let authority = Authority::of(&world.trust, &world.batches);
            let batches = world.batches();
            let observe = &question.policy.observe;
            let (hour, open) = (question.hour, question.open);
            let whole = settle(hour, &batches, open, &authority, observe, Detail::Hour);
            assert_eq!(settled.rollup.by_hour(), whole.rollup, "minutes add up to the hour");
            assert_eq!(sums_of(&whole.rollup), sums_of_tally(&settled.tally));
            let (jobs, tenures) = delivered(question, settled);
            let sums = whole.rollup.rows.values().flat_map(BTreeMap::values);
            let count = |sums: &Sums| sums.columns.get(&Column::Plain(Plain::Delivered)).copied();
            let counted: u64 = sums.filter_map(count).sum();
            assert!(jobs <= counted && counted <= tenures, "{jobs} <= {counted} <= {tenures}");
        });
    }
}

/// How many jobs first got in the hour what they asked for, and how many tenures gave it. A job that was told of twice
/// lies between the two.
fn delivered(question: &Question<'_>, settled: &Settled) -> (u64, u64) {
    let (mut jobs, mut tenures) = (0, 0);
    for fact in &settled.jobs {
        let class = question.policy.observe.class(fact.class.workload).unwrap();
        let told = fact.tenures.iter().filter(|tenure| !tenure.self_told);
        let came = told.filter_map(|tenure| {
            let is_answer = class.start_patience_ms.is_none()
                && tenure.ended.as_deref() == Some("completed")
                && tenure.reason.is_none();
            tenure.output_ms.or(tenure.end_ms.filter(|_| is_answer))
        });
        let came: Vec<UnixMillis> = came.collect();
        let is_here = |at_ms: &&UnixMillis| question.hour.holds(**at_ms);
        jobs += u64::from(came.iter().min().as_ref().is_some_and(is_here));
        tenures += u64::try_from(came.iter().filter(is_here).count()).unwrap();
    }
    (jobs, tenures)
}

/// All that a rollup has in common with a tally, added up. What was not told and what is zero are the same here.
fn sums_of(rollup: &Rollup) -> Sums {
    let mut all = Sums::default();
    rollup.rows.values().flat_map(BTreeMap::values).for_each(|sums| all.merge(sums));
    let is_shared = |column: &Column| match column {
        Column::Owed(..) | Column::Failed(_) => true,
        Column::Plain(plain) => matches!(plain, Plain::Jobs | Plain::Tenures | Plain::Unserved),
        Column::Sum(_) => false,
    };
    all.columns.retain(|column, sum| is_shared(column) && *sum > 0);
    all
}

fn sums_of_tally(tally: &Tally) -> Sums {
    let mut all = Sums::default();
    for demand in tally.demand.values() {
        all.add(Column::Plain(Plain::Jobs), demand.jobs);
        all.add(Column::Plain(Plain::Unserved), demand.unserved);
    }
    for cell in tally.cells.values() {
        all.add(Column::Plain(Plain::Tenures), cell.tenures);
        for (reason, count) in &cell.failures {
            all.add(Column::Failed(*reason), *count);
        }
        for (obligation, counts) in &cell.obligations {
            let came = [
                (Came::Bad, counts.bad),
                (Came::Declined, counts.declined),
                (Came::Disputed, counts.disputed),
                (Came::Excused, counts.excused.values().sum()),
                (Came::Good, counts.good),
                (Came::Missing, counts.missing),
            ];
            came.iter().for_each(|(came, count)| all.add(Column::Owed(*obligation, *came), *count));
        }
        for (measure, histogram) in &cell.measured {
            all.histograms.entry(*measure).or_default().merge(histogram);
        }
    }
    all.columns.retain(|_, sum| *sum > 0);
    all
}
