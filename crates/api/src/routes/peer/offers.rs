//! What orchestrators offered of late, sorted the way the peer shows it: by place, by card, by pipeline and model. It
//! knows offers only; what was done with them is in the sums.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use events::event::{Network, Workload};
use events::identity::{Address, Model, Pipeline};
use events::unit::UnixMillis;
use sla::supply::Supply;
use sla::window::Hour;

use super::asked::WindowHours;
use crate::problem::Problem;
use crate::state::Sources;

/// The kind of work of an offered pipeline. Offers name none; whatever is not built in is somebody's own container.
pub fn workload(pipeline: &Pipeline) -> Workload {
    pipeline.workload().unwrap_or(Workload::Byoc)
}

/// What the peer calls a kind of request.
pub fn job_type(workload: Workload) -> &'static str {
    match workload {
        Workload::Byoc => "byoc",
        Workload::AiBatch | Workload::Llm => "ai-batch",
        Workload::LiveVideo | Workload::LiveRunner | Workload::Transcoding => "stream",
    }
}

/// A card, by whose it is and the id its orchestrator gives.
pub type Card<'a> = (Address, &'a str);

/// A pipeline and one model of it.
pub type Pair = (String, String);

/// What is on offer in a window, each place by the words of all who tell of it.
pub struct Offers(Arc<[Supply]>);

impl Offers {
    /// What was offered in the hours up to now.
    pub fn read(
        sources: &Sources,
        network: Network,
        now: UnixMillis,
        window: WindowHours,
    ) -> Result<Self, Problem> {
        let hours = window.until(now);
        Self::between(sources, network, hours)
    }

    /// What was offered in these hours.
    pub fn between(
        sources: &Sources,
        network: Network,
        hours: std::ops::Range<u64>,
    ) -> Result<Self, Problem> {
        if hours.is_empty() {
            return Ok(Self(Arc::from([])));
        }
        let span = Hour(hours.start)..=Hour(hours.end - 1);
        sources.warehouse.supply(network, span).map(Self).map_err(Problem::warehouse)
    }

    /// The places, by operator and URL.
    pub fn places(&self) -> impl Iterator<Item = &Supply> {
        self.0.iter()
    }

    /// The latest place of each operator.
    pub fn latest(&self) -> BTreeMap<Address, &Supply> {
        let mut latest: BTreeMap<Address, &Supply> = BTreeMap::new();
        for place in self.places() {
            let known = latest.entry(place.operator).or_insert(place);
            if place.at_ms > known.at_ms {
                *known = place;
            }
        }
        latest
    }

    /// The operators with an offer that fits.
    pub fn operators(&self, fits: impl Fn(&Pipeline, Option<&Model>) -> bool) -> BTreeSet<Address> {
        let has_one = |place: &&Supply| {
            place.offers.iter().any(|offer| fits(&offer.pipeline, offer.model.as_ref()))
        };
        self.places().filter(has_one).map(|place| place.operator).collect()
    }

    /// How many of an operator's cards have an id. Those without cannot be told apart.
    pub fn card_counts(&self) -> BTreeMap<Address, usize> {
        let mut counts = BTreeMap::new();
        for (operator, _) in self.cards().keys() {
            *counts.entry(*operator).or_default() += 1;
        }
        counts
    }

    /// The cards that have an id, with the name of their kind where one is told.
    pub fn cards(&self) -> BTreeMap<Card<'_>, Option<&str>> {
        let mut cards: BTreeMap<Card<'_>, Option<&str>> = BTreeMap::new();
        for place in self.places() {
            for gpu in &place.gpus {
                let Some(id) = &gpu.id else { continue };
                let kind = cards.entry((place.operator, id.as_str())).or_default();
                *kind = kind.or(gpu.name.as_ref().map(|name| name.as_str()));
            }
        }
        cards
    }

    /// The cards that are said to run a model of a pipeline.
    pub fn cards_by_pair(&self) -> BTreeMap<Pair, BTreeSet<Card<'_>>> {
        let mut pairs: BTreeMap<Pair, BTreeSet<Card<'_>>> = BTreeMap::new();
        for place in self.places() {
            for gpu in &place.gpus {
                let (Some(id), Some(pipeline), Some(model)) = (&gpu.id, &gpu.pipeline, &gpu.model)
                else {
                    continue;
                };
                let pair = (pipeline.as_str().to_owned(), model.as_str().to_owned());
                pairs.entry(pair).or_default().insert((place.operator, id.as_str()));
            }
        }
        pairs
    }

    /// By pipeline and model on offer, the operators that say it is loaded.
    pub fn warm_by_pair(
        &self,
        is_of: impl Fn(Workload) -> bool,
    ) -> BTreeMap<Pair, BTreeSet<Address>> {
        let mut pairs: BTreeMap<Pair, BTreeSet<Address>> = BTreeMap::new();
        for place in self.places() {
            for offer in place.offers.iter().filter(|offer| is_of(workload(&offer.pipeline))) {
                let Some(model) = &offer.model else { continue };
                let pair = (offer.pipeline.as_str().to_owned(), model.as_str().to_owned());
                let warm = pairs.entry(pair).or_default();
                if offer.warm == Some(true) {
                    warm.insert(place.operator);
                }
            }
        }
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_built_in_is_somebodys_own() {
        for (name, expected) in [
            ("live-video-to-video", Workload::LiveVideo),
            ("llm", Workload::Llm),
            ("text-to-image", Workload::AiBatch),
            ("openai-chat", Workload::Byoc),
            ("Text-to-image", Workload::Byoc),
        ] {
            assert_eq!(workload(&name.parse().unwrap()), expected, "{name}");
        }
    }
}
