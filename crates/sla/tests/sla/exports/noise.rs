//! Words without sense: anybody says anything about a few jobs, under any names, in any order, often at one moment.
//!
//! Plots are what happens; noise is what may be signed. Two implementations must agree on that too.

use events::batch::Batch;
use events::body::Body;
use events::body::record::Revoked;
use events::identity::Digest;
use events::unit::{HOUR_MS, Millis, UnixMillis};
use serde_json::{Map, Value, json};

use crate::cast::{Chains, Person, roster};
use crate::world::chance::Chance;
use crate::world::{BEGIN, CONTROLLER, HOURS, ORCHESTRATORS, World};

const JOBS: u64 = 6;

const KINDS: [&str; 22] = [
    "job.requested",
    "job.assigned",
    "job.assigned",
    "job.assigned",
    "job.first_output",
    "job.playable",
    "job.swapped",
    "job.swapped",
    "job.unserved",
    "job.failed",
    "job.failed",
    "job.completed",
    "job.completed",
    "segment.attempted",
    "segment.attempted",
    "stream.status",
    "stream.status",
    "stream.status",
    "payment.sent",
    "probe.observed",
    "scorecard.published",
    "job.imagined",
];

const REASONS: [&str; 13] = [
    "timeout",
    "model_error",
    "runner_disconnect",
    "transport_disconnect",
    "capacity",
    "gateway_reset",
    "orchestrator_reset",
    "user_disconnect",
    "input_failed",
    "no_orchestrator",
    "invalid_request",
    "payment",
    "unknown",
];

const WORKLOADS: [&str; 6] =
    ["live-video", "live-video", "live-runner", "llm", "byoc", "transcoding"];

/// An orchestrator by some of its names, or by none.
fn names(chance: &mut Chance, people: &[Person]) -> Value {
    let person = &people[chance.pick(&ORCHESTRATORS)];
    match chance.below(12) {
        0 => json!({}),
        1 => json!({"url": person.url}),
        2 => json!({"signer": person.signer}),
        3 => json!({"recipient": person.address}),
        4 => json!({"recipient": null, "signer": person.signer, "url": people[3].url}),
        5 => json!(person.named()),
        _ => json!(person.seen()),
    }
}

fn data(chance: &mut Chance, people: &[Person], kind: &str) -> Value {
    let took = chance.pick(&[0, 1, 900, 4_000, 40_000, 400_000]);
    let all = json!({
        "attempt": chance.below(3),
        "attempts": 3,
        "digest": Digest::ZERO,
        "duration_ms": took,
        "fps_in": chance.pick(&[0, 20_000, 30_000, 60_000]),
        "fps_out": chance.pick(&[0, 0, 16_000, 15_999, 24_000]),
        "latency_ms": chance.pick(&[0, 900, 4_000, 4_001]),
        "orchestrator": names(chance, people),
        "output": "media",
        "reason": chance.pick(&REASONS),
        "revision": 0,
        "scenario": "noise/1",
        "success": chance.in_ten(6),
        "tokens": {"ttft_ms": chance.pick(&[0, 900, 31_000, 900_000])},
        "window": "2026-01-08T21Z",
        "witness": chance.pick(&["gateway", "gateway", "runner", "orchestrator"]),
    });
    let optional: &[&str] = match kind {
        "stream.status" => &["fps_in", "fps_out"],
        "segment.attempted" => &["duration_ms", "latency_ms", "reason"],
        "job.completed" => &["duration_ms", "orchestrator", "reason", "reason", "tokens"],
        "job.failed" => &["duration_ms", "orchestrator"],
        _ => &[],
    };
    let Value::Object(mut members) = all else { return Value::Null };
    // What a status, say, has no member for is passed over; `error` and others of the same name would be refused.
    if kind == "payment.sent" || kind == "job.requested" {
        members.retain(|name, _| name == "orchestrator");
    }
    for member in optional {
        match chance.below(6) {
            0 | 1 => drop(members.remove(*member)),
            2 => drop(members.insert((*member).to_owned(), Value::Null)),
            _ => {}
        }
    }
    if chance.below(40) == 0 {
        members.remove("orchestrator");
    }
    Value::Object(members)
}

/// The bytes of one word and when it happened.
fn word(chance: &mut Chance, people: &[Person], by: &Person, number: u64) -> (UnixMillis, Vec<u8>) {
    let job = chance.below(JOBS);
    let kind = chance.pick(&KINDS);
    let step = chance.pick(&[1_000, 15_000, 60_000]);
    let begin = BEGIN.plus(Millis((job + 1) * HOURS * HOUR_MS / (JOBS + 2)));
    let at_ms = begin.plus(Millis(chance.below(12) * step));
    let mut event = Map::new();
    event.extend([
        ("at_ms".to_owned(), json!(at_ms)),
        ("data".to_owned(), data(chance, people, kind)),
        ("id".to_owned(), json!(format!("noise-{}", number - number % 20 * chance.below(2)))),
        ("kind".to_owned(), json!(kind)),
        ("network".to_owned(), json!("simulation")),
        ("node".to_owned(), json!(by.node)),
        ("reporter".to_owned(), json!(by.address)),
        ("role".to_owned(), json!(by.role)),
        ("schema".to_owned(), json!(1)),
        ("unknown".to_owned(), json!([number, {"text": "\u{7f}\u{1} \"\\ ü"}])),
    ]);
    let mut maybe = |name: &str, value: Value| {
        if chance.below(8) > 0 {
            event.insert(name.to_owned(), value);
        }
    };
    let workload = WORKLOADS[usize::try_from(job).unwrap()];
    maybe("job_id", json!(format!("{job:032x}")));
    maybe("workload", json!(workload));
    maybe("region", json!(["eu", "us"][usize::from(by.role == events::event::Role::Tester)]));
    if chance.in_ten(3) {
        event.insert(
            "model".to_owned(),
            json!(["model-1", "model-2"][usize::from(chance.in_ten(4))]),
        );
    }
    let wrong = [
        ("at_ms", json!("1")),
        ("id", json!(" blank ahead")),
        ("model", json!("x".repeat(129))),
        ("network", json!("livepeer")),
        ("node", json!("another")),
        ("role", json!("gateway")),
        ("schema", json!(2)),
        ("job_id", Value::Null),
    ];
    if chance.below(30) == 0 {
        let at = usize::try_from(chance.below(wrong.len() as u64)).unwrap();
        event.insert(wrong[at].0.to_owned(), wrong[at].1.clone());
    }
    let bytes = events::canonical::write(&Value::Object(event)).unwrap();
    match chance.below(60) {
        0 => (at_ms, [b" ", &*bytes].concat()),
        _ => (at_ms, bytes),
    }
}

/// Rights given, taken and listed without sense.
fn record(chance: &mut Chance, people: &[Person], chains: &Chains) -> Vec<Body> {
    let person = &people[usize::try_from(chance.below(people.len() as u64)).unwrap()];
    let at_ms = BEGIN.plus(Millis(chance.below(HOURS * HOUR_MS)));
    match chance.below(4) {
        0 | 1 => {
            let expiry_ms = at_ms.plus(Millis(chance.pick(&[1, 2_000 * HOUR_MS, 2_200 * HOUR_MS])));
            vec![Body::DelegationGranted(person.grant(1 + chance.below(3), expiry_ms))]
        }
        2 if chance.in_ten(3) => {
            let tail = chains.tail(person.key, NOISE_EPOCH);
            let hash = tail.filter(|_| chance.in_ten(5)).map_or(Digest::ZERO, |tail| tail.hash);
            let seq = tail.map_or(3, |tail| tail.seq);
            let revoked = Revoked { epoch: NOISE_EPOCH, hash, key: person.key, seq };
            vec![Body::DelegationRevoked(revoked)]
        }
        _ => {
            let listed = people.iter().filter(|_| !chance.in_ten(1));
            let mut bodies = roster(at_ms, listed.collect::<Vec<_>>());
            if chance.in_ten(3) {
                bodies.pop();
            }
            bodies
        }
    }
}

const NOISE_EPOCH: u64 = 5;

/// The batches of some hundred words of everybody.
pub fn noise(chance: &mut Chance, world: &World) -> Vec<Batch> {
    let people = &world.people;
    let mut said: Vec<(u64, usize, Option<Vec<u8>>)> = Vec::new();
    for number in 1..300 {
        let place = usize::try_from(chance.below(people.len() as u64)).unwrap();
        let (at_ms, bytes) = word(chance, people, &people[place], number);
        let late = chance.pick(&[200, 200, 30_000, 599_999, 600_000, 600_001]);
        said.push((at_ms.0 + late, place, Some(bytes)));
    }
    for _ in 0..chance.below(8) {
        let sealed_ms = BEGIN.0 + chance.below(HOURS * HOUR_MS);
        said.push((sealed_ms, chance.pick(&[CONTROLLER, CONTROLLER, 1, 2, 3]), None));
    }
    said.sort();
    let mut chains = Chains::default();
    let mut batches = Vec::new();
    for (number, (sealed_ms, place, bytes)) in said.into_iter().enumerate() {
        let (person, sealed_ms) = (&people[place], UnixMillis(sealed_ms));
        let say = |(part, body): (usize, Body)| {
            person.says(format!("right-{number}-{part}"), sealed_ms, body).encode().unwrap()
        };
        let events = match bytes {
            Some(bytes) => vec![bytes],
            None => record(chance, people, &chains).into_iter().enumerate().map(say).collect(),
        };
        if chance.below(200) == 0 {
            batches.push(chains.fork(person, NOISE_EPOCH, sealed_ms, &[b"another".to_vec()]));
        }
        let batch = chains.seal(person, NOISE_EPOCH, sealed_ms, &events);
        if chance.below(50) > 0 {
            batches.push(batch);
        }
    }
    batches
}
