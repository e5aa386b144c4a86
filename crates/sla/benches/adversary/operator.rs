//! What an operator gains by failing more, declining more, or arranging failures.

use std::collections::BTreeMap;

use sla::policy::rule::Evidence;
use sla::score::block::Block;
use sla::score::source::{Heard, Told, Voice, prove};

use crate::chance::Chance;
use crate::stage::{BLOCKS_A_DAY, Fate, Words, gateway};
use crate::table::{Judged, Table, points, share};

/// An operator may gain at most this.
pub const BOUND: i64 = 20_000;
/// Fewer obligations than this are out of the promise.
const LEAST: u64 = 700;
/// Steps of each search.
const STEPS: u64 = 60;
const BLOCKS: u64 = 7 * BLOCKS_A_DAY;

/// What each source tells.
type World = Vec<Words>;

/// When work comes.
#[derive(Debug, Clone, Copy)]
enum Shape {
    /// At any time.
    Even,
    /// In one hour of each day.
    Peaks,
}

impl Shape {
    fn words(self) -> &'static str {
        match self {
            Self::Even => "at any time",
            Self::Peaks => "in one hour a day",
        }
    }
}

/// How an operator fails before it tries anything.
#[derive(Debug, Clone, Copy)]
enum Failing {
    Never,
    /// This share of jobs, in parts per million.
    Any(u64),
    /// Whole blocks, until about this share of jobs failed.
    Bursts(u64),
    /// Any, and the first source sees this share.
    Unlike(u64, u64),
}

impl Failing {
    fn words(self) -> String {
        match self {
            Self::Never => "no failures".to_owned(),
            Self::Any(ppm) => format!("{} fail", share(ppm)),
            Self::Bursts(ppm) => format!("{} of blocks fail", share(ppm)),
            Self::Unlike(first, others) => {
                format!("{} fail at source 0, {} elsewhere", share(first), share(others))
            }
        }
    }
}

/// What it tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Move {
    FailAny,
    FailBlocks,
    FailSearch,
    DeclineAny,
    DeclineSmall,
    DeclineSource,
    DeclineToGate,
    ShiftFailures,
}

impl Move {
    fn words(self) -> &'static str {
        match self {
            Self::FailAny => "fails more jobs, any, at all sources or one",
            Self::FailBlocks => "fails all jobs of more blocks, at all sources or one",
            Self::FailSearch => "fails more jobs, the best found by search",
            Self::DeclineAny => "declines some of the jobs it would do well",
            Self::DeclineSmall => {
                "declines all jobs of sources with less than a tenth of the largest"
            }
            Self::DeclineSource => "declines all jobs of one source",
            Self::DeclineToGate => "declines jobs of one source down to 19",
            Self::ShiftFailures => "fails as many jobs, all of them at one source",
        }
    }
}

/// The most that a move gained.
#[derive(Debug, Clone, Default)]
struct Most {
    gain: i64,
    from: i64,
    tried: u64,
    /// Worlds without a score that had one afterwards.
    unscored: u64,
    what: String,
}

/// Searches every kind of move on every world, where all sources together see 700 obligations or more, and where each
/// of them does.
pub fn measure(rule: &Evidence, table: &mut Table) {
    table.title(
        "Operators: the most that saying less or failing more gains in 7 days, in points",
        "| what it does | obligations | work comes | tried | most gained | from | where | bound 2.00 | |",
    );
    for each in [false, true] {
        for shape in [Shape::Even, Shape::Peaks] {
            let mut most: BTreeMap<Move, Most> = BTreeMap::new();
            let mut seed = 0;
            for sizes in sizes(each) {
                for failing in failings() {
                    seed += 1;
                    let world = world(&sizes, shape, failing, &mut Chance::new(seed));
                    let what = format!("{sizes:?} jobs, {}", failing.words());
                    try_all(&world, &what, rule, &mut Chance::new(seed ^ 0xabcd), &mut most);
                }
            }
            most.iter().for_each(|(tried, most)| row(*tried, most, each, shape, table));
        }
    }
}

fn row(tried: Move, most: &Most, each: bool, shape: Shape, table: &mut Table) {
    let cells = [
        tried.words().to_owned(),
        if each { "700 of each source" } else { "700 in all" }.to_owned(),
        shape.words().to_owned(),
        most.tried.to_string(),
        points(most.gain),
        share(u64::try_from(most.from).unwrap_or(0)),
        most.what.clone(),
        points(BOUND),
    ];
    // As many failures are neither more nor less said. And who takes no work from where it does badly, or from those who
    // know little of it, serves those well whom it serves: what it declines is published, and no failure.
    let judged = match tried {
        Move::FailAny | Move::FailBlocks | Move::FailSearch => Judged::Yes,
        Move::DeclineAny if each => Judged::Yes,
        _ => Judged::Shown,
    };
    table.row(&cells, judged, most.gain <= BOUND && most.unscored == 0);
}

fn sizes(each: bool) -> Vec<Vec<u64>> {
    if each {
        return vec![vec![700, 700], vec![700; 3], vec![1_400, 700, 700, 700]];
    }
    let small = |jobs| vec![1_000, 1_000, 1_000, jobs, jobs, jobs];
    let few = vec![vec![700], vec![350, 350], vec![660, 40], vec![234; 3], vec![600, 80, 40]];
    few.into_iter().chain([vec![140; 5], small(25), small(60), small(90)]).collect()
}

fn failings() -> [Failing; 7] {
    [
        Failing::Never,
        Failing::Any(10_000),
        Failing::Any(100_000),
        Failing::Bursts(10_000),
        Failing::Bursts(50_000),
        Failing::Bursts(200_000),
        Failing::Unlike(150_000, 10_000),
    ]
}

fn world(sizes: &[u64], shape: Shape, failing: Failing, chance: &mut Chance) -> World {
    let bursts: Vec<bool> = match failing {
        Failing::Bursts(ppm) => (0..BLOCKS).map(|_| chance.happens(ppm)).collect(),
        _ => Vec::new(),
    };
    let mut world = World::new();
    for (source, jobs) in sizes.iter().enumerate() {
        let mut words = Words::new();
        for _ in 0..*jobs {
            let block = match shape {
                Shape::Even => chance.below(BLOCKS),
                Shape::Peaks => chance.below(7) * BLOCKS_A_DAY + chance.below(6),
            };
            let is_bad = match failing {
                Failing::Never => false,
                Failing::Any(ppm) => chance.happens(ppm),
                Failing::Bursts(_) => bursts[usize::try_from(block).unwrap()],
                Failing::Unlike(first, others) => {
                    chance.happens(if source == 0 { first } else { others })
                }
            };
            add(&mut words, block, is_bad);
        }
        world.push(words);
    }
    world
}

fn add(words: &mut Words, block: u64, is_bad: bool) {
    let fate = words.entry(block).or_default();
    fate.bad += u64::from(is_bad);
    fate.good += u64::from(!is_bad);
}

/// The score, which is the bound: both components of a request fare alike.
fn score(world: &World, rule: &Evidence) -> Option<i64> {
    let heard = (0..).zip(world).map(|(source, words)| heard(gateway(source), words, 1, rule));
    prove(&heard.collect(), rule).map(|proof| i64::from(proof.lower.0))
}

/// What counts of what one source tells, where so many obligations are owed by each session.
pub fn heard(
    source: events::identity::Address,
    words: &Words,
    joined: u64,
    rule: &Evidence,
) -> (Voice, Heard) {
    let mut told = Told::default();
    for (at, fate) in words.iter().filter(|(_, fate)| fate.count() > 0) {
        let Fate { bad, disputed, good } = *fate;
        let sessions = fate.count() / joined;
        told.add(*at, &Block { bad, disputed, good, outage: 0, sessions });
    }
    (Voice { address: source, cluster: source }, told.heard(rule))
}

fn count(world: &World) -> u64 {
    world.iter().flat_map(Words::values).map(|fate| fate.count()).sum()
}

fn try_all(
    world: &World,
    what: &str,
    rule: &Evidence,
    chance: &mut Chance,
    most: &mut BTreeMap<Move, Most>,
) {
    let before = score(world, rule);
    let mut look = |tried: Move, how: String, after: &World| {
        let most = most.entry(tried).or_default();
        most.tried += 1;
        let Some(now) = score(after, rule) else { return };
        let Some(from) = before else {
            most.unscored += 1;
            return;
        };
        if now - from > most.gain {
            (most.gain, most.from, most.what) = (now - from, from, format!("{what}: {how}"));
        }
    };
    let places: Vec<Option<usize>> =
        std::iter::once(None).chain((0..world.len()).map(Some)).collect();
    for place in &places {
        let whom = place.map_or("all".to_owned(), |place| format!("source {place}"));
        for ppm in [3_000, 10_000, 30_000, 100_000, 300_000] {
            let after = failed(world, *place, |_| chance.happens(ppm));
            look(Move::FailAny, format!("{} of jobs, {whom}", share(ppm)), &after);
        }
        for ppm in [2_000, 10_000, 50_000] {
            let blocks: Vec<bool> = (0..BLOCKS).map(|_| chance.happens(ppm)).collect();
            let is_hit = |block: u64| blocks[usize::try_from(block).unwrap()];
            let after = failed(world, *place, is_hit);
            look(Move::FailBlocks, format!("{} of blocks, {whom}", share(ppm)), &after);
        }
    }
    let (searched, gained) = search(world, rule, chance);
    look(Move::FailSearch, format!("{gained} more jobs"), &searched);
    for ppm in [50_000, 200_000, 500_000] {
        let after = declined(world, |_| chance.happens(ppm));
        if count(&after) >= LEAST {
            look(Move::DeclineAny, format!("{} of jobs", share(ppm)), &after);
        }
    }
    let told = |words: &Words| words.values().map(|fate| fate.count()).sum::<u64>();
    let largest = world.iter().map(told).max().unwrap_or(0);
    let mut after = world.clone();
    after.iter_mut().filter(|words| told(words) * 10 < largest).for_each(Words::clear);
    look(Move::DeclineSmall, String::new(), &after);
    for source in 0..world.len() {
        let mut after = world.clone();
        after[source].clear();
        if count(&after) >= LEAST {
            look(Move::DeclineSource, format!("source {source}"), &after);
        }
        let after = down_to(world, source, 19);
        if count(&after) >= LEAST {
            look(Move::DeclineToGate, format!("source {source}"), &after);
        }
        look(Move::ShiftFailures, format!("source {source}"), &shifted(world, source));
    }
}

/// The same world in which `is_hit` jobs that went well fail, at one source or all.
fn failed(world: &World, place: Option<usize>, mut is_hit: impl FnMut(u64) -> bool) -> World {
    let mut after = world.clone();
    for (source, words) in after.iter_mut().enumerate() {
        if place.is_some_and(|place| place != source) {
            continue;
        }
        for (block, fate) in words.iter_mut() {
            for _ in 0..fate.good {
                if is_hit(*block) {
                    fate.good -= 1;
                    fate.bad += 1;
                }
            }
        }
    }
    after
}

/// The same world without some of the jobs that went well.
fn declined(world: &World, mut is_hit: impl FnMut(u64) -> bool) -> World {
    let mut after = world.clone();
    for (block, fate) in after.iter_mut().flat_map(Words::iter_mut) {
        for _ in 0..fate.good {
            fate.good -= u64::from(is_hit(*block));
        }
    }
    after
}

/// The same world, of which one source sees only the first jobs.
fn down_to(world: &World, source: usize, jobs: u64) -> World {
    let mut after = world.clone();
    let mut left = jobs;
    for fate in after[source].values_mut() {
        fate.good = fate.good.min(left);
        left -= fate.good;
        fate.bad = fate.bad.min(left);
        left -= fate.bad;
    }
    after
}

/// As many failures, but all of them at one source as far as they fit.
fn shifted(world: &World, source: usize) -> World {
    let mut failures: u64 = world.iter().flat_map(Words::values).map(|fate| fate.bad).sum();
    let mut after = world.clone();
    for fate in after.iter_mut().flat_map(Words::values_mut) {
        *fate = Fate { good: fate.count(), ..Fate::default() };
    }
    let order = std::iter::once(source).chain((0..world.len()).filter(|other| *other != source));
    for place in order {
        for fate in after[place].values_mut() {
            let bad = fate.good.min(failures);
            *fate = Fate { bad, good: fate.good - bad, disputed: 0 };
            failures -= bad;
        }
    }
    after
}

/// Climbs: more failures, each time kept if the score did not fall; and how many there were.
fn search(world: &World, rule: &Evidence, chance: &mut Chance) -> (World, u64) {
    let mut best = world.clone();
    let Some(mut highest) = score(world, rule) else { return (best, 0) };
    let mut more = 0;
    for _ in 0..STEPS {
        let size = [1, 3, 10, 30][usize::try_from(chance.below(4)).unwrap()];
        let only_quiet = chance.happens(700_000);
        let place = usize::try_from(chance.below(u64::try_from(world.len()).unwrap())).unwrap();
        let mut next = best.clone();
        let good = next[place].values().filter(|fate| fate.good > 0).count();
        let ppm = size * 1_000_000 / u64::try_from(good.max(1)).unwrap();
        let mut failed = 0;
        for fate in next[place].values_mut().filter(|fate| fate.good > 0) {
            if (fate.bad == 0 || !only_quiet) && chance.happens(ppm.min(1_000_000)) {
                fate.good -= 1;
                fate.bad += 1;
                failed += 1;
            }
        }
        if let Some(now) = score(&next, rule).filter(|now| *now > highest) {
            (best, highest, more) = (next, now, more + failed);
        }
    }
    (best, more)
}
