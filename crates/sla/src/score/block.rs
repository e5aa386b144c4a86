//! How much a block of time shows: what happens in it at once is partly one event seen many times.
//!
//! The sessions of a block are taken to be correlated by a constant of the policy. How much they weigh depends on how
//! many there were and never on how they went, so nothing that fails can make other failures weigh less.

use events::unit::Ppm;

use crate::tally::add;

/// Observations are reckoned in millionths.
const MICRO: u128 = 1_000_000;

/// What one source saw in one block of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Block {
    /// Not met.
    pub bad: u64,
    /// Contradicted.
    pub disputed: u64,
    /// Met.
    pub good: u64,
    /// Not met in an outage; left out as far as the policy goes.
    pub outage: u64,
    /// How many sessions owed all this, at least.
    pub sessions: u64,
}

impl Block {
    /// Takes all of `other`.
    pub fn merge(&mut self, other: &Self) {
        add(&mut self.bad, other.bad);
        add(&mut self.disputed, other.disputed);
        add(&mut self.good, other.good);
        add(&mut self.outage, other.outage);
        add(&mut self.sessions, other.sessions);
    }

    /// How many obligations came to something.
    pub fn count(&self) -> u64 {
        self.good.saturating_add(self.bad).saturating_add(self.disputed)
    }

    /// The same, with at most `room` of its obligations left out for an outage, and sessions in proportion; and how many
    /// were.
    pub fn excuse(mut self, room: u64) -> (Self, u64) {
        let excused = self.outage.min(room);
        add(&mut self.bad, self.outage - excused);
        self.outage = excused;
        let (left, all) =
            (u128::from(self.count()), u128::from(self.count()) + u128::from(excused));
        if excused > 0 {
            let sessions = share_ceil(u128::from(self.sessions), left, all);
            self.sessions = u64::try_from(sessions).unwrap_or(self.sessions);
        }
        (self, excused)
    }

    /// What it weighs: m sessions as m / (1 + correlation x (m - 1)) observations, rounded down, which failed in the
    /// proportion of its obligations.
    pub fn weight(&self, correlation: Ppm) -> Weight {
        let count = u128::from(self.count());
        let sessions = u128::from(self.sessions.min(self.count()));
        if sessions == 0 {
            return Weight::default();
        }
        let alike = MICRO + u128::from(correlation.0) * (sessions - 1);
        let observations = sessions * MICRO * MICRO / alike;
        let failed = u128::from(self.bad.saturating_add(self.disputed));
        Weight {
            bad: share_floor(observations, u128::from(self.bad), count),
            failures: share_ceil(observations, failed, count),
            observations,
        }
    }
}

/// `number * part / whole`, rounded down, where neither part nor whole exceeds what JSON can carry.
fn share_floor(number: u128, part: u128, whole: u128) -> u128 {
    // In two steps, because the product of two large numbers would not fit.
    let (times, rest) = (number / whole, number % whole);
    times * part + rest * part / whole
}

/// The same, rounded up.
fn share_ceil(number: u128, part: u128, whole: u128) -> u128 {
    let (times, rest) = (number / whole, number % whole);
    times * part + (rest * part).div_ceil(whole)
}

/// Independent observations, in millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Weight {
    /// Those that were not met beyond doubt.
    pub bad: u128,
    /// Those that were not met, or are contradicted.
    pub failures: u128,
    /// All of them.
    pub observations: u128,
}

impl Weight {
    /// Takes all of `other`.
    pub fn add(&mut self, other: &Self) {
        self.bad = self.bad.saturating_add(other.bad);
        self.failures = self.failures.saturating_add(other.failures);
        self.observations = self.observations.saturating_add(other.observations);
    }
}
