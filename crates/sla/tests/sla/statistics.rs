//! Laws of the bounds and the composite, against their definitions in unbounded integers.

use events::unit::Ppm;
use num_bigint::BigUint;
use proptest::prelude::*;
use sla::score::bound::{Bound, Confidence, lower_bound};
use sla::score::compose::compose;

const WHOLE: u32 = 1_000_000;

const CONFIDENCE: Confidence =
    Confidence { exact_failures_max: 40, tail: Ppm(50_000), z_nano: 1_644_853_627 };

fn bound(good: u64, failures: u64) -> u32 {
    lower_bound(good, failures, CONFIDENCE).0
}

/// Ways to choose `some` of `all`.
fn ways(all: u64, some: u64) -> BigUint {
    (0..some).fold(BigUint::from(1u8), |ways, at| ways * (all - at) / (at + 1))
}

/// Whether `failures` or fewer of `count` come up with a chance of at most 1 in 20 when each succeeds with `share`.
fn is_rare(count: u64, failures: u64, share: u32) -> bool {
    let chance = |failed: u64| {
        let (good, bad) = (u32::try_from(count - failed).unwrap(), u32::try_from(failed).unwrap());
        ways(count, failed) * BigUint::from(share).pow(good) * BigUint::from(WHOLE - share).pow(bad)
    };
    let sum: BigUint = (0..=failures).map(chance).sum();
    sum * 20u8 <= BigUint::from(WHOLE).pow(u32::try_from(count).unwrap())
}

#[test]
fn bounds_are_those_of_the_tables() {
    // Computed by an independent program in exact fractions.
    let known = [
        (0, 0, 0),
        (0, 7, 0),
        (0, 41, 0),
        (1, 0, 49_999),
        (10, 0, 741_134),
        (30, 0, 904_966),
        (100, 0, 970_486),
        (995, 5, 989_515),
        (959, 41, 946_829),
        (900, 100, 882_766),
        (5, 2, 341_261),
        (160, 40, 747_750),
        (1, 32, 1_553),
    ];
    for (good, failures, expected) in known {
        assert_eq!(bound(good, failures), expected, "{good} good, {failures} not");
    }
}

#[test]
fn bounds_are_those_of_the_document_where_a_rounding_shows() {
    // Wilson's, computed by the second implementation: at the edge of a millionth, and where every root is whole.
    let known = [
        (1, 1, 1_644_853_627, 35_317),
        (2, 1, 1_644_853_627, 155_690),
        (15, 64, 1_644_853_627, 122_804),
        (8, 1, 250_000_000, 800_000),
        (9, 7, 250_000_000, 500_000),
        (1, 1, 1, 249_999),
    ];
    for (good, failures, z_nano, expected) in known {
        let confidence = Confidence { exact_failures_max: 0, z_nano, ..CONFIDENCE };
        assert_eq!(lower_bound(good, failures, confidence).0, expected, "{good}, {failures}");
    }
    // The exact ones, with the tail at what a share comes to: numbers in base two carry halves, quarters and eighths to
    // the last bit, and round tenths up, which leaves them just above the tail.
    let (mut whole, mut rounded) = (0, 0);
    for (share, is_whole) in [
        (125_000, true),
        (250_000, true),
        (500_000, true),
        (750_000, true),
        (100_000, false),
        (300_000, false),
    ] {
        for (count, failures) in (1..=6u64).flat_map(|n| (0..n).map(move |failures| (n, failures)))
        {
            let chance = |failed: u64| {
                let power =
                    |base: u32, times: u64| BigUint::from(base).pow(u32::try_from(times).unwrap());
                ways(count, failed) * power(share, count - failed) * power(WHOLE - share, failed)
            };
            let sum: BigUint = (0..=failures).map(chance).sum();
            let below = BigUint::from(WHOLE).pow(u32::try_from(count).unwrap() - 1);
            if &sum % &below != BigUint::ZERO {
                continue;
            }
            let tail = Ppm(u32::try_from(sum / below).unwrap());
            let found =
                lower_bound(count - failures, failures, Confidence { tail, ..CONFIDENCE }).0;
            assert_eq!(found, share - u32::from(!is_whole), "{count}, {failures} at {tail:?}");
            *(if is_whole { &mut whole } else { &mut rounded }) += 1;
        }
    }
    assert_eq!((whole, rounded), (38, 42));
}

#[test]
fn extremes_are_defined() {
    assert_eq!(bound(u64::MAX, 0), 999_999);
    assert_eq!(bound(0, u64::MAX), 0);
    assert!(bound(100_000_000, 100_000_000) > 499_000);
    assert!(bound(99_999_960, 40) > 999_999 - 2);
    assert_eq!(bound(1, u64::MAX / 2), 0);
    // No chance is nothing, and none is above one.
    let nothing = Confidence { tail: Ppm(0), ..CONFIDENCE };
    assert_eq!((lower_bound(5, 0, nothing), lower_bound(5, 1, nothing)), (Ppm(0), Ppm(0)));
    let anything = Bound::of(5, 0, Confidence { tail: Ppm(WHOLE), ..CONFIDENCE });
    assert!(anything.reaches(Ppm(WHOLE - 1)) && !anything.reaches(Ppm(WHOLE)));
    // A sum so close to one that its 64 bits are all set is rounded up to one, and not to anything else.
    let confidence = Confidence { tail: Ppm(900_000), ..CONFIDENCE };
    for (good, failures, share) in [(18, 33, 990_000), (21, 14, 999_900), (35, 17, 999_000)] {
        let bound = Bound::of(good, failures, confidence);
        assert!(!bound.reaches(Ppm(share)) && bound.share().0 < share, "{good}, {failures}");
    }
}

proptest! {
    #[test]
    fn few_failures_are_bounded_exactly(count in 1u64..120, failures in 0u64..=40) {
        prop_assume!(failures < count);
        let found = bound(count - failures, failures);
        prop_assert!(is_rare(count, failures, found), "above the exact bound");
        prop_assert!(!is_rare(count, failures, found + 2), "more than two millionths below it");
    }

    #[test]
    fn more_good_never_lowers_a_bound(count in 1u64..100_000_000, failures in 0u64..100_000) {
        prop_assume!(failures < count);
        // At a fixed count: one failure turned into a success.
        if failures > 0 {
            prop_assert!(bound(count - failures + 1, failures - 1) >= bound(count - failures, failures));
        }
        prop_assert!(bound(count - failures + 1, failures) >= bound(count - failures, failures));
    }

    #[test]
    fn a_bound_is_below_what_was_seen(count in 1u64..1_000_000_000, failures in 0u64..1_000_000) {
        prop_assume!(failures <= count);
        let seen = u128::from(count - failures) * u128::from(WHOLE) / u128::from(count);
        prop_assert!(u128::from(bound(count - failures, failures)) <= seen);
    }

    #[test]
    fn a_composite_is_the_root_of_the_product(a in 0..=WHOLE, b in 0..=WHOLE, c in 0..=WHOLE, split in 0u32..=8) {
        let parts = [(Ppm(a), 8), (Ppm(b), split), (Ppm(c), 8 - split)];
        let found = compose(&parts).unwrap().0;
        let product = BigUint::from(a).pow(8) * BigUint::from(b).pow(split) * BigUint::from(c).pow(8 - split);
        prop_assert!(BigUint::from(found).pow(16) <= product);
        prop_assert!(BigUint::from(found + 1).pow(16) > product);
        let more = compose(&[(Ppm((a + 1).min(WHOLE)), 8), (Ppm(b), split), (Ppm(c), 8 - split)]).unwrap();
        prop_assert!(more.0 >= found);
    }
}

#[test]
fn nothing_buys_back_a_zero() {
    let all = |part: u32| compose(&[(Ppm(part), 8), (Ppm(part), 5), (Ppm(part), 3)]);
    assert_eq!(all(49_999), Some(Ppm(49_999)));
    assert_eq!(compose(&[(Ppm(0), 1), (Ppm(WHOLE), 15)]), Some(Ppm(0)));
    assert_eq!(compose(&[(Ppm(WHOLE), 15)]), None);
    assert_eq!(compose(&[(Ppm(WHOLE), 16)]), Some(Ppm(WHOLE)));
    // A thousand jobs, 99, 95 and 95 % of them within the objectives.
    let parts = [(bound(990, 10), 8), (bound(950, 50), 5), (bound(950, 50), 3)];
    let composite = compose(&parts.map(|(part, weight)| (Ppm(part), weight))).unwrap();
    assert!((955_000..965_000).contains(&composite.0), "{composite:?}");
}
