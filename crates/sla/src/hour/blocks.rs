//! What one tenure adds to a tally, block by block.

use std::collections::BTreeMap;

use events::unit::UnixMillis;

use crate::join::obligation::{Bench, tokens_per_second_milli};
use crate::join::tenure::{How, Sample, Tenure};
use crate::policy::observe::Observe;
use crate::tally::add;
use crate::tally::cell::{Cell, Measure};
use crate::window::Hour;

/// The cells of one tenure, by block.
pub struct Blocks<'a> {
    /// The cells.
    pub cells: BTreeMap<u64, Cell>,
    observe: &'a Observe,
    /// Each value that was measured, and when.
    pub told: Vec<(UnixMillis, Measure, u64)>,
}

impl<'a> Blocks<'a> {
    /// None yet.
    pub fn new(observe: &'a Observe) -> Self {
        Self { cells: BTreeMap::new(), observe, told: Vec::new() }
    }

    /// The cell of the block that holds `moment`.
    pub fn cell(&mut self, moment: UnixMillis) -> &mut Cell {
        self.cells.entry(moment.0 / self.observe.block_ms.0.max(1)).or_default()
    }

    /// Counts what is measured of a tenure: once when it is told of, when it ends, and with each status.
    pub fn measure(&mut self, hour: Hour, bench: &Bench<'_>, tenure: &Tenure) {
        if hour.holds(tenure.told_ms) {
            add(&mut self.cell(tenure.told_ms).tenures, 1);
            let since =
                |at_ms: Option<UnixMillis>| at_ms?.since(tenure.start_ms).map(|span| span.0);
            self.add(tenure.told_ms, Measure::FirstOutputMs, since(tenure.first_output_ms));
            self.add(tenure.told_ms, Measure::EndToEndMs, since(tenure.output_ms));
        }
        if let Some(end) = tenure.end.filter(|end| hour.holds(end.at_ms)) {
            if let How::Failed(reason) | How::Swapped(reason) = end.how {
                add(self.cell(end.at_ms).failures.entry(reason).or_default(), 1);
            }
            self.add(end.at_ms, Measure::TokensPerSecondMilli, tokens_per_second_milli(tenure));
            self.add(end.at_ms, Measure::RealtimePpm, realtime_ppm(tenure));
            self.segment(end.at_ms, tenure);
        }
        let here = tenure.samples.iter().filter(|sample| hour.holds(sample.at_ms));
        let here: Vec<Sample> = here.copied().collect();
        for sample in &here {
            let count = |fps: Option<events::unit::MilliFps>| fps.map(|fps| u64::from(fps.0));
            self.add(sample.at_ms, Measure::FpsInMilli, count(sample.fps_in));
            self.add(sample.at_ms, Measure::FpsOutMilli, count(sample.fps_out));
        }
        if let Some(last) = here.last() {
            self.add(last.at_ms, Measure::JitterPpm, bench.jitter_ppm(&here));
        }
    }

    /// The two times of a segment that came back, where a policy compares their means.
    fn segment(&mut self, at_ms: UnixMillis, tenure: &Tenure) {
        let came = tenure.segment.as_ref().filter(|segment| segment.success);
        let times = came.and_then(|it| Some((it.duration_ms?.0, it.latency_ms?.0)));
        let Some((plays, took)) = times else { return };
        for (measure, value) in [(Measure::SegmentMs, plays), (Measure::SegmentTookMs, took)] {
            if self.observe.values.contains(&measure) {
                self.add(at_ms, measure, Some(value));
            }
        }
    }

    fn add(&mut self, at_ms: UnixMillis, measure: Measure, value: Option<u64>) {
        if let Some(value) = value {
            let kept = &self.observe.values;
            self.cell(at_ms).measure(measure, value, kept);
            self.told.push((at_ms, measure, value));
        }
    }
}

/// The time a segment took in parts per million of the time it plays, rounded down.
fn realtime_ppm(tenure: &Tenure) -> Option<u64> {
    let segment = tenure.segment.as_ref().filter(|segment| segment.success)?;
    let plays = segment.duration_ms.filter(|plays| plays.0 > 0)?;
    let share = u128::from(segment.latency_ms?.0) * 1_000_000 / u128::from(plays.0);
    u64::try_from(share).ok()
}
