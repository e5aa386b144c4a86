//! `/v1/refusals`: what was refused, how often, what each code means and what the sender can do. It judges nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::extract::State as Given;
use events::event::Network;
use events::identity::PublisherKey;
use events::refusal::Defect;
use serde::{Deserialize, Serialize};
use sla::window::Hour;
use utoipa::IntoParams;
use warehouse::view::{RefusalRow, Source};

use crate::answer::{A_SECOND_MS, Answer, Reasons};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::{Heard, State};

/// The page that explains every code, which tidy keeps complete.
const EXPLAINED: &str = include_str!("../../../../docs/refusals.md");

/// Whose refusals.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RefusalsQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only what was refused of this publisher: 64 lower-case hex digits.
    #[param(inline, value_type = schema::PublisherKey, required = false)]
    publisher: Option<PublisherKey>,
}

/// Where an input was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalPlace {
    /// When it arrived.
    Intake,
    /// At a node that this process runs, before it became an event.
    Node,
    /// When its hour was settled.
    Settle,
}

/// Refusals by code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Refusals {
    /// Every code, also those that never occurred.
    items: Vec<Refused>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
}

/// One code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Refused {
    /// The code. It never changes its meaning.
    #[schema(value_type = schema::RefusalCode)]
    code: Defect,
    /// What it means.
    meaning: &'static str,
    /// What the sender can do.
    remedy: &'static str,
    /// How often it occurred, all places together; null if this process cannot know.
    count: Option<u64>,
    /// How often it occurred in each place.
    places: Vec<RefusedAt>,
    /// Why a member is null.
    reasons: Reasons,
}

/// How often a code occurred in one place.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RefusedAt {
    /// `intake`: on arrival, all occurrences; `settle`: when an hour was settled, in each hour's latest revision;
    /// `node`: by a node of this process, before the input became an event, since the process started.
    place: RefusalPlace,
    /// How often.
    count: u64,
    /// The first hour in which it occurred; null for `node`, which does not count by hour.
    #[schema(value_type = Option<schema::Hour>)]
    first: Option<Hour>,
    /// The last hour in which it occurred; null for `node`.
    #[schema(value_type = Option<schema::Hour>)]
    last: Option<Hour>,
    /// Why a member is null.
    reasons: Reasons,
}

/// Refusals
///
/// Every refusal code with its meaning and how often it occurred here. A refusal is an input that naap will not use; it
/// is never an error of the API. Nodes refuse raw input themselves, so for a node that runs elsewhere this instance
/// does not know the count: that node's own `/metrics` has it.
#[utoipa::path(
    get, path = "/v1/refusals", tag = "evidence",
    params(RefusalsQuery),
    responses((status = 200, description = "All codes.", body = Refusals), Problems),
)]
pub async fn refusals(
    Given(state): Given<State>,
    Query(query): Query<RefusalsQuery>,
) -> Result<Answer<Refusals>, Problem> {
    let network = state.network(query.network);
    let rows = state.read(move |sources| {
        let rows = sources.warehouse.refusals(network, query.publisher.as_ref());
        rows.map_err(Problem::warehouse)
    });
    let rows = rows.await?;
    let is_asked = |heard: &&Heard| {
        heard.network == network
            && query.publisher.is_none_or(|publisher| publisher == heard.publisher)
    };
    let nodes: Vec<_> =
        state.nodes().iter().filter(is_asked).map(|heard| (heard.refused)()).collect();
    let items = Defect::ALL.iter().map(|defect| refused(*defect, &rows, &nodes)).collect();
    Ok(Answer::for_ms(A_SECOND_MS, Refusals { items, network }))
}

/// What nodes refuse before it becomes an event, so that nobody else hears of it.
fn is_input(defect: Defect) -> bool {
    use Defect::{
        EnvelopeData, EnvelopeId, EnvelopeMalformed, EnvelopeTime, FamilyUnknown, InputTooLarge,
        SubtypeIgnored, SubtypeUnknown,
    };
    matches!(
        defect,
        EnvelopeData
            | EnvelopeId
            | EnvelopeMalformed
            | EnvelopeTime
            | FamilyUnknown
            | InputTooLarge
            | SubtypeIgnored
            | SubtypeUnknown
    )
}

fn refused(defect: Defect, rows: &[RefusalRow], nodes: &[BTreeMap<Defect, u64>]) -> Refused {
    let (meaning, remedy) = EXPLANATIONS.get(defect.code()).copied().unwrap_or_default();
    let mut places: Vec<RefusedAt> = rows
        .iter()
        .filter(|row| row.defect == defect)
        .map(|row| RefusedAt {
            place: match row.source {
                Source::Intake => RefusalPlace::Intake,
                Source::Settle => RefusalPlace::Settle,
            },
            count: row.count,
            first: Some(row.first),
            last: Some(row.last),
            reasons: Reasons::default(),
        })
        .collect();
    let heard: u64 = nodes.iter().filter_map(|node| node.get(&defect)).sum();
    if heard > 0 {
        let mut reasons = Reasons::default();
        let why = || "a node does not count by hour".to_owned();
        let (first, last) =
            (reasons.explain("first", None, why), reasons.explain("last", None, why));
        places.push(RefusedAt { place: RefusalPlace::Node, count: heard, first, last, reasons });
    }
    let is_known = !is_input(defect) || !nodes.is_empty();
    let count = is_known.then(|| places.iter().map(|place| place.count).sum());
    let mut reasons = Reasons::default();
    let count = reasons.explain("count", count, || {
        "what a node hears it refuses itself, and none that was asked for runs in this process: its own /metrics \
         count it"
            .to_owned()
    });
    Refused { code: defect, meaning, remedy, count, places, reasons }
}

/// Meaning and remedy of each code, from the rows of the page's tables.
static EXPLANATIONS: LazyLock<BTreeMap<&'static str, (&'static str, &'static str)>> =
    LazyLock::new(|| EXPLAINED.lines().filter_map(explanation).collect());

fn explanation(line: &'static str) -> Option<(&'static str, (&'static str, &'static str))> {
    let mut cells = line.strip_prefix("| `")?.strip_suffix(" |")?.split(" | ");
    let code = cells.next()?.strip_suffix('`')?;
    Some((code, (cells.next()?, cells.next()?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_explained() {
        for defect in Defect::ALL {
            let (meaning, remedy) = EXPLANATIONS.get(defect.code()).copied().unwrap_or_default();
            assert!(meaning.ends_with('.') && remedy.ends_with('.'), "{defect}");
            // Each stands alone where it is shown.
            assert!(!remedy.to_lowercase().contains("above"), "{defect}: {remedy}");
        }
    }
}
