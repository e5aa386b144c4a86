//! A routing policy: a file that says which scores count, who is listed for them, and what happens to everybody else.
//!
//! It is data. Unknown members, wrong units and values out of range are refused with the line and the reason. It never
//! says what a score is: that is the scoring policy's to say.

mod check;
pub mod table;

use events::body::Price;
use events::identity::Digest;
use events::unit::{HOUR_MS, Millis, UnixMillis};
use serde::{Deserialize, Serialize};

use super::turn::Turn;
use super::work::Work;
use crate::scorecard::PolicyName;
use crate::trust::Unusable;
use crate::window::Span;
use table::{Evidence, Floor, Newcomers, Places, Prices, Regions, Scores, Tier};

/// The routing policy that holds where none is named.
pub const DEFAULT: &str = include_str!("../../../../policies/routing/standard-1.toml");

/// Every routing policy that comes with the software: its id and its file. An id once used here means this file for ever.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("standard-1", DEFAULT),
    ("tiered-1", include_str!("../../../../policies/routing/tiered-1.toml")),
];

/// What a refusal calls the file.
const FILE: &str = "routing policy";

/// One day in milliseconds.
pub(super) const DAY_MS: u64 = 24 * HOUR_MS;

/// The most places a list may have.
pub const PLACES_MAX: u64 = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    id: String,
    title: String,
    period_ms: Millis,
    scores: Scores,
    evidence: Evidence,
    newcomers: Newcomers,
    floor: Floor,
    list: Places,
    regions: Regions,
    prices: Prices,
    tier: Vec<Tier>,
}

/// A routing policy and the hash of the file it stands in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoutingPolicy {
    /// What must stand behind a score.
    pub evidence: Evidence,
    /// How many may be left out.
    pub floor: Floor,
    /// SHA-256 of the file as it is.
    pub hash: Digest,
    /// Its name, never used again for another.
    pub id: String,
    /// The list.
    pub list: Places,
    /// Those with too little evidence.
    pub newcomers: Newcomers,
    /// How long a turn is; it divides a day.
    pub period_ms: Millis,
    /// What may be asked.
    pub prices: Prices,
    /// Where orchestrators are preferred.
    pub regions: Regions,
    /// Which scores count.
    pub scores: Scores,
    /// The file itself.
    pub text: String,
    /// The tiers, best first.
    pub tiers: Vec<Tier>,
    /// What it is, in a line.
    pub title: String,
}

/// Whether scores are young enough to be an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(tag = "freshness", rename_all = "snake_case")]
pub enum Freshness {
    /// They are.
    Fresh {
        /// How long ago they end; none of the future counts.
        age_ms: Millis,
    },
    /// They are not: the caller is to answer nothing (HTTP: 503), so that a gateway keeps the list it has.
    Stale {
        /// How long ago they end; absent where there are none.
        age_ms: Option<Millis>,
    },
}

impl RoutingPolicy {
    /// Reads a routing policy from its TOML text.
    pub fn parse(text: &str) -> Result<Self, Unusable> {
        let unusable = |error: toml::de::Error| Unusable { file: FILE, why: error.to_string() };
        let file: File = toml::from_str(text).map_err(unusable)?;
        let policy = Self {
            evidence: file.evidence,
            floor: file.floor,
            hash: Digest::of(&[text.as_bytes()]),
            id: file.id,
            list: file.list,
            newcomers: file.newcomers,
            period_ms: file.period_ms,
            prices: file.prices,
            regions: file.regions,
            scores: file.scores,
            text: text.to_owned(),
            tiers: file.tier,
            title: file.title,
        };
        policy.check().map_err(|wrong| wrong.told_in(FILE, text))?;
        Ok(policy)
    }

    /// The routing policy that holds where none is named.
    pub fn standard() -> Self {
        Self::parse(DEFAULT).expect("the default routing policy is checked by a test")
    }

    /// The routing policy of that id among those that come with the software.
    pub fn built_in(id: &str) -> Option<Self> {
        let (_, text) = BUILT_IN.iter().find(|(known, _)| *known == id)?;
        Self::parse(text).ok()
    }

    /// What an answer says it was made by.
    pub fn name(&self) -> PolicyName {
        PolicyName { hash: self.hash, id: self.id.clone() }
    }

    /// The turn that a moment lies in.
    pub fn turn(&self, at: UnixMillis) -> Turn {
        Turn(at.0 / self.period_ms.0.max(1))
    }

    /// Which windows' scores decide: those of the length that it asks for, and until there are any, those of the longest
    /// that there are.
    pub fn spans(&self) -> impl Iterator<Item = Span> {
        let longest = self.scores.window;
        Span::ALL.iter().copied().rev().filter(move |span| *span <= longest)
    }

    /// When a turn began.
    pub fn start(&self, turn: Turn) -> UnixMillis {
        UnixMillis(turn.0.saturating_mul(self.period_ms.0))
    }

    /// Whether scores that end at `scores_to` may answer a question of `now`; none at all may not.
    pub fn freshness(&self, scores_to: Option<UnixMillis>, now: UnixMillis) -> Freshness {
        let Some(scores_to) = scores_to else { return Freshness::Stale { age_ms: None } };
        let age_ms = Millis(now.0.saturating_sub(scores_to.0));
        if age_ms > self.scores.stale_after_ms {
            Freshness::Stale { age_ms: Some(age_ms) }
        } else {
            Freshness::Fresh { age_ms }
        }
    }

    /// The cap for some work, as a price; none where none fits.
    pub fn cap(&self, work: &Work) -> Option<Price> {
        let fitting = self.prices.cap.iter().filter(|cap| cap.work().covers(work));
        // Of equally many names the first listed holds; `max_by_key` would give the last.
        let cap = fitting.rev().max_by_key(|cap| cap.work().names())?;
        Some(Price { units: cap.units, wei: cap.wei })
    }
}
