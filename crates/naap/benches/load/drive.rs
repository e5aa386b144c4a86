//! Requests at a fixed rate over connections that stay open, each timed from when it was due.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::paths::Path;

/// What is asked how often.
pub struct Load<'a> {
    pub address: SocketAddr,
    pub paths: &'a [Path],
    pub rate: u64,
    pub seconds: u64,
}

/// How long the answers took, in milliseconds, ascending.
#[derive(Debug, Default)]
pub struct Outcome {
    pub all: Vec<f64>,
    pub by_path: BTreeMap<&'static str, Vec<f64>>,
    pub failures: BTreeMap<String, u64>,
}

/// The place in a list that a share of it is at.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
pub fn index(share: f64) -> usize {
    share.max(0.0) as usize
}

fn client() -> reqwest::Client {
    let client = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(256);
    client.timeout(Duration::from_secs(10)).build().expect("a client without TLS")
}

/// What went wrong, without where.
fn reason(error: &reqwest::Error) -> &'static str {
    if error.is_timeout() { "no answer in time" } else { "the connection broke" }
}

/// Each path once and once more: both times in milliseconds, and how long the answer is.
pub async fn each(address: SocketAddr, paths: &[Path]) -> Vec<(&'static str, f64, f64, usize)> {
    let client = client();
    let mut told = Vec::new();
    for path in paths {
        let url = format!("http://{address}{}", path.url(0));
        let mut times = [0.0; 2];
        let mut bytes = 0;
        for time in &mut times {
            let began = Instant::now();
            let answer = client.get(&url).send().await.expect("an answer");
            assert!(answer.status().is_success(), "{url}: {}", answer.status());
            bytes = answer.bytes().await.expect("a body").len();
            *time = began.elapsed().as_secs_f64() * 1e3;
        }
        told.push((path.name, times[0], times[1], bytes));
    }
    told
}

impl Load<'_> {
    /// Asks at the rate; `seed` chooses what.
    pub async fn run(&self, seed: u64) -> Outcome {
        let client = client();
        let outcome = Arc::new(Mutex::new(Outcome::default()));
        let (began, count) = (Instant::now(), self.rate * self.seconds);
        let mut under_way = tokio::task::JoinSet::new();
        for number in 0..count {
            let due = began + Duration::from_nanos(number * 1_000_000_000 / self.rate);
            tokio::time::sleep_until(due.into()).await;
            let drawn = scatter(seed, number);
            let shares: u64 = self.paths.iter().map(|path| path.share).sum();
            let mut at = drawn % shares;
            let path = self.paths.iter().find(|path| {
                let is_it = at < path.share;
                at = at.saturating_sub(path.share);
                is_it
            });
            let Some(path) = path else { continue };
            let url = format!("http://{}{}", self.address, path.url(drawn / shares));
            let (client, outcome, name) = (client.clone(), Arc::clone(&outcome), path.name);
            under_way.spawn(async move {
                let failure = match client.get(&url).send().await {
                    Ok(answer) if answer.status().is_success() => answer
                        .bytes()
                        .await
                        .err()
                        .map(|error| format!("{name}: {}", reason(&error))),
                    Ok(answer) => Some(format!("{name}: {}", answer.status())),
                    Err(error) => Some(format!("{name}: {}", reason(&error))),
                };
                let took = due.elapsed().as_secs_f64() * 1e3;
                let mut outcome = outcome.lock().unwrap();
                match failure {
                    Some(failure) => *outcome.failures.entry(failure).or_default() += 1,
                    None => {
                        outcome.all.push(took);
                        outcome.by_path.entry(name).or_default().push(took);
                    }
                }
            });
        }
        while under_way.join_next().await.is_some() {}
        let mut outcome = std::mem::take(&mut *outcome.lock().unwrap());
        outcome.all.sort_by(f64::total_cmp);
        outcome.by_path.values_mut().for_each(|times| times.sort_by(f64::total_cmp));
        outcome
    }
}

/// A number that looks like chance (SplitMix64), the same for the same seed.
pub fn scatter(seed: u64, number: u64) -> u64 {
    let mut word = seed.wrapping_add(number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}
