//! `/v1/discover/orchestrators`: where a kind of work can go, the best first. What a gateway should do with it is the
//! gateway's own business; the paths below `/v1/route` follow a policy.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use axum::extract::{RawQuery, State as Given};
use events::event::{Network, Workload};
use events::identity::{Address, ServiceUrl};
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use sla::rollup::column::{Column, Plain};
use sla::rollup::series::Question;
use sla::rollup::{Dimension, Sums};
use sla::supply::Supply;
use sla::tally::outcome::Obligation;
use utoipa::IntoParams;

use super::asked::{WindowHours, minutes};
use super::moment::Moment;
use super::offers::{Offers, workload};
use super::reckon;
use super::score::Scores;
use crate::answer::{A_SECOND_MS, Answer};
use crate::number::Share;
use crate::problem::{Problem, Problems};
use crate::query::read;
use crate::schema;
use crate::state::{Sources, State};

/// Work of the open hour and so many hours before it is recent.
const RECENT: WindowHours = WindowHours(3);

/// The most capabilities that a request may name.
const CAPS_MAX: usize = 32;

/// Which capabilities.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct DiscoverQuery {
    /// `pipeline/model`, or a whole `pipeline`; several times for whoever offers any of them. Everybody if not given.
    #[param(value_type = Vec<String>, required = false, style = Form, explode)]
    #[serde(skip)]
    #[allow(dead_code, reason = "read beside the others, because it may come several times")]
    caps: Vec<String>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
}

/// One orchestrator at one service URL.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerDiscovered)]
pub struct Discovered {
    /// Its service URL.
    #[schema(value_type = schema::ServiceUrl)]
    address: ServiceUrl,
    /// Its score for the requested work, 0 to 1; if `recent_work` is false, 0 means unknown.
    score: f64,
    /// The requested capabilities that it offers, as `pipeline/model`.
    capabilities: BTreeSet<String>,
    /// When its latest offer was reported, in Unix milliseconds.
    #[schema(value_type = u64)]
    last_seen_ms: UnixMillis,
    /// The same as RFC 3339 text.
    #[schema(value_type = String, format = DateTime)]
    last_seen: Moment,
    /// Whether it had such work in the last three hours, or a score.
    recent_work: bool,
}

/// Orchestrators by capability
///
/// Every orchestrator that offered one of the capabilities in the last 24 hours, one row per service URL: highest score
/// first, then most capabilities, then by address.
#[utoipa::path(
    get, path = "/v1/discover/orchestrators", tag = "peer",
    params(DiscoverQuery),
    responses((status = 200, description = "One row per service URL.", body = Vec<Discovered>, example = json!([
        {"address": "https://orchestrator.example:8935", "score": 0.941,
         "capabilities": ["live-video-to-video/streamdiffusion-sdxl"], "last_seen_ms": 1767908945000u64,
         "last_seen": "2026-01-08T21:49:05Z", "recent_work": true}
    ])), Problems),
)]
pub async fn discover(
    Given(state): Given<State>,
    RawQuery(query): RawQuery,
) -> Result<Answer<Vec<Discovered>>, Problem> {
    let (caps, rest) = split(query.as_deref().unwrap_or_default())?;
    let query: DiscoverQuery = read(&rest)?;
    let (network, now) = (state.network(query.network), state.now());
    let rows = state.read(move |sources| find(sources, network, now, &caps));
    Ok(Answer::for_ms(A_SECOND_MS, rows.await?))
}

/// The capabilities of a query, and the rest of it.
fn split(query: &str) -> Result<(BTreeSet<String>, String), Problem> {
    let (mut caps, mut rest) = (BTreeSet::new(), form_urlencoded::Serializer::new(String::new()));
    let instead =
        "Send caps=pipeline/model or caps=pipeline, such as caps=llm/llama, at most 32 times.";
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        for (name, value) in form_urlencoded::parse(pair.as_bytes()) {
            if name != "caps" {
                rest.append_pair(&name, &value);
                continue;
            }
            let (pipeline, model) = value.split_once('/').unwrap_or((&value, "any"));
            if pipeline.is_empty()
                || model.is_empty()
                || value.contains(char::REPLACEMENT_CHARACTER)
            {
                return Err(Problem::parameter("caps", "caps names no capability", instead));
            }
            caps.insert(value.into_owned());
        }
    }
    if caps.len() > CAPS_MAX {
        return Err(Problem::parameter(
            "caps",
            format!("caps names {} capabilities", caps.len()),
            instead,
        ));
    }
    Ok((caps, rest.finish()))
}

/// What of a place was asked for, and which kinds of work that is.
fn offered(place: &Supply, caps: &BTreeSet<String>) -> (BTreeSet<String>, BTreeSet<Workload>) {
    let (mut capabilities, mut workloads) = (BTreeSet::new(), BTreeSet::new());
    for offer in &place.offers {
        let pipeline = offer.pipeline.as_str();
        let name = match &offer.model {
            Some(model) => format!("{pipeline}/{model}"),
            None => pipeline.to_owned(),
        };
        if caps.is_empty() || caps.contains(&name) || caps.contains(pipeline) {
            capabilities.insert(name);
            workloads.insert(workload(&offer.pipeline));
        }
    }
    (capabilities, workloads)
}

/// What was done of late, by operator, URL and workload.
type Done = BTreeMap<(String, String, String), Sums>;

fn done(sources: &Sources, network: Network, now: UnixMillis) -> Result<Done, Problem> {
    let columns = reckon::columns_of(Obligation::Output);
    let question = Question {
        by: vec![Dimension::Operator, Dimension::Url, Dimension::Workload],
        columns: columns.chain([Column::Plain(Plain::Tenures)]).collect(),
        span: minutes(&RECENT.until(now)),
        ..Question::default()
    };
    let rows = sources.warehouse.series(network, &question).map_err(Problem::warehouse)?;
    let text = reckon::text;
    Ok(rows
        .into_iter()
        .map(|row| ((text(&row, 0), text(&row, 1), text(&row, 2)), row.sums))
        .collect())
}

fn find(
    sources: &Sources,
    network: Network,
    now: UnixMillis,
    caps: &BTreeSet<String>,
) -> Result<Vec<Discovered>, Problem> {
    let offers = Offers::read(sources, network, now, WindowHours::default())?;
    let done = done(sources, network, now)?;
    let scores = Scores::latest(sources, network)?;
    let mut found = Vec::new();
    for place in offers.places() {
        let (capabilities, workloads) = offered(place, caps);
        if capabilities.is_empty() {
            continue;
        }
        let score = worst(place.operator, &place.url, &workloads, (&scores, &done));
        found.push(Discovered {
            address: place.url.clone(),
            score: score.unwrap_or_default(),
            capabilities,
            last_seen_ms: place.at_ms,
            last_seen: Moment(place.at_ms),
            recent_work: score.is_some(),
        });
    }
    found.sort_by(|one, other| {
        let rank = |row: &Discovered| (row.recent_work, row.score);
        let ((is_known, score), (is_other_known, other_score)) = (rank(one), rank(other));
        let by_score = is_other_known.cmp(&is_known).then(other_score.total_cmp(&score));
        let by_size = Reverse(one.capabilities.len()).cmp(&Reverse(other.capabilities.len()));
        by_score.then(by_size).then_with(|| one.address.cmp(&other.address))
    });
    Ok(found)
}

/// The lowest score of a place for these kinds of work: its scorecard's, else the share of its latest work that was
/// delivered. None where nothing is known of any.
fn worst(
    operator: Address,
    url: &ServiceUrl,
    workloads: &BTreeSet<Workload>,
    (scores, done): (&Scores, &Done),
) -> Option<f64> {
    let known = workloads.iter().filter_map(|workload| {
        scores.of(operator, *workload).map(|score| Share(score).rounded()).or_else(|| {
            let key = (operator.to_string(), url.to_string(), workload.as_str().to_owned());
            let share = reckon::met(done.get(&key)?, Obligation::Output)?;
            Some((share * 1_000.0).round() / 1_000.0)
        })
    });
    known.min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_come_several_times() {
        let (caps, rest) = split("caps=llm%2Fa%2Fb&network=simulation&&caps=x&caps=x").unwrap();
        assert_eq!(caps, ["llm/a/b", "x"].map(str::to_owned).into());
        assert_eq!(rest, "network=simulation");
        for bad in ["caps=", "caps=/", "caps=a/", "caps=/b", "caps=%ff", "x=1&caps"] {
            assert_eq!(split(bad).unwrap_err().parameter.as_deref(), Some("caps"), "{bad}");
        }
        let many: String = (0..33).map(|number| format!("caps=p{number}&")).collect();
        assert!(split(&many).is_err());
    }
}
