//! The one way to write an event: RFC 8785 JSON, narrowed to what needs no floating point.
//!
//! Object members are sorted by their ASCII names and never repeated, strings use the shortest escapes, numbers are
//! integers within ±(2^53 - 1), and there is no white space. [`check`] decides whether bytes already are in that form,
//! which is what a signature covers; [`write()`] brings a value into it. Nothing here repairs bytes.

use std::ops::Range;

use serde_json::Value;

use crate::refusal::{Defect, Refusal};
use crate::unit::MAX_JSON_INTEGER;

/// How deep objects and arrays may nest.
pub const MAX_DEPTH: usize = 12;

/// Writes `value` in canonical form, or says why it has none (a float, a large integer, a name outside ASCII).
pub fn write(value: &Value) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(256);
    write_value(value, &mut out)?;
    check(&out)?;
    Ok(out)
}

fn write_value(value: &Value, out: &mut Vec<u8>) -> Result<(), Refusal> {
    match value {
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(name, _)| name.as_bytes());
            out.push(b'{');
            for (index, (name, member)) in sorted.into_iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(&Value::String(name.clone()), out)?;
                out.push(b':');
                write_value(member, out)?;
            }
            out.push(b'}');
        }
        Value::Array(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                write_value(item, out)?;
            }
            out.push(b']');
        }
        // serde_json's escapes are RFC 8785's: the two-letter ones, and \u00xx in lower case for the other controls.
        scalar => serde_json::to_writer(&mut *out, scalar)
            .map_err(|error| not_canonical(0, &error.to_string()))?,
    }
    Ok(())
}

/// Says whether `bytes` are one canonical JSON value, and where they stop being one.
pub fn check(bytes: &[u8]) -> Result<(), Refusal> {
    checked(bytes).map(|_| ())
}

/// The text of bytes that are one canonical JSON value.
pub fn checked(bytes: &[u8]) -> Result<&str, Refusal> {
    members(bytes, |_, _| {})
}

/// The text of bytes that are one canonical JSON value. If that is an object, `member` is shown each name in it and the
/// text of its value, in order.
pub fn members<'a>(
    bytes: &'a [u8],
    mut member: impl FnMut(&'a str, &'a str),
) -> Result<&'a str, Refusal> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| not_canonical(error.valid_up_to(), "not UTF-8"))?;
    let mut scanner = Scanner { bytes, at: 0 };
    let between = |from, to| text.get(from..to).unwrap_or_default();
    if scanner.peek() == Some(b'{') {
        scanner.object(0, |name, value| {
            member(between(name.start, name.end), between(value.start, value.end))
        })?;
    } else {
        scanner.value(0)?;
    }
    if scanner.at == bytes.len() { Ok(text) } else { Err(scanner.wrong("bytes after the value")) }
}

/// Brings JSON into canonical form that lacks nothing of it but the order of its members. It must come from a writer:
/// a comma too many or a name that stands twice is not found.
pub fn sort(bytes: &[u8]) -> Result<Vec<u8>, Refusal> {
    let mut sorter =
        Sorter { out: Vec::with_capacity(bytes.len()), scanner: Scanner { bytes, at: 0 } };
    sorter.value(0)?;
    if sorter.scanner.at == bytes.len() {
        Ok(sorter.out)
    } else {
        Err(sorter.scanner.wrong("bytes after the value"))
    }
}

fn not_canonical(at: usize, why: &str) -> Refusal {
    Refusal::new(Defect::EventNotCanonical, format_args!("{why} at byte {at}"))
}

/// Walks the bytes once, left to right, building nothing.
struct Scanner<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn wrong(&self, why: &str) -> Refusal {
        not_canonical(self.at, why)
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take(&mut self, expected: u8) -> Result<(), Refusal> {
        if self.peek() != Some(expected) {
            return Err(self.wrong("an unexpected byte"));
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), Refusal> {
        word.bytes().try_for_each(|byte| self.take(byte))
    }

    fn value(&mut self, depth: usize) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return Err(self.wrong("nested too deep"));
        }
        match self.peek() {
            Some(b'{') => self.object(depth, |_, _| {}),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(|_| ()),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.integer(),
        }
    }

    /// Walks an object; `member` is shown where each name, without its quotes, and each value stands.
    fn object(
        &mut self,
        depth: usize,
        mut member: impl FnMut(Range<usize>, Range<usize>),
    ) -> Result<(), Refusal> {
        self.take(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut last: Option<&'a [u8]> = None;
        loop {
            let start = self.at + 1;
            let name = self.name()?;
            let place = start..self.at - 1;
            if last.is_some_and(|last| !is_before(last, name)) {
                return Err(self.wrong("a member out of order or repeated"));
            }
            last = Some(name);
            self.take(b':')?;
            let value = self.at;
            self.value(depth + 1)?;
            member(place, value..self.at);
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.take(b'}'),
            }
        }
    }

    /// The name of a member without its quotes: a closing quote would sort a prefix after its extension.
    fn name(&mut self) -> Result<&'a [u8], Refusal> {
        let start = self.at + 1;
        let has_escapes = self.string()?;
        let name = self.bytes.get(start..self.at - 1).unwrap_or_default();
        if has_escapes || !name.is_ascii() {
            return Err(self.wrong("a member name outside plain ASCII"));
        }
        Ok(name)
    }

    /// What was walked over since `start`.
    fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    fn array(&mut self, depth: usize) -> Result<(), Refusal> {
        self.take(b'[')?;
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value(depth + 1)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.take(b']'),
            }
        }
    }

    /// Walks a string; tells whether anything in it is escaped.
    fn string(&mut self) -> Result<bool, Refusal> {
        self.take(b'"')?;
        let mut has_escapes = false;
        loop {
            self.at += plain(self.bytes.get(self.at..).unwrap_or_default());
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(has_escapes);
                }
                Some(b'\\') => {
                    has_escapes = true;
                    self.escape()?;
                }
                _ => return Err(self.wrong("a raw control character or an open string")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Refusal> {
        self.take(b'\\')?;
        match self.peek() {
            Some(b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 1;
                Ok(())
            }
            Some(b'u') => {
                self.word("u00")?;
                let digits = self.bytes.get(self.at..self.at + 2).unwrap_or_default();
                let short = matches!(digits, b"08" | b"09" | b"0a" | b"0c" | b"0d");
                let control = matches!(digits, [b'0' | b'1', b'0'..=b'9' | b'a'..=b'f']);
                if short || !control {
                    return Err(self.wrong("an escape that is not the shortest"));
                }
                self.at += 2;
                Ok(())
            }
            _ => Err(self.wrong("an escape that is not the shortest")),
        }
    }

    fn integer(&mut self) -> Result<(), Refusal> {
        let negative = self.peek() == Some(b'-');
        if negative {
            self.at += 1;
        }
        let start = self.at;
        let mut value = 0u64;
        while let Some(digit @ b'0'..=b'9') = self.peek() {
            value = value.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
            self.at += 1;
        }
        let length = self.at - start;
        let padded = length > 1 && self.bytes.get(start) == Some(&b'0');
        if length == 0 || padded || (negative && value == 0) {
            return Err(self.wrong("not an integer in its shortest form"));
        }
        if value > MAX_JSON_INTEGER {
            return Err(self.wrong("an integer over 2^53 - 1"));
        }
        if matches!(self.peek(), Some(b'.' | b'e' | b'E')) {
            return Err(self.wrong("a fraction or exponent"));
        }
        Ok(())
    }
}

/// Whether a name sorts before another.
fn is_before(one: &[u8], other: &[u8]) -> bool {
    match (one.first(), other.first()) {
        // Nearly all differ in their first byte, which costs less to compare than slices do.
        (Some(one), Some(other)) if one != other => one < other,
        _ => one < other,
    }
}

/// How many bytes from the first one on are neither a quote, nor a backslash, nor a control character.
fn plain(bytes: &[u8]) -> usize {
    let (words, rest) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let special = specials(u64::from_le_bytes(*word));
        if special != 0 {
            // The flags are the highest bits of their bytes; the first byte is the lowest.
            let ahead = usize::try_from(special.trailing_zeros() / 8).unwrap_or(0);
            return index * 8 + ahead;
        }
    }
    let is_plain = |byte: &&u8| **byte >= 0x20 && **byte != b'"' && **byte != b'\\';
    words.len() * 8 + rest.iter().take_while(is_plain).count()
}

/// Eight bytes at once: sets the highest bit of the first that is a quote, a backslash or a control character, and
/// none before it (Mycroft's test for a zero byte; a borrow can only reach upwards).
fn specials(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGHEST: u64 = ONES << 7;
    let below = |word: u64, limit: u64| word.wrapping_sub(ONES * limit) & !word;
    let quote = below(word ^ (ONES * 0x22), 1);
    let backslash = below(word ^ (ONES * 0x5c), 1);
    (quote | backslash | below(word, 0x20)) & HIGHEST
}

/// Copies what a scanner walks over, the members of each object in order.
struct Sorter<'a> {
    out: Vec<u8>,
    scanner: Scanner<'a>,
}

impl Sorter<'_> {
    fn value(&mut self, depth: usize) -> Result<(), Refusal> {
        match self.scanner.peek() {
            Some(b'{') if depth <= MAX_DEPTH => self.object(depth),
            Some(b'[') if depth <= MAX_DEPTH => self.array(depth),
            _ => {
                let start = self.scanner.at;
                self.scanner.value(depth)?;
                self.out.extend_from_slice(self.scanner.since(start));
                Ok(())
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Refusal> {
        self.scanner.take(b'{')?;
        let base = self.out.len();
        let mut members = Vec::new();
        while self.scanner.peek() == Some(b'"') {
            let (name, from) = (self.scanner.name()?, self.out.len() - base);
            self.scanner.take(b':')?;
            self.value(depth + 1)?;
            members.push((name, from..self.out.len() - base));
            if self.scanner.peek() == Some(b',') {
                self.scanner.at += 1;
            }
        }
        self.scanner.take(b'}')?;
        let values = self.out.split_off(base);
        members.sort_unstable_by_key(|(name, _)| *name);
        self.out.push(b'{');
        for (index, (name, value)) in members.into_iter().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.out.push(b'"');
            self.out.extend_from_slice(name);
            self.out.extend_from_slice(b"\":");
            self.out.extend_from_slice(values.get(value).unwrap_or_default());
        }
        self.out.push(b'}');
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), Refusal> {
        self.scanner.take(b'[')?;
        self.out.push(b'[');
        while self.scanner.peek().is_some_and(|byte| byte != b']') {
            self.value(depth + 1)?;
            if self.scanner.peek() == Some(b',') {
                self.scanner.at += 1;
                self.out.push(b',');
            }
        }
        self.out.push(b']');
        self.scanner.take(b']')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn canonical_bytes_pass() {
        for good in [
            r#"{}"#,
            r#"[]"#,
            r#"{"a":1,"ab":[true,false,null],"b":{"c":"é\n\u0001\"\\"}}"#,
            r#"-9007199254740991"#,
            r#""\u001f/""#,
        ] {
            check(good.as_bytes()).unwrap_or_else(|refusal| panic!("{good}: {refusal}"));
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for bad in [
            "",
            " {}",
            "{} ",
            r#"{"b":1,"a":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a": 1}"#,
            "1.0",
            "1e3",
            "01",
            "-0",
            "9007199254740992",
            r#""\/""#,
            r#""\u0041""#,
            r#""\u000a""#,
            r#""\u001F""#,
            "\"\u{1}\"",
            r#"{"é":1}"#,
            "[1,]",
            r#"{"a":1,}"#,
            "nul",
            "\"open",
            "[[[[[[[[[[[[[[1]]]]]]]]]]]]]]",
        ] {
            assert!(check(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(check(b"\"\xff\"").is_err());
    }

    /// Wherever a special byte stands within and across eight bytes, it is found, and nothing is taken for one.
    #[test]
    fn special_bytes_are_found_at_every_place() {
        let slow = |bytes: &[u8]| {
            let special = |byte: &u8| *byte < 0x20 || matches!(byte, b'"' | b'\\');
            bytes.iter().position(special).unwrap_or(bytes.len())
        };
        for length in 0..27 {
            for (first, second) in
                (0..=u8::MAX).flat_map(|byte| [(byte, b'a'), (byte, b'"'), (b' ', byte)])
            {
                for at in 0..length {
                    let mut bytes = vec![b'~'; length];
                    bytes[at] = first;
                    *bytes.get_mut(at + 1).unwrap_or(&mut 0) = second;
                    assert_eq!(plain(&bytes), slow(&bytes), "{bytes:?}");
                }
            }
        }
    }

    #[test]
    fn names_sort_as_their_bytes_do() {
        for (one, other) in
            [("", "a"), ("a", "ab"), ("ab", "b"), ("a", "b"), ("aa", "ab"), ("B", "a")]
        {
            assert!(is_before(one.as_bytes(), other.as_bytes()), "{one} {other}");
            assert!(!is_before(other.as_bytes(), one.as_bytes()), "{other} {one}");
            assert!(!is_before(one.as_bytes(), one.as_bytes()), "{one}");
        }
    }

    #[test]
    fn sorting_gives_what_writing_gives() {
        let text = r#"{"b":[{"z":1,"a":"\"x"},[]],"ab":{},"a":{"10":1,"9":2},"":null}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(sort(text.as_bytes()).unwrap(), write(&value).unwrap());
        for bad in [r#"{"b":1.0}"#, "[1,2", r#"{"a":1}}"#, r#"{"a" :1}"#, "[1 ]"] {
            assert!(sort(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn writing_sorts_and_refuses_floats() {
        let value = json!({ "z": 1, "a": { "y": "\u{8}\u{1}", "b": [] } });
        assert_eq!(write(&value).unwrap(), br#"{"a":{"b":[],"y":"\b\u0001"},"z":1}"#);
        assert!(write(&json!(0.5)).is_err());
        assert!(write(&json!(u64::MAX)).is_err());
    }
}
