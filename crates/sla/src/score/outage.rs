//! Outages: where so many operators fail at once, by one source's word, that it is no longer theirs.
//!
//! Each source's word excuses only what it told itself, and only those whom it saw failing as much as the others, so that
//! nobody excuses what others saw by claiming that everybody failed, and few failures do not hide behind many.

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

/// A scene, and a party of operators that an outage there excuses.
pub type Excused = (Scene, Address);

/// What one party of operators came to at one scene.
#[derive(Debug, Clone, Copy, Default)]
struct Fate {
    bad: u64,
    count: u64,
}

impl Fate {
    /// Whether at least the rule's share of it failed.
    fn failed(&self, rule: &Outage) -> bool {
        let share = u128::from(self.count) * u128::from(rule.bad_share_ppm.0);
        u128::from(self.bad) * 1_000_000 >= share
    }

    /// Whether it failed, and there was enough of it to say so.
    fn is_down(&self, rule: &Outage) -> bool {
        self.count >= rule.obligations_min && self.failed(rule)
    }
}

/// Who is excused where, from rows that count, each with its source and the party of the operator it is about.
pub fn outages<'a>(
    rows: impl Iterator<Item = (&'a Row, Address, Address)>,
    rule: &Outage,
) -> BTreeSet<Excused> {
    let mut scenes: BTreeMap<Scene, BTreeMap<Address, Fate>> = BTreeMap::new();
    for (row, source, operator) in rows {
        let scene = Scene { block: row.block, region: row.region, source };
        let fate = scenes.entry(scene).or_default().entry(operator).or_default();
        for part in &row.parts {
            fate.bad = fate.bad.saturating_add(part.bad);
            fate.count = fate.count.saturating_add(part.count());
        }
    }
    let is_outage = |fates: &BTreeMap<Address, Fate>| {
        let down = fates.values().filter(|fate| fate.is_down(rule)).count();
        u64::try_from(down).unwrap_or(u64::MAX) >= rule.operators_min
    };
    let scenes = scenes.into_iter().filter(|(_, fates)| is_outage(fates));
    let excused = scenes.flat_map(|(scene, fates)| {
        let failed = fates.into_iter().filter(|(_, fate)| fate.failed(rule));
        failed.map(move |(operator, _)| (scene, operator)).collect::<Vec<_>>()
    });
    excused.collect()
}
