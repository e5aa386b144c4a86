//! When an hour settles: at fixed times after its end, and only if something came.

use events::unit::{Millis, UnixMillis};
use sla::window::Hour;

/// How long after an hour's end its revisions may be made: 15 minutes, 2 hours, 24 hours, 7 days.
pub const POINTS: [Millis; 4] = [
    sla::probes::CLOSES_AFTER,
    Millis(2 * 3_600_000),
    Millis(24 * 3_600_000),
    Millis(7 * 24 * 3_600_000),
];

/// Whether an hour that something came for is to be settled at `now`, when it was last looked at at `looked_ms`.
///
/// An hour never settled settles from all that is on hand, whatever its age; later it waits for the next point.
pub fn is_due(hour: Hour, looked_ms: Option<UnixMillis>, now: UnixMillis) -> bool {
    let passed = |point: &&Millis| hour.end().plus(**point) <= now;
    let is_new = |point: &Millis| looked_ms.is_none_or(|at| at < hour.end().plus(*point));
    POINTS.iter().filter(passed).any(is_new)
}

/// Whether an hour is over for good enough that it may be settled at all.
pub fn is_over(hour: Hour, now: UnixMillis) -> bool {
    let [first, ..] = POINTS;
    hour.end().plus(first) <= now
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn revisions_are_made_at_fixed_times_only() {
        let hour = Hour(490_000);
        let after = |minutes: u64| hour.end().plus(Millis(minutes * 60_000));
        let is_due = |looked: Option<u64>, now: u64| is_due(hour, looked.map(after), after(now));
        assert!(!is_due(None, 14));
        assert!(is_due(None, 15));
        assert!(!is_due(Some(15), 119));
        assert!(is_due(Some(15), 120));
        assert!(!is_due(Some(120), 24 * 60 - 1));
        assert!(is_due(Some(121), 24 * 60));
        assert!(is_due(Some(24 * 60), 7 * 24 * 60));
        assert!(!is_due(Some(7 * 24 * 60), 60 * 24 * 60));
        assert!(is_due(None, 60 * 24 * 60), "never settled settles at any age");
    }
}
