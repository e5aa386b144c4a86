//! Rows of evidence out of any number of tallies, in no particular order: what a policy's components count, and nothing
//! else, so that four weeks of a network fit in memory.

use std::collections::{BTreeMap, BTreeSet};

use events::identity::{Address, Region, ServiceUrl};

use crate::policy::rule::Evidence;
use crate::register::Register;
use crate::tally::cell::{Cell, CellKey, WorkClass};
use crate::tally::outcome::{Counts, Obligation};
use crate::tally::pair::{Pair, PairKey};
use crate::tally::{Tally, add};
use crate::window::Hour;

/// Whom a result is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Who {
    /// The operator.
    pub operator: Option<Address>,
    /// The signer, only where the operator is unknown.
    pub signer: Option<Address>,
}

/// The place of a distinct value among those that were met.
pub type Place = u32;

/// The distinct values that were met, each with its place.
#[derive(Debug)]
pub struct Places<T> {
    places: BTreeMap<T, Place>,
}

impl<T: Ord + Clone> Places<T> {
    fn new() -> Self {
        Self { places: BTreeMap::new() }
    }

    fn of(&mut self, value: &T) -> Place {
        if let Some(place) = self.places.get(value) {
            return *place;
        }
        let place = Place::try_from(self.places.len()).unwrap_or(Place::MAX);
        self.places.insert(value.clone(), place);
        place
    }

    /// The values by their places.
    pub fn values(&self) -> BTreeMap<Place, &T> {
        self.places.iter().map(|(value, place)| (*place, value)).collect()
    }
}

/// What one row counts for one component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// Not met.
    pub bad: u64,
    /// The component, by its place in the policy.
    pub component: usize,
    /// Contradicted.
    pub disputed: u64,
    /// Met.
    pub good: u64,
    /// How many sessions owed it, at least: as many as its most frequent obligation.
    pub sessions: u64,
}

/// One row of evidence.
#[derive(Debug, Clone)]
pub struct Row {
    /// The block of time.
    pub block: u64,
    /// The kind of work.
    pub class: Place,
    /// Whether an unsigned feed told it.
    pub collected: bool,
    /// What it counts.
    pub parts: Box<[Part]>,
    /// The region.
    pub region: Place,
    /// Who told it.
    pub reporters: Place,
    /// Whom it is about.
    pub who: Place,
}

/// What is shown beside a score, whatever became of the evidence.
#[derive(Debug, Clone, Default)]
pub struct Shown {
    /// Outcomes that only unsigned feeds told.
    pub collected: BTreeMap<Obligation, Counts>,
    /// Obligations of components that nobody but the operator told of.
    pub own: u64,
    /// Outcomes that somebody signed for.
    pub signed: BTreeMap<Obligation, Counts>,
    /// Tenures that began.
    pub tenures: u64,
    /// Where it answered.
    pub urls: BTreeSet<ServiceUrl>,
}

impl Shown {
    /// Takes all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in
            [(&mut self.collected, &other.collected), (&mut self.signed, &other.signed)]
        {
            for (obligation, more) in theirs {
                mine.entry(*obligation).or_default().merge(more);
            }
        }
        add(&mut self.own, other.own);
        add(&mut self.tenures, other.tenures);
        self.urls.extend(other.urls.iter().cloned());
    }
}

/// Everything a score is made of.
pub struct Gathered<'a> {
    /// The kinds of work.
    pub classes: Places<WorkClass>,
    /// How far reporters agree.
    pub pairs: BTreeMap<PairKey, Pair>,
    /// The regions.
    pub regions: Places<Option<Region>>,
    /// The standing of everybody, with what these tallies add.
    pub register: Register,
    /// The sets of reporters.
    pub reporters: Places<Vec<Address>>,
    /// The rows.
    pub rows: Vec<Row>,
    rule: &'a Evidence,
    /// What is shown, by whom it is about and kind of work.
    pub shown: BTreeMap<(Who, WorkClass), Shown>,
    /// Whom the rows are about.
    pub who: Places<Who>,
}

impl<'a> Gathered<'a> {
    /// Nothing but the standing of everybody.
    pub fn new(register: Register, rule: &'a Evidence) -> Self {
        Self {
            classes: Places::new(),
            pairs: BTreeMap::new(),
            regions: Places::new(),
            register,
            reporters: Places::new(),
            rows: Vec::new(),
            rule,
            shown: BTreeMap::new(),
            who: Places::new(),
        }
    }

    /// Takes the counts of an hour.
    pub fn add(&mut self, hour: Hour, tally: &Tally) {
        self.register.add(hour, tally);
        for (key, pair) in &tally.pairs {
            self.pairs.entry(*key).or_default().merge(pair);
        }
        for (key, cell) in tally.cells.iter().filter(|(_, cell)| cell.counts()) {
            let who = Who { operator: key.subject.operator, signer: key.subject.signer };
            let parts = self.parts(key, cell);
            self.show(who, key, cell, &parts);
            if !key.reporters.is_empty() && !parts.is_empty() {
                let row = Row {
                    block: key.block,
                    class: self.classes.of(&key.class),
                    collected: key.collected,
                    parts,
                    region: self.regions.of(&key.region),
                    reporters: self.reporters.of(&key.reporters),
                    who: self.who.of(&who),
                };
                self.rows.push(row);
            }
        }
    }

    fn show(&mut self, who: Who, key: &CellKey, cell: &Cell, parts: &[Part]) {
        let shown = self.shown.entry((who, key.class.clone())).or_default();
        add(&mut shown.tenures, cell.tenures);
        shown.urls.extend(key.subject.url.clone());
        if key.reporters.is_empty() {
            parts.iter().for_each(|part| add(&mut shown.own, part.count()));
            return;
        }
        let counts = if key.collected { &mut shown.collected } else { &mut shown.signed };
        for (obligation, more) in &cell.obligations {
            counts.entry(*obligation).or_default().merge(more);
        }
    }

    /// What a cell counts for each component of its workload.
    fn parts(&self, key: &CellKey, cell: &Cell) -> Box<[Part]> {
        let places = (0..).zip(&self.rule.component);
        let mine = places.filter(|(_, component)| component.workload == key.class.workload);
        let parts = mine.filter_map(|(component, of)| {
            let mut part = Part { bad: 0, component, disputed: 0, good: 0, sessions: 0 };
            for obligation in &of.obligations {
                let Some(counts) = cell.obligations.get(obligation) else { continue };
                part.bad = part.bad.saturating_add(counts.bad);
                part.disputed = part.disputed.saturating_add(counts.disputed);
                part.good = part.good.saturating_add(counts.good);
                part.sessions = part.sessions.max(counts.known());
            }
            (part.count() > 0).then_some(part)
        });
        parts.collect()
    }
}

impl Part {
    /// How many obligations came to something.
    pub fn count(&self) -> u64 {
        self.good.saturating_add(self.bad).saturating_add(self.disputed)
    }
}
