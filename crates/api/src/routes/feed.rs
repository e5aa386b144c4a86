//! `/v1/feed.json`: changes of scores as a JSON Feed 1.1, newest first. It reads an index that is built in the
//! background and compares nothing itself.

use std::sync::Arc;

use axum::Json;
use axum::extract::State as Given;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use events::event::Network;
use events::identity::Address;
use serde::{Deserialize, Deserializer, Serialize};
use sla::window::Span;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::changes::{Item, Place};
use crate::cursor::List;
use crate::feed::{FeedItem, entry};
use crate::latest::span_among;
use crate::problem::{Code, Problem, Problems};
use crate::query::{Limit, Query};
use crate::schema;
use crate::state::State;

/// What kind of document this is (JSON Feed 1.1).
const VERSION: &str = "https://jsonfeed.org/version/1.1";

/// The paths of this file.
pub fn paths() -> OpenApiRouter<State> {
    OpenApiRouter::default().routes(routes!(feed))
}

/// The lengths of windows whose changes are listed; each is made once an hour.
const SPANS: &[Span] = &[Span::Day, Span::Week];

fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    span_among(SPANS, deserializer).map(Some)
}

/// Which changes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct FeedQuery {
    /// The cursor from `next_url` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only changes of this operator: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    operator: Option<Address>,
    /// Only changes between windows of this length: `24h` or `7d`.
    #[serde(default, deserialize_with = "span")]
    #[param(value_type = String, required = false, pattern = "^(24h|7d)$", example = "24h")]
    window: Option<Span>,
}

/// Changes of scores, newest first: a JSON Feed 1.1.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ScoreFeed {
    /// The version of the format.
    version: &'static str,
    /// Its product name.
    title: String,
    /// What is in it.
    description: &'static str,
    /// The URL of the first page.
    feed_url: String,
    /// The URL of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_url: Option<String>,
    /// The changes.
    items: Vec<FeedItem>,
}

/// Changes of scores
///
/// How each new window of 24 hours or 7 days differs from the one before it: operators that appear or disappear,
/// changed grades, and scores that moved by at least the configured step. It goes back 30 days. Anyone can recompute
/// its items from the published scorecards, with the same ids.
#[utoipa::path(
    get, path = "/v1/feed.json", tag = "scores",
    params(FeedQuery),
    responses(
        (status = 200, description = "A page.", body = ScoreFeed, content_type = "application/feed+json"),
        Problems,
    ),
)]
pub async fn feed(
    Given(state): Given<State>,
    Query(query): Query<FeedQuery>,
) -> Result<Response, Problem> {
    let network = state.network(query.network);
    let FeedQuery { cursor, limit, operator, window, .. } = query;
    let limit = limit.unwrap_or(Limit::DEFAULT);
    let list = List::new("changes", &(network, operator, window));
    let before: Option<Place> = cursor.as_deref().map(|cursor| list.key(cursor)).transpose()?;
    let shown = state.private().changes.shown(network).ok_or_else(|| {
        let detail = "this instance has just started and is still comparing windows";
        Problem::new(Code::Busy, detail, "Send the request again after a few seconds.")
    })?;
    let hours = window.map(Span::hours);
    let passes = |item: &&Arc<Item>| {
        operator.is_none_or(|it| it == item.place.operator)
            && hours.is_none_or(|it| it == item.place.hours)
    };
    let mut found = shown.before(before.as_ref()).iter().rev().filter(passes);
    let items: Vec<&Arc<Item>> = found.by_ref().take(limit.count()).collect();
    let has_more = found.next().is_some();
    let base = state.private().base();
    let feed_url = address(base, network, operator, window, limit);
    let next = items.last().filter(|_| has_more).map(|item| list.cursor(&item.place));
    let answer = ScoreFeed {
        version: VERSION,
        title: format!("Changes of scores on {network}"),
        description: "What each newly made window shows that the one before it did not.",
        next_url: next.map(|cursor| format!("{feed_url}&cursor={cursor}")),
        feed_url,
        items: items.into_iter().map(|item| entry(item, base)).collect(),
    };
    let headers = [(CONTENT_TYPE, "application/feed+json"), (CACHE_CONTROL, "public, max-age=60")];
    Ok((headers, Json(answer)).into_response())
}

/// Where this feed's first page is.
fn address(
    base: &str,
    network: Network,
    operator: Option<Address>,
    window: Option<Span>,
    limit: Limit,
) -> String {
    let mut url = format!("{base}/v1/feed.json?network={network}&limit={}", limit.0);
    if let Some(operator) = operator {
        url.push_str(&format!("&operator={operator}"));
    }
    if let Some(span) = window {
        url.push_str(&format!("&window={span}"));
    }
    url
}
