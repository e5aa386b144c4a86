//! The names that become folders: a day and a kind of rows. Text that is not exactly one of them is refused.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Error;

/// A day of the calendar in UTC, written `2026-01-08`. Its order is that of its text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Day(String);

/// What the rows of a file are, such as `scores`: a lower-case word of at most 32 letters, digits and underscores.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Kind(String);

impl FromStr for Day {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error::Name {
            text: text.chars().take(64).collect(),
            wanted: "a day such as 2026-01-08, from 1970 to 2200",
        };
        let number = |range: std::ops::Range<usize>| {
            let digits = text.get(range)?;
            let is_digits = digits.bytes().all(|byte| byte.is_ascii_digit());
            if is_digits { digits.parse::<u32>().ok() } else { None }
        };
        let parts = (number(0..4), number(5..7), number(8..10));
        let (Some(year), Some(month), Some(day)) = parts else { return Err(invalid()) };
        let is_leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        let last = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            _ => 0,
        };
        let is_day = (1970..=2200).contains(&year) && (1..=last).contains(&day);
        // Writing it again catches wrong separators and what comes after.
        if is_day && format!("{year:04}-{month:02}-{day:02}") == text {
            Ok(Self(text.to_owned()))
        } else {
            Err(invalid())
        }
    }
}

impl FromStr for Kind {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let is_word = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        if is_word && begins && text.len() <= 32 {
            return Ok(Self(text.to_owned()));
        }
        Err(Error::Name {
            text: text.chars().take(64).collect(),
            wanted: "a kind of rows such as scores: at most 32 lower-case letters, digits and _",
        })
    }
}

macro_rules! as_text {
    ($name:ident) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl TryFrom<String> for $name {
            type Error = Error;

            fn try_from(text: String) -> Result<Self, Error> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }
    };
}

as_text!(Day);
as_text!(Kind);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_exact() {
        for good in ["2026-01-08", "2024-02-29", "1970-01-01", "2200-12-31"] {
            assert_eq!(good.parse::<Day>().unwrap().to_string(), good);
        }
        for bad in [
            "",
            "2026-1-8",
            "2025-02-29",
            "2100-02-29",
            "2026-13-01",
            "2026-00-10",
            "2026-04-31",
            "2026-01-00",
            "1969-12-31",
            "2201-01-01",
            "2026-01-08 ",
            "2026/01/08",
            "+026-01-08",
            "..",
            "2026-01-0é",
        ] {
            assert!(bad.parse::<Day>().is_err(), "{bad}");
        }
        for good in ["scores", "a", "x_2"] {
            assert_eq!(good.parse::<Kind>().unwrap().to_string(), good);
        }
        for bad in ["", "Scores", "..", "a/b", "a b", "_a", "2a", "a-b", &"a".repeat(33), "é"] {
            assert!(bad.parse::<Kind>().is_err(), "{bad}");
        }
        assert!(serde_json::from_str::<Kind>("\"../x\"").is_err());
        assert!(serde_json::from_str::<Day>("\"2026-02-30\"").is_err());
    }
}
