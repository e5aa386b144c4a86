//! Who gets which place: tiers first, then newcomers by turns, then as many of the rest as a floor asks for.
//!
//! The order of candidates never matters, everybody ends up either listed or excluded, and a better score never costs
//! anybody a place. No place is given to an address for what it is called.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use events::identity::{Address, ServiceUrl};
use events::unit::Ppm;
use serde::Serialize;

use super::candidate::{Candidate, Offer, by_place};
use super::judge::{Bench, Footing, Judged};
use super::policy::RoutingPolicy;
use super::policy::table::Order;
use super::reason::{Code, Listed, Reason};
use super::turn::{Turn, placed};
use super::work::{Asked, Work};
use crate::scorecard::{Grade, PolicyName};

/// One whole in parts per million.
const WHOLE: u128 = 1_000_000;

/// One that is listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Why it would be left out, were the floor not; empty of all others.
    pub despite: Vec<Reason>,
    /// The evidence grade of the score.
    pub grade: Grade,
    /// Why it is listed.
    pub listed: Listed,
    /// What it offers of the work that was asked for, within the caps.
    pub offers: Vec<Offer>,
    /// Its on-chain address.
    pub operator: Address,
    /// The name of those it is taken to be one party with.
    pub party: Address,
    /// Its place; the first is 1.
    pub place: u64,
    /// The work whose scores decided; empty of a newcomer.
    pub rests_on: Vec<Work>,
    /// The score that decided; absent is unknown, never zero.
    pub score: Option<Ppm>,
    /// The tier it reaches.
    pub tier: Option<String>,
    /// The truth is not above this, where a bound is known.
    pub upper: Option<Ppm>,
    /// Where it answers; absent only where no URL was asked for.
    pub url: Option<ServiceUrl>,
    /// What a score map says of it.
    pub value: Ppm,
}

/// One that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Exclusion {
    /// The evidence grade of the score.
    pub grade: Grade,
    /// Its on-chain address.
    pub operator: Address,
    /// The name of those it is taken to be one party with.
    pub party: Address,
    /// Every reason that applies, never none.
    pub reasons: Vec<Reason>,
    /// The work whose scores decided; empty where there are none.
    pub rests_on: Vec<Work>,
    /// The score that decided; absent is unknown, never zero.
    pub score: Option<Ppm>,
    /// Where it answers.
    pub url: Option<ServiceUrl>,
}

/// How the places were given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shares {
    /// Those who could do the work, whatever their scores; of a party no more than may have places.
    pub able: u64,
    /// So many of them are listed at least, as far as there are places.
    pub listed_min: u64,
    /// The list has at most so many places.
    pub places: u64,
    /// So many of them are for newcomers at most.
    pub newcomer_places: u64,
}

/// Who is listed, and who is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Those who are listed, best first.
    pub entries: Vec<Entry>,
    /// Those who are left out, by address and URL.
    pub excluded: Vec<Exclusion>,
    /// The turn it was made for.
    pub turn: Turn,
    /// The policy it was made by.
    pub policy: PolicyName,
    /// How the places were given.
    pub shares: Shares,
}

/// Who is listed for a gateway that asks, at which place, and why not.
pub fn choose(
    policy: &RoutingPolicy,
    asked: &Asked,
    candidates: &[Candidate],
    turn: Turn,
) -> Route {
    let most = asked.places_max.unwrap_or(u64::MAX).clamp(1, policy.list.places_max);
    let candidates = by_place(candidates);
    let candidates: Vec<_> = candidates.iter().map(Cow::as_ref).collect();
    let bench = Bench { asked, needs_url: true, turn, policy };
    arrange(bench, &candidates, most)
}

/// As [`choose`], of candidates with different names and for at most so many places.
pub(super) fn arrange(bench: Bench<'_>, candidates: &[&Candidate], most: u64) -> Route {
    let mut judged: Vec<_> = candidates.iter().map(|candidate| bench.judge(candidate)).collect();
    if bench.needs_url {
        share_urls(&mut judged);
    }
    let seating = Seating::new(bench.policy, &judged, most);
    seating.fill(bench, judged)
}

/// Lets one of those who could do the work stand for each URL: the better one, and one with a score before all without,
/// so that nobody leaves a bad name behind by taking a new one.
fn share_urls(judged: &mut [Judged<'_>]) {
    let mut first = BTreeMap::<&ServiceUrl, _>::new();
    for it in judged.iter().filter(|it| it.is_able()) {
        let Some(url) = &it.candidate.url else { continue };
        let rank = (it.rating.is_none(), Reverse(it.value), it.lot, it.candidate.operator);
        first.entry(url).and_modify(|best| rank.min(*best).clone_into(best)).or_insert(rank);
    }
    let winners: BTreeMap<ServiceUrl, Address> =
        first.into_iter().map(|(url, (.., operator))| (url.clone(), operator)).collect();
    for it in judged.iter_mut().filter(|it| it.is_able()) {
        let winner = it.candidate.url.as_ref().and_then(|url| winners.get(url));
        if let Some(winner) = winner.filter(|winner| **winner != it.candidate.operator) {
            it.reasons.push(Reason::url_shared(winner));
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The share of a number, rounded down.
fn share_of(number: u64, share: Ppm) -> u64 {
    let part = u128::from(number) * u128::from(share.0.min(1_000_000)) / WHOLE;
    u64::try_from(part).unwrap_or(u64::MAX)
}

/// Places as they are taken.
struct Seating {
    per_party_max: u64,
    shares: Shares,
    taken: BTreeMap<Address, u64>,
}

/// A place that was given: which of the judged, and why.
type Given = (usize, Listed);

impl Seating {
    fn new(policy: &RoutingPolicy, judged: &[Judged<'_>], most: u64) -> Self {
        let per_party_max = policy.list.places_per_party_max;
        let mut parties = BTreeMap::<Address, u64>::new();
        for it in judged.iter().filter(|it| it.is_able()) {
            *parties.entry(it.candidate.party).or_default() += 1;
        }
        let able: u64 = parties.values().map(|members| *members.min(&per_party_max)).sum();
        let places = able.min(most);
        let rules = &policy.newcomers;
        let least = u64::from(rules.turns_share_ppm > Ppm(0));
        let newcomer_places =
            share_of(places, rules.turns_share_ppm).max(least).min(rules.turns_max);
        let listed_min = able - share_of(able, policy.floor.excluded_share_max_ppm);
        let shares = Shares { able, listed_min, newcomer_places, places };
        Self { per_party_max, shares, taken: BTreeMap::new() }
    }

    /// Takes a place of a party, if it has one left.
    fn take(&mut self, party: Address) -> bool {
        let taken = self.taken.entry(party).or_default();
        let is_left = *taken < self.per_party_max;
        *taken += u64::from(is_left);
        is_left
    }

    fn is_full(&self, party: Address) -> bool {
        self.taken.get(&party).is_some_and(|taken| *taken >= self.per_party_max)
    }

    fn fill(mut self, bench: Bench<'_>, mut judged: Vec<Judged<'_>>) -> Route {
        let (mut given, dropped) = self.seat_tiers(bench.policy, &judged);
        let waiting = self.waiting(&judged);
        // Newcomers take their places from the end of the tiers, but never the only one.
        let room = self.shares.places.saturating_sub(u64::from(!given.is_empty()));
        let newcomers = placed(&waiting, self.shares.newcomer_places.min(room), bench.turn);
        for at in &newcomers {
            self.take(party(&judged, *at));
        }
        let kept = self.shares.places.saturating_sub(count(newcomers.len()));
        let overflow = given
            .split_off(usize::try_from(kept).map_or(given.len(), |kept| kept.min(given.len())));
        given.extend(newcomers.iter().map(|at| (*at, Listed::Newcomer)));
        self.seat_rest(&judged, &mut given);
        let places = self.shares.places;
        for (at, _) in overflow {
            push(&mut judged, at, Reason::list_full(places));
        }
        for at in dropped {
            let reason = Reason::cluster_full(party(&judged, at), self.per_party_max);
            push(&mut judged, at, reason);
        }
        self.tell_waiting(&mut judged, &given, waiting.len());
        self.answer(bench, judged, given)
    }

    /// Those who reach a tier, in order, and those of them whose party has no place left.
    fn seat_tiers(
        &mut self,
        policy: &RoutingPolicy,
        judged: &[Judged<'_>],
    ) -> (Vec<Given>, Vec<usize>) {
        let mut ranked = Vec::new();
        for (at, it) in judged.iter().enumerate().filter(|(_, it)| it.is_able()) {
            let Footing::Tier(tier) = it.footing else { continue };
            let score = match policy.list.order {
                Order::Score => it.value,
                Order::Turn => Ppm(0),
            };
            ranked.push(((tier, it.region, Reverse(score), it.lot), at));
        }
        ranked.sort_unstable();
        let (given, dropped): (Vec<_>, Vec<_>) =
            ranked.into_iter().map(|(_, at)| at).partition(|at| self.take(party(judged, *at)));
        (given.into_iter().map(|at| (at, Listed::Tier)).collect(), dropped)
    }

    /// Those with too little evidence whose party has a place left, by party.
    fn waiting(&self, judged: &[Judged<'_>]) -> BTreeMap<Address, Vec<usize>> {
        let mut waiting = BTreeMap::<_, Vec<_>>::new();
        for (at, it) in judged.iter().enumerate() {
            let party = it.candidate.party;
            if it.footing == Footing::Newcomer && it.is_able() && !self.is_full(party) {
                waiting.entry(party).or_default().push(at);
            }
        }
        waiting
    }

    /// Brings back the least bad of the others until no more than the floor's share is left out.
    fn seat_rest(&mut self, judged: &[Judged<'_>], given: &mut Vec<Given>) {
        let enough = self.shares.listed_min.min(self.shares.places);
        let mut rest = Vec::new();
        let placed: BTreeSet<_> = given.iter().map(|(at, _)| *at).collect();
        for (at, it) in judged.iter().enumerate() {
            let is_placed = matches!(it.footing, Footing::Tier(_)) || placed.contains(&at);
            if it.is_able() && !is_placed {
                rest.push(((Reverse(it.value), it.region, it.lot), at));
            }
        }
        rest.sort_unstable();
        for (_, at) in rest {
            if count(given.len()) >= enough {
                break;
            }
            if self.take(party(judged, at)) {
                given.push((at, Listed::Floor));
            }
        }
    }

    /// Says to those who wait, or are below, what else stands in their way.
    fn tell_waiting(&self, judged: &mut [Judged<'_>], given: &[Given], parties: usize) {
        let given: BTreeMap<_, _> = given.iter().copied().collect();
        for (at, it) in judged.iter_mut().enumerate() {
            let listed = given.get(&at);
            if listed == Some(&Listed::Newcomer) || matches!(it.footing, Footing::Tier(_)) {
                continue;
            }
            if it.footing == Footing::Newcomer && it.is_able() {
                it.reasons.push(Reason::quota_full(self.shares.newcomer_places, parties));
            }
            if listed.is_none() && it.is_able() && self.is_full(it.candidate.party) {
                it.reasons.push(Reason::cluster_full(it.candidate.party, self.per_party_max));
            }
        }
    }

    fn answer(self, bench: Bench<'_>, judged: Vec<Judged<'_>>, given: Vec<Given>) -> Route {
        let mut listed: BTreeMap<usize, (u64, Listed)> =
            (1..).zip(&given).map(|(place, (at, why))| (*at, (place, *why))).collect();
        let (mut entries, mut excluded) = (Vec::new(), Vec::new());
        for (at, it) in judged.into_iter().enumerate() {
            match listed.remove(&at) {
                Some((place, why)) => entries.push(entry(bench.policy, it, place, why)),
                None => excluded.push(exclusion(it)),
            }
        }
        entries.sort_unstable_by_key(|entry| entry.place);
        let policy = bench.policy.name();
        Route { entries, excluded, turn: bench.turn, policy, shares: self.shares }
    }
}

fn party(judged: &[Judged<'_>], at: usize) -> Address {
    judged.get(at).map(|it| it.candidate.party).expect("places are given to those who were judged")
}

fn push(judged: &mut [Judged<'_>], at: usize, reason: Reason) {
    if let Some(it) = judged.get_mut(at) {
        it.reasons.push(reason);
    }
}

fn entry(policy: &RoutingPolicy, judged: Judged<'_>, place: u64, listed: Listed) -> Entry {
    let Judged { candidate, footing, offers, rating, reasons, value, .. } = judged;
    let tier = match footing {
        Footing::Tier(at) => policy.tiers.get(at).map(|tier| tier.name.clone()),
        Footing::Newcomer | Footing::Below => None,
    };
    Entry {
        despite: if listed == Listed::Floor { told(reasons) } else { Vec::new() },
        grade: rating.as_ref().map_or(Grade::Insufficient, |rating| rating.grade),
        listed,
        offers: offers.into_iter().cloned().collect(),
        operator: candidate.operator,
        party: candidate.party,
        place,
        score: rating.as_ref().map(|rating| rating.score),
        tier,
        upper: rating.as_ref().and_then(|rating| rating.upper),
        url: candidate.url.clone(),
        value: match listed {
            Listed::Tier => value,
            Listed::Newcomer => policy.newcomers.value_ppm,
            Listed::Floor => policy.floor.returned_value_ppm,
        },
        rests_on: rating.map_or_else(Vec::new, |rating| rating.rests_on.into_iter().collect()),
    }
}

fn exclusion(judged: Judged<'_>) -> Exclusion {
    let Judged { candidate, rating, reasons, .. } = judged;
    Exclusion {
        grade: rating.as_ref().map_or(Grade::Insufficient, |rating| rating.grade),
        operator: candidate.operator,
        party: candidate.party,
        reasons: told(reasons),
        score: rating.as_ref().map(|rating| rating.score),
        url: candidate.url.clone(),
        rests_on: rating.map_or_else(Vec::new, |rating| rating.rests_on.into_iter().collect()),
    }
}

/// Reasons in the order of their codes, each once.
fn told(mut reasons: Vec<Reason>) -> Vec<Reason> {
    reasons.sort_unstable();
    reasons.dedup();
    reasons
}

impl Route {
    /// Why this one was left out; none where it was listed or is not known.
    pub fn why_not(&self, operator: Address, url: Option<&ServiceUrl>) -> Option<&Exclusion> {
        let is_asked = |it: &&Exclusion| it.operator == operator && it.url.as_ref() == url;
        self.excluded.iter().find(is_asked)
    }

    /// How many were left out for each reason, one with several counted under each.
    pub fn reasons(&self) -> BTreeMap<Code, u64> {
        let mut reasons = BTreeMap::new();
        for reason in self.excluded.iter().flat_map(|excluded| &excluded.reasons) {
            *reasons.entry(reason.code).or_default() += 1;
        }
        reasons
    }
}
