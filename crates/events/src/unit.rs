//! How much: a number never travels without its unit.
//!
//! All are integers. Sums saturate nowhere and wrap nowhere: arithmetic is checked at the place that does it.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The largest integer that JSON numbers carry exactly (RFC 8785 section 3.2.2.3): 2^53 - 1.
pub const MAX_JSON_INTEGER: u64 = (1 << 53) - 1;

/// One hour in milliseconds.
pub const HOUR_MS: u64 = 3_600_000;

/// A moment: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// 2020-01-01T00:00:00Z: nothing this system measures is older.
    pub const EARLIEST: Self = Self(1_577_836_800_000);
    /// 2100-01-01T00:00:00Z: a later time is a broken clock.
    pub const LATEST: Self = Self(4_102_444_800_000);

    /// Whether the moment lies between [`Self::EARLIEST`] and [`Self::LATEST`].
    pub fn is_plausible(self) -> bool {
        (Self::EARLIEST..Self::LATEST).contains(&self)
    }

    /// The moment `by` later; the end of time stays the end of time.
    pub fn plus(self, by: Millis) -> Self {
        Self(self.0.saturating_add(by.0))
    }

    /// The moment `by` earlier; the epoch stays the epoch.
    pub fn minus(self, by: Millis) -> Self {
        Self(self.0.saturating_sub(by.0))
    }

    /// The time from `earlier` to here, or nothing when `earlier` is later.
    pub fn since(self, earlier: Self) -> Option<Millis> {
        self.0.checked_sub(earlier.0).map(Millis)
    }
}

impl fmt::Display for UnixMillis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A span of time in milliseconds.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Millis(pub u64);

/// A span of time in microseconds, where a mean of many says more than milliseconds do.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Micros(pub u64);

/// Thousandths of a frame per second: 17 298 is 17.298 fps.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct MilliFps(pub u32);

/// Parts per million.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct Ppm(pub u32);

impl Ppm {
    /// The whole.
    pub const ONE: Self = Self(1_000_000);

    /// `part` of `whole`, rounded down; nothing of nothing is unknown.
    pub fn ratio_floor(part: u64, whole: u64) -> Option<Self> {
        let scaled = u128::from(part.min(whole)) * 1_000_000;
        let floor = scaled.checked_div(u128::from(whole))?;
        u32::try_from(floor).ok().map(Self)
    }
}

/// An amount of wei, the smallest unit of ether. A decimal string in JSON, because it outgrows 2^53.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wei(pub u128);

impl Serialize for Wei {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Wei {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        let value: u128 = text.parse().map_err(de::Error::custom)?;
        if value.to_string() == text {
            Ok(Self(value))
        } else {
            Err(de::Error::custom("wei with a sign or leading zero"))
        }
    }
}

impl schemars::JsonSchema for Wei {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Wei".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "description": "An amount of wei in decimal digits, at most 2^128 - 1.",
            "type": "string",
            "pattern": "^(0|[1-9][0-9]{0,38})$",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_round_down_and_nothing_of_nothing_is_unknown() {
        assert_eq!(Ppm::ratio_floor(2, 3), Some(Ppm(666_666)));
        assert_eq!(Ppm::ratio_floor(u64::MAX, u64::MAX), Some(Ppm::ONE));
        assert_eq!(Ppm::ratio_floor(0, 0), None);
    }
}
