//! One day of one kind of work under a policy: whose jobs would have gone elsewhere, where to, and what is known of that.
//!
//! Jobs are whole and none is lost: each stays, moves, or is counted as unknown for one reason. What is rounded is rounded
//! against the policy.

use std::collections::BTreeMap;

use events::identity::{Address, GatewayName};
use events::unit::Millis;

use super::Unknown;
use super::book::{Book, Given, Page, Sums};
use super::record::{Bounds, Carried};
use crate::tally::add;
use crate::tally::cell::WorkClass;

/// Parts of a failure: what is expected of whom is rarely whole.
const MILLIONTHS: u128 = 1_000_000;

/// Microseconds in a millisecond.
const MICROS: u128 = 1_000;

/// In how many of a day's turns an operator would have been listed; of those missing here nothing was known.
pub(super) type Listing = BTreeMap<Address, u64>;

/// What became of the jobs of one gateway, or of all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Effect {
    pub avoided_millionths: i128,
    pub cost_after_wei: u128,
    pub cost_before_wei: u128,
    pub cost_jobs: u64,
    pub failures: u64,
    pub jobs: u64,
    pub latency_after_us: u128,
    pub latency_before_us: u128,
    pub latency_jobs: u64,
    pub moved: u64,
}

/// What a day would have changed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub gained: BTreeMap<Address, u64>,
    pub gateways: BTreeMap<GatewayName, Effect>,
    pub lost: BTreeMap<Address, u64>,
    pub served: BTreeMap<Address, u64>,
    pub unknown: BTreeMap<Unknown, u64>,
}

impl Change {
    pub fn leave(&mut self, jobs: u64, why: Unknown) {
        if jobs > 0 {
            add(self.unknown.entry(why).or_default(), jobs);
        }
    }

    /// Counts what was recorded, whatever becomes of it.
    pub fn count(&mut self, page: &Page) {
        for (operator, sums) in &page.all {
            add(self.served.entry(*operator).or_default(), sums.jobs);
        }
        for (gateway, given) in &page.gateways {
            let effect = self.gateways.entry(gateway.clone()).or_default();
            for sums in given.values() {
                add(&mut effect.jobs, sums.jobs);
                add(&mut effect.failures, sums.failures);
            }
        }
    }

    /// What became of the jobs of all gateways together.
    pub fn all(&self) -> Effect {
        let mut all = Effect::default();
        self.gateways.values().for_each(|effect| all.add(effect));
        all
    }
}

impl Effect {
    fn add(&mut self, other: &Self) {
        self.avoided_millionths = self.avoided_millionths.saturating_add(other.avoided_millionths);
        self.cost_after_wei = self.cost_after_wei.saturating_add(other.cost_after_wei);
        self.cost_before_wei = self.cost_before_wei.saturating_add(other.cost_before_wei);
        add(&mut self.cost_jobs, other.cost_jobs);
        add(&mut self.failures, other.failures);
        add(&mut self.jobs, other.jobs);
        self.latency_after_us = self.latency_after_us.saturating_add(other.latency_after_us);
        self.latency_before_us = self.latency_before_us.saturating_add(other.latency_before_us);
        add(&mut self.latency_jobs, other.latency_jobs);
        add(&mut self.moved, other.moved);
    }

    /// Moves jobs from one whose outcomes were `from` to one whose outcomes are `to`.
    fn shift(&mut self, jobs: u64, from: &Sums, to: &Sums) {
        let many = u128::from(jobs);
        let part = |of: u64| u128::from(of).saturating_mul(many).saturating_mul(MILLIONTHS);
        let was = part(from.failures) / u128::from(from.jobs.max(1));
        let would_be = part(to.failures).div_ceil(u128::from(to.jobs.max(1)));
        let signed = |number: u128| i128::try_from(number).unwrap_or(i128::MAX);
        let avoided = signed(was).saturating_sub(signed(would_be));
        self.avoided_millionths = self.avoided_millionths.saturating_add(avoided);
        let (one, other) = (from.latency_ms, to.latency_ms);
        if one.count > 0 && other.count > 0 {
            let sum = |mean: u64| u128::from(mean).saturating_mul(many).saturating_mul(MICROS);
            let (was, would_be) = (
                sum(one.sum) / u128::from(one.count),
                sum(other.sum).div_ceil(u128::from(other.count)),
            );
            self.latency_before_us = self.latency_before_us.saturating_add(was);
            self.latency_after_us = self.latency_after_us.saturating_add(would_be);
            add(&mut self.latency_jobs, jobs);
        }
        if let (Some((one, one_jobs)), Some((other, other_jobs))) = (from.cost(), to.cost()) {
            let was = one.0.saturating_mul(many) / u128::from(one_jobs);
            let would_be = other.0.saturating_mul(many).div_ceil(u128::from(other_jobs));
            self.cost_before_wei = self.cost_before_wei.saturating_add(was);
            self.cost_after_wei = self.cost_after_wei.saturating_add(would_be);
            add(&mut self.cost_jobs, jobs);
        }
    }
}

/// How much more of a kind of work each operator could carry that day, where that is known.
struct Room {
    left: BTreeMap<Address, (Option<u64>, Option<Millis>)>,
}

impl Room {
    fn of(carried: &[Carried], work: &WorkClass, page: &Page) -> Self {
        let theirs = carried.iter().filter(|carried| carried.work == *work);
        let left = theirs.map(|carried| {
            let own = page.all.get(&carried.operator).copied().unwrap_or_default();
            let jobs = carried.jobs_max.map(|most| most.saturating_sub(own.jobs));
            let served =
                carried.served_max_ms.map(|most| Millis(most.0.saturating_sub(own.served_ms)));
            (carried.operator, (jobs, served))
        });
        Self { left: left.collect() }
    }

    /// Takes room for as many of `jobs` as there is, of `each` if that is known.
    fn take(&mut self, operator: Address, jobs: u64, each: Option<Millis>) -> u64 {
        let Some((jobs_left, served_left)) = self.left.get_mut(&operator) else { return jobs };
        let by_jobs = jobs_left.unwrap_or(u64::MAX);
        let by_time = match (&served_left, each) {
            (Some(left), Some(each)) => left.0.checked_div(each.0).unwrap_or(u64::MAX),
            _ => u64::MAX,
        };
        let taken = jobs.min(by_jobs).min(by_time);
        if let Some(left) = jobs_left {
            *left = left.saturating_sub(taken);
        }
        if let (Some(left), Some(each)) = (served_left, each) {
            left.0 = left.0.saturating_sub(taken.saturating_mul(each.0));
        }
        taken
    }
}

/// A day of one kind of work.
pub(super) struct Scene<'a> {
    pub book: &'a Book,
    pub bounds: Bounds,
    pub carried: &'a [Carried],
    pub day: u64,
    pub listing: &'a Listing,
    /// How many turns the day has.
    pub turns: u64,
    pub work: &'a WorkClass,
}

impl Scene<'_> {
    /// Adds what the policy would have changed of `page`.
    pub fn play(&self, page: &Page, change: &mut Change) {
        let mut room = Room::of(self.carried, self.work, page);
        for (gateway, given) in &page.gateways {
            let weights = self.weights(gateway, given);
            for (operator, sums) in given {
                let Some(listed) = self.listing.get(operator) else {
                    change.leave(sums.jobs, Unknown::NotJudged);
                    continue;
                };
                let missed = self.turns.saturating_sub(*listed);
                let leaving = nearest_part(sums.jobs, missed, self.turns);
                if leaving > 0 {
                    let donor = Donor { gateway, leaving, operator: *operator, sums };
                    self.move_jobs(&donor, &weights, &mut room, change);
                }
            }
        }
    }

    /// How a gateway shares its work among those listed all day: as it did that day, or else around it.
    fn weights(&self, gateway: &GatewayName, given: &Given) -> BTreeMap<Address, u64> {
        let listed = |given: &Given| -> BTreeMap<Address, u64> {
            let jobs = given.iter().map(|(operator, sums)| (*operator, sums.jobs));
            let is_listed = |operator: &Address| self.listing.get(operator) == Some(&self.turns);
            jobs.filter(|(operator, jobs)| *jobs > 0 && is_listed(operator)).collect()
        };
        let today = listed(given);
        if today.is_empty() {
            listed(&self.book.given_around(self.day, self.work, gateway, self.bounds))
        } else {
            today
        }
    }

    fn move_jobs(
        &self,
        donor: &Donor<'_>,
        weights: &BTreeMap<Address, u64>,
        room: &mut Room,
        change: &mut Change,
    ) {
        if weights.is_empty() {
            change.leave(donor.leaving, Unknown::NoAlternative);
            return;
        }
        for (receiver, jobs) in apportion(donor.leaving, weights) {
            let rates = self.book.rates(self.day, self.work, donor.gateway, receiver, self.bounds);
            let Some(rates) = rates else {
                change.leave(jobs, Unknown::NoRecord);
                continue;
            };
            let taken = room.take(receiver, jobs, donor.sums.served_each());
            change.leave(jobs - taken, Unknown::NoRoom);
            if taken > 0 {
                let effect = change.gateways.entry(donor.gateway.clone()).or_default();
                effect.shift(taken, donor.sums, &rates);
                add(&mut effect.moved, taken);
                add(change.lost.entry(donor.operator).or_default(), taken);
                add(change.gained.entry(receiver).or_default(), taken);
            }
        }
    }
}

/// Jobs of one operator that would have gone elsewhere.
struct Donor<'a> {
    gateway: &'a GatewayName,
    leaving: u64,
    operator: Address,
    sums: &'a Sums,
}

/// `part / whole` of a number to the nearest, halves up.
fn nearest_part(number: u64, part: u64, whole: u64) -> u64 {
    let whole = u128::from(whole.max(1));
    let nearest = (u128::from(number) * u128::from(part) * 2 + whole) / (whole * 2);
    u64::try_from(nearest).unwrap_or(number).min(number)
}

/// Shares jobs out in proportion to weights, whole ones by the largest remainder, of equal ones to the larger weight.
fn apportion(jobs: u64, weights: &BTreeMap<Address, u64>) -> BTreeMap<Address, u64> {
    let sum: u128 = weights.values().map(|weight| u128::from(*weight)).sum::<u128>().max(1);
    let mut shares = BTreeMap::new();
    let mut rest = Vec::new();
    for (address, weight) in weights {
        let exact = u128::from(jobs) * u128::from(*weight);
        shares.insert(*address, u64::try_from(exact / sum).unwrap_or(jobs));
        rest.push((exact % sum, *weight, *address));
    }
    rest.sort_unstable_by(|one, other| other.cmp(one));
    let given: u64 = shares.values().sum();
    let left = usize::try_from(jobs.saturating_sub(given)).unwrap_or(usize::MAX);
    for (_, _, address) in rest.into_iter().take(left) {
        *shares.entry(address).or_default() += 1;
    }
    shares
}
