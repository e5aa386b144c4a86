//! Service URLs: two spellings of one place are one orchestrator. Nothing here is resolved or fetched.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

use super::Invalid;

/// Where an orchestrator answers: `scheme://host:port`, always with its port, never with user, path or query.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct ServiceUrl(Box<str>);

impl ServiceUrl {
    /// Brings a URL as nodes write it to its one form, or says that it is none.
    ///
    /// Letter case of scheme and host, a missing default port, a trailing slash and a path are levelled, so that two
    /// spellings of one place are one orchestrator.
    pub fn normalise(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new("service url", text);
        let lower = text.trim().to_ascii_lowercase();
        let (scheme, rest) = lower.split_once("://").ok_or_else(invalid)?;
        let default_port = match scheme {
            "https" => 443,
            "http" => 80,
            _ => return Err(invalid()),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, digits)) if !digits.ends_with(']') => {
                (host, digits.parse::<u16>().map_err(|_| invalid())?)
            }
            _ => (authority, default_port),
        };
        let plain = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
        if plain.is_empty() || plain.len() > 253 || port == 0 || !plain.chars().all(is_host) {
            return Err(invalid());
        }
        let text = if plain.contains(':') {
            format!("{scheme}://[{plain}]:{port}")
        } else {
            format!("{scheme}://{plain}:{port}")
        };
        Ok(Self(text.into()))
    }

    /// The host alone, an IPv6 one in its brackets.
    pub fn host(&self) -> &str {
        let authority = self.0.split_once("://").map_or(&*self.0, |(_, authority)| authority);
        authority.rsplit_once(':').map_or(authority, |(host, _)| host)
    }

    /// Whether text is plainly in the one form already: scheme, a host of letters, digits, dots and hyphens, a port.
    ///
    /// What is not may still be: an IPv6 host, say. Only [`Self::normalise`] knows for sure.
    fn is_plainly_normal(text: &str) -> bool {
        let Some(rest) = text.strip_prefix("http") else { return false };
        let rest = rest.strip_prefix('s').unwrap_or(rest);
        let Some((host, port)) = rest.strip_prefix("://").and_then(|rest| rest.split_once(':'))
        else {
            return false;
        };
        let is_host = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-');
        let is_port = |byte: u8| byte.is_ascii_digit();
        let fits = (1..=253).contains(&host.len()) && (1..=5).contains(&port.len());
        fits && host.bytes().all(is_host)
            && !host.ends_with('.')
            && port.bytes().all(is_port)
            && !port.starts_with('0')
            && port.parse::<u16>().is_ok()
    }

    /// The URL itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ServiceUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for ServiceUrl {
    type Err = Invalid;

    /// Accepts the normal form only.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        if Self::is_plainly_normal(text) {
            return Ok(Self(text.into()));
        }
        let normal = Self::normalise(text)?;
        if normal.as_str() == text { Ok(normal) } else { Err(Invalid::new("service url", text)) }
    }
}

impl<'de> Deserialize<'de> for ServiceUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = ServiceUrl;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a service url")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<ServiceUrl, E> {
                text.parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl schemars::JsonSchema for ServiceUrl {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ServiceUrl".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // The port's alternatives are 1 to 65535.
        let port = "([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])";
        let host = r"([a-z0-9._-]*[a-z0-9_-]|\[[a-z0-9._:-]*:([a-z0-9._:-]*[a-z0-9_:-])?\])";
        schemars::json_schema!({
            "description": "Where an orchestrator answers: `scheme://host:port` in lower case.",
            "type": "string",
            "pattern": format!("^https?://{host}:{port}$"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_one_place_are_one() {
        let forms = [
            "https://Orch.Example",
            "https://orch.example:443/",
            " HTTPS://orch.example./path?x=1 ",
        ];
        for form in forms {
            assert_eq!(ServiceUrl::normalise(form).unwrap().as_str(), "https://orch.example:443");
        }
        assert_eq!(
            ServiceUrl::normalise("https://[2001:DB8::1]:8935").unwrap().as_str(),
            "https://[2001:db8::1]:8935"
        );
        for bad in [
            "",
            "orch.example:8935",
            "ftp://a:1",
            "https://",
            "https://a:0",
            "https://a b:1",
            "https://u@h:1",
        ] {
            assert!(ServiceUrl::normalise(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn plainly_normal_urls_are_normal() {
        for text in [
            "https://orch.example:443",
            "http://a:1",
            "https://10.0.0.1:65535",
            "https://a..b:8935",
            "https://-:8935",
            "https://.:1",
            "https://a.:1",
            "https://a:01",
            "https://a:0",
            "https://a:65536",
            "https://a:",
            "https://:1",
            "https://A:1",
            "https://a_b:1",
            "https://[::1]:1",
            "httpss://a:1",
            "https://a:1/",
            "https://a:1:2",
            "https://a:+1",
        ] {
            let is_normal = ServiceUrl::normalise(text).is_ok_and(|url| url.as_str() == text);
            assert!(is_normal || !ServiceUrl::is_plainly_normal(text), "{text}");
            assert_eq!(text.parse::<ServiceUrl>().is_ok(), is_normal, "{text}");
        }
    }
}
