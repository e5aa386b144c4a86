//! The exponential and the natural logarithm in whole numbers, for formulas of others that need them. No floating point,
//! no table, nothing that two machines could round two ways.
//!
//! Numbers are counted in billionths of billionths (*atto*, 10^-18). `LN_2` below is ln 2.
//!
//! *Exponential.* `x = k ln 2 + r` with `0 <= r < ln 2`, so `e^-x = e^-r / 2^k`; and by the series of `e^-r`, from the
//! innermost bracket outwards, `e^-r = 1 - r/1 (1 - r/2 (1 - r/3 (… (1 - r/20))))`. Each product is divided rounding
//! down and so is the last shift. Left out of the series is less than 10^-22; what the roundings come to is at most
//! 3 atto ([`EXP_ERROR_MAX`]).
//!
//! *Logarithm.* `a / b = 2^k m` with `1 <= m < 2`; with `z = (m - 1) / (m + 1)`, which is under a third,
//! `ln m = 2 z (1 + z²/3 + z⁴/5 + … + z⁴⁰/41)`, again from the innermost bracket outwards and rounding down. Left out
//! is less than 10^-21; what the roundings come to is at most 8 atto ([`LN_ERROR_MAX`]).

use num_bigint::BigUint;

use super::fraction::Fraction;

/// A number in 10^-18ths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Atto(pub u128);

/// One in 10^-18ths.
const ONE: u128 = 1_000_000_000_000_000_000;

/// ln 2 in 10^-24ths, rounded down.
const LN_2: u128 = 693_147_180_559_945_309_417_232;

/// What 10^-24ths are divided by to be 10^-18ths.
const GUARD: u128 = 1_000_000;

/// By how much [`exp_minus`] is off at most, in 10^-18ths.
pub const EXP_ERROR_MAX: u128 = 3;

/// By how much [`ln`] is off at most, in 10^-18ths.
pub const LN_ERROR_MAX: u128 = 8;

impl Atto {
    /// One.
    pub const ONE: Self = Self(ONE);

    /// A fraction, rounded down; the largest number there is where it is more.
    pub fn floor_of(fraction: &Fraction) -> Self {
        let scaled = fraction.times(&Fraction::whole(ONE)).floor();
        Self(u128::try_from(scaled).unwrap_or(u128::MAX))
    }

    /// The same number as a fraction.
    pub fn fraction(self) -> Fraction {
        Fraction::new(self.0, ONE).unwrap_or_else(|| Fraction::whole(BigUint::ZERO))
    }
}

/// `e^-x`: one at zero, and zero from where less than 10^-18 is left.
pub fn exp_minus(x: Atto) -> Atto {
    let halvings = x.0 / (LN_2 / GUARD);
    // 2^-64 is less than 10^-18; and below it no product outgrows 128 bits.
    let Some(halvings) = u32::try_from(halvings).ok().filter(|halvings| *halvings < 64) else {
        return Atto(0);
    };
    let rest = x.0.saturating_sub(u128::from(halvings) * LN_2 / GUARD);
    let bracket = (1..=20u128).rev().fold(ONE, |inner, n| ONE - rest * inner / (n * ONE));
    Atto(bracket >> halvings)
}

/// `ln (above / below)` of a number that is not below one; none of any other.
pub fn ln(above: u64, below: u64) -> Option<Atto> {
    if below == 0 || above < below {
        return None;
    }
    let (above, below) = (u128::from(above), u128::from(below));
    let doublings = (0..u64::BITS).take_while(|k| below << (k + 1) <= above).count();
    let doublings = u32::try_from(doublings).ok()?;
    let near = below << doublings;
    let z = (above - near) * ONE / (above + near);
    let square = z * z / ONE;
    let bracket = (0..=20u128).rev().fold(0, |inner, n| ONE / (2 * n + 1) + square * inner / ONE);
    let small = 2 * (z * bracket / ONE);
    Some(Atto(small + u128::from(doublings) * LN_2 / GUARD))
}
