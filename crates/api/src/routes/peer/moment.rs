//! Moments as the peer writes them: RFC 3339 in UTC. It asks no clock.

use std::fmt;
use std::str::FromStr;

use events::unit::{HOUR_MS, UnixMillis};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sla::rollup::{MINUTE_MS, Minute};
use sla::window::Hour;

use crate::query::shown;

/// A moment that is written as `2026-01-08T21:49:05Z`, with milliseconds where there are any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(pub UnixMillis);

impl Moment {
    /// The moment a minute begins with.
    pub fn of_minute(minute: Minute) -> Self {
        Self(UnixMillis(minute.saturating_mul(MINUTE_MS)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hour = Hour::of(self.0).to_string();
        let (hour, rest) = (hour.trim_end_matches('Z'), self.0.0 % HOUR_MS);
        write!(f, "{hour}:{:02}:{:02}", rest / MINUTE_MS, rest / 1_000 % 60)?;
        match rest % 1_000 {
            0 => f.write_str("Z"),
            millis => write!(f, ".{millis:03}Z"),
        }
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Moment {
    type Err = ();

    /// `2026-01-08T21:49:05Z`, with a fraction or not, with an offset or `Z`. A query turns the `+` of an offset that
    /// was not percent-encoded into a space, which can mean nothing else.
    fn from_str(text: &str) -> Result<Self, ()> {
        read(text).filter(|moment| moment.is_plausible()).map(Self).ok_or(())
    }
}

fn read(text: &str) -> Option<UnixMillis> {
    let (date, rest) = text.split_at_checked(13)?;
    let hour: Hour = format!("{}Z", date.to_ascii_uppercase()).parse().ok()?;
    let (clock, rest) = rest.split_at_checked(6)?;
    let (minute, second) = clock.strip_prefix(':')?.split_once(':')?;
    let (minute, second) = (digits(minute)?, digits(second)?);
    let (fraction, zone) = match rest.strip_prefix('.') {
        None => ("", rest),
        Some(rest) => {
            let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            rest.split_at_checked(end).filter(|(fraction, _)| !fraction.is_empty())?
        }
    };
    let millis: u64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
    if minute > 59 || second > 60 {
        return None;
    }
    let within = (minute * 60 + second) * 1_000 + millis;
    let moment = hour.start().0.checked_add(within)?;
    let (is_ahead, zone) = match zone {
        "Z" | "z" => return Some(UnixMillis(moment)),
        zone => match zone.strip_prefix('-') {
            Some(zone) => (false, zone),
            None => (true, zone.strip_prefix(['+', ' '])?),
        },
    };
    let (hours, minutes) = zone.split_once(':')?;
    let (hours, minutes) = (digits(hours)?, digits(minutes)?);
    if hours > 23 || minutes > 59 {
        return None;
    }
    let offset = (hours * 60 + minutes) * MINUTE_MS;
    let moment = if is_ahead { moment.checked_sub(offset) } else { moment.checked_add(offset) };
    moment.map(UnixMillis)
}

fn digits(text: &str) -> Option<u64> {
    let fits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|()| {
            let shown = shown(&text);
            de::Error::custom(format_args!("{shown:?} is not a time between 2020 and 2100"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_come_back_as_they_went_out() {
        for (text, ms) in [
            ("2026-01-08T21:49:05Z", 1_767_908_945_000),
            ("2026-01-08T21:49:05.298Z", 1_767_908_945_298),
        ] {
            let moment: Moment = text.parse().unwrap();
            assert_eq!((moment.0, moment.to_string().as_str()), (UnixMillis(ms), text));
        }
        for same in [
            "2026-01-08T21:49:05.298999z",
            "2026-01-08t21:49:05.298Z",
            "2026-01-08T23:19:05.298+01:30",
            "2026-01-08T23:19:05.298 01:30",
            "2026-01-08T16:49:05.298-05:00",
        ] {
            assert_eq!(same.parse(), Ok(Moment(UnixMillis(1_767_908_945_298))), "{same}");
        }
    }

    #[test]
    fn other_text_is_no_moment() {
        for bad in [
            "",
            "now",
            "1767908945",
            "2026-01-08",
            "2026-01-08T21",
            "2026-01-08T21:49:05",
            "2026-13-01T00:00:00Z",
            "2026-02-30T00:00:00Z",
            "2026-01-08T24:00:00Z",
            "2026-01-08T21:60:00Z",
            "2026-01-08T21:49:05.Z",
            "2026-01-08T21:49:05+1",
            "2026-01-08T21:49:05+25:00",
            "1970-01-01T00:00:00Z",
            "2201-01-01T00:00:00Z",
            "2026-01-08T21:49:é5Z",
            "２026-01-08T21:49:05Z",
        ] {
            assert_eq!(bad.parse::<Moment>(), Err(()), "{bad}");
        }
    }
}
