//! What requests to the peer's paths say: windows, spans, limits. What cannot be read is refused, where the peer falls
//! back to a default in silence.

use std::ops::Range;

use events::event::Network;
use events::unit::{HOUR_MS, UnixMillis};
use serde::{Deserialize, Deserializer, de};
use sla::rollup::{MINUTE_MS, Minute};
use sla::window::Hour;
use utoipa::IntoParams;

use super::moment::Moment;
use crate::problem::Problem;
use crate::query::shown;
use crate::schema;

/// The longest window, in hours: a week.
pub const WINDOW_HOURS_MAX: u64 = 168;

/// The longest span between `start` and `end`: the 90 days that the peer keeps.
const SPAN_MS_MAX: u64 = 90 * 24 * HOUR_MS;

/// The hours of a day.
pub const DAY_HOURS: u64 = 24;

/// How many hours a window has: `24h`, `7d` or `24`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WindowHours(pub u64);

impl Default for WindowHours {
    fn default() -> Self {
        Self(DAY_HOURS)
    }
}

impl<'de> Deserialize<'de> for WindowHours {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (number, hours) = match (text.strip_suffix('h'), text.strip_suffix('d')) {
            (Some(number), _) => (number, 1),
            (_, Some(number)) => (number, DAY_HOURS),
            _ => (text.as_str(), 1),
        };
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let number = number.parse::<u64>().ok().filter(|_| is_number);
        let hours = number.and_then(|number| number.checked_mul(hours));
        hours.filter(|hours| (1..=WINDOW_HOURS_MAX).contains(hours)).map(Self).ok_or_else(|| {
            let text = shown(&text);
            de::Error::custom(format_args!(
                "{text:?} is not a window of 1 to {WINDOW_HOURS_MAX} hours"
            ))
        })
    }
}

impl WindowHours {
    /// The hours of the window that ends with the hour of `now`.
    pub fn until(self, now: UnixMillis) -> Range<u64> {
        let end = Hour::of(now).0 + 1;
        end.saturating_sub(self.0)..end
    }
}

/// The minutes of hours.
pub fn minutes(hours: &Range<u64>) -> Range<Minute> {
    hours.start * 60..hours.end * 60
}

/// At most so many, at least one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UpTo<const MAX: u16>(pub u16);

impl<const MAX: u16> UpTo<MAX> {
    /// As a count.
    pub fn count(self) -> usize {
        usize::from(self.0)
    }
}

impl<'de, const MAX: u16> Deserialize<'de> for UpTo<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let limit = text.parse().ok().filter(|limit| (1..=MAX).contains(limit));
        limit.map(Self).ok_or_else(|| {
            let text = shown(&text);
            de::Error::custom(format_args!("{text:?} is not a whole number from 1 to {MAX}"))
        })
    }
}

/// Which network.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct NetworkQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    pub network: Option<Network>,
}

/// Which window.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WindowQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    pub network: Option<Network>,
    /// How far back: hours as `24h` or `24`, or days as `7d`; at most 168 hours, 24 if not given.
    #[param(value_type = String, required = false)]
    pub window: Option<WindowHours>,
}

/// Which part of a list that is short.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct PlacesQuery {
    /// The maximum number of rows, 1 to 1000; 1000 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 1000)]
    pub limit: Option<UpTo<1000>>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    pub network: Option<Network>,
}

/// Which span.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct SpanQuery {
    /// The end of the time range, not included, such as `2026-01-09T00:00:00Z`; now if not given.
    #[param(value_type = String, required = false)]
    pub end: Option<Moment>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    pub network: Option<Network>,
    /// The start of the time range, such as `2026-01-08T00:00:00Z`; 24 hours before the end if not given.
    #[param(value_type = String, required = false)]
    pub start: Option<Moment>,
}

/// Which page of which span.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// `next_cursor` of the previous page, unchanged, with the same `start` and `end`.
    #[param(value_type = String, required = false)]
    pub cursor: Option<String>,
    /// The end of the time range, not included, such as `2026-01-09T00:00:00Z`; now if not given.
    #[param(value_type = String, required = false)]
    pub end: Option<Moment>,
    /// The maximum number of rows on the page, 1 to 1000; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 1000)]
    pub limit: Option<UpTo<1000>>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    pub network: Option<Network>,
    /// The start of the time range, such as `2026-01-08T00:00:00Z`; 24 hours before the end if not given.
    #[param(value_type = String, required = false)]
    pub start: Option<Moment>,
}

/// The rows of a page whose request names no limit.
pub const ROWS_DEFAULT: u16 = 50;

/// The moments from `start` to `end`, or the 24 hours before the end, or before now.
pub fn span(
    start: Option<Moment>,
    end: Option<Moment>,
    now: UnixMillis,
) -> Result<Range<UnixMillis>, Problem> {
    let end = end.map_or(now, |end| end.0);
    let day = events::unit::Millis(DAY_HOURS * HOUR_MS);
    let start = start.map_or(end.minus(day), |start| start.0);
    if start >= end {
        let detail = format!("start {} is not before end {}", Moment(start), Moment(end));
        return Err(Problem::parameter("start", detail, "Send a time before `end`."));
    }
    if end.0 - start.0 > SPAN_MS_MAX {
        let detail = format!("from {} to {} is more than 90 days", Moment(start), Moment(end));
        return Err(Problem::parameter("start", detail, "Ask for at most 90 days at once."));
    }
    Ok(start..end)
}

/// The minutes that a span touches.
pub fn minutes_of(span: &Range<UnixMillis>) -> Range<Minute> {
    span.start.0 / MINUTE_MS..span.end.0.div_ceil(MINUTE_MS)
}

/// The hours that begin in a span.
pub fn hours_of(span: &Range<UnixMillis>) -> Range<u64> {
    span.start.0.div_ceil(HOUR_MS)..span.end.0.div_ceil(HOUR_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(text: &str) -> Result<u64, String> {
        let query: WindowQuery =
            crate::query::read(&format!("window={text}")).map_err(|problem| problem.detail)?;
        Ok(query.window.unwrap_or_default().0)
    }

    #[test]
    fn windows_are_hours_or_days() {
        for (text, hours) in [("1h", 1), ("24", 24), ("7d", 168), ("168h", 168), ("01d", 24)] {
            assert_eq!(window(text), Ok(hours), "{text}");
        }
        for bad in [
            "",
            "h",
            "0",
            "0h",
            "169h",
            "8d",
            "-1h",
            "%2B5",
            "24m",
            "1.5h",
            "24H",
            "99999999999999999999d",
        ] {
            assert!(window(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_window_ends_with_the_hour_that_is_open() {
        let now = UnixMillis(100 * HOUR_MS + 5);
        assert_eq!(WindowHours(2).until(now), 99..101);
        assert_eq!(hours_of(&(UnixMillis(HOUR_MS + 1)..UnixMillis(3 * HOUR_MS))), 2..3);
    }
}
