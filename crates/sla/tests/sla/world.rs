//! Worlds made from a seed: who is listed when, what happens to jobs, who says what of it, and what goes wrong on the
//! way into batches.
//!
//! A world need not be honest or sensible; the laws hold for any.

#[path = "world/chance.rs"]
pub mod chance;

#[path = "world/plot.rs"]
mod plot;

#[path = "world/rounds.rs"]
mod rounds;

use std::collections::BTreeMap;

use events::batch::Batch;
use events::body::capability::{Offer, Offered};
use events::body::node::Heartbeat;
use events::body::record::Revoked;
use events::body::{Body, Orchestrator};
use events::event::{Event, Role};
use events::identity::Digest;
use events::unit::{HOUR_MS, Millis, UnixMillis};
use sla::opened::Opened;
use sla::trust::TrustFile;
use sla::window::Hour;

use crate::cast::{Chains, LASTS, Person, encode, roster, trust};
use chance::Chance;

/// 2026-01-08T20Z, the first of the hours in which jobs happen.
pub const BEGIN: UnixMillis = UnixMillis(1_767_902_400_000);

/// How many hours jobs happen in.
pub const HOURS: u64 = 3;

/// What a world is like.
#[derive(Debug, Clone, Copy)]
pub struct Knobs {
    pub seed: u64,
    pub jobs: u64,
    /// Per mille of events that are lost, doubled or late, and of batches that are lost or forked.
    pub faults: u64,
    /// Whether unsigned feeds tell of what gateways sign for, too, and gateways of each other's jobs.
    pub is_crowded: bool,
}

/// Everything that was said, in batches.
pub struct World {
    pub batches: Vec<Opened>,
    pub chance: Chance,
    pub people: Vec<Person>,
    /// What it was made from.
    pub seed: u64,
    /// The batches as they were sent.
    pub sent: Vec<Batch>,
    pub trust: TrustFile,
}

/// Something said, and when it is to be sealed.
#[derive(Debug, Clone)]
pub struct Said {
    pub by: usize,
    pub event: Event,
    pub sealed_ms: UnixMillis,
}

/// The places of people by what they do.
pub const CONTROLLER: usize = 0;
pub const GATEWAYS: [usize; 2] = [1, 2];
pub const ORCHESTRATORS: [usize; 3] = [3, 4, 5];
pub const TESTER: usize = 6;
pub const COLLECTOR: usize = 7;
/// Delegated, and in no roster.
pub const UNLISTED: usize = 8;
/// Nobody knows its key.
pub const STRANGER: usize = 9;
/// A gateway of the first orchestrator's operator.
pub const OWN_GATEWAY: usize = 10;

fn people() -> Vec<Person> {
    let cast = [
        ("controller-1", Role::Controller),
        ("gateway-1", Role::Gateway),
        ("gateway-2", Role::Gateway),
        ("orchestrator-1", Role::Orchestrator),
        ("orchestrator-2", Role::Orchestrator),
        ("orchestrator-3", Role::Orchestrator),
        ("tester-1", Role::Tester),
        ("collector-1", Role::Collector),
        ("gateway-8", Role::Gateway),
        ("gateway-9", Role::Gateway),
    ];
    let own = Person::new("gateway-3", "orchestrator-1", Role::Gateway);
    cast.iter().map(|(name, role)| Person::new(name, name, *role)).chain([own]).collect()
}

/// The hours to settle: those of the jobs and enough after them that everything has ended.
pub fn hours() -> impl Iterator<Item = Hour> {
    let first = Hour::of(BEGIN).0;
    (first..first + HOURS + 2).map(Hour)
}

impl World {
    pub fn new(knobs: Knobs) -> Self {
        let people = people();
        let mut chance = Chance::new(knobs.seed);
        let mut said = records(&mut chance, &people);
        said.extend(ties(&mut chance, &people));
        for job in 0..knobs.jobs {
            said.extend(plot::job(&mut chance, &people, job, knobs.is_crowded));
        }
        let rounds = rounds::rounds(&mut chance, &people, &said);
        said.extend(rounds);
        said.extend(beats(&mut chance, &people));
        let said = spoil(&mut chance, said, knobs.faults);
        let sent = seal(&mut chance, &people, said, knobs.faults);
        let trust = trust(people.iter().take(STRANGER));
        let seed = knobs.seed;
        Self { batches: sent.iter().map(Opened::of).collect(), chance, people, seed, sent, trust }
    }

    /// The same words, sealed at the same times, each in a batch of its own.
    pub fn regrouped(&self) -> Vec<Opened> {
        let mut chains = Chains::default();
        let mut batches = Vec::new();
        for batch in &self.sent {
            let header = &batch.header;
            let person = self.people.iter().find(|person| person.key == header.key).unwrap();
            for event in batch.payload.events() {
                let one = [event.to_vec()];
                batches.push(chains.seal(person, header.epoch, header.sealed_ms, &one));
            }
        }
        batches.iter().map(Opened::of).collect()
    }

    pub fn batches(&self) -> Vec<&Opened> {
        self.batches.iter().collect()
    }

    /// Batches that no hour of the world may notice: another network's, strangers', and those of far away.
    pub fn strangers(&mut self) -> Vec<Opened> {
        let mut said = Vec::new();
        for job in 0..3 {
            for mut words in plot::job(&mut self.chance, &self.people, job, false) {
                words.by = STRANGER;
                let stranger = &self.people[STRANGER];
                words.event.reporter = stranger.address;
                words.event.node = stranger.node.clone();
                words.event.role = stranger.role;
                said.push(words);
            }
        }
        for (number, orchestrator) in ORCHESTRATORS.into_iter().enumerate() {
            let at_ms = BEGIN.plus(Millis(self.chance.below(HOURS * HOUR_MS)));
            let offered = offer(Orchestrator {
                recipient: Some(self.people[STRANGER].address),
                ..self.people[orchestrator].seen()
            });
            let event = self.people[STRANGER].says(format!("tie-{number}"), at_ms, offered);
            said.push(Said { by: STRANGER, event, sealed_ms: at_ms });
        }
        let far = self.chance.below(2) * 60 * HOUR_MS;
        for words in plot::job(&mut self.chance, &self.people, 99, false) {
            let sealed_ms = words.sealed_ms.minus(Millis(30 * HOUR_MS)).plus(Millis(far));
            let by = words.by.min(STRANGER - 1);
            let mut event = words.event;
            event.at_ms = sealed_ms;
            event.reporter = self.people[by].address;
            event.node = self.people[by].node.clone();
            event.role = self.people[by].role;
            said.push(Said { by, event, sealed_ms });
        }
        let mut chains = Chains::default();
        let mut batches = Vec::new();
        said.sort_by_key(|words| words.sealed_ms);
        for words in said {
            let (person, bytes) = (&self.people[words.by], encode(&[words.event]));
            batches.push(Opened::of(&chains.seal(person, 77, words.sealed_ms, &bytes)));
        }
        batches
    }
}

/// Half of them offer one live model, half two.
pub fn offer(orchestrator: Orchestrator) -> Body {
    let is_two = orchestrator.recipient.is_some_and(|recipient| recipient.0[0] % 2 == 0);
    let models = if is_two { &["model-1", "model-2"][..] } else { &["model-1"] };
    let offer = |model: &&str| Offer {
        capacity: None,
        in_use: None,
        model: model.parse().ok(),
        pipeline: "live-video-to-video".parse().unwrap(),
        price: None,
        runner_version: None,
        warm: None,
    };
    Body::CapabilityOffered(Offered {
        gpus: Vec::new(),
        offers: models.iter().map(offer).collect(),
        omitted: None,
        orchestrator,
        price: None,
        version: None,
    })
}

/// Who may speak: delegations, some renewed, one perhaps revoked; rosters, some of which leave people out.
fn records(chance: &mut Chance, people: &[Person]) -> Vec<Said> {
    let mut said = Vec::new();
    let mut number = 0;
    let mut say = |by: usize, at_ms: UnixMillis, body: Body| {
        number += 1;
        let event = people[by].says(format!("record-{number}"), at_ms, body);
        said.push(Said { by, event, sealed_ms: at_ms });
    };
    let early = BEGIN.minus(Millis(2 * HOUR_MS));
    for (place, person) in people.iter().enumerate() {
        if place == STRANGER {
            continue;
        }
        let carrier = chance.pick(&[CONTROLLER, place, GATEWAYS[0]]);
        say(carrier, early, Body::DelegationGranted(person.grant(1, early.plus(LASTS))));
        if chance.in_ten(3) {
            let at_ms = early.plus(Millis(chance.below(4 * HOUR_MS)));
            let lasts = Millis(chance.below(100) * 24 * HOUR_MS);
            say(carrier, at_ms, Body::DelegationGranted(person.grant(2, at_ms.plus(lasts))));
        }
    }
    let mut as_of_ms = early;
    for _ in 0..=chance.below(4) {
        let listed = people
            .iter()
            .enumerate()
            .filter(|(place, _)| *place != UNLISTED && *place != STRANGER && !chance.in_ten(1));
        let listed: Vec<&Person> = listed.map(|(_, person)| person).collect();
        for body in roster(as_of_ms, listed) {
            say(CONTROLLER, as_of_ms.plus(Millis(chance.below(2_000))), body);
        }
        as_of_ms = as_of_ms.plus(Millis(1 + chance.below(3 * HOUR_MS)));
    }
    if chance.in_ten(2) {
        let at_ms = BEGIN.plus(Millis(chance.below(HOURS * HOUR_MS)));
        let revoked = Revoked {
            epoch: 0,
            hash: Digest::ZERO,
            key: people[GATEWAYS[1]].key,
            seq: chance.below(400),
        };
        let by = chance.pick(&[CONTROLLER, GATEWAYS[1], GATEWAYS[0]]);
        say(by, at_ms, Body::DelegationRevoked(revoked));
    }
    said
}

/// Who is who, as several see it, not always truly.
fn ties(chance: &mut Chance, people: &[Person]) -> Vec<Said> {
    let speakers = [1, 2, 3, 4, 5, COLLECTOR, UNLISTED];
    let count = chance.below(300);
    let tie = |number| {
        let by = chance.pick(&speakers);
        let orchestrator = &people[chance.pick(&ORCHESTRATORS)];
        let mut named = orchestrator.named();
        if chance.in_ten(1) {
            named.recipient = Some(people[chance.pick(&ORCHESTRATORS)].address);
        }
        if chance.in_ten(2) {
            named.signer = None;
        }
        let span = 26 * HOUR_MS;
        let at_ms = BEGIN.minus(Millis(span)).plus(Millis(chance.below(2 * span + 3 * HOUR_MS)));
        let event = people[by].says(format!("tie-{number}"), at_ms, offer(named));
        Said { by, event, sealed_ms: at_ms.plus(Millis(chance.below(5_000))) }
    };
    (0..count).map(tie).collect()
}

/// What keeps chains going while nothing happens.
fn beats(chance: &mut Chance, people: &[Person]) -> Vec<Said> {
    let mut said = Vec::new();
    for by in GATEWAYS.into_iter().chain([OWN_GATEWAY, COLLECTOR]) {
        let every = chance.pick(&[120_000, 240_000, 900_000]);
        let mut at_ms = BEGIN.minus(Millis(HOUR_MS / 2 + chance.below(60_000)));
        while at_ms < BEGIN.plus(Millis((HOURS + 1) * HOUR_MS)) {
            let beat =
                Heartbeat { dropped: 0, uptime_ms: Millis(0), version: "1".parse().unwrap() };
            let event = people[by].says(format!("beat-{at_ms}"), at_ms, Body::NodeHeartbeat(beat));
            said.push(Said { by, event, sealed_ms: at_ms.plus(Millis(200)) });
            at_ms = at_ms.plus(Millis(every));
        }
    }
    said
}

/// Some words are never heard, some are heard late or twice, some carry an absurd time.
fn spoil(chance: &mut Chance, said: Vec<Said>, faults: u64) -> Vec<Said> {
    let mut spoilt = Vec::new();
    for mut words in said {
        if chance.below(1_000) < faults {
            match chance.below(4) {
                0 => continue,
                1 => words.sealed_ms = words.sealed_ms.plus(Millis(chance.below(900_000))),
                2 => {
                    let mut again = words.clone();
                    again.sealed_ms = words.event.at_ms.plus(Millis(chance.below(500_000)));
                    spoilt.push(again);
                }
                _ => words.event.at_ms = UnixMillis(chance.pick(&[0, 1, (1 << 53) - 1])),
            }
        }
        spoilt.push(words);
    }
    spoilt
}

/// Lets half of the revocations name the last batch there is; the others name one that nobody sealed.
fn name_last_good(event: &mut Event, chains: &Chains) {
    if let Body::DelegationRevoked(revoked) = &mut event.body
        && revoked.seq.is_multiple_of(2)
        && let Some(tail) = chains.tail(revoked.key, revoked.epoch)
    {
        (revoked.seq, revoked.hash) = (tail.seq, tail.hash);
    }
}

/// Seals what each says in the order of its sealing; some batches are lost and some places are taken twice.
fn seal(chance: &mut Chance, people: &[Person], mut said: Vec<Said>, faults: u64) -> Vec<Batch> {
    said.sort_by_key(|words| words.sealed_ms);
    let mut waiting: BTreeMap<(usize, u64), Vec<Event>> = BTreeMap::new();
    for words in said {
        let grain = 250;
        let sealed = words.sealed_ms.0.div_ceil(grain) * grain;
        waiting.entry((words.by, sealed)).or_default().push(words.event);
    }
    let mut waiting: Vec<_> = waiting.into_iter().collect();
    waiting.sort_by_key(|((by, sealed), _)| (*sealed, *by));
    let mut chains = Chains::default();
    let mut epochs = vec![0; people.len()];
    let mut batches = Vec::new();
    for ((by, sealed), mut events) in waiting {
        events.iter_mut().for_each(|event| name_last_good(event, &chains));
        let (person, sealed_ms) = (&people[by], UnixMillis(sealed));
        for part in events.chunks(256) {
            let fault = if chance.below(3_000) < faults { chance.below(3) } else { 3 };
            if fault == 0 {
                let mut other = part.to_vec();
                other[0].id = "another".parse().unwrap();
                batches.push(chains.fork(person, epochs[by], sealed_ms, &encode(&other)));
            }
            let batch = chains.seal(person, epochs[by], sealed_ms, &encode(part));
            if fault != 1 {
                batches.push(batch);
            }
            epochs[by] += u64::from(fault == 2);
        }
    }
    batches
}
