//! Reads moments as RFC 3339 writes them, whatever their offset. Leap seconds are refused: nobody signs in during one.

use crate::unit::{Millis, UnixMillis};

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

/// `2026-01-08T21:07:33.12Z` or `2026-01-08T23:07:33+02:00`, from 1970 to 2200; fractions beyond milliseconds are cut.
pub fn parse(text: &str) -> Option<UnixMillis> {
    let (date, rest) = text.split_at_checked(10)?;
    let time = rest.strip_prefix(['T', 't'])?;
    let (clock, rest) = time.split_at_checked(8)?;
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
    let is_date = (1970..=2200).contains(&year) && (1..=12).contains(&month);
    if !is_date || !(1..=days_of(year, month)).contains(&day) {
        return None;
    }
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (millis, offset) = fraction(rest)?;
    let days = (1970..year).map(|year| if is_leap(year) { 366 } else { 365 }).sum::<u64>()
        + (1..month).map(|month| days_of(year, month)).sum::<u64>()
        + (day - 1);
    let at = days * DAY_MS + (hour * 60 + minute) * MINUTE_MS + second * 1_000 + millis;
    shifted(UnixMillis(at), offset)
}

/// Numbers of fixed widths with a separator between them.
fn numbers(text: &str, separator: char, widths: [usize; 3]) -> Option<[u64; 3]> {
    let mut parts = text.split(separator);
    let mut numbers = [0; 3];
    for (number, width) in numbers.iter_mut().zip(widths) {
        let part = parts.next()?;
        let is_number = part.len() == width && part.bytes().all(|byte| byte.is_ascii_digit());
        *number = part.parse().ok().filter(|_| is_number)?;
    }
    parts.next().is_none().then_some(numbers)
}

/// The milliseconds of a fraction that may be there, and what follows it.
fn fraction(text: &str) -> Option<(u64, &str)> {
    let Some(text) = text.strip_prefix('.') else { return Some((0, text)) };
    let end = text.find(|digit: char| !digit.is_ascii_digit())?;
    let (digits, rest) = text.split_at_checked(end)?;
    let millis = digits
        .bytes()
        .chain(*b"00")
        .take(3)
        .fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'));
    (!digits.is_empty()).then_some((millis, rest))
}

fn shifted(at: UnixMillis, offset: &str) -> Option<UnixMillis> {
    if matches!(offset, "Z" | "z") {
        return Some(at);
    }
    let (is_ahead, digits) = match offset.strip_prefix('+') {
        Some(digits) => (true, digits),
        None => (false, offset.strip_prefix('-')?),
    };
    let [hours, minutes, _] = numbers(&format!("{digits}:00"), ':', [2, 2, 2])?;
    if hours > 23 || minutes > 59 {
        return None;
    }
    let by = (hours * 60 + minutes) * MINUTE_MS;
    if is_ahead { at.0.checked_sub(by).map(UnixMillis) } else { Some(at.plus(Millis(by))) }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn days_of(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_with_their_offsets() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2026-01-08T21:57:33.12Z", 1_767_909_453_120),
            ("2026-01-08T21:57:33.1209999z", 1_767_909_453_120),
            ("2026-01-08t23:57:33.120+02:00", 1_767_909_453_120),
            ("2026-01-08T16:27:33.120-05:30", 1_767_909_453_120),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("2100-03-01T00:00:00Z", 4_107_542_400_000),
        ] {
            assert_eq!(parse(text), Some(UnixMillis(expected)), "{text}");
        }
        for text in [
            "",
            "2026-01-08",
            "2026-01-08T21:57:33",
            "2026-01-08T21:57:33.Z",
            "2026-01-08T24:00:00Z",
            "2026-01-08T21:57:60Z",
            "2025-02-29T00:00:00Z",
            "2026-00-08T00:00:00Z",
            "2026-1-08T00:00:000Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+00:01",
            "2026-01-08T21:57:33+2:00",
            "2026-01-08T21:57:33Z ",
            "2026-01-08T21:57:33+02:00:00",
            "２０２６-01-08T21:57:33Z",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
