//! `kill -9` at random moments: nothing acknowledged is lost, and no final scorecard changes.
//!
//! `NAAP_KILLS` says how often (100 without it); a failure prints the seed.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sla::window::Hour;

use super::kafka::Producer;
use super::process::{Running, done, text, until};
use super::record::{lost, revisions};
use super::world::{THEN, as_export, envelopes, now};

/// A gateway that keeps what it was not told is kept, and sends it again.
struct Gateway {
    acknowledged: Vec<Vec<u8>>,
    chance: ChaCha8Rng,
    seed: u64,
    waiting: Vec<Vec<u8>>,
}

impl Gateway {
    fn next(&mut self) -> Vec<Vec<u8>> {
        if self.waiting.len() < 20 {
            self.seed += 1;
            self.waiting.extend(envelopes(self.seed, now(), 5));
        }
        let count = 1 + usize::try_from(self.chance.next_u32() % 20).unwrap();
        self.waiting.iter().take(count).cloned().collect()
    }

    /// Produces until this moment or until the listener is gone.
    fn speak(&mut self, running: &Running, until: Instant) {
        let Some(address) = running.addresses().and_then(|at| at["kafka"].as_str()?.parse().ok())
        else {
            return;
        };
        let Ok(mut producer) = Producer::connect(address) else { return };
        while Instant::now() < until {
            let envelopes = self.next();
            if producer.produce("naap", &envelopes).is_err() {
                return;
            }
            self.waiting.drain(..envelopes.len());
            self.acknowledged.extend(envelopes);
        }
    }
}

#[test]
fn kill_at_any_moment_loses_nothing_acknowledged_and_changes_nothing_final() {
    let asked = std::env::var("NAAP_KILLS").ok().map(|count| count.parse::<u32>().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let capture = folder.path().join("past.json");
    std::fs::write(&capture, as_export(&envelopes(7, THEN, 40))).unwrap();
    done(&["import", "--data", text(&data), text(&capture)]);
    let settled = revisions(&data);
    assert!(!settled.is_empty());

    let seed = now().0;
    let context = format!("seed {seed}");
    let chance = ChaCha8Rng::seed_from_u64(seed);
    let mut gateway =
        Gateway { acknowledged: Vec::new(), chance, seed: seed * 1_000, waiting: Vec::new() };
    let (began, mut kills) = (Instant::now(), 0);
    while kills < asked.unwrap_or(100) {
        let is_early = gateway.chance.next_u32().is_multiple_of(4);
        let moment = Duration::from_millis(u64::from(gateway.chance.next_u32() % 300));
        if is_early {
            // In the middle of starting, which is when the last kill is made good.
            let running = Running::begin("dev", &data, &["--no-simulate"]);
            std::thread::sleep(moment);
            running.kill();
        } else {
            let running = Running::start("dev", &data, &["--no-simulate"]);
            let until = Instant::now() + moment;
            std::thread::scope(|scope| {
                scope.spawn(|| gateway.speak(&running, until + Duration::from_secs(1)));
                std::thread::sleep(moment);
                kill_beside(&running);
            });
            running.kill();
        }
        kills += 1;
    }
    let took = began.elapsed().as_secs();
    check(&data, &gateway, &settled, &context);
    let acknowledged = gateway.acknowledged.len();
    assert!(acknowledged > 0, "{context}: nothing was acknowledged between {kills} kills");
    tell(&format!("{kills} kills in {took} s: {acknowledged} envelopes acknowledged, none lost"));
}

/// Says what was done, where somebody looks (`make soak`).
pub fn tell(what: &str) {
    std::io::stderr().lock().write_all(format!("{what}\n").as_bytes()).unwrap();
}

/// Kills a process while somebody else still talks to it.
fn kill_beside(running: &Running) {
    let id = running.id().to_string();
    assert!(std::process::Command::new("kill").args(["-KILL", &id]).status().unwrap().success());
}

fn check(data: &Path, gateway: &Gateway, settled: &BTreeMap<(Hour, u32), String>, context: &str) {
    let running = Running::start("dev", data, &["--no-simulate"]);
    until("every record to be published", || {
        let waits = running.metric("naap_spool_records{node=\"gateway\"}")?;
        (waits == 0 && running.metric("naap_outbox_unheld_batches{node=\"gateway\"}")? == 0)
            .then_some(())
    });
    running.stop();
    let lost = lost(data, &gateway.acknowledged);
    assert!(
        lost.is_empty(),
        "{context}: {} of {} lost: {lost:?}",
        lost.len(),
        gateway.acknowledged.len()
    );
    let after = revisions(data);
    for (place, digest) in settled {
        assert_eq!(after.get(place), Some(digest), "{context}: {place:?}");
    }
}
