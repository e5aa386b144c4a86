//! From counts to scores: one engine that a policy drives, in integers with every rounding named.
//!
//! [`pooled`] takes the share of everything. [`evidence`] takes what independent sources prove: [`gather`] makes rows of
//! tallies and [`pile`]s of rows, [`cluster`] says who is one party, [`outage`] what was nobody's fault, [`block`] how much
//! what happens at once weighs, [`source`] what the sources prove by [`bound`] and [`vote`], and [`compose`] makes one
//! number of several. [`agreement`] says how far reporters agree. [`comparison`] reproduces what other systems say, by [`quality`] and [`leaderboard`], which
//! reckon with an exact [`fraction`] and a [`fixed`] exponential.

pub mod agreement;
pub mod block;
pub mod bound;
pub mod cluster;
pub mod comparison;
pub mod compose;
pub mod evidence;
pub mod fixed;
pub mod fraction;
pub mod gather;
pub mod leaderboard;
pub mod outage;
pub mod pile;
pub mod pooled;
pub mod quality;
pub mod source;
pub mod vote;

use events::event::Network;
use events::identity::Digest;

use crate::context::Context;
use crate::hour::Settled;
use crate::policy::Policy;
use crate::policy::rule::Rule;
use crate::register::Register;
use crate::scorecard::{Basis, FORMAT, PinnedHour, PolicyName, Scorecard, digest_of};
use crate::tally::Tally;
use crate::trust::TrustFile;
use crate::window::{Hour, Window};
use agreement::agreements;
use cluster::Clusters;
use comparison::{Contest, Hours};
use evidence::Judge;
use gather::Gathered;
use pooled::Pool;

/// The questions that a scorecard answers, beside its tallies.
#[derive(Clone, Copy)]
pub struct Question<'a> {
    /// What the window leans on.
    pub context: &'a Context,
    /// The policy.
    pub policy: &'a Policy,
    /// The standing of everybody that the context names; an empty one where it names none.
    pub register: &'a Register,
    /// Who counts.
    pub trust: &'a TrustFile,
    /// The window.
    pub window: Window,
}

impl Question<'_> {
    /// The network it is about.
    pub fn network(&self) -> Network {
        self.trust.network
    }
}

/// A score in the making: it takes tallies one by one, in any order.
pub struct Scoring<'a> {
    asked: Question<'a>,
    counts: Counted<'a>,
}

enum Counted<'a> {
    Evidence(Box<Gathered<'a>>),
    Leaderboard(Contest),
    Pooled(Pool),
    Quality(Hours),
}

impl<'a> Scoring<'a> {
    /// Nothing counted yet.
    pub fn new(asked: Question<'a>) -> Self {
        let counts = match &asked.policy.score {
            Rule::Evidence(rule) => {
                Counted::Evidence(Box::new(Gathered::new(asked.register.clone(), rule)))
            }
            Rule::Leaderboard(_) => Counted::Leaderboard(Contest::default()),
            Rule::Pooled(_) => Counted::Pooled(Pool::default()),
            Rule::Quality(_) => Counted::Quality(Hours::default()),
        };
        Self { asked, counts }
    }

    /// Takes the counts of an hour of the window.
    pub fn add(&mut self, hour: Hour, tally: &Tally) {
        match &mut self.counts {
            Counted::Evidence(gathered) => gathered.add(hour, tally),
            Counted::Leaderboard(contest) => contest.add(tally),
            Counted::Pooled(pool) => pool.add(tally),
            Counted::Quality(hours) => hours.add(hour, tally),
        }
    }

    /// How many days before the window's first hour [`Self::add_before`] is to hear of.
    pub fn days_before(&self) -> u64 {
        match &self.asked.policy.score {
            Rule::Quality(constants) => constants.benchmark_days,
            Rule::Evidence(_) | Rule::Leaderboard(_) | Rule::Pooled(_) => 0,
        }
    }

    /// Takes the counts of an hour before the window, for what the window is compared with.
    pub fn add_before(&mut self, hour: Hour, tally: &Tally) {
        if let Counted::Quality(hours) = &mut self.counts {
            hours.add(hour, tally);
        }
    }

    /// The scorecard of what was taken, which rests on `basis` and, for an hour, on standing facts.
    pub fn finish(self, basis: Basis, standing: Option<Digest>) -> Scorecard {
        let Question { context, policy, trust, window, .. } = self.asked;
        let mut card = Scorecard {
            agreements: Vec::new(),
            basis,
            clusters: Vec::new(),
            context: context.digest(),
            format: FORMAT.to_owned(),
            network: trust.network,
            policy: PolicyName { hash: policy.hash, id: policy.id.clone() },
            results: Vec::new(),
            standing,
            trust: trust.hash(),
            window,
        };
        match (self.counts, &policy.score) {
            (Counted::Evidence(gathered), Rule::Evidence(rule)) => {
                let clusters = Clusters::of(&gathered.register, trust, rule);
                card.results =
                    Judge::new(&gathered, &clusters, rule, trust, window).results(&gathered);
                card.agreements = agreements(&gathered.pairs, &clusters, rule);
                card.clusters = clusters.into_shown();
            }
            (Counted::Leaderboard(contest), Rule::Leaderboard(rule)) => {
                card.results = contest.results(rule);
            }
            (Counted::Pooled(pool), Rule::Pooled(rule)) => card.results = pool.results(rule),
            (Counted::Quality(hours), Rule::Quality(rule)) => {
                card.results = hours.results(window, rule);
            }
            // What is counted was chosen by the policy.
            _ => {}
        }
        card
    }
}

/// The scorecard of a settled hour.
pub fn score_hour(settled: &Settled, asked: Question<'_>) -> Scorecard {
    let mut scoring = Scoring::new(asked);
    scoring.add(asked.window.last, &settled.tally);
    let basis = Basis::Events(settled.event_set.clone());
    scoring.finish(basis, Some(digest_of(&settled.standing)))
}

/// The scorecard of a window of several hours, each pinned with its tally.
pub fn score_window<'t>(
    hours: impl IntoIterator<Item = (PinnedHour, &'t Tally)>,
    asked: Question<'_>,
) -> Scorecard {
    let mut scoring = Scoring::new(asked);
    let mut pinned = Vec::new();
    for (pin, tally) in hours {
        scoring.add(pin.hour, tally);
        pinned.push(pin);
    }
    pinned.sort_unstable_by_key(|pin| pin.hour);
    scoring.finish(Basis::Hours(pinned), None)
}
