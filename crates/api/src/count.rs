//! What the API counts of itself. Nothing here sees a query or an address.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::metrics::Exposition;

/// What others know that is exposed with the counters.
#[derive(Debug, Clone, Copy)]
pub struct Others {
    /// Requests that were answered by what was kept.
    pub kept: u64,
    /// Listeners of `/v1/events`.
    pub listeners: usize,
    /// Requests of clients that asked too often.
    pub paced: u64,
}

/// Answers by path and status, and what became of listeners.
#[derive(Debug, Default)]
pub struct Counters {
    answers: Mutex<BTreeMap<(String, u16), u64>>,
    cut_off: AtomicU64,
    panics: AtomicU64,
}

impl Counters {
    /// Counts an answer. The path is the route's pattern, or `none` for a path that there is not.
    pub fn answered(&self, path: &str, status: u16) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        *answers.entry((path.to_owned(), status)).or_default() += 1;
    }

    /// Counts a listener that was too slow.
    pub fn cut_off(&self) {
        self.cut_off.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a fault of ours.
    pub fn panicked(&self) {
        self.panics.fetch_add(1, Ordering::Relaxed);
    }

    /// Writes all counters.
    pub fn contribute(&self, exposition: &mut Exposition, others: &Others) {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for ((path, status), count) in &answers {
            let labels = [("path", path.as_str()), ("status", &status.to_string())];
            exposition.counter(
                "naap_api_answers_total",
                "Answers by path and HTTP status.",
                &labels,
                *count,
            );
        }
        let Others { kept, listeners, paced } = *others;
        let meaning = "Requests to the API that were answered by what was kept.";
        exposition.counter("naap_api_kept_answers_total", meaning, &[], kept);
        let listeners = u64::try_from(listeners).unwrap_or(u64::MAX);
        exposition.gauge("naap_api_listeners", "Listeners of /v1/events.", &[], listeners);
        let cut_off = self.cut_off.load(Ordering::Relaxed);
        let meaning = "Listeners of /v1/events that were too slow and cut off.";
        exposition.counter("naap_api_listeners_cut_off_total", meaning, &[], cut_off);
        let meaning = "Requests to the API of clients that asked too often.";
        exposition.counter("naap_api_paced_requests_total", meaning, &[], paced);
        let panics = self.panics.load(Ordering::Relaxed);
        let meaning = "Requests that failed by a fault of ours.";
        exposition.counter("naap_api_panics_total", meaning, &[], panics);
    }
}
