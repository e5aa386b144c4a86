//! What independent sources prove about one component: a bound that no single one of them sets, on evidence that no
//! single one of them swells.
//!
//! What counts as evidence depends on how much was seen and never on how it went, so that an obligation that is not met
//! where it could have been never raises a bound.

use std::collections::BTreeMap;

use events::identity::Address;
use events::unit::{MAX_JSON_INTEGER, Ppm};
use num_bigint::BigUint;

use super::block::{Block, Weight};
use super::bound::{Bound, lower_bound};
use super::vote::Votes;
use crate::policy::rule::Evidence;

/// One whole, in parts per million.
const WHOLE: u32 = 1_000_000;

/// What one source told of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// By block of time.
    pub blocks: BTreeMap<u64, Block>,
}

impl Told {
    /// Counts what came of some obligations in a block.
    pub fn add(&mut self, at: u64, block: &Block) {
        self.blocks.entry(at).or_default().merge(block);
    }

    /// Takes all of `other`.
    pub fn merge(&mut self, other: &Self) {
        other.blocks.iter().for_each(|(at, block)| self.add(*at, block));
    }

    /// What counts of it: outages are left out, the oldest first, until they are the most that the policy leaves out.
    pub fn heard(&self, rule: &Evidence) -> Heard {
        let all = self.blocks.values();
        let all = all.map(|block| block.count().saturating_add(block.outage));
        let room = u128::from(all.fold(0, u64::saturating_add))
            * u128::from(rule.outage.excused_share_max_ppm.0)
            / u128::from(WHOLE);
        let mut room = u64::try_from(room).unwrap_or(u64::MAX);
        let mut heard = Heard::default();
        for block in self.blocks.values() {
            let (block, excused) = block.excuse(room);
            room -= excused;
            heard.weight.add(&block.weight(rule.correlation_ppm));
            heard.sum.merge(&block);
        }
        heard
    }
}

/// What counts of one source's word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Heard {
    /// Over all blocks.
    pub sum: Block,
    /// What that weighs.
    pub weight: Weight,
}

impl Heard {
    /// Whether it is enough to count.
    pub fn counts(&self, rule: &Evidence) -> bool {
        self.observations() >= rule.source_observations_min
    }

    /// How many independent observations it is worth, rounded down.
    pub fn observations(&self) -> u64 {
        let whole = self.weight.observations / u128::from(WHOLE);
        u64::try_from(whole).unwrap_or(MAX_JSON_INTEGER).min(MAX_JSON_INTEGER)
    }
}

/// One who told, and the party it belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Voice {
    /// Who told.
    pub address: Address,
    /// The name of its cluster.
    pub cluster: Address,
}

/// What all sources together prove.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// How many obligations of the deciding source make one independent observation, in parts per million, rounded up.
    pub effect_ppm: u64,
    /// The independent observations that count as evidence.
    pub evidence: u64,
    /// Those of them that were not met, rounded up.
    pub failures: u64,
    /// The truth is not below this.
    pub lower: Ppm,
    /// The share met as the deciding source saw it, rounded down.
    pub rate: Ppm,
    /// Whose bound is the low median.
    pub source: Address,
    /// How many clusters had a source that saw enough.
    pub sources: u64,
    /// The truth is not above this, by the word of the deciding source.
    pub upper: Ppm,
    /// How many observations stand behind a source of middling size, whoever decides: what it weighs beside others.
    pub weight: u64,
}

/// A source that counts, with the evidence that stands behind its word.
struct Counted {
    evidence: u64,
    heard: Heard,
    voice: Voice,
}

impl Counted {
    /// How many of the evidence were not met, as the source saw it, rounded up.
    fn failures(&self) -> u64 {
        scale_ceil(self.evidence, self.heard.weight.failures, &self.heard.weight)
    }
}

/// What the sources prove; nothing where none saw enough, or no evidence is left.
pub fn prove(told: &BTreeMap<Voice, Heard>, rule: &Evidence) -> Option<Proof> {
    let heard: Vec<(&Voice, &Heard)> =
        told.iter().filter(|(_, heard)| heard.counts(rule)).collect();
    let votes = Votes::of(heard.iter().map(|(voice, _)| voice.cluster));
    let counted = heard.iter().map(|(voice, mine)| Counted {
        evidence: evidence(mine.weight.observations, &heard, &votes, rule),
        heard: **mine,
        voice: **voice,
    });
    let counted: Vec<Counted> = counted.collect();

    let bounds = counted.iter().map(|it| {
        let failures = it.failures();
        Bound::of(it.evidence - failures, failures, rule.confidence())
    });
    let (lower, decides) = votes.low_median(&bounds.collect::<Vec<_>>())?;
    let source = counted.get(decides).filter(|it| it.evidence > 0)?;
    let weight = source.heard.weight;
    let bad = scale_floor(source.evidence, weight.bad, &weight);
    let least_bad = lower_bound(bad, source.evidence - bad, rule.confidence());
    let mut sizes: Vec<u128> = heard.iter().map(|(_, heard)| heard.weight.observations).collect();
    sizes.sort_unstable();
    let middling = sizes.get(sizes.len().checked_sub(1)? / 2).copied()?;
    let obligations = BigUint::from(source.heard.sum.count()) * WHOLE * WHOLE;
    let observations = BigUint::from(weight.observations.max(1));
    let effect = (obligations + &observations - 1u8) / observations;
    Some(Proof {
        effect_ppm: u64::try_from(effect).unwrap_or(MAX_JSON_INTEGER).min(MAX_JSON_INTEGER),
        evidence: source.evidence,
        failures: source.failures(),
        lower,
        rate: Ppm(WHOLE.saturating_sub(
            u32::try_from(scale_ceil(u64::from(WHOLE), weight.failures, &weight)).unwrap_or(WHOLE),
        )),
        source: source.voice.address,
        sources: votes.parties(),
        upper: Ppm(WHOLE.saturating_sub(least_bad.0)),
        weight: evidence(middling, &heard, &votes, rule).max(1),
    })
}

/// The observations behind the word of a source that saw so many: those of all, each up to some times these, as much of
/// them as each has of its party's vote; of that, a share.
fn evidence(mine: u128, all: &[(&Voice, &Heard)], votes: &Votes, rule: &Evidence) -> u64 {
    let cap = mine.saturating_mul(u128::from(rule.cap_times));
    let capped = all.iter().map(|(voice, heard)| {
        heard.weight.observations.min(cap) / u128::from(votes.sharers(voice.cluster))
    });
    let sum = capped.fold(0, u128::saturating_add);
    let share = BigUint::from(sum) * rule.factor_ppm.0 / WHOLE / WHOLE;
    u64::try_from(share).unwrap_or(MAX_JSON_INTEGER).min(MAX_JSON_INTEGER)
}

/// `number` in the proportion of `part` to all of a weight, rounded up.
fn scale_ceil(number: u64, part: u128, whole: &Weight) -> u64 {
    let whole = BigUint::from(whole.observations.max(1));
    let scaled = (BigUint::from(number) * part + &whole - 1u8) / whole;
    u64::try_from(scaled).unwrap_or(number).min(number)
}

/// The same, rounded down.
fn scale_floor(number: u64, part: u128, whole: &Weight) -> u64 {
    let scaled = BigUint::from(number) * part / whole.observations.max(1);
    u64::try_from(scaled).unwrap_or(number).min(number)
}
