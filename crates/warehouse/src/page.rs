//! How long lists are walked: a page after another, each going on after the full key of the last row.
//!
//! A cursor is opaque outside: text that an API hands out and takes back. It never names a row by its number, so what
//! is written meanwhile shifts nothing.

use std::fmt;
use std::str::FromStr;

use events::identity::{Address, Invalid, JobId, PublisherKey};
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};
use sla::tally::cell::WorkClass;
use sla::window::Hour;

/// The most rows a page holds; a larger limit is taken as this.
pub const ROWS_MAX: usize = 1000;

/// Which part of a list is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// After which row; none from the start.
    pub after: Option<Cursor>,
    /// At most how many rows.
    pub limit: usize,
}

impl Page {
    /// The first page.
    pub fn first(limit: usize) -> Self {
        Self { after: None, limit }
    }

    /// The rows a page may hold: the limit, at least one and at most [`ROWS_MAX`].
    pub fn rows(&self) -> usize {
        self.limit.clamp(1, ROWS_MAX)
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<R> {
    /// Where to go on; none at the end.
    pub next: Option<Cursor>,
    /// The rows.
    pub rows: Vec<R>,
}

impl<R> Paged<R> {
    /// The page of `rows`, which were read with one more than `limit`: that one tells whether there is a next page.
    pub fn cut(mut rows: Vec<R>, limit: usize, cursor: impl FnOnce(&R) -> Cursor) -> Self {
        let is_more = rows.len() > limit;
        rows.truncate(limit);
        let next = if is_more { rows.last().map(cursor) } else { None };
        Self { next, rows }
    }
}

/// Whom a list of results or orchestrators names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Party {
    /// An operator.
    Operator(Address),
    /// Somebody known by the signer alone.
    Signer(Address),
    /// Somebody known by neither.
    Nameless,
}

/// The full key of a row of one list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// In the list of windows.
    Window(Hour),
    /// In a list of jobs.
    Job(UnixMillis, JobId),
    /// In a list of results.
    Score(Party, Option<WorkClass>),
    /// In the list of orchestrators.
    Orchestrator(Party),
    /// In the list of publishers: key and epoch.
    Publisher(PublisherKey, u64),
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = serde_json::to_vec(self).map_err(|_| fmt::Error)?;
        f.write_str(&hex::encode(bytes))
    }
}

impl FromStr for Cursor {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bytes = hex::decode(text).ok();
        bytes
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(|cursor: &Self| cursor.to_string() == text)
            .ok_or_else(|| Invalid::unknown_word("cursor", text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back_as_they_went_out() {
        let class = WorkClass {
            model: Some("modèle/x".parse().unwrap()),
            pipeline: None,
            workload: events::event::Workload::Llm,
        };
        for cursor in [
            Cursor::Window(Hour(491_085)),
            Cursor::Job(UnixMillis((1 << 53) - 1), JobId([255; 16])),
            Cursor::Score(Party::Operator(Address([1; 20])), Some(class)),
            Cursor::Score(Party::Nameless, None),
            Cursor::Orchestrator(Party::Signer(Address([2; 20]))),
            Cursor::Publisher(PublisherKey([3; 32]), u64::MAX),
        ] {
            assert_eq!(cursor.to_string().parse::<Cursor>().unwrap(), cursor);
        }
    }

    #[test]
    fn other_text_is_no_cursor() {
        for bad in ["", "7b", "zz", "{}", "7B7D", "7b226a223a317d"] {
            assert!(bad.parse::<Cursor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_is_bounded() {
        assert_eq!(Page::first(0).rows(), 1);
        assert_eq!(Page::first(usize::MAX).rows(), ROWS_MAX);
    }
}
