//! What was read and unpacked before, as far as there is room: the least lately used goes first. It reads nothing itself,
//! and whoever asks says of which stamp the answer must be, so nothing outdated is ever given.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use events::event::Network;
use sla::rollup::chunk::Chunk;
use sla::scorecard::Scorecard;
use sla::supply::Supply;
use sla::tested::Tested;
use sla::window::Window;

/// The most bytes that are kept, about: a month of a hundred orchestrators by the day and its last week by the hour.
const BYTES_MAX: usize = 96 << 20;

/// What something kept is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The sums of an hour.
    Hour(Network, u64),
    /// The sums of an hour by the minute.
    Minutes(Network, u64),
    /// The sums of a day.
    Day(Network, u64),
    /// What was offered in an hour.
    Offered(Network, u64),
    /// What was offered last, of the hours from the first to the second.
    Supply(Network, u64, u64),
    /// What tests gave that an hour tells of.
    Tested(Network, u64),
    /// The scorecard of a window.
    Window(Network, Window),
}

/// Something kept.
#[derive(Debug, Clone)]
pub enum Kept {
    /// Sums.
    Chunk(Arc<Chunk>),
    /// Offers.
    Supply(Arc<[Supply]>),
    /// Tests.
    Tested(Arc<[Tested]>),
    /// A scorecard.
    Scorecard(Arc<Scorecard>),
}

#[derive(Debug)]
struct Entry {
    bytes: usize,
    kept: Kept,
    stamp: i64,
    used: u64,
}

#[derive(Debug, Default)]
struct Shelf {
    bytes: usize,
    entries: BTreeMap<Key, Entry>,
    uses: u64,
}

/// The shelf that all readers of a home share.
#[derive(Debug, Default)]
pub struct Cache(Mutex<Shelf>);

impl Cache {
    /// What is kept of `key`, if it is of this stamp.
    pub fn get(&self, key: Key, stamp: i64) -> Option<Kept> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.uses += 1;
        let uses = shelf.uses;
        let entry = shelf.entries.get_mut(&key).filter(|entry| entry.stamp == stamp)?;
        entry.used = uses;
        Some(entry.kept.clone())
    }

    /// Keeps something of about `bytes` in memory.
    pub fn put(&self, key: Key, stamp: i64, kept: Kept, bytes: usize) {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.uses += 1;
        let entry = Entry { bytes, kept, stamp, used: shelf.uses };
        shelf.bytes += bytes;
        if let Some(before) = shelf.entries.insert(key, entry) {
            shelf.bytes -= before.bytes;
        }
        while shelf.bytes > BYTES_MAX {
            let oldest = shelf.entries.iter().min_by_key(|(_, entry)| entry.used);
            let Some(oldest) = oldest.map(|(key, _)| *key) else { break };
            if let Some(gone) = shelf.entries.remove(&oldest) {
                shelf.bytes -= gone.bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NETWORK: Network = Network::Simulation;

    fn chunk() -> Kept {
        Kept::Chunk(Arc::default())
    }

    #[test]
    fn what_is_kept_is_of_its_stamp_and_the_least_used_goes() {
        let cache = Cache::default();
        cache.put(Key::Hour(NETWORK, 1), 7, chunk(), BYTES_MAX / 2);
        assert!(cache.get(Key::Hour(NETWORK, 1), 8).is_none(), "outdated");
        cache.put(Key::Hour(NETWORK, 2), 7, chunk(), BYTES_MAX / 2);
        assert!(cache.get(Key::Hour(NETWORK, 1), 7).is_some());
        cache.put(Key::Hour(NETWORK, 3), 7, chunk(), BYTES_MAX / 2);
        assert!(cache.get(Key::Hour(NETWORK, 2), 7).is_none(), "used least");
        assert!(cache.get(Key::Hour(NETWORK, 1), 7).is_some());
        cache.put(Key::Hour(NETWORK, 1), 8, chunk(), 1);
        assert!(
            cache.get(Key::Hour(NETWORK, 3), 7).is_some(),
            "what takes its place frees its room"
        );
        cache.put(Key::Hour(NETWORK, 4), 7, chunk(), 2 * BYTES_MAX);
        assert!(cache.get(Key::Hour(NETWORK, 4), 7).is_none(), "too large");
    }
}
