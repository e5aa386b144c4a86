//! The latest scores, as the peer shows them. They are the scorecards' own; nothing is scored here.

use std::collections::BTreeMap;

use events::event::{Network, Workload};
use events::identity::Address;
use events::unit::Ppm;
use sla::window::{Span, Window};
use warehouse::page::{Cursor, Page};
use warehouse::view::ScoreFilter;

use super::moment::Moment;
use crate::problem::Problem;
use crate::state::Sources;

/// How many of the newest hours are searched for a settled one: two days.
const HOURS_SEARCHED: usize = 48;

/// The most pages of results that are read for one answer.
const PAGES_MAX: usize = 16;

/// The scores of a window by operator and workload.
#[derive(Debug, Default)]
pub struct Scores {
    by_operator: BTreeMap<Address, BTreeMap<Workload, Ppm>>,
    window: Option<Window>,
}

impl Scores {
    /// The scores of the day that ends with the newest hour that has one, else of the newest settled hour.
    pub fn latest(sources: &Sources, network: Network) -> Result<Self, Problem> {
        let newest = sources.warehouse.windows(network, &Page::first(HOURS_SEARCHED));
        let newest = newest.map_err(Problem::warehouse)?.rows;
        let mut days = newest.iter().flat_map(|row| &row.spans).map(|span| span.window);
        let mut hours = newest.iter().filter(|row| row.latest.is_some());
        let day = days.find(|window| window.span == Span::Day);
        let Some(window) = day.or_else(|| hours.next().map(|row| Window::hour(row.hour))) else {
            return Ok(Self::default());
        };
        let filter = ScoreFilter { overall: Some(true), ..ScoreFilter::default() };
        let mut by_operator: BTreeMap<Address, BTreeMap<Workload, Ppm>> = BTreeMap::new();
        each(sources, network, window, &filter, |scored| {
            let Some(operator) = scored.operator else { return };
            let scores = by_operator.entry(operator).or_default();
            for of in scored.workloads {
                scores.extend(of.score.map(|score| (of.workload, score)));
            }
        })?;
        Ok(Self { by_operator, window: Some(window) })
    }

    /// When their window begins; none where nothing has settled.
    pub fn begin(&self) -> Option<Moment> {
        self.window?.hours().min().map(|hour| Moment(hour.start()))
    }

    /// The score of an operator's work of one kind; none where there is too little evidence.
    pub fn of(&self, operator: Address, workload: Workload) -> Option<Ppm> {
        self.by_operator.get(&operator)?.get(&workload).copied()
    }
}

/// Reads every result of a window; a problem where there are more than an answer can rest on, since a part of them would
/// pass for all.
pub fn each(
    sources: &Sources,
    network: Network,
    window: Window,
    filter: &ScoreFilter,
    mut read: impl FnMut(sla::scorecard::Scored),
) -> Result<(), Problem> {
    let mut after: Option<Cursor> = None;
    for _ in 0..PAGES_MAX {
        let page = Page { after: after.take(), limit: warehouse::page::ROWS_MAX };
        let paged = sources.warehouse.scores(network, window, filter, &page);
        let paged = paged.map_err(Problem::warehouse)?;
        paged.rows.into_iter().for_each(|row| read(row.scored));
        after = paged.next;
        if after.is_none() {
            return Ok(());
        }
    }
    let instead = "GET /v1/scores gives them page by page.";
    Err(Problem::too_many("results in the window", PAGES_MAX * warehouse::page::ROWS_MAX, instead))
}
