//! Cursors: the full key of a page's last item, so that the next page begins right behind it whatever was written since.
//!
//! A cursor is base64url of JSON. It is opaque by contract: it names the list and the filters it belongs to and is
//! refused anywhere else. It is no secret and grants nothing.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use events::event::Network;
use events::identity::{Digest, Pseudonym};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use warehouse::page::Page;

use crate::answer;
use crate::problem::{Code, Problem};
use crate::query::Limit;

/// The list a cursor belongs to: its name and a stand-in for its filters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    name: &'static str,
    filter: Pseudonym,
}

#[derive(Serialize)]
struct Outgoing<'a, K> {
    after: &'a K,
    filter: Pseudonym,
    list: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Incoming<K> {
    after: K,
    filter: Pseudonym,
    list: String,
}

impl List {
    /// The list called `name` under `filter`, whose debug form tells filters apart.
    pub fn new(name: &'static str, filter: &impl std::fmt::Debug) -> Self {
        // Nothing is hidden here: the caller knows its own filters.
        Self { name, filter: Pseudonym::of(&Digest::ZERO, &format!("{filter:?}")) }
    }

    /// The cursor behind the item with this key.
    pub fn cursor<K: Serialize>(&self, after: &K) -> String {
        let outgoing = Outgoing { after, filter: self.filter, list: self.name };
        let json = serde_json::to_vec(&outgoing).expect("keys are text and integers");
        BASE64_URL_SAFE_NO_PAD.encode(json)
    }

    /// The part of a warehouse's list that a cursor of this list begins.
    pub fn page(&self, cursor: Option<&str>, limit: Limit) -> Result<Page, Problem> {
        let after = cursor.map(|cursor| self.key(cursor)).transpose()?;
        Ok(Page { after, limit: limit.count() })
    }

    /// The key a cursor of this list stands for.
    pub fn key<K: DeserializeOwned>(&self, cursor: &str) -> Result<K, Problem> {
        let json = BASE64_URL_SAFE_NO_PAD
            .decode(cursor)
            .map_err(|_| unusable("the cursor is not base64url"))?;
        let incoming: Incoming<K> = serde_json::from_slice(&json)
            .map_err(|_| unusable("the cursor is not one of this list"))?;
        if incoming.list != self.name {
            return Err(unusable("the cursor belongs to another list"));
        }
        if incoming.filter != self.filter {
            return Err(unusable("the cursor belongs to the same list with other filters"));
        }
        Ok(incoming.after)
    }
}

/// Refuses a cursor. It is no secret and anybody can write one, so whoever reads a key checks what it says.
pub fn unusable(why: &str) -> Problem {
    let instead = "Send `next` of the page before as it is, with the same filters, or no cursor.";
    Problem::new(Code::Cursor, why, instead).about("cursor")
}

/// One page of a list of one network, as it was asked for.
pub struct Sheet {
    limit: Limit,
    list: List,
    network: Network,
}

impl Sheet {
    /// The page that `cursor` begins of the list called `name`, and what a warehouse is asked for it.
    pub fn of(
        name: &'static str,
        network: Network,
        filter: &impl std::fmt::Debug,
        cursor: Option<&str>,
        limit: Option<Limit>,
    ) -> Result<(Self, Page), Problem> {
        let (limit, list) = (limit.unwrap_or(Limit::DEFAULT), List::new(name, &(network, filter)));
        let page = list.page(cursor, limit)?;
        Ok((Self { limit, list, network }, page))
    }

    /// The page with its items; `next` is the key of the last one, if more follow it.
    pub fn answer<T, K: Serialize>(&self, items: Vec<T>, next: Option<K>) -> answer::Page<T> {
        let next = next.map(|next| self.list.cursor(&next));
        answer::Page { items, limit: self.limit.0, network: self.network, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_fits_its_own_list_only() {
        let jobs = List::new("jobs", &("livepeer", 1));
        let cursor = jobs.cursor(&(7u64, "a"));
        assert_eq!(jobs.key::<(u64, String)>(&cursor).unwrap(), (7, "a".to_owned()));
        for other in [List::new("jobs", &("livepeer", 2)), List::new("windows", &("livepeer", 1))] {
            assert_eq!(other.key::<(u64, String)>(&cursor).unwrap_err().code, Code::Cursor);
        }
        for bad in ["", "!", "e30", "bnVsbA", &cursor[1..], &cursor[..cursor.len() - 4]] {
            assert_eq!(jobs.key::<(u64, String)>(bad).unwrap_err().code, Code::Cursor, "{bad}");
        }
    }
}
