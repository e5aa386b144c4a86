//! What is known of one orchestrator at one URL: its scores, what it offers, where it was seen, and with whom it is one
//! party. Nothing is decided here; what is unknown is absent, never zero.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use events::body::Price;
use events::identity::{Address, Model, Pipeline, Region, ServiceUrl};
use events::unit::{Ppm, UnixMillis};
use serde::{Deserialize, Serialize};

use super::work::Work;
use crate::rollup::Dimension;
use crate::rollup::column::{Column, Plain};
use crate::rollup::series::{Question, SeriesRow};
use crate::scorecard::{Grade, Scorecard};
use crate::supply::{Supply, by_price};

/// What a scorecard says of an orchestrator at some work.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Standing {
    /// The work.
    pub work: Work,
    /// The evidence grade.
    pub grade: Grade,
    /// The score; absent is unknown, never zero.
    pub score: Option<Ppm>,
    /// The truth is not above this, where a bound is known.
    pub upper: Option<Ppm>,
    /// How many observations or tenures stand behind it.
    pub evidence: u64,
    /// Why there is no score.
    pub reason: Option<String>,
}

/// One model that an orchestrator offers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Sessions it says it can hold.
    pub capacity: Option<u32>,
    /// The model; absent where a whole pipeline is offered.
    pub model: Option<Model>,
    /// The pipeline, or the BYOC capability.
    pub pipeline: Pipeline,
    /// What it asks.
    pub price: Option<Price>,
    /// Whether the model is loaded.
    pub warm: Option<bool>,
}

impl Offer {
    fn key(&self) -> impl Ord + use<> {
        let price = self.price.map(|price| (price.wei, price.units));
        (self.pipeline.clone(), self.model.clone(), price, self.warm, self.capacity)
    }
}

/// What is known of one orchestrator at one URL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Candidate {
    /// When it was first heard of.
    pub first_seen: Option<UnixMillis>,
    /// When it was last heard of.
    pub last_seen: Option<UnixMillis>,
    /// What it offers there; empty is unknown.
    pub offers: Vec<Offer>,
    /// Its on-chain address, by which go-livepeer looks up scores.
    pub operator: Address,
    /// The name of those it is taken to be one party with; its own address where there are none.
    pub party: Address,
    /// What it asks in general, for transcoding.
    pub price: Option<Price>,
    /// Regions in which anybody told of it or had work of it; empty is unknown.
    pub regions: BTreeSet<Region>,
    /// Its scores, of all work and of each kind.
    pub standings: Vec<Standing>,
    /// Where it answers.
    pub url: Option<ServiceUrl>,
}

impl From<&events::body::capability::Offer> for Offer {
    fn from(offer: &events::body::capability::Offer) -> Self {
        Self {
            capacity: offer.capacity,
            model: offer.model.clone(),
            pipeline: offer.pipeline.clone(),
            price: offer.price,
            warm: offer.warm,
        }
    }
}

impl Candidate {
    /// An orchestrator of which nothing is known but its name.
    pub fn new(operator: Address, url: Option<ServiceUrl>) -> Self {
        Self {
            first_seen: None,
            last_seen: None,
            offers: Vec::new(),
            operator,
            party: operator,
            price: None,
            regions: BTreeSet::new(),
            standings: Vec::new(),
            url,
        }
    }

    /// Takes over what another entry for it says, so that it makes no difference which came first.
    fn merge(&mut self, other: &Self) {
        self.first_seen = [self.first_seen, other.first_seen].into_iter().flatten().min();
        self.last_seen = self.last_seen.max(other.last_seen);
        self.party = self.party.min(other.party);
        self.price = cheaper(self.price, other.price);
        self.regions.extend(other.regions.iter().cloned());
        self.offers.extend(other.offers.iter().cloned());
        self.standings.extend(other.standings.iter().cloned());
    }

    /// Brings what was taken over to one form: of two scores for one work, one that is known, and of those the lower.
    fn settle(&mut self) {
        self.offers.sort_by_cached_key(Offer::key);
        self.offers.dedup();
        self.standings.sort_by_cached_key(|it| (it.work.clone(), it.score.is_none(), it.clone()));
        self.standings.dedup_by(|later, kept| later.work == kept.work);
    }
}

/// The lower of two prices; of equal ones that of fewer units.
fn cheaper(one: Option<Price>, other: Option<Price>) -> Option<Price> {
    let (Some(one), Some(other)) = (one, other) else { return one.or(other) };
    let order = by_price(&one, &other);
    let order = order.then((one.units, one.wei).cmp(&(other.units, other.wei)));
    Some(if order == Ordering::Greater { other } else { one })
}

/// One entry for each orchestrator and URL, in their order.
pub(super) fn by_place(candidates: &[Candidate]) -> Vec<Cow<'_, Candidate>> {
    let mut merged = BTreeMap::<_, Cow<'_, Candidate>>::new();
    let mut several = BTreeSet::new();
    for candidate in candidates {
        let key = (candidate.operator, candidate.url.as_ref());
        match merged.get_mut(&key) {
            Some(known) => {
                known.to_mut().merge(candidate);
                several.insert(key);
            }
            None => {
                merged.insert(key, Cow::Borrowed(candidate));
            }
        }
    }
    for key in several {
        if let Some(known) = merged.get_mut(&key) {
            known.to_mut().settle();
        }
    }
    merged.into_values().collect()
}

/// One entry for each orchestrator, wherever it answers.
pub(super) fn by_operator(candidates: &[Candidate]) -> Vec<Candidate> {
    let mut merged = BTreeMap::<Address, Candidate>::new();
    for candidate in candidates {
        let known = merged
            .entry(candidate.operator)
            .or_insert_with(|| Candidate { url: None, ..candidate.clone() });
        known.merge(candidate);
    }
    let mut merged: Vec<_> = merged.into_values().collect();
    merged.iter_mut().for_each(Candidate::settle);
    merged
}

/// What a scorecard says of each operator: over all work, of each workload, and of each kind of work.
///
/// A kind of work that names no pipeline is what nobody named, and no score of its whole workload; it is taken for that
/// only where nothing else of the workload is known, as of transcoding, which has no pipelines.
pub fn standings(card: &Scorecard) -> BTreeMap<Address, Vec<Standing>> {
    let mut standings = BTreeMap::<Address, Vec<Standing>>::new();
    let mut unnamed = Vec::new();
    for scored in &card.results {
        let Some(operator) = scored.operator else { continue };
        let standing = Standing {
            work: scored.class.as_ref().map_or(Work::ALL, Work::from),
            grade: scored.grade,
            score: scored.score,
            upper: scored.upper,
            evidence: scored.tenures,
            reason: scored.reason.clone(),
        };
        let theirs = standings.entry(operator).or_default();
        if scored.class.is_some() && !standing.work.names_offer() {
            unnamed.push((operator, standing));
        } else {
            theirs.push(standing);
        }
        theirs.extend(scored.workloads.iter().map(|workload| Standing {
            work: Work::of_workload(workload.workload),
            grade: workload.grade,
            score: workload.score,
            upper: workload.upper,
            evidence: workload.evidence,
            reason: workload.reason.clone(),
        }));
    }
    for (operator, standing) in unnamed {
        let theirs = standings.entry(operator).or_default();
        if !theirs.iter().any(|known| known.work.workload == standing.work.workload) {
            theirs.push(standing);
        }
    }
    standings
}

/// The party of each address that a scorecard ties to others; everybody else is a party alone.
pub fn parties(card: &Scorecard) -> BTreeMap<Address, Address> {
    let named = card.clusters.iter().filter_map(|it| Some((it.members.first()?, &it.members)));
    named.flat_map(|(name, members)| members.iter().map(|member| (*member, *name))).collect()
}

/// Work of an operator that somebody in a region told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Who did it.
    pub operator: Address,
    /// Where it was told.
    pub region: Region,
    /// The URL it was done at, where that is known.
    pub url: Option<ServiceUrl>,
}

impl Sighting {
    /// Which sums sightings of these hours are made of.
    pub fn question(hours: Range<u64>) -> Question {
        Question {
            by: vec![Dimension::Operator, Dimension::Url, Dimension::Region],
            columns: [Column::Plain(Plain::Tenures)].into(),
            span: hours.start * 60..hours.end * 60,
            ..Question::default()
        }
    }

    /// The sighting that a row of the answer is; none of rows that name no operator or no region.
    pub fn of(row: &SeriesRow) -> Option<Self> {
        let name = |at: usize| row.names.get(at)?.as_deref();
        Some(Self {
            operator: name(0)?.parse().ok()?,
            region: name(2)?.parse().ok()?,
            url: name(1).and_then(|url| url.parse().ok()),
        })
    }
}

/// Adds the regions in which work was told of: to the place it was done at, or to all of its operator's where that is not
/// known.
pub fn add_regions(candidates: &mut [Candidate], sightings: Vec<Sighting>) {
    let mut seen = BTreeMap::<Address, Vec<Sighting>>::new();
    for sighting in sightings {
        seen.entry(sighting.operator).or_default().push(sighting);
    }
    for candidate in candidates {
        let is_there = |one: &&Sighting| one.url.is_none() || one.url == candidate.url;
        let theirs = seen.get(&candidate.operator).into_iter().flatten().filter(is_there);
        candidate.regions.extend(theirs.map(|sighting| sighting.region.clone()));
    }
}

/// Everybody that a scorecard or an offer tells of, at each URL that either tells, with the scores of its address.
///
/// `first_seen` stays unknown: a register knows it. Where one was last seen is where its latest offer was heard.
pub fn known(card: Option<&Scorecard>, supply: &[Supply]) -> Vec<Candidate> {
    let mut places = BTreeMap::<(Address, Option<ServiceUrl>), Candidate>::new();
    for told in supply {
        let mut candidate = Candidate::new(told.operator, Some(told.url.clone()));
        candidate.last_seen = Some(told.at_ms);
        candidate.offers = told.offers.iter().map(Offer::from).collect();
        candidate.price = told.price;
        candidate.regions.clone_from(&told.regions);
        let place = places.entry((told.operator, candidate.url.clone()));
        let place = place.or_insert_with(|| candidate.clone());
        place.merge(&candidate);
        place.settle();
    }
    let Some(card) = card else { return places.into_values().collect() };
    for scored in &card.results {
        let Some(operator) = scored.operator else { continue };
        for url in &scored.urls {
            let place = places.entry((operator, Some(url.clone())));
            place.or_insert_with_key(|(operator, url)| Candidate::new(*operator, url.clone()));
        }
    }
    let (scores, parties) = (standings(card), parties(card));
    for operator in scores.keys() {
        if !places.keys().any(|(known, _)| known == operator) {
            places.insert((*operator, None), Candidate::new(*operator, None));
        }
    }
    for candidate in places.values_mut() {
        candidate.standings = scores.get(&candidate.operator).cloned().unwrap_or_default();
        candidate.party = parties.get(&candidate.operator).copied().unwrap_or(candidate.operator);
    }
    places.into_values().collect()
}
