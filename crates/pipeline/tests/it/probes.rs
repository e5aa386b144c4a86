//! What testers bind and show makes tests of jobs wherever it stands in the record, and whenever it was heard.

use std::collections::BTreeMap;

use events::batch::{Batch, Payload, Tail};
use events::body::Body;
use events::body::probe::{Committed, Revealed, commitment};
use events::event::{Event, Network, Origin, Role};
use events::identity::{Digest, JobId};
use events::unit::{Millis, UnixMillis};
use pipeline::export::Export;
use pipeline::settle::Step;
use pipeline::verify::{Verdict, verify};
use simulator::cast::{Cast, Node};
use warehouse::page::Page;

use crate::support::{FIRST, Instance, LATER, past, trust};

/// A tester's words in a chain beside its own.
struct Tester<'a> {
    node: &'a Node,
    tail: Option<Tail>,
}

impl<'a> Tester<'a> {
    fn of(cast: &'a Cast) -> Self {
        let node = cast.nodes.iter().find(|node| node.role == Role::Tester).unwrap();
        Self { node, tail: None }
    }

    fn say(&mut self, sealed_ms: UnixMillis, body: Body) -> Batch {
        let event = Event {
            at_ms: sealed_ms,
            id: format!("{}-{sealed_ms}", body.kind()).parse().unwrap(),
            body,
            gateway: None,
            job_id: None,
            model: None,
            network: Network::Simulation,
            node: self.node.id.clone(),
            origin: None,
            pipeline: None,
            region: None,
            reporter: self.node.operator,
            role: self.node.role,
            workload: None,
        };
        let payload = Payload::of([event.encode().unwrap().as_slice()]);
        let (secret, tail) = (&self.node.secret, self.tail.as_ref());
        let batch = Batch::seal(secret, Network::Simulation, 9, tail, sealed_ms, payload).unwrap();
        self.tail = Some(batch.tail());
        batch
    }
}

/// What the first hour's jobs are, as far as they are settled.
fn origins(instance: &Instance) -> BTreeMap<JobId, Origin> {
    let mut origins = BTreeMap::new();
    let mut page = Page::first(500);
    loop {
        let jobs =
            instance.warehouse.jobs(Network::Simulation, &Default::default(), &page).unwrap();
        let settled = jobs.rows.iter().filter(|row| row.hour == FIRST && row.revision.is_some());
        origins.extend(settled.map(|row| (row.fact.job_id, row.fact.origin)));
        match jobs.next {
            Some(next) => page.after = Some(next),
            None => return origins,
        }
    }
}

fn settle_at(instance: &mut Instance, now: UnixMillis) {
    while instance.settler.step(now).unwrap() != Step::default() {}
}

/// Settles the first hour again from its export and compares.
fn check_export(instance: &Instance, folder: &std::path::Path) {
    let network = Network::Simulation;
    let export =
        Export::of(&instance.ledger, instance.warehouse.as_ref(), network, FIRST, None).unwrap();
    export.write(&instance.ledger, folder, &mut |_| {}).unwrap();
    let verdict = verify(folder, 1, &mut |_| {}).unwrap();
    assert!(matches!(verdict, Verdict::Agrees { .. }), "{verdict:?}");
}

#[test]
fn the_simulated_testers_make_tests() {
    let (cast, batches) = past(6, 2);
    let directory = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(directory.path(), &trust(&cast));
    instance.hear(&batches, LATER);
    instance.catch_up(LATER);
    let tests = origins(&instance).into_values().filter(|origin| *origin == Origin::Probe).count();
    assert!(tests > 5, "{tests}");
}

#[test]
fn words_far_from_the_hour_are_found_exported_and_outlast_a_restart() {
    let (cast, batches) = past(6, 1);
    let trust = trust(&cast);
    let before = FIRST.start().minus(Millis(20 * 3_600_000));
    let after = FIRST.end().plus(Millis(14 * 60_000));
    let quarter = FIRST.end().plus(Millis(15 * 60_000));
    let directory = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(&directory.path().join("plain"), &trust);
    instance.hear(&batches, LATER);
    settle_at(&mut instance, quarter);
    let plain = origins(&instance);
    let (job, _) = plain.iter().find(|(_, origin)| **origin == Origin::Organic).unwrap();

    let nonce = Digest([5; 32]);
    let bound = commitment(&[*job], &nonce);
    let mut tester = Tester::of(&cast);
    let committed =
        tester.say(before, Body::ProbeCommitted(Committed { commitment: bound, jobs: 1 }));
    let shown = Revealed { commitment: bound, jobs: vec![*job], nonce };
    let revealed = tester.say(after, Body::ProbeRevealed(shown));

    // Everything is there when the hour settles, noted by a settler that has ended since.
    let folder = directory.path().join("restarted");
    let mut first = Instance::open(&folder, &trust);
    first.hear([&committed], LATER);
    first.hear(&batches, LATER);
    first.hear([&revealed], LATER);
    settle_at(&mut first, FIRST.end());
    assert!(origins(&first).is_empty(), "nothing is due yet");
    drop(first);
    let mut restarted = Instance::open(&folder, &trust);
    settle_at(&mut restarted, quarter);
    let origins_now = origins(&restarted);
    assert_eq!(origins_now[job], Origin::Probe);
    for (other, origin) in plain.iter().filter(|(other, _)| *other != job) {
        assert_eq!(origins_now.get(other), Some(origin), "{other} stays what it is");
    }
    check_export(&restarted, &directory.path().join("export"));

    // Heard late, they make a revision at the next fixed time, and the same bytes.
    assert_eq!(origins(&instance)[job], Origin::Organic);
    instance.hear([&revealed], LATER);
    settle_at(&mut instance, FIRST.end().plus(Millis(119 * 60_000)));
    assert_eq!(origins(&instance)[job], Origin::Organic, "not between the fixed times");
    settle_at(&mut instance, FIRST.end().plus(Millis(120 * 60_000)));
    assert_eq!(origins(&instance)[job], Origin::Organic, "nobody bound it");
    instance.hear([&committed], LATER);
    settle_at(&mut instance, FIRST.end().plus(Millis(24 * 3_600_000)));
    assert_eq!(origins(&instance)[job], Origin::Probe);
    assert_eq!(instance.digests()[&FIRST], restarted.digests()[&FIRST]);
}

#[test]
fn an_open_hour_shows_tests_as_soon_as_they_are_revealed() {
    let (cast, batches) = past(6, 1);
    let directory = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(directory.path(), &trust(&cast));
    let shown_by = |batch: &Batch| {
        let events = batch.payload.events().map(|bytes| Event::decode(bytes).unwrap());
        let shown = events.filter_map(|event| match event.body {
            Body::ProbeRevealed(shown) => Some(shown.jobs),
            _ => None,
        });
        shown.flatten().collect::<Vec<JobId>>()
    };
    let mut revealed = 0;
    for batch in &batches {
        let now = batch.header.sealed_ms;
        let jobs = shown_by(batch);
        if jobs.is_empty() {
            instance.hear([batch], now);
            continue;
        }
        settle_at(&mut instance, now.plus(Millis(200)));
        let before = provisional(&instance);
        assert!(jobs.iter().all(|job| before.get(job) != Some(&Origin::Probe)));
        instance.hear([batch], now);
        settle_at(&mut instance, now.plus(Millis(400)));
        let after = provisional(&instance);
        revealed += jobs.iter().filter(|job| after.get(job) == Some(&Origin::Probe)).count();
    }
    assert!(revealed > 5, "{revealed}");
}

/// What jobs are in view as.
fn provisional(instance: &Instance) -> BTreeMap<JobId, Origin> {
    let jobs =
        instance.warehouse.jobs(Network::Simulation, &Default::default(), &Page::first(1_000));
    let jobs = jobs.unwrap().rows.into_iter().filter(|row| row.revision.is_none());
    jobs.map(|row| (row.fact.job_id, row.fact.origin)).collect()
}
