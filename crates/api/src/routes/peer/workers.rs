//! `/v1/requests/byoc/workers` and `/v1/requests/byoc/auth`: what is known of people's own containers beside requests.

use axum::extract::State as Given;
use events::event::Workload;
use serde::Serialize;
use sla::rollup::Dimension;
use sla::rollup::column::{Column, Plain};
use sla::rollup::series::Question;

use super::asked::{SpanQuery, minutes_of, span};
use super::reckon;
use crate::answer::{A_SECOND_MS, Answer};
use crate::problem::{Problem, Problems};
use crate::query::Query;
use crate::state::State;

/// The workers of one capability.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerWorkers)]
pub struct Workers {
    /// The capability.
    capability: String,
    /// Workers that are connected.
    worker_count: u64,
    /// The models that they run.
    models: Vec<String>,
    /// Mean price per unit; null if unknown.
    avg_price_per_unit: Option<f64>,
}

/// Workers
///
/// Always empty: what orchestrators report about their workers is not counted here.
#[utoipa::path(
    get, path = "/v1/requests/byoc/workers", tag = "peer",
    params(SpanQuery),
    responses((status = 200, description = "No workers.", body = Vec<Workers>, example = json!([])), Problems),
)]
pub async fn workers(
    Given(state): Given<State>,
    Query(query): Query<SpanQuery>,
) -> Result<Answer<Vec<Workers>>, Problem> {
    span(query.start, query.end, state.now())?;
    Ok(Answer::until_written(Vec::new()))
}

/// How often users of one capability were authorized.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerAuth)]
pub struct Auth {
    /// The capability; empty if none was named.
    capability: String,
    /// How many checks there were.
    total_events: u64,
    /// The share of checks that let the user in, 0 to 1.
    success_rate: Option<f64>,
    /// How many checks refused the user.
    failure_count: u64,
}

/// BYOC authorization
///
/// The results of gateways' webhooks and credential checks in the time range, by capability.
#[utoipa::path(
    get, path = "/v1/requests/byoc/auth", tag = "peer",
    params(SpanQuery),
    responses((status = 200, description = "The capabilities.", body = Vec<Auth>, example = json!([
        {"capability": "openai-chat", "total_events": 40, "success_rate": 0.975, "failure_count": 1}
    ])), Problems),
)]
pub async fn auth(
    Given(state): Given<State>,
    Query(query): Query<SpanQuery>,
) -> Result<Answer<Vec<Auth>>, Problem> {
    let network = state.network(query.network);
    let span = span(query.start, query.end, state.now())?;
    let question = Question {
        by: vec![Dimension::Pipeline],
        columns: [Column::Plain(Plain::LetIn), Column::Plain(Plain::TurnedAway)].into(),
        filter: [reckon::of(&[Workload::Byoc])].into(),
        span: minutes_of(&span),
        ..Question::default()
    };
    let rows = state.read(move |sources| {
        sources.warehouse.series(network, &question).map_err(Problem::warehouse)
    });
    let told = rows.await?.into_iter().filter(|row| !row.sums.columns.is_empty());
    let row = |row: sla::rollup::series::SeriesRow| {
        let let_in = reckon::plain(&row.sums, Plain::LetIn);
        let failure_count = reckon::plain(&row.sums, Plain::TurnedAway);
        let total_events = let_in.saturating_add(failure_count);
        let success_rate = reckon::ratio(let_in, total_events);
        Auth { capability: reckon::text(&row, 0), total_events, success_rate, failure_count }
    };
    Ok(Answer::for_ms(A_SECOND_MS, told.map(row).collect()))
}
