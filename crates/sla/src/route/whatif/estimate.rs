//! How sure a replay is: an interval from how far its days differ, by leaving out one day at a time.
//!
//! Jobs of one day fare alike (an outage, a crowd, a price), so that days and not jobs are what is drawn. The jackknife
//! needs no assumption about how the days are spread but that they are alike and apart; it says nothing about what a
//! replay assumes. All is exact in integers until one root, and rounds outward.

use num_bigint::{BigInt, Sign};
use serde::{Serialize, Serializer};

/// Student's quantiles that leave 2.5 % above them, in thousandths rounded up, for 1 to 30 degrees of freedom; the last
/// holds for all more, which is on the safe side.
const STUDENT_MILLI: [u32; 30] = [
    12_707, 4_303, 3_183, 2_777, 2_571, 2_447, 2_365, 2_307, 2_263, 2_229, 2_201, 2_179, 2_161,
    2_145, 2_132, 2_120, 2_110, 2_101, 2_094, 2_086, 2_080, 2_074, 2_069, 2_064, 2_060, 2_056,
    2_052, 2_049, 2_046, 2_043,
];

/// A whole number with a sign, which may outgrow 2^53: decimal text in JSON.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Signed(pub i128);

impl Serialize for Signed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// A change, and the interval that holds it with 95 % if the days are alike and apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Estimate {
    /// The upper end; absent where fewer than two days tell.
    pub high: Option<Signed>,
    /// The lower end; absent where fewer than two days tell.
    pub low: Option<Signed>,
    /// The change.
    pub value: Signed,
}

impl Estimate {
    /// `value` plus and minus what the days leave open.
    fn around(value: BigInt, half: Option<BigInt>) -> Self {
        let end = |end: BigInt| Signed(narrow(&end));
        Self {
            high: half.as_ref().map(|half| end(&value + half)),
            low: half.as_ref().map(|half| end(&value - half)),
            value: Signed(narrow(&value)),
        }
    }

    /// The sum of what each day changed.
    pub fn of_sum(days: &[i128]) -> Self {
        let sum: BigInt = days.iter().copied().map(BigInt::from).sum();
        let squares: BigInt = days.iter().map(|day| BigInt::from(*day) * day).sum();
        let count = days.len();
        // The variance of a sum of n days is n times that of one: (n * sum of squares - square of sum) / (n - 1).
        let half = student(count).map(|quantile| {
            let spread = squares * count - &sum * &sum;
            let below = BigInt::from(count.saturating_sub(1)) * MILLI_SQUARED;
            root_up(&over_up(&(spread * quantile * quantile), &below))
        });
        Self::around(sum, half)
    }

    /// What each day changed over what it counted, as one ratio rounded to the nearest; none where nothing was counted.
    pub fn of_ratio(days: &[(i128, u64)]) -> Option<Self> {
        let days: Vec<_> = days.iter().filter(|(_, by)| *by > 0).collect();
        let above: BigInt = days.iter().map(|(above, _)| BigInt::from(*above)).sum();
        let below: BigInt = days.iter().map(|(_, by)| BigInt::from(*by)).sum();
        if below.sign() == Sign::NoSign {
            return None;
        }
        let count = days.len();
        let half = student(count).map(|quantile| {
            let without = |day: &(i128, u64)| (&above - day.0) * FINE / (&below - day.1);
            let ratios: Vec<BigInt> = days.iter().map(|day| without(day)).collect();
            let sum: BigInt = ratios.iter().sum();
            let squares: BigInt = ratios.iter().map(|ratio| ratio * ratio).sum();
            // (n - 1) / n times the sum of squared distances of what is left without each day.
            let spread = (squares * count - &sum * &sum) * count.saturating_sub(1);
            let below = BigInt::from(count) * count * MILLI_SQUARED;
            over_up(
                &root_up(&over_up(&(spread * quantile * quantile), &below)),
                &BigInt::from(FINE),
            )
        });
        Some(Self::around(nearest(&above, &below), half))
    }
}

/// Leave-one-out ratios are held in so many parts of their unit.
const FINE: u32 = 1_000;

/// Quantiles are in thousandths, and are squared.
const MILLI_SQUARED: u32 = 1_000_000;

/// The quantile for so many days; none where one alone cannot tell.
fn student(days: usize) -> Option<u32> {
    let at = days.checked_sub(2)?;
    STUDENT_MILLI.get(at).or(STUDENT_MILLI.last()).copied()
}

/// `above / below`, neither of them negative, rounded up.
fn over_up(above: &BigInt, below: &BigInt) -> BigInt {
    (above + below - 1u8) / below
}

/// The root of what is not negative, rounded up.
fn root_up(number: &BigInt) -> BigInt {
    let root = number.sqrt();
    if &root * &root == *number { root } else { root + 1u8 }
}

/// `above / below` to the nearest, halves away from zero; `below` is positive.
fn nearest(above: &BigInt, below: &BigInt) -> BigInt {
    let twice = above * 2u8;
    // Division of big integers cuts towards zero.
    match above.sign() {
        Sign::Minus => (twice - below) / (below * 2u8),
        Sign::NoSign | Sign::Plus => (twice + below) / (below * 2u8),
    }
}

/// Into what there is room for.
fn narrow(number: &BigInt) -> i128 {
    let end = if number.sign() == Sign::Minus { i128::MIN } else { i128::MAX };
    i128::try_from(number).unwrap_or(end)
}
