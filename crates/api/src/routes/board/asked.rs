//! Which tests a request of the leaderboard is about, and the tests themselves.

use std::ops::RangeInclusive;
use std::sync::Arc;

use events::event::Network;
use events::identity::{Address, Model, Pipeline, Region};
use events::unit::{Millis, UnixMillis};
use serde::Deserialize;
use sla::tested::{Filter, Tested, select};
use utoipa::IntoParams;
use warehouse::view::TestedHours;

use crate::problem::Problem;
use crate::schema;
use crate::state::State;

/// What is asked about where a request does not say.
const WINDOW: Millis = Millis(24 * 3_600_000);

/// The most tests that one answer is made of.
const TESTS_MAX: usize = 200_000;

/// Which tests. What is empty is not said.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// What was tested: `ai` or `transcoding`; without it, models where one is named, else transcoding.
    #[param(required = false)]
    pub job_type: Option<String>,
    /// The model; goes with `pipeline`.
    #[param(required = false)]
    pub model: Option<String>,
    /// `true`: only tests with the model already loaded; `false`: only those without; both if not given.
    #[param(required = false)]
    pub model_is_warm: Option<bool>,
    /// The network; that of this instance if not given.
    #[param(inline, value_type = schema::Network, required = false)]
    pub network: Option<Network>,
    /// The on-chain address, in upper or lower case.
    #[param(required = false, example = "0x00000000000000000000000000000000000000aa")]
    pub orchestrator: Option<String>,
    /// The pipeline by its name or title; goes with `model`.
    #[param(required = false)]
    pub pipeline: Option<String>,
    /// The region, in upper or lower case.
    #[param(required = false)]
    pub region: Option<String>,
    /// The start of the time range, in Unix seconds; 24 hours before `until` if not given.
    #[param(required = false)]
    pub since: Option<String>,
    /// The end of the time range, in Unix seconds; now if not given.
    #[param(required = false)]
    pub until: Option<String>,
}

/// The tests of a time, and which of them are asked for.
pub struct Found {
    /// Who is asked about, where somebody is.
    pub asked: Option<Address>,
    /// Which; whoever is asked about, the others too, for it is compared with them.
    filter: Filter,
    hours: Vec<Arc<[Tested]>>,
    span: RangeInclusive<UnixMillis>,
}

impl Found {
    /// The tests that pass, oldest first. Of transcoding none is of everywhere: its clients make that themselves.
    pub fn tests(&self) -> Vec<&Tested> {
        let hours = self.hours.iter().map(AsRef::as_ref);
        let mut tests = select(hours, &self.span, &self.filter);
        if self.filter.transcoding == Some(true) {
            tests.retain(|test| test.place().is_none_or(|place| place.as_str() != "GLOBAL"));
        }
        tests
    }

    /// Who is asked about, where somebody has to be.
    pub fn operator(&self) -> Result<Address, Problem> {
        self.asked.ok_or_else(|| {
            let instead = "Send an address, 0x and 40 hex digits.";
            Problem::parameter("orchestrator", "orchestrator is missing", instead)
        })
    }
}

impl Asked {
    /// The tests of the time that is asked about.
    pub async fn find(self, state: &State) -> Result<Found, Problem> {
        let (filter, span) = (self.filter()?, self.span(state.now())?);
        let asked = self.orchestrator.as_deref().and_then(said).map(address).transpose()?;
        let (network, wanted) = (state.network(self.network), span.clone());
        let read = state.read(move |sources| {
            sources.warehouse.tests(network, wanted, TESTS_MAX).map_err(Problem::warehouse)
        });
        let TestedHours { hours, is_whole } = read.await?;
        if !is_whole {
            let detail = format!("more than {TESTS_MAX} tests were made in this time");
            return Err(Problem::parameter("since", detail, "Ask for a shorter time."));
        }
        Ok(Found { asked, filter, hours, span })
    }

    fn filter(&self) -> Result<Filter, Problem> {
        let said_as = |text: &Option<String>| text.as_deref().and_then(said).map(str::to_owned);
        let (pipeline, model) = (said_as(&self.pipeline), said_as(&self.model));
        if pipeline.is_some() != model.is_some() {
            let (name, detail) = ("model", "model and pipeline go together");
            return Err(Problem::parameter(name, detail, "Send both, or neither for transcoding."));
        }
        let is_of_model = model.is_some();
        let transcoding = match self.job_type.as_deref().and_then(said) {
            None => !is_of_model,
            Some("ai") => false,
            Some("transcoding") if !is_of_model => true,
            Some(_) => {
                let detail = "job_type is \"ai\", or \"transcoding\" without a model";
                return Err(Problem::parameter(
                    "job_type",
                    detail,
                    "Send one of: ai, transcoding.",
                ));
            }
        };
        let pipeline = pipeline.map(|name| Pipeline::of_title(&name)).transpose();
        let pipeline = pipeline.map_err(|error| unreadable("pipeline", &error))?;
        let model = model.map(|name| name.parse::<Model>()).transpose();
        let model = model.map_err(|error| unreadable("model", &error))?;
        let region = said_as(&self.region).map(|name| name.to_uppercase().parse::<Region>());
        let region = region.transpose().map_err(|error| unreadable("region", &error))?;
        Ok(Filter {
            model,
            pipeline,
            region,
            transcoding: Some(transcoding),
            warm: self.model_is_warm,
        })
    }

    fn span(&self, now: UnixMillis) -> Result<RangeInclusive<UnixMillis>, Problem> {
        let read = |name: &str, text: &Option<String>| match text.as_deref().and_then(said) {
            None => Ok(None),
            Some(text) => moment(text).map(Some).ok_or_else(|| {
                let detail = format!("{name} is not a time");
                Problem::parameter(name, detail, "Send Unix seconds, such as 1767903000.")
            }),
        };
        let until = read("until", &self.until)?.unwrap_or(now);
        let since = read("since", &self.since)?.unwrap_or(until.minus(WINDOW));
        if since > until {
            return Err(Problem::parameter(
                "since",
                "since is after until",
                "Send an earlier one.",
            ));
        }
        Ok(since..=until)
    }
}

fn unreadable(name: &str, error: &dyn std::error::Error) -> Problem {
    Problem::parameter(name, error.to_string(), "See /api/pipelines and /api/regions.")
}

/// A text that says something.
fn said(text: &str) -> Option<&str> {
    let text = text.trim();
    (!text.is_empty()).then_some(text)
}

/// An on-chain address, in whatever case.
pub fn address(text: &str) -> Result<Address, Problem> {
    Address::parse_any(text).map_err(|_| {
        let instead = "Send an address, 0x and 40 hex digits.";
        Problem::parameter("orchestrator", "orchestrator is not an address", instead)
    })
}

/// Unix seconds, also with a fraction, of which thousandths count.
fn moment(text: &str) -> Option<UnixMillis> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let is_plain = |digits: &str| digits.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 10 || !is_plain(whole) || !is_plain(fraction) {
        return None;
    }
    let thousandths: String = fraction.chars().chain("000".chars()).take(3).collect();
    let seconds: u64 = whole.parse().ok()?;
    Some(UnixMillis(seconds.checked_mul(1_000)?.checked_add(thousandths.parse().ok()?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_read_with_their_fraction() {
        let cases = [
            ("1767903000", Some(1_767_903_000_000)),
            ("1767903000.5", Some(1_767_903_000_500)),
            ("1767903000.123456", Some(1_767_903_000_123)),
            ("0", Some(0)),
            ("-1", None),
            ("", None),
            (".5", None),
            ("NaN", None),
            ("99999999999", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(moment(text), wanted.map(UnixMillis), "{text}");
        }
    }
}
