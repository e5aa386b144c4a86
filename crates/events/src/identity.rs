//! Who and what an event speaks of: every identity as a type of its own, parsed once at the edge.
//!
//! Addresses and digests are fixed-size bytes written as lower-case hex; names are bounded text without control
//! characters. Nothing here is resolved, looked up or trusted.

mod url;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use url::ServiceUrl;

/// Text that is not the identity it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {what}: {text:?}")]
pub struct Invalid {
    /// The identity that was expected, for example `address`.
    pub what: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
}

impl Invalid {
    pub(crate) fn new(what: &'static str, text: &str) -> Self {
        Self { what, text: text.chars().take(80).collect() }
    }
}

/// Reads lower-case hex digits into exactly as many bytes as they are; tells whether they were that.
fn decode_lower_hex(digits: &[u8], bytes: &mut [u8]) -> bool {
    let value = |digit: u8| match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => u8::MAX,
    };
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != bytes.len() {
        return false;
    }
    let mut is_hex = true;
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let (high, low) = (value(*high), value(*low));
        is_hex &= high < 16 && low < 16;
        *byte = high << 4 | low & 15;
    }
    is_hex
}

/// Whether text has no white space at its ends and no control characters.
fn is_plain(text: &str) -> bool {
    let is_ascii = text.bytes().all(|byte| (0x20..0x7f).contains(&byte));
    if is_ascii {
        return !text.starts_with(' ') && !text.ends_with(' ');
    }
    text.trim() == text && !text.chars().any(char::is_control)
}

/// Declares a fixed-size byte identity with its lower-case hex form.
macro_rules! hex_identity {
    ($(#[doc = $doc:literal])* $name:ident, $bytes:literal, $prefix:literal, $what:literal) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub [u8; $bytes]);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                let mut text = [0u8; 2 * $bytes];
                hex::encode_to_slice(self.0, &mut text).map_err(|_| fmt::Error)?;
                f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            /// Accepts the canonical form only: lower case, with its prefix.
            fn from_str(text: &str) -> Result<Self, Invalid> {
                let invalid = || Invalid::new($what, text);
                let digits = text.strip_prefix($prefix).ok_or_else(invalid)?;
                let mut bytes = [0u8; $bytes];
                if decode_lower_hex(digits.as_bytes(), &mut bytes) {
                    Ok(Self(bytes))
                } else {
                    Err(invalid())
                }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a lower-case hex ", $what))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": concat!($($doc),*).trim_start(),
                    "type": "string",
                    "pattern": format!("^{}[0-9a-f]{{{}}}$", $prefix, 2 * $bytes),
                })
            }
        }
    };
}

hex_identity!(
    /// An Ethereum address: the operator behind any number of nodes. `0x` and 40 lower-case hex digits.
    Address, 20, "0x", "address"
);
hex_identity!(
    /// An Ed25519 public key: the name of one publisher's chain of batches. 64 hex digits.
    PublisherKey, 32, "", "publisher key"
);
hex_identity!(
    /// A SHA-256 digest. 64 hex digits.
    Digest, 32, "", "digest"
);
hex_identity!(
    /// The shared pseudonym of one job, the same from every party (see [`crate::job`]). 32 hex digits.
    JobId, 16, "", "job id"
);
hex_identity!(
    /// A stable stand-in for something that must not be published, such as a worker's inner URL. 16 hex digits.
    Pseudonym, 8, "", "pseudonym"
);

hex_identity!(
    /// An Ed25519 signature over a batch header. 128 hex digits.
    BatchSignature, 64, "", "batch signature"
);
hex_identity!(
    /// An address's signature, `r`, `s` and `v` (27 or 28). `0x` and 130 hex digits.
    AddressSignature, 65, "0x", "address signature"
);

impl Address {
    /// Reads an address in any letter case, as nodes write them (EIP-55 or lower), with surrounding space tolerated.
    pub fn parse_any(text: &str) -> Result<Self, Invalid> {
        text.trim().to_ascii_lowercase().parse()
    }

    /// The zero address, which nodes send where they mean "none".
    pub fn is_zero(&self) -> bool {
        self.0 == [0; 20]
    }
}

impl Digest {
    /// The digest of nothing said yet: the `prev` of a chain's first batch.
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 over `parts`, one after the other.
    pub fn of(parts: &[&[u8]]) -> Self {
        use sha2::Digest as _;
        let mut hasher = sha2::Sha256::new();
        for part in parts {
            hasher.update(part);
        }
        Self(hasher.finalize().into())
    }
}

impl Pseudonym {
    /// The first eight bytes of SHA-256 over `naap/pseudonym/2`, a zero byte, `secret` and `text`.
    ///
    /// Without a secret, whoever guesses the text could try it.
    pub fn of(secret: &Digest, text: &str) -> Self {
        let Digest(full) = Digest::of(&[b"naap/pseudonym/2\0", &secret.0, text.as_bytes()]);
        let mut bytes = [0; 8];
        for (to, from) in bytes.iter_mut().zip(full) {
            *to = from;
        }
        Self(bytes)
    }
}

/// [`str::trim`] and [`char::is_control`] as a regular expression: no control character, no white space at the ends.
const TEXT_PATTERN: &str = concat!(
    "^[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]",
    "([^\\u0000-\\u001f\\u007f-\\u009f]*",
    "[^\\u0000-\\u0020\\u007f-\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000])?$",
);

/// Declares a bounded text identity: 1 to `$max` bytes, no control characters, no surrounding space.
macro_rules! text_identity {
    ($(#[doc = $doc:literal])* $name:ident, $max:literal, $what:literal) => {
        $(#[doc = $doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub struct $name(Box<str>);

        impl $name {
            /// The most bytes one may have.
            pub const MAX_BYTES: usize = $max;

            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = Invalid;

            fn from_str(text: &str) -> Result<Self, Invalid> {
                let fits = (1..=$max).contains(&text.len());
                if !fits || !is_plain(text) {
                    return Err(Invalid::new($what, text));
                }
                Ok(Self(text.into()))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str(concat!("a ", $what))
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "description": concat!($($doc),*).trim_start(),
                    "type": "string",
                    "minLength": 1,
                    "maxLength": $max,
                    // JSON Schema counts characters; this annotation says how the limit is meant.
                    "x-max-bytes": $max,
                    "pattern": TEXT_PATTERN,
                })
            }
        }
    };
}

text_identity!(
    /// An event's name, unique per reporter: the pair (reporter, id) is the dedupe key.
    EventId, 80, "event id"
);
text_identity!(
    /// A node on disk: a UUID that survives restarts. Many nodes may share one address.
    NodeId, 36, "node id"
);
text_identity!(
    /// A configured region from a fixed list of the network, never derived from a network address.
    Region, 16, "region"
);
text_identity!(
    /// A pipeline by its Livepeer name, such as `live-video-to-video`, or a BYOC capability.
    Pipeline, 64, "pipeline"
);
text_identity!(
    /// A model by the name orchestrators offer it under.
    Model, 128, "model"
);
text_identity!(
    /// A gateway by the host it gives itself: self-declared and not authenticated.
    GatewayName, 128, "gateway name"
);
text_identity!(
    /// A short word of a machine: a version, a GPU name or id, a counter.
    Label, 96, "label"
);

impl Pipeline {
    /// A pipeline by its name or by its title: `Text to image` is `text-to-image`.
    ///
    /// # Errors
    /// Where that gives no name.
    pub fn of_title(text: &str) -> Result<Self, Invalid> {
        let words: Vec<&str> = text.split_whitespace().collect();
        words.join("-").to_ascii_lowercase().parse()
    }

    /// Its title, as people are shown it: `text-to-image` is `Text to image`.
    pub fn title(&self) -> String {
        if self.as_str() == "llm" {
            return "LLM".to_owned();
        }
        let mut text = self.as_str().replace('-', " ");
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pipelines_have_a_name_and_a_title() {
        for (title, name) in
            [("Text to image", "text-to-image"), ("LLM", "llm"), ("Upscale", "upscale")]
        {
            let pipeline = Pipeline::of_title(title).unwrap();
            assert_eq!((pipeline.as_str(), pipeline.title().as_str()), (name, title));
            assert_eq!(Pipeline::of_title(name).unwrap(), pipeline);
        }
        assert!(Pipeline::of_title("  ").is_err());
    }

    #[test]
    fn addresses_are_strict_in_events_and_lenient_at_the_edge() {
        let mixed = "0xd00354656922168815Fcd1e51CBddB9e359e3C7F";
        assert!(mixed.parse::<Address>().is_err());
        assert_eq!(Address::parse_any(mixed).unwrap().to_string(), mixed.to_ascii_lowercase());
        assert!(Address::parse_any("0x12").is_err());
        assert!(Address::parse_any("").is_err());
    }

    #[test]
    fn names_are_bounded_and_plain() {
        assert!("".parse::<Model>().is_err());
        assert!("a\nb".parse::<Model>().is_err());
        assert!(" a".parse::<Model>().is_err());
        assert!("m".repeat(129).parse::<Model>().is_err());
        assert_eq!(
            "stabilityai/sd-turbo".parse::<Model>().unwrap().as_str(),
            "stabilityai/sd-turbo"
        );
    }
}
