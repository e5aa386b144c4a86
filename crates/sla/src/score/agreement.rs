//! How often reporters contradict each other, with the interval in which the true rate lies.
//!
//! A gateway that disagrees with many operators is at fault itself, and so is an operator that disagrees with many
//! gateways. Nothing here enters a score.

use std::collections::{BTreeMap, BTreeSet};

use events::identity::Address;
use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use super::bound::lower_bound;
use super::cluster::Clusters;
use crate::policy::rule::Evidence;
use crate::tally::pair::{Disagreement, Pair, PairKey};

/// One whole, in parts per million.
const WHOLE: u32 = 1_000_000;

/// How far two reporters agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreement {
    /// Tenures they both spoke of.
    pub both: u64,
    /// How often they disagreed, by thing.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub disagreed: BTreeMap<Disagreement, u64>,
    /// Tenures in which they disagreed in something.
    pub disputed: u64,
    /// They disagree in at least this share.
    pub lower: Ppm,
    /// Tenures of which the other, who speaks elsewhere, said nothing: a missing mirror.
    pub missing: u64,
    /// The operator that had the work, or a tester that saw it.
    pub other: Address,
    /// Whether the two are one party, so that the word of the one about the other is no evidence: self-dealing.
    pub self_dealing: bool,
    /// Who told.
    pub teller: Address,
    /// They disagree in at most this share.
    pub upper: Ppm,
}

/// The pairs of reporters that are known to speak, or to be one party.
pub fn agreements(
    pairs: &BTreeMap<PairKey, Pair>,
    clusters: &Clusters,
    rule: &Evidence,
) -> Vec<Agreement> {
    let speaking = pairs.iter().filter(|(_, pair)| pair.both > 0);
    let speaks: BTreeSet<Address> = speaking.map(|(key, _)| key.other).collect();
    let shown = pairs.iter().filter_map(|(key, pair)| {
        let self_dealing = clusters.are_linked(key.teller, key.other);
        (self_dealing || speaks.contains(&key.other)).then(|| {
            let agreed = pair.both - pair.disputed.min(pair.both);
            let bound = |part, rest| lower_bound(part, rest, rule.confidence());
            Agreement {
                both: pair.both,
                disagreed: pair.disagreed.clone(),
                disputed: pair.disputed,
                lower: bound(pair.disputed, agreed),
                missing: if speaks.contains(&key.other) { pair.unmirrored } else { 0 },
                other: key.other,
                self_dealing,
                teller: key.teller,
                upper: Ppm(WHOLE.saturating_sub(bound(agreed, pair.disputed).0)),
            }
        })
    });
    shown.collect()
}
