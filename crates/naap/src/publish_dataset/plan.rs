//! Which scorecards there are by day: what a published day is compared with. It reads the list of windows alone.

use std::collections::BTreeMap;

use dataset::manifest::Card;
use dataset::name::Day;
use events::event::Network;
use events::identity::Digest;
use sla::window::{Hour, Window};
use warehouse::Reader;
use warehouse::page::{Page, ROWS_MAX};

/// The day an hour is in.
pub fn day_of(hour: Hour) -> anyhow::Result<Day> {
    let text = hour.to_string();
    Ok(text.get(..10).unwrap_or_default().parse()?)
}

/// A settled window, by its text: its revision and the digest of its scorecard.
type Cards = BTreeMap<String, (u32, Digest)>;

/// The settled windows of a network, by the day that each ends in.
pub struct Plan(BTreeMap<Day, Cards>);

impl Plan {
    /// Those there are now.
    pub fn of(warehouse: &impl Reader, network: Network) -> anyhow::Result<Self> {
        let mut days: BTreeMap<Day, Cards> = BTreeMap::new();
        let mut page = Page::first(ROWS_MAX);
        loop {
            let listed = warehouse.windows(network, &page)?;
            for row in listed.rows {
                // An hour that is not settled is not closed, and no window ends with it.
                let Some(latest) = row.latest else { continue };
                let cards = days.entry(day_of(row.hour)?).or_default();
                let hour = Window::hour(row.hour).to_string();
                cards.insert(hour, (latest.revision, latest.digest));
                let spans = row.spans.into_iter();
                cards.extend(spans.map(|span| (span.window.to_string(), (0, span.digest))));
            }
            match listed.next {
                Some(next) => page.after = Some(next),
                None => return Ok(Self(days)),
            }
        }
    }

    /// Whether nothing is settled.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The days on which something is settled, first to last.
    pub fn days(&self) -> impl Iterator<Item = &Day> {
        self.0.keys()
    }

    /// Whether anything of a day is settled.
    pub fn has(&self, day: &Day) -> bool {
        self.0.contains_key(day)
    }

    /// Whether these are all scorecards of a day, each as it is now.
    pub fn is_told_by(&self, day: &Day, published: &[Card]) -> bool {
        let published = published.iter().map(|card| (&card.window, &card.revision, &card.digest));
        self.0.get(day).is_some_and(|cards| {
            cards
                .iter()
                .map(|(window, (revision, digest))| (window, revision, digest))
                .eq(published)
        })
    }
}
