//! A case's two files, read: who there is, what they say when, and what must come of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use events::batch::Batch;
use events::body::Body;
use events::body::Orchestrator;
use events::body::probe::commitment;
use events::event::{Role, Workload};
use events::identity::{Digest, JobId};
use events::unit::{Millis, UnixMillis};
use events::{canonical, job};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sla::opened::Opened;
use sla::trust::TrustFile;
use sla::window::Hour;

use super::expect::Expected;
use crate::cast::{Chains, LASTS, NETWORK, Person, encode, listed, roster, trust};

/// `case.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    pub cast: BTreeMap<String, Actor>,
    /// In place of the policy's own, where a few obligations are to be enough for a score.
    #[serde(default)]
    pub constants: BTreeMap<String, u64>,
    pub expect: Expected,
    /// The hours that are settled, one after the other; the scorecard is the last one's.
    pub hours: Vec<Hour>,
    #[serde(default)]
    pub jobs: BTreeMap<String, Work>,
    /// Rows of `[[observe.objective]]` that the policy has besides its own.
    #[serde(default)]
    pub objectives: String,
    /// The policy; `reliability-1` where none is named.
    pub policy: Option<String>,
    #[expect(dead_code, reason = "for the reader")]
    title: String,
    #[expect(dead_code, reason = "for the reader")]
    why: String,
}

/// Somebody in a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Actor {
    /// When its delegation ends; 30 days after the first hour where nothing is said.
    delegated_until_ms: Option<UnixMillis>,
    /// Whether it delegated at all.
    #[serde(default = "yes")]
    is_delegated: bool,
    /// Whether the roster lists it.
    #[serde(default = "yes")]
    is_listed: bool,
    /// Whose node it is; its own where nothing is said.
    operator: Option<String>,
    role: Role,
}

fn yes() -> bool {
    true
}

/// A job by the ids that name it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Work {
    model: Option<String>,
    orchestrator: Option<String>,
    pipeline: Option<String>,
    request: Option<String>,
    sequence: Option<u64>,
    stream: Option<String>,
    pub workload: Workload,
}

/// One line of `events.ndjson`. Neighbours with the same speaker, epoch, time and fate are one batch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    by: String,
    #[serde(default)]
    epoch: u64,
    event: Map<String, Value>,
    #[serde(default)]
    fate: Fate,
    sealed_ms: UnixMillis,
}

/// What became of a batch.
#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Fate {
    /// It was heard.
    #[default]
    Heard,
    /// It was sealed, and nobody ever heard it.
    Lost,
    /// It was sealed beside the next one of its chain: two contents at one place.
    Forked,
}

/// A case acted out.
pub struct Play {
    pub batches: Vec<Opened>,
    /// The batches as they were sent.
    pub sent: Vec<Batch>,
    pub trust: TrustFile,
}

impl Script {
    pub fn read(case: &Path) -> Self {
        let text = fs::read_to_string(case.join("case.toml")).unwrap();
        toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", case.display()))
    }

    /// The person called `name`.
    pub fn person(&self, name: &str) -> Person {
        let actor = self.cast.get(name).unwrap_or_else(|| panic!("{name} is not in the cast"));
        Person::new(name, actor.operator.as_deref().unwrap_or(name), actor.role)
    }

    /// The job called `name`.
    pub fn job(&self, name: &str) -> JobId {
        let work = self.jobs.get(name).unwrap_or_else(|| panic!("{name} is no job of the case"));
        let text = |part: &Option<String>| part.clone().unwrap_or_default();
        match work.workload {
            Workload::LiveVideo => job::live_video(&text(&work.stream), &text(&work.request)),
            Workload::Transcoding => {
                let signer = work.orchestrator.as_ref().map(|name| self.person(name).signer);
                job::segment(&text(&work.stream), work.sequence.unwrap_or_default(), signer)
            }
            workload => job::request(workload, &text(&work.request)),
        }
    }

    /// The batch that says who may speak, sealed half an hour before the first hour.
    fn records(&self, chains: &mut Chains) -> Vec<Batch> {
        let Some(controller) =
            self.cast.keys().find(|name| self.cast[*name].role == Role::Controller)
        else {
            return Vec::new();
        };
        let controller = self.person(controller);
        let at_ms = self.hours[0].start().minus(Millis(1_800_000));
        let everybody = self.cast.iter().map(|(name, actor)| (self.person(name), actor));
        let everybody: Vec<(Person, &Actor)> = everybody.collect();
        let delegated = everybody.iter().filter(|(_, actor)| actor.is_delegated);
        let mut bodies: Vec<Body> = delegated
            .map(|(person, actor)| {
                let until_ms = actor.delegated_until_ms.unwrap_or(at_ms.plus(LASTS));
                Body::DelegationGranted(person.grant(1, until_ms))
            })
            .collect();
        let members = everybody
            .iter()
            .filter(|(person, actor)| actor.is_listed && listed(person.role).is_some());
        bodies.extend(roster(at_ms, members.map(|(person, _)| person)));
        let events: Vec<_> = (1..)
            .zip(bodies)
            .map(|(number, body)| controller.says(format!("record-{number}"), at_ms, body))
            .collect();
        vec![chains.seal(&controller, 0, at_ms, &encode(&events))]
    }

    /// The event a line stands for, in canonical bytes.
    fn event(&self, number: usize, line: &Line, sealed: &Sealed) -> Vec<u8> {
        let person = self.person(&line.by);
        let mut event = line.event.clone();
        if let Some(Value::String(name)) = event.remove("job") {
            let work = &self.jobs[&name];
            event.entry("job_id").or_insert(json!(self.job(&name)));
            event.entry("workload").or_insert(json!(work.workload));
            let words = [("model", &work.model), ("pipeline", &work.pipeline)];
            for (member, word) in
                words.into_iter().filter_map(|(m, word)| Some((m, word.as_ref()?)))
            {
                event.entry(member).or_insert(json!(word));
            }
        }
        let who = [
            ("id", json!(format!("event-{number}"))),
            ("network", json!(NETWORK)),
            ("node", json!(person.node)),
            ("reporter", json!(person.address)),
            ("role", json!(person.role)),
            ("schema", json!(1)),
        ];
        for (member, value) in who {
            event.entry(member).or_insert(value);
        }
        let mut event = Value::Object(event);
        self.fill(&mut event, sealed);
        canonical::write(&event).unwrap()
    }

    /// Puts names in: `seen:x` is how a gateway sees the orchestrator x, `named:x` all its names, `address:x` and
    /// `job:x` what they say, `nonce:x` a secret made from x, and `bound:x:a,b` what binds the jobs a and b under it.
    /// `key:x` is the key of x, `hash:x:0:7` the hash of its batch 7 in epoch 0, sealed before.
    fn fill(&self, value: &mut Value, sealed: &Sealed) {
        let orchestrator = |seen: Orchestrator| json!(seen);
        match value {
            Value::Object(members) => {
                members.values_mut().for_each(|member| self.fill(member, sealed));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.fill(item, sealed)),
            Value::String(text) => {
                let filled = match text.split_once(':') {
                    Some(("seen", name)) => orchestrator(self.person(name).seen()),
                    Some(("named", name)) => orchestrator(self.person(name).named()),
                    Some(("address", name)) => json!(self.person(name).address),
                    Some(("signer", name)) => json!(self.person(name).signer),
                    Some(("job", name)) => json!(self.job(name)),
                    Some(("key", name)) => json!(self.person(name).key),
                    Some(("hash", place)) => {
                        json!(sealed.get(place).unwrap_or_else(|| panic!("{place} is not sealed")))
                    }
                    Some(("nonce", secret)) => json!(nonce(secret)),
                    Some(("bound", rest)) => {
                        let (secret, names) = rest.split_once(':').unwrap();
                        let jobs: Vec<JobId> =
                            names.split(',').map(|name| self.job(name)).collect();
                        json!(commitment(&jobs, &nonce(secret)))
                    }
                    _ => return,
                };
                *value = filled;
            }
            _ => {}
        }
    }
}

/// The hashes of the batches that chains went on from, by speaker, epoch and sequence.
type Sealed = BTreeMap<String, Digest>;

/// The secret of a round of tests.
fn nonce(secret: &str) -> Digest {
    Digest::of(&[secret.as_bytes()])
}

impl Play {
    pub fn of(script: &Script, case: &Path) -> Self {
        let text = fs::read_to_string(case.join("events.ndjson")).unwrap();
        let lines = (1..).zip(text.lines()).map(|(number, text)| {
            let line: Line = serde_json::from_str(text)
                .unwrap_or_else(|error| panic!("{} line {number}: {error}", case.display()));
            (number, line)
        });
        let lines: Vec<(usize, Line)> = lines.collect();
        let mut chains = Chains::default();
        let mut sent = script.records(&mut chains);
        let mut sealed = Sealed::new();
        let is_one = |(_, one): &(usize, Line), (_, next): &(usize, Line)| {
            (&one.by, one.epoch, one.sealed_ms, one.fate)
                == (&next.by, next.epoch, next.sealed_ms, next.fate)
        };
        for together in lines.chunk_by(is_one) {
            let line = &together[0].1;
            let person = script.person(&line.by);
            let events: Vec<_> = together
                .iter()
                .map(|(number, line)| script.event(*number, line, &sealed))
                .collect();
            let batch = match line.fate {
                Fate::Forked => chains.fork(&person, line.epoch, line.sealed_ms, &events),
                _ => chains.seal(&person, line.epoch, line.sealed_ms, &events),
            };
            if line.fate != Fate::Forked {
                let place = format!("{}:{}:{}", line.by, line.epoch, batch.header.seq);
                sealed.insert(place, batch.header.hash());
            }
            if line.fate != Fate::Lost {
                sent.push(batch);
            }
        }
        let people: Vec<Person> = script.cast.keys().map(|name| script.person(name)).collect();
        let batches = sent.iter().map(Opened::of).collect();
        Self { batches, sent, trust: trust(&people) }
    }
}
