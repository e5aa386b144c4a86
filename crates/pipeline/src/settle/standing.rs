//! The standing of everybody as hours lean on it: registers of whole days, folded out of the counts of settled hours.
//!
//! Each is kept in the warehouse, so that a restart folds no history, and the last one in memory. What a register means
//! is said by `sla`; here is only which hours it is made of, and when it holds no more.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::event::Network;
use events::identity::Digest;
use sla::policy::Policy;
use sla::register::{DAYS_BACK, Register};
use sla::scorecard::canonical_bytes;
use sla::tally::Tally;
use sla::window::Hour;
use warehouse::page::Page;
use warehouse::record::{Restanding, Touch, Touched};
use warehouse::{Reader, Warehouse};

use crate::Error;

/// How many hours a day has.
const DAY_HOURS: u64 = 24;

/// Of each network a day and its register.
type Last = BTreeMap<Network, (u64, Arc<Register>)>;

/// The registers of a warehouse. Clones share what is in memory.
#[derive(Clone)]
pub struct Registers {
    /// Whether anything leans on them.
    are_asked_for: bool,
    /// Of each network the one asked for last.
    last: Arc<Mutex<Last>>,
}

impl Registers {
    /// Those that a policy asks for.
    pub fn new(policy: &Policy) -> Self {
        Self { are_asked_for: policy.score.asks_for_standing(), last: Arc::default() }
    }

    /// Keeps the empty one, which is all that the first days of a network lean on.
    pub fn keep_empty(&self, warehouse: &dyn Warehouse) -> Result<(), Error> {
        if self.are_asked_for {
            warehouse.record_document(&canonical_bytes(&Register::default()))?;
        }
        Ok(())
    }

    /// The register that a window leans on which ends with `last`.
    pub fn of(
        &self,
        warehouse: &dyn Warehouse,
        network: Network,
        last: Hour,
    ) -> Result<Arc<Register>, Error> {
        match Register::day_for(last).filter(|_| self.are_asked_for) {
            Some(day) => self.at(warehouse, network, day),
            None => Ok(Arc::default()),
        }
    }

    /// The register of a day, from the last one kept before it and the settled hours since.
    fn at(
        &self,
        warehouse: &dyn Warehouse,
        network: Network,
        day: u64,
    ) -> Result<Arc<Register>, Error> {
        let mut last = self.lock();
        if let Some((_, register)) = last.get(&network).filter(|(known, _)| *known == day) {
            return Ok(Arc::clone(register));
        }
        let kept = warehouse.register_at(network, day)?;
        let mut register = match kept {
            Some((_, digest)) => kept_register(warehouse, &digest)?,
            None => Register::default(),
        };
        let first = kept.map_or(Hour(0), |(kept, _)| first_of(kept.saturating_add(1)));
        let hours = warehouse.settled_hours(network, first..=last_of(day))?;
        for (place, pinned) in hours.iter().enumerate() {
            register.add(pinned.hour, &tally(warehouse, network, pinned.hour, pinned.revision)?);
            let day = pinned.hour.0 / DAY_HOURS;
            let next = hours.get(place + 1);
            if next.is_none_or(|next| next.hour.0 / DAY_HOURS != day) {
                warehouse.record_register(network, day, &canonical_bytes(&register))?;
            }
        }
        let register = Arc::new(register);
        last.insert(network, (day, Arc::clone(&register)));
        Ok(register)
    }

    /// What a revision of an hour does to the registers from its day on: nothing, where they say all of it without it.
    pub fn restanding(
        &self,
        warehouse: &dyn Warehouse,
        (network, hour): (Network, Hour),
        before: Option<u32>,
        now: &Tally,
        at_once: bool,
    ) -> Result<Option<Restanding>, Error> {
        if !self.are_asked_for {
            return Ok(None);
        }
        let day = hour.0 / DAY_HOURS;
        let leaning = first_of(day.saturating_add(DAYS_BACK));
        let newest = warehouse.windows(network, &Page::first(1))?.rows.pop();
        if newest.is_some_and(|newest| newest.hour >= leaning) {
            let said = contribution(hour, now);
            let known = self.at(warehouse, network, day)?;
            let was = match before {
                Some(revision) => contribution(hour, &tally(warehouse, network, hour, revision)?),
                None => Register::default(),
            };
            if holds(&said, &was) && holds(&known, &said) {
                return Ok(None);
            }
        }
        let hours = Touched::Known(leaning..=Hour(u64::MAX));
        Ok(Some(Restanding { day, touch: Touch { at_once, hours, network } }))
    }

    /// Lets go of what is in memory and holds no more.
    pub fn forget(&self, network: Network, restanding: &Restanding) {
        let mut last = self.lock();
        if last.get(&network).is_some_and(|(day, _)| *day >= restanding.day) {
            last.remove(&network);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Last> {
        // What a panic left there is whole: it is put there last.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What an hour says of the standing of everybody.
fn contribution(hour: Hour, tally: &Tally) -> Register {
    let mut register = Register::default();
    register.add(hour, tally);
    register
}

/// Whether a register says all that a part says.
fn holds(register: &Register, part: &Register) -> bool {
    let mut both = register.clone();
    both.merge(part);
    both == *register
}

fn first_of(day: u64) -> Hour {
    Hour(day.saturating_mul(DAY_HOURS))
}

fn last_of(day: u64) -> Hour {
    first_of(day.saturating_add(1)).previous()
}

fn kept_register(reader: &dyn Reader, digest: &Digest) -> Result<Register, Error> {
    let absent = || Error::Absent(format!("register {digest} was not kept"));
    let bytes = reader.document(digest)?.ok_or_else(absent)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Absent(format!("register {digest} cannot be read: {error}")))
}

/// The counts of an hour at a revision.
pub fn tally(
    reader: &dyn Reader,
    network: Network,
    hour: Hour,
    revision: u32,
) -> Result<Tally, Error> {
    let of = || format!("the counts of {network} {hour} revision {revision}");
    let absent = || Error::Absent(format!("{} were not kept", of()));
    let bytes = reader.tally_bytes(network, hour, revision)?.ok_or_else(absent)?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Error::Absent(format!("{} cannot be read: {error}", of())))
}
