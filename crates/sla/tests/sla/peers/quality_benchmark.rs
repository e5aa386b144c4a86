//! The peer's `quality-benchmark-v1`: its vectors, its edges, and what is refused.

use events::unit::{MAX_JSON_INTEGER, Ppm};
use sla::score::fraction::Fraction;
use sla::score::quality::{
    Benchmark, Constants, Good, Method, Row, Scale, Score, over_hours, score,
};

use super::{WHOLE, mean, table, whole};

const POLICY: &str = include_str!("../../../../../policies/naap-quality-benchmark-v1.toml");

pub fn constants() -> Constants {
    table(POLICY).unwrap()
}

fn scale(middle: u64, tail: u64, rows: u64) -> Option<Scale> {
    Some(Scale { middle: whole(middle), rows, tail: whole(tail) })
}

/// Seven days of eight hours, as the peer's own tests have it.
fn history() -> Benchmark {
    Benchmark {
        end_to_end_ms: scale(500, 1_500, 56),
        first_frame_ms: scale(2_000, 4_000, 56),
        fps_milli: scale(20_000, 10_000, 56),
    }
}

/// One session with all signs of health and nothing measured.
fn perfect() -> Row {
    Row { expected_signals: 3, health_signals: 3, requested: 1, started: 1, ..Row::default() }
}

pub fn of(row: Row, benchmark: &Benchmark) -> Score {
    score(&row, benchmark, &constants())
}

#[test]
fn the_policy_holds_the_peers_constants() {
    let expected = Constants {
        method: Method::QualityBenchmark,
        benchmark_days: 7,
        benchmark_rows_min: 48,
        end_to_end_full: 10,
        end_to_end_weight_ppm: Ppm(400_000),
        first_frame_full: 10,
        first_frame_weight_ppm: Ppm(600_000),
        fps_full: 30,
        fps_tail_ppm: Ppm(100_000),
        fps_weight_ppm: Ppm(400_000),
        latency_tail_ppm: Ppm(900_000),
        latency_weight_ppm: Ppm(600_000),
        middle_ppm: Ppm(500_000),
        neutral_ppm: Ppm(500_000),
        not_swapped_weight_ppm: Ppm(200_000),
        output_weight_ppm: Ppm(400_000),
        quality_weight_ppm: Ppm(300_000),
        reliability_weight_ppm: Ppm(700_000),
        started_weight_ppm: Ppm(400_000),
    };
    assert_eq!(constants(), expected);
    assert_eq!(expected.check(), Ok(()));
}

#[test]
fn wrong_constants_are_refused_by_name() {
    let wrong = [
        ("started_weight_ppm = 400000", "started_weight_ppm = 400001", "started_weight_ppm"),
        ("fps_weight_ppm = 400000", "fps_weight_ppm = 0", "latency_weight_ppm"),
        (
            "quality_weight_ppm = 300000",
            "quality_weight_ppm = 4294967295",
            "reliability_weight_ppm",
        ),
        (
            "end_to_end_weight_ppm = 400000",
            "end_to_end_weight_ppm = 500000",
            "first_frame_weight_ppm",
        ),
        ("benchmark_days = 7", "benchmark_days = 29", "benchmark_days"),
        ("benchmark_rows_min = 48", "benchmark_rows_min = 0", "benchmark_rows_min"),
        ("fps_full = 30", "fps_full = 0", "fps_full"),
        ("fps_tail_ppm = 100000", "fps_tail_ppm = 500001", "fps_tail_ppm"),
        ("latency_tail_ppm = 900000", "latency_tail_ppm = 499999", "latency_tail_ppm"),
        ("middle_ppm = 500000", "middle_ppm = 0", "middle_ppm"),
        ("neutral_ppm = 500000", "neutral_ppm = 1000001", "neutral_ppm"),
    ];
    for (from, to, member) in wrong {
        let text = POLICY.replace(from, to);
        assert_ne!(text, POLICY, "{from}");
        let constants: Constants = table(&text).unwrap();
        assert_eq!(constants.check().unwrap_err().0, member, "{to}");
    }
    let unread = [
        ("fps_full = 30", "fps_full = 30\nfps_half = 15", "fps_half"),
        ("fps_full = 30", "", "fps_full"),
        ("fps_full = 30", "fps_full = -1", "-1"),
        ("method = \"quality-benchmark\"", "method = \"pooled\"", "pooled"),
    ];
    for (from, to, named) in unread {
        let why = table::<Constants>(&POLICY.replace(from, to)).unwrap_err().to_string();
        assert!(why.contains(named), "{named}: {why}");
    }
}

#[test]
fn half_of_two_sessions_without_history_is_47_and_a_half() {
    let row = Row {
        expected_signals: 6,
        health_signals: 5,
        output_failed: 1,
        requested: 2,
        started: 1,
        ..Row::default()
    };
    let found = of(row, &Benchmark::default());
    assert_eq!(found.reliability, Some(Ppm(600_000)));
    assert_eq!((found.coverage, found.quality), (Ppm(833_333), Ppm(500_000)));
    assert_eq!(found.score, Some(Ppm(475_000)));
}

#[test]
fn one_value_of_each_is_drawn_towards_a_half() {
    let row = Row {
        end_to_end_ms: mean(500, 1),
        first_frame_ms: mean(2_000, 1),
        fps_milli: mean(20_000, 1),
        ..perfect()
    };
    let found = of(row, &history());
    assert_eq!(
        (found.first_frame, found.end_to_end, found.fps),
        (Ppm(550_000), Ppm(550_000), Ppm(516_667))
    );
    // 0.6 * 0.55 + 0.4 * 31/60 = 0.536666…, and 0.7 + 0.3 times that.
    assert_eq!((found.latency, found.quality), (Ppm(550_000), Ppm(536_667)));
    assert_eq!(found.score, Some(Ppm(861_000)));
}

#[test]
fn perfect_reliability_without_history_is_85() {
    assert_eq!(of(perfect(), &Benchmark::default()).score, Some(Ppm(850_000)));
    // The same of somebody who is measured and of whom nothing is known: the peer cannot tell them apart.
    assert_eq!(of(perfect(), &history()).score, Some(Ppm(850_000)));
}

#[test]
fn enough_values_at_the_middle_and_at_the_tail() {
    let good = Row {
        end_to_end_ms: mean(5_000, 10),
        first_frame_ms: mean(20_000, 10),
        fps_milli: mean(600_000, 30),
        ..perfect()
    };
    assert_eq!(of(good, &history()).score, Some(Ppm(WHOLE)));
    let bad = Row {
        end_to_end_ms: mean(15_000, 10),
        first_frame_ms: mean(40_000, 10),
        fps_milli: mean(300_000, 30),
        ..perfect()
    };
    assert_eq!(of(bad, &history()).score, Some(Ppm(700_000)));
    let between = Row {
        end_to_end_ms: mean(10_000, 10),
        first_frame_ms: mean(25_000, 10),
        fps_milli: mean(375_000, 30),
        ..perfect()
    };
    let found = of(between, &history());
    assert_eq!(
        (found.end_to_end, found.first_frame, found.fps),
        (Ppm(500_000), Ppm(750_000), Ppm(250_000))
    );
    // 0.6 (0.6 * 0.75 + 0.4 * 0.5) + 0.4 * 0.25 = 0.49.
    assert_eq!((found.quality, found.score), (Ppm(490_000), Some(Ppm(847_000))));
}

#[test]
fn where_middle_and_tail_are_one_only_the_middle_decides() {
    let place = |middle: u64, tail: u64, value: u64, good| {
        scale(middle, tail, 48).unwrap().place(&whole(value), good).ppm_nearest().0
    };
    for tail in [100, 99, 0] {
        assert_eq!(place(100, tail, 100, Good::Low), WHOLE);
        assert_eq!(place(100, tail, 101, Good::Low), 0);
    }
    for tail in [100, 101, u64::MAX] {
        assert_eq!(place(100, tail, 100, Good::High), WHOLE);
        assert_eq!(place(100, tail, 99, Good::High), 0);
    }
    assert_eq!((place(100, 200, 200, Good::Low), place(200, 100, 100, Good::High)), (0, 0));
    assert_eq!(
        (place(100, 200, 125, Good::Low), place(200, 100, 125, Good::High)),
        (750_000, 250_000)
    );
    assert_eq!((place(100, 200, 0, Good::Low), place(200, 100, 300, Good::High)), (WHOLE, WHOLE));
}

#[test]
fn with_47_rows_the_benchmark_says_nothing_and_with_48_it_does() {
    let row = |first_frame_ms| Row { first_frame_ms, ..Row::default() };
    let of_rows = |count: u64| {
        // One day has what is over forty, so that the sum over days is what counts.
        let day = |rows: u64| {
            let rows: Vec<Row> = (0..rows).map(|at| row(mean(2_000 + at, 1))).collect();
            Benchmark::of_day(&rows, &constants())
        };
        Benchmark::of_days(&[day(40), Benchmark::default(), day(count - 40)])
    };
    let measured = Row { first_frame_ms: mean(10, 10), ..perfect() };
    let (few, enough) = (of(measured, &of_rows(47)), of(measured, &of_rows(48)));
    assert_eq!((few.first_frame, enough.first_frame), (Ppm(500_000), Ppm(WHOLE)));
    // Each number has rows of its own: nobody measured the others.
    assert_eq!((enough.end_to_end, enough.fps), (Ppm(500_000), Ppm(500_000)));
}

#[test]
fn quantiles_of_a_day_are_nearest_ranks_of_means() {
    let rows: Vec<Row> = (1..=10)
        .map(|at| Row {
            first_frame_ms: mean(at * 7, 7),
            fps_milli: mean(at * 3, 2),
            ..Row::default()
        })
        .chain([Row::default()])
        .collect();
    let day = Benchmark::of_day(&rows, &constants());
    assert_eq!(day.first_frame_ms, scale(5, 9, 10));
    let half = |above: u64| Fraction::new(above, 2u8).unwrap();
    assert_eq!(day.fps_milli, Some(Scale { middle: half(15), rows: 10, tail: half(3) }));
    assert_eq!(day.end_to_end_ms, None);
    let one = Benchmark::of_day(&rows[..1], &constants());
    assert_eq!(one.first_frame_ms, scale(1, 1, 1));
}

#[test]
fn days_count_by_their_rows_and_empty_days_not_at_all() {
    let day = |middle, tail, rows| Benchmark {
        first_frame_ms: scale(middle, tail, rows),
        ..Benchmark::default()
    };
    let days = [day(100, 200, 30), Benchmark::default(), day(400, 1_000, 10)];
    assert_eq!(Benchmark::of_days(&days), day(175, 400, 40));
    assert_eq!(Benchmark::of_days(&[]), Benchmark::default());
}

#[test]
fn what_is_unknown_is_none() {
    let nobody = Row { fps_milli: mean(600_000, 30), ..Row::default() };
    let found = of(nobody, &history());
    assert_eq!((found.reliability, found.score), (None, None));
    // Nothing expected: nothing is missing. Frames are known all the same.
    assert_eq!((found.coverage, found.fps), (Ppm(WHOLE), Ppm(WHOLE)));
    assert_eq!(over_hours([]), None);
    assert_eq!(over_hours([(Ppm(700_000), 0)]), None);
}

#[test]
fn hours_count_by_the_sessions_asked_for() {
    assert_eq!(over_hours([(Ppm(WHOLE), 1), (Ppm(0), 2)]), Some(Ppm(333_333)));
    assert_eq!(over_hours([(Ppm(1), 1), (Ppm(2), 1)]), Some(Ppm(2)));
    assert_eq!(over_hours(vec![(Ppm(WHOLE), u64::MAX); 100]), Some(Ppm(WHOLE)));
}

#[test]
fn a_score_from_inflated_counts_stays_in_range() {
    // The peer once published 346.67 and -13.33 of such.
    let most = MAX_JSON_INTEGER;
    let row = Row {
        expected_signals: 1,
        health_signals: most,
        output_failed: most,
        requested: 1,
        started: most,
        swapped: most,
        ..Row::default()
    };
    let found = of(row, &history());
    assert_eq!((found.coverage, found.reliability), (Ppm(WHOLE), Some(Ppm(400_000))));
    assert_eq!(found.score, Some(Ppm(430_000)));
}

/// A made-up hour: its numbers scatter by a rule that the other program has too.
fn made(day: u64, hour: u64) -> Row {
    let at = day * 37 + hour * 113;
    let end_to_end = if hour % 8 == 4 { 0 } else { 2 };
    Row {
        end_to_end_ms: mean(800 + at % 311, end_to_end),
        first_frame_ms: mean(4_500 + at % 997, 3),
        fps_milli: mean(90_000 + at * 7 % 29_989, 5),
        ..Row::default()
    }
}

#[test]
fn seven_made_up_days_come_to_what_the_peers_query_makes_of_them() {
    // Computed in floating point by a program written from the peer's SQL, its t-digest included.
    let day = |day: u64| {
        let rows: Vec<Row> = (0..8 + day % 3).map(|hour| made(day, hour)).collect();
        Benchmark::of_day(&rows, &constants())
    };
    let benchmark = Benchmark::of_days(&(0..7).map(day).collect::<Vec<_>>());
    let known = [
        (
            [20, 18, 3, 1, 57, 60],
            [mean(20400, 12), mean(2880, 6), mean(744000, 40)],
            [633172, 699153, 776408, 659564, 706302, 910000, 806446],
        ),
        (
            [7, 7, 0, 0, 21, 21],
            [mean(11550, 7), mean(3500, 7), mean(234000, 12)],
            [825521, 540613, 700000, 711558, 706935, 1000000, 912080],
        ),
        (
            [3, 1, 1, 2, 4, 9],
            [mean(1790, 1), mean(1040, 2), mean(61500, 3)],
            [453583, 456823, 550000, 454879, 492927, 400000, 190168],
        ),
        (
            [100, 97, 4, 2, 290, 300],
            [mean(168780, 97), mean(51410, 97), mean(16560000, 900)],
            [367685, 147161, 426489, 279475, 338281, 972000, 755821],
        ),
    ];
    for (counts, [first_frame_ms, end_to_end_ms, fps_milli], expected) in known {
        let [requested, started, swapped, output_failed, health_signals, expected_signals] = counts;
        let row = Row {
            end_to_end_ms,
            expected_signals,
            first_frame_ms,
            fps_milli,
            health_signals,
            output_failed,
            requested,
            started,
            swapped,
        };
        let found = of(row, &benchmark);
        let parts = [
            found.first_frame,
            found.end_to_end,
            found.fps,
            found.latency,
            found.quality,
            found.reliability.unwrap(),
            found.score.unwrap(),
        ];
        for (part, expected) in parts.iter().zip(expected) {
            assert!(part.0.abs_diff(expected) <= 1, "{counts:?}: {parts:?}");
        }
    }
}
