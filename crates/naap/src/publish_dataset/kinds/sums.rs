//! What people look at rather than score by: sums of an hour by who, where and what, and what was on offer in it.

use dataset::table::Kind::{Boolean, Integer, Text};
use dataset::table::Value;
use events::body::Price;
use sla::rollup::column::Column;
use sla::rollup::series::{Question, SeriesRow};
use sla::rollup::{Dimension, Minute};
use sla::supply::Supply;
use sla::tally::cell::Measure;
use sla::window::Hour;

use super::{At, Columns, HOUR, Put, Rows, bounded, text, text_of};

/// The GPUs that orchestrators offered: one row per GPU.
pub const GPUS: Rows = Rows {
    columns: &[
        HOUR,
        PLACE,
        &[
            ("gpu", Text),
            ("hardware", Text),
            ("pipeline", Text),
            ("model", Text),
            ("memory_total_bytes", Integer),
            ("memory_free_bytes", Integer),
        ],
    ],
    name: "gpus",
};

/// What orchestrators offered: one row per offer, or one without where only a general price was given.
pub const OFFERS: Rows = Rows {
    columns: &[
        HOUR,
        PLACE,
        &[
            ("signer", Text),
            ("reporter", Text),
            ("role", Text),
            ("region", Text),
            ("version", Text),
            ("base_price_wei", Text),
            ("base_price_units", Integer),
            ("pipeline", Text),
            ("model", Text),
            ("is_warm", Boolean),
            ("capacity", Integer),
            ("in_use", Integer),
            ("price_wei", Text),
            ("price_units", Integer),
            ("runner_version", Text),
        ],
    ],
    name: "offers",
};

/// What was added up: one row per sum and everything it is kept apart by.
pub const SUMS: Rows = Rows {
    columns: &[
        HOUR,
        &[
            ("operator", Text),
            ("signer", Text),
            ("url", Text),
            ("workload", Text),
            ("pipeline", Text),
            ("model", Text),
            ("gateway", Text),
            ("gateway_name", Text),
            ("region", Text),
            ("origin", Text),
            ("provenance", Text),
            ("hardware", Text),
            ("gpu", Text),
        ],
        &[("sum", Text), ("value", Integer)],
    ],
    name: "sums",
};

/// The dimensions of [`SUMS`], in the order of its columns.
const BY: [Dimension; 13] = [
    Dimension::Operator,
    Dimension::Signer,
    Dimension::Url,
    Dimension::Workload,
    Dimension::Pipeline,
    Dimension::Model,
    Dimension::Gateway,
    Dimension::GatewayName,
    Dimension::Region,
    Dimension::Origin,
    Dimension::Provenance,
    Dimension::Hardware,
    Dimension::Gpu,
];

/// The minutes of an hour.
const MINUTES: Minute = 60;

/// The question whose answer is the sums of an hour.
pub fn question(hour: Hour) -> Question {
    let begin = hour.0.saturating_mul(MINUTES);
    Question {
        by: BY.to_vec(),
        columns: Column::all().collect(),
        histograms: Measure::ALL.iter().copied().collect(),
        span: begin..begin.saturating_add(MINUTES),
        ..Question::default()
    }
}

/// The rows of one row of the answer to [`question`].
pub fn of_sums(at: At, row: &SeriesRow, put: &mut Put<'_>) -> anyhow::Result<()> {
    let names = row.names.iter().map(|name| text_of(name.as_ref()));
    let head = [at.values(), names.collect()].concat();
    for (column, sum) in &row.sums.columns {
        put(&SUMS, [&head[..], &[text(column), bounded(*sum)]].concat())?;
    }
    // With their sum, how many values were measured gives the mean.
    for (measure, histogram) in &row.sums.histograms {
        let count = Value::Text(format!("{measure}.count"));
        put(&SUMS, [&head[..], &[count, bounded(histogram.count())]].concat())?;
    }
    Ok(())
}

/// Who offers where, and when that was reported.
const PLACE: Columns = &[("reported_ms", Integer), ("operator", Text), ("url", Text)];

/// As [`PLACE`].
fn of_place(supply: &Supply) -> Vec<Value> {
    vec![supply.at_ms.0.into(), text(&supply.operator), text(&supply.url)]
}

/// The rows of what one orchestrator offered at one URL.
pub fn of_supply(at: At, supply: &Supply, put: &mut Put<'_>) -> anyhow::Result<()> {
    let place = [at.values(), of_place(supply)].concat();
    for gpu in &supply.gpus {
        let values = [
            text_of(gpu.id.as_ref()),
            text_of(gpu.name.as_ref()),
            text_of(gpu.pipeline.as_ref()),
            text_of(gpu.model.as_ref()),
            gpu.memory_total_bytes.map_or(Value::Unknown, bounded),
            gpu.memory_free_bytes.map_or(Value::Unknown, bounded),
        ];
        put(&GPUS, [&place[..], &values].concat())?;
    }
    let told = [
        text_of(supply.signer),
        text(&supply.reporter),
        text(&supply.role),
        text_of(supply.region.as_ref()),
        text_of(supply.version.as_ref()),
    ];
    let head = [&place[..], &told, &of_price(supply.price)].concat();
    if supply.offers.is_empty() {
        let nothing = vec![Value::Unknown; OFFERS.columns().len().saturating_sub(head.len())];
        return put(&OFFERS, [head, nothing].concat());
    }
    for offer in &supply.offers {
        let values = [
            text(&offer.pipeline),
            text_of(offer.model.as_ref()),
            offer.warm.into(),
            offer.capacity.into(),
            offer.in_use.into(),
        ];
        let version = [text_of(offer.runner_version.as_ref())];
        put(&OFFERS, [&head[..], &values, &of_price(offer.price), &version].concat())?;
    }
    Ok(())
}

/// A price in wei, as text because it may be larger than readers keep exactly, and for how many units it is.
fn of_price(price: Option<Price>) -> [Value; 2] {
    [text_of(price.map(|price| price.wei.0)), price.map_or(Value::Unknown, |it| bounded(it.units))]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dimension_has_its_column() {
        let names: Vec<&str> = BY.iter().map(|dimension| dimension.as_str()).collect();
        let columns = SUMS.columns.get(1).unwrap().iter();
        assert_eq!(names, columns.map(|(name, _)| *name).collect::<Vec<_>>());
        assert!(Dimension::ALL.iter().all(|dimension| BY.contains(dimension)));
    }
}
