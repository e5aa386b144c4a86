//! The leaderboard's two scores: the vectors of its own test, what its users know by heart, and the laws they have.

use std::collections::BTreeMap;

use events::unit::{MAX_JSON_INTEGER, Ppm};
use proptest::prelude::*;
use sla::score::fraction::{Fraction, Mean};
use sla::score::leaderboard::{
    Constants, Method, Requests, Score, Segments, median, requests, segments,
};
use sla::tested::board;

use super::{WHOLE, mean, table, whole};

const POLICY: &str = include_str!("../../../../../policies/leaderboard.toml");

fn constants() -> Constants {
    table(POLICY).unwrap()
}

#[test]
fn the_policy_holds_the_leaderboards_constants() {
    let expected = Constants {
        method: Method::Leaderboard,
        at_median_ppm: Ppm(800_000),
        round_trip_weight_ppm: Ppm(350_000),
        success_weight_ppm: Ppm(650_000),
    };
    assert_eq!(constants(), expected);
    assert_eq!(board::CONSTANTS, expected, "what is served below /api is by the same");
    assert_eq!(expected.check(), Ok(()));
    let wrong = [
        Constants { at_median_ppm: Ppm(0), ..expected },
        Constants { at_median_ppm: Ppm(WHOLE), ..expected },
        Constants { success_weight_ppm: Ppm(650_001), ..expected },
        Constants {
            success_weight_ppm: Ppm(u32::MAX),
            round_trip_weight_ppm: Ppm(u32::MAX),
            ..expected
        },
    ];
    let members = ["at_median_ppm", "at_median_ppm", "success_weight_ppm", "success_weight_ppm"];
    for (constants, member) in wrong.iter().zip(members) {
        assert_eq!(constants.check().unwrap_err().0, member, "{constants:?}");
    }
    let unread = [
        ("at_median_ppm = 800000", "at_median_ppm = 800000\nat_mean_ppm = 1", "at_mean_ppm"),
        ("method = \"leaderboard\"", "method = \"evidence\"", "evidence"),
        ("success_weight_ppm = 650000", "", "success_weight_ppm"),
    ];
    for (from, to, named) in unread {
        let why = table::<Constants>(&POLICY.replace(from, to)).unwrap_err().to_string();
        assert!(why.contains(named), "{named}: {why}");
    }
}

fn near(found: Option<Ppm>, expected: u32) -> bool {
    found.is_some_and(|found| found.0.abs_diff(expected) <= 1)
}

#[test]
fn its_own_vectors_come_out() {
    // Round trip in ms, successes of tests; its round-trip score and score, of its own test.
    let vectors = [
        (8_000, (1, 1), 699_752, 894_913),
        (2_000, (1, 1), 914_610, 970_114),
        (1_000, (3, 4), 956_352, 822_223),
        (2_000, (3, 4), 914_610, 807_614),
        (500, (19, 20), 977_933, 959_776),
    ];
    // The median of those that succeeded in all.
    let perfect = BTreeMap::from([(8_000, 1), (2_000, 1)]);
    let median = median(&perfect);
    assert_eq!(median, Some(whole(5_000)));
    for (ms, (good, tests), round_trip, score) in vectors {
        let tests = Requests { round_trip: mean(ms, 1), success: mean(good, tests) };
        let found = requests(&tests, median.as_ref(), &constants());
        assert!(near(found.round_trip, round_trip) && near(found.score, score), "{ms}: {found:?}");
    }
}

#[test]
fn what_gateways_ask_for_is_where_its_users_know_it() {
    // A mean at the median: exactly 0.8, and passes a floor of 0.8 with 80 % success.
    let at = |ms, good| Requests { round_trip: mean(ms, 7), success: mean(good, 10) };
    let found = |tests| requests(&tests, Some(&whole(1_000)), &constants());
    let score = |tests| found(tests).score.unwrap().0;
    assert_eq!(found(at(7_000, 10)).round_trip, Some(Ppm(800_000)));
    assert_eq!((score(at(7_000, 10)), score(at(7_000, 8))), (930_000, 800_000));
    assert_eq!((score(at(26_600, 10)), score(at(0, 10))), (799_903, WHOLE));
    // As fast as it plays is 6.3 of ten; 1.609 times as fast passes.
    let at = |plays, took| Segments {
        duration: mean(plays, 1),
        round_trip: mean(took, 1),
        success: mean(1, 1),
    };
    let score = |tests: Segments| segments(&tests).score.unwrap().0;
    assert_eq!((score(at(2_000, 2_000)), score(at(4_000, 2_000))), (632_121, 864_665));
    assert_eq!(score(at(1_609_437_912_434, 1_000_000_000_000)), 800_000);
    let half = Segments { success: mean(15, 30), ..at(2_000, 2_000) };
    assert_eq!(
        segments(&half),
        Score {
            round_trip: Some(Ppm(632_121)),
            score: Some(Ppm(316_060)),
            success: Some(Ppm(500_000))
        }
    );
}

#[test]
fn medians_are_those_of_sql() {
    let of = |values: &[u64]| {
        let mut counts = BTreeMap::new();
        values.iter().for_each(|value| *counts.entry(*value).or_default() += 1);
        median(&counts)
    };
    let half = |above: u64| Fraction::new(above, 2u8);
    assert_eq!(of(&[]), None);
    // No time at all is not a round trip.
    assert_eq!(of(&[0, 0, 0]), None);
    assert_eq!(of(&[0, 0, 7]), half(14));
    assert_eq!(of(&[3, 1, 2]), half(4));
    assert_eq!(of(&[1, 2, 2, 9]), half(4));
    assert_eq!(of(&[1, 2, 5, 9]), half(7));
    assert_eq!(of(&[4, 5]), half(9));
    assert_eq!(median(&BTreeMap::from([(3, 0)])), None);
    let most = BTreeMap::from([(1, u64::MAX), (2, 1), (MAX_JSON_INTEGER, u64::MAX)]);
    assert_eq!(median(&most), half(4));
}

#[test]
fn what_is_unknown_is_none_and_failure_is_nothing() {
    let good = Requests { round_trip: mean(10, 2), success: mean(2, 2) };
    let unknown = [
        (good, None),
        (good, Some(whole(0))),
        (Requests { round_trip: mean(0, 0), ..good }, Some(whole(5))),
        (Requests { success: mean(0, 0), ..good }, Some(whole(5))),
    ];
    for (tests, median) in unknown {
        assert_eq!(requests(&tests, median.as_ref(), &constants()).score, None, "{tests:?}");
    }
    let failed = Requests { success: mean(0, 2), ..good };
    assert_eq!(requests(&failed, None, &constants()).score, Some(Ppm(0)));
    assert_eq!(requests(&failed, Some(&whole(5)), &constants()).score, Some(Ppm(0)));
    assert_eq!(requests(&Requests::default(), Some(&whole(5)), &constants()), Score::default());

    let good = Segments { duration: mean(4, 2), round_trip: mean(4, 2), success: mean(2, 2) };
    assert_eq!(segments(&Segments::default()), Score::default());
    assert_eq!(segments(&Segments { duration: mean(0, 0), ..good }).score, None);
    assert_eq!(segments(&Segments { round_trip: mean(0, 0), ..good }).score, None);
    assert_eq!(segments(&Segments { round_trip: mean(0, 2), ..good }).score, Some(Ppm(0)));
    let failed = Segments { round_trip: mean(0, 0), success: mean(0, 2), ..good };
    assert_eq!(segments(&failed).score, Some(Ppm(0)));
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..20, 0u64..100_000, 0..=MAX_JSON_INTEGER]
}

prop_compose! {
    fn any_mean()(count in number(), sum in number()) -> Mean {
        mean(sum, count)
    }
}

fn less(mean: Mean, by: u64) -> Mean {
    Mean { sum: mean.sum.saturating_sub(by), ..mean }
}

fn more(mean: Mean, by: u64) -> Mean {
    Mean { sum: mean.sum.saturating_add(by), ..mean }
}

proptest! {
    #[test]
    fn requests_are_in_range_and_better_never_scores_less(
        round_trip in any_mean(), success in any_mean(), middle in 1..=MAX_JSON_INTEGER, by in number(),
    ) {
        let of = |round_trip, success, middle| requests(&Requests { round_trip, success }, Some(&whole(middle)), &constants()).score;
        let score = of(round_trip, success, middle);
        prop_assert_eq!(score.is_some(), success.count > 0 && (success.sum == 0 || round_trip.count > 0));
        prop_assert!(score <= Some(Ppm(WHOLE)));
        prop_assert!(of(less(round_trip, by), success, middle) >= score);
        // Who first succeeds without telling how fast has no score any more: zero was certain, this is not.
        if round_trip.count > 0 {
            prop_assert!(of(round_trip, more(success, by), middle) >= score);
        }
        prop_assert!(of(round_trip, success, middle.saturating_add(by)) >= score);
    }

    #[test]
    fn segments_are_in_range_and_better_never_scores_less(
        duration in any_mean(), round_trip in any_mean(), success in any_mean(), by in number(),
    ) {
        let of = |duration, round_trip, success| segments(&Segments { duration, round_trip, success }).score;
        let score = of(duration, round_trip, success);
        prop_assert!(score <= Some(Ppm(WHOLE)));
        prop_assert!(of(more(duration, by), round_trip, success) >= score);
        if duration.count > 0 && round_trip.count > 0 {
            prop_assert!(of(duration, round_trip, more(success, by)) >= score);
        }
        // A round trip of no time at all scores nothing there, so faster is better only down to the least time.
        if round_trip.sum > by {
            prop_assert!(of(duration, less(round_trip, by), success) >= score);
        }
    }

    #[test]
    fn medians_are_the_middle_of_the_sorted_values(mut values in prop::collection::vec(number(), 0..40)) {
        let mut counts = BTreeMap::new();
        values.iter().for_each(|value| *counts.entry(*value).or_default() += 1);
        values.retain(|value| *value > 0);
        values.sort_unstable();
        let expected = values.len().checked_sub(1).map(|last| {
            Fraction::new(values[last / 2] + values[values.len() / 2], 2u8).unwrap()
        });
        prop_assert_eq!(median(&counts), expected);
    }
}
