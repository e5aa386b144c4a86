//! The tables of a routing policy's file, each member with its unit.
//!
//! Only shapes stand here; what values are allowed is checked beside it.

use events::event::Workload;
use events::identity::{Model, Pipeline, Region};
use events::unit::{Millis, Ppm, Wei};
use serde::{Deserialize, Serialize};

use crate::route::work::Work;
use crate::scorecard::Grade;
use crate::window::Span;

events::words! {
    /// How several scores become one.
    Combine {
        /// The lowest.
        Min = "min",
        /// Their mean, rounded down.
        Mean = "mean",
        /// Their mean by the weights of `[[scores.work]]`, rounded down.
        Weighted = "weighted",
    }
}

events::words! {
    /// How far a score may be taken from other work, where there is none of the work itself.
    Broader {
        /// Not at all.
        None = "none",
        /// From other models of the pipeline.
        Pipeline = "pipeline",
        /// And from the workload.
        Workload = "workload",
        /// And from all work.
        All = "all",
    }
}

events::words! {
    /// What stands first within a tier and region.
    Order {
        /// The better score; equal ones by turns.
        Score = "score",
        /// Everybody by turns, so that the tier shares the work.
        Turn = "turn",
    }
}

events::words! {
    /// What becomes of those who were seen, but never in a region that is asked for.
    Elsewhere {
        /// Where one was seen makes no difference.
        Keep = "keep",
        /// They come after the others of their tier.
        After = "after",
        /// They are left out.
        Exclude = "exclude",
    }
}

events::words! {
    /// What becomes of an offer without a price, where there is a cap.
    UnknownPrice {
        /// It is as good as one below the cap: the gateway has a cap of its own.
        Keep = "keep",
        /// It is left out.
        Exclude = "exclude",
    }
}

/// Work whose score counts, and how much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weighed {
    /// The model; any where absent.
    #[serde(default)]
    pub model: Option<Model>,
    /// The pipeline; any where absent.
    #[serde(default)]
    pub pipeline: Option<Pipeline>,
    /// How much it weighs where scores are combined by weight.
    #[serde(default = "one")]
    pub weight: u32,
    /// The workload; any where absent.
    #[serde(default)]
    pub workload: Option<Workload>,
}

fn one() -> u32 {
    1
}

/// Which scores count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scores {
    /// How far a score may be taken from other work.
    pub broader: Broader,
    /// How several become one.
    pub combine: Combine,
    /// Scores that end earlier than this before the question are no answer.
    pub stale_after_ms: Millis,
    /// The window whose scores count.
    pub window: Span,
    /// The work whose scores count where a question names none; all of it where this is empty.
    #[serde(default)]
    pub work: Vec<Weighed>,
}

/// What must stand behind a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evidence {
    /// The lowest grade that is taken.
    pub grade_min: Grade,
}

/// What becomes of those with too little evidence for a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Newcomers {
    /// At most so many places are theirs at a time.
    pub turns_max: u64,
    /// At most this share of all places is theirs, rounded down, but one place if it is not zero.
    pub turns_share_ppm: Ppm,
    /// What a score map says of those whose turn it is.
    pub value_ppm: Ppm,
}

/// How many may be left out for their scores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Floor {
    /// At most this share of those who could do the work.
    pub excluded_share_max_ppm: Ppm,
    /// What a score map says of those who come back for that reason.
    pub returned_value_ppm: Ppm,
}

/// The list itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Places {
    /// What stands first within a tier and region.
    pub order: Order,
    /// At most so many places.
    pub places_max: u64,
    /// At most so many of them for addresses taken to be one party.
    pub places_per_party_max: u64,
    /// Whoever was last seen longer ago is left out; nobody for that reason where absent.
    #[serde(default)]
    pub unseen_after_ms: Option<Millis>,
}

/// Where orchestrators are preferred.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Regions {
    /// What becomes of the others.
    pub elsewhere: Elsewhere,
    /// Regions in order of preference, for questions that name none.
    #[serde(default)]
    pub prefer: Vec<Region>,
}

/// The most that may be asked for some work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cap {
    /// The model; any where absent.
    #[serde(default)]
    pub model: Option<Model>,
    /// The pipeline; any where absent.
    #[serde(default)]
    pub pipeline: Option<Pipeline>,
    /// How many units it is for, as `pixelsPerUnit`.
    pub units: u64,
    /// In wei, as `pricePerUnit`; a decimal text, because it may outgrow a TOML integer.
    pub wei: Wei,
    /// The workload; any where absent.
    #[serde(default)]
    pub workload: Option<Workload>,
}

/// What may be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// Of several that fit, the one that names most holds, then the first.
    #[serde(default)]
    pub cap: Vec<Cap>,
    /// What becomes of offers without a price.
    pub unknown: UnknownPrice,
}

/// One tier: those with at least this score and grade, who stand before every lower tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The grade it needs.
    pub grade_min: Grade,
    /// Its name.
    pub name: String,
    /// The score it needs.
    pub score_min_ppm: Ppm,
}

/// A table that names work by three members of its own: serde cannot deny unknown members of a flattened struct.
macro_rules! names_work {
    ($name:ident) => {
        impl $name {
            /// The work it is about.
            pub fn work(&self) -> Work {
                Work {
                    model: self.model.clone(),
                    pipeline: self.pipeline.clone(),
                    workload: self.workload,
                }
            }
        }
    };
}

names_work!(Cap);
names_work!(Weighed);
