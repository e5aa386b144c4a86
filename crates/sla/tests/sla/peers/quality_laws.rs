//! The laws of the peer's `quality-benchmark-v1`: range, direction, and that nothing has an order.

use events::unit::{MAX_JSON_INTEGER, Ppm};
use proptest::prelude::*;
use sla::score::fraction::Mean;
use sla::score::quality::{Benchmark, Row};

use super::quality_benchmark::{constants, of};
use super::{WHOLE, mean};

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![0u64..20, 0u64..100_000, 0..=MAX_JSON_INTEGER]
}

prop_compose! {
    fn any_mean()(count in number(), sum in number()) -> Mean {
        mean(sum, count)
    }
}

prop_compose! {
    fn any_row()(
        (end_to_end_ms, first_frame_ms, fps_milli) in (any_mean(), any_mean(), any_mean()),
        (expected_signals, health_signals) in (number(), number()),
        (output_failed, requested, started, swapped) in (number(), number(), number(), number()),
    ) -> Row {
        Row { end_to_end_ms, expected_signals, first_frame_ms, fps_milli, health_signals, output_failed, requested, started, swapped }
    }
}

prop_compose! {
    fn any_benchmark()(days in prop::collection::vec(prop::collection::vec(any_row(), 0..20), 0..8)) -> Benchmark {
        let days: Vec<Benchmark> = days.iter().map(|rows| Benchmark::of_day(rows, &constants())).collect();
        Benchmark::of_days(&days)
    }
}

proptest! {
    #[test]
    fn a_score_is_in_range_and_what_its_parts_say(row in any_row(), benchmark in any_benchmark()) {
        let found = of(row, &benchmark);
        prop_assert_eq!(found.score.is_some(), row.requested > 0);
        prop_assert_eq!(found.reliability.is_some(), row.requested > 0);
        let parts = [found.coverage, found.end_to_end, found.first_frame, found.fps, found.latency, found.quality];
        prop_assert!(parts.into_iter().chain(found.reliability).chain(found.score).all(|part| part <= Ppm(WHOLE)));
        let wide = |part: Ppm| u64::from(part.0);
        let about = |found: Ppm, parts: u64| is_about(wide(found), parts / 1_000_000);
        prop_assert!(about(found.latency, wide(found.first_frame) * 600_000 + wide(found.end_to_end) * 400_000));
        prop_assert!(about(found.quality, wide(found.latency) * 600_000 + wide(found.fps) * 400_000));
        if let (Some(score), Some(reliability)) = (found.score, found.reliability) {
            let inner = (wide(reliability) * 700_000 + wide(found.quality) * 300_000) / 1_000_000;
            prop_assert!(about(score, wide(found.coverage) * inner));
        }
    }

    #[test]
    fn doing_better_never_scores_less(row in any_row(), benchmark in any_benchmark(), more in number()) {
        let before = of(row, &benchmark).score;
        let faster = |mean: Mean| Mean { sum: mean.sum.saturating_sub(more), ..mean };
        let better = [
            Row { started: row.started.saturating_add(more), ..row },
            Row { swapped: row.swapped.saturating_sub(more), ..row },
            Row { output_failed: row.output_failed.saturating_sub(more), ..row },
            Row { health_signals: row.health_signals.saturating_add(more), ..row },
            Row { first_frame_ms: faster(row.first_frame_ms), ..row },
            Row { end_to_end_ms: faster(row.end_to_end_ms), ..row },
            Row { fps_milli: Mean { sum: row.fps_milli.sum.saturating_add(more), ..row.fps_milli }, ..row },
        ];
        for row in better {
            prop_assert!(of(row, &benchmark).score >= before, "{row:?}");
        }
    }

    #[test]
    fn rows_and_days_have_no_order(mut rows in prop::collection::vec(any_row(), 0..30), mut days in prop::collection::vec(any_benchmark(), 0..4)) {
        let day = Benchmark::of_day(&rows, &constants());
        rows.reverse();
        prop_assert_eq!(&day, &Benchmark::of_day(&rows, &constants()));
        let sum = |rows: &[Row]| rows.iter().fold(Row::default(), |sum, row| sum.plus(*row));
        let forward = sum(&rows);
        rows.reverse();
        prop_assert_eq!(forward, sum(&rows));
        let mean = Benchmark::of_days(&days);
        days.reverse();
        prop_assert_eq!(&mean, &Benchmark::of_days(&days));
        let text = serde_json::to_string(&mean).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Benchmark>(&text).unwrap(), &mean);
    }
}

/// Whether a number is what its rounded parts come to.
fn is_about(found: u64, parts: u64) -> bool {
    found.abs_diff(parts) <= 3
}
