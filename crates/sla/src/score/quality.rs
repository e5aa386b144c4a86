//! The peer's score of live video, `quality-benchmark-v1`, reproduced for comparison: an hour of one operator's sessions
//! of one kind against the seven days before it. It judges nothing by itself and adds nothing of ours, except that what
//! is unknown is unknown and not zero.
//!
//! `coverage * (0.7 reliability + 0.3 quality)`, where
//! `reliability = 0.4 started + 0.2 not swapped + 0.4 with output`, of the sessions asked for;
//! `quality = 0.6 (0.6 first frame + 0.4 end to end) + 0.4 fps`. The last three say where a mean lies between the
//! benchmark's middle and its tail ([`Scale::place`]), drawn towards a neutral half while there are few values. The
//! constants stand in the policy.
//!
//! Every number is exact until it is published; then it is rounded once, to the nearest part per million, halves up.

use events::unit::Ppm;
use serde::{Deserialize, Serialize};

use super::fraction::{Fraction, Mean};

events::words! {
    /// The name of the method in a policy.
    Method {
        /// This formula.
        QualityBenchmark = "quality-benchmark",
    }
}

/// The constants of the method, as they stand in a policy's `[score]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Constants {
    /// Which table this is.
    pub method: Method,
    /// How many whole UTC days before the one of the hour make the benchmark.
    pub benchmark_days: u64,
    /// With fewer rows than this behind a number of the benchmark, a place on it is neutral.
    pub benchmark_rows_min: u64,
    /// With so many end-to-end times their mean counts in full.
    pub end_to_end_full: u64,
    /// The weight of end-to-end time in latency.
    pub end_to_end_weight_ppm: Ppm,
    /// With so many first frames their mean counts in full.
    pub first_frame_full: u64,
    /// The weight of the first frame in latency.
    pub first_frame_weight_ppm: Ppm,
    /// With so many statuses their mean frame rate counts in full.
    pub fps_full: u64,
    /// The quantile of frame rates at which nothing is scored.
    pub fps_tail_ppm: Ppm,
    /// The weight of the frame rate in quality.
    pub fps_weight_ppm: Ppm,
    /// The quantile of times at which nothing is scored.
    pub latency_tail_ppm: Ppm,
    /// The weight of latency in quality.
    pub latency_weight_ppm: Ppm,
    /// The quantile at which everything is scored.
    pub middle_ppm: Ppm,
    /// What is scored where nothing is known.
    pub neutral_ppm: Ppm,
    /// The weight of sessions that were not swapped in reliability.
    pub not_swapped_weight_ppm: Ppm,
    /// The weight of sessions with output in reliability.
    pub output_weight_ppm: Ppm,
    /// The weight of quality in the score.
    pub quality_weight_ppm: Ppm,
    /// The weight of reliability in the score.
    pub reliability_weight_ppm: Ppm,
    /// The weight of sessions that started in reliability.
    pub started_weight_ppm: Ppm,
}

impl Constants {
    /// Refuses constants that make no score: the member that is wrong, and why.
    pub fn check(&self) -> Result<(), (&'static str, String)> {
        let ranges = [
            ("benchmark_days", self.benchmark_days, 1, 28),
            ("benchmark_rows_min", self.benchmark_rows_min, 1, 1_000_000),
            ("end_to_end_full", self.end_to_end_full, 1, 1_000_000),
            ("first_frame_full", self.first_frame_full, 1, 1_000_000),
            ("fps_full", self.fps_full, 1, 1_000_000),
            ("middle_ppm", u64::from(self.middle_ppm.0), 1, 999_999),
            ("fps_tail_ppm", u64::from(self.fps_tail_ppm.0), 0, u64::from(self.middle_ppm.0)),
            (
                "latency_tail_ppm",
                u64::from(self.latency_tail_ppm.0),
                u64::from(self.middle_ppm.0),
                1_000_000,
            ),
            ("neutral_ppm", u64::from(self.neutral_ppm.0), 0, 1_000_000),
        ];
        for (member, value, least, most) in ranges {
            if !(least..=most).contains(&value) {
                let why = format!("score.{member} is {value}, outside {least} to {most}");
                return Err((member, why));
            }
        }
        let sums = [
            (
                "started_weight_ppm",
                "reliability",
                vec![self.started_weight_ppm, self.not_swapped_weight_ppm, self.output_weight_ppm],
            ),
            (
                "first_frame_weight_ppm",
                "latency",
                vec![self.first_frame_weight_ppm, self.end_to_end_weight_ppm],
            ),
            ("latency_weight_ppm", "quality", vec![self.latency_weight_ppm, self.fps_weight_ppm]),
            (
                "reliability_weight_ppm",
                "the score",
                vec![self.reliability_weight_ppm, self.quality_weight_ppm],
            ),
        ];
        for (member, whole, weights) in sums {
            let sum: u64 = weights.iter().map(|weight| u64::from(weight.0)).sum();
            if sum != u64::from(Ppm::ONE.0) {
                return Err((member, format!("the weights of {whole} sum to {sum}, not 1000000")));
            }
        }
        Ok(())
    }
}

/// What was seen of one operator's sessions of one kind in one hour. Rows add up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Milliseconds from the first ingested segment to the first processed one.
    pub end_to_end_ms: Mean,
    /// How many signs of health the sessions should have shown.
    pub expected_signals: u64,
    /// Milliseconds to output that can be watched, of sessions that came so far.
    pub first_frame_ms: Mean,
    /// Thousandths of frames per second that went out, a status each.
    pub fps_milli: Mean,
    /// How many signs of health the sessions showed.
    pub health_signals: u64,
    /// Sessions that only loaded, or whose statuses never told of a frame.
    pub output_failed: u64,
    /// Sessions asked for.
    pub requested: u64,
    /// Sessions whose output could be watched.
    pub started: u64,
    /// Sessions that were swapped.
    pub swapped: u64,
}

impl Row {
    /// The sessions of both; numbers stop at the largest there is room for.
    pub fn plus(self, other: Self) -> Self {
        Self {
            end_to_end_ms: self.end_to_end_ms.plus(other.end_to_end_ms),
            expected_signals: self.expected_signals.saturating_add(other.expected_signals),
            first_frame_ms: self.first_frame_ms.plus(other.first_frame_ms),
            fps_milli: self.fps_milli.plus(other.fps_milli),
            health_signals: self.health_signals.saturating_add(other.health_signals),
            output_failed: self.output_failed.saturating_add(other.output_failed),
            requested: self.requested.saturating_add(other.requested),
            started: self.started.saturating_add(other.started),
            swapped: self.swapped.saturating_add(other.swapped),
        }
    }
}

/// Between which two values a mean is placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// As good as most: here everything is scored.
    pub middle: Fraction,
    /// How many rows it rests on.
    pub rows: u64,
    /// As bad as few: here nothing is scored.
    pub tail: Fraction,
}

/// Which end of a scale is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Good {
    /// Times: the tail lies above the middle.
    Low,
    /// Frame rates: the tail lies below the middle.
    High,
}

impl Scale {
    /// The two quantiles of the means of rows; none of rows without values.
    ///
    /// The quantile at `q` of `n` means is the one at rank `q n` rounded up, from 1, least first: the nearest rank. The
    /// peer's t-digest gives the same wherever it has merged nothing, which it does not under 200 rows a day.
    fn of(means: impl Iterator<Item = Mean>, middle: Ppm, tail: Ppm) -> Option<Self> {
        let mut means: Vec<Mean> = means.filter(|mean| mean.count > 0).collect();
        means.sort_by(|a, b| a.compare(*b));
        let rows = u64::try_from(means.len()).unwrap_or(u64::MAX);
        let quantile = |at: Ppm| {
            let rank = (u128::from(rows) * u128::from(at.0)).div_ceil(1_000_000).max(1);
            means.get(usize::try_from(rank - 1).ok()?)?.value()
        };
        Some(Self { middle: quantile(middle)?, rows, tail: quantile(tail)? })
    }

    /// The mean of several, each as often as it has rows; none of none.
    fn mean<'a>(days: impl Iterator<Item = &'a Self>) -> Option<Self> {
        let nothing = || Fraction::whole(0u8);
        let (mut middle, mut tail, mut rows) = (nothing(), nothing(), 0u64);
        for day in days {
            let weight = Fraction::whole(day.rows);
            middle = middle.plus(&day.middle.times(&weight));
            tail = tail.plus(&day.tail.times(&weight));
            rows = rows.saturating_add(day.rows);
        }
        let weight = Fraction::whole(rows);
        Some(Self { middle: middle.over(&weight)?, rows, tail: tail.over(&weight)? })
    }

    /// Where a value lies: one from the middle on towards the good end, zero from the tail on, and in a straight line
    /// between. Where the two are one, or the wrong way round, only the middle decides.
    pub fn place(&self, value: &Fraction, good: Good) -> Fraction {
        let (beyond, span, is_good) = match good {
            Good::Low => {
                (self.tail.less(value), self.tail.less(&self.middle), *value <= self.middle)
            }
            Good::High => {
                (value.less(&self.tail), self.middle.less(&self.tail), *value >= self.middle)
            }
        };
        match beyond.over(&span) {
            Some(share) if !is_good => share.capped(),
            _ => Fraction::whole(u8::from(is_good)),
        }
    }
}

/// How others of the same pipeline and model did: of one day, or of the days before an hour. What nobody measured is
/// absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Benchmark {
    /// Of end-to-end times in milliseconds.
    pub end_to_end_ms: Option<Scale>,
    /// Of times to the first frame in milliseconds.
    pub first_frame_ms: Option<Scale>,
    /// Of thousandths of frames per second.
    pub fps_milli: Option<Scale>,
}

impl Benchmark {
    /// Of the rows of one UTC day, of all operators: every row counts once, however many sessions it has.
    pub fn of_day(rows: &[Row], constants: &Constants) -> Self {
        let middle = constants.middle_ppm;
        let times = |of: fn(&Row) -> Mean| {
            Scale::of(rows.iter().map(of), middle, constants.latency_tail_ppm)
        };
        let frames = rows.iter().map(|row| row.fps_milli);
        Self {
            end_to_end_ms: times(|row| row.end_to_end_ms),
            first_frame_ms: times(|row| row.first_frame_ms),
            fps_milli: Scale::of(frames, middle, constants.fps_tail_ppm),
        }
    }

    /// The mean of days, each as often as it has rows. A day on which nobody measured a number has no part in it.
    pub fn of_days(days: &[Self]) -> Self {
        let mean = |of: fn(&Self) -> Option<&Scale>| Scale::mean(days.iter().filter_map(of));
        Self {
            end_to_end_ms: mean(|day| day.end_to_end_ms.as_ref()),
            first_frame_ms: mean(|day| day.first_frame_ms.as_ref()),
            fps_milli: mean(|day| day.fps_milli.as_ref()),
        }
    }
}

/// A score and what it was made of. Without a session asked for there is neither reliability nor a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Score {
    /// The share of expected signs of health that was seen; one where none was expected.
    pub coverage: Ppm,
    /// The place of the end-to-end time.
    pub end_to_end: Ppm,
    /// The place of the first frame.
    pub first_frame: Ppm,
    /// The place of the frame rate.
    pub fps: Ppm,
    /// First frame and end to end.
    pub latency: Ppm,
    /// Latency and frame rate.
    pub quality: Ppm,
    /// Started, not swapped, with output.
    pub reliability: Option<Ppm>,
    /// All of it, 1 000 000 for the peer's 100.
    pub score: Option<Ppm>,
}

/// The score of a row.
pub fn score(row: &Row, benchmark: &Benchmark, constants: &Constants) -> Score {
    let c = constants;
    let place = |mean: Mean, scale: &Option<Scale>, good: Good, full: u64| {
        let known = scale.as_ref().filter(|scale| scale.rows >= c.benchmark_rows_min);
        let neutral = Fraction::from(c.neutral_ppm);
        match (mean.value(), known) {
            (Some(value), Some(scale)) => {
                drawn(&scale.place(&value, good), &neutral, mean.count, full)
            }
            _ => neutral,
        }
    };
    let first_frame =
        place(row.first_frame_ms, &benchmark.first_frame_ms, Good::Low, c.first_frame_full);
    let end_to_end =
        place(row.end_to_end_ms, &benchmark.end_to_end_ms, Good::Low, c.end_to_end_full);
    let fps = place(row.fps_milli, &benchmark.fps_milli, Good::High, c.fps_full);
    let latency =
        sum([(&first_frame, c.first_frame_weight_ppm), (&end_to_end, c.end_to_end_weight_ppm)]);
    let quality = sum([(&latency, c.latency_weight_ppm), (&fps, c.fps_weight_ppm)]);
    let coverage =
        share(row.health_signals, row.expected_signals).unwrap_or_else(|| Fraction::whole(1u8));
    let reliability = reliability(row, c);
    let whole = reliability.as_ref().map(|reliability| {
        let parts = [(reliability, c.reliability_weight_ppm), (&quality, c.quality_weight_ppm)];
        coverage.times(&sum(parts))
    });
    Score {
        coverage: coverage.ppm_nearest(),
        end_to_end: end_to_end.ppm_nearest(),
        first_frame: first_frame.ppm_nearest(),
        fps: fps.ppm_nearest(),
        latency: latency.ppm_nearest(),
        quality: quality.ppm_nearest(),
        reliability: reliability.map(|number| number.ppm_nearest()),
        score: whole.map(|number| number.ppm_nearest()),
    }
}

/// The score of several hours, as the peer's pages show it: the mean of theirs, each as often as it has sessions asked
/// for, to the nearest part per million, halves up. None without a session.
pub fn over_hours(hours: impl IntoIterator<Item = (Ppm, u64)>) -> Option<Ppm> {
    let nothing = (0u128, 0u128);
    let (above, below) = hours.into_iter().fold(nothing, |(above, below), (score, requested)| {
        let weight = u128::from(requested);
        (above + u128::from(score.0) * weight, below + weight)
    });
    let mean = Fraction::new(above, below)?.over(&Fraction::whole(Ppm::ONE.0))?;
    Some(mean.ppm_nearest())
}

fn reliability(row: &Row, c: &Constants) -> Option<Fraction> {
    let of_requested = |count: u64| share(count, row.requested);
    let without = |count: u64| Some(Fraction::whole(1u8).less(&of_requested(count)?));
    Some(sum([
        (&of_requested(row.started)?, c.started_weight_ppm),
        (&without(row.swapped)?, c.not_swapped_weight_ppm),
        (&without(row.output_failed)?, c.output_weight_ppm),
    ]))
}

/// `part` of `whole`, at most one; none of nothing.
fn share(part: u64, whole: u64) -> Option<Fraction> {
    Fraction::new(part, whole).map(Fraction::capped)
}

/// What evidence there is, and the rest neutral: `neutral + min(count / full, 1) (place - neutral)`.
fn drawn(place: &Fraction, neutral: &Fraction, count: u64, full: u64) -> Fraction {
    let known = share(count, full).unwrap_or_else(|| Fraction::whole(1u8));
    let unknown = Fraction::whole(1u8).less(&known);
    place.times(&known).plus(&neutral.times(&unknown))
}

fn sum<const N: usize>(parts: [(&Fraction, Ppm); N]) -> Fraction {
    let weighed = parts.into_iter().map(|(part, weight)| part.times(&weight.into()));
    weighed.fold(Fraction::whole(0u8), |sum, part| sum.plus(&part))
}
