//! One number of several: a weighted geometric mean in which nothing buys back a zero.
//!
//! Weights are sixteenths. The result is the largest number whose sixteenth power is at most the product of the parts,
//! each to the power of its weight; no approximation is involved, and any language with large integers agrees.

use events::unit::Ppm;
use num_bigint::BigUint;

/// What the weights of a composite sum to.
pub const SIXTEENTHS: u32 = 16;

/// The composite of parts with their weights, rounded down; nothing unless the weights sum to sixteen.
pub fn compose(parts: &[(Ppm, u32)]) -> Option<Ppm> {
    let whole = parts.iter().try_fold(0u32, |sum, (_, weight)| sum.checked_add(*weight));
    if whole != Some(SIXTEENTHS) {
        return None;
    }
    let powers = parts.iter().map(|(part, weight)| BigUint::from(part.0).pow(*weight));
    let root = powers.product::<BigUint>().nth_root(SIXTEENTHS);
    u32::try_from(root).ok().map(Ppm)
}
