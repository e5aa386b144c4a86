//! The peer's pages: rows, how they go on, and when they were made. A page goes on after the full key of the last row,
//! so nothing is lost at its edge and nothing comes twice, whatever is written meanwhile.

use std::cmp::Ordering;
use std::ops::Range;

use events::event::Network;
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use sla::rollup::Minute;
use sla::rollup::series::{Question, SeriesRow};
use warehouse::Reader;

use super::asked::{ListQuery, ROWS_DEFAULT, hours_of, minutes, span};
use super::moment::Moment;
use crate::cursor::{List, unusable};
use crate::guard::RequestId;
use crate::problem::Problem;

/// A page.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerPage)]
pub struct Listing<T> {
    /// The rows.
    data: Vec<T>,
    /// Where the next page is.
    pagination: Pagination,
    /// About the answer.
    meta: Meta,
}

/// Where the next page of a list is.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerPagination)]
pub struct Pagination {
    /// The cursor of the next page; null on the last.
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
    /// The maximum number of rows on this page.
    page_size: u16,
}

/// About an answer.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = PeerMeta)]
pub struct Meta {
    /// When the answer was computed.
    #[schema(value_type = String, format = DateTime)]
    generated_at: Moment,
    /// The id of the request, also in the header `x-request-id`.
    request_id: String,
}

/// A page as it was asked for.
pub struct Sheet {
    limit: u16,
    list: List,
    now: UnixMillis,
    /// The span asked for; a page that goes on keeps the one of the first.
    pub span: Range<UnixMillis>,
}

/// Where a page goes on: the span of the first page, and the key of the last row.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct After<K> {
    from_ms: u64,
    key: K,
    to_ms: u64,
}

impl Sheet {
    /// The page asked for of the list called `name`, and the key after which it begins.
    pub fn of<K: serde::de::DeserializeOwned>(
        name: &'static str,
        network: Network,
        query: &ListQuery,
        now: UnixMillis,
    ) -> Result<(Self, Option<K>), Problem> {
        let list = List::new(name, &(network, query.start, query.end));
        let after: Option<After<K>> =
            query.cursor.as_deref().map(|cursor| list.key(cursor)).transpose()?;
        let asked = span(query.start, query.end, now)?;
        let limit = query.limit.map_or(ROWS_DEFAULT, |limit| limit.0);
        let (span, key) = match after {
            None => (asked, None),
            Some(after) => {
                // A cursor is no secret, so what it says is checked like what a request says.
                let moment = |ms| Some(Moment(UnixMillis(ms)));
                (span(moment(after.from_ms), moment(after.to_ms), now)?, Some(after.key))
            }
        };
        Ok((Self { limit, list, now, span }, key))
    }

    /// How many rows to read: one more than the page has, which tells whether there is a next one.
    pub fn wanted(&self) -> usize {
        usize::from(self.limit) + 1
    }

    /// The page of these rows, which may be one more than it has.
    pub fn answer<R, T, K: Serialize>(
        &self,
        mut rows: Vec<R>,
        id: &RequestId,
        key: impl FnOnce(&R) -> K,
        row: impl FnMut(R) -> T,
    ) -> Listing<T> {
        let has_more = rows.len() > usize::from(self.limit);
        rows.truncate(usize::from(self.limit));
        let last = if has_more { rows.last().map(key) } else { None };
        self.page(rows.into_iter().map(row).collect(), last, id)
    }

    /// The page of these rows; `last` is the key after which more follow.
    pub fn page<T, K: Serialize>(
        &self,
        data: Vec<T>,
        last: Option<K>,
        id: &RequestId,
    ) -> Listing<T> {
        let (from_ms, to_ms) = (self.span.start.0, self.span.end.0);
        let next = last.map(|key| self.list.cursor(&After { from_ms, key, to_ms }));
        Listing {
            data,
            pagination: Pagination {
                has_more: next.is_some(),
                next_cursor: next,
                page_size: self.limit,
            },
            meta: Meta { generated_at: Moment(self.now), request_id: id.0.as_ref().to_owned() },
        }
    }
}

/// The key of a row of hourly sums: its minute and everything it names.
pub type HourKey = (Minute, Vec<Option<String>>);

/// The key of a row.
pub fn hour_key(row: &SeriesRow) -> HourKey {
    let names = row.names.iter().map(|name| name.as_deref().map(str::to_owned));
    (row.minute.unwrap_or_default(), names.collect())
}

/// The newest hour first, then by name.
fn order(one: &HourKey, other: &HourKey) -> Ordering {
    other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1))
}

/// The first rows of a sheet, newest hour first, hour by hour of `question`.
///
/// The hours are asked for in spans that double in length, so that a page costs what it shows.
pub fn newest_first(
    warehouse: &dyn Reader,
    network: Network,
    sheet: &Sheet,
    after: Option<&HourKey>,
    question: &Question,
    is_shown: impl Fn(&SeriesRow) -> bool,
) -> Result<Vec<SeriesRow>, Problem> {
    let hours = hours_of(&sheet.span);
    let fits = |(minute, names): &HourKey| {
        minute % 60 == 0 && hours.contains(&(minute / 60)) && names.len() == question.by.len()
    };
    if !after.is_none_or(fits) {
        return Err(unusable("the cursor is not one of this list"));
    }
    let last = after.map_or(hours.end, |after| hours.end.min((after.0 / 60).saturating_add(1)));
    let (mut end, mut length, mut rows) = (last, 1u64, Vec::new());
    while end > hours.start && rows.len() < sheet.wanted() {
        let start = end.saturating_sub(length).max(hours.start);
        let question =
            Question { span: minutes(&(start..end)), step_minutes: Some(60), ..question.clone() };
        let mut found = warehouse.series(network, &question).map_err(Problem::warehouse)?;
        found.retain(|row| {
            let is_after = after.is_none_or(|after| order(after, &hour_key(row)).is_lt());
            is_after && is_shown(row)
        });
        found.sort_by(|one, other| {
            let by_minute = other.minute.cmp(&one.minute);
            by_minute.then_with(|| one.names.cmp(&other.names))
        });
        rows.append(&mut found);
        (end, length) = (start, length.saturating_mul(2));
    }
    rows.truncate(sheet.wanted());
    Ok(rows)
}
