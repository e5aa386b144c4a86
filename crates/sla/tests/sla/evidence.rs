//! Laws of scoring under every policy that comes with the software: how hours are grouped changes nothing, what is
//! written reads back, withholding gains nothing, and extreme counts give defined results.

use std::collections::{BTreeMap, BTreeSet};

use events::event::{Origin, Workload};
use events::identity::{Address, JobId};
use events::unit::{MAX_JSON_INTEGER, Ppm, UnixMillis};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sla::context::Context;
use sla::hour::{OpenJobs, Settled};
use sla::opened::Opened;
use sla::policy::{BUILT_IN, Policy};
use sla::register::Register;
use sla::score::compose::compose;
use sla::score::{Question, Scoring};
use sla::scorecard::{Basis, Scorecard, canonical_bytes};
use sla::tally::Tally;
use sla::tally::cell::{CellKey, Subject, WorkClass};
use sla::tally::outcome::{Counts, Obligation, Outcome};
use sla::trust::TrustFile;
use sla::window::{Hour, Span, Window};

use crate::policies::{changed, lenient};
use crate::settling;
use crate::world::{self, Knobs, World};

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    let is_asked = std::env::var_os("PROPTEST_CASES").is_some();
    if is_asked { config } else { ProptestConfig { cases: 12, ..config } }
}

fn knobs() -> impl Strategy<Value = Knobs> {
    let faults = prop_oneof![Just(0u64), 1..400u64];
    (any::<u64>(), 1..8u64, faults, any::<bool>())
        .prop_map(|(seed, jobs, faults, is_crowded)| Knobs { seed, jobs, faults, is_crowded })
}

/// Every policy that comes with the software, and one under which small worlds have scores.
fn policies() -> Vec<Policy> {
    let built_in = BUILT_IN.iter().map(|(id, _)| changed(id, []));
    built_in.chain([lenient()]).collect()
}

/// Settles the hours of a world one after the other.
fn settled(world: &World, policy: &Policy) -> Vec<(Hour, Settled)> {
    let batches = world.batches();
    let mut open = OpenJobs::new();
    let mut all = Vec::new();
    for hour in world::hours() {
        let asked = settling::Question { hour, open: &open, policy, trust: &world.trust };
        let settled = asked.settle(&batches);
        open = settled.open.clone();
        all.push((hour, settled));
    }
    all
}

/// The scorecard of tallies, taken in the order they come in.
fn card<'t>(
    policy: &Policy,
    trust: &TrustFile,
    register: &Register,
    last: Hour,
    tallies: impl IntoIterator<Item = (Hour, &'t Tally)>,
) -> Scorecard {
    let context = Context::of(policy, OpenJobs::new(), register);
    let window = Window { last, span: Span::Day };
    let mut scoring = Scoring::new(Question { context: &context, policy, register, trust, window });
    tallies.into_iter().for_each(|(hour, tally)| scoring.add(hour, tally));
    scoring.finish(Basis::Hours(Vec::new()), None)
}

/// A tally in two: rows whose place has the given remainder, and the others.
fn halves(tally: &Tally, odd: usize) -> [Tally; 2] {
    fn half<K: Ord + Clone, V: Clone>(map: &BTreeMap<K, V>, odd: usize) -> BTreeMap<K, V> {
        let rows = map.iter().enumerate().filter(|(place, _)| place % 2 == odd);
        rows.map(|(_, (key, value))| (key.clone(), value.clone())).collect()
    }
    [odd, 1 - odd].map(|odd| Tally {
        cells: half(&tally.cells, odd),
        demand: half(&tally.demand, odd),
        links: half(&tally.links, odd),
        pairs: half(&tally.pairs, odd),
    })
}

fn reads_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    let bytes = canonical_bytes(value);
    let read: T = serde_json::from_slice(&bytes).unwrap();
    assert_eq!(&read, value);
    assert_eq!(canonical_bytes(&read), bytes, "the same bytes again");
}

fn is_in_range(card: &Scorecard) {
    for scored in &card.results {
        assert!(scored.score.is_none_or(|score| score <= Ppm::ONE));
        assert!(scored.upper.is_none_or(|upper| upper <= Ppm::ONE));
        assert_eq!(scored.score.is_none(), scored.reason.is_some(), "{scored:?}");
        for part in
            scored.components.iter().chain(scored.workloads.iter().flat_map(|it| &it.components))
        {
            let Some((lower, upper)) = part.lower.zip(part.upper) else { continue };
            assert!(Some(lower) <= part.rate && part.rate <= Some(upper), "{part:?}");
            assert!(part.failures <= part.evidence);
            assert!(part.sources.iter().any(|it| it.counts && Some(it.source) == part.decides));
        }
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn hours_have_no_order_and_rows_no_grouping(knobs in knobs(), odd in 0usize..2) {
        let world = World::new(knobs);
        for policy in policies() {
            let hours = settled(&world, &policy);
            let last = hours.last().unwrap().0;
            let register = Register::default();
            let tallies = hours.iter().map(|(hour, settled)| (*hour, &settled.tally));
            let whole = card(&policy, &world.trust, &register, last, tallies.clone());
            let again = card(&policy, &world.trust, &register, last, tallies.clone());
            prop_assert_eq!(whole.bytes(), again.bytes());
            is_in_range(&whole);
            let turned = card(&policy, &world.trust, &register, last, tallies.clone().rev());
            prop_assert_eq!(whole.bytes(), turned.bytes());
            // The peer's formula goes by hours and takes each as a whole.
            if policy.id == "naap-quality-benchmark-v1" {
                continue;
            }
            let parts: Vec<(Hour, Tally)> = hours
                .iter()
                .flat_map(|(hour, settled)| halves(&settled.tally, odd).map(|half| (*hour, half)))
                .collect();
            let parts = parts.iter().map(|(hour, half)| (*hour, half));
            let grouped = card(&policy, &world.trust, &register, last, parts);
            prop_assert_eq!(whole.bytes(), grouped.bytes(), "{}", policy.id);
        }
    }

    #[test]
    fn what_is_written_reads_back(knobs in knobs()) {
        let world = World::new(knobs);
        for policy in policies() {
            let hours = settled(&world, &policy);
            let mut register = Register::default();
            for (hour, settled) in &hours {
                register.add(*hour, &settled.tally);
                reads_back(&settled.tally);
                reads_back(&Context::of(&policy, settled.open.clone(), &register));
            }
            reads_back(&register);
            let last = hours.last().unwrap().0;
            let tallies = hours.iter().map(|(hour, settled)| (*hour, &settled.tally));
            reads_back(&card(&policy, &world.trust, &register, last, tallies));
        }
    }

    #[test]
    fn a_register_is_a_sum(knobs in knobs(), odd in 0usize..2) {
        let world = World::new(knobs);
        let hours = settled(&world, &Policy::standard());
        let (mut whole, mut parts) = (Register::default(), [Register::default(), Register::default()]);
        for (hour, settled) in hours.iter().rev() {
            whole.add(*hour, &settled.tally);
            let halves = halves(&settled.tally, odd);
            parts.iter_mut().zip(&halves).for_each(|(part, half)| part.add(*hour, half));
        }
        let [mut one, mut other] = parts;
        let second = other.clone();
        other.merge(&one);
        one.merge(&second);
        prop_assert_eq!(&one, &whole);
        prop_assert_eq!(&other, &whole);
    }

    #[test]
    fn withholding_any_of_ones_own_words_makes_nothing_better(knobs in knobs(), kept: u8) {
        let world = World::new(knobs);
        let mut silent = World::new(knobs);
        let keys = world::ORCHESTRATORS.map(|place| silent.people[place].key);
        for batch in silent.batches.iter_mut().filter(|batch| keys.contains(&batch.header.key)) {
            batch.events.retain(|opened| opened.hash.0[0] < kept);
        }
        for policy in [Policy::standard(), lenient()] {
            let (all, less) = (outcomes(&world, &policy), outcomes(&silent, &policy));
            for (what, outcome) in &all {
                let Some(without) = less.get(what) else {
                    return Err(TestCaseError::fail(format!("{what:?} is gone: {outcome:?}")));
                };
                let is_failure = |of: &Outcome| matches!(of, Outcome::Bad | Outcome::Disputed);
                prop_assert!(
                    outcome == without || is_failure(outcome) && is_failure(without),
                    "{:?}: {:?}, then {:?}", what, outcome, without
                );
            }
            prop_assert_eq!(all.len(), less.len());
        }
    }

    #[test]
    fn a_composite_rises_with_each_part(
        parts in prop::collection::vec(0u32..=1_000_000, 16),
        ends in prop::collection::btree_set(1usize..16, 0..4),
        which in any::<prop::sample::Index>(),
        more in 0u32..=1_000_000,
    ) {
        let ends: Vec<usize> = ends.into_iter().chain([16]).collect();
        let mut from = 0;
        let mut weighed = Vec::new();
        for (part, end) in parts.iter().zip(&ends) {
            weighed.push((Ppm(*part), u32::try_from(end - from).unwrap()));
            from = *end;
        }
        let before = compose(&weighed).unwrap();
        let place = which.index(weighed.len());
        weighed[place].0 = Ppm((weighed[place].0.0 + more).min(1_000_000));
        prop_assert!(compose(&weighed).unwrap() >= before);
    }

    #[test]
    fn wrong_clocks_give_defined_results(knobs in knobs(), wrong in prop::sample::select(vec![0, 1, 1_767_902_400_001, MAX_JSON_INTEGER])) {
        let mut world = World::new(knobs);
        for opened in world.batches.iter_mut().flat_map(|batch: &mut Opened| &mut batch.events) {
            if let Ok(event) = opened.event.as_mut() {
                event.at_ms = UnixMillis(wrong);
            }
        }
        for policy in policies() {
            let hours = settled(&world, &policy);
            let last = hours.last().unwrap().0;
            let tallies = hours.iter().map(|(hour, settled)| (*hour, &settled.tally));
            is_in_range(&card(&policy, &world.trust, &Register::default(), last, tallies));
        }
    }
}

/// An obligation by job, the tenure's beginning and place, kind and when it was due.
type Owed = (JobId, UnixMillis, usize, Obligation, UnixMillis);

/// What came of each obligation of each tenure that others told of.
fn outcomes(world: &World, policy: &Policy) -> BTreeMap<Owed, Outcome> {
    let mut outcomes = BTreeMap::new();
    for (_, settled) in settled(world, policy) {
        for fact in &settled.jobs {
            let told = fact.tenures.iter().filter(|tenure| !tenure.self_told);
            for (place, tenure) in told.enumerate() {
                for owed in &tenure.owed {
                    let what = (fact.job_id, tenure.start_ms, place, owed.obligation, owed.due_ms);
                    outcomes.insert(what, owed.outcome);
                }
            }
        }
    }
    outcomes
}

/// A tally in which `tellers` told these counts of each obligation of live video, over so many blocks.
fn tally(hour: Hour, tellers: u8, blocks: u64, counts: &Counts) -> Tally {
    let mut tally = Tally::default();
    let class = WorkClass {
        model: "model-1".parse().ok(),
        pipeline: "live-video-to-video".parse().ok(),
        workload: Workload::LiveVideo,
    };
    for teller in 0..tellers {
        for block in 0..blocks {
            let key = CellKey {
                block: hour.0 * 6 + block,
                class: class.clone(),
                collected: false,
                gateway: None,
                hardware: None,
                origin: Origin::Organic,
                region: None,
                reporters: vec![Address([teller + 1; 20])],
                subject: Subject { operator: Some(Address([99; 20])), ..Subject::default() },
                warm: None,
            };
            let cell = tally.cell(&key);
            cell.tenures = 1;
            for obligation in Obligation::ALL {
                cell.obligations.insert(*obligation, counts.clone());
            }
        }
    }
    tally
}

#[test]
fn extreme_counts_give_defined_results() {
    check_counts(&[1, 100_000_000, MAX_JSON_INTEGER]);
}

fn check_counts(extremes: &[u64]) {
    let hour = Hour(490_000);
    let trust = TrustFile {
        members: Vec::new(),
        network: events::event::Network::ALL[0],
        roster_quorum: 1,
    };
    let none = Counts::default();
    let mut kinds = vec![none.clone()];
    for count in extremes.iter().copied() {
        kinds.push(Counts { good: count, ..none.clone() });
        kinds.push(Counts { bad: count, ..none.clone() });
        kinds.push(Counts { disputed: count, ..none.clone() });
        kinds.push(Counts { missing: count, ..none.clone() });
        kinds.push(Counts { declined: count, ..none.clone() });
        kinds.push(Counts { good: count, bad: 1, disputed: count, ..none.clone() });
    }
    for policy in policies() {
        for (counts, tellers, blocks) in kinds.iter().flat_map(|counts| {
            [(1, 1), (3, 1), (3, 6)].map(|(tellers, blocks)| (counts, tellers, blocks))
        }) {
            let tally = tally(hour, tellers, blocks, counts);
            reads_back(&tally);
            let card = card(&policy, &trust, &Register::default(), hour, [(hour, &tally)]);
            is_in_range(&card);
            reads_back(&card);
            assert!(!card.results.is_empty(), "what was told of is shown");
            // The peers' formulas give points for work of which nothing was good.
            let is_ours =
                !matches!(policy.id.as_str(), "leaderboard" | "naap-quality-benchmark-v1");
            if counts.good == 0 && is_ours {
                let scores: BTreeSet<_> = card.results.iter().filter_map(|it| it.score).collect();
                assert!(scores.iter().all(|score| *score == Ppm(0)), "{}: {scores:?}", policy.id);
            }
        }
        let empty = card(&policy, &trust, &Register::default(), hour, []);
        assert!(empty.results.is_empty());
        reads_back(&empty);
    }
}
