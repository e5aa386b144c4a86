//! How often each client may call: a bucket for every address, bounded in number, for any router.
//! It never tells clients apart that come from one address, no address has to wait for ever, and it knows no path.

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

/// How much one client may ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Whether clients on this machine are bounded too.
    pub bounds_loopback: bool,
    /// Requests of the least cost at once, after a time without any.
    pub burst: u32,
    /// Requests of the least cost a second, in the long run; 0 for no bound.
    pub per_second: u32,
    /// Proxies whose word counts about who called them: the last entry of `X-Forwarded-For`.
    pub proxies: BTreeSet<IpAddr>,
}

/// The clients of a router.
///
/// The router's connections must carry [`ConnectInfo`]. Clients on this machine are not bounded, unless they are a proxy
/// that names somebody else, or the allowance says so. Of IPv6 a whole /64 is one client: [`client`].
#[derive(Debug)]
pub struct Visitors {
    allowance: Allowance,
    began: Instant,
    buckets: Mutex<Buckets>,
    turned_away: AtomicU64,
}

/// What a client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Purse {
    /// How much it may ask at once.
    pub left: u32,
    /// When it may ask a whole burst again.
    pub full_in: Duration,
}

/// A request that costs more than its client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// What it has left.
    pub purse: Purse,
    /// When it has enough for this request.
    pub wait: Duration,
}

#[derive(Debug, Default)]
struct Buckets {
    /// Of each address, when its bucket will be full again.
    full_at: BTreeMap<IpAddr, Duration>,
    swept_at: Duration,
}

impl Default for Visitors {
    /// Bounds nobody.
    fn default() -> Self {
        Self::new(Allowance::default())
    }
}

impl Visitors {
    /// Gives each client this allowance.
    #[must_use]
    pub fn new(allowance: Allowance) -> Self {
        let (buckets, turned_away) = (Mutex::default(), AtomicU64::new(0));
        Self { allowance, began: Instant::now(), buckets, turned_away }
    }

    /// How many requests were told to come back.
    #[must_use]
    pub fn turned_away(&self) -> u64 {
        self.turned_away.load(Ordering::Relaxed)
    }

    /// The most that a client may ask at once, and how long an empty bucket takes to fill; none without a bound.
    #[must_use]
    pub fn policy(&self) -> Option<Purse> {
        let each = self.each()?;
        let left = self.burst();
        Some(Purse { left, full_in: each.saturating_mul(left) })
    }

    /// Who asks, where that client is bounded; nobody where it is not.
    #[must_use]
    pub fn client(&self, extensions: &Extensions, headers: &HeaderMap) -> Option<IpAddr> {
        let ConnectInfo(from) = extensions.get::<ConnectInfo<SocketAddr>>()?;
        self.named(from.ip().to_canonical(), headers)
    }

    /// Lets a request of this cost pass and says what is left, nothing where its client is not bounded; or says when to
    /// come back. A cost above a whole burst is a whole burst, and one of 0 is free.
    pub fn admit(
        &self,
        extensions: &Extensions,
        headers: &HeaderMap,
        cost: u32,
    ) -> Result<Option<Purse>, Spent> {
        let Some(client) = self.client(extensions, headers) else { return Ok(None) };
        let taken = self.take(client, self.began.elapsed(), cost);
        if taken.is_err() {
            self.turned_away.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Whose bucket a request is taken from; nobody's on this machine.
    fn named(&self, from: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let named = || {
            let last = headers.get_all(FORWARDED).iter().next_back()?.to_str().ok()?;
            let last = last.rsplit(',').next()?.trim();
            let port = || last.parse::<SocketAddr>().map(|at| at.ip());
            Some(last.parse::<IpAddr>().or_else(|_| port()).ok()?.to_canonical())
        };
        let is_proxy = self.allowance.proxies.contains(&from);
        let asks = if is_proxy { named().unwrap_or(from) } else { from };
        (self.allowance.bounds_loopback || !asks.is_loopback()).then(|| client(asks))
    }

    /// Takes what a request costs out of a bucket, at a moment since the beginning.
    fn take(&self, client: IpAddr, now: Duration, cost: u32) -> Result<Option<Purse>, Spent> {
        let Some(each) = self.each() else { return Ok(None) };
        let (burst, mut buckets) =
            (self.burst(), self.buckets.lock().unwrap_or_else(PoisonError::into_inner));
        let client = buckets.named(client, now);
        let full_at = buckets.full_at.entry(client).or_default();
        let room_ends = now.saturating_add(each.saturating_mul(burst));
        let purse = |full_at: Duration| {
            let left = room_ends.saturating_sub(full_at).as_nanos().checked_div(each.as_nanos());
            let left = left.and_then(|left| u32::try_from(left).ok()).unwrap_or(burst);
            Purse { left: left.min(burst), full_in: full_at.saturating_sub(now) }
        };
        let before = (*full_at).max(now);
        let emptied = before.saturating_add(each.saturating_mul(cost.min(burst)));
        let wait = emptied.saturating_sub(room_ends);
        if !wait.is_zero() {
            return Err(Spent { purse: purse(before), wait });
        }
        *full_at = emptied;
        Ok(Some(purse(emptied)))
    }

    /// How long it takes until one more request of the least cost is allowed; nothing without a bound.
    fn each(&self) -> Option<Duration> {
        Duration::from_secs(1).checked_div(self.allowance.per_second)
    }

    fn burst(&self) -> u32 {
        self.allowance.burst.max(1)
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

/// The first of the addresses that are taken for one client: of IPv6 a whole /64, for that is what one customer has.
#[must_use]
pub fn client(address: IpAddr) -> IpAddr {
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
        Visitors::new(Allowance { burst, per_second, proxies, ..Allowance::default() })
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
        let take =
            |now| visitors.take(at("192.0.2.1"), ms(now), 1).map(drop).map_err(|spent| spent.wait);
        assert_eq!([take(0), take(0), take(0)], [Ok(()); 3]);
        assert_eq!(take(0), Err(ms(100)), "a tenth of a second fills one");
        assert_eq!(take(60), Err(ms(40)), "asking in vain costs nothing");
        assert_eq!([take(100), take(100)], [Ok(()), Err(ms(100))]);
        assert_eq!([take(9_000), take(9_000), take(9_000)], [Ok(()); 3]);
        assert_eq!(take(9_000), Err(ms(100)), "it holds no more than a burst");
        assert!(visitors.take(at("192.0.2.2"), ms(0), 1).is_ok(), "another's is another");
        let unbounded = self::visitors(0, 0);
        assert!((0..1_000).all(|_| unbounded.take(at("192.0.2.1"), ms(0), 1) == Ok(None)));
    }

    #[test]
    fn clients_are_told_apart_by_network_and_by_named_proxies_alone() {
        let visitors = visitors(1, 1);
        let client = |from: &str, said: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in said {
                headers.append(FORWARDED, value.parse().unwrap());
            }
            visitors.named(at(from), &headers)
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
        let wait = |number, now| {
            visitors.take(many(number), ms(now), 1).map(drop).map_err(|spent| spent.wait)
        };
        let most = u32::try_from(BUCKETS_MAX).unwrap();
        assert!((0..most + 2).all(|number| wait(number, 0).is_ok()));
        assert_eq!(wait(most + 2, 0), Err(ms(1_000)), "they share one");
        assert_eq!(wait(0, 0), Ok(()), "who came before has its own");
        assert!(visitors.buckets.lock().unwrap().full_at.len() <= BUCKETS_MAX + 1);
        assert_eq!(wait(most + 2, 2_000), Ok(()));
        assert_eq!(visitors.buckets.lock().unwrap().full_at.len(), 1, "full ones are forgotten");
    }

    #[test]
    fn what_costs_more_takes_more_and_no_request_is_for_ever_too_dear() {
        let visitors = visitors(10, 20);
        let take = |now, cost| visitors.take(at("192.0.2.1"), ms(now), cost);
        assert_eq!(visitors.policy(), Some(Purse { left: 20, full_in: ms(2_000) }));
        assert_eq!(take(0, 15), Ok(Some(Purse { left: 5, full_in: ms(1_500) })));
        let purse = Purse { left: 5, full_in: ms(1_500) };
        assert_eq!(take(0, 6), Err(Spent { purse, wait: ms(100) }));
        assert_eq!(take(0, 0), Ok(Some(purse)), "free");
        assert_eq!(take(9_000, 1_000), Ok(Some(Purse { left: 0, full_in: ms(2_000) })));
    }

    #[test]
    fn this_machine_is_bounded_where_that_is_asked_for() {
        let allowance =
            Allowance { burst: 1, per_second: 1, bounds_loopback: true, ..Allowance::default() };
        let visitors = Visitors::new(allowance);
        assert_eq!(visitors.named(at("127.0.0.1"), &HeaderMap::new()), Some(at("127.0.0.1")));
        assert_eq!(visitors.named(at("::1"), &HeaderMap::new()), Some(at("::")));
    }
}
