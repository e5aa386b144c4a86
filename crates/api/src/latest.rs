//! The newest window of each length, read once: its results without what stands behind them. It is a copy of what the
//! warehouse keeps, held until a newer window is made, and never longer.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use events::event::Network;
use events::identity::Digest;
use serde::{Deserialize, Deserializer, de};
use sla::scorecard::{Scorecard, Scored};
use sla::window::{Hour, Span, Window};
use warehouse::Reader;

use crate::problem::Problem;

/// Reads the length of a window, where only some lengths are offered.
pub fn span_among<'de, D: Deserializer<'de>>(
    offered: &[Span],
    deserializer: D,
) -> Result<Span, D::Error> {
    let text = String::deserialize(deserializer)?;
    let span = text.parse().ok().filter(|span| offered.contains(span));
    span.ok_or_else(|| {
        let words: Vec<&str> = offered.iter().map(|span| span.as_str()).collect();
        de::Error::custom(format_args!("not one of {}", words.join(", ")))
    })
}

/// A window and its results.
#[derive(Debug)]
pub struct Results {
    digest: Digest,
    /// The results, without their evidence.
    pub scored: Vec<Scored>,
    /// The window.
    pub window: Window,
}

/// The newest windows that were asked for: at most one a network and length.
#[derive(Debug, Default)]
pub struct Latest(Mutex<BTreeMap<(Network, Span), Arc<Results>>>);

impl Latest {
    /// The newest window of a length; none before one is made.
    pub fn of(
        &self,
        reader: &dyn Reader,
        network: Network,
        span: Span,
    ) -> Result<Option<Arc<Results>>, Problem> {
        let newest = reader.spans(network, span, Hour(0)..=Hour(u64::MAX), 1);
        let Some(newest) = newest.map_err(Problem::warehouse)?.pop() else { return Ok(None) };
        // Whoever asks meanwhile waits: reading it twice would take longer.
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(results) = known.get(&(network, span))
            && results.digest == newest.digest
            && results.window == newest.window
        {
            return Ok(Some(Arc::clone(results)));
        }
        let record = reader.window_record(network, newest.window).map_err(Problem::warehouse)?;
        let Some(record) = record else { return Ok(None) };
        let card: Scorecard = serde_json::from_slice(&record.scorecard_bytes)
            .map_err(|error| Problem::source("scorecard", &error))?;
        let scored = card.results.into_iter().map(bare).collect();
        let results = Results { digest: newest.digest, scored, window: newest.window };
        let results = Arc::new(results);
        known.insert((network, span), Arc::clone(&results));
        Ok(Some(results))
    }
}

/// A result without what only its explanation needs.
fn bare(mut scored: Scored) -> Scored {
    scored.components = Vec::new();
    scored.indicators = Vec::new();
    scored.sources = Vec::new();
    scored.urls = Vec::new();
    for workload in &mut scored.workloads {
        workload.components = Vec::new();
    }
    scored
}
