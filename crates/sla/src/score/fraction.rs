//! An exact number that is not negative: a fraction of whole numbers, which rounds only where it is asked to.
//!
//! For formulas of others that are written in real numbers: every step is exact and the end is rounded once, so that
//! no order of steps shows. It is written down as `above/below` in lowest terms.

use std::cmp::Ordering;
use std::fmt;

use events::unit::Ppm;
use num_bigint::BigUint;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One whole in parts per million.
const WHOLE: u32 = 1_000_000;

/// The longest text of a fraction that is read.
const TEXT_MAX: usize = 4_096;

/// `above / below`, with `below` never zero. Equal values are equal, whatever their terms.
#[derive(Debug, Clone)]
pub struct Fraction {
    above: BigUint,
    below: BigUint,
}

impl Fraction {
    /// `above / below`; nothing over nothing is nothing.
    pub fn new(above: impl Into<BigUint>, below: impl Into<BigUint>) -> Option<Self> {
        let (above, below) = (above.into(), below.into());
        (below != BigUint::ZERO).then_some(Self { above, below })
    }

    /// A whole number.
    pub fn whole(number: impl Into<BigUint>) -> Self {
        Self { above: number.into(), below: BigUint::from(1u8) }
    }

    /// The sum.
    pub fn plus(&self, other: &Self) -> Self {
        let above = &self.above * &other.below + &other.above * &self.below;
        Self { above, below: &self.below * &other.below }
    }

    /// The difference; zero where it would be less.
    pub fn less(&self, other: &Self) -> Self {
        let (most, taken) = (&self.above * &other.below, &other.above * &self.below);
        let above = if most > taken { most - taken } else { BigUint::ZERO };
        Self { above, below: &self.below * &other.below }
    }

    /// The product.
    pub fn times(&self, other: &Self) -> Self {
        Self { above: &self.above * &other.above, below: &self.below * &other.below }
    }

    /// The quotient; nothing is divided by zero.
    pub fn over(&self, other: &Self) -> Option<Self> {
        Self::new(&self.above * &other.below, &self.below * &other.above)
    }

    /// Itself, or one where it is more.
    pub fn capped(self) -> Self {
        self.min(Self::whole(1u8))
    }

    /// The largest whole number that is not above it.
    pub fn floor(&self) -> BigUint {
        &self.above / &self.below
    }

    /// Parts per million, to the nearest, halves up; one where it is more.
    pub fn ppm_nearest(&self) -> Ppm {
        let nearest = (&self.above * WHOLE * 2u8 + &self.below) / (&self.below * 2u8);
        Ppm(u32::try_from(nearest).unwrap_or(WHOLE).min(WHOLE))
    }

    /// Both terms, divided by all they have in common.
    fn lowest(&self) -> (BigUint, BigUint) {
        let (mut common, mut rest) = (self.below.clone(), self.above.clone());
        while rest != BigUint::ZERO {
            (common, rest) = (rest.clone(), common % rest);
        }
        (&self.above / &common, &self.below / &common)
    }
}

impl From<Ppm> for Fraction {
    fn from(ppm: Ppm) -> Self {
        Self { above: BigUint::from(ppm.0), below: BigUint::from(WHOLE) }
    }
}

impl PartialEq for Fraction {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Fraction {}

impl PartialOrd for Fraction {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Fraction {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.above * &other.below).cmp(&(&other.above * &self.below))
    }
}

impl fmt::Display for Fraction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (above, below) = self.lowest();
        write!(f, "{above}/{below}")
    }
}

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fraction {
    /// Reads what is written, and nothing else of the same value: one number has one text.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let read = |part: &str| part.parse::<BigUint>().ok();
        let parts = text.split_once('/').filter(|_| text.len() <= TEXT_MAX);
        let number = parts.and_then(|(above, below)| Self::new(read(above)?, read(below)?));
        number
            .filter(|number| number.to_string() == text)
            .ok_or_else(|| de::Error::custom("a fraction that is not above/below in lowest terms"))
    }
}

/// Values that were added up: what a mean needs, and nothing about single values.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    /// How many values.
    pub count: u64,
    /// Their sum.
    pub sum: u64,
}

impl Mean {
    /// The sum and number of values that came up so often; both stop at the largest number there is room for.
    pub fn of<'a>(values: impl IntoIterator<Item = (&'a u64, &'a u64)>) -> Self {
        let each = values
            .into_iter()
            .map(|(value, count)| Self { count: *count, sum: value.saturating_mul(*count) });
        each.fold(Self::default(), Self::plus)
    }

    /// The values of both.
    pub fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            sum: self.sum.saturating_add(other.sum),
        }
    }

    /// The mean; none of nothing.
    pub fn value(self) -> Option<Fraction> {
        Fraction::new(self.sum, self.count)
    }

    /// Which mean is larger. Of nothing there is none: it comes before all others.
    pub fn compare(self, other: Self) -> Ordering {
        let cross = |sum: u64, count: u64| u128::from(sum) * u128::from(count);
        match (self.count, other.count) {
            (0, _) | (_, 0) => self.count.min(1).cmp(&other.count.min(1)),
            _ => cross(self.sum, other.count).cmp(&cross(other.sum, self.count)),
        }
    }
}
