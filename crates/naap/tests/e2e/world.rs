//! Envelopes to play with: what a simulated network's gateways say, at a moment the test picks.

use events::event::{Network, Role};
use events::identity::Address;
use events::unit::UnixMillis;
use publisher::pseudonym::PseudonymKey;
use publisher::translate::{Speaker, translate};
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

/// The ids of the events that an envelope becomes.
pub fn event_ids(envelope: &[u8]) -> Vec<String> {
    let speaker = Speaker {
        network: Network::Livepeer,
        reporter: Address([1; 20]),
        role: Role::Gateway,
        node: "5f0c1a52-7b1a-4b8e-9c55-0d7f7f3f8a11".parse().unwrap(),
        pseudonyms: PseudonymKey::of(&ed25519_dalek::SigningKey::from_bytes(&[1; 32])),
        region: None,
    };
    let events = translate(envelope, &speaker, now()).events;
    events.iter().map(|event| event.id.to_string()).collect()
}
