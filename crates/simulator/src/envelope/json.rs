//! One JSON object in the making, written straight to bytes: quick, and in the order its members are named.
//!
//! It escapes what must be escaped and closes what it opened; it never checks for repeated names.

/// A JSON object being written.
pub(crate) struct Json {
    out: Vec<u8>,
    is_first: bool,
}

impl Json {
    /// An open object with room for `bytes`.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes);
        out.push(b'{');
        Self { out, is_first: true }
    }

    /// The closed object.
    pub fn finish(mut self) -> Vec<u8> {
        self.out.push(b'}');
        self.out
    }

    fn comma(&mut self) {
        if !self.is_first {
            self.out.push(b',');
        }
        self.is_first = false;
    }

    fn name(&mut self, name: &str) {
        self.comma();
        self.quote(name);
        self.out.push(b':');
    }

    fn quote(&mut self, text: &str) {
        self.out.push(b'"');
        if text.bytes().any(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) {
            for byte in text.bytes() {
                match byte {
                    b'"' | b'\\' => self.out.extend_from_slice(&[b'\\', byte]),
                    0..=0x1f => self.out.extend_from_slice(b"\\u0020"),
                    plain => self.out.push(plain),
                }
            }
        } else {
            self.out.extend_from_slice(text.as_bytes());
        }
        self.out.push(b'"');
    }

    fn digits(&mut self, mut value: u64) {
        let mut digits = [0u8; 20];
        let mut used = 0;
        for slot in digits.iter_mut().rev() {
            *slot = b'0' + u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
            used += 1;
            if value == 0 {
                break;
            }
        }
        self.out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
    }

    /// Adds a text.
    pub fn text(&mut self, name: &str, text: &str) -> &mut Self {
        self.name(name);
        self.quote(text);
        self
    }

    /// Adds a number.
    pub fn number(&mut self, name: &str, value: u64) -> &mut Self {
        self.name(name);
        self.digits(value);
        self
    }

    /// Adds a number in quotes.
    pub fn number_text(&mut self, name: &str, value: u64) -> &mut Self {
        self.name(name);
        self.out.push(b'"');
        self.digits(value);
        self.out.push(b'"');
        self
    }

    /// Adds a number of millionths as a decimal fraction, such as `17.298215`.
    pub fn millionths(&mut self, name: &str, value: u64) -> &mut Self {
        self.name(name);
        self.digits(value / 1_000_000);
        let mut fraction = value % 1_000_000;
        if fraction > 0 {
            self.out.push(b'.');
            let mut place = 100_000;
            while fraction > 0 {
                self.digits(fraction / place);
                fraction %= place;
                place /= 10;
            }
        }
        self
    }

    /// Adds true or false.
    pub fn flag(&mut self, name: &str, value: bool) -> &mut Self {
        self.name(name);
        self.out.extend_from_slice(if value { b"true" } else { b"false" });
        self
    }

    /// Adds null.
    pub fn null(&mut self, name: &str) -> &mut Self {
        self.name(name);
        self.out.extend_from_slice(b"null");
        self
    }

    /// Adds a number, or null where there is none.
    pub fn number_or_null(&mut self, name: &str, value: Option<u64>) -> &mut Self {
        match value {
            Some(value) => self.number(name, value),
            None => self.null(name),
        }
    }

    /// Adds a text, or null where there is none.
    pub fn text_or_null(&mut self, name: &str, text: Option<&str>) -> &mut Self {
        match text {
            Some(text) => self.text(name, text),
            None => self.null(name),
        }
    }

    /// Adds an object.
    pub fn object(&mut self, name: &str, members: impl FnOnce(&mut Self)) -> &mut Self {
        self.name(name);
        self.within(b'{', b'}', members);
        self
    }

    /// Adds a list, whose items come by [`Self::item`] and [`Self::number_item`].
    pub fn array(&mut self, name: &str, items: impl FnOnce(&mut Self)) -> &mut Self {
        self.name(name);
        self.within(b'[', b']', items);
        self
    }

    /// Adds an object to the open list.
    pub fn item(&mut self, members: impl FnOnce(&mut Self)) -> &mut Self {
        self.comma();
        self.within(b'{', b'}', members);
        self
    }

    /// Adds a number to the open list.
    pub fn number_item(&mut self, value: u64) -> &mut Self {
        self.comma();
        self.digits(value);
        self
    }

    fn within(&mut self, open: u8, close: u8, inner: impl FnOnce(&mut Self)) {
        self.out.push(open);
        self.is_first = true;
        inner(self);
        self.out.push(close);
        self.is_first = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        let mut json = Json::with_capacity(16);
        json.text("a", "quo\"te\\\n").number("b", 0).number("c", u64::MAX).number_text("d", 77);
        json.millionths("e", 17_298_215).millionths("f", 3_000_000).millionths("g", 40_050);
        json.array("h", |json| {
            json.item(|json| {
                json.null("i").flag("j", true);
            });
            json.number_item(5);
        });
        json.object("k", |_| ());
        let value: serde_json::Value = serde_json::from_slice(&json.finish()).unwrap();
        let expected = serde_json::json!({
            "a": "quo\"te\\ ", "b": 0, "c": u64::MAX, "d": "77", "e": 17.298215, "f": 3, "g": 0.04005,
            "h": [{"i": null, "j": true}, 5], "k": {}
        });
        assert_eq!(value, expected);
    }
}
