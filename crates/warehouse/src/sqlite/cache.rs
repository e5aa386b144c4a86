//! What was read and unpacked before, as far as there is room: the least lately used goes first. It reads nothing itself,
//! and whoever asks says of which stamp the answer must be, so nothing outdated is ever given.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use events::event::Network;
use sla::window::Window;

use crate::Error;
use crate::sqlite::rollups::{Grain, Part};

/// The most bytes that are kept, about: a month of a hundred orchestrators by the day and its last week by the hour.
const BYTES_MAX: usize = 96 << 20;

/// What something kept is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A part of the sums of an hour or a day.
    Rollup(Network, Grain, u64, Part),
    /// What was told of offers in an hour.
    Told(Network, u64),
    /// What is on offer, by the words of the hours from the first to the second.
    Supply(Network, u64, u64),
    /// What tests gave that an hour tells of.
    Tested(Network, u64),
    /// The scorecard of a window.
    Window(Network, Window),
}

/// Something kept: each kind of key has one type.
type Kept = Arc<dyn Any + Send + Sync>;

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
    /// What is kept of `key` if it is of this stamp, else what `make` gives with how many bytes of memory it takes, which
    /// is kept. Nothing is kept of nothing.
    pub fn get_or<T: Clone + Send + Sync + 'static>(
        &self,
        key: Key,
        stamp: i64,
        make: impl FnOnce() -> Result<Option<(usize, T)>, Error>,
    ) -> Result<Option<T>, Error> {
        if let Some(kept) = self.get(key, stamp).and_then(|kept| kept.downcast_ref::<T>().cloned())
        {
            return Ok(Some(kept));
        }
        let Some((bytes, made)) = make()? else { return Ok(None) };
        self.put(key, stamp, Arc::new(made.clone()), bytes);
        Ok(Some(made))
    }

    fn get(&self, key: Key, stamp: i64) -> Option<Kept> {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        shelf.uses += 1;
        let uses = shelf.uses;
        let entry = shelf.entries.get_mut(&key).filter(|entry| entry.stamp == stamp)?;
        entry.used = uses;
        Some(Arc::clone(&entry.kept))
    }

    fn put(&self, key: Key, stamp: i64, kept: Kept, bytes: usize) {
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

    fn hour(number: u64) -> Key {
        Key::Rollup(NETWORK, Grain::Hour, number, Part::Sums)
    }

    /// What is given for a key, and whether it had to be made.
    fn ask(cache: &Cache, key: Key, stamp: i64, bytes: usize) -> (Arc<str>, bool) {
        let mut is_made = false;
        let made = cache.get_or(key, stamp, || {
            is_made = true;
            Ok(Some((bytes, Arc::from(format!("{key:?} {stamp}")))))
        });
        (made.unwrap().unwrap(), is_made)
    }

    #[test]
    fn what_is_kept_is_of_its_stamp_and_the_least_used_goes() {
        let cache = Cache::default();
        let half = BYTES_MAX / 2;
        let (first, is_made) = ask(&cache, hour(1), 7, half);
        assert!(is_made && ask(&cache, hour(1), 7, half) == (first, false));
        assert!(ask(&cache, hour(2), 7, half).1);
        assert!(!ask(&cache, hour(1), 7, half).1);
        assert!(ask(&cache, hour(3), 7, half).1);
        assert!(ask(&cache, hour(2), 7, half).1, "used least, so it went");
        assert!(ask(&cache, hour(2), 8, half).1, "outdated");
        assert!(!ask(&cache, hour(2), 8, 1).1);
        assert!(ask(&cache, hour(4), 7, 2 * BYTES_MAX).1);
        assert!(ask(&cache, hour(4), 7, 1).1, "too large to be kept");
    }

    #[test]
    fn nothing_is_kept_of_nothing() {
        let cache = Cache::default();
        let none = cache.get_or(hour(1), 7, || Ok(None::<(usize, Arc<str>)>));
        assert_eq!(none.unwrap(), None);
        assert!(ask(&cache, hour(1), 7, 1).1);
    }
}
