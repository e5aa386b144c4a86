//! Decimal numbers as text: scaled to integers by moving the point, rounded down, never through a float.

use events::body::Price;
use events::unit::Wei;

use super::json::exact;

/// Longer numbers say nothing a measurement could mean.
const MAX_TEXT_BYTES: usize = 96;

/// The most decimal places a price keeps: its `units` stay within what JSON carries exactly.
const PRICE_PLACES: i32 = 15;

/// A decimal number: `digits` times ten to the power of `exponent`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decimal {
    is_negative: bool,
    /// Without leading or trailing zeros; empty for zero.
    digits: String,
    exponent: i32,
}

impl Decimal {
    /// Reads `12`, `-0.5`, `.5`, `1e-7`, `+3.`; nothing else, and nothing longer than a measurement.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > MAX_TEXT_BYTES {
            return None;
        }
        let (is_negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (mantissa, power) = match rest.split_once(['e', 'E']) {
            Some((mantissa, power)) => {
                (mantissa, power.parse::<i32>().ok().filter(|power| power.abs() <= 400)?)
            }
            None => (rest, 0),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let kept = digits.trim_end_matches('0');
        let dropped = i32::try_from(digits.len() - kept.len()).ok()?;
        let exponent = power - i32::try_from(fraction.len()).ok()? + dropped;
        let digits = kept.trim_start_matches('0').to_owned();
        let exponent = if digits.is_empty() { 0 } else { exponent };
        Some(Self { is_negative: is_negative && !digits.is_empty(), digits, exponent })
    }

    /// The number times ten to the power of `places`, rounded down; nothing when it is negative or too large.
    pub(super) fn floor(&self, places: i32) -> Option<u128> {
        if self.is_negative { None } else { self.magnitude(places) }
    }

    /// The number times ten to the power of `places`, rounded towards zero, without its sign.
    fn magnitude(&self, places: i32) -> Option<u128> {
        if self.digits.is_empty() {
            return Some(0);
        }
        let shift = self.exponent.checked_add(places)?;
        let moved = usize::try_from(shift.unsigned_abs()).ok()?;
        if shift < 0 {
            let kept = self.digits.len().saturating_sub(moved);
            return match self.digits.get(..kept) {
                None | Some("") => Some(0),
                Some(digits) => digits.parse().ok(),
            };
        }
        let digits: u128 = self.digits.parse().ok()?;
        digits.checked_mul(10u128.checked_pow(shift.unsigned_abs())?)
    }

    /// Whether it has no fraction.
    pub(super) fn is_whole(&self) -> bool {
        self.exponent >= 0
    }

    /// As [`Self::floor`], as a count that JSON carries exactly.
    pub(super) fn count(&self, places: i32) -> Option<u64> {
        exact(self.floor(places)?)
    }

    /// The number as a signed reading, rounded towards zero.
    pub(super) fn reading(&self) -> Option<i64> {
        let magnitude = i64::try_from(exact(self.magnitude(0)?)?).ok()?;
        Some(if self.is_negative { -magnitude } else { magnitude })
    }

    /// The number as wei, rounded down; nothing where that would make a price of nothing out of something.
    pub(super) fn wei(&self) -> Option<Wei> {
        match self.floor(0)? {
            0 if !self.digits.is_empty() => None,
            wei => Some(Wei(wei)),
        }
    }

    /// The number as a price for one unit, kept exact by pricing more units: 1635.021 is 1635021 for 1000.
    pub(super) fn price(&self) -> Option<Price> {
        let places = (-self.exponent).clamp(0, PRICE_PLACES);
        let wei = Wei(self.floor(places)?);
        Some(Price { units: 10u64.checked_pow(places.unsigned_abs())?, wei })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(text: &str, places: i32) -> Option<u128> {
        Decimal::parse(text)?.floor(places)
    }

    #[test]
    fn moving_the_point_rounds_down() {
        assert_eq!(floor("17.298215447072742", 3), Some(17_298));
        assert_eq!(floor("17.3", 3), Some(17_300));
        assert_eq!(floor("0.0009990010", 9), Some(999_001));
        assert_eq!(floor("9.9e-5", 3), Some(0));
        assert_eq!(floor("1.5E3", 0), Some(1_500));
        assert_eq!(floor("000120.5", 0), Some(120));
        assert_eq!(floor("-1", 0), None);
        assert_eq!(floor("-0", 0), Some(0));
        assert_eq!(floor("1e300", 0), None);
        for bad in ["", ".", "-", "1.2.3", "0x1", "1e", "NaN", "1e999999999999", " 1", "１"] {
            assert_eq!(Decimal::parse(bad), None, "{bad}");
        }
        assert_eq!(Decimal::parse("-12.9").unwrap().reading(), Some(-12));
    }

    #[test]
    fn prices_stay_exact() {
        let price = |text: &str| Decimal::parse(text).unwrap().price().unwrap();
        assert_eq!(price("1635.021"), Price { units: 1_000, wei: Wei(1_635_021) });
        assert_eq!(price("2500"), Price { units: 1, wei: Wei(2_500) });
        assert_eq!(price("2500.000"), Price { units: 1, wei: Wei(2_500) });
        assert_eq!(Decimal::parse("0.4").unwrap().wei(), None);
        assert_eq!(Decimal::parse("0").unwrap().wei(), Some(Wei(0)));
    }
}
