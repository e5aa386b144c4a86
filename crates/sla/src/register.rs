//! The standing of those who speak and those who are judged: since when they are known, who dealt with whom, and what
//! ties them to each other.
//!
//! A register is a fold over the tallies of whole days, a sum like they are. Scores of a day lean on the register of
//! eight days before: all of its hours are final by then, so it is the same on every instance.

use std::collections::{BTreeMap, BTreeSet};

use events::identity::{Address, Digest};
use serde::{Deserialize, Serialize};

use crate::tally::Tally;
use crate::tally::link::Link;
use crate::window::Hour;

/// How many days before its own a window's register ends: by then no hour of it gets another revision
/// (docs/scoring.md, "The register").
pub const DAYS_BACK: u64 = 8;

/// What is known of somebody who tells of work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// The hour it was first heard in.
    pub first: Option<Hour>,
    /// The operators it told of.
    pub operators: BTreeSet<Address>,
}

/// The standing of everybody.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Register {
    /// The hosts each operator was seen at, and by whom.
    pub hosts: BTreeMap<Address, BTreeMap<String, BTreeSet<Address>>>,
    /// What ties whom to what, by whose word.
    pub links: BTreeSet<Link>,
    /// The hour in which each operator was first judged.
    pub operators: BTreeMap<Address, Hour>,
    /// Those who tell of work.
    pub reporters: BTreeMap<Address, Known>,
}

impl Register {
    /// Takes what an hour adds.
    pub fn add(&mut self, hour: Hour, tally: &Tally) {
        for key in tally.cells.keys() {
            let operator = key.subject.operator;
            for reporter in &key.reporters {
                let known = self.reporters.entry(*reporter).or_default();
                known.first = earlier(known.first, hour);
                known.operators.extend(operator);
            }
            // What nobody but the operator told of begins nothing.
            let Some(operator) = operator.filter(|_| !key.reporters.is_empty()) else { continue };
            let first = self.operators.entry(operator).or_insert(hour);
            *first = (*first).min(hour);
            if let Some(url) = &key.subject.url {
                let hosts = self.hosts.entry(operator).or_default();
                match hosts.get_mut(url.host()) {
                    Some(tellers) => tellers.extend(&key.reporters),
                    None => {
                        let tellers = key.reporters.iter().copied().collect();
                        hosts.insert(url.host().to_owned(), tellers);
                    }
                }
            }
        }
        for key in tally.demand.keys() {
            let known = self.reporters.entry(key.reporter).or_default();
            known.first = earlier(known.first, hour);
        }
        self.links.extend(tally.links.keys().cloned());
    }

    /// Takes all of `other`.
    pub fn merge(&mut self, other: &Self) {
        for (reporter, known) in &other.reporters {
            let mine = self.reporters.entry(*reporter).or_default();
            mine.first = known.first.map_or(mine.first, |first| earlier(mine.first, first));
            mine.operators.extend(&known.operators);
        }
        for (operator, first) in &other.operators {
            let mine = self.operators.entry(*operator).or_insert(*first);
            *mine = (*mine).min(*first);
        }
        for (operator, hosts) in &other.hosts {
            let mine = self.hosts.entry(*operator).or_default();
            for (host, tellers) in hosts {
                mine.entry(host.clone()).or_default().extend(tellers);
            }
        }
        self.links.extend(other.links.iter().cloned());
    }

    /// The hash that a context names it by.
    pub fn digest(&self) -> Digest {
        crate::scorecard::digest_of(self)
    }

    /// The day, counted from 1970, up to which the register of a window that ends with `last` reaches; none in the
    /// first days of time.
    pub fn day_for(last: Hour) -> Option<u64> {
        (last.0 / 24).checked_sub(DAYS_BACK)
    }
}

fn earlier(known: Option<Hour>, hour: Hour) -> Option<Hour> {
    Some(known.map_or(hour, |known| known.min(hour)))
}
