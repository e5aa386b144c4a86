//! What independent sources prove about one component: a rate that no single one of them sets, evidence that no single
//! one of them swells, and bounds on the truth.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use events::identity::Address;
use events::unit::{MAX_JSON_INTEGER, Ppm};

use super::bound::lower_bound;
use super::effect::{Block, Effect};
use crate::policy::rule::Evidence;
use crate::tally::add;

/// One whole, in parts per million.
const WHOLE: u32 = 1_000_000;

/// What one source told of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Not met.
    pub bad: u64,
    /// By block of time; disputed ones count as failures.
    pub blocks: BTreeMap<u64, Block>,
    /// Contradicted.
    pub disputed: u64,
    /// Met.
    pub good: u64,
}

impl Told {
    /// Counts what came of some obligations in a block.
    pub fn add(&mut self, block: u64, good: u64, bad: u64, disputed: u64) {
        add(&mut self.good, good);
        add(&mut self.bad, bad);
        add(&mut self.disputed, disputed);
        let block = self.blocks.entry(block).or_default();
        add(&mut block.good, good);
        add(&mut block.failures, bad.saturating_add(disputed));
    }

    /// Takes all of `other`.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.good, other.good);
        add(&mut self.bad, other.bad);
        add(&mut self.disputed, other.disputed);
        for (at, block) in &other.blocks {
            let mine = self.blocks.entry(*at).or_default();
            add(&mut mine.good, block.good);
            add(&mut mine.failures, block.failures);
        }
    }

    /// How many obligations came to something.
    pub fn count(&self) -> u64 {
        self.good.saturating_add(self.bad).saturating_add(self.disputed)
    }

    fn effect(&self) -> Effect {
        Effect::of(self.blocks.values().copied())
    }
}

/// What all sources together prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How many times fewer independent observations there are than obligations, in parts per million, rounded up.
    pub effect_ppm: u64,
    /// The obligations that count as evidence.
    pub evidence: u64,
    /// Those of them that were not met.
    pub failures: u64,
    /// The truth is not below this.
    pub lower: Ppm,
    /// The rate of the low-median source, rounded down.
    pub rate: Ppm,
    /// How many sources had enough obligations.
    pub sources: u64,
    /// The truth is not above this.
    pub upper: Ppm,
}

/// A share, compared exactly.
#[derive(Debug, Clone, Copy)]
struct Share {
    count: u64,
    part: u64,
}

impl Share {
    fn compare(&self, other: &Self) -> Ordering {
        let cross = |one: &Self, other: &Self| u128::from(one.part) * u128::from(other.count);
        cross(self, other).cmp(&cross(other, self))
    }
}

/// What the sources prove; nothing where none has enough obligations, or bursts leave no evidence.
pub fn prove(told: &BTreeMap<Address, Told>, rule: &Evidence) -> Option<Proof> {
    let mut counted: Vec<&Told> =
        told.values().filter(|told| told.count() >= rule.source_obligations_min).collect();
    // Sources of equal shares stand in the order of their names: sorting keeps it.
    counted.sort_by(|one, other| met(one).compare(&met(other)));
    let low_median = counted.len().checked_sub(1)? / 2;
    let rate = met(counted.get(low_median)?);

    let effect = effect(&counted, rule);
    let swelled = capped(&counted, low_median, rule);
    let evidence = effect.share_floor(swelled, rule.factor_ppm).min(MAX_JSON_INTEGER);
    if evidence == 0 {
        return None;
    }
    let failures = scale_ceil(evidence, rate.count - rate.part, rate.count);
    let confidence = rule.confidence();
    let lower = lower_bound(evidence - failures, failures, confidence);

    let mut charitable: Vec<Share> = counted.iter().map(|told| not_bad(told)).collect();
    charitable.sort_by(Share::compare);
    let best = charitable.get(low_median)?;
    let bad = scale_floor(evidence, best.count - best.part, best.count);
    let least_bad = lower_bound(bad, evidence - bad, confidence);
    Some(Proof {
        effect_ppm: effect.ppm_ceil(),
        evidence,
        failures,
        lower,
        rate: Ppm::ratio_floor(rate.part, rate.count)?,
        sources: u64::try_from(counted.len()).unwrap_or(u64::MAX),
        upper: Ppm(WHOLE.saturating_sub(least_bad.0)),
    })
}

fn met(told: &Told) -> Share {
    Share { count: told.count(), part: told.good }
}

fn not_bad(told: &Told) -> Share {
    Share { count: told.count(), part: told.good.saturating_add(told.disputed) }
}

/// All obligations, each source's up to some times the low-median source's.
fn capped(counted: &[&Told], low_median: usize, rule: &Evidence) -> u64 {
    let mut counts: Vec<u64> = counted.iter().map(|told| told.count()).collect();
    counts.sort_unstable();
    let cap = counts.get(low_median).map_or(0, |count| count.saturating_mul(rule.cap_times));
    counts.into_iter().map(|count| count.min(cap)).fold(0, u64::saturating_add)
}

/// The larger of the high-median source's effect and that of the sources left when those at both ends are dropped,
/// pooled. `counted` is in the order of rates.
fn effect(counted: &[&Told], rule: &Evidence) -> Effect {
    let mut effects: Vec<Effect> = counted.iter().map(|told| told.effect()).collect();
    effects.sort_by(Effect::compare);
    let high_median = effects.get(effects.len() / 2).cloned().unwrap_or_else(Effect::none);
    let divisor = usize::try_from(rule.trim_divisor).unwrap_or(usize::MAX).max(2);
    let dropped = counted.len().saturating_sub(1) / divisor;
    let left = counted.get(dropped..counted.len() - dropped).unwrap_or_default();
    let mut pooled: BTreeMap<u64, Block> = BTreeMap::new();
    for (at, block) in left.iter().flat_map(|told| &told.blocks) {
        let sum = pooled.entry(*at).or_default();
        sum.good = sum.good.saturating_add(block.good);
        sum.failures = sum.failures.saturating_add(block.failures);
    }
    high_median.max(Effect::of(pooled.values().copied()))
}

/// `number * part / whole`, rounded up.
fn scale_ceil(number: u64, part: u64, whole: u64) -> u64 {
    let scaled = (u128::from(number) * u128::from(part)).div_ceil(u128::from(whole.max(1)));
    u64::try_from(scaled).unwrap_or(number)
}

/// `number * part / whole`, rounded down.
fn scale_floor(number: u64, part: u64, whole: u64) -> u64 {
    let scaled = u128::from(number) * u128::from(part) / u128::from(whole.max(1));
    u64::try_from(scaled).unwrap_or(number)
}
