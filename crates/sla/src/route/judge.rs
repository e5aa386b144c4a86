//! How each candidate stands by itself: whether it could do the work, where it is, and which tier its score reaches.
//!
//! No candidate is compared with another here.

use std::collections::BTreeSet;

use events::body::Price;
use events::identity::{Digest, Region};
use events::unit::Ppm;

use super::candidate::{Candidate, Offer};
use super::policy::RoutingPolicy;
use super::policy::table::{Elsewhere, UnknownPrice};
use super::rating::{Rating, rate};
use super::reason::Reason;
use super::turn::{Turn, lot};
use super::work::{Asked, Work, is_above};

/// What a candidate's score amounts to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Footing {
    /// It reaches the so-many-th tier.
    Tier(usize),
    /// There is no score.
    Newcomer,
    /// It reaches no tier.
    Below,
}

/// A candidate and how it stands by itself.
pub(super) struct Judged<'a> {
    pub candidate: &'a Candidate,
    pub footing: Footing,
    /// What it offers of the work within the caps.
    pub offers: Vec<&'a Offer>,
    pub rating: Option<Rating>,
    /// Every reason to leave it out.
    pub reasons: Vec<Reason>,
    /// Where its region stands among those preferred; less is better.
    pub region: usize,
    /// Its lot in this turn.
    pub lot: Digest,
    /// What it is taken to be worth beside others that are left out.
    pub value: Ppm,
}

impl Judged<'_> {
    /// Whether it could do the work, whatever its score.
    pub fn is_able(&self) -> bool {
        self.reasons.iter().all(|reason| reason.code.is_about_scores())
    }
}

/// A question and the policy it is answered by.
#[derive(Clone, Copy)]
pub(super) struct Bench<'a> {
    pub asked: &'a Asked,
    /// Whether one without a URL can be listed.
    pub needs_url: bool,
    pub turn: Turn,
    pub policy: &'a RoutingPolicy,
}

/// Something a candidate would do of the work that is asked for.
struct Served<'a> {
    /// The work that is asked for.
    asked: &'a Work,
    /// The offer, where there is one.
    offer: Option<&'a Offer>,
    price: Option<Price>,
    /// What would be done.
    work: Work,
}

impl<'a> Bench<'a> {
    pub fn judge(&self, candidate: &'a Candidate) -> Judged<'a> {
        let mut reasons = Vec::new();
        if self.needs_url && candidate.url.is_none() {
            reasons.push(Reason::no_url());
        }
        let served = self.served(candidate, &mut reasons);
        let region = self.region(candidate, &mut reasons);
        if let Some(reason) = self.not_seen(candidate) {
            reasons.push(reason);
        }
        let combine = self.asked.combine.unwrap_or(self.policy.scores.combine);
        let rating = rate(candidate, &self.wanted(&served), self.policy, combine);
        let (footing, value) = self.footing(candidate, rating.as_ref(), &mut reasons);
        let offers = served.iter().filter_map(|served| served.offer);
        let mut offers: Vec<_> = offers.collect();
        offers.dedup();
        let lot = lot(self.turn.0, candidate.operator, candidate.url.as_ref());
        Judged { candidate, footing, offers, rating, reasons, region, lot, value }
    }

    /// What it would do of the work within the caps.
    fn served(&self, candidate: &'a Candidate, reasons: &mut Vec<Reason>) -> Vec<Served<'a>> {
        let mut served = offered(self.asked, candidate);
        if served.is_empty() {
            reasons.push(Reason::no_capability(&self.asked.work, candidate.offers.len()));
            return served;
        }
        if self.asked.warm {
            let count = served.len();
            served.retain(|it| it.offer.is_some_and(|offer| offer.warm == Some(true)));
            if served.is_empty() {
                reasons.push(Reason::not_warm(count));
                return served;
            }
        }
        let mut dear = Vec::new();
        served.retain(|it| match self.too_dear(it) {
            Some(reason) => {
                dear.push(reason);
                false
            }
            None => true,
        });
        if served.is_empty() {
            // One sentence for each code is enough: that of the first offer.
            dear.sort_by_key(|reason| reason.code);
            dear.dedup_by_key(|reason| reason.code);
            reasons.append(&mut dear);
        }
        served
    }

    fn too_dear(&self, served: &Served<'_>) -> Option<Reason> {
        let caps = [self.policy.cap(&served.work), self.asked.price_max];
        caps.into_iter().flatten().find_map(|cap| match served.price {
            Some(price) => {
                is_above(&price, &cap).then(|| Reason::price_above(&served.work, &price, &cap))
            }
            None => (self.policy.prices.unknown == UnknownPrice::Exclude)
                .then(|| Reason::price_unknown(&served.work, &cap)),
        })
    }

    /// The work whose scores count.
    fn wanted(&self, served: &[Served<'_>]) -> BTreeSet<Work> {
        if !self.asked.work.is_empty() {
            let of: BTreeSet<_> = served.iter().map(|served| served.asked.clone()).collect();
            // Whoever offers none of it is judged by all of it, so that every reason is told.
            return if of.is_empty() { self.asked.work.iter().cloned().collect() } else { of };
        }
        let named: BTreeSet<_> = self.policy.scores.work.iter().map(|row| row.work()).collect();
        if named.is_empty() { BTreeSet::from([Work::ALL]) } else { named }
    }

    /// Where the best of its regions stands among those preferred. An unknown region is none of them, and no reason.
    fn region(&self, candidate: &Candidate, reasons: &mut Vec<Reason>) -> usize {
        let rules = &self.policy.regions;
        let preferred: &[Region] = match &self.asked.region {
            Some(region) => std::slice::from_ref(region),
            None => &rules.prefer,
        };
        if rules.elsewhere == Elsewhere::Keep || preferred.is_empty() {
            return 0;
        }
        let is_seen = |region: &Region| {
            candidate.regions.iter().any(|seen| seen.as_str().eq_ignore_ascii_case(region.as_str()))
        };
        let at = preferred.iter().position(is_seen).unwrap_or(preferred.len());
        let is_elsewhere = at == preferred.len() && !candidate.regions.is_empty();
        if is_elsewhere && rules.elsewhere == Elsewhere::Exclude {
            let list = |regions: &mut dyn Iterator<Item = &Region>| {
                regions.map(Region::as_str).collect::<Vec<_>>().join(", ")
            };
            let seen = list(&mut candidate.regions.iter());
            reasons.push(Reason::region_other(&list(&mut preferred.iter()), &seen));
        }
        at
    }

    fn not_seen(&self, candidate: &Candidate) -> Option<Reason> {
        let after = self.policy.list.unseen_after_ms?;
        let last = candidate.last_seen?;
        let silent = self.policy.start(self.turn).since(last)?;
        (silent > after).then(|| Reason::not_seen(last, after.0))
    }

    /// Which tier a rating reaches, and what it is worth beside others that reach none.
    fn footing(
        &self,
        candidate: &Candidate,
        rating: Option<&Rating>,
        reasons: &mut Vec<Reason>,
    ) -> (Footing, Ppm) {
        let newcomer = self.policy.newcomers.value_ppm;
        let Some(rating) = rating else {
            let why = candidate.standings.iter().find_map(|standing| standing.reason.as_deref());
            reasons.push(Reason::insufficient(why));
            return (Footing::Newcomer, newcomer);
        };
        let Rating { grade, score, .. } = *rating;
        let tiers = &self.policy.tiers;
        let lowest = tiers.last().map_or(Ppm::ONE, |tier| tier.score_min_ppm);
        let score_min = lowest.max(self.asked.score_min.unwrap_or(Ppm(0)));
        let asked = self.asked.grade_min.unwrap_or(self.policy.evidence.grade_min);
        let grade_min = asked.min(self.policy.evidence.grade_min);
        let (is_good, is_proven) = (score >= score_min, grade <= grade_min);
        if !is_good {
            reasons.push(Reason::score_below(score, score_min));
        }
        if !is_proven {
            reasons.push(Reason::grade_below(grade, grade_min));
        }
        let reached = || tiers.iter().enumerate().filter(|(_, tier)| score >= tier.score_min_ppm);
        let held = reached().find(|(_, tier)| grade <= tier.grade_min);
        let nearest = reached().next_back();
        let footing = match (held, nearest) {
            (Some((at, _)), _) if is_good && is_proven => Footing::Tier(at),
            (None, Some((_, tier))) if is_proven => {
                reasons.push(Reason::tier_grade(score, grade, tier));
                Footing::Below
            }
            _ => Footing::Below,
        };
        // What too little stands behind is worth no more than what nothing stands behind.
        let is_backed = is_proven && (held.is_some() || nearest.is_none());
        (footing, if is_backed { score } else { score.min(newcomer) })
    }
}

/// What a candidate offers of the work that is asked for.
fn offered<'a>(asked: &'a Asked, candidate: &'a Candidate) -> Vec<Served<'a>> {
    const ALL: &Work = &Work::ALL;
    let general = |asked: &'a Work| Served {
        asked,
        offer: None,
        price: candidate.price,
        work: asked.clone(),
    };
    let of = |offer: &'a Offer, asked: &'a Work| Served {
        asked,
        offer: Some(offer),
        price: offer.price,
        work: Work {
            model: offer.model.clone().or_else(|| asked.model.clone()),
            pipeline: Some(offer.pipeline.clone()),
            workload: asked.workload,
        },
    };
    if asked.work.is_empty() {
        let offers: Vec<_> = candidate.offers.iter().map(|offer| of(offer, ALL)).collect();
        return if offers.is_empty() { vec![general(ALL)] } else { offers };
    }
    let mut served = Vec::new();
    for work in &asked.work {
        if work.names_offer() {
            let fitting = candidate.offers.iter().filter(|offer| fits(offer, work));
            served.extend(fitting.map(|offer| of(offer, work)));
        } else {
            served.push(general(work));
        }
    }
    served
}

/// Whether an offer is for some work. A whole pipeline is an offer of every model of it.
fn fits(offer: &Offer, work: &Work) -> bool {
    let is_pipeline = work.pipeline.as_ref().is_none_or(|pipeline| *pipeline == offer.pipeline);
    let is_model = offer.model.is_none() || work.model.is_none() || offer.model == work.model;
    is_pipeline && is_model
}
