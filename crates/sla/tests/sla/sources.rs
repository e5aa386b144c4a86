//! Laws of what sources prove: failing more never raises a bound, a party has one vote, and blocks of many weigh
//! as the policy says.

use std::collections::BTreeMap;

use events::identity::Address;
use events::unit::Ppm;
use proptest::prelude::*;
use sla::policy::Policy;
use sla::policy::rule::{Evidence, Rule};
use sla::score::block::{Block, Weight};
use sla::score::bound::{Bound, lower_bound};
use sla::score::source::{Heard, Proof, Told, Voice, prove};
use sla::score::vote::Votes;

const WHOLE: u32 = 1_000_000;

fn rule() -> Evidence {
    match Policy::standard().score {
        Rule::Evidence(rule) => rule,
        _ => panic!("the default policy is by evidence"),
    }
}

fn address(place: usize) -> Address {
    Address([u8::try_from(place).unwrap(); 20])
}

/// What some sources told, each of a party, by block.
type World = Vec<(usize, Vec<Block>)>;

/// Five sources or fewer of up to three parties. Each block is of sessions that owe one obligation or several.
fn worlds() -> impl Strategy<Value = World> {
    let block = (0u64..30, 0u64..6, 0u64..3, 1u64..4).prop_map(|(good, bad, disputed, of_each)| {
        let sessions = (good + bad + disputed).div_ceil(of_each);
        Block { bad, disputed, good, outage: 0, sessions }
    });
    let source = (0usize..3, prop::collection::vec(block, 1..12));
    prop::collection::vec(source, 1..6)
}

fn proof(world: &World, rule: &Evidence) -> Option<Proof> {
    let heard: BTreeMap<Voice, Heard> = (0..)
        .zip(world)
        .map(|(place, (party, blocks))| {
            let voice = Voice { address: address(place), cluster: address(100 + party) };
            let mut told = Told::default();
            (0..).zip(blocks).for_each(|(at, block)| told.add(at, block));
            (voice, told.heard(rule))
        })
        .collect();
    prove(&heard, rule)
}

fn lower(world: &World, rule: &Evidence) -> Option<Ppm> {
    proof(world, rule).map(|proof| proof.lower)
}

/// The low median as it is defined: ordered, until half of the votes are passed.
fn low_median(parties: &[Address], bounds: &[Bound]) -> Ppm {
    let mut order: Vec<(Ppm, usize)> = parties
        .iter()
        .zip(bounds)
        .map(|(party, bound)| {
            let sharers = parties.iter().filter(|other| *other == party).count();
            // Every number of sharers up to ten divides this.
            (bound.share(), 2_520 / sharers)
        })
        .collect();
    order.sort_by_key(|(share, _)| *share);
    let total: usize = order.iter().map(|(_, vote)| vote).sum();
    let mut sum = 0;
    for (share, vote) in order {
        sum += vote;
        if sum * 2 >= total {
            return share;
        }
    }
    panic!("half of the votes are passed at the last");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn failing_more_never_raises_a_bound(
        world in worlds(),
        which in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        more in 1u64..30,
        is_disputed: bool,
    ) {
        let rule = rule();
        let before = lower(&world, &rule);
        let mut after = world.clone();
        let blocks = &mut after[which.index(world.len())].1;
        let place = at.index(blocks.len());
        let block = &mut blocks[place];
        let more = more.min(block.good);
        block.good -= more;
        *(if is_disputed { &mut block.disputed } else { &mut block.bad }) += more;
        prop_assert!(lower(&after, &rule) <= before);
    }

    #[test]
    fn one_more_that_is_met_weighs_for_it(good in 0u64..500, bad in 0u64..500, correlation in 0u32..=1_000_000) {
        let weight = |good: u64| {
            let block = Block { bad, good, sessions: good + bad, ..Block::default() };
            block.weight(Ppm(correlation))
        };
        let (before, after) = (weight(good), weight(good + 1));
        prop_assert!(after.observations >= before.observations);
        prop_assert!(after.failures <= before.failures);
    }

    #[test]
    fn a_median_is_that_of_the_ordered_bounds(
        told in prop::collection::vec((0usize..4, 0u64..400, 0u64..60), 1..9),
    ) {
        let parties: Vec<Address> = told.iter().map(|(party, _, _)| address(*party)).collect();
        let confidence = rule().confidence();
        let bounds: Vec<Bound> =
            told.iter().map(|(_, good, failures)| Bound::of(*good, *failures, confidence)).collect();
        let (found, place) = Votes::of(parties.iter().copied()).low_median(&bounds).unwrap();
        prop_assert_eq!(found, low_median(&parties, &bounds));
        prop_assert_eq!(bounds[place].share(), found);
        let (_, good, failures) = told[place];
        prop_assert_eq!(lower_bound(good, failures, confidence), found);
    }

    #[test]
    fn a_weight_stays_within_what_was_seen(
        good in 0u64..1 << 53, bad in 0u64..1 << 53, disputed in 0u64..1 << 20, sessions in 0u64..1 << 53,
        correlation in 0u32..=1_000_000,
    ) {
        let block = Block { bad, disputed, good, outage: 0, sessions };
        let weight = block.weight(Ppm(correlation));
        prop_assert!(weight.bad <= weight.failures && weight.failures <= weight.observations);
        prop_assert!(weight.observations <= u128::from(sessions.min(block.count())) * 1_000_000);
    }
}

#[test]
fn many_at_once_weigh_little_more_than_some() {
    let weight = |sessions: u64, bad: u64| {
        let block = Block { bad, good: sessions - bad, sessions, ..Block::default() };
        block.weight(Ppm(100_000))
    };
    assert_eq!(weight(1, 0), Weight { bad: 0, failures: 0, observations: 1_000_000 });
    assert_eq!(weight(11, 0).observations, 5_500_000);
    assert_eq!(weight(1_000_000, 0).observations, 9_999_910);
    assert_eq!(weight(11, 1), Weight { bad: 500_000, failures: 500_000, observations: 5_500_000 });
    // Four obligations of each session are one observation of it.
    let joined = Block { good: 43, bad: 1, sessions: 11, ..Block::default() };
    assert_eq!(joined.weight(Ppm(100_000)).failures, 125_000);
}

#[test]
fn an_outage_is_left_out_up_to_a_share() {
    let rule = rule();
    let mut told = Told::default();
    told.add(1, &Block { good: 300, sessions: 300, ..Block::default() });
    told.add(2, &Block { outage: 3, sessions: 3, ..Block::default() });
    told.add(3, &Block { outage: 1, bad: 1, good: 5, sessions: 7, ..Block::default() });
    // Of 310 obligations three are left out, the oldest first.
    let sum = told.heard(&rule).sum;
    assert_eq!((sum.good, sum.bad, sum.outage), (305, 2, 3));
}

#[test]
fn one_who_ties_itself_to_another_takes_no_vote_from_third_ones() {
    let good = vec![Block { good: 10, sessions: 10, ..Block::default() }; 70];
    let bad = vec![Block { bad: 10, sessions: 10, ..Block::default() }; 500];
    let alone = lower(&vec![(0, good.clone()), (1, good.clone())], &rule()).unwrap();
    // One that shares the vote of a party, and one that shares that of both.
    for parties in [[0, 1, 0], [0, 0, 0]] {
        let told = [good.clone(), good.clone(), bad.clone()];
        let with = lower(&parties.into_iter().zip(told).collect(), &rule()).unwrap();
        assert!(with.0.abs_diff(alone.0) < 30_000, "{parties:?}: {with:?} beside {alone:?}");
    }
}

/// The policy's constants, as the document's example has them, for sources of 22 observations and more.
fn example() -> Evidence {
    Evidence {
        cap_times: 1,
        correlation_ppm: Ppm(100_000),
        factor_ppm: Ppm(375_000),
        source_observations_min: 22,
        ..rule()
    }
}

/// What two sources prove that saw 44 sessions each, eleven in each of four blocks; of the second's blocks so many went
/// wrong in each.
fn two(bad: [u64; 4], disputed: u64, rule: &Evidence) -> Option<Proof> {
    let blocks = |bad: [u64; 4], disputed: u64| -> Vec<Block> {
        let block = |bad| {
            let good = 11 - bad - disputed;
            Block { bad, disputed, good, outage: 0, sessions: 11 }
        };
        bad.into_iter().map(block).collect()
    };
    proof(&vec![(0, blocks([0; 4], 0)), (1, blocks(bad, disputed))], rule)
}

#[test]
fn two_sources_prove_what_the_document_reckons() {
    let rule = example();
    let known = Proof {
        effect_ppm: 2_000_000,
        evidence: 16,
        failures: 1,
        lower: Ppm(736_042),
        rate: Ppm(977_272),
        source: address(1),
        sources: 2,
        upper: Ppm(1_000_000),
        weight: 16,
    };
    assert_eq!(two([1, 0, 0, 0], 0, &rule), Some(known.clone()));
    // Six of eleven in every block, two of them in doubt: 16 * 12/22 = 8.7 failed, 16 * 8/22 = 5.8 are beyond doubt.
    let worse = Proof {
        failures: 9,
        lower: Ppm(226_691),
        rate: Ppm(454_545),
        upper: Ppm(1_000_000 - 132_110),
        ..known
    };
    assert_eq!(two([4; 4], 2, &rule), Some(worse));
    // One observation more is asked for than either saw.
    let asking = Evidence { source_observations_min: 23, ..rule.clone() };
    assert_eq!(two([0; 4], 0, &asking), None);
    // As good as no evidence is none.
    let dear = Evidence { factor_ppm: Ppm(20_000), ..rule };
    assert_eq!(two([0; 4], 0, &dear), None);
}

#[test]
fn who_shares_a_vote_shares_the_evidence_behind_it() {
    let rule = example();
    let eleven = Block { good: 11, sessions: 11, ..Block::default() };
    let evidence = |parties: &[usize]| {
        let world = parties.iter().map(|party| (*party, vec![eleven; 4])).collect();
        proof(&world, &rule).map(|proof| (proof.evidence, proof.sources)).unwrap()
    };
    // 22 observations of each: 44 x 0.375, and half of it where they are one party.
    assert_eq!(evidence(&[0, 1]), (16, 2));
    assert_eq!(evidence(&[0, 0]), (8, 1));
    assert_eq!(evidence(&[0, 0, 1]), (16, 2));
    // Beside others it weighs as one who saw 44 would: (22 + 44 + 44) x 0.375.
    let unlike = vec![(0, vec![eleven; 4]), (1, vec![eleven; 8]), (2, vec![eleven; 12])];
    assert_eq!(proof(&unlike, &rule).unwrap().weight, 41);
}

#[test]
fn a_median_can_be_the_whole() {
    let votes = Votes::of([address(0)].into_iter());
    for share in [0, 1, WHOLE - 1, WHOLE] {
        assert_eq!(votes.low_median(&[Bound::Known(Ppm(share))]), Some((Ppm(share), 0)));
    }
}

#[test]
fn words_of_one_source_add_up_by_block() {
    let block = |good| Block { good, sessions: good, ..Block::default() };
    let told = |blocks: &[(u64, u64)]| {
        let mut told = Told::default();
        blocks.iter().for_each(|(at, good)| told.add(*at, &block(*good)));
        told
    };
    let mut sum = told(&[(1, 3), (2, 4)]);
    sum.merge(&told(&[(2, 5), (7, 6)]));
    assert_eq!(sum, told(&[(7, 6), (2, 9), (1, 3)]));
}
