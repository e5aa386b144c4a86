//! `/v1/windows`: the hours that something is known of, with their revisions and digests.

use axum::extract::State as Given;
use events::event::Network;
use events::identity::Digest;
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use sla::window::{Hour, Window};
use utoipa::IntoParams;
use warehouse::page::Paged;
use warehouse::view::{RevisionRow, SpanRow};

use crate::answer::{A_SECOND_MS, Answer, Page, Reasons};
use crate::cursor::Sheet;
use crate::problem::{Problem, Problems};
use crate::query::{Limit, Query};
use crate::schema;
use crate::state::State;

/// The state of an hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WindowState {
    /// It has not ended.
    Open,
    /// It has ended and not settled.
    Provisional,
    /// It has settled at least once.
    Settled,
}

impl WindowState {
    /// How an hour stands at `now`.
    pub fn of(hour: Hour, now: UnixMillis, is_settled: bool) -> Self {
        match is_settled {
            true => Self::Settled,
            false if now < hour.end() => Self::Open,
            false => Self::Provisional,
        }
    }
}

/// Which page.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WindowsQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
}

/// A summary of one hour.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WindowSummary {
    /// The hour.
    #[schema(value_type = schema::Hour)]
    window: Hour,
    /// `open`, `provisional` or `settled`.
    state: WindowState,
    /// How many jobs had claims in it.
    jobs: u64,
    /// When it last changed, in Unix milliseconds.
    #[schema(value_type = u64)]
    updated_ms: UnixMillis,
    /// Its latest revision; null until it settles.
    latest: Option<Revision>,
    /// Every revision, first to last. Older ones never change.
    revisions: Vec<Revision>,
    /// The longer windows that end with it, by length. Each is computed once.
    spans: Vec<LongWindow>,
    /// Why a member is null.
    reasons: Reasons,
}

/// A summary of a window of several hours.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct LongWindow {
    /// The window.
    #[schema(value_type = schema::Window)]
    window: Window,
    /// The digest of its scorecard: SHA-256 over the canonical bytes.
    #[schema(value_type = schema::Digest)]
    digest: Digest,
    /// When it was computed, in Unix milliseconds.
    #[schema(value_type = u64)]
    made_ms: UnixMillis,
}

impl From<SpanRow> for LongWindow {
    fn from(SpanRow { digest, made_ms, window }: SpanRow) -> Self {
        Self { window, digest, made_ms }
    }
}

/// One revision of an hour.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct Revision {
    /// Which revision, from 0.
    revision: u32,
    /// The digest of its scorecard: SHA-256 over the canonical bytes.
    #[schema(value_type = schema::Digest)]
    digest: Digest,
    /// The digest of its tally.
    #[schema(value_type = schema::Digest)]
    tally_digest: Digest,
    /// How many events it was computed from.
    events: u64,
    /// The Merkle root of those events.
    #[schema(value_type = schema::Digest)]
    event_set_root: Digest,
    /// When it was settled, in Unix milliseconds.
    #[schema(value_type = u64)]
    settled_ms: UnixMillis,
}

impl From<RevisionRow> for Revision {
    fn from(row: RevisionRow) -> Self {
        Self {
            revision: row.revision,
            digest: row.digest,
            tally_digest: row.tally_digest,
            events: row.event_set.count,
            event_set_root: row.event_set.root,
            settled_ms: row.settled_ms,
        }
    }
}

/// Windows
///
/// Settled and provisional hours, newest first, each with the longer windows that end with it.
#[utoipa::path(
    get, path = "/v1/windows", tag = "windows",
    params(WindowsQuery),
    responses((status = 200, description = "A page.", body = Page<WindowSummary>), Problems),
)]
pub async fn windows(
    Given(state): Given<State>,
    Query(query): Query<WindowsQuery>,
) -> Result<Answer<Page<WindowSummary>>, Problem> {
    let network = state.network(query.network);
    let (sheet, page) = Sheet::of("windows", network, &(), query.cursor.as_deref(), query.limit)?;
    let now = state.now();
    let paged = state.read(move |sources| {
        let Paged { next, rows } =
            sources.warehouse.windows(network, &page).map_err(Problem::warehouse)?;
        let mut items = Vec::with_capacity(rows.len());
        for row in rows {
            let mut reasons = Reasons::default();
            let revisions = match row.latest {
                Some(_) => sources.warehouse.revisions(network, row.hour),
                None => Ok(Vec::new()),
            };
            let revisions = revisions.map_err(Problem::warehouse)?;
            let latest = row.latest.map(Revision::from);
            items.push(WindowSummary {
                window: row.hour,
                state: WindowState::of(row.hour, now, latest.is_some()),
                jobs: row.jobs,
                updated_ms: row.updated_ms,
                latest: reasons.explain("latest", latest, || "it has not settled".to_owned()),
                revisions: revisions.into_iter().map(Revision::from).collect(),
                spans: row.spans.into_iter().map(LongWindow::from).collect(),
                reasons,
            });
        }
        Ok((items, next))
    });
    let (items, next) = paged.await?;
    Ok(Answer::for_ms(A_SECOND_MS, sheet.answer(items, next)))
}
