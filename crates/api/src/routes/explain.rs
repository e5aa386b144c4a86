//! `/v1/explain/{operator}`: why an operator's scores are what they are, down to the signed batches.

use axum::extract::State as Given;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use events::event::Network;
use events::identity::Address;
use serde::{Deserialize, Serialize};
use sla::explain::{Explanation, Moved, text};
use sla::window::Window;
use utoipa::IntoParams;

use crate::answer::Answer;
use crate::explaining::{Explained, Unexplained, explained, newest};
use crate::problem::{Code, Problem, Problems};
use crate::query::{Query, Segments};
use crate::schema;
use crate::state::State;

/// How an operator is written.
const OPERATOR_INSTEAD: &str = "Send 0x and 40 lower-case hex digits.";

/// The format of an explanation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// As JSON.
    #[default]
    Json,
    /// As a page of plain text.
    Text,
}

/// Of what, and how.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ExplainQuery {
    /// `json`, or `text` for a plain-text report.
    #[serde(default)]
    #[param(inline, required = false)]
    format: Format,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// The window, such as `2026-01-08T21Z`; if none is named, the newest seven-day window, or else the newest settled
    /// hour.
    #[param(inline, value_type = schema::Window, required = false)]
    window: Option<Window>,
}

/// Why an operator's scores are what they are.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ExplainAnswer {
    /// For each score and each of its components: what it cost, and what would raise the score most.
    #[schema(value_type = Object)]
    explanation: Explanation,
    /// Whether all jobs of the window were examined; if not, the newest 5000 were.
    is_whole: bool,
    /// How many jobs were examined.
    looked_at: usize,
    /// The jobs that cost most, at most 20, with the batches that contain the claims about them.
    #[schema(value_type = Vec<Object>)]
    moved: Vec<Moved>,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
}

/// Why an operator's scores are what they are
///
/// Component by component: the points lost, the jobs that cost most with their evidence down to the signed batch, what
/// does not count and why, and what would raise the score.
#[utoipa::path(
    get, path = "/v1/explain/{operator}", tag = "scores",
    extensions(("x-naap-cost" = json!(20))),
    params(
        ("operator" = inline(schema::Address), Path, description = "The operator."),
        ExplainQuery,
    ),
    responses((status = 200, description = "The explanation.", body = ExplainAnswer), Problems),
)]
pub async fn explain(
    Given(state): Given<State>,
    segments: Segments,
    Query(query): Query<ExplainQuery>,
) -> Result<Response, Problem> {
    let operator: Address = segments.parse("operator", OPERATOR_INSTEAD)?;
    let network = state.network(query.network);
    let found = state.read(move |sources| {
        let window = match query.window {
            Some(window) => window,
            None => newest(sources.warehouse.as_ref(), network)
                .map_err(Problem::warehouse)?
                .ok_or_else(unsettled)?,
        };
        explained(sources.warehouse.as_ref(), network, window, operator).map_err(problem)
    });
    let Explained { explanation, moved, looked_at, is_whole } = found.await?;
    if query.format == Format::Text {
        let page = text(&explanation, &moved);
        return Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], page).into_response());
    }
    let answer = ExplainAnswer { explanation, is_whole, looked_at, moved, network };
    Ok(Answer::until_written(answer).into_response())
}

fn unsettled() -> Problem {
    Problem::new(Code::Unsettled, "no hour has settled", "Wait for the first hour to settle.")
}

fn problem(why: Unexplained) -> Problem {
    let detail = why.to_string();
    match why {
        Unexplained::Absent { .. } => {
            Problem::absent(detail, "GET /v1/scores lists the operators of a window.")
        }
        Unexplained::Unsettled(_) => {
            let instead = "GET /v1/windows lists the windows that are settled.";
            Problem::new(Code::Unsettled, detail, instead).about("window")
        }
        Unexplained::Warehouse(error) => Problem::warehouse(error),
        Unexplained::Unusable(_) => {
            tracing::error!(why = %detail, "a score that is kept cannot be explained");
            Problem::internal()
        }
    }
}
