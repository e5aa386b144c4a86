//! What orchestrators offer: models, prices, room and cards, as others and they themselves tell it. Shown to people and
//! asked by routing; read by no score.
//!
//! Each teller's own latest word is kept, part by part, and what holds at a place is made of all of them: an orchestrator's
//! word about itself before everybody's, and of the others' no single one decides (docs/routing.md, "What is on offer").
//! What somebody says nothing of is unknown; it takes nothing back.

use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BTreeSet};

use events::body::capability::{Gpu, Offer, Offered};
use events::body::{Body, Price};
use events::event::Role;
use events::identity::{Address, Label, Model, Pipeline, Region, ServiceUrl};
use events::unit::{Millis, UnixMillis};
use num_bigint::BigUint;
use serde::{Deserialize, Serialize};

use crate::admit::Admitted;
use crate::mapping::speaks_for_itself;
use crate::window::Hour;

/// Words so much older than the newest one about a place hold only where nobody says anything newer: gateways tell of
/// offers every 25 minutes where nothing is configured (go-livepeer's `-liveAICapReportInterval`), so seven may be lost.
pub const RECENT: Millis = Millis(3 * 3_600_000);

/// What one teller says that one orchestrator offers at one URL, each part as it told it last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Word {
    /// When it spoke last.
    pub at_ms: UnixMillis,
    /// The cards; empty is unknown.
    pub gpus: Vec<Gpu>,
    /// What is offered; empty is unknown.
    pub offers: Vec<Offer>,
    /// Offers and cards that were left out for length.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub omitted: Option<u32>,
    /// The on-chain address.
    pub operator: Address,
    /// The general price, for transcoding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// The region of who told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// Who told.
    pub reporter: Address,
    /// In which role.
    pub role: Role,
    /// The address the orchestrator signs with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<Address>,
    /// Where it answers.
    pub url: ServiceUrl,
    /// Its software's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Label>,
}

/// What one orchestrator offers at one URL, made of everybody's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supply {
    /// When anybody last told of it.
    pub at_ms: UnixMillis,
    /// Its cards; empty is unknown.
    pub gpus: Vec<Gpu>,
    /// What it offers; empty is unknown.
    pub offers: Vec<Offer>,
    /// Offers and cards that were left out for length.
    pub omitted: Option<u32>,
    /// The on-chain address.
    pub operator: Address,
    /// Its general price, for transcoding.
    pub price: Option<Price>,
    /// Where it says that it is.
    pub region: Option<Region>,
    /// The regions of all who told of it.
    pub regions: BTreeSet<Region>,
    /// Itself, if it told lately; else who told last.
    pub reporter: Address,
    /// In which role.
    pub role: Role,
    /// The address it signs with.
    pub signer: Option<Address>,
    /// How many told of it.
    pub tellers: u64,
    /// Where it answers.
    pub url: ServiceUrl,
    /// Its software's version.
    pub version: Option<Label>,
}

impl Word {
    fn of(operator: Address, url: ServiceUrl, claim: &Admitted<'_>, said: &Offered) -> Self {
        Self {
            at_ms: claim.counted_ms,
            gpus: said.gpus.clone(),
            offers: said.offers.clone(),
            omitted: said.omitted,
            operator,
            price: said.price,
            region: claim.event.region.clone(),
            reporter: claim.event.reporter,
            role: claim.event.role,
            signer: said.orchestrator.signer,
            url,
            version: said.version.clone(),
        }
    }

    /// What the same teller says after all, with what it said before wherever it now says nothing.
    fn after(self, before: Self) -> Self {
        let is_longer = self.gpus.is_empty() || self.offers.is_empty();
        Self {
            gpus: if self.gpus.is_empty() { before.gpus } else { self.gpus },
            offers: if self.offers.is_empty() { before.offers } else { self.offers },
            omitted: self.omitted.or(before.omitted.filter(|_| is_longer)),
            price: self.price.or(before.price),
            region: self.region.or(before.region),
            signer: self.signer.or(before.signer),
            version: self.version.or(before.version),
            ..self
        }
    }
}

/// What each teller said in an hour, by operator, URL and teller. Offers that do not say the first two are nobody's, and
/// who sells work itself speaks for nobody else.
pub fn told(hour: Hour, admitted: &[Admitted<'_>]) -> Vec<Word> {
    let mut claims = Vec::new();
    for claim in admitted.iter().filter(|claim| hour.holds(claim.counted_ms)) {
        let Body::CapabilityOffered(said) = &claim.event.body else { continue };
        let who = &said.orchestrator;
        let (Some(operator), Some(url)) = (who.recipient, who.url.clone()) else { continue };
        if speaks_for_itself(claim.event, operator) {
            claims.push((claim, Word::of(operator, url, claim, said)));
        }
    }
    claims.sort_by_key(|(claim, _)| (claim.counted_ms, claim.hash));
    let mut told = BTreeMap::new();
    for (_, word) in claims {
        let key = (word.operator, word.url.clone(), word.reporter);
        let word = match told.remove(&key) {
            Some(before) => word.after(before),
            None => word,
        };
        told.insert(key, word);
    }
    told.into_values().collect()
}

/// What is on offer at each place by the words of some hours, by operator and URL. Their order never matters.
pub fn offered<'a>(words: impl IntoIterator<Item = &'a Word>) -> Vec<Supply> {
    let mut places = BTreeMap::<(Address, &ServiceUrl), Place<'_>>::new();
    for word in words {
        places.entry((word.operator, &word.url)).or_default().0.push(word);
    }
    places.into_iter().filter_map(|(at, place)| place.supply(at)).collect()
}

/// All words about one place.
#[derive(Default)]
struct Place<'a>(Vec<&'a Word>);

impl<'a> Place<'a> {
    fn supply(mut self, (operator, url): (Address, &ServiceUrl)) -> Option<Supply> {
        self.0.sort_by_key(|word| (Reverse(word.at_ms), word.reporter));
        let at_ms = self.0.first()?.at_ms;
        let leading = self.about(|_| true).first().copied()?;
        let offers = self.about(|word| !word.offers.is_empty());
        let cards = self.about(|word| !word.gpus.is_empty());
        let prices = self.about(|word| word.price.is_some());
        let omitted = offers.iter().chain(&cards).filter_map(|word| word.omitted).max();
        let prices = prices.iter().filter_map(|word| word.price);
        let latest = |speaks: fn(&Word) -> bool| self.about(speaks).first().copied();
        let tellers: BTreeSet<Address> = self.0.iter().map(|word| word.reporter).collect();
        Some(Supply {
            at_ms,
            gpus: gpus(&cards),
            offers: merged(&offers),
            omitted,
            operator,
            price: middle(prices.collect(), by_price),
            region: leading.region.clone().filter(|_| leading.reporter == operator),
            regions: self.0.iter().filter_map(|word| word.region.clone()).collect(),
            reporter: leading.reporter,
            role: leading.role,
            signer: latest(|word| word.signer.is_some()).and_then(|word| word.signer),
            tellers: u64::try_from(tellers.len()).unwrap_or(u64::MAX),
            url: url.clone(),
            version: latest(|word| word.version.is_some()).and_then(|word| word.version.clone()),
        })
    }

    /// The words that hold about a part, newest first: the orchestrator's own alone, else the latest of each teller; the
    /// recent ones, or whatever there is.
    fn about(&self, speaks: impl Fn(&Word) -> bool) -> Vec<&'a Word> {
        let mut heard = BTreeSet::new();
        let speaking = self.0.iter().copied().filter(|word| speaks(word));
        let latest: Vec<&Word> = speaking.filter(|word| heard.insert(word.reporter)).collect();
        let newest = self.0.first().map(|word| word.at_ms);
        let is_recent = |word: &&Word| newest.is_some_and(|at| at <= word.at_ms.plus(RECENT));
        let recent: Vec<&Word> = latest.iter().copied().filter(is_recent).collect();
        let holding = if recent.is_empty() { latest } else { recent };
        let own = holding.iter().find(|word| word.reporter == word.operator);
        own.map(|own| vec![*own]).unwrap_or(holding)
    }
}

/// The cards as the latest of those tells them who count neither most nor fewest: ids churn, so lists cannot be mixed.
fn gpus(told: &[&Word]) -> Vec<Gpu> {
    let count = middle(told.iter().map(|word| word.gpus.len()).collect(), usize::cmp);
    let word = told.iter().find(|word| Some(word.gpus.len()) == count);
    word.map(|word| word.gpus.clone()).unwrap_or_default()
}

/// What several tell of: whatever any of them does, at the price in the middle, and loaded if half of them say so.
fn merged(told: &[&Word]) -> Vec<Offer> {
    if let [word] = told {
        return word.offers.clone();
    }
    let mut kinds = BTreeMap::<(&Pipeline, Option<&Model>), Vec<&Offer>>::new();
    for word in told {
        let mut theirs = BTreeMap::<_, &Offer>::new();
        for offer in &word.offers {
            // One teller has one voice on each: what it calls loaded and cheap, so that repeating itself gains nothing.
            let kept = theirs.entry((&offer.pipeline, offer.model.as_ref())).or_insert(offer);
            if best_first(offer, kept) == Ordering::Less {
                *kept = offer;
            }
        }
        for (kind, offer) in theirs {
            kinds.entry(kind).or_default().push(offer);
        }
    }
    kinds.into_values().filter_map(|told| offer(&told)).collect()
}

fn best_first(one: &Offer, other: &Offer) -> Ordering {
    let by_price = match (&one.price, &other.price) {
        (Some(one), Some(other)) => by_price(one, other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    };
    (one.warm != Some(true)).cmp(&(other.warm != Some(true))).then(by_price)
}

/// One offer of what several say of it, newest first.
fn offer(told: &[&Offer]) -> Option<Offer> {
    let newest = told.first()?;
    let warm: Vec<bool> = told.iter().filter_map(|offer| offer.warm).collect();
    Some(Offer {
        capacity: middle(told.iter().filter_map(|offer| offer.capacity).collect(), u32::cmp),
        in_use: told.iter().find_map(|offer| offer.in_use),
        model: newest.model.clone(),
        pipeline: newest.pipeline.clone(),
        price: middle(told.iter().filter_map(|offer| offer.price).collect(), by_price),
        runner_version: told.iter().find_map(|offer| offer.runner_version.clone()),
        // Of two who differ the one who calls it loaded is believed, as the lower of two prices is.
        warm: middle(warm, |one, other| other.cmp(one)),
    })
}

/// The one in the middle, of two the lower: fewer than half of those who speak cannot move it beyond the others.
fn middle<T>(mut all: Vec<T>, order: impl Fn(&T, &T) -> Ordering) -> Option<T> {
    all.sort_by(order);
    let at = all.len().checked_sub(1)? / 2;
    all.into_iter().nth(at)
}

/// The order of two prices, by exact comparison of the two fractions.
pub(crate) fn by_price(one: &Price, other: &Price) -> Ordering {
    let cross = |price: &Price, by: &Price| BigUint::from(price.wei.0) * by.units;
    cross(one, other).cmp(&cross(other, one))
}
