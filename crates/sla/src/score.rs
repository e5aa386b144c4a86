//! From counts to scores: one engine that a policy drives, in integers with every rounding named.

pub mod bound;
pub mod compose;
pub mod effect;

use std::collections::{BTreeMap, BTreeSet};

use events::event::Network;
use events::identity::{Address, Digest, ServiceUrl};
use events::unit::Ppm;

use crate::hour::{OpenJobs, Settled};
use crate::policy::{Policy, Rule};
use crate::scorecard::{Basis, FORMAT, Grade, Indicator, PolicyName, Scorecard, Scored, digest_of};
use crate::tally::{Cell, CellKey, Counts, Obligation, Tally, WorkClass};
use crate::trust::TrustFile;
use crate::window::{Hour, Window};

/// What a scorecard rests on beside its tally.
pub struct Rest<'a> {
    /// The events or hours.
    pub basis: Basis,
    /// The hash of the context.
    pub context: Digest,
    /// The network.
    pub network: Network,
    /// The policy.
    pub policy: &'a Policy,
    /// The hash of the standing facts.
    pub standing: Digest,
    /// The hash of the trust file.
    pub trust: Digest,
    /// The window.
    pub window: Window,
}

/// The scorecard of a settled hour.
pub fn score_hour(
    hour: Hour,
    settled: &Settled,
    open: &OpenJobs,
    trust: &TrustFile,
    policy: &Policy,
) -> Scorecard {
    let rest = Rest {
        basis: Basis::Events(settled.event_set.clone()),
        context: digest_of(open),
        network: trust.network,
        policy,
        standing: digest_of(&settled.standing),
        trust: trust.hash(),
        window: Window::hour(hour),
    };
    score(&settled.tally, rest)
}

/// Scores a tally: one result for each operator and kind of work, and one for each operator over all its work.
pub fn score(tally: &Tally, rest: Rest<'_>) -> Scorecard {
    let mut gathered: BTreeMap<(Who, Option<WorkClass>), Gathered> = BTreeMap::new();
    for (key, cell) in &tally.cells {
        let who = Who { operator: key.subject.operator, signer: key.subject.signer };
        for class in [None, Some(key.class.clone())] {
            gathered.entry((who, class)).or_default().add(key, cell);
        }
    }
    let results =
        gathered.into_iter().map(|((who, class), all)| all.result(who, class, &rest.policy.score));
    Scorecard {
        basis: rest.basis,
        context: rest.context,
        format: FORMAT.to_owned(),
        network: rest.network,
        policy: PolicyName { hash: rest.policy.hash, id: rest.policy.id.clone() },
        results: results.collect(),
        standing: rest.standing,
        trust: rest.trust,
        window: rest.window,
    }
}

/// Whom a result is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Who {
    operator: Option<Address>,
    signer: Option<Address>,
}

/// Counts and those whose word they rest on.
#[derive(Debug, Default)]
struct Evidence {
    counts: BTreeMap<Obligation, Counts>,
    sources: BTreeSet<Address>,
}

/// The cells of one result. Unsigned feeds are kept apart: they count only where nobody signed for anything.
#[derive(Debug, Default)]
struct Gathered {
    collected: Evidence,
    signed: Evidence,
    tenures: u64,
    urls: BTreeSet<ServiceUrl>,
}

impl Gathered {
    /// Counts a cell; what only the operator itself told of is shown and counts for nothing.
    fn add(&mut self, key: &CellKey, cell: &Cell) {
        self.tenures += cell.tenures;
        self.urls.extend(key.subject.url.clone());
        if key.reporters.is_empty() {
            return;
        }
        let evidence = if key.collected { &mut self.collected } else { &mut self.signed };
        evidence.sources.extend(&key.reporters);
        for (obligation, counts) in &cell.obligations {
            evidence.counts.entry(*obligation).or_default().merge(counts);
        }
    }

    fn result(self, who: Who, class: Option<WorkClass>, rule: &Rule) -> Scored {
        let is_signed = !self.signed.counts.is_empty();
        let Evidence { counts, sources } = if is_signed { self.signed } else { self.collected };
        let scored = counts.iter().filter(|(obligation, _)| rule.obligations.contains(obligation));
        let mut pooled = Counts::default();
        scored.for_each(|(_, counts)| pooled.merge(counts));
        let known = known(&pooled);
        let missing_to_score = rule.obligations_min.saturating_sub(known);
        let (grade, score, reason) = if missing_to_score > 0 {
            let reason = format!("{known} obligations known, {missing_to_score} more to a score");
            (Grade::Insufficient, None, Some(reason))
        } else {
            (grade(is_signed, sources.len()), share(&pooled), None)
        };
        let indicators = counts.into_iter().map(|(obligation, counts)| Indicator {
            share: share(&counts),
            counts,
            obligation,
        });
        Scored {
            class,
            grade,
            indicators: indicators.collect(),
            operator: who.operator,
            reason,
            score,
            signer: who.signer,
            sources: sources.into_iter().collect(),
            tenures: self.tenures,
            urls: self.urls.into_iter().collect(),
        }
    }
}

/// How many obligations came to something. A disputed one did: nobody can say that it was met.
fn known(counts: &Counts) -> u64 {
    counts.good.saturating_add(counts.bad).saturating_add(counts.disputed)
}

/// The share that was good, rounded down. A disputed obligation counts as not met (docs/scoring.md, "Results"; case
/// 0016): else whoever failed would gain by claiming otherwise.
fn share(counts: &Counts) -> Option<Ppm> {
    Ppm::ratio_floor(counts.good, known(counts))
}

fn grade(is_signed: bool, sources: usize) -> Grade {
    match sources {
        _ if !is_signed => Grade::D,
        0 | 1 => Grade::C,
        2 => Grade::B,
        _ => Grade::A,
    }
}
