//! The low median of what parties say, where each party has one vote, shared by those who speak for it.

use std::collections::BTreeMap;

use events::identity::Address;
use events::unit::Ppm;
use num_bigint::BigUint;

use super::bound::Bound;

/// One whole, in parts per million.
const WHOLE: u32 = 1_000_000;

/// The votes of some who speak.
#[derive(Debug)]
pub struct Votes {
    /// The vote of each who speaks, in their order, in fractions that are whole numbers.
    each: Vec<BigUint>,
    /// How many speak for each party.
    parties: BTreeMap<Address, u64>,
    /// The votes of all together.
    total: BigUint,
}

impl Votes {
    /// One vote for each party: `speakers` are the parties of those who speak.
    pub fn of(speakers: impl Iterator<Item = Address> + Clone) -> Self {
        let mut parties: BTreeMap<Address, u64> = BTreeMap::new();
        for party in speakers.clone() {
            *parties.entry(party).or_default() += 1;
        }
        // A vote is the product of all numbers of speakers, so that each of them divides it.
        let mut sizes: Vec<u64> = parties.values().copied().collect();
        sizes.sort_unstable();
        sizes.dedup();
        let vote: BigUint = sizes.iter().product();
        let each =
            speakers.map(|party| &vote / parties.get(&party).copied().unwrap_or(1)).collect();
        let total = vote * parties.len();
        Self { each, parties, total }
    }

    /// How many share the vote of a party.
    pub fn sharers(&self, party: Address) -> u64 {
        self.parties.get(&party).copied().unwrap_or(1)
    }

    /// How many parties there are.
    pub fn parties(&self) -> u64 {
        u64::try_from(self.parties.len()).unwrap_or(u64::MAX)
    }

    /// The least bound such that it and those below it have half of the votes or more, and the place of the first who
    /// has it; nothing without a bound. Only bounds that may still be it are reckoned further, because exact ones are
    /// dear.
    pub fn low_median(&self, bounds: &[Bound]) -> Option<(Ppm, usize)> {
        let places = bounds.iter().enumerate().zip(&self.each);
        let mut open: Vec<_> = places.map(|((place, bound), vote)| (place, bound, vote)).collect();
        let mut below = BigUint::ZERO;
        let (mut low, mut high) = (0, WHOLE + 1);
        while high - low > 1 {
            let middle = low.midpoint(high);
            let (reaching, failing): (Vec<_>, Vec<_>) =
                open.iter().copied().partition(|(_, bound, _)| bound.reaches(Ppm(middle)));
            let lost = failing.iter().fold(below.clone(), |sum, (_, _, vote)| sum + *vote);
            if &lost * 2u8 < self.total {
                (low, below, open) = (middle, lost, reaching);
            } else {
                (high, open) = (middle, failing);
            }
        }
        open.first().map(|(place, _, _)| (Ppm(low), *place))
    }
}
