//! The design effect: how many times fewer independent observations there are than obligations, because failures come
//! in bursts.
//!
//! Failures are counted in blocks of time. Were they independent, their number in a block would vary as the block's
//! size lets it; what it varies more divides the evidence.

use std::cmp::Ordering;

use events::unit::{MAX_JSON_INTEGER, Ppm};
use num_bigint::BigUint;

/// What was seen in one block of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block {
    /// Obligations that were not met.
    pub failures: u64,
    /// Obligations that were met.
    pub good: u64,
}

impl Block {
    fn count(self) -> BigUint {
        BigUint::from(self.good) + self.failures
    }
}

/// How much more failures vary than independent ones would, as a fraction that is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// What is divided.
    pub above: BigUint,
    /// What it is divided by; never zero.
    pub below: BigUint,
}

impl Effect {
    /// Failures that are independent.
    pub fn none() -> Self {
        Self { above: BigUint::from(1u8), below: BigUint::from(1u8) }
    }

    /// `max(1, Σ (f_b·n − F·n_b)² / (F·(n−F)·n))` over blocks with `f_b` failures of `n_b`, `F` of `n` in all. One
    /// where nothing or everything failed.
    pub fn of(blocks: impl IntoIterator<Item = Block> + Clone) -> Self {
        let mut whole = Block::default();
        for block in blocks.clone() {
            whole.failures = whole.failures.saturating_add(block.failures);
            whole.good = whole.good.saturating_add(block.good);
        }
        let count = whole.count();
        let below = &count * whole.failures * whole.good;
        let squares = blocks.into_iter().map(|block| {
            let (seen, expected) = (&count * block.failures, block.count() * whole.failures);
            let apart = if seen > expected { seen - expected } else { expected - seen };
            &apart * &apart
        });
        let above: BigUint = squares.sum();
        if above <= below { Self::none() } else { Self { above, below } }
    }

    /// `share` of `count`, divided by it, rounded down once.
    pub fn share_floor(&self, count: u64, share: Ppm) -> u64 {
        let whole = BigUint::from(1_000_000u32);
        let divided = &self.below * count * share.0 / (&self.above * whole);
        u64::try_from(divided).unwrap_or(count)
    }

    /// In parts per million, rounded up, as far as canonical JSON can carry it.
    pub fn ppm_ceil(&self) -> u64 {
        let divided = (&self.above * 1_000_000u32 + &self.below - 1u8) / &self.below;
        u64::try_from(divided).unwrap_or(MAX_JSON_INTEGER).min(MAX_JSON_INTEGER)
    }

    /// Which is larger.
    pub fn compare(&self, other: &Self) -> Ordering {
        (&self.above * &other.below).cmp(&(&other.above * &self.below))
    }

    /// The larger of two.
    pub fn max(self, other: Self) -> Self {
        if self.compare(&other).is_ge() { self } else { other }
    }
}
