//! `/badge/{operator}.svg`: how an operator stands, as a picture for a page of its own. It computes no score.

mod picture;

use axum::Extension;
use axum::extract::State as Given;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use events::event::{Network, Workload};
use events::identity::{Address, Model, Pipeline};
use events::unit::Ppm;
use serde::{Deserialize, Deserializer};
use sla::scorecard::{Grade, Scored};
use sla::window::Span;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::answer::Holds;
use crate::latest::{Results, span_among};
use crate::problem::{Problem, Problems};
use crate::query::{Query, Segments, shown};
use crate::schema;
use crate::state::State;
use picture::{Picture, Tone};

/// The lengths of windows that a badge shows.
const SPANS: &[Span] = &[Span::Day, Span::Week, Span::FourWeeks];

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Span, D::Error> {
    span_among(SPANS, deserializer)
}

fn week() -> Span {
    Span::Week
}

/// How a badge is asked for.
const INSTEAD: &str = "Send /badge/, then 0x and 40 lower-case hex digits, then .svg.";

/// How long a copy of a badge may be shown: windows are made once an hour.
const CACHED: &str = "public, max-age=60";

/// The lowest score that is shown as good, and the lowest that is shown as middling: for the eye alone.
const GOOD: Ppm = Ppm(900_000);
const MIDDLING: Ppm = Ppm(700_000);

/// The paths of this file.
pub fn paths() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(badge))
}

/// Of what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BadgeQuery {
    /// Only the work for this model.
    #[param(value_type = String, required = false)]
    model: Option<Model>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only the work for this pipeline.
    #[param(value_type = String, required = false)]
    pipeline: Option<Pipeline>,
    /// The length of the window: `24h`, `7d` or `28d`; `7d` if not given. The newest window of that length is shown.
    #[serde(default = "week", deserialize_with = "span")]
    #[param(value_type = String, required = false, pattern = "^(24h|7d|28d)$", example = "7d")]
    window: Span,
    /// Only the work of this workload.
    #[param(inline, value_type = schema::Workload, required = false)]
    workload: Option<Workload>,
}

/// Badge
///
/// A small SVG with an operator's score over the newest window: the score and its upper bound in percent, and the
/// evidence grade. Without a filter it is over all work; if several kinds of work match the filter, it is the lowest
/// score among those that have one. Too little evidence, an operator that the window does not name, and a window that
/// does not exist yet each have a picture of their own.
#[utoipa::path(
    get, path = "/badge/{file}", tag = "scores",
    params(
        ("file" = String, Path, description = "The operator's address in lower-case hex, and `.svg`.",
            pattern = "^0x[0-9a-f]{40}\\.svg$", example = "0xd00354656922168815fcd1e51cbddb9e359e3c7f.svg"),
        BadgeQuery,
    ),
    responses((status = 200, description = "The picture.", body = String, content_type = "image/svg+xml"), Problems),
)]
pub async fn badge(
    Given(state): Given<State>,
    segments: Segments,
    Query(query): Query<BadgeQuery>,
) -> Result<Response, Problem> {
    let text = segments.text("file");
    let operator: Address =
        text.strip_suffix(".svg").and_then(|text| text.parse().ok()).ok_or_else(|| {
            let shown = shown(text);
            Problem::parameter(
                "file",
                format!("{shown:?} is not the badge of an operator"),
                INSTEAD,
            )
        })?;
    let network = state.network(query.network);
    let latest = state.clone();
    let picture = state.read(move |sources| {
        let results = latest.latest().of(sources.warehouse.as_ref(), network, query.window)?;
        Ok(picture_of(results.as_deref(), operator, network, &query))
    });
    let headers = [
        (CONTENT_TYPE, "image/svg+xml; charset=utf-8"),
        (CACHE_CONTROL, CACHED),
        // Opened by itself it can do nothing but be drawn.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; style-src 'unsafe-inline'"),
    ];
    Ok((Extension(Holds::UntilWritten), headers, picture.await?.svg()).into_response())
}

fn picture_of(
    results: Option<&Results>,
    operator: Address,
    network: Network,
    query: &BadgeQuery,
) -> Picture {
    let work: Vec<&str> = [
        query.workload.map(Workload::as_str),
        query.pipeline.as_ref().map(Pipeline::as_str),
        query.model.as_ref().map(Model::as_str),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut label = vec!["naap"];
    if network == Network::Simulation {
        label.push("simulated");
    }
    label.extend(&work);
    label.push(query.window.as_str());
    let (shown, tone) = match results.map(|results| standing(results, operator, query)) {
        None => ("no window yet".to_owned(), Tone::Unknown),
        Some(Found::Unnamed) => ("unknown operator".to_owned(), Tone::Unknown),
        Some(Found::Without) => ("no such work".to_owned(), Tone::Unknown),
        Some(Found::Insufficient) => ("insufficient evidence".to_owned(), Tone::Insufficient),
        Some(Found::Scored { grade, score, upper }) => (text(score, upper, grade), tone(score)),
    };
    let over = if work.is_empty() { "all work".to_owned() } else { work.join(", ") };
    let when = results.map_or("no window yet".to_owned(), |it| it.window.to_string());
    let title = format!("{operator} on {network}, {over}, {when}: {shown}");
    Picture { label: label.join(" · "), shown, title, tone }
}

/// What a window says of an operator.
#[derive(Debug, PartialEq, Eq)]
enum Found {
    /// There is too little evidence.
    Insufficient,
    /// There is a score.
    Scored { grade: Grade, score: Ppm, upper: Option<Ppm> },
    /// It does not name the operator.
    Unnamed,
    /// It names the operator, and no work that passes the filter.
    Without,
}

fn standing(results: &Results, operator: Address, query: &BadgeQuery) -> Found {
    let mine: Vec<&Scored> =
        results.scored.iter().filter(|scored| scored.operator == Some(operator)).collect();
    let Some(all) = mine.iter().find(|scored| scored.class.is_none()) else {
        return Found::Unnamed;
    };
    let found: Vec<(Grade, Option<Ppm>, Option<Ppm>)> =
        match (query.workload, &query.pipeline, &query.model) {
            (None, None, None) => vec![(all.grade, all.score, all.upper)],
            (Some(workload), None, None) if !all.workloads.is_empty() => {
                let of = all.workloads.iter().filter(|it| it.workload == workload);
                of.map(|it| (it.grade, it.score, it.upper)).collect()
            }
            (workload, pipeline, model) => {
                let passes = |scored: &&&Scored| {
                    scored.class.as_ref().is_some_and(|class| {
                        workload.is_none_or(|it| it == class.workload)
                            && (pipeline.is_none() || *pipeline == class.pipeline)
                            && (model.is_none() || *model == class.model)
                    })
                };
                let of = mine.iter().filter(passes);
                of.map(|it| (it.grade, it.score, it.upper)).collect()
            }
        };
    if found.is_empty() {
        return Found::Without;
    }
    let scored = found.into_iter().filter_map(|(grade, score, upper)| Some((score?, upper, grade)));
    match scored.min_by_key(|(score, _, _)| *score) {
        Some((score, upper, grade)) => Found::Scored { grade, score, upper },
        None => Found::Insufficient,
    }
}

/// A score, at best, and by how much evidence: `93.12–98.40 B`.
fn text(score: Ppm, upper: Option<Ppm>, grade: Grade) -> String {
    let hundredths = |ppm: Ppm| format!("{}.{:02}", ppm.0 / 10_000, ppm.0 % 10_000 / 100);
    match upper {
        Some(upper) if upper > score => {
            format!("{}–{} {grade}", hundredths(score), hundredths(upper))
        }
        _ => format!("{} {grade}", hundredths(score)),
    }
}

fn tone(score: Ppm) -> Tone {
    if score >= GOOD {
        Tone::Good
    } else if score >= MIDDLING {
        Tone::Middling
    } else {
        Tone::Low
    }
}
