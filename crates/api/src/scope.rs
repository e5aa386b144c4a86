//! What a question about sums is about and over which time: the parameters that every such path shares. It asks nothing
//! itself.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use events::event::{Network, Origin, Workload};
use events::identity::{Address, GatewayName, Label, Model, Pipeline, Region, ServiceUrl};
use events::unit::UnixMillis;
use serde::Deserialize;
use sla::rollup::series::Question;
use sla::rollup::{Dimension, MINUTE_MS, Minute};
use utoipa::IntoParams;
use warehouse::MINUTES_KEPT;

use crate::problem::Problem;
use crate::schema;

/// The most spans of time an answer has; wider ones are asked for in wider steps.
pub const STEPS_MAX: u64 = 2_000;

/// What sums are asked about; an absent condition lets everything pass.
#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// Only what this gateway, tester or collector reported: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    pub gateway: Option<Address>,
    /// Only work of the gateway that an unsigned feed calls by this name.
    #[param(value_type = String, required = false)]
    pub gateway_name: Option<GatewayName>,
    /// Only the GPU with this id; GPU ids are not stable.
    #[param(value_type = String, required = false)]
    pub gpu: Option<Label>,
    /// Only GPUs of this model, such as `NVIDIA GeForce RTX 4090`.
    #[param(value_type = String, required = false)]
    pub hardware: Option<Label>,
    /// Only this model.
    #[param(value_type = String, required = false)]
    pub model: Option<Model>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    pub network: Option<Network>,
    /// Only this operator: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    pub operator: Option<Address>,
    /// `organic`: only work that users asked for; `probe`: only tests.
    #[param(inline, value_type = schema::Origin, required = false)]
    pub origin: Option<Origin>,
    /// Only this pipeline.
    #[param(value_type = String, required = false)]
    pub pipeline: Option<Pipeline>,
    /// Only what was reported in this region.
    #[param(value_type = String, required = false)]
    pub region: Option<Region>,
    /// Only work at this service URL of an orchestrator, such as `https://orchestrator.example:8935`.
    #[param(inline, value_type = schema::ServiceUrl, required = false)]
    pub url: Option<ServiceUrl>,
    /// `signed`: only what was reported and signed by those who saw it; `collected`: only what was collected from
    /// unsigned feeds.
    #[param(inline, value_type = schema::Provenance, required = false)]
    pub provenance: Option<Provenance>,
    /// Only this workload.
    #[param(inline, value_type = schema::Workload, required = false)]
    pub workload: Option<Workload>,
}

events::words! {
    /// How the words came to the record.
    Provenance {
        /// Of an unsigned feed.
        Collected = "collected",
        /// Of who saw it, signed.
        Signed = "signed",
    }
}

impl Scope {
    /// What a question asks about.
    pub fn filter(&self) -> BTreeMap<Dimension, BTreeSet<Option<String>>> {
        fn text(value: &Option<impl ToString>) -> Option<String> {
            value.as_ref().map(ToString::to_string)
        }
        let named = [
            (Dimension::Gateway, text(&self.gateway)),
            (Dimension::GatewayName, text(&self.gateway_name)),
            (Dimension::Gpu, text(&self.gpu)),
            (Dimension::Hardware, text(&self.hardware)),
            (Dimension::Model, text(&self.model)),
            (Dimension::Operator, text(&self.operator)),
            (Dimension::Origin, text(&self.origin)),
            (Dimension::Pipeline, text(&self.pipeline)),
            (Dimension::Region, text(&self.region)),
            (Dimension::Url, text(&self.url)),
            (Dimension::Provenance, text(&self.provenance)),
            (Dimension::Workload, text(&self.workload)),
        ];
        let asked = named.into_iter().filter(|(_, name)| name.is_some());
        asked.map(|(dimension, name)| (dimension, BTreeSet::from([name]))).collect()
    }
}

events::words! {
    /// How much time each row of an answer spans.
    Step {
        /// A minute; minutes are kept for 48 hours and no score rests on them.
        Minute = "1m",
        /// Five minutes; as minutes.
        FiveMinutes = "5m",
        /// An hour.
        Hour = "1h",
        /// A day in UTC.
        Day = "1d",
    }
}

impl Step {
    /// Its length.
    pub fn minutes(self) -> u64 {
        match self {
            Self::Minute => 1,
            Self::FiveMinutes => 5,
            Self::Hour => 60,
            Self::Day => 24 * 60,
        }
    }

    /// How far back an answer reaches where nothing is said.
    fn reach_minutes(self) -> u64 {
        match self {
            Self::Minute => 60,
            Self::FiveMinutes => 6 * 60,
            Self::Hour => 24 * 60,
            Self::Day => 30 * 24 * 60,
        }
    }
}

/// Over which time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Time {
    /// Its start, rounded down to a whole step; if not given, as far before the end as suits the step.
    pub from_ms: Option<UnixMillis>,
    /// Its end, rounded up to a whole step; now if not given.
    pub to_ms: Option<UnixMillis>,
}

/// Milliseconds in an hour.
const HOUR_MS: u64 = 60 * MINUTE_MS;

/// A span of whole steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steps {
    /// From this minute on.
    pub from: Minute,
    /// Up to this minute.
    pub to: Minute,
    /// How much each row spans.
    pub step: Step,
}

impl Time {
    /// The whole steps that hold the time asked for.
    pub fn steps(self, step: Step, now: UnixMillis) -> Result<Steps, Problem> {
        for (name, moment) in [("from_ms", self.from_ms), ("to_ms", self.to_ms)] {
            if moment.is_some_and(|moment| !moment.is_plausible()) {
                let detail = format!("{name} is not between 2020 and 2100");
                return Err(Problem::parameter(name, detail, "Send Unix milliseconds."));
            }
        }
        let minutes = step.minutes();
        let to = self.to_ms.unwrap_or(now).0.div_ceil(minutes * MINUTE_MS) * minutes;
        let from = match self.from_ms {
            Some(from_ms) => from_ms.0 / MINUTE_MS / minutes * minutes,
            None => to.saturating_sub(step.reach_minutes()),
        };
        if from >= to {
            let detail = "to_ms is not after from_ms";
            return Err(Problem::parameter("to_ms", detail, "Send a time after from_ms."));
        }
        if (to - from) / minutes > STEPS_MAX {
            let detail = format!(
                "the time range has {} steps of {step}, more than {STEPS_MAX}",
                (to - from) / minutes
            );
            let instead = "Ask for a shorter time, or for wider steps.";
            return Err(Problem::parameter("from_ms", detail, instead));
        }
        let kept = (now.0 / HOUR_MS * HOUR_MS).saturating_sub(MINUTES_KEPT.0) / MINUTE_MS;
        if minutes < HOUR_MS / MINUTE_MS && from < kept {
            // What is only known by the hour says nothing about a minute of it.
            let detail = "minutes are kept for 48 hours";
            let instead = "Ask for later times, or for steps of 1h or 1d.";
            return Err(Problem::parameter("from_ms", detail, instead));
        }
        Ok(Steps { from, to, step })
    }
}

impl Steps {
    /// A question about this time, and about `scope`.
    pub fn question(self, scope: &Scope, by: Vec<Dimension>) -> Question {
        Question {
            by,
            filter: scope.filter(),
            span: self.span(),
            step_minutes: Some(self.step.minutes()),
            ..Question::default()
        }
    }

    /// As minutes.
    pub fn span(self) -> Range<Minute> {
        self.from..self.to
    }
}

/// The moment a minute begins.
pub fn moment(minute: Minute) -> UnixMillis {
    UnixMillis(minute.saturating_mul(MINUTE_MS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_asked_for_in_whole_steps() {
        let now = UnixMillis(1_767_908_945_298);
        let minute = now.0 / MINUTE_MS;
        let all = Time::default().steps(Step::FiveMinutes, now).unwrap();
        assert_eq!((all.from % 5, all.to % 5, all.to - all.from), (0, 0, 360));
        assert!(all.to > minute && all.to <= minute + 5);
        let some = Time { from_ms: Some(now), to_ms: Some(now) };
        let hour = some.steps(Step::Hour, now).unwrap();
        assert_eq!((hour.from, hour.to), (minute / 60 * 60, minute / 60 * 60 + 60));
        let back = Time { from_ms: Some(now), to_ms: Some(UnixMillis(now.0 - 86_400_000)) };
        assert_eq!(back.steps(Step::Hour, now).unwrap_err().parameter.as_deref(), Some("to_ms"));
        let long = Time { from_ms: Some(UnixMillis(now.0 - 3 * 86_400_000)), to_ms: None };
        assert!(long.steps(Step::Minute, now).is_err(), "too many steps");
        assert!(long.steps(Step::Hour, now).is_ok());
        let never = Time { from_ms: Some(UnixMillis(7)), to_ms: None };
        assert_eq!(never.steps(Step::Day, now).unwrap_err().parameter.as_deref(), Some("from_ms"));
    }
}
