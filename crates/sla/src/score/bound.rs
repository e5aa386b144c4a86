//! How good a share may be at least, given how often it was seen: one-sided, in integers, never above the exact bound.
//!
//! Few failures are bounded by Clopper and Pearson's rule, many by Wilson's with continuity correction, which the
//! exact one would follow at a price. Both round against the one who is scored.

use events::unit::Ppm;
use num_bigint::BigUint;

/// One whole in parts per million.
const WHOLE: u64 = 1_000_000;

/// Thousand millionths: the unit of the normal quantile.
const NANO: u64 = 1_000_000_000;

/// How sure a bound is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confidence {
    /// Up to so many failures the bound is exact.
    pub exact_failures_max: u64,
    /// The chance that the truth lies below the bound.
    pub tail: Ppm,
    /// The quantile of the normal distribution that leaves `tail` above it, in thousand millionths.
    pub z_nano: u64,
}

/// How good a share may be at least, reckoned only as far as it is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The largest share of successes at which `failures` or fewer of `count` come up with a chance of at most `tail`.
    Exact {
        /// How many were seen.
        count: u64,
        /// How many of them failed.
        failures: u64,
        /// The chance that the truth lies below the bound.
        tail: Ppm,
    },
    /// This share.
    Known(Ppm),
}

impl Bound {
    /// What `good` of `good + failures` show. Nothing seen shows nothing.
    pub fn of(good: u64, failures: u64, confidence: Confidence) -> Self {
        match () {
            () if good == 0 => Self::Known(Ppm(0)),
            () if failures <= confidence.exact_failures_max => {
                let count = good.saturating_add(failures);
                Self::Exact { count, failures, tail: confidence.tail }
            }
            () => {
                let ppm = wilson(good, failures, confidence.z_nano);
                Self::Known(Ppm(u32::try_from(ppm).unwrap_or(1_000_000)))
            }
        }
    }

    /// Whether the share is at least this.
    pub fn reaches(&self, share: Ppm) -> bool {
        match *self {
            Self::Known(known) => known >= share,
            Self::Exact { .. } if share.0 == 0 => true,
            Self::Exact { count, failures, tail } => {
                let ppm = u64::from(share.0);
                let chance = || at_most(count, failures, ppm).times(WHOLE);
                ppm < WHOLE && chance().is_at_most(Float::from(u64::from(tail.0)))
            }
        }
    }

    /// The share, rounded down.
    pub fn share(&self) -> Ppm {
        if let Self::Known(known) = self {
            return *known;
        }
        let (mut low, mut high) = (0u32, 1_000_000u32);
        while high - low > 1 {
            let middle = low.midpoint(high);
            if self.reaches(Ppm(middle)) { low = middle } else { high = middle }
        }
        Ppm(low)
    }
}

/// The share that `good` of `good + failures` shows at least, rounded down. Nothing seen shows nothing.
pub fn lower_bound(good: u64, failures: u64, confidence: Confidence) -> Ppm {
    Bound::of(good, failures, confidence).share()
}

/// The chance of `failures` or fewer among `count` when each succeeds with `share` ppm, rounded up.
fn at_most(count: u64, failures: u64, share: u64) -> Float {
    let mut term = Float::from(share).over(WHOLE).power(count);
    let mut sum = term;
    for failed in 0..failures {
        let grown = term.times(count - failed).times(WHOLE - share);
        term = grown.over(failed + 1).over(share);
        sum = sum.plus(term);
    }
    sum
}

/// Wilson's bound with continuity correction, in parts per million.
fn wilson(good: u64, failures: u64, z_nano: u64) -> u64 {
    let big = <BigUint as From<u64>>::from;
    let one = big(NANO) * NANO;
    let count = big(good) + failures;
    let z_squared = big(z_nano) * z_nano;
    // z^2 - 2 - 1/n + 4 p (n q + 1), times n; it is positive for every count with a success and a failure.
    let added = &z_squared * &count + big(good) * (big(failures) + 1u8) * 4u8 * &one;
    let taken = (&count * 2u8 + 1u8) * &one;
    let spread = if added > taken { added - taken } else { BigUint::ZERO };
    let scale = count.clone() * &one;
    let root = root_up(&over_up(&(&z_squared * spread), &scale));
    let center = (big(good) * 2u8) * &one + &z_squared;
    let taken = &one + root * NANO;
    if center <= taken {
        return 0;
    }
    let ppm = (center - taken) * WHOLE / ((count * &one + z_squared) * 2u8);
    u64::try_from(ppm).unwrap_or(WHOLE).min(WHOLE)
}

fn over_up(number: &BigUint, by: &BigUint) -> BigUint {
    (number + by - 1u8) / by
}

fn root_up(number: &BigUint) -> BigUint {
    let root = number.sqrt();
    if &root * &root == *number { root } else { root + 1u8 }
}

/// A positive number of 64 significant bits: `bits * 2^exponent`, the first bit set, or nothing. Every operation that
/// is not exact rounds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Float {
    bits: u64,
    exponent: i64,
}

impl Float {
    fn from(number: u64) -> Self {
        Self::of(u128::from(number), 0)
    }

    /// `bits * 2^exponent`, rounded up to 64 bits.
    fn of(bits: u128, exponent: i64) -> Self {
        if bits == 0 {
            return Self { bits: 0, exponent: 0 };
        }
        let length = i64::from(u128::BITS - bits.leading_zeros());
        let shift = length - 64;
        if shift <= 0 {
            let bits = u64::try_from(bits << shift.unsigned_abs()).expect("64 bits or fewer");
            return Self { bits, exponent: exponent + shift };
        }
        let kept = bits >> shift;
        let rounded = kept + u128::from(kept << shift != bits);
        match u64::try_from(rounded) {
            Ok(bits) => Self { bits, exponent: exponent + shift },
            Err(_) => Self { bits: 1 << 63, exponent: exponent + shift + 1 },
        }
    }

    fn times(self, factor: u64) -> Self {
        Self::of(u128::from(self.bits) * u128::from(factor), self.exponent)
    }

    /// Divided by a number that is not zero.
    fn over(self, by: u64) -> Self {
        let (number, by) = (u128::from(self.bits) << 64, u128::from(by.max(1)));
        Self::of(number.div_ceil(by), self.exponent - 64)
    }

    fn by(self, other: Self) -> Self {
        Self::of(
            u128::from(self.bits) * u128::from(other.bits),
            self.exponent.saturating_add(other.exponent),
        )
    }

    fn power(self, count: u64) -> Self {
        let mut product = Self::from(1);
        for bit in (0..u64::BITS - count.leading_zeros()).rev() {
            product = product.by(product);
            if count >> bit & 1 == 1 {
                product = product.by(self);
            }
        }
        product
    }

    fn plus(self, other: Self) -> Self {
        let (large, small) = if self.is_at_most(other) { (other, self) } else { (self, other) };
        if small.bits == 0 {
            return large;
        }
        let apart = large.exponent.abs_diff(small.exponent);
        // 60 more bits than a float keeps: what falls off below them is rounded up.
        let bits = u128::from(large.bits) << 60;
        let less = u128::from(small.bits) << 60;
        let shifted = if apart < 124 {
            (less >> apart) + u128::from(less >> apart << apart != less)
        } else {
            1
        };
        Self::of(bits + shifted, large.exponent - 60)
    }

    fn is_at_most(self, other: Self) -> bool {
        if self.bits == 0 || other.bits == 0 {
            return self.bits == 0;
        }
        (self.exponent, self.bits) <= (other.exponent, other.bits)
    }
}
