//! `/v1/windows/{window}`: one window's scorecard, byte for byte as it was digested, with what stands beside it.

use axum::extract::State as Given;
use events::event::Network;
use events::identity::{Digest, PublisherKey};
use events::refusal::Defect;
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sla::window::{Hour, Span, Window};
use utoipa::IntoParams;
use warehouse::view::HourView;

use crate::answer::{A_SECOND_MS, Answer, Reasons};
use crate::problem::{Code, Problem, Problems};
use crate::query::{Query, Segments};
use crate::routes::windows::{Revision, WindowState};
use crate::schema;
use crate::state::{Sources, State};

/// How a window is written.
pub const WINDOW_INSTEAD: &str = "Send an hour in UTC such as 2026-01-08T21Z, or a span that ends with it such as 2026-01-08T21Z%2F24h.";

/// What answers.
const SOFTWARE: &str = concat!("naap ", env!("CARGO_PKG_VERSION"));

/// Which form of the window.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WindowQuery {
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// The revision, from 0; the latest if none is named.
    #[param(value_type = u32, required = false)]
    revision: Option<u32>,
}

/// One window.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WindowDetail {
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The window.
    #[schema(value_type = schema::Window)]
    window: Window,
    /// `open`, `provisional` or `settled`.
    state: WindowState,
    /// Whether it can still change. A provisional window has no digest.
    provisional: bool,
    /// The scorecard. `digest` is the SHA-256 of its canonical form (RFC 8785). Null if nothing has been scored.
    #[schema(value_type = Option<Object>)]
    scorecard: Option<Box<RawValue>>,
    /// SHA-256 over the scorecard's bytes; null if it is provisional.
    #[schema(value_type = Option<schema::Digest>)]
    digest: Option<Digest>,
    /// Which revision this is; null if it is provisional.
    revision: Option<u32>,
    /// Every revision of an hour, first to last; a longer window has only this one.
    revisions: Vec<Revision>,
    /// When it was settled, or computed from settled hours, in Unix milliseconds; null if it is provisional.
    #[schema(value_type = Option<u64>)]
    settled_ms: Option<UnixMillis>,
    /// When it last changed, in Unix milliseconds; null if it is settled.
    #[schema(value_type = Option<u64>)]
    updated_ms: Option<UnixMillis>,
    /// What was refused in it, which is not part of the scorecard; null if it is provisional or longer than an hour.
    refusals: Option<Vec<WindowRefusal>>,
    /// The version of the software that answers. Digests do not depend on it.
    #[schema(example = "naap 0.1.0")]
    software: &'static str,
    /// Why a member is null.
    reasons: Reasons,
}

/// How often one publisher's input was refused in the window, by code.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WindowRefusal {
    /// The key of the publisher.
    #[schema(value_type = schema::PublisherKey)]
    publisher: PublisherKey,
    /// Why; `/v1/refusals` explains each code.
    #[schema(value_type = schema::RefusalCode)]
    code: Defect,
    /// How often.
    count: u64,
}

/// One window
///
/// The scorecard of an hour, at its latest or the named revision; or that of a longer window, which is computed once
/// and pins the revisions of its hours. It includes the clusters and how far reporters agree. The slash of a longer
/// window is written `%2F`.
#[utoipa::path(
    get, path = "/v1/windows/{window}", tag = "windows",
    params(("window" = inline(schema::Window), Path, description = "The window."), WindowQuery),
    responses((status = 200, description = "The window.", body = WindowDetail), Problems),
)]
pub async fn window(
    Given(state): Given<State>,
    segments: Segments,
    Query(query): Query<WindowQuery>,
) -> Result<Answer<WindowDetail>, Problem> {
    let window: Window = segments.parse("window", WINDOW_INSTEAD)?;
    let hour = window.last;
    let network = state.network(query.network);
    let now = state.now();
    let detail = state.read(move |sources| {
        if window.span != Span::Hour {
            return of_span(sources, network, window, query.revision);
        }
        let settled = sources.warehouse.hour_record(network, hour, query.revision);
        match (settled.map_err(Problem::warehouse)?, query.revision) {
            (Some(view), _) => of_settled(network, hour, view),
            (None, Some(revision)) => Err(no_revision(sources, network, hour, revision)?),
            (None, None) => of_provisional(sources, network, hour, now),
        }
    });
    Ok(Answer::for_ms(A_SECOND_MS, detail.await?))
}

/// The problem that a longer window is not there.
pub fn not_made(network: Network, window: Window) -> Problem {
    let detail = format!("there is no {window} on {network}");
    let instead = "GET /v1/windows lists the hours with the longer windows that end with them.";
    Problem::absent(detail, instead).about("window")
}

fn of_span(
    sources: &Sources,
    network: Network,
    window: Window,
    revision: Option<u32>,
) -> Result<WindowDetail, Problem> {
    let view = sources.warehouse.window_record(network, window).map_err(Problem::warehouse)?;
    let view = view.ok_or_else(|| not_made(network, window))?;
    if let Some(revision) = revision.filter(|revision| *revision > 0) {
        let detail = format!("{window} on {network} has no revision {revision}");
        return Err(Problem::absent(detail, "Send 0, or no revision.").about("revision"));
    }
    let mut reasons = Reasons::default();
    let hours = || "it was refused in its hours, which list it".to_owned();
    Ok(WindowDetail {
        network,
        window,
        state: WindowState::Settled,
        provisional: false,
        scorecard: Some(raw(window.last, view.scorecard_bytes)?),
        digest: Some(view.digest),
        revision: Some(0),
        revisions: Vec::new(),
        settled_ms: Some(view.made_ms),
        updated_ms: reasons.explain("updated_ms", None, || "it is settled".to_owned()),
        refusals: reasons.explain("refusals", None, hours),
        software: SOFTWARE,
        reasons,
    })
}

fn of_settled(network: Network, hour: Hour, view: HourView) -> Result<WindowDetail, Problem> {
    let scorecard = raw(hour, view.scorecard_bytes)?;
    let refusal = |((publisher, code), count)| WindowRefusal { publisher, code, count };
    let mut reasons = Reasons::default();
    let settled = || "it is settled".to_owned();
    Ok(WindowDetail {
        network,
        window: Window::hour(hour),
        state: WindowState::Settled,
        provisional: false,
        scorecard: Some(scorecard),
        digest: Some(view.digest),
        revision: Some(view.revision),
        revisions: view.revisions.into_iter().map(Revision::from).collect(),
        settled_ms: Some(view.settled_ms),
        updated_ms: reasons.explain("updated_ms", None, settled),
        refusals: Some(view.refused.into_iter().map(refusal).collect()),
        software: SOFTWARE,
        reasons,
    })
}

/// A scorecard as it stands.
fn raw(hour: Hour, bytes: Vec<u8>) -> Result<Box<RawValue>, Problem> {
    let text = String::from_utf8(bytes).ok();
    text.and_then(|text| RawValue::from_string(text).ok()).ok_or_else(|| {
        tracing::error!(hour = %hour, "a scorecard that is kept is not JSON");
        Problem::internal()
    })
}

fn of_provisional(
    sources: &Sources,
    network: Network,
    hour: Hour,
    now: UnixMillis,
) -> Result<WindowDetail, Problem> {
    let view = sources.warehouse.provisional(network, hour).map_err(Problem::warehouse)?;
    let view = view.ok_or_else(|| {
        let detail = format!("nothing is known of {hour} on {network}");
        Problem::absent(detail, "GET /v1/windows lists the hours that are known.").about("window")
    })?;
    let bytes = view.scorecard.map(|scorecard| scorecard.bytes());
    let scorecard = bytes.map(|bytes| raw(hour, bytes)).transpose()?;
    let mut reasons = Reasons::default();
    let open = || "it has not settled".to_owned();
    Ok(WindowDetail {
        network,
        window: Window::hour(hour),
        state: WindowState::of(hour, now, false),
        provisional: true,
        scorecard: reasons
            .explain("scorecard", scorecard, || "nothing has been scored yet".to_owned()),
        digest: reasons.explain("digest", None, open),
        revision: reasons.explain("revision", None, open),
        revisions: Vec::new(),
        settled_ms: reasons.explain("settled_ms", None, open),
        updated_ms: Some(view.updated_ms),
        refusals: reasons.explain("refusals", None, open),
        software: SOFTWARE,
        reasons,
    })
}

/// Why there is no such revision.
fn no_revision(
    sources: &Sources,
    network: Network,
    hour: Hour,
    revision: u32,
) -> Result<Problem, Problem> {
    let revisions = sources.warehouse.revisions(network, hour).map_err(Problem::warehouse)?;
    let problem = match revisions.last() {
        Some(latest) => {
            let detail = format!("{hour} on {network} has no revision {revision}");
            Problem::absent(detail, format!("Send a revision from 0 to {}.", latest.revision))
        }
        None => {
            let detail = format!("{hour} on {network} has not settled");
            Problem::new(
                Code::Unsettled,
                detail,
                "Leave out `revision` to see what is provisional.",
            )
        }
    };
    Ok(problem.about("revision"))
}
