//! Scores by pooling: of all obligations that count, the share that was met.

use std::collections::{BTreeMap, BTreeSet};

use events::identity::{Address, ServiceUrl};

use super::gather::Who;
use crate::policy::rule::Pooled;
use crate::scorecard::{Excluded, Grade, Indicator, Scored};
use crate::tally::cell::{Cell, CellKey, WorkClass};
use crate::tally::outcome::{Counts, Obligation};
use crate::tally::{Tally, add};

/// The counts of every operator, for all its work and for each kind of it.
#[derive(Debug, Default)]
pub struct Pool(BTreeMap<(Who, Option<WorkClass>), Gathered>);

impl Pool {
    /// Takes the counts of an hour.
    pub fn add(&mut self, tally: &Tally) {
        for (key, cell) in tally.cells.iter().filter(|(_, cell)| cell.counts()) {
            let who = Who { operator: key.subject.operator, signer: key.subject.signer };
            for class in [None, Some(key.class.clone())] {
                self.0.entry((who, class)).or_default().add(key, cell);
            }
        }
    }

    /// One result for each operator and kind of work, and one for each operator over all its work.
    pub fn results(self, rule: &Pooled) -> Vec<Scored> {
        let all = self.0.into_iter();
        all.map(|((who, class), gathered)| gathered.result(who, class, rule)).collect()
    }
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
        add(&mut self.tenures, cell.tenures);
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

    fn result(self, who: Who, class: Option<WorkClass>, rule: &Pooled) -> Scored {
        let is_signed = !self.signed.counts.is_empty();
        let Evidence { counts, sources } = if is_signed { self.signed } else { self.collected };
        let scored = counts.iter().filter(|(obligation, _)| rule.obligations.contains(obligation));
        let mut pooled = Counts::default();
        scored.for_each(|(_, counts)| pooled.merge(counts));
        let known = pooled.known();
        let missing_to_score = rule.obligations_min.saturating_sub(known);
        let (grade, score, reason) = if missing_to_score > 0 {
            let reason = format!("{known} obligations known, {missing_to_score} more to a score");
            (Grade::Insufficient, None, Some(reason))
        } else {
            (grade(is_signed, sources.len()), pooled.share(), None)
        };
        let indicators = counts.into_iter().map(|(obligation, counts)| Indicator {
            share: counts.share(),
            counts,
            obligation,
        });
        Scored {
            class,
            components: Vec::new(),
            excluded: Excluded::default(),
            grade,
            indicators: indicators.collect(),
            operator: who.operator,
            reason,
            score,
            signer: who.signer,
            sources: sources.into_iter().collect(),
            tenures: self.tenures,
            upper: None,
            urls: self.urls.into_iter().collect(),
            workloads: Vec::new(),
        }
    }
}

fn grade(is_signed: bool, sources: usize) -> Grade {
    match sources {
        _ if !is_signed => Grade::D,
        0 | 1 => Grade::C,
        2 => Grade::B,
        _ => Grade::A,
    }
}
