//! When an hour settles: at fixed times after its end, and only if something came (SCORING section 2).

use events::unit::{Millis, UnixMillis};
use sla::window::Hour;

/// How long after an hour's end its revisions may be made: 15 minutes, 2 hours, 24 hours, 7 days.
pub const POINTS: [Millis; 4] = [
    Millis(15 * 60_000),
    Millis(2 * 3_600_000),
    Millis(24 * 3_600_000),
    Millis(7 * 24 * 3_600_000),
];

/// What is known of an hour's settling.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HourState {
    /// Whether something came since it was last settled.
    pub is_touched: bool,
    /// When it was last settled.
    pub settled_ms: Option<UnixMillis>,
}

impl HourState {
    /// Whether the hour is to be settled at `now`.
    ///
    /// An hour never settled settles from all that is on hand, whatever its age; later it waits for the next point.
    pub fn is_due(&self, hour: Hour, now: UnixMillis) -> bool {
        let passed = |point: &&Millis| hour.end().plus(**point) <= now;
        let is_new = |point: &Millis| self.settled_ms.is_none_or(|at| at < hour.end().plus(*point));
        self.is_touched && POINTS.iter().filter(passed).any(is_new)
    }
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
        let touched =
            |settled: Option<u64>| HourState { is_touched: true, settled_ms: settled.map(after) };
        assert!(!touched(None).is_due(hour, after(14)));
        assert!(touched(None).is_due(hour, after(15)));
        assert!(!touched(Some(15)).is_due(hour, after(119)));
        assert!(touched(Some(15)).is_due(hour, after(120)));
        assert!(!touched(Some(120)).is_due(hour, after(24 * 60 - 1)));
        assert!(touched(Some(121)).is_due(hour, after(24 * 60)));
        assert!(touched(Some(24 * 60)).is_due(hour, after(7 * 24 * 60)));
        assert!(!touched(Some(7 * 24 * 60)).is_due(hour, after(60 * 24 * 60)));
        assert!(
            touched(None).is_due(hour, after(60 * 24 * 60)),
            "never settled settles at any age"
        );
        assert!(!HourState::default().is_due(hour, after(60 * 24 * 60)), "nothing came");
    }
}
