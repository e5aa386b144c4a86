//! `/v1/refusals`: what was refused, how often, what each code means and what the sender can do. It judges nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::Json;
use axum::extract::State as Given;
use events::event::Network;
use events::identity::PublisherKey;
use events::refusal::Defect;
use serde::{Deserialize, Serialize};
use sla::window::Hour;
use utoipa::IntoParams;
use warehouse::view::{RefusalRow, Source};

use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::schema;
use crate::state::State;

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

/// Where something was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RefusalPlace {
    /// When it arrived.
    Intake,
    /// When its hour was settled.
    Settle,
}

/// Refusals by code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Refusals {
    /// Every code there is, also those that never occurred.
    items: Vec<Refused>,
    /// The network it is about.
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
    /// How often it occurred; places counted together.
    count: u64,
    /// How often it occurred where.
    places: Vec<RefusedAt>,
}

/// How often a code occurred in one place.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct RefusedAt {
    /// `intake`: when it arrived, counts add up; `settle`: when its hour was settled, counts are those of each hour's
    /// latest revision.
    place: RefusalPlace,
    /// How often.
    count: u64,
    /// The first hour it occurred in.
    #[schema(value_type = schema::Hour)]
    first: Hour,
    /// The last hour it occurred in.
    #[schema(value_type = schema::Hour)]
    last: Hour,
}

/// Refusals
///
/// Every code with its meaning and how often it occurred. A refusal is an input that naap will not use; it is never an
/// error of the API.
#[utoipa::path(
    get, path = "/v1/refusals", tag = "evidence",
    params(RefusalsQuery),
    responses((status = 200, description = "All codes.", body = Refusals), Problems),
)]
pub async fn refusals(
    Given(state): Given<State>,
    Query(query): Query<RefusalsQuery>,
) -> Result<Json<Refusals>, Problem> {
    let network = state.network(query.network);
    let rows = state.read(move |sources| {
        let rows = sources.warehouse.refusals(network, query.publisher.as_ref());
        rows.map_err(Problem::warehouse)
    });
    let rows = rows.await?;
    let items = Defect::ALL.iter().map(|defect| refused(*defect, &rows)).collect();
    Ok(Json(Refusals { items, network }))
}

fn refused(defect: Defect, rows: &[RefusalRow]) -> Refused {
    let (meaning, remedy) = EXPLANATIONS.get(defect.code()).copied().unwrap_or_default();
    let places: Vec<RefusedAt> = rows
        .iter()
        .filter(|row| row.defect == defect)
        .map(|row| RefusedAt {
            place: match row.source {
                Source::Intake => RefusalPlace::Intake,
                Source::Settle => RefusalPlace::Settle,
            },
            count: row.count,
            first: row.first,
            last: row.last,
        })
        .collect();
    let count = places.iter().map(|place| place.count).sum();
    Refused { code: defect, meaning, remedy, count, places }
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
        }
    }
}
