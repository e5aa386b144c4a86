//! How sums become the peer's numbers: shares, means, changes. A share or mean of nothing is none; floats are for
//! drawing only.

use std::collections::BTreeSet;

use events::event::Workload;
use sla::rollup::column::{Came, Column, Plain};
use sla::rollup::metric::{DECIDED, decided};
use sla::rollup::series::SeriesRow;
use sla::rollup::{Dimension, Sums};
use sla::tally::cell::Measure;
use sla::tally::outcome::Obligation;

/// Milliseconds in a minute, for minutes of work.
const MINUTE: f64 = 60_000.0;

/// A filter of one dimension.
pub type Named = BTreeSet<Option<String>>;

/// Only these workloads.
pub fn of(workloads: &[Workload]) -> (Dimension, Named) {
    (Dimension::Workload, workloads.iter().map(|it| Some(it.as_str().to_owned())).collect())
}

/// A whole number for drawing.
pub fn float(number: u64) -> f64 {
    let part = |bits: u64| u32::try_from(bits & u64::from(u32::MAX)).map_or(0.0, f64::from);
    part(number >> 32) * 4_294_967_296.0 + part(number)
}

/// One number divided by another; none by zero.
pub fn ratio(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| float(part) / float(whole))
}

/// The share of a part, at most all of it; none of nothing. The parts of an hour can be told in the next one.
pub fn share(part: u64, whole: u64) -> Option<f64> {
    ratio(part.min(whole), whole)
}

/// By how many percent the second is more than the first; none where there was nothing to change.
pub fn change(first: f64, second: f64) -> Option<f64> {
    (first > 0.0).then(|| (second - first) / first * 100.0)
}

/// A sum; nothing added is zero.
pub fn plain(sums: &Sums, plain: Plain) -> u64 {
    sums.columns.get(&Column::Plain(plain)).copied().unwrap_or_default()
}

/// How many obligations came to this.
pub fn owed(sums: &Sums, obligation: Obligation, came: Came) -> u64 {
    sums.columns.get(&Column::Owed(obligation, came)).copied().unwrap_or_default()
}

/// The columns that [`met`] reads.
pub fn columns_of(obligation: Obligation) -> impl Iterator<Item = Column> {
    DECIDED.iter().map(move |came| Column::Owed(obligation, *came))
}

/// The share of an obligation that was met, of what is known and was the orchestrator's to meet.
pub fn met(sums: &Sums, obligation: Obligation) -> Option<f64> {
    let (met, all) = decided(obligation, sums);
    ratio(met, all)
}

/// The mean of what was measured.
pub fn mean(sums: &Sums, measure: Measure) -> Option<f64> {
    let sum = sums.columns.get(&Column::Sum(measure))?;
    ratio(*sum, sums.histograms.get(&measure)?.count())
}

/// Mean frames per second out.
pub fn fps_out(sums: &Sums) -> Option<f64> {
    mean(sums, Measure::FpsOutMilli).map(|milli| milli / 1_000.0)
}

/// Minutes of work.
pub fn minutes(sums: &Sums) -> f64 {
    float(plain(sums, Plain::ServedMs)) / MINUTE
}

/// What a row names at a place of the question.
pub fn name(row: &SeriesRow, place: usize) -> Option<&str> {
    row.names.get(place).and_then(Option::as_deref)
}

/// What a row names at a place of the question; empty where nobody named it, as the peer has it.
pub fn text(row: &SeriesRow, place: usize) -> String {
    name(row, place).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_divided_by_nothing() {
        assert_eq!((ratio(0, 0), share(3, 0), change(0.0, 5.0)), (None, None, None));
        assert_eq!(
            (ratio(1, 4), share(5, 4), change(4.0, 5.0)),
            (Some(0.25), Some(1.0), Some(25.0))
        );
        let nothing = Sums::default();
        assert_eq!(
            (mean(&nothing, Measure::EndToEndMs), met(&nothing, Obligation::Stay)),
            (None, None)
        );
    }

    #[test]
    fn whole_numbers_stay_what_they_are() {
        for number in [0, 1, u64::from(u32::MAX), 1 << 32, (1 << 53) - 1, 1_767_908_945_298] {
            assert_eq!(format!("{:.0}", float(number)), number.to_string());
        }
        assert!(float(u64::MAX) > 1.8e19);
    }
}
