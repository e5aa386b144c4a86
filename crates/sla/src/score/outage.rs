//! Outages: where so many operators fail at once, by one source's word, that it is no longer theirs.
//!
//! Each source's word excuses only what it told itself, so that nobody excuses what others saw by claiming that
//! everybody failed.

use std::collections::{BTreeMap, BTreeSet};

use events::identity::Address;

use super::gather::{Place, Row};
use crate::policy::rule::Outage;

/// Where and by whose word operators failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Scene {
    /// The block of time.
    pub block: u64,
    /// The region.
    pub region: Place,
    /// The source.
    pub source: Address,
}

/// What one cluster of operators came to at one scene.
#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    bad: u64,
    count: u64,
}

/// The scenes of outages, from rows that count, each with its source and the cluster of the operator it is about.
pub fn outages<'a>(
    rows: impl Iterator<Item = (&'a Row, Address, Address)>,
    rule: &Outage,
) -> BTreeSet<Scene> {
    let mut scenes: BTreeMap<Scene, BTreeMap<Address, Fate>> = BTreeMap::new();
    for (row, source, operator) in rows {
        let scene = Scene { block: row.block, region: row.region, source };
        let fate = scenes.entry(scene).or_default().entry(operator).or_default();
        for part in &row.parts {
            fate.bad = fate.bad.saturating_add(part.bad);
            fate.count = fate.count.saturating_add(part.count());
        }
    }
    let is_down = |fate: &&Fate| {
        let share = u128::from(fate.count) * u128::from(rule.bad_share_ppm.0);
        fate.count >= rule.obligations_min && u128::from(fate.bad) * 1_000_000 >= share
    };
    let is_outage = |fates: &BTreeMap<Address, Fate>| {
        let down = fates.values().filter(is_down).count();
        u64::try_from(down).unwrap_or(u64::MAX) >= rule.operators_min
    };
    scenes.into_iter().filter(|(_, fates)| is_outage(fates)).map(|(scene, _)| scene).collect()
}
