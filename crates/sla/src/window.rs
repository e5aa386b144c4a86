//! Spans of time with names: `2026-01-08T21Z` is an hour, `2026-01-08T21Z/24h` the day that ends with it.
//!
//! Windows are in UTC and half-open. Dates are reckoned in the proleptic Gregorian calendar by integer arithmetic.

use std::fmt;
use std::str::FromStr;

use events::identity::Invalid;
use events::unit::{HOUR_MS, Millis, UnixMillis};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One hour, by its number since 1970-01-01T00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hour(pub u64);

impl Hour {
    /// The hour that holds `moment`.
    pub fn of(moment: UnixMillis) -> Self {
        Self(moment.0 / HOUR_MS)
    }

    /// Its first moment.
    pub fn start(self) -> UnixMillis {
        UnixMillis(self.0.saturating_mul(HOUR_MS))
    }

    /// The first moment after it.
    pub fn end(self) -> UnixMillis {
        self.start().plus(Millis(HOUR_MS))
    }

    /// Whether `moment` lies in it.
    pub fn holds(self, moment: UnixMillis) -> bool {
        Self::of(moment) == self
    }

    /// The hour before.
    pub fn previous(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// The hour after.
    pub fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Hour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / 24);
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}Z", self.0 % 24)
    }
}

impl FromStr for Hour {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::unknown_word("hour such as 2026-01-08T21Z", text);
        let digits = |range: std::ops::Range<usize>| {
            let part =
                text.get(range).filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
            part.and_then(|part| part.parse::<u64>().ok()).ok_or_else(invalid)
        };
        let (year, month, day, hour) =
            (digits(0..4)?, digits(5..7)?, digits(8..10)?, digits(11..13)?);
        let in_range =
            (1970..=2200).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
        if !in_range || hour > 23 {
            return Err(invalid());
        }
        let candidate = Self(days(year, month, day) * 24 + hour);
        // Writing it again catches wrong separators, trailing text and days such as 31 February.
        if candidate.to_string() == text { Ok(candidate) } else { Err(invalid()) }
    }
}

/// The date of a day number (Howard Hinnant's `civil_from_days`, for days from 1970 on).
fn civil(day_number: u64) -> (u64, u64, u64) {
    let shifted = day_number + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

/// The day number of a date (Howard Hinnant's `days_from_civil`, for years from 1970 on).
fn days(year: u64, month: u64, day: u64) -> u64 {
    let year = year - u64::from(month <= 2);
    let era = year / 400;
    let year_of_era = year % 400;
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// How long a window is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Span {
    /// One hour, written without a suffix.
    Hour,
    /// 24 hours.
    Day,
    /// Seven days.
    Week,
    /// 28 days.
    FourWeeks,
}

impl Span {
    /// Every span.
    pub const ALL: &'static [Self] = &[Self::Hour, Self::Day, Self::Week, Self::FourWeeks];

    /// How many hours it has.
    pub fn hours(self) -> u64 {
        match self {
            Self::Hour => 1,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::FourWeeks => 28 * 24,
        }
    }

    /// As everybody writes it: `1h`, `24h`, `7d` or `28d`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::FourWeeks => "28d",
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Span {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let span = Self::ALL.iter().copied().find(|span| span.as_str() == text);
        span.ok_or_else(|| Invalid::unknown_word("span: 1h, 24h, 7d or 28d", text))
    }
}

/// A span that ends with an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Its last hour.
    pub last: Hour,
    /// How long it is.
    pub span: Span,
}

impl Window {
    /// The window of one hour.
    pub fn hour(last: Hour) -> Self {
        Self { last, span: Span::Hour }
    }

    /// Its hours, first to last.
    pub fn hours(self) -> impl Iterator<Item = Hour> {
        let first = self.last.0.saturating_sub(self.span.hours() - 1);
        (first..=self.last.0).map(Hour)
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.span {
            Span::Hour => self.last.fmt(f),
            span => write!(f, "{}/{span}", self.last),
        }
    }
}

impl FromStr for Window {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid =
            || Invalid::unknown_word("window such as 2026-01-08T21Z or 2026-01-08T21Z/24h", text);
        let (hour, span) = match text.split_once('/') {
            None => (text, Some(Span::Hour)),
            Some((hour, span)) => (hour, span.parse().ok().filter(|span| *span != Span::Hour)),
        };
        let last = hour.parse().map_err(|_| invalid())?;
        Ok(Self { last, span: span.ok_or_else(invalid)? })
    }
}

/// Serialises a type as the text it displays as, and reads it back by parsing.
macro_rules! as_text {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(de::Error::custom)
            }
        }
    };
}

as_text!(Hour);
as_text!(Span);
as_text!(Window);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_moments_agree() {
        let hour = Hour::of(UnixMillis(1_767_908_945_298));
        assert_eq!(hour.to_string(), "2026-01-08T21Z");
        for number in (0..1_800_000).step_by(997) {
            let hour = Hour(number);
            assert_eq!(hour.to_string().parse::<Hour>().unwrap(), hour);
        }
        for text in
            ["2026-01-08T21Z", "2026-01-08T21Z/24h", "2026-01-08T21Z/7d", "2026-01-08T21Z/28d"]
        {
            assert_eq!(text.parse::<Window>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn wrong_names_are_refused() {
        for bad in [
            "2026-02-30T00Z",
            "2026-01-08T24Z",
            "2026-01-08T21",
            "2026-1-8T21Z",
            "2026-01-08T21Z/1h",
            "",
            "é026-01-08T21Z",
        ] {
            assert!(bad.parse::<Window>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_day_ends_with_its_hour() {
        let day: Window = "2026-01-08T21Z/24h".parse().unwrap();
        let hours: Vec<Hour> = day.hours().collect();
        assert_eq!((hours.len(), hours.last()), (24, Some(&day.last)));
    }
}
