//! The laws of routing, over crowds of orchestrators of every kind.

use std::collections::{BTreeMap, BTreeSet};

use events::body::Price;
use events::identity::{Address, Region};
use events::unit::{Ppm, Wei};
use proptest::prelude::*;
use sla::route::candidate::{Candidate, Offer};
use sla::route::choose::{Route, choose};
use sla::route::policy::RoutingPolicy;
use sla::route::reason::{Code, Listed};
use sla::route::score_map::{GLOBAL, Served, score_map};
use sla::route::turn::Turn;
use sla::route::work::{Asked, Work};
use sla::scorecard::Grade;

use crate::routing::{address, changed, scored, url};

pub fn policies() -> impl Strategy<Value = RoutingPolicy> {
    let numbers = (1..8u32, 1..4u32, 0..4u32, 0..=4u32, 0..=4u32);
    (numbers, any::<bool>(), 0..3usize).prop_map(|(numbers, by_turn, elsewhere)| {
        let (places, per_party, turns, turns_share, excluded) = numbers;
        let text = |number: u32| number.to_string();
        let word = |word: &str| format!("{word:?}");
        let lines = [
            ("places_max", text(places)),
            ("places_per_party_max", text(per_party)),
            ("turns_max", text(turns)),
            ("turns_share_ppm", text(turns_share * 250_000)),
            ("excluded_share_max_ppm", text(excluded * 250_000)),
            ("order", word(if by_turn { "turn" } else { "score" })),
            ("elsewhere", word(["keep", "after", "exclude"][elsewhere])),
        ];
        changed("standard-1", lines)
    })
}

/// An orchestrator of few names, URLs and parties, so that they meet.
fn candidates() -> impl Strategy<Value = Candidate> {
    let score = prop_oneof![0..1_000_000u32, 780_000..820_000u32, Just(960_000u32)];
    let names = (1..12u8, prop_oneof![1 => Just(None), 9 => (1..9u8).prop_map(Some)], 1..6u8);
    let offered = (0..3u8, 0..200u128, any::<bool>());
    (names, score, 0..Grade::ALL.len(), offered, 0..3u8).prop_map(
        |((name, at, party), score, grade, (offers, wei, is_priced), region)| {
            let mut candidate = scored(name, score, Grade::ALL[grade]);
            candidate.url = at.map(url);
            candidate.party = address(party);
            candidate.offers = (0..offers)
                .map(|number| Offer {
                    capacity: None,
                    model: Some(format!("m{number}").parse().unwrap()),
                    pipeline: "llm".parse().unwrap(),
                    price: is_priced.then_some(Price { units: 1, wei: Wei(wei) }),
                    warm: None,
                })
                .collect();
            let regions = ["LAX", "FRA"];
            let region = regions.get(usize::from(region)).map(|region| region.parse().unwrap());
            candidate.regions = region.into_iter().collect();
            candidate
        },
    )
}

fn questions() -> impl Strategy<Value = Asked> {
    (0..3u8, any::<bool>(), 0..4u64, any::<bool>()).prop_map(
        |(caps, is_here, places, is_capped)| Asked {
            work: (0..caps).map(|n| Work::from_cap(&format!("llm/m{n}")).unwrap()).collect(),
            region: is_here.then(|| "FRA".parse().unwrap()),
            places_max: (places > 0).then_some(places),
            price_max: is_capped.then_some(Price { units: 1, wei: Wei(100) }),
            ..Asked::default()
        },
    )
}

fn crowds() -> impl Strategy<Value = Vec<Candidate>> {
    prop::collection::vec(candidates(), 0..16)
}

type Name = (Address, Option<String>);

fn name(operator: Address, url: Option<&events::identity::ServiceUrl>) -> Name {
    (operator, url.map(|url| url.as_str().to_owned()))
}

fn place(route: &Route, of: &Name) -> u64 {
    let found = route.entries.iter().find(|it| name(it.operator, it.url.as_ref()) == *of);
    found.map_or(u64::MAX, |entry| entry.place)
}

fn config() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_order_of_candidates_never_matters(
        policy in policies(), asked in questions(), mut crowd in crowds(), turn in 0..100u64,
        order: prop::sample::Index,
    ) {
        let route = choose(&policy, &asked, &crowd, Turn(turn));
        crowd.reverse();
        let half = order.index(crowd.len() + 1);
        crowd.rotate_left(half);
        // Who is told of twice is no other for it.
        crowd.extend(crowd.first().cloned());
        prop_assert_eq!(route, choose(&policy, &asked, &crowd, Turn(turn)));
    }

    #[test]
    fn everybody_is_listed_or_excluded_and_nobody_twice(
        policy in policies(), asked in questions(), crowd in crowds(), turn in 0..100u64,
    ) {
        let route = choose(&policy, &asked, &crowd, Turn(turn));
        let all: BTreeSet<_> =
            crowd.iter().map(|it| name(it.operator, it.url.as_ref())).collect();
        let listed = route.entries.iter().map(|it| name(it.operator, it.url.as_ref()));
        let excluded = route.excluded.iter().map(|it| name(it.operator, it.url.as_ref()));
        let told: Vec<_> = listed.chain(excluded).collect();
        prop_assert_eq!(told.len(), all.len());
        prop_assert_eq!(told.into_iter().collect::<BTreeSet<_>>(), all);
        prop_assert!(route.excluded.iter().all(|it| !it.reasons.is_empty()));
        prop_assert!((1..).zip(&route.entries).all(|(place, it)| it.place == place));
        let urls: BTreeSet<_> = route.entries.iter().map(|entry| &entry.url).collect();
        prop_assert_eq!(urls.len(), route.entries.len());
        prop_assert!(!urls.contains(&None));
        for entry in &route.entries {
            prop_assert_eq!(entry.despite.is_empty(), entry.listed != Listed::Floor);
            prop_assert!(entry.despite.iter().all(|reason| reason.code.is_about_scores()));
        }
    }

    #[test]
    fn floor_quota_party_and_length_hold(
        policy in policies(), asked in questions(), crowd in crowds(), turn in 0..100u64,
    ) {
        let route = choose(&policy, &asked, &crowd, Turn(turn));
        let listed = u64::try_from(route.entries.len()).unwrap();
        let most = asked.places_max.unwrap_or(u64::MAX).min(policy.list.places_max);
        prop_assert!(listed <= most);
        let shares = route.shares;
        prop_assert_eq!(shares.places, shares.able.min(most));
        let may_miss = u64::from(policy.floor.excluded_share_max_ppm.0);
        prop_assert!((shares.able - shares.listed_min) * 1_000_000 <= shares.able * may_miss);
        prop_assert!(listed >= shares.listed_min.min(shares.places), "{:?} {}", shares, listed);
        let newcomers = route.entries.iter().filter(|it| it.listed == Listed::Newcomer).count();
        prop_assert!(u64::try_from(newcomers).unwrap() <= policy.newcomers.turns_max);
        let mut parties = BTreeMap::<_, u64>::new();
        for entry in &route.entries {
            *parties.entry(entry.party).or_default() += 1;
        }
        prop_assert!(parties.values().all(|held| *held <= policy.list.places_per_party_max));
        let able = route.excluded.iter().filter(|it| {
            it.reasons.iter().all(|reason| reason.code.is_about_scores())
        });
        // A list is empty only if nobody could do the work, or all may be left out.
        if listed == 0 && may_miss < 1_000_000 {
            prop_assert_eq!(able.count(), 0);
        }
    }

    #[test]
    fn a_better_score_costs_nobody_a_place(
        policy in policies(), asked in questions(), mut crowd in crowds(), turn in 0..100u64,
        who: prop::sample::Index, more in 0..400_000u32,
    ) {
        prop_assume!(!crowd.is_empty());
        let at = who.index(crowd.len());
        let of = name(crowd[at].operator, crowd[at].url.as_ref());
        let before = place(&choose(&policy, &asked, &crowd, Turn(turn)), &of);
        for standing in &mut crowd[at].standings {
            standing.score = standing.score.map(|score| Ppm((score.0 + more).min(1_000_000)));
        }
        let after = place(&choose(&policy, &asked, &crowd, Turn(turn)), &of);
        prop_assert!(after <= before, "{before} became {after}");
    }

    #[test]
    fn every_newcomer_has_its_turn(
        parties in prop::collection::vec(1..4usize, 1..8), places in 1..4u64, first in 0..1_000u64,
    ) {
        let lines = [
            ("turns_max", places.to_string()),
            ("turns_share_ppm", "1000000".to_owned()),
            ("excluded_share_max_ppm", "1000000".to_owned()),
        ];
        let policy = changed("standard-1", lines);
        let mut crowd = vec![scored(200, 990_000, Grade::A)];
        for (party, members) in (1u8..).zip(&parties) {
            crowd.extend((0..*members).map(|member| {
                let name = party * 10 + u8::try_from(member).unwrap();
                let mut candidate = scored(name, 0, Grade::Insufficient);
                candidate.party = address(party * 10);
                candidate
            }));
        }
        let cycle = u64::try_from(parties.len()).unwrap().div_ceil(places);
        let most = u64::try_from(*parties.iter().max().unwrap()).unwrap();
        let mut seen = BTreeSet::new();
        for turn in first..first + cycle * (most + 1) {
            let route = choose(&policy, &Asked::default(), &crowd, Turn(turn));
            seen.extend(route.entries.iter().map(|entry| entry.operator));
            prop_assert_eq!(route.entries[0].operator, address(200));
        }
        prop_assert_eq!(seen.len(), crowd.len());
    }

    #[test]
    fn a_score_map_holds_everybody_everywhere(
        policy in policies(), asked in questions(), crowd in crowds(), turn in 0..100u64,
        ever in prop::collection::btree_set(1..30u8, 0..10),
    ) {
        let served = Served {
            addresses: ever.iter().map(|number| address(*number)).collect(),
            regions: BTreeSet::from(["ANR".parse::<Region>().unwrap()]),
        };
        let map = score_map(&policy, &asked, &crowd, &served, Turn(turn));
        let all: BTreeSet<_> =
            served.addresses.iter().copied().chain(crowd.iter().map(|it| it.operator)).collect();
        prop_assert_eq!(map.keys().copied().collect::<BTreeSet<_>>(), all);
        let regions: Vec<_> = map.values().map(|of| of.keys().collect::<Vec<_>>()).collect();
        for of in &regions {
            prop_assert_eq!(of, &regions[0]);
            prop_assert!(of.iter().any(|region| *region == GLOBAL));
            prop_assert!(of.iter().any(|region| *region == "ANR"));
        }
        let known: BTreeSet<_> = crowd.iter().map(|it| it.operator).collect();
        for (operator, of) in &map {
            prop_assert!(of.values().all(|value| *value <= Ppm::ONE));
            if !known.contains(operator) {
                prop_assert!(of.values().all(|value| *value == Ppm(0)));
            }
        }
    }
}

#[test]
fn equal_ones_come_first_by_turns() {
    let crowd: Vec<_> = (1..=4).map(|number| scored(number, 990_000, Grade::A)).collect();
    let policy = RoutingPolicy::standard();
    let mut first = BTreeMap::<_, u64>::new();
    for turn in 0..1_000 {
        let route = choose(&policy, &Asked::default(), &crowd, Turn(turn));
        *first.entry(route.entries[0].operator).or_default() += 1;
    }
    // A quarter each; 60 off is more than four standard deviations.
    assert_eq!(first.len(), 4);
    assert!(first.values().all(|count| (190..=310).contains(count)), "{first:?}");
    // By turns, a better score within the tier is no first place for ever.
    let crowd = [scored(1, 990_000, Grade::A), scored(2, 960_000, Grade::A)];
    let tiered = RoutingPolicy::built_in("tiered-1").unwrap();
    let firsts: BTreeSet<_> = (0..20)
        .map(|turn| choose(&tiered, &Asked::default(), &crowd, Turn(turn)).entries[0].operator)
        .collect();
    assert_eq!(firsts.len(), 2);
    assert_eq!(Code::ListFull.as_str(), "list-full");
}
