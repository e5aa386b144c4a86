//! Who is connected how often. It lets in or not, and never ends a connection.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::serve::Options;

/// The clients that are connected: never more of them than connections.
#[derive(Debug)]
pub struct Guests {
    bounds_loopback: bool,
    each: usize,
    present: Mutex<BTreeMap<IpAddr, usize>>,
    proxies: BTreeSet<IpAddr>,
}

/// A connection that was let in. Dropping it makes room for another of its client's.
#[derive(Debug)]
pub struct Guest {
    /// Whose it is, where that is bounded.
    client: Option<IpAddr>,
    guests: Arc<Guests>,
}

impl Guests {
    /// Nobody is there yet.
    pub fn new(options: &Options) -> Self {
        Self {
            bounds_loopback: options.bounds_loopback,
            each: options.connections_per_client.max(1),
            present: Mutex::default(),
            proxies: options.proxies.clone(),
        }
    }

    /// Lets in a connection from this address, unless its client has as many as it may.
    pub fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Guest> {
        let from = from.to_canonical();
        let is_free = self.proxies.contains(&from) || (from.is_loopback() && !self.bounds_loopback);
        let client = (!is_free).then(|| pace::client(from));
        if let Some(client) = client {
            let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
            let count = present.entry(client).or_default();
            if *count >= self.each {
                return None;
            }
            *count += 1;
        }
        Some(Guest { client, guests: Arc::clone(self) })
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let Some(client) = self.client else { return };
        let mut present = self.guests.present.lock().unwrap_or_else(PoisonError::into_inner);
        match present.get_mut(&client) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(present.remove(&client)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_client_has_its_share_and_gives_it_back() {
        let proxies = [at("192.0.2.7")].into();
        let options = Options { connections_per_client: 2, proxies, ..Options::default() };
        let guests = Arc::new(Guests::new(&options));
        let held: Vec<_> = ["2001:db8::1", "2001:db8::2"].map(|from| guests.admit(at(from))).into();
        assert!(held.iter().all(Option::is_some));
        assert!(guests.admit(at("2001:db8::3")).is_none(), "one /64 is one client");
        assert!(guests.admit(at("2001:db8:1::3")).is_some());
        drop(held);
        assert!(guests.admit(at("2001:db8::3")).is_some());
        assert!(guests.present.lock().unwrap().is_empty(), "nothing is left of those who went");
        for free in ["192.0.2.7", "127.0.0.1", "::ffff:127.0.0.1"] {
            let many: Vec<_> = (0..5).map(|_| guests.admit(at(free))).collect();
            assert!(many.iter().all(Option::is_some), "{free}");
        }
    }
}
