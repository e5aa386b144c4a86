//! Who is preferred in a turn: an order that changes with every turn, that nobody can choose, and that lets everybody come
//! first.
//!
//! An order is decided by a hash of a number and an address. A newcomer's place is not drawn anew each time, or the unlucky would
//! wait without end: within a cycle each party has exactly one place in a row that is hashed once.

use std::collections::BTreeMap;

use events::identity::{Address, Digest, ServiceUrl};
use serde::{Deserialize, Serialize};

/// The number of a turn: how many of the policy's length had passed since 1970 when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Turn(pub u64);

/// Where one stands in an order drawn for `number`: SHA-256 over `naap/route/turn/1`, a zero byte, the number in eight
/// bytes, the 20 bytes of the address and the text of the URL.
pub fn lot(number: u64, address: Address, url: Option<&ServiceUrl>) -> Digest {
    let url = url.map_or("", ServiceUrl::as_str);
    Digest::of(&[b"naap/route/turn/1\0", &number.to_be_bytes(), &address.0, url.as_bytes()])
}

/// Which of the waiting have a place in a turn: one of each party, `places` parties at a time.
///
/// With `n` parties a cycle has `n / places` turns, rounded up. In each cycle every party has one place; its members
/// take it from cycle to cycle. While nobody comes or goes, a party waits less than two cycles, and each of its `m` members
/// less than `m` plus one.
pub fn placed<M: Copy + Ord>(
    waiting: &BTreeMap<Address, Vec<M>>,
    places: u64,
    turn: Turn,
) -> Vec<M> {
    let parties = u64::try_from(waiting.len()).unwrap_or(u64::MAX);
    if places == 0 || parties == 0 {
        return Vec::new();
    }
    let rounds = parties.div_ceil(places);
    let (cycle, round) = (turn.0 / rounds, turn.0 % rounds);
    let mut row: Vec<_> = waiting.iter().collect();
    row.sort_by_cached_key(|(party, _)| lot(cycle, **party, None));
    // The last round of a cycle goes on from the beginning of the row, so that no place stays empty.
    let from = usize::try_from(round * places).unwrap_or(usize::MAX);
    let many = usize::try_from(places.min(parties)).unwrap_or(usize::MAX);
    let chosen = row.iter().cycle().skip(from).take(many);
    let members = chosen.filter_map(|(_, members)| {
        let mut members = (*members).clone();
        members.sort_unstable();
        let count = u64::try_from(members.len()).ok()?;
        let at = usize::try_from(cycle.checked_rem(count)?).ok()?;
        members.get(at).copied()
    });
    members.collect()
}
