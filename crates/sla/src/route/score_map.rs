//! The answer in go-livepeer's words: a map of addresses to regions to scores, for its `-orchPerfStatsUrl`.
//!
//! A gateway never forgets a score, so that nobody who was served may ever be missing: who is left out is an explicit 0. It
//! takes the numbers as a threshold and nothing else, so that they say who is listed, not how good anybody is.

use std::collections::{BTreeMap, BTreeSet};

use events::identity::{Address, Region};
use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use super::candidate::{Candidate, by_operator};
use super::choose::arrange;
use super::judge::Bench;
use super::policy::RoutingPolicy;
use super::turn::Turn;
use super::work::Asked;

/// The region of gateways that name none.
pub const GLOBAL: &str = "GLOBAL";

/// Everything that a map ever had in it. Whoever serves maps keeps it, and adds what [`score_map`] returns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The addresses.
    pub addresses: BTreeSet<Address>,
    /// The regions.
    pub regions: BTreeSet<Region>,
}

/// For each address ever known, what a gateway in each region is to take for its score.
pub type ScoreMap = BTreeMap<Address, BTreeMap<String, Ppm>>;

/// The score map of a turn: every address ever served and every candidate, for `GLOBAL` and each region that was served,
/// is asked for, or has a candidate. Regions are in capitals, because go-livepeer looks them up so.
///
/// An address is one here wherever it answers, the gateway finds its URL itself, and there is no list to grow too long.
pub fn score_map(
    policy: &RoutingPolicy,
    asked: &Asked,
    candidates: &[Candidate],
    served: &Served,
    turn: Turn,
) -> ScoreMap {
    let merged = by_operator(candidates);
    let merged: Vec<_> = merged.iter().collect();
    let known = served.regions.iter().chain(&asked.region).chain(&policy.regions.prefer);
    let known = known.chain(merged.iter().flat_map(|candidate| &candidate.regions));
    let capitals: BTreeMap<String, &Region> =
        known.map(|region| (region.as_str().to_ascii_uppercase(), region)).collect();
    let regions = capitals.iter().map(|(name, region)| (name.as_str(), Some(*region)));
    let regions: BTreeMap<&str, Option<&Region>> = regions.chain([(GLOBAL, None)]).collect();
    let addresses = served.addresses.iter().copied();
    let addresses = addresses.chain(merged.iter().map(|candidate| candidate.operator));
    let none: BTreeMap<String, Ppm> =
        regions.keys().map(|region| ((*region).to_owned(), Ppm(0))).collect();
    let mut map: ScoreMap = addresses.map(|address| (address, none.clone())).collect();
    for (name, region) in regions {
        let asked = Asked { region: region.cloned(), ..asked.clone() };
        let bench = Bench { asked: &asked, needs_url: false, turn, policy };
        for entry in arrange(bench, &merged, u64::MAX).entries {
            let value = map.get_mut(&entry.operator).and_then(|regions| regions.get_mut(name));
            if let Some(value) = value {
                *value = entry.value;
            }
        }
    }
    map
}
