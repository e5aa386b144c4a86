//! In which form an answer is wanted: the parameter `format` first, then the `Accept` header. Nothing is guessed: a form
//! that the path does not have is a problem that lists those it has.

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, Uri, header};

use crate::delivery::FORMAT;
use crate::paths::Spec;
use crate::problem::{Code, Problem};
use crate::query::shown;

/// A form of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Form {
    /// JSON, the form of everything that is no list, too.
    Json,
    /// CSV (RFC 4180), with a line of names.
    Csv,
    /// Parquet.
    Parquet,
}

impl Form {
    /// Every form, the preferred one first.
    pub const ALL: &'static [Self] = &[Self::Json, Self::Csv, Self::Parquet];

    /// Its word in `format`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
        }
    }

    /// Its media type, as it is sent.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }
}

/// The form that a request asks for. The parameter `format` of a list is taken out of the query, for no handler knows it.
pub fn asked(request: &mut Request, spec: &Spec) -> Result<Form, Problem> {
    let query = request.uri().query().unwrap_or_default();
    let named: Vec<String> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name == FORMAT)
        .map(|(_, value)| value.into_owned())
        .collect();
    if spec.columns.is_none() {
        if named.is_empty() {
            check_accepted(request.headers(), &spec.media_types)?;
        }
        return Ok(Form::Json);
    }
    match named.as_slice() {
        [] => accepted(request.headers()),
        [word] => {
            let form = Form::ALL.iter().copied().find(|form| form.as_str() == word);
            let form = form.ok_or_else(|| {
                let detail = format!("there is no format {:?}", shown(word));
                Problem::new(Code::Format, detail, "Send one of: json, csv, parquet.").about(FORMAT)
            })?;
            *request.uri_mut() = without_format(request.uri());
            Ok(form)
        }
        _ => {
            let detail = "format is given twice";
            let instead = "Give each parameter once.";
            Err(Problem::new(Code::ParameterRepeated, detail, instead).about(FORMAT))
        }
    }
}

/// The address without `format`, all else as it came.
fn without_format(uri: &Uri) -> Uri {
    let is_other = |pair: &&str| {
        form_urlencoded::parse(pair.as_bytes()).all(|(name, _)| name != FORMAT) && !pair.is_empty()
    };
    let rest: Vec<&str> = uri.query().unwrap_or_default().split('&').filter(is_other).collect();
    let path = uri.path();
    let text = if rest.is_empty() { path.to_owned() } else { format!("{path}?{}", rest.join("&")) };
    // It is the address that came with something taken out, so it is one.
    text.parse().unwrap_or_else(|_| uri.clone())
}

/// The form of a list that a request accepts most.
fn accepted(headers: &HeaderMap) -> Result<Form, Problem> {
    if !headers.contains_key(header::ACCEPT) {
        return Ok(Form::Json);
    }
    let wanted = ranges(headers, &header::ACCEPT);
    let mut best = None;
    for form in Form::ALL.iter().copied() {
        let weight = weight(&wanted, form.media_type());
        if weight > best.map_or(0, |(_, most)| most) {
            best = Some((form, weight));
        }
    }
    best.map(|(form, _)| form).ok_or_else(|| {
        let known: Vec<&str> = Form::ALL.iter().map(|form| form.media_type()).collect();
        unacceptable(&known)
    })
}

/// A problem where a request accepts nothing that its path can answer with.
fn check_accepted(headers: &HeaderMap, media_types: &[String]) -> Result<(), Problem> {
    if media_types.is_empty() || !headers.contains_key(header::ACCEPT) {
        return Ok(());
    }
    let wanted = ranges(headers, &header::ACCEPT);
    // What is JSON by its suffix (RFC 6839) can be read by whoever reads JSON.
    let is_taken = |kind: &String| {
        let is_json = kind.ends_with("+json");
        weight(&wanted, kind) > 0 || is_json && weight(&wanted, Form::Json.media_type()) > 0
    };
    if media_types.iter().any(is_taken) {
        return Ok(());
    }
    let known: Vec<&str> = media_types.iter().map(String::as_str).collect();
    Err(unacceptable(&known))
}

fn unacceptable(known: &[&str]) -> Problem {
    let instead = format!("Accept one of: {}.", known.join(", "));
    Problem::new(Code::Format, "the answer has none of the accepted media types", instead)
}

/// One of the things that a client takes, by how much.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Range {
    /// Lower-case, without parameters.
    pub name: String,
    /// Thousandths; 0 for not at all.
    pub weight: u16,
}

/// What a header such as `Accept` lists. What cannot be read in it counts for nothing.
pub fn ranges(headers: &HeaderMap, name: &HeaderName) -> Vec<Range> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let range = |text: &str| {
        let mut parts = text.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or(part.strip_prefix("Q=")));
        let weight = weight.map_or(1_000, |text| thousandths(text).unwrap_or(0));
        Range { name, weight }
    };
    values.flat_map(|value| value.split(',')).map(|text| range(text.trim())).collect()
}

/// How much a media type is wanted: what the most specific range says that it is in.
fn weight(wanted: &[Range], media_type: &str) -> u16 {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    let group = essence.split('/').next().unwrap_or_default();
    let of = |name: &str| wanted.iter().find(|range| range.name == name).map(|range| range.weight);
    of(essence).or_else(|| of(&format!("{group}/*"))).or_else(|| of("*/*")).unwrap_or(0)
}

/// A weight (RFC 9110 section 12.4.2): `0` to `1` with at most three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let is_digits = rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit());
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1 && is_digits)?;
    let rest: u16 = format!("{rest:0<3}").parse().ok()?;
    Some((whole * 1_000 + rest).min(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &str) -> Option<Form> {
        accepted(&[(header::ACCEPT, accept.parse().unwrap())].into_iter().collect()).ok()
    }

    #[test]
    fn the_form_that_is_accepted_most_wins() {
        for (accept, expected) in [
            ("*/*", Some(Form::Json)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(Form::Json)),
            ("text/csv", Some(Form::Csv)),
            ("TEXT/CSV; header=present", Some(Form::Csv)),
            ("text/*", Some(Form::Csv)),
            ("application/*", Some(Form::Json)),
            ("application/vnd.apache.parquet", Some(Form::Parquet)),
            ("application/json;q=0.5, text/csv;q=0.9", Some(Form::Csv)),
            ("application/json;q=0, */*", Some(Form::Csv)),
            ("text/csv;q=0", None),
            ("text/html", None),
            ("", None),
            ("application/json;q=2", None),
        ] {
            assert_eq!(form(accept), expected, "{accept}");
        }
    }

    #[test]
    fn weights_are_read_exactly() {
        for (text, expected) in [
            ("1", Some(1_000)),
            ("0.5", Some(500)),
            ("0.001", Some(1)),
            ("1.000", Some(1_000)),
            ("0.", Some(0)),
            ("1.1", Some(1_000)),
            ("2", None),
            ("-1", None),
            ("0.0001", None),
            ("x", None),
        ] {
            assert_eq!(thousandths(text), expected, "{text}");
        }
    }

    #[test]
    fn only_the_format_leaves_the_query() {
        for (from, to) in [
            ("/a?format=csv", "/a"),
            ("/a?x=%ff&format=csv&y=1", "/a?x=%ff&y=1"),
            ("/a?f%6Frmat=csv&formats=1", "/a?formats=1"),
        ] {
            assert_eq!(without_format(&from.parse().unwrap()).to_string(), to);
        }
    }
}
