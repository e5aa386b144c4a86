//! How often each client may call: a bucket of requests for every address, bounded in number.
//! It never tells clients apart that come from one address, and no address has to wait for ever.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::{Extensions, HeaderMap};
use tokio::time::Instant;

/// Most addresses that have a bucket of their own at once; further ones share one.
const BUCKETS_MAX: usize = 65_536;

/// How often it is looked for buckets that are full again, and so as good as none.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// The header by which a proxy says who called it.
const FORWARDED: &str = "x-forwarded-for";

/// How much one address may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Requests at once, after a time without any.
    pub burst: u32,
    /// Requests a second, in the long run; 0 for no bound.
    pub per_second: u32,
    /// Proxies whose word counts about who called them: the last entry of `X-Forwarded-For`.
    pub proxies: BTreeSet<IpAddr>,
}

/// The clients of a router.
///
/// The router's connections must carry [`ConnectInfo`]. Clients on this machine are not bounded, unless they are a proxy
/// that names somebody else. Of IPv6 a whole /64 is one client, for that is what one customer has.
#[derive(Debug)]
pub struct Visitors {
    began: Instant,
    buckets: Mutex<Buckets>,
    pace: Pace,
    turned_away: AtomicU64,
}

#[derive(Debug, Default)]
struct Buckets {
    /// Of each address, when its bucket will be full again.
    full_at: BTreeMap<IpAddr, Duration>,
    swept_at: Duration,
}

impl Visitors {
    /// Bounds each address to `pace`.
    #[must_use]
    pub fn new(pace: Pace) -> Self {
        Self {
            began: Instant::now(),
            buckets: Mutex::default(),
            pace,
            turned_away: AtomicU64::new(0),
        }
    }

    /// How many requests were told to come back.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// Lets a request pass, or says when to come back.
    pub(super) fn admit(
        &self,
        extensions: &Extensions,
        headers: &HeaderMap,
    ) -> Result<(), Duration> {
        let Some(ConnectInfo(from)) = extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Ok(());
        };
        let Some(client) = self.client(from.ip().to_canonical(), headers) else { return Ok(()) };
        let taken = self.take(client, self.began.elapsed());
        if taken.is_err() {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Whose bucket a request is taken from; nobody's on this machine.
    fn client(&self, from: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let named = || {
            let last = headers.get_all(FORWARDED).iter().next_back()?.to_str().ok()?;
            let last = last.rsplit(',').next()?.trim();
            let port = || last.parse::<SocketAddr>().map(|at| at.ip());
            Some(last.parse::<IpAddr>().or_else(|_| port()).ok()?.to_canonical())
        };
        let is_proxy = self.pace.proxies.contains(&from);
        let client = if is_proxy { named().unwrap_or(from) } else { from };
        (!client.is_loopback()).then(|| network(client))
    }

    /// Takes one request out of a bucket, at a moment since the beginning.
    fn take(&self, client: IpAddr, now: Duration) -> Result<(), Duration> {
        let Some(each) = Duration::from_secs(1).checked_div(self.pace.per_second) else {
            return Ok(());
        };
        let room = each.saturating_mul(self.pace.burst.max(1));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let client = buckets.named(client, now);
        let full_at = buckets.full_at.entry(client).or_default();
        let emptied = (*full_at).max(now).saturating_add(each);
        let wait = emptied.saturating_sub(now.saturating_add(room));
        if !wait.is_zero() {
            return Err(wait);
        }
        *full_at = emptied;
        Ok(())
    }
}

impl Buckets {
    /// The name of a client's bucket: its own where there is one or room for one, else the one that many share.
    fn named(&mut self, client: IpAddr, now: Duration) -> IpAddr {
        if self.full_at.len() < BUCKETS_MAX || self.full_at.contains_key(&client) {
            return client;
        }
        if now.saturating_sub(self.swept_at) >= SWEEP_EVERY {
            self.swept_at = now;
            self.full_at.retain(|_, full_at| *full_at > now);
        }
        let is_room = self.full_at.len() < BUCKETS_MAX;
        if is_room { client } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) }
    }
}

/// The addresses that are taken for one client.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6((u128::from(address) & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn visitors(per_second: u32, burst: u32) -> Visitors {
        let proxies = BTreeSet::from(["127.0.0.1".parse().unwrap()]);
        Visitors::new(Pace { burst, per_second, proxies })
    }

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    #[test]
    fn a_bucket_empties_by_bursts_and_fills_with_time() {
        let visitors = visitors(10, 3);
        let take = |now| visitors.take(at("192.0.2.1"), ms(now));
        assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
        assert_eq!(take(0), Err(ms(100)), "a tenth of a second fills one");
        assert_eq!(take(60), Err(ms(40)), "asking in vain costs nothing");
        assert_eq!([take(100), take(100)], [Ok(()), Err(ms(100))]);
        assert_eq!([take(9_000), take(9_000), take(9_000)], [Ok(()); 3]);
        assert_eq!(take(9_000), Err(ms(100)), "it holds no more than a burst");
        assert_eq!(visitors.take(at("192.0.2.2"), ms(0)), Ok(()), "another's is another");
        let unbounded = self::visitors(0, 0);
        assert!((0..1_000).all(|_| unbounded.take(at("192.0.2.1"), ms(0)).is_ok()));
    }

    #[test]
    fn clients_are_told_apart_by_network_and_by_named_proxies_alone() {
        let visitors = visitors(1, 1);
        let client = |from: &str, said: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in said {
                headers.append(FORWARDED, value.parse().unwrap());
            }
            visitors.client(at(from), &headers)
        };
        let one = client("2001:db8:1:2:aaaa::1", &[]);
        assert_eq!(one, client("2001:db8:1:2:bbbb::9", &[]));
        assert_ne!(one, client("2001:db8:1:3:aaaa::1", &[]));
        assert_ne!(client("192.0.2.1", &[]), client("192.0.2.2", &[]));
        assert_eq!(client("127.0.0.1", &[]), None);
        assert_eq!(client("::1", &[]), None);
        assert_eq!(client("192.0.2.1", &["192.0.2.9"]), Some(at("192.0.2.1")), "no proxy of ours");
        assert_eq!(client("127.0.0.1", &["203.0.113.7, 192.0.2.9"]), Some(at("192.0.2.9")));
        assert_eq!(client("127.0.0.1", &["203.0.113.7", "192.0.2.9:4711"]), Some(at("192.0.2.9")));
        assert_eq!(client("127.0.0.1", &["::ffff:192.0.2.9"]), Some(at("192.0.2.9")));
        assert_eq!(client("127.0.0.1", &["unknown"]), None);
    }

    #[test]
    fn buckets_are_bounded_and_full_ones_make_room() {
        let visitors = visitors(1, 2);
        let many = |number: u32| IpAddr::V4((0x0a00_0000 + number).into());
        let most = u32::try_from(BUCKETS_MAX).unwrap();
        assert!((0..most + 2).all(|number| visitors.take(many(number), ms(0)).is_ok()));
        assert_eq!(visitors.take(many(most + 2), ms(0)), Err(ms(1_000)), "they share one");
        assert_eq!(visitors.take(many(0), ms(0)), Ok(()), "who came before has its own");
        assert!(visitors.buckets.lock().unwrap().full_at.len() <= BUCKETS_MAX + 1);
        assert_eq!(visitors.take(many(most + 2), ms(2_000)), Ok(()));
        assert_eq!(visitors.buckets.lock().unwrap().full_at.len(), 1, "full ones are forgotten");
    }
}
