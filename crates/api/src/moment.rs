//! Moments as RFC 3339 writes them, to and from Unix milliseconds, in UTC. It asks no clock.

use events::unit::{HOUR_MS, Millis, UnixMillis};
use sla::window::Hour;

/// `2026-01-08T21:07:33.120Z`.
pub fn rfc3339(moment: UnixMillis) -> String {
    let hour = Hour::of(moment);
    let Millis(rest) = moment.since(hour.start()).unwrap_or(Millis(0));
    let text = hour.to_string();
    let (minute, second) = (rest / 60_000, rest / 1_000 % 60);
    format!("{}:{minute:02}:{second:02}.{:03}Z", text.trim_end_matches('Z'), rest % 1_000)
}

const _: () = assert!(HOUR_MS == 3_600_000, "minutes are reckoned from the hour");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_in_utc() {
        assert_eq!(rfc3339(UnixMillis(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(UnixMillis(1_767_909_453_120)), "2026-01-08T21:57:33.120Z");
    }
}
