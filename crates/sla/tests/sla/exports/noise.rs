//! Words without sense: anybody says anything about a few jobs, under any names, in any order, often at one moment.
//!
//! Plots are what happens; noise is what may be signed. Two implementations must agree on that too.

use events::batch::Batch;
use events::body::Body;
use events::body::probe::{Committed, Revealed, commitment};
use events::body::record::Revoked;
use events::event::Role;
use events::identity::{Digest, JobId, ServiceUrl};
use events::unit::{HOUR_MS, Millis, UnixMillis};
use serde_json::{Map, Value, json};

use crate::cast::{Chains, Person, roster};
use crate::world::chance::Chance;
use crate::world::{BEGIN, CONTROLLER, HOURS, ORCHESTRATORS, TESTER, World};

const JOBS: u64 = 6;

/// Who speaks, by their places in the world: few gateways, so that one of them tells much of one job.
const SPEAKERS: [usize; 16] = [1, 1, 1, 1, 1, 2, 2, 3, 4, 5, 6, 7, 10, 10, 0, 9];

/// Of the last job, those who hand work out say only what carries no story, and nothing of the one before it.
const BESIDE: [&str; 2] = ["payment.sent", "probe.observed"];

const KINDS: [&str; 24] = [
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
    "capability.offered",
    "capability.offered",
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

/// A tie, perhaps a wrong one.
fn offered(chance: &mut Chance, people: &[Person]) -> Value {
    let person = &people[chance.pick(&ORCHESTRATORS)];
    let mut named = json!(person.seen());
    named["recipient"] = json!(people[chance.pick(&[3, 3, 4, 5])].address);
    let offer = |model: &&str| json!({"model": model, "pipeline": "live-video-to-video"});
    let models = chance.pick(&[&["model-1"][..], &["model-2"], &["model-1", "model-2"], &[]]);
    let mut data = json!({"gpus": [], "offers": models.iter().map(offer).collect::<Vec<_>>(), "orchestrator": named});
    if chance.in_ten(2) {
        data["omitted"] = json!(0);
    }
    // Cards that name the model, none, or another pipeline; of one kind or of two.
    let gpu = |chance: &mut Chance| {
        json!({
            "model": chance.pick(&[Some("model-1"), Some("model-2"), None]),
            "name": chance.pick(&[Some("card-1"), Some("card-1"), Some("card-2"), None]),
            "pipeline": chance.pick(&[None, None, Some("live-video-to-video"), Some("another")]),
        })
    };
    data["gpus"] = (0..chance.below(4)).map(|_| gpu(chance)).collect();
    data
}

fn data(chance: &mut Chance, people: &[Person], kind: &str) -> Value {
    let took = chance.pick(&[0, 1, 900, 4_000, 40_000, 400_000]);
    let all = json!({
        "attempt": chance.below(3),
        "attempts": 3,
        "digest": Digest::ZERO,
        "duration_ms": took,
        "fps_in": chance.pick(&[0, 20_000, 30_000, 60_000]),
        "fps_out": chance.pick(&[0, 0, 16_000, 15_999, 24_000, 24_000, 24_000]),
        "latency_ms": chance.pick(&[0, 900, 4_000, 4_001]),
        "orchestrator": names(chance, people),
        "output": "media",
        "reason": chance.pick(&REASONS),
        "revision": 0,
        "scenario": "noise/1",
        "success": chance.in_ten(6),
        "tokens": {
            "completion": chance.pick(&[None, Some(0), Some(100), Some(9_000)]),
            "rate_milli": chance.pick(&[None, None, Some(9_999), Some(10_000), Some(30_000)]),
            "ttft_ms": chance.pick(&[None, Some(0), Some(900), Some(31_000), Some(900_000)]),
        },
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
    if kind == "capability.offered" {
        return offered(chance, people);
    }
    let Value::Object(mut members) = all else { return Value::Null };
    if kind == "stream.status" {
        members
            .insert("error".to_owned(), json!(chance.pick(&[None, None, None, Some("timeout")])));
        let states =
            [None, Some("online"), Some("online"), Some("loading"), Some("error"), Some("offline")];
        members.insert("state".to_owned(), json!(chance.pick(&states)));
    }
    if kind == "probe.observed" {
        let came = chance.pick(&[None, Some(0), Some(900), Some(29_000), Some(90_000)]);
        members.insert("first_output_ms".to_owned(), json!(came));
    }
    // What a status, say, has no member for is passed over; `error` and others of the same name would be refused.
    if kind == "payment.sent" || kind == "job.requested" {
        members.retain(|name, _| name == "orchestrator");
    }
    if kind == "payment.sent" {
        let sender = people.get(usize::try_from(chance.below(24)).unwrap());
        members.insert("sender".to_owned(), json!(sender.map(|person| person.address)));
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

/// When a job begins; every other one a minute before an hour ends.
fn begin(job: u64) -> UnixMillis {
    match job % 2 {
        0 => BEGIN.plus(Millis((job / 2 + 1) * HOUR_MS - 60_000)),
        _ => BEGIN.plus(Millis(job * HOURS * HOUR_MS / (JOBS + 1))),
    }
}

/// A tester binds itself to a job about when it begins, and shows it about when the hour closes, not always rightly.
fn round(chance: &mut Chance, tester: &Person, job: u64) -> [(u64, Vec<u8>); 2] {
    let name = |job: u64| format!("{job:032x}").parse::<JobId>().unwrap();
    let mut jobs = vec![name(job), name(chance.below(4))];
    if chance.in_ten(5) {
        jobs.reverse();
    }
    let nonce = Digest::of(&[&job.to_be_bytes()]);
    let bound = commitment(&jobs, &nonce);
    let committed = Committed { commitment: bound, jobs: if chance.in_ten(2) { 3 } else { 2 } };
    let revealed = Revealed { commitment: bound, jobs, nonce };
    let closes_ms = BEGIN.plus(Millis((1 + job / 2) * HOUR_MS + 900_000));
    let said = [
        (begin(job).plus(Millis(chance.below(3) * 1_000)), Body::ProbeCommitted(committed)),
        (closes_ms.minus(Millis(chance.below(2))), Body::ProbeRevealed(revealed)),
    ];
    said.map(|(at_ms, body)| {
        let event = tester.says(format!("round-{job}-{}", body.kind().as_str()), at_ms, body);
        (at_ms.0, event.encode().unwrap())
    })
}

/// The bytes of one word and when it happened.
fn word(chance: &mut Chance, people: &[Person], by: &Person, number: u64) -> (UnixMillis, Vec<u8>) {
    let mut job = chance.below(JOBS);
    let is_teller = matches!(by.role, Role::Gateway | Role::Tester | Role::Collector);
    if is_teller && job == JOBS - 2 {
        job = JOBS - 1;
    }
    let is_beside = is_teller && job == JOBS - 1;
    let kind = if is_beside { chance.pick(&BESIDE) } else { chance.pick(&KINDS) };
    let step = chance.pick(&[1_000, 5_000, 15_000, 60_000]);
    let begin = begin(job);
    let mut at_ms = begin.plus(Millis(chance.below(12) * step));
    if kind == "capability.offered" && chance.in_ten(7) {
        // On the edges of hours, and of the day around them in which a tie holds.
        let edge = BEGIN.plus(Millis(chance.below(HOURS + 1) * HOUR_MS));
        let edges = [edge, edge.minus(Millis(24 * HOUR_MS)), edge.plus(Millis(24 * HOUR_MS))];
        at_ms = chance.pick(&edges).minus(Millis(chance.below(2)));
    }
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
    maybe("region", json!(["eu", "us"][usize::from(by.role == Role::Tester)]));
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
///
/// `moments` are those at which somebody seals: rights that begin or end just then are told apart from others.
fn record(
    chance: &mut Chance,
    people: &[Person],
    chains: &Chains,
    moments: &[(usize, UnixMillis)],
) -> Vec<Body> {
    let (place, at_ms) = chance.pick(moments);
    let person = &people[place];
    match chance.below(6) {
        0 | 1 => {
            let lasts = chance.pick(&[0, 0, 1, 2_000 * HOUR_MS, 2_160 * HOUR_MS, 2_200 * HOUR_MS]);
            let expiry_ms = at_ms.plus(Millis(lasts));
            vec![Body::DelegationGranted(person.grant(1 + chance.below(2), expiry_ms))]
        }
        2 | 3 if chance.in_ten(4) => {
            let tail = chains.tail(person.key, NOISE_EPOCH);
            let hash = tail.filter(|_| chance.in_ten(5)).map_or(Digest::ZERO, |tail| tail.hash);
            let seq = tail.map_or(3, |tail| tail.seq);
            let revoked = Revoked { epoch: NOISE_EPOCH, hash, key: person.key, seq };
            vec![Body::DelegationRevoked(revoked)]
        }
        _ => {
            let listed = people.iter().filter(|_| !chance.in_ten(1));
            let mut bodies = roster(at_ms, listed.collect::<Vec<_>>());
            let hosts =
                ["https://shared.example:8935", "https://one.sslip.io:8935", "https://[::1]:8935"];
            let hosts = [
                hosts.as_slice(),
                &["https://10.0.0.1:1", "https://a.b.co.uk:1", "https://co.uk:1"],
            ]
            .concat();
            for body in &mut bodies {
                if let Body::RosterObserved(member) = body
                    && chance.in_ten(2)
                {
                    member.urls = vec![ServiceUrl::normalise(chance.pick(&hosts)).unwrap()];
                }
            }
            if chance.in_ten(3) {
                bodies.pop();
            }
            if let Some(Body::RosterObserved(member)) = bodies.last_mut()
                && chance.in_ten(2)
            {
                member.count += 1;
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
    for number in 1..500 {
        let place = chance.pick(&SPEAKERS);
        let (at_ms, bytes) = word(chance, people, &people[place], number);
        // From a moment too early for its own time to count to one too late.
        let late = chance.pick(&[0, 1, 30_001, 30_001, 30_201, 30_201, 630_000, 630_001, 630_002]);
        said.push((at_ms.0 + late - 30_001, place, Some(bytes)));
    }
    for job in 0..JOBS {
        said.extend(
            round(chance, &people[TESTER], job).map(|(ms, bytes)| (ms, TESTER, Some(bytes))),
        );
    }
    for _ in 0..chance.below(8) {
        let sealed_ms = BEGIN.0 + chance.below(HOURS * HOUR_MS);
        said.push((sealed_ms, chance.pick(&[CONTROLLER, CONTROLLER, 1, 2, 3]), None));
    }
    said.sort();
    let moments: Vec<(usize, UnixMillis)> =
        said.iter().map(|(sealed_ms, place, _)| (*place, UnixMillis(*sealed_ms))).collect();
    let mut chains = Chains::default();
    let mut batches = Vec::new();
    for (number, (sealed_ms, place, bytes)) in said.into_iter().enumerate() {
        let (person, sealed_ms) = (&people[place], UnixMillis(sealed_ms));
        let say = |(part, body): (usize, Body)| {
            person.says(format!("right-{number}-{part}"), sealed_ms, body).encode().unwrap()
        };
        let events = match bytes {
            Some(bytes) => vec![bytes],
            None => {
                record(chance, people, &chains, &moments).into_iter().enumerate().map(say).collect()
            }
        };
        if chance.below(200) == 0 {
            batches.push(chains.fork(person, NOISE_EPOCH, sealed_ms, &[b"another".to_vec()]));
        }
        let batch = chains.seal(person, NOISE_EPOCH, sealed_ms, &events);
        if chance.below(30) > 0 {
            batches.push(batch);
        }
    }
    batches
}
