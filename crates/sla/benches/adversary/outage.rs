//! What an operator gains by arranging that failures count as somebody else's, or that a source is not heard.

use sla::window::Span;

use crate::chance::Chance;
use crate::operator::BOUND;
use crate::stage::{BLOCKS_A_DAY, Fate, Record, Stage, gateway, honest, payer, sybil};
use crate::table::{Judged, Table, points, share};

const BLOCKS: u64 = 7 * BLOCKS_A_DAY;
/// Jobs that each of three gateways gave the operator.
const JOBS: u64 = 700;
/// How many worlds each row is measured on.
const RUNS: u64 = 5;

/// Measures every arrangement.
pub fn measure(table: &mut Table) {
    table.title(
        "Operators: what arranging gains in 7 days, three gateways of 700 jobs each, in points",
        "| what it does | true rate | score before | mean, most gained | bound 2.00 | |",
    );
    for rate in [900_000, 970_000] {
        for clusters in [3, 4, 8] {
            arrange(clusters, rate, false, table);
        }
        arrange(4, rate, true, table);
        silence(rate, table);
    }
    for (silent, words) in [
        (payer(0), "says that it pays from where the gateway pays that saw 0.85"),
        (gateway(0), "says that it pays from the gateway that saw 0.85"),
    ] {
        strike(silent, words, table);
    }
}

/// Its other operators fail five jobs at each gateway wherever it failed one; or so does it itself, and so would
/// others.
fn arrange(clusters: u64, rate: u64, fails_whole_block: bool, table: &mut Table) {
    let stage = Stage::new(Span::Week);
    let (mut sum, mut most, mut first) = (0, i64::MIN, 0);
    for run in 0..RUNS {
        let mut before = words(rate, &mut Chance::new(run + 1), Fate::take_bad);
        let mut after = before.clone();
        for number in 0..3 {
            let mine = before[&(gateway(number), honest())].clone();
            let hit: Vec<u64> =
                mine.iter().filter(|(_, fate)| fate.bad > 0).map(|(block, _)| *block).collect();
            for other in 0..clusters {
                let key = (gateway(number), sybil(other));
                let all = |fate: Fate| hit.iter().map(|block| (*block, fate)).collect();
                before.insert(key, all(Fate { good: 5, ..Fate::default() }));
                after.insert(key, all(Fate { bad: 5, ..Fate::default() }));
            }
            if fails_whole_block {
                let mine = after.get_mut(&(gateway(number), honest())).unwrap();
                for fate in mine.values_mut().filter(|fate| fate.bad > 0) {
                    *fate = Fate { bad: fate.count(), ..Fate::default() };
                }
            }
        }
        let (from, to) = (stage.score(&before).unwrap(), stage.score(&after).unwrap());
        sum += to - from;
        most = most.max(to - from);
        first = from;
    }
    let also = if fails_whole_block { ", and it fails all jobs of these blocks" } else { "" };
    let what = format!("{clusters} other operators of its fail 5 jobs wherever it fails one{also}");
    row(&what, rate, first, sum, most, table);
}

/// It does not say what would dispute its failures, while four other operators really fail, too.
fn silence(rate: u64, table: &mut Table) {
    let stage = Stage::new(Span::Week);
    let (mut sum, mut most, mut first) = (0, i64::MIN, 0);
    for run in 0..RUNS {
        let said = words(rate, &mut Chance::new(run + 1), Fate::take_disputed);
        let unsaid = words(rate, &mut Chance::new(run + 1), Fate::take_bad);
        let outage = |record: &mut Record| {
            for number in 0..3 {
                for other in 0..4 {
                    let blocks = (0..BLOCKS).step_by(50);
                    let failed = blocks.map(|block| (block, Fate { bad: 5, ..Fate::default() }));
                    record.insert((gateway(number), sybil(other)), failed.collect());
                }
            }
        };
        let (mut before, mut after) = (said, unsaid);
        outage(&mut before);
        outage(&mut after);
        let (from, to) = (stage.score(&before).unwrap(), stage.score(&after).unwrap());
        sum += to - from;
        most = most.max(to - from);
        first = from;
    }
    let what =
        "withholds all that disputes its failures, with outages of four others in 2 % of blocks";
    row(what, rate, first, sum, most, table);
}

/// It says that it is one party with the gateway that saw the worst of it.
fn strike(named: events::identity::Address, words_of: &str, table: &mut Table) {
    let (mut sum, mut most, mut first) = (0, i64::MIN, 0);
    for run in 0..RUNS {
        let mut record = words(990_000, &mut Chance::new(run + 1), Fate::take_bad);
        record.remove(&(gateway(2), honest()));
        let worst = words(850_000, &mut Chance::new(run + 77), Fate::take_bad);
        record.insert((gateway(0), honest()), worst[&(gateway(0), honest())].clone());
        let mut stage = Stage::new(Span::Week);
        (0..3).for_each(|number| stage.pays(gateway(number), payer(number)));
        let from = stage.score(&record).unwrap();
        stage.pays(honest(), named);
        let to = stage.score(&record).unwrap();
        sum += to - from;
        most = most.max(to - from);
        first = from;
    }
    let what = format!("{words_of}, the other saw 0.99");
    row(&what, 990_000, first, sum, most, table);
}

fn row(what: &str, rate: u64, first: i64, sum: i64, most: i64, table: &mut Table) {
    let mean = sum / i64::try_from(RUNS).unwrap();
    let cells = [
        what.to_owned(),
        share(rate),
        share(u64::try_from(first).unwrap()),
        format!("{}, {}", points(mean), points(most)),
        points(BOUND),
    ];
    table.row(&cells, Judged::Yes, most <= BOUND);
}

impl Fate {
    fn take_bad(&mut self) {
        self.bad += 1;
    }

    fn take_disputed(&mut self) {
        self.disputed += 1;
    }
}

/// What three gateways tell of the operator, where `fail` counts what did not go well.
fn words(rate: u64, chance: &mut Chance, fail: fn(&mut Fate)) -> Record {
    let mut record = Record::new();
    for number in 0..3 {
        let words = record.entry((gateway(number), honest())).or_default();
        for _ in 0..JOBS {
            let fate: &mut Fate = words.entry(chance.below(BLOCKS)).or_default();
            if chance.happens(rate) { fate.good += 1 } else { fail(fate) }
        }
    }
    record
}
