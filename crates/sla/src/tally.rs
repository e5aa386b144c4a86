//! The counts of one hour: what every score, chart and comparison is made of.
//!
//! A tally is a sum: two tallies of disjoint jobs merge by addition, in any order. It keeps what a score needs exactly,
//! per subject, class, set of reporters, region and block of time, and nothing about single jobs.

pub mod cell;
pub mod link;
pub mod outcome;
pub mod pair;

use std::collections::BTreeMap;

use events::event::Origin;
use events::identity::{Address, GatewayName, Region};
use events::unit::MAX_JSON_INTEGER;
use serde::{Deserialize, Serialize};

use cell::{Cell, CellKey, WorkClass};
use link::Link;
use pair::{Pair, PairKey};

/// Where demand came from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DemandKey {
    /// What was asked for.
    pub class: WorkClass,
    /// The gateway an unsigned feed named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayName>,
    /// Whether it was wanted or a test.
    pub origin: Origin,
    /// The region it was asked in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Who reported it.
    pub reporter: Address,
}

/// How much was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Jobs whose first claim lies in the hour.
    pub jobs: u64,
    /// Milliseconds of tenures that lie in the hour.
    pub served_ms: u64,
    /// Jobs that found nobody.
    pub unserved: u64,
}

impl Demand {
    /// Counts more.
    pub fn add(&mut self, jobs: u64, served_ms: u64, unserved: u64) {
        add(&mut self.jobs, jobs);
        add(&mut self.served_ms, served_ms);
        add(&mut self.unserved, unserved);
    }
}

/// Adds up to what canonical JSON can carry, and stays there: so sums have no order even where they have no room.
pub(crate) fn add(sum: &mut u64, more: u64) {
    *sum = sum.saturating_add(more).min(MAX_JSON_INTEGER);
}

/// One row of a tally as it is written.
#[derive(Serialize, Deserialize)]
struct Row<K, V> {
    key: K,
    value: V,
}

/// The counts of an hour, or of several merged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Outcomes and distributions.
    #[serde(with = "rows")]
    pub cells: BTreeMap<CellKey, Cell>,
    /// Demand.
    #[serde(with = "rows")]
    pub demand: BTreeMap<DemandKey, Demand>,
    /// Who said which names belong together, and how often.
    #[serde(default, with = "rows", skip_serializing_if = "BTreeMap::is_empty")]
    pub links: BTreeMap<Link, u64>,
    /// How far reporters agree about the jobs they both spoke of.
    #[serde(default, with = "rows", skip_serializing_if = "BTreeMap::is_empty")]
    pub pairs: BTreeMap<PairKey, Pair>,
}

impl Tally {
    /// The cell under `key`, a new one where there was none.
    pub fn cell(&mut self, key: &CellKey) -> &mut Cell {
        if !self.cells.contains_key(key) {
            self.cells.insert(key.clone(), Cell::default());
        }
        self.cells.get_mut(key).expect("a missing one was just put there")
    }

    /// Counts all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (key, cell) in &other.cells {
            self.cells.entry(key.clone()).or_default().merge(cell);
        }
        for (key, demand) in &other.demand {
            let sum = self.demand.entry(key.clone()).or_default();
            sum.add(demand.jobs, demand.served_ms, demand.unserved);
        }
        for (link, count) in &other.links {
            add(self.links.entry(link.clone()).or_default(), *count);
        }
        for (key, pair) in &other.pairs {
            self.pairs.entry(*key).or_default().merge(pair);
        }
    }
}

/// Maps with structured keys, written as sorted lists of rows.
mod rows {
    use std::collections::BTreeMap;

    use serde::de::DeserializeOwned;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Row;

    pub fn serialize<S, K, V>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        S: Serializer,
        K: Serialize,
        V: Serialize,
    {
        serializer.collect_seq(map.iter().map(|(key, value)| Row { key, value }))
    }

    pub fn deserialize<'de, D, K, V>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        D: Deserializer<'de>,
        K: DeserializeOwned + Ord,
        V: DeserializeOwned,
    {
        let rows = Vec::<Row<K, V>>::deserialize(deserializer)?;
        Ok(rows.into_iter().map(|row| (row.key, row.value)).collect())
    }
}
