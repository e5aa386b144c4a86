//! Which work a question, a price cap or a score is about: a pattern over workload, pipeline and model.

use std::cmp::Ordering;
use std::fmt;

use events::body::Price;
use events::event::Workload;
use events::identity::{Invalid, Model, Pipeline, Region};
use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use super::policy::table::Combine;
use crate::scorecard::Grade;
use crate::supply::by_price;
use crate::tally::cell::WorkClass;

/// Some work. What is absent may be anything, so that an empty pattern is all work.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    /// The model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<Model>,
    /// The pipeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<Pipeline>,
    /// The workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<Workload>,
}

/// Whether `wanted` is anything, or just this.
fn fits<T: PartialEq>(wanted: Option<&T>, found: Option<&T>) -> bool {
    wanted.is_none() || wanted == found
}

impl Work {
    /// Everything that nothing narrower is said of.
    pub const ALL: Self = Self { model: None, pipeline: None, workload: None };

    /// All work of a workload.
    pub fn of_workload(workload: Workload) -> Self {
        Self { workload: Some(workload), ..Self::ALL }
    }

    /// Reads a capability as go-livepeer's clients write it, `pipeline/model` or `pipeline` alone; a model may hold slashes.
    pub fn from_cap(text: &str) -> Result<Self, Invalid> {
        let (pipeline, model) = match text.split_once('/') {
            Some((pipeline, model)) => (pipeline, Some(model)),
            None => (text, None),
        };
        let model = model.map(str::parse).transpose()?;
        Ok(Self { model, pipeline: Some(pipeline.parse()?), workload: None })
    }

    /// Whether `other` is part of this work.
    pub fn covers(&self, other: &Self) -> bool {
        fits(self.model.as_ref(), other.model.as_ref())
            && fits(self.pipeline.as_ref(), other.pipeline.as_ref())
            && fits(self.workload.as_ref(), other.workload.as_ref())
    }

    /// How many of its members are named.
    pub fn names(&self) -> usize {
        usize::from(self.model.is_some())
            + usize::from(self.pipeline.is_some())
            + usize::from(self.workload.is_some())
    }

    /// Whether it names what an orchestrator offers by name.
    pub fn names_offer(&self) -> bool {
        self.pipeline.is_some() || self.model.is_some()
    }
}

impl From<&WorkClass> for Work {
    fn from(class: &WorkClass) -> Self {
        Self {
            model: class.model.clone(),
            pipeline: class.pipeline.clone(),
            workload: Some(class.workload),
        }
    }
}

impl fmt::Display for Work {
    /// `live-video live-video-to-video/model-x`, with what may be anything left out; `all work` where nothing is named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let workload = self.workload.map(Workload::as_str);
        let pipeline = self.pipeline.as_ref().map(Pipeline::as_str);
        let offer = match (pipeline, self.model.as_ref()) {
            (None, None) => None,
            (pipeline, None) => pipeline.map(str::to_owned),
            (pipeline, Some(model)) => Some(format!("{}/{model}", pipeline.unwrap_or("*"))),
        };
        match (workload, offer) {
            (None, None) => f.write_str("all work"),
            (Some(workload), None) => f.write_str(workload),
            (None, Some(offer)) => f.write_str(&offer),
            (Some(workload), Some(offer)) => write!(f, "{workload} {offer}"),
        }
    }
}

/// What a gateway asks for. Nothing asked is everything the policy allows.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// How several scores are combined; as the policy says where absent.
    #[serde(default)]
    pub combine: Option<Combine>,
    /// At least this grade, beside what the policy asks.
    #[serde(default)]
    pub grade_min: Option<Grade>,
    /// At most so many places, beside the policy's limit; at least one.
    #[serde(default)]
    pub places_max: Option<u64>,
    /// At most this price, beside the policy's caps.
    #[serde(default)]
    pub price_max: Option<Price>,
    /// Where the gateway is.
    #[serde(default)]
    pub region: Option<Region>,
    /// At least this score, beside what the policy asks.
    #[serde(default)]
    pub score_min: Option<Ppm>,
    /// Only offers that say that their model is loaded.
    #[serde(default)]
    pub warm: bool,
    /// Any of this work will do; the score is that of the part that an orchestrator offers.
    #[serde(default)]
    pub work: Vec<Work>,
}

/// Whether a price is above a cap, by exact comparison of the two fractions. A cap of no units allows nothing but free work.
pub fn is_above(price: &Price, cap: &Price) -> bool {
    by_price(price, cap) == Ordering::Greater
}
