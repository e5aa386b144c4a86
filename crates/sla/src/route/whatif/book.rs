//! Recorded outcomes, added up so that any operator's can be looked up: of one gateway or of all, on one day or around it.

use std::collections::BTreeMap;

use events::identity::{Address, GatewayName};
use events::unit::{Millis, Wei};

use super::record::{Bounds, Day, Record};
use crate::score::fraction::Mean;
use crate::tally::cell::WorkClass;

/// Outcomes that were added up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub cost_jobs: u64,
    pub cost_wei: u128,
    pub failures: u64,
    pub jobs: u64,
    pub latency_ms: Mean,
    pub served_ms: u64,
}

impl Sums {
    fn of(record: &Record) -> Self {
        Self {
            cost_jobs: record.cost_jobs,
            cost_wei: record.cost_wei.0,
            failures: record.failures.min(record.jobs),
            jobs: record.jobs,
            latency_ms: record.latency_ms,
            served_ms: record.served_ms.0,
        }
    }

    fn add(&mut self, other: &Self) {
        self.cost_jobs = self.cost_jobs.saturating_add(other.cost_jobs);
        self.cost_wei = self.cost_wei.saturating_add(other.cost_wei);
        self.failures = self.failures.saturating_add(other.failures);
        self.jobs = self.jobs.saturating_add(other.jobs);
        self.latency_ms = self.latency_ms.plus(other.latency_ms);
        self.served_ms = self.served_ms.saturating_add(other.served_ms);
    }

    /// What one job cost: wei, and for how many.
    pub fn cost(&self) -> Option<(Wei, u64)> {
        (self.cost_jobs > 0).then_some((Wei(self.cost_wei), self.cost_jobs))
    }

    /// How long one job was served, rounded up; none where that is not known.
    pub fn served_each(&self) -> Option<Millis> {
        let is_known = self.jobs > 0 && self.served_ms > 0;
        is_known.then(|| Millis(self.served_ms.div_ceil(self.jobs)))
    }
}

/// What a gateway did with one kind of work: each operator's outcomes.
pub(super) type Given = BTreeMap<Address, Sums>;

/// One kind of work on one day: first of all gateways together, then of each.
#[derive(Debug, Default)]
pub(super) struct Page {
    pub all: Given,
    pub gateways: BTreeMap<GatewayName, Given>,
}

/// All that was recorded, by day and kind of work.
#[derive(Debug, Default)]
pub(super) struct Book {
    pages: BTreeMap<u64, BTreeMap<WorkClass, Page>>,
}

impl Book {
    pub fn of(days: &[Day]) -> Self {
        let mut book = Self::default();
        for day in days {
            let pages = book.pages.entry(day.day).or_default();
            for record in &day.records {
                let page = pages.entry(record.work.clone()).or_default();
                let sums = Sums::of(record);
                page.all.entry(record.operator).or_default().add(&sums);
                let gateway = page.gateways.entry(record.gateway.clone()).or_default();
                gateway.entry(record.operator).or_default().add(&sums);
            }
        }
        book
    }

    /// The kinds of work of a day.
    pub fn day(&self, day: u64) -> impl Iterator<Item = (&WorkClass, &Page)> {
        self.pages.get(&day).into_iter().flatten()
    }

    fn around(&self, day: u64, work: &WorkClass, bounds: Bounds) -> impl Iterator<Item = &Page> {
        let first = day.saturating_sub(bounds.around_days);
        let last = day.saturating_add(bounds.around_days);
        self.pages.range(first..=last).filter_map(|(_, pages)| pages.get(work))
    }

    /// To whom a gateway gave work of a kind around a day.
    pub fn given_around(
        &self,
        day: u64,
        work: &WorkClass,
        gateway: &GatewayName,
        bounds: Bounds,
    ) -> Given {
        let mut given = Given::new();
        for page in self.around(day, work, bounds) {
            for (operator, sums) in page.gateways.get(gateway).into_iter().flatten() {
                given.entry(*operator).or_default().add(sums);
            }
        }
        given
    }

    /// An operator's outcomes that make a rate: of this gateway that day, of it around the day, of everybody that day, or
    /// of everybody around it, whichever first has enough jobs.
    pub fn rates(
        &self,
        day: u64,
        work: &WorkClass,
        gateway: &GatewayName,
        operator: Address,
        bounds: Bounds,
    ) -> Option<Sums> {
        let today = self.pages.get(&day).and_then(|pages| pages.get(work));
        let of_gateway = |page: &Page| page.gateways.get(gateway)?.get(&operator).copied();
        let of_all = |page: &Page| page.all.get(&operator).copied();
        let around = |of: &dyn Fn(&Page) -> Option<Sums>| {
            let mut sums = Sums::default();
            for found in self.around(day, work, bounds).filter_map(of) {
                sums.add(&found);
            }
            sums
        };
        let is_enough = |sums: &Sums| sums.jobs >= bounds.jobs_min.max(1);
        let near = today.and_then(of_gateway).filter(is_enough);
        near.or_else(|| Some(around(&of_gateway)).filter(is_enough))
            .or_else(|| today.and_then(of_all).filter(is_enough))
            .or_else(|| Some(around(&of_all)).filter(is_enough))
    }
}
