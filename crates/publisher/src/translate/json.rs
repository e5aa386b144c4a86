//! JSON read lazily, with every number kept as its writer wrote it.
//!
//! Nothing here becomes a float, nothing recurses, and a part nobody asks for is never looked at.

use std::borrow::Cow;
use std::fmt;

use events::unit::{MAX_JSON_INTEGER, Millis, UnixMillis};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::decimal::Decimal;
use super::moment;

/// One value, still text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Json<'a>(&'a str);

impl<'a> Json<'a> {
    /// Takes bytes that hold one JSON value and nothing else.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let raw: &RawValue = serde_json::from_slice(bytes).ok()?;
        Some(Self(raw.get()))
    }

    fn raw(raw: &'a RawValue) -> Option<Self> {
        // `null` and an absent member mean the same to every family.
        (raw.get() != "null").then_some(Self(raw.get()))
    }

    /// Whether it is `null`.
    pub(super) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// Its members, if it is an object.
    pub(super) fn object(self) -> Option<Object<'a>> {
        serde_json::from_str(self.0).ok()
    }

    /// Its items, if it is an array; a `null` item is none.
    pub(super) fn array(self) -> Option<Vec<Self>> {
        let items: Vec<&'a RawValue> = serde_json::from_str(self.0).ok()?;
        Some(items.into_iter().filter_map(Self::raw).collect())
    }

    /// Its words, trimmed, if it is a string that says something.
    pub(super) fn text(self) -> Option<Cow<'a, str>> {
        if !self.0.starts_with('"') {
            return None;
        }
        let Text(text) = serde_json::from_str(self.0).ok()?;
        let trimmed = text.trim();
        match trimmed.len() {
            0 => None,
            length if length == text.len() => Some(text),
            _ => Some(Cow::Owned(trimmed.to_owned())),
        }
    }

    /// A number, or a string that holds one.
    pub(super) fn decimal(self) -> Option<Decimal> {
        match self.text() {
            Some(text) => Decimal::parse(&text),
            None => Decimal::parse(self.0),
        }
    }

    /// A number, and no string that holds one.
    pub(super) fn number(self) -> Option<Decimal> {
        Decimal::parse(self.0)
    }

    /// Whether it is a string, empty or not.
    pub(super) fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    /// Yes or no, and nothing that stands for it.
    pub(super) fn boolean(self) -> Option<bool> {
        serde_json::from_str(self.0).ok()
    }

    /// A moment in any way a node writes one.
    pub(super) fn moment(self) -> Option<UnixMillis> {
        match self.text() {
            Some(text) => moment::read(&text),
            None => moment::read(self.0),
        }
    }
}

/// A string that borrows when it has no escapes.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of an object, in the order they were written.
#[derive(Debug, Clone, Default)]
pub(super) struct Object<'a>(Vec<(Cow<'a, str>, Json<'a>)>);

impl<'a> Object<'a> {
    /// The member `name`, unless it is absent or `null`; of two, the last, as go-livepeer's own reader has it.
    pub(super) fn get(&self, name: &str) -> Option<Json<'a>> {
        let (_, value) = self.0.iter().rfind(|(member, _)| member == name)?;
        (!value.is_null()).then_some(*value)
    }

    /// Every member that is not `null`.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, Json<'a>)> {
        self.0
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.as_ref(), *value))
    }

    /// The members of the member `name`; none where it is no object.
    pub(super) fn object(&self, name: &str) -> Self {
        self.get(name).and_then(Json::object).unwrap_or_default()
    }

    /// The items of the member `name`; none where it is no array.
    pub(super) fn array(&self, name: &str) -> Vec<Json<'a>> {
        self.get(name).and_then(Json::array).unwrap_or_default()
    }

    /// The words of the member `name`, if it is a string that says something.
    pub(super) fn text(&self, name: &str) -> Option<Cow<'a, str>> {
        self.get(name)?.text()
    }

    /// The member `name` as a type that reads itself from text; nothing where it does not fit.
    pub(super) fn parse<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// The member `name` as a number.
    pub(super) fn decimal(&self, name: &str) -> Option<Decimal> {
        self.get(name)?.decimal()
    }

    /// The member `name` as a count that JSON carries exactly, rounded down.
    pub(super) fn count(&self, name: &str) -> Option<u64> {
        self.decimal(name)?.count(0)
    }

    /// The member `name` as a small count, rounded down.
    pub(super) fn small(&self, name: &str) -> Option<u32> {
        self.count(name)?.try_into().ok()
    }

    /// The member `name` as milliseconds, rounded down.
    pub(super) fn millis(&self, name: &str) -> Option<Millis> {
        self.count(name).map(Millis)
    }

    /// The member `name` as an HTTP status.
    pub(super) fn http_status(&self, name: &str) -> Option<u16> {
        self.count(name)?.try_into().ok().filter(|status| (100..1000).contains(status))
    }

    /// The member `name` as yes or no.
    pub(super) fn flag(&self, name: &str) -> Option<bool> {
        let value = self.get(name)?;
        match value.text().as_deref().unwrap_or(value.0) {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    /// The member `name` as a moment.
    pub(super) fn moment(&self, name: &str) -> Option<UnixMillis> {
        self.get(name)?.moment()
    }
}

impl<'a, 'de: 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) =
                    map.next_entry::<Text<'de>, &'de RawValue>()?
                {
                    members.push((name, Json(value.get())));
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// Caps a number at the largest that JSON carries exactly.
pub(super) fn exact(value: u128) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value <= MAX_JSON_INTEGER)
}
