//! Finding the window that a request means and its scorecard, and paging through a list that it holds. It computes none.

use events::event::Network;
use events::identity::Address;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sla::scorecard::Scorecard;
use sla::window::{Span, Window};
use utoipa::IntoParams;
use warehouse::view::ScorecardView;

use crate::cursor::List;
use crate::problem::{Code, Problem};
use crate::query::Limit;
use crate::schema;
use crate::state::{Sources, State};

/// Of which window, and whose.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct WindowQuery {
    /// `next` of the previous page, unchanged.
    #[param(value_type = String, required = false)]
    cursor: Option<String>,
    /// The maximum number of items on the page, 1 to 500; 50 if not given.
    #[param(value_type = u16, required = false, minimum = 1, maximum = 500)]
    limit: Option<Limit>,
    /// The network; the instance's own if none is named.
    #[param(inline, value_type = schema::Network, required = false)]
    network: Option<Network>,
    /// Only what names this address: 0x and 40 lower-case hex digits.
    #[param(inline, value_type = schema::Address, required = false)]
    operator: Option<Address>,
    /// The window, such as `2026-01-08T21Z/7d`; if none is named, the newest seven-day window, or else the newest of
    /// any length.
    #[param(inline, value_type = schema::Window, required = false)]
    window: Option<Window>,
}

/// One page of a list that the scorecard of a window holds.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WindowPage<T> {
    /// The items.
    items: Vec<T>,
    /// The maximum number of items on this page.
    #[schema(minimum = 1, maximum = 500)]
    limit: u16,
    /// The network.
    #[schema(value_type = schema::Network)]
    network: Network,
    /// The cursor of the next page; null on the last.
    next: Option<String>,
    /// The window.
    #[schema(value_type = schema::Window)]
    window: Window,
}

/// A list that a scorecard holds.
pub struct Listed<R, K, T> {
    /// How a row is shown; nothing where it says nothing.
    pub item: fn(&R) -> Option<T>,
    /// Its rows, by their keys.
    pub rows: fn(&Scorecard) -> &[R],
    /// Where a row stands.
    pub key: fn(&R) -> K,
    /// Whether a row names an address.
    pub names: fn(&R, Address) -> bool,
}

/// The page asked for of the list called `name`. The pages of "the newest window" are all of the window that was the
/// newest when the first was asked for.
pub async fn page<R, K, T>(
    state: &State,
    name: &'static str,
    query: WindowQuery,
    listed: Listed<R, K, T>,
) -> Result<WindowPage<T>, Problem>
where
    K: DeserializeOwned + Serialize + Ord,
{
    let WindowQuery { cursor, limit, network, operator, window } = query;
    let (network, limit) = (state.network(network), limit.unwrap_or(Limit::DEFAULT));
    let list = List::new(name, &(network, operator, window));
    let after: Option<(Window, K)> = cursor.map(|cursor| list.key(&cursor)).transpose()?;
    let asked = after.as_ref().map(|(window, _)| *window).or(window);
    let card = state.read(move |sources| scorecard(sources, network, asked)).await?.scorecard;
    let mut rows = (listed.rows)(&card).iter().filter(|row| {
        let is_asked = operator.is_none_or(|operator| (listed.names)(row, operator));
        is_asked && after.as_ref().is_none_or(|(_, after)| (listed.key)(row) > *after)
    });
    let items: Vec<&R> = rows.by_ref().take(limit.count()).collect();
    let last = if rows.next().is_some() { items.last() } else { None };
    let next = last.map(|last| list.cursor(&(card.window, (listed.key)(last))));
    let items = items.into_iter().filter_map(listed.item).collect();
    Ok(WindowPage { items, limit: limit.0, network, next, window: card.window })
}

/// The scorecard of the window asked for; of the newest of seven days where none is, else the newest of a day or an hour.
pub fn scorecard(
    sources: &Sources,
    network: Network,
    asked: Option<Window>,
) -> Result<ScorecardView, Problem> {
    let window = match asked {
        Some(window) => window,
        None => newest(sources, network, &[Span::Week, Span::Day, Span::Hour])?,
    };
    let found = sources.warehouse.scorecard(network, window).map_err(Problem::warehouse)?;
    found.ok_or_else(|| {
        let detail = format!("there is no scorecard of {window} on {network}");
        Problem::absent(detail, "GET /v1/windows lists the windows there are.").about("window")
    })
}

/// The newest window of the first length that there is one of.
pub fn newest(sources: &Sources, network: Network, spans: &[Span]) -> Result<Window, Problem> {
    for span in spans {
        let newest = sources.warehouse.newest_window(network, *span);
        if let Some(window) = newest.map_err(Problem::warehouse)? {
            return Ok(window);
        }
    }
    let detail = format!("no window of {network} has settled yet");
    let instead = "Wait for the first hour to settle; GET /v1/windows shows when it has.";
    Err(Problem::new(Code::Unsettled, detail, instead).about("window"))
}
