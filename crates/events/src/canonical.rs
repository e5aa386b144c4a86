//! The one way to write an event: RFC 8785 JSON, narrowed to what needs no floating point.
//!
//! Object members are sorted by their ASCII names and never repeated, strings use the shortest escapes, numbers are
//! integers within ±(2^53 - 1), and there is no white space. [`check`] decides whether bytes already are in that form,
//! which is what a signature covers; [`write()`] brings a value into it. Nothing here repairs bytes.

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
    let text = std::str::from_utf8(bytes)
        .map_err(|error| not_canonical(error.valid_up_to(), "not UTF-8"))?;
    let mut scanner = Scanner { bytes, at: 0 };
    scanner.value(0)?;
    if scanner.at == bytes.len() { Ok(text) } else { Err(scanner.wrong("bytes after the value")) }
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
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string(),
            Some(b't') => self.word("true"),
            Some(b'f') => self.word("false"),
            Some(b'n') => self.word("null"),
            _ => self.integer(),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), Refusal> {
        self.take(b'{')?;
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(());
        }
        let mut last: Option<&'a [u8]> = None;
        loop {
            let start = self.at;
            self.string()?;
            let name = self.bytes.get(start..self.at).unwrap_or_default();
            if !name.is_ascii() || name.contains(&b'\\') {
                return Err(self.wrong("a member name outside plain ASCII"));
            }
            // Names are compared without their quotes: a closing quote would sort a prefix after its extension.
            let name = name.get(1..name.len().saturating_sub(1)).unwrap_or_default();
            if last.is_some_and(|last| last >= name) {
                return Err(self.wrong("a member out of order or repeated"));
            }
            last = Some(name);
            self.take(b':')?;
            self.value(depth + 1)?;
            match self.peek() {
                Some(b',') => self.at += 1,
                _ => return self.take(b'}'),
            }
        }
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

    fn string(&mut self) -> Result<(), Refusal> {
        self.take(b'"')?;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let plain = |byte: &u8| *byte >= 0x20 && *byte != b'"' && *byte != b'\\';
            self.at += rest.iter().take_while(|byte| plain(byte)).count();
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape()?,
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

    #[test]
    fn writing_sorts_and_refuses_floats() {
        let value = json!({ "z": 1, "a": { "y": "\u{8}\u{1}", "b": [] } });
        assert_eq!(write(&value).unwrap(), br#"{"a":{"b":[],"y":"\b\u0001"},"z":1}"#);
        assert!(write(&json!(0.5)).is_err());
        assert!(write(&json!(u64::MAX)).is_err());
    }
}
