//! Finding the window that a request means, and its scorecard. It computes none.

use events::event::Network;
use sla::window::{Span, Window};
use warehouse::view::ScorecardView;

use crate::problem::{Code, Problem};
use crate::state::Sources;

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
