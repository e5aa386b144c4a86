//! Moments in every way nodes write them: milliseconds as text or number, seconds with a fraction, RFC 3339.
//!
//! Milli-, micro- and nanoseconds and seconds of plausible years do not overlap, so the size tells the unit. A moment
//! before 2020 or after 2100 is none.

use events::unit::UnixMillis;

use super::decimal::Decimal;

/// Reads a moment, or says that there is none.
pub(super) fn read(text: &str) -> Option<UnixMillis> {
    let text = text.trim();
    let Some(number) = Decimal::parse(text) else { return rfc3339(text) };
    // Thousandths of: a millisecond, a second, a microsecond, a nanosecond.
    [0, 3, -3, -6].into_iter().find_map(|places| {
        let moment = UnixMillis(u64::try_from(number.floor(places)?).ok()?);
        moment.is_plausible().then_some(moment)
    })
}

/// `2026-01-08T21:49:05.298Z`, with a space for the `T`, any zone offset, or none for UTC.
fn rfc3339(text: &str) -> Option<UnixMillis> {
    let (date, rest) = text.split_at_checked(10)?;
    let [year, month, day] = fields(date, '-', [4, 2, 2])?;
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let (clock, rest) = rest.split_at_checked(8)?;
    let [hour, minute, second] = fields(clock, ':', [2, 2, 2])?;
    if !(1..=12).contains(&month)
        || !(1..=31).contains(&day)
        || hour > 23
        || minute > 59
        || second > 60
    {
        return None;
    }
    let digits = rest
        .strip_prefix('.')
        .map_or("", |rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default());
    let zone = if digits.is_empty() { rest } else { rest.get(1 + digits.len()..)? };
    let millis: i64 = format!("{digits:0<3}").get(..3)?.parse().ok()?;
    let seconds =
        ((days(year, month, day) * 24 + hour) * 60 + minute - offset_minutes(zone)?) * 60 + second;
    let moment = UnixMillis(u64::try_from(seconds * 1_000 + millis).ok()?);
    moment.is_plausible().then_some(moment)
}

fn fields(text: &str, separator: char, lengths: [usize; 3]) -> Option<[i64; 3]> {
    let mut parts = text.split(separator);
    let mut out = [0; 3];
    for (out, length) in out.iter_mut().zip(lengths) {
        *out = digits(parts.next()?, length)?;
    }
    parts.next().is_none().then_some(out)
}

fn digits(text: &str, length: usize) -> Option<i64> {
    let fits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    if fits { text.parse().ok() } else { None }
}

fn offset_minutes(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone {
        "" | "Z" | "z" => return Some(0),
        _ => match zone.strip_prefix('+') {
            Some(rest) => (1, rest),
            None => (-1, zone.strip_prefix('-')?),
        },
    };
    let (hours, minutes) = rest.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    Some(sign * (digits(hours, 2)? * 60 + digits(minutes, 2)?))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, by counting years from March so that a leap day comes last.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        + day
        - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_moment() {
        for text in [
            "1767908945298",
            "1767908945.298",
            "1767908945298.7",
            "1.767908945298e12",
            "1767908945298000",
            "1767908945298000001",
            "2026-01-08T21:49:05.298Z",
            "2026-01-08 21:49:05.298",
            "2026-01-08T23:19:05.298999+01:30",
            "2026-01-08T16:49:05.298-0500",
        ] {
            assert_eq!(read(text), Some(UnixMillis(1_767_908_945_298)), "{text}");
        }
        assert_eq!(read("2024-02-29T00:00:00Z"), Some(UnixMillis(1_709_164_800_000)));
        assert_eq!(read("2099-12-31T23:59:59Z"), Some(UnixMillis(4_102_444_799_000)));
        for absurd in [
            "",
            "0",
            "-1",
            "12",
            "now",
            "1970-01-01T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-08T21:49:05é",
            "2026-01-08",
            "99999999999999999999999",
            "2026-01-08T21:49:05+1",
            "１２３４-01-08T21:49:05Z",
        ] {
            assert_eq!(read(absurd), None, "{absurd}");
        }
    }
}
