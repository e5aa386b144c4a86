//! Every operation on numbers is total: extreme values saturate or are refused, and nothing panics.

use events::unit::{HOUR_MS, MAX_JSON_INTEGER, Millis, UnixMillis};
use proptest::prelude::*;
use sla::histogram::{Histogram, bucket, bucket_floor};
use sla::opened::counted_ms;
use sla::tally::outcome::{Counts, Outcome};
use sla::window::{Hour, Span, Window};

fn extreme() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0..1_000u64,
        Just(u64::MAX),
        Just(MAX_JSON_INTEGER),
        (0..64u32).prop_map(|bit| 1 << bit),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn windows_read_back(hour in 0..2_000_000u64, span in 0..4usize) {
        let window = Window { last: Hour(hour), span: Span::ALL[span] };
        prop_assert_eq!(window.to_string().parse::<Window>().unwrap(), window);
        let hours: Vec<Hour> = window.hours().collect();
        prop_assert_eq!(hours.last(), Some(&window.last));
        prop_assert_eq!(hours.len() as u64, window.span.hours().min(hour + 1));
    }

    #[test]
    fn no_text_is_two_windows(text in "[0-9TZ/hd-]{0,20}") {
        if let Ok(window) = text.parse::<Window>() {
            prop_assert_eq!(window.to_string(), text);
        }
    }

    #[test]
    fn hours_are_total(moment in extreme(), number in extreme()) {
        let hour = Hour::of(UnixMillis(moment));
        prop_assert!(hour.holds(UnixMillis(moment)));
        prop_assert!(hour.start() <= UnixMillis(moment));
        let hour = Hour(number);
        prop_assert!(hour.start() <= hour.end());
        prop_assert!(hour.previous() <= hour && hour <= hour.next());
        let mut hours = Window { last: hour, span: Span::FourWeeks }.hours();
        prop_assert!(hours.next().is_some());
        if number < u64::MAX / HOUR_MS {
            prop_assert!(hour.holds(hour.start()) && !hour.holds(hour.end()));
            prop_assert!(hour.holds(hour.end().minus(Millis(1))));
        }
        prop_assert!(!hour.to_string().is_empty());
    }

    #[test]
    fn an_event_counts_near_its_batch(at in extreme(), sealed in extreme()) {
        let counted = counted_ms(UnixMillis(at), UnixMillis(sealed));
        prop_assert!(counted.0 == at || counted.0 == sealed);
        prop_assert!(counted.0 >= sealed.saturating_sub(600_000));
        prop_assert!(counted.0 <= sealed.saturating_add(30_000));
    }

    #[test]
    fn buckets_are_narrow_and_in_order(one in extreme(), other in extreme()) {
        let (less, more) = (one.min(other), one.max(other));
        prop_assert!(bucket(less) <= bucket(more));
        let floor = bucket_floor(bucket(one));
        prop_assert!(floor <= one);
        prop_assert!(u128::from(one - floor) * 128 <= u128::from(one));
    }

    #[test]
    fn any_buckets_can_be_asked(counts: std::collections::BTreeMap<u16, u64>, ppm: u32) {
        let histogram = Histogram(counts);
        prop_assert_eq!(histogram.quantile(ppm).is_none(), histogram.0.values().all(|count| *count == 0));
        let mut sum = histogram.clone();
        sum.merge(&histogram);
        sum.merge(&sum.clone());
        prop_assert!(sum.count() >= histogram.count().min(MAX_JSON_INTEGER));
    }

    #[test]
    fn sums_of_any_counts_have_no_order(parts: [(u64, u64, u64); 3]) {
        let parts = parts.map(|(good, bad, missing)| Counts { good, bad, missing, ..Counts::default() });
        let sum = |order: [usize; 3]| {
            let mut sum = Counts::default();
            order.iter().for_each(|at| sum.merge(&parts[*at]));
            sum
        };
        prop_assert_eq!(sum([0, 1, 2]), sum([2, 0, 1]));
        let mut nested = parts[1].clone();
        nested.merge(&parts[2]);
        let mut whole = parts[0].clone();
        whole.merge(&nested);
        prop_assert_eq!(sum([0, 1, 2]), whole);
    }
}

#[test]
fn full_counts_stay_full() {
    let mut counts = Counts { good: u64::MAX, ..Counts::default() };
    counts.add(Outcome::Good);
    assert_eq!(counts.good, MAX_JSON_INTEGER);
}
