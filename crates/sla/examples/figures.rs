//! Measures opening and settling an hour of a busy network: `cargo run --release -p sla --example figures`.
//!
//! Nothing is asserted; the input is the same in every run.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout
)]

#[path = "../tests/sla/cast.rs"]
mod cast;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use events::batch::Batch;
use events::body::capability::Offered;
use events::body::job::{Assigned, Completed, FirstOutput, Output, Playable, Requested};
use events::body::stream::Status;
use events::body::{Body, Reason, Witness};
use events::event::{Event, Role, Workload};
use events::identity::Digest;
use events::job;
use events::unit::{MilliFps, Millis, UnixMillis};
use sla::authority::Authority;
use sla::context::Context;
use sla::hour::{OpenJobs, settle};
use sla::opened::Opened;
use sla::policy::Policy;
use sla::register::Register;
use sla::rollup::Detail;
use sla::score::{Question, score_hour};
use sla::window::{Hour, Window};

use cast::{Chains, LASTS, Person, encode, roster, trust};

/// 2026-01-08T21Z.
const BEGIN: UnixMillis = UnixMillis(1_767_906_000_000);

/// How many events the hour is to have.
const EVENTS: usize = 30_000;

/// How often each step is measured; the least time is told.
const ROUNDS: usize = 20;

fn main() {
    let controller = Person::new("controller-1", "controller-1", Role::Controller);
    let gateways = some("gateway", Role::Gateway, 6);
    let orchestrators = some("orchestrator", Role::Orchestrator, 60);
    let everybody: Vec<&Person> = gateways.iter().chain(&orchestrators).collect();

    let mut chains = Chains::default();
    let mut batches = records(&mut chains, &controller, &everybody);
    let mut said: BTreeMap<(u64, usize), Vec<Event>> = BTreeMap::new();
    let mut count = 0;
    for number in 0.. {
        if count >= EVENTS {
            break;
        }
        for (by, event) in session(number, &gateways, &orchestrators) {
            let sealed = event.at_ms.0.div_ceil(2_000) * 2_000;
            said.entry((sealed, by)).or_default().push(event);
            count += 1;
        }
    }
    for ((sealed, by), events) in said {
        for part in encode(&events).chunks(256) {
            batches.push(chains.seal(everybody[by], 0, UnixMillis(sealed), part));
        }
    }
    measure(&controller, &batches);
}

fn some(name: &str, role: Role, count: usize) -> Vec<Person> {
    let names = (1..=count).map(|number| format!("{name}-{number}"));
    names.map(|name| Person::new(&name, &name, role)).collect()
}

fn records(chains: &mut Chains, controller: &Person, everybody: &[&Person]) -> Vec<Batch> {
    let at_ms = BEGIN.minus(Millis(1_800_000));
    let members = everybody.iter().copied();
    let mut bodies = roster(at_ms, members.clone());
    let granted =
        members.clone().chain([controller]).map(|person| person.grant(1, at_ms.plus(LASTS)));
    bodies.extend(granted.map(Body::DelegationGranted));
    for person in members.filter(|person| person.role == Role::Orchestrator) {
        bodies.push(Body::CapabilityOffered(Offered {
            gpus: Vec::new(),
            offers: Vec::new(),
            omitted: None,
            orchestrator: person.named(),
            price: None,
            version: None,
        }));
    }
    let numbered = (0..).zip(bodies);
    let events: Vec<Event> = numbered
        .map(|(number, body)| controller.says(format!("record-{number}"), at_ms, body))
        .collect();
    let parts = encode(&events);
    parts.chunks(256).map(|part| chains.seal(controller, 0, at_ms, part)).collect()
}

/// A live session of five minutes with what its gateway and its orchestrator say of it.
fn session(number: u64, gateways: &[Person], orchestrators: &[Person]) -> Vec<(usize, Event)> {
    let at =
        |list: &[Person], step: u64| usize::try_from(number * step % list.len() as u64).unwrap();
    let (gateway, orchestrator) = (at(gateways, 1), at(orchestrators, 7));
    let answering = gateways.len() + orchestrator;
    let seen = || orchestrators[orchestrator].seen();
    let begin = BEGIN.plus(Millis(number * 7_919 % 3_200_000));
    let mut said = Vec::new();
    let mut say = |by: usize, after: u64, body: Body| {
        let person = if by < gateways.len() { &gateways[by] } else { &orchestrators[orchestrator] };
        // Gateways name their events by random UUIDs.
        let id = Digest::of(&[format!("{number}/{}", said.len()).as_bytes()]).to_string();
        let id = [&id[..8], &id[8..12], &id[12..16], &id[16..20], &id[20..32]].join("-");
        let mut event = person.says(id, begin.plus(Millis(after)), body);
        event.job_id = Some(job::live_video(&format!("stream-{number}"), "request"));
        event.workload = Some(Workload::LiveVideo);
        event.pipeline = Some("live-video-to-video".parse().unwrap());
        event.model = Some("streamdiffusion-sdxl".parse().unwrap());
        event.region = Some("fra".parse().unwrap());
        said.push((by, event));
    };
    let assigned = |witness| {
        Body::JobAssigned(Assigned { attempt: None, orchestrator: seen(), said_ms: None, witness })
    };
    let first = |witness| {
        let output = Output::Media;
        Body::JobFirstOutput(FirstOutput { orchestrator: seen(), output, said_ms: None, witness })
    };
    say(gateway, 0, Body::JobRequested(Requested::default()));
    say(gateway, 500, assigned(Witness::Gateway));
    say(answering, 600, assigned(Witness::Orchestrator));
    say(answering, 2_000, first(Witness::Orchestrator));
    say(gateway, 2_100, first(Witness::Gateway));
    say(gateway, 4_000, Body::JobPlayable(Playable { orchestrator: seen() }));
    for beat in 1..30 {
        let status = Status {
            error: None,
            fps_in: Some(MilliFps(20_000)),
            fps_out: Some(MilliFps(17_298)),
            orchestrator: seen(),
            restarts: Some(0),
            running_ms: Some(Millis(beat * 10_000)),
            state: Some(events::body::stream::State::Online),
            witness: Witness::Runner,
        };
        say(gateway, beat * 10_000, Body::StreamStatus(status));
    }
    let ended = Completed {
        duration_ms: None,
        http_status: None,
        orchestrator: Default::default(),
        price_wei: None,
        reason: Some(Reason::UserDisconnect),
        tokens: None,
        tries: None,
        witness: Witness::Gateway,
    };
    say(gateway, 300_000, Body::JobCompleted(ended));
    said
}

fn measure(controller: &Person, batches: &[Batch]) {
    let events: usize = batches.iter().map(|batch| batch.payload.count()).sum();
    let bytes: usize = batches.iter().map(|batch| batch.payload.lines().len()).sum();
    println!("{events} events, {} batches, {bytes} bytes", batches.len());
    let opened: Vec<Opened> = batches.iter().map(Opened::of).collect();
    let all: Vec<&Opened> = opened.iter().collect();
    let policy = Policy::standard();
    let trust = trust([controller]);
    let (hour, open) = (Hour::of(BEGIN), OpenJobs::new());
    let authority = Authority::of(&trust, &opened);
    let settled = settle(hour, &all, &open, &authority, &policy.observe, Detail::Hour);
    let count = settled.event_set.count;
    println!("{} jobs, {} cells, {count} events", settled.jobs.len(), settled.tally.cells.len());

    let each = least(|| batches.iter().map(Opened::of).count());
    let per_event = each.as_nanos() / u128::try_from(events).unwrap();
    println!("open       {each:>12.3?}  {per_event} ns an event");
    println!("authority  {:>12.3?}", least(|| Authority::of(&trust, &opened)));
    let settling = || settle(hour, &all, &open, &authority, &policy.observe, Detail::Hour);
    println!("settle     {:>12.3?}", least(settling));
    let register = Register::default();
    let context = Context::of(&policy, open.clone(), &register);
    let window = Window::hour(hour);
    let (policy, trust) = (&policy, &trust);
    let asked = Question { context: &context, policy, register: &register, trust, window };
    let scoring = || score_hour(&settled, asked).digest();
    println!("score      {:>12.3?}", least(scoring));
}

/// The least time that `work` takes.
fn least<T>(mut work: impl FnMut() -> T) -> Duration {
    let times = (0..ROUNDS).map(|_| {
        let begun = Instant::now();
        let done = work();
        let took = begun.elapsed();
        drop(done);
        took
    });
    times.min().unwrap_or_default()
}
