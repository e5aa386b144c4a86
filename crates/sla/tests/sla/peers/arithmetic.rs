//! Fractions, exponentials and logarithms, against their definitions in 60 decimal digits.

use std::collections::BTreeMap;

use num_bigint::BigUint;
use proptest::prelude::*;
use sla::score::fixed::{Atto, EXP_ERROR_MAX, LN_ERROR_MAX, exp_minus, ln};
use sla::score::fraction::{Fraction, Mean};

use super::{WHOLE, mean, whole};

/// One in 10^-60ths.
fn one() -> BigUint {
    BigUint::from(10u8).pow(60)
}

/// How many of those make one 10^-18th.
fn atto() -> BigUint {
    BigUint::from(10u8).pow(42)
}

/// `e^-x` in 10^-60ths: one over the series of `e^x`, which only adds.
fn by_definition(x: Atto) -> BigUint {
    let x = BigUint::from(x.0) * atto();
    let (mut sum, mut term) = (one(), one());
    for n in 1u32..400 {
        term = term * &x / one() / n;
        sum += &term;
    }
    one() * one() / sum
}

fn apart(a: &BigUint, b: &BigUint) -> BigUint {
    if a > b { a - b } else { b - a }
}

#[test]
fn known_values_come_out() {
    // Computed in 40 decimal digits by an independent program; rounded down.
    let exponentials = [
        (1_000_000_000_000_000_000, 367_879_441_171_442_321u128),
        (500_000_000_000_000_000, 606_530_659_712_633_423),
        (693_147_180_559_945_309, 500_000_000_000_000_000),
        (10_000_000_000_000_000_000, 45_399_929_762_484),
        (41_000_000_000_000_000_000, 1),
        (1, 999_999_999_999_999_999),
    ];
    for (x, expected) in exponentials {
        assert!(exp_minus(Atto(x)).0.abs_diff(expected) <= EXP_ERROR_MAX, "{x}");
    }
    let logarithms = [
        (1_000_000, 800_000, 223_143_551_314_209_755u128),
        (2, 1, 693_147_180_559_945_309),
        (3, 1, 1_098_612_288_668_109_691),
        (u64::MAX, 1, 44_361_419_555_836_499_802),
        (10, 9, 105_360_515_657_826_301),
        (1_000_001, 1_000_000, 999_999_500_000),
    ];
    for (above, below, expected) in logarithms {
        let found = ln(above, below).unwrap().0;
        assert!(found.abs_diff(expected) <= LN_ERROR_MAX, "{above}/{below}: {found}");
    }
}

#[test]
fn extremes_are_defined() {
    assert_eq!(exp_minus(Atto(0)), Atto::ONE);
    assert_eq!(exp_minus(Atto(u128::MAX)), Atto(0));
    assert_eq!(exp_minus(Atto(64 * Atto::ONE.0)), Atto(0));
    assert_eq!(ln(7, 7), Some(Atto(0)));
    assert_eq!(ln(u64::MAX, u64::MAX), Some(Atto(0)));
    assert_eq!(ln(1, 2), None);
    assert_eq!(ln(1, 0), None);
    assert_eq!(ln(0, 0), None);
    let beyond = Fraction::whole(BigUint::from(u128::MAX));
    assert_eq!(Atto::floor_of(&beyond), Atto(u128::MAX));
}

#[test]
fn seams_of_the_exponential_are_within_the_bound() {
    // Just before, at and after each doubling, where the number of halvings changes.
    for doubling in 0..64u128 {
        for x in [-2i128, -1, 0, 1, 2] {
            let seam = doubling * 693_147_180_559_945_309_417_232 / 1_000_000;
            let Some(x) = seam.checked_add_signed(x) else { continue };
            let off =
                apart(&(BigUint::from(exp_minus(Atto(x)).0) * atto()), &by_definition(Atto(x)));
            assert!(off <= atto() * EXP_ERROR_MAX, "{x}: {off}");
        }
    }
}

proptest! {
    #[test]
    fn the_exponential_is_within_its_bound(x in prop_oneof![0u128..2_000_000_000_000_000_000, 0u128..60_000_000_000_000_000_000]) {
        let found = BigUint::from(exp_minus(Atto(x)).0) * atto();
        prop_assert!(apart(&found, &by_definition(Atto(x))) <= atto() * EXP_ERROR_MAX);
    }

    #[test]
    fn the_logarithm_is_undone_by_the_exponential(below in 1u64..1_000_000_000_000, times in 1u64..1_000_000, more in 0u64..1_000) {
        let above = below * times + more;
        // Near enough to the bound: where x is off by so much, e^-x is off by at most that share of itself.
        let found = by_definition(ln(above, below).unwrap()) * above;
        let off = apart(&found, &(one() * below));
        prop_assert!(off <= atto() * (LN_ERROR_MAX + 1) * below);
    }

    #[test]
    fn fractions_keep_what_they_are(a in any::<u64>(), b in 1..=u64::MAX, c in any::<u64>(), d in 1..=u64::MAX, k in 1u64..1_000) {
        let (x, y) = (Fraction::new(a, b).unwrap(), Fraction::new(c, d).unwrap());
        prop_assert_eq!(&x.plus(&y).less(&y), &x);
        prop_assert_eq!(x.cmp(&y), (u128::from(a) * u128::from(d)).cmp(&(u128::from(c) * u128::from(b))));
        prop_assert_eq!(mean(a, b).compare(mean(c, d)), x.cmp(&y));
        if c > 0 {
            prop_assert_eq!(&x.times(&y).over(&y).unwrap(), &x);
        }
        let widened = Fraction::new(BigUint::from(a) * k, BigUint::from(b) * k).unwrap();
        let text = serde_json::to_string(&widened).unwrap();
        prop_assert_eq!(&text, &serde_json::to_string(&x).unwrap());
        prop_assert_eq!(serde_json::from_str::<Fraction>(&text).unwrap(), x);
    }
}

#[test]
fn one_fraction_has_one_text() {
    assert_eq!(Fraction::new(6u8, 4u8).unwrap().to_string(), "3/2");
    assert_eq!(whole(0).to_string(), "0/1");
    for text in
        ["\"6/4\"", "\"3\"", "\"3/0\"", "\"-3/2\"", "\"03/2\"", "\"3/2/1\"", "\" 3/2\"", "3"]
    {
        assert!(serde_json::from_str::<Fraction>(text).is_err(), "{text}");
    }
}

#[test]
fn halves_round_up_and_more_than_one_is_one() {
    let ppm = |above: u64, below: u64| Fraction::new(above, below).unwrap().ppm_nearest().0;
    assert_eq!((ppm(1, 2_000_000), ppm(1, 2_000_001), ppm(3, 2_000_000)), (1, 0, 2));
    assert_eq!((ppm(u64::MAX, 1), ppm(0, 1)), (WHOLE, 0));
}

#[test]
fn means_add_up_and_stop_where_there_is_no_room() {
    let values = BTreeMap::from([(2u64, 3u64), (5, 1)]);
    assert_eq!(Mean::of(&values), mean(11, 4));
    assert_eq!(mean(11, 4).plus(mean(u64::MAX, u64::MAX)), mean(u64::MAX, u64::MAX));
    assert_eq!(mean(7, 0).value(), None);
    assert!(mean(7, 0).compare(mean(0, 1)).is_lt() && mean(7, 0).compare(mean(0, 0)).is_eq());
}
