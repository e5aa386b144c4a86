//! The regions that tests of the leaderboard are made in, as its clients know them. It holds names and no tests.

use events::identity::Region;

/// A region, and what is tested there.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// What it is called in requests and answers.
    pub id: &'static str,
    /// Its display name.
    pub name: &'static str,
    /// Whether models are tested there.
    pub ai: bool,
    /// Whether transcoding is.
    pub transcoding: bool,
}

/// Declares places: id, name, whether models are tested there, whether transcoding is.
const fn place(id: &'static str, name: &'static str, ai: bool, transcoding: bool) -> Place {
    Place { id, name, ai, transcoding }
}

/// Every region. `GLOBAL` is none of transcoding: clients make that one themselves.
pub const ALL: &[Place] = &[
    place("ASH", "Ashburn", false, true),
    place("ATL", "Atlanta", false, true),
    place("ATL2", "Atlanta 2", false, true),
    place("FRA", "Frankfurt", true, true),
    place("GLOBAL", "Global", true, false),
    place("HND", "Tokyo Haneda", false, true),
    place("HOU", "Houston", false, true),
    place("LAX", "Los Angeles", true, true),
    place("LON", "London", false, true),
    place("MAD", "Madrid", false, true),
    place("MDW", "Chicago", true, true),
    place("MIA", "Miami", false, true),
    place("MOS2", "Moscow", false, true),
    place("NYC", "New York", false, true),
    place("PRG", "Prague", false, true),
    place("SAO", "São Paulo", false, true),
    place("SEA", "Seattle", true, true),
    place("SIN", "Singapore", false, true),
    place("SJO", "San José", false, true),
    place("STO", "Stockholm", false, true),
    place("SYD", "Sydney", false, true),
    place("TOR", "Toronto", false, true),
];

/// Their names, as events have them.
pub fn ids() -> impl Iterator<Item = Region> {
    ALL.iter().filter_map(|place| place.id.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_region_can_be_named_once() {
        let known: std::collections::BTreeSet<Region> = ids().collect();
        assert_eq!(known.len(), ALL.len());
        assert!(ALL.iter().all(|place| place.ai || place.transcoding));
    }
}
