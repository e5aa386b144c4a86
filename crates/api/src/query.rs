//! Reading queries and path segments: what cannot be read is a problem that names it, never a default.
//!
//! The parameters a path knows are those its API description lists, so that the two cannot drift apart.

use std::collections::BTreeSet;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, de};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::{RefOr, Schema};

use crate::problem::{Code, Problem};

/// The longest query, in bytes: the longest cursor and every filter fit.
pub const QUERY_BYTES_MAX: usize = 2_048;

/// What stands between the values of a parameter that is given several times, as its type reads them.
pub const LIST_JOINT: &str = "\n";

/// The query of a request, read whole.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T, S> FromRequestParts<S> for Query<T>
where
    T: DeserializeOwned + IntoParams,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        read(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

/// A query whose parameters are those of both parts, which no parameter is of both.
#[derive(Debug)]
pub struct Queries<A, B>(pub A, pub B);

impl<A, B, S> FromRequestParts<S> for Queries<A, B>
where
    A: DeserializeOwned + IntoParams,
    B: DeserializeOwned + IntoParams,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let query = parts.uri.query().unwrap_or_default();
        let [first, second] = [known_to::<A>(), known_to::<B>()];
        check_names(query, &[first.as_slice(), &second].concat())?;
        Ok(Self(read_known(query, &first)?, read_known(query, &second)?))
    }
}

/// A query that has no parameters at all.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// Reads a query string into `T`.
pub fn read<T: DeserializeOwned + IntoParams>(query: &str) -> Result<T, Problem> {
    let known = known_to::<T>();
    check_names(query, &known)?;
    read_known(query, &known)
}

fn known_to<T: IntoParams>() -> Vec<Parameter> {
    T::into_params(|| Some(ParameterIn::Query))
}

/// Reads those parameters of a query that are `known`.
fn read_known<T: DeserializeOwned>(query: &str, known: &[Parameter]) -> Result<T, Problem> {
    let mut ours = form_urlencoded::Serializer::new(String::new());
    for parameter in known {
        let given = form_urlencoded::parse(query.as_bytes());
        let given = given.filter(|(name, _)| parameter.name == *name).map(|(_, value)| value);
        // What is given several times is read as one list, a line for each.
        let values: Vec<_> = given.collect();
        if !values.is_empty() {
            ours.append_pair(&parameter.name, &values.join(LIST_JOINT));
        }
    }
    let ours = ours.finish();
    let reader = serde_urlencoded::Deserializer::new(form_urlencoded::parse(ours.as_bytes()));
    serde_path_to_error::deserialize(reader).map_err(|error| {
        let name = error.path().to_string();
        let parameter = known.iter().find(|parameter| parameter.name == name);
        let instead = parameter.and_then(instead_of);
        let instead = instead.unwrap_or_else(|| "See /docs for the parameters.".to_owned());
        Problem::parameter(&name, format!("{name}: {}", error.inner()), instead)
    })
}

/// What to send for a parameter: one of its words where they are few, else what its description says.
fn instead_of(parameter: &Parameter) -> Option<String> {
    if let Some(RefOr::T(Schema::Object(object))) = &parameter.schema
        && let Some(words) = &object.enum_values
    {
        let words: Vec<&str> = words.iter().filter_map(|word| word.as_str()).collect();
        return Some(format!("Send one of: {}.", words.join(", ")));
    }
    parameter.description.clone()
}

fn check_names(query: &str, known: &[Parameter]) -> Result<(), Problem> {
    let mut seen = BTreeSet::new();
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        if !known.iter().any(|parameter| parameter.name == name) {
            let names: Vec<&str> = known.iter().map(|parameter| parameter.name.as_str()).collect();
            let instead = if names.is_empty() {
                "This path takes no parameters.".to_owned()
            } else {
                format!("This path takes: {}.", names.join(", "))
            };
            let detail = format!("there is no parameter {:?}", shown(&name));
            return Err(Problem::new(Code::ParameterUnknown, detail, instead).about(&shown(&name)));
        }
        if value.contains(char::REPLACEMENT_CHARACTER) {
            let detail = format!("{name} is not UTF-8");
            return Err(Problem::parameter(&name, detail, "Percent-encode UTF-8 text."));
        }
        let is_list = known.iter().any(|parameter| parameter.name == name && is_list(parameter));
        if !seen.insert(name.clone()) && !is_list {
            let detail = format!("{name} is given twice");
            let instead = "Give each parameter once.";
            return Err(Problem::new(Code::ParameterRepeated, detail, instead).about(&name));
        }
    }
    Ok(())
}

/// Whether a parameter may be given several times: its description says that it is a list.
fn is_list(parameter: &Parameter) -> bool {
    matches!(parameter.schema, Some(RefOr::T(Schema::Array(_))))
}

/// The beginning of a text that a client chose.
pub fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

/// A parameter that has two names, given by at most one of them.
pub fn one_of<T>(
    (name, value): (&str, Option<T>),
    (other, also): (&str, Option<T>),
) -> Result<Option<T>, Problem> {
    if value.is_some() && also.is_some() {
        let detail = format!("{other} is another name for {name}");
        let instead = format!("Send {name} or {other}, not both.");
        return Err(Problem::new(Code::ParameterRepeated, detail, instead).about(other));
    }
    Ok(value.or(also))
}

/// The variable segments of a path, percent-decoded, in order.
#[derive(Debug)]
pub struct Segments(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Segments {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state).await.map_err(|_| {
            Problem::parameter(
                "path",
                "a segment of the path is not UTF-8",
                "Percent-encode UTF-8 text.",
            )
        })?;
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
        Ok(Self(params.iter().map(owned).collect()))
    }
}

impl Segments {
    /// The text of the segment called `name`; empty if the path has none such.
    pub fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// The segment called `name` as a `T`; `instead` says how one is written.
    pub fn parse<T: FromStr>(&self, name: &str, instead: &str) -> Result<T, Problem> {
        let text = self.text(name);
        text.parse().map_err(|_| {
            let detail = format!("{name}: {:?} cannot be read", shown(text));
            Problem::parameter(name, detail, instead)
        })
    }
}

/// How many items a page has at most: 1 to 500.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(pub u16);

impl Limit {
    /// The most items a page can have.
    pub const MAX: u16 = 500;

    /// The items of a page whose request names no limit; every answer repeats the limit that held.
    pub const DEFAULT: Self = Self(50);

    /// As a count.
    pub fn count(self) -> usize {
        usize::from(self.0)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let limit = text.parse().ok().filter(|limit| (1..=Self::MAX).contains(limit));
        limit.map(Self).ok_or_else(|| {
            let text = shown(&text);
            de::Error::custom(format_args!(
                "{text:?} is not a whole number from 1 to {}",
                Self::MAX
            ))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize, IntoParams)]
    #[serde(deny_unknown_fields)]
    struct Sample {
        /// 1 to 500.
        #[param(value_type = Option<u16>)]
        limit: Option<Limit>,
        /// A word.
        word: Option<String>,
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let cases = [
            ("limit=0", Code::ParameterInvalid, "limit"),
            ("limit=501", Code::ParameterInvalid, "limit"),
            ("limit=", Code::ParameterInvalid, "limit"),
            ("limit=-1", Code::ParameterInvalid, "limit"),
            ("limit=99999", Code::ParameterInvalid, "limit"),
            ("limit=99999999999999999999", Code::ParameterInvalid, "limit"),
            ("word=%ff", Code::ParameterInvalid, "word"),
            ("limit=1&limit=1", Code::ParameterRepeated, "limit"),
            ("Limit=1", Code::ParameterUnknown, "Limit"),
            ("=1", Code::ParameterUnknown, ""),
        ];
        for (query, code, parameter) in cases {
            let problem = read::<Sample>(query).unwrap_err();
            assert_eq!(
                (problem.code, problem.parameter.as_deref()),
                (code, Some(parameter)),
                "{query}"
            );
            assert!(!problem.instead.is_empty(), "{query}");
            assert!(!problem.detail.contains("target type"), "{query}: {}", problem.detail);
        }
        let Sample { limit, word } = read("limit=7&word=a%20b").unwrap();
        assert_eq!((limit, word.as_deref()), (Some(Limit(7)), Some("a b")));
        assert!(read::<Nothing>("").is_ok());
        assert!(read::<Nothing>("a=1").is_err());
    }
}
