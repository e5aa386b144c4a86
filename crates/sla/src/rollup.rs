//! What charts, lists and comparisons are made of: sums by minute or hour, and by who, where and what. Shown to people,
//! read by no score.
//!
//! A rollup is a sum, like a tally, and finer where people look: it keeps the gateway that told, the card the work ran
//! on and exact sums, where a tally keeps what a score needs. Reading order: [`column`] is what is added up, this file
//! what it is kept by, [`chunk`] the form it is stored in (of [`numbers`]), [`series`] the questions it answers,
//! [`metric`] what the answers mean.

pub mod chunk;
pub mod column;
pub mod metric;
pub mod numbers;
pub mod series;

use std::borrow::Cow;
use std::collections::BTreeMap;

use events::event::{Origin, Workload};
use events::identity::{Address, GatewayName, Label, Model, Pipeline, Region, ServiceUrl};
use events::unit::UnixMillis;

use crate::histogram::Histogram;
use crate::tally::add;
use crate::tally::cell::{Measure, WorkClass};
use column::Column;

/// Milliseconds in a minute.
pub const MINUTE_MS: u64 = 60_000;

/// A minute, counted from 1970.
pub type Minute = u64;

events::words! {
    /// What sums are kept apart by.
    Dimension {
        /// The address of the gateway, tester or collector that told.
        Gateway = "gateway",
        /// The gateway that an unsigned feed named.
        GatewayName = "gateway_name",
        /// The one graphics card the work can have run on, by the id its orchestrator gives; ids churn.
        Gpu = "gpu",
        /// The kind of graphics card.
        Hardware = "hardware",
        /// The model.
        Model = "model",
        /// The orchestrator, by its on-chain address.
        Operator = "operator",
        /// Whether the work was wanted or a test.
        Origin = "origin",
        /// The pipeline.
        Pipeline = "pipeline",
        /// The region of who told.
        Region = "region",
        /// The orchestrator's signer, only where the operator is unknown.
        Signer = "signer",
        /// Where the orchestrator answered.
        Url = "url",
        /// How the words came to the record: `signed` by who saw it, or `collected` from an unsigned feed.
        Provenance = "provenance",
        /// The workload.
        Workload = "workload",
    }
}

/// How finely an hour is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// As one.
    Hour,
    /// Minute by minute.
    Minute,
}

/// What a row of sums is about. Demand names no orchestrator: it is asked for before anybody has it.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RollupKey {
    /// The orchestrator.
    pub operator: Option<Address>,
    /// Its signer, only where the operator is unknown.
    pub signer: Option<Address>,
    /// Where it answered.
    pub url: Option<ServiceUrl>,
    /// The workload; absent for readings of machines.
    pub workload: Option<Workload>,
    /// The pipeline.
    pub pipeline: Option<Pipeline>,
    /// The model.
    pub model: Option<Model>,
    /// Who told.
    pub gateway: Option<Address>,
    /// The gateway that an unsigned feed named.
    pub gateway_name: Option<GatewayName>,
    /// The region of who told.
    pub region: Option<Region>,
    /// Whether it was wanted or a test; absent for readings of machines.
    pub origin: Option<Origin>,
    /// Whether an unsigned feed told.
    pub collected: bool,
    /// The kind of card.
    pub hardware: Option<Label>,
    /// The one card.
    pub gpu: Option<Label>,
}

impl RollupKey {
    /// With this kind of work.
    pub fn of_class(mut self, class: &WorkClass) -> Self {
        self.workload = Some(class.workload);
        self.pipeline.clone_from(&class.pipeline);
        self.model.clone_from(&class.model);
        self
    }

    /// What stands in a dimension.
    pub fn name(&self, dimension: Dimension) -> Option<Cow<'_, str>> {
        fn text(value: &Option<impl ToString>) -> Option<Cow<'_, str>> {
            value.as_ref().map(|value| Cow::Owned(value.to_string()))
        }
        match dimension {
            Dimension::Gateway => text(&self.gateway),
            Dimension::GatewayName => text(&self.gateway_name),
            Dimension::Gpu => text(&self.gpu),
            Dimension::Hardware => text(&self.hardware),
            Dimension::Model => text(&self.model),
            Dimension::Operator => text(&self.operator),
            Dimension::Origin => self.origin.map(|origin| origin.as_str().into()),
            Dimension::Pipeline => text(&self.pipeline),
            Dimension::Region => text(&self.region),
            Dimension::Signer => text(&self.signer),
            Dimension::Url => text(&self.url),
            Dimension::Provenance => {
                Some(if self.collected { "collected" } else { "signed" }.into())
            }
            Dimension::Workload => self.workload.map(|workload| workload.as_str().into()),
        }
    }
}

/// What was added up. A column that nothing was added to is absent: not told is not zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// The sums.
    pub columns: BTreeMap<Column, u64>,
    /// How what was measured is spread.
    pub histograms: BTreeMap<Measure, Histogram>,
}

impl Sums {
    /// Adds to a column.
    pub fn add(&mut self, column: Column, more: u64) {
        add(self.columns.entry(column).or_default(), more);
    }

    /// Counts one measured value.
    pub fn measure(&mut self, measure: Measure, value: u64) {
        self.add(Column::Sum(measure), value);
        self.histograms.entry(measure).or_default().add(value);
    }

    /// Adds all of `other`.
    pub fn merge(&mut self, other: &Self) {
        other.columns.iter().for_each(|(column, more)| self.add(*column, *more));
        for (measure, histogram) in &other.histograms {
            self.histograms.entry(*measure).or_default().merge(histogram);
        }
    }
}

/// The sums of an hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollup {
    /// How finely it is kept.
    pub detail: Detail,
    /// The sums, by what they are about and by the minute they begin with.
    pub rows: BTreeMap<RollupKey, BTreeMap<Minute, Sums>>,
}

impl Rollup {
    /// Nothing yet.
    pub fn new(detail: Detail) -> Self {
        Self { detail, rows: BTreeMap::new() }
    }

    /// The sums about `key`, by moment.
    pub fn row(&mut self, key: RollupKey) -> Row<'_> {
        Row { detail: self.detail, minutes: self.rows.entry(key).or_default() }
    }

    /// The same sums hour by hour.
    pub fn by_hour(&self) -> Self {
        let mut whole = Self::new(Detail::Hour);
        for (key, minutes) in &self.rows {
            let row = whole.rows.entry(key.clone()).or_default();
            for (minute, sums) in minutes {
                row.entry(minute - minute % 60).or_default().merge(sums);
            }
        }
        whole
    }
}

/// The sums about one thing.
pub struct Row<'a> {
    detail: Detail,
    minutes: &'a mut BTreeMap<Minute, Sums>,
}

impl Row<'_> {
    /// The sums that hold `moment`.
    pub fn at(&mut self, moment: UnixMillis) -> &mut Sums {
        let minute = moment.0 / MINUTE_MS;
        let begin = match self.detail {
            Detail::Hour => minute - minute % 60,
            Detail::Minute => minute,
        };
        self.minutes.entry(begin).or_default()
    }

    /// Adds a span of time to a column of milliseconds, each part of it where it lies.
    pub fn spread(&mut self, column: Column, from_ms: UnixMillis, to_ms: UnixMillis) {
        let step = match self.detail {
            Detail::Hour => 60 * MINUTE_MS,
            Detail::Minute => MINUTE_MS,
        };
        let mut at = from_ms;
        while at < to_ms {
            let end = UnixMillis(at.0 - at.0 % step + step).min(to_ms);
            self.at(at).add(column, end.0 - at.0);
            at = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use column::Plain;

    const SERVED: Column = Column::Plain(Plain::ServedMs);

    #[test]
    fn a_span_lies_where_it_lies() {
        let mut rollup = Rollup::new(Detail::Minute);
        let (from, to) = (UnixMillis(60_000 * 59 + 30_000), UnixMillis(60_000 * 61 + 1));
        rollup.row(RollupKey::default()).spread(SERVED, from, to);
        let minutes = &rollup.rows[&RollupKey::default()];
        let sums: Vec<(u64, u64)> =
            minutes.iter().map(|(minute, sums)| (*minute, sums.columns[&SERVED])).collect();
        assert_eq!(sums, [(59, 30_000), (60, 60_000), (61, 1)]);
        let mut hours = Rollup::new(Detail::Hour);
        hours.row(RollupKey::default()).spread(SERVED, from, to);
        assert_eq!(rollup.by_hour(), hours, "minutes add up to the hours");
    }
}
