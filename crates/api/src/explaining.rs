//! Gathers why an operator's scores are what they are: its scorecard, its policy, and the jobs that moved it most.
//!
//! What any of it means is said by `sla`; here is only where it is found, and how much of it is looked at.

use events::event::Network;
use events::identity::Address;
use serde::Serialize;
use sla::explain::{Explanation, Moved, explain, moved};
use sla::policy::Policy;
use sla::scorecard::Scorecard;
use sla::window::{Hour, Span, Window};
use warehouse::page::{Page, Paged};
use warehouse::view::{JobFilter, JobRow};
use warehouse::{Error, Reader};

/// How many jobs are looked at: the newest of the window.
pub const JOBS_MAX: usize = 5_000;

/// How many of them are shown.
pub const MOVED_MAX: usize = 20;

/// How many of the newest hours are searched for a window.
const HOURS_SEARCHED: usize = 500;

/// How many are asked for at once.
const PAGE: usize = 500;

/// How long before a window a job may begin that still owes in it, in hours (`sla::hour::OPEN_MAX`).
const HOURS_BEFORE: u64 = 24;

/// An explanation with the jobs behind it.
#[derive(Debug, Clone, Serialize)]
pub struct Explained {
    /// Why the scores are what they are.
    pub explanation: Explanation,
    /// The jobs that cost it most, of those looked at.
    pub moved: Vec<Moved>,
    /// How many jobs were examined.
    pub looked_at: usize,
    /// Whether those were all.
    pub is_whole: bool,
}

/// Why nothing can be explained.
#[derive(Debug, thiserror::Error)]
pub enum Unexplained {
    /// The window has no scorecard.
    #[error("{0} has not settled")]
    Unsettled(Window),
    /// The scorecard does not name the operator.
    #[error("{window} says nothing of {operator}")]
    Absent {
        /// The operator.
        operator: Address,
        /// The window.
        window: Window,
    },
    /// What is kept cannot be used.
    #[error("{0}")]
    Unusable(String),
    /// The warehouse failed.
    #[error(transparent)]
    Warehouse(#[from] Error),
}

/// Why the scores of `operator` in `window` are what they are.
pub fn explained(
    warehouse: &dyn Reader,
    network: Network,
    window: Window,
    operator: Address,
) -> Result<Explained, Unexplained> {
    let card = scorecard(warehouse, network, window)?.ok_or(Unexplained::Unsettled(window))?;
    let policy = policy_of(warehouse, &card)?;
    let explanation =
        explain(&card, &policy, operator).ok_or(Unexplained::Absent { operator, window })?;
    let (mut found, looked_at, is_whole) = jobs(warehouse, network, window, operator, &policy)?;
    found.sort_by(|one, other| {
        let order = |it: &Moved| (it.first_ms, it.job_id);
        other.weight.cmp(&one.weight).then_with(|| order(other).cmp(&order(one)))
    });
    found.truncate(MOVED_MAX);
    Ok(Explained { explanation, moved: found, looked_at, is_whole })
}

/// The scorecard of a window at its latest revision.
pub fn scorecard(
    warehouse: &dyn Reader,
    network: Network,
    window: Window,
) -> Result<Option<Scorecard>, Unexplained> {
    let bytes = if window.span == Span::Hour {
        warehouse.hour_record(network, window.last, None)?.map(|view| view.scorecard_bytes)
    } else {
        warehouse.window_record(network, window)?.map(|view| view.scorecard_bytes)
    };
    let read = |bytes: Vec<u8>| {
        serde_json::from_slice(&bytes)
            .map_err(|error| Unexplained::Unusable(format!("the scorecard of {window}: {error}")))
    };
    bytes.map(read).transpose()
}

/// The window that is explained where none is named: the newest of seven days, else the newest settled hour.
pub fn newest(warehouse: &dyn Reader, network: Network) -> Result<Option<Window>, Error> {
    let rows = warehouse.windows(network, &Page::first(HOURS_SEARCHED))?.rows;
    let mut settled = rows.iter().filter(|row| row.latest.is_some());
    let newest = settled.next().map(|row| Window::hour(row.hour));
    let mut weeks =
        rows.iter().filter(|row| row.spans.iter().any(|it| it.window.span == Span::Week));
    Ok(weeks.next().map(|row| Window { last: row.hour, span: Span::Week }).or(newest))
}

/// The policy that made a scorecard.
fn policy_of(warehouse: &dyn Reader, card: &Scorecard) -> Result<Policy, Unexplained> {
    let unusable = |why: String| Unexplained::Unusable(format!("policy {}: {why}", card.policy.id));
    let bytes = warehouse
        .document(&card.policy.hash)?
        .ok_or_else(|| unusable("it was not kept".to_owned()))?;
    let text = String::from_utf8(bytes).map_err(|error| unusable(error.to_string()))?;
    Policy::parse(&text).map_err(|error| unusable(error.why))
}

/// The jobs of the window that cost the operator something, how many were looked at, and whether those were all.
fn jobs(
    warehouse: &dyn Reader,
    network: Network,
    window: Window,
    operator: Address,
    policy: &Policy,
) -> Result<(Vec<Moved>, usize, bool), Unexplained> {
    let first = window.hours().next().unwrap_or(window.last);
    let filter = JobFilter {
        from_ms: Some(Hour(first.0.saturating_sub(HOURS_BEFORE)).start()),
        operator: Some(operator),
        to_ms: Some(window.last.end()),
        ..JobFilter::default()
    };
    let holds = |row: &JobRow| first <= row.hour && row.hour <= window.last;
    let (mut found, mut looked_at, mut page) = (Vec::new(), 0, Page::first(PAGE));
    loop {
        let Paged { next, rows } = warehouse.jobs(network, &filter, &page)?;
        for row in &rows {
            // The list knows a job as its latest hour does; what it owed in others is asked for.
            let is_one_hour = holds(row) && Hour::of(row.fact.first_ms) == row.hour;
            let known = if is_one_hour {
                vec![row.clone()]
            } else {
                warehouse.job(network, row.fact.job_id)?
            };
            let facts = known.iter().filter(|row| holds(row));
            found.extend(facts.filter_map(|row| moved(&row.fact, policy, operator)));
        }
        looked_at += rows.len();
        match next {
            Some(next) if looked_at < JOBS_MAX => page = Page { after: Some(next), limit: PAGE },
            next => return Ok((found, looked_at, next.is_none())),
        }
    }
}
