//! Pages of sums: a question asked of the warehouse, and the part of the answer that a page holds. It knows no path.
//!
//! A cursor names the last row by time and names, and the time asked about, so that pages of "the last hour" go on with
//! the hour that the first of them was about.

use events::event::Network;
use events::unit::{Millis, UnixMillis};
use serde::{Deserialize, Serialize};
use sla::rollup::metric::Metric;
use sla::rollup::series::SeriesRow;
use sla::rollup::{Dimension, Minute};

use crate::cursor::{List, unusable};
use crate::problem::Problem;
use crate::query::Limit;
use crate::scope::{Scope, Step, Steps, Time, moment};
use crate::state::State;

/// How long it may take to walk through pages: so much later, what the first was asked about is still asked about.
const WALK: Millis = Millis(3_600_000);

/// Which page of which time. Each path describes these parameters in its own words.
pub struct Paging {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// The start of the time.
    pub from_ms: Option<UnixMillis>,
    /// Rows on the page.
    pub limit: Option<Limit>,
    /// The end of the time.
    pub to_ms: Option<UnixMillis>,
}

/// A page of rows.
pub struct SeriesPage {
    /// The most rows it could have.
    pub limit: u16,
    /// The network.
    pub network: Network,
    /// The cursor of the next page.
    pub next: Option<String>,
    /// The rows, by time and names.
    pub rows: Vec<SeriesRow>,
    /// The time it is about.
    pub steps: Steps,
}

/// The last row of a page, and the time that was asked about.
#[derive(Serialize, Deserialize)]
struct After {
    from: Minute,
    minute: Option<Minute>,
    names: Vec<Option<String>>,
    to: Minute,
}

impl After {
    /// The time that it names, where it is one that could have been asked for.
    fn steps(&self, step: Step, by: &[Dimension], now: UnixMillis) -> Result<Steps, Problem> {
        let foreign = || unusable("the cursor is not one of this list");
        let (from_ms, to_ms) = (moment(self.from), moment(self.to));
        let time = Time { from_ms: Some(from_ms), to_ms: Some(to_ms) };
        let steps = time.steps(step, now.minus(WALK)).map_err(|_| foreign())?;
        let is_whole = (steps.from, steps.to) == (self.from, self.to);
        let is_within = self.minute.is_none_or(|minute| (self.from..self.to).contains(&minute));
        let is_fitting = is_within && self.names.len() == by.len();
        (is_whole && is_fitting).then_some(steps).ok_or_else(foreign)
    }
}

/// Asks for a page of `list`: what `scope` says, told apart `by` these dimensions, a row for each step.
pub async fn page(
    state: &State,
    list: &'static str,
    by: &[Dimension],
    metrics: &[Metric],
    step: Step,
    scope: &Scope,
    paging: Paging,
) -> Result<SeriesPage, Problem> {
    let Paging { cursor, from_ms, limit, to_ms } = paging;
    let time = Time { from_ms, to_ms };
    let network = state.network(scope.network);
    let limit = limit.unwrap_or(Limit::DEFAULT);
    let list = List::new(list, &(network, scope, time, step, by, metrics));
    let after: Option<After> = cursor.as_deref().map(|cursor| list.key(cursor)).transpose()?;
    let steps = match &after {
        Some(after) => after.steps(step, by, state.now())?,
        None => time.steps(step, state.now())?,
    };
    let mut question = steps.question(scope, by.to_vec());
    metrics.iter().for_each(|metric| metric.ask(&mut question));
    // What lies before the cursor's step was told, and what lies behind the page nobody asks for yet.
    let begun = after.as_ref().and_then(|after| after.minute);
    question.span.start = question.span.start.max(begun.unwrap_or_default());
    question.rows_enough = Some(limit.count() + 1);
    let read = state.read(move |sources| {
        sources.warehouse.series(network, &question).map_err(Problem::warehouse)
    });
    let mut rows = read.await?;
    if let Some(after) = &after {
        rows.retain(|row| is_after(row, after));
    }
    let is_more = rows.len() > limit.count();
    rows.truncate(limit.count());
    let last = if is_more { rows.last() } else { None };
    let next = last.map(|row| {
        let names = row.names.iter().map(|name| name.as_deref().map(str::to_owned)).collect();
        list.cursor(&After { from: steps.from, minute: row.minute, names, to: steps.to })
    });
    Ok(SeriesPage { limit: limit.0, network, next, rows, steps })
}

fn is_after(row: &SeriesRow, after: &After) -> bool {
    let names = row.names.iter().map(Option::as_deref);
    let known = after.names.iter().map(Option::as_deref);
    row.minute.cmp(&after.minute).then_with(|| names.cmp(known)).is_gt()
}
