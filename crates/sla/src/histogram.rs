//! Log-linear integer buckets: merging is addition, so any order and any split give the same histogram.
//!
//! Seven bits after the leading one: a bucket is at most 0.79 % wide, its middle at most 0.4 % off. For display and for
//! choosing objectives; no score reads one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::tally::add;

/// Bits kept after the leading one.
const BITS: u32 = 7;

/// How often each bucket was hit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Histogram(pub BTreeMap<u16, u64>);

/// The bucket of a value: exact below 256, then 128 buckets an octave.
pub fn bucket(value: u64) -> u16 {
    let length = u64::BITS - value.leading_zeros();
    let shift = length.saturating_sub(BITS + 1);
    let index = (u64::from(shift) << BITS) + (value >> shift);
    u16::try_from(index).unwrap_or(u16::MAX)
}

/// The least value of a bucket; of buckets that no value falls into, the largest value.
pub fn bucket_floor(bucket: u16) -> u64 {
    let octave = (bucket >> BITS).saturating_sub(1);
    let kept = u64::from(bucket - (octave << BITS));
    if u32::from(octave) < u64::BITS - BITS { kept << octave } else { u64::MAX }
}

impl Histogram {
    /// Counts one value.
    pub fn add(&mut self, value: u64) {
        add(self.0.entry(bucket(value)).or_default(), 1);
    }

    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.0 {
            add(self.0.entry(*bucket).or_default(), *count);
        }
    }

    /// How many values were counted.
    pub fn count(&self) -> u64 {
        self.0.values().fold(0, |sum, count| sum.saturating_add(*count))
    }

    /// The floor of the bucket that holds the value at `ppm` of the way, by the nearest-rank rule; none of nothing.
    pub fn quantile(&self, ppm: u32) -> Option<u64> {
        let total: u128 = self.0.values().map(|count| u128::from(*count)).sum();
        let rank = (total * u128::from(ppm.min(1_000_000))).div_ceil(1_000_000).max(1);
        let mut seen = 0u128;
        for (bucket, count) in &self.0 {
            seen += u128::from(*count);
            if seen >= rank {
                return Some(bucket_floor(*bucket));
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_narrow_and_in_order() {
        let values = (0..4_000)
            .chain((12..63).flat_map(|bit| [(1u64 << bit) - 1, 1 << bit, (1 << bit) + 12_345]));
        let mut values: Vec<u64> = values.collect();
        values.sort_unstable();
        for pair in values.windows(2) {
            assert!(bucket(pair[0]) <= bucket(pair[1]), "{pair:?}");
        }
        for value in values {
            let floor = bucket_floor(bucket(value));
            assert!(
                floor <= value && u128::from(value - floor) * 128 <= u128::from(value),
                "{value} {floor}"
            );
        }
    }

    #[test]
    fn quantiles_are_nearest_ranks() {
        let mut histogram = Histogram::default();
        assert_eq!(histogram.quantile(500_000), None);
        (1..=100).for_each(|value| histogram.add(value));
        assert_eq!(histogram.quantile(500_000), Some(50));
        assert_eq!(histogram.quantile(950_000), Some(95));
        assert_eq!(histogram.quantile(0), Some(1));
    }
}
