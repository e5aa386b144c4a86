//! Envelopes to play with: what a simulated network's gateways say, at a moment the test picks.

use events::unit::UnixMillis;
use simulator::options::Options;
use simulator::world::{What, World};

/// 2026-01-08T20:10:00Z.
pub const THEN: UnixMillis = UnixMillis(1_767_903_000_000);

/// The time.
pub fn now() -> UnixMillis {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    UnixMillis(u64::try_from(since.as_millis()).unwrap())
}

/// What all gateways of a small network say in so many minutes.
pub fn envelopes(seed: u64, start: UnixMillis, minutes: u64) -> Vec<Vec<u8>> {
    let options = Options { events_per_1000_s: 3_000, ..Options::small() };
    let end = UnixMillis(start.0 + minutes * 60_000);
    let sayings = World::new(seed, options, start).take_while(|saying| saying.at_ms < end);
    let said = sayings.filter_map(|saying| match saying.what {
        What::Envelope(bytes) => Some(bytes),
        _ => None,
    });
    said.collect()
}

/// A list of envelopes as consoles export it.
pub fn as_export(envelopes: &[Vec<u8>]) -> Vec<u8> {
    let item = |(offset, envelope): (usize, &Vec<u8>)| {
        let value: serde_json::Value = serde_json::from_slice(envelope).unwrap();
        serde_json::json!({ "topic": "events", "partition": 0, "offset": offset, "value": value })
    };
    let items: Vec<_> = envelopes.iter().enumerate().map(item).collect();
    serde_json::to_vec_pretty(&items).unwrap()
}
