//! When hours settle, what later batches change, and what a fork does.

use ed25519_dalek::SigningKey;
use events::batch::{Batch, Payload};
use events::body::Body;
use events::body::record::Revoked;
use events::event::{Event, Network, Role};
use events::refusal::Defect;
use events::unit::{Millis, UnixMillis};
use simulator::cast::Cast;
use warehouse::page::Page;

use crate::support::{FIRST, Instance, LATER, past, trust};

fn minutes(after: u64) -> UnixMillis {
    FIRST.end().plus(Millis(after * 60_000))
}

#[test]
fn an_hour_settles_after_a_quarter_and_is_revised_at_fixed_times_only() {
    let (cast, batches) = past(4, 2);
    let (late, prompt): (Vec<&Batch>, Vec<&Batch>) = batches.iter().partition(|batch| {
        batch.header.seq % 11 == 5 && batch.header.sealed_ms < minutes(0).minus(Millis(600_000))
    });
    let directory = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(directory.path(), &trust(&cast));
    instance.hear(prompt, minutes(60));
    let settle_at = |instance: &mut Instance, now: UnixMillis| {
        while instance.settler.step(now).unwrap() != pipeline::settle::Step::default() {}
        let revisions = instance.warehouse.revisions(Network::Simulation, FIRST).unwrap();
        revisions.into_iter().map(|row| row.digest).collect::<Vec<_>>()
    };
    assert_eq!(settle_at(&mut instance, minutes(14)).len(), 0);
    let jobs = instance
        .warehouse
        .jobs(Network::Simulation, &Default::default(), &Page::first(10))
        .unwrap();
    assert!(
        !jobs.rows.is_empty() && jobs.rows.iter().all(|row| row.revision.is_none()),
        "open hours are in view"
    );
    let first = settle_at(&mut instance, minutes(15));
    assert_eq!(first.len(), 1);
    instance.hear(late, minutes(60));
    assert_eq!(
        settle_at(&mut instance, minutes(119)),
        first,
        "nothing is revised between the fixed times"
    );
    let second = settle_at(&mut instance, minutes(120));
    assert_eq!(second.len(), 2, "what came late made a revision");
    assert_eq!(second[0], first[0], "older revisions stay");
    assert_eq!(settle_at(&mut instance, minutes(24 * 60)).len(), 2, "nothing came since");
    assert_eq!(settle_at(&mut instance, minutes(8 * 24 * 60)).len(), 2);
}

#[test]
fn what_changes_no_count_still_makes_a_revision_and_shows() {
    let (cast, batches) = past(9, 1);
    let directory = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(directory.path(), &trust(&cast));
    instance.hear(&batches, LATER);
    instance.catch_up(LATER);
    let network = Network::Simulation;
    // A gateway says once more, a millisecond later, who has a job.
    let gateway = &cast.nodes[0];
    let told = batches.iter().filter(|batch| batch.header.key == gateway.publisher);
    let mut events =
        told.flat_map(|batch| batch.payload.events()).map(|bytes| Event::decode(bytes).unwrap());
    let mut again = events.find(|event| matches!(event.body, Body::JobAssigned(_))).unwrap();
    let job_id = again.job_id.unwrap();
    again.at_ms = again.at_ms.plus(Millis(1));
    again.id = "once-more".parse().unwrap();
    let payload = Payload::of([again.encode().unwrap().as_slice()]);
    let late = Batch::seal(&gateway.secret, network, 77, None, again.at_ms, payload).unwrap();

    let (hour, before) = (sla::window::Hour::of(again.at_ms), instance.digests());
    let row = |instance: &Instance| {
        let rows = instance.warehouse.job(network, job_id).unwrap();
        rows.into_iter().find(|row| row.hour == hour).unwrap()
    };
    let scores = |instance: &Instance| {
        let all = warehouse::view::ScoreFilter::default();
        let rows = instance
            .warehouse
            .scores(network, sla::window::Window::hour(hour), &all, &Page::first(1000))
            .unwrap()
            .rows;
        rows.into_iter().map(|row| row.scored).collect::<Vec<_>>()
    };
    let (known, scored) = (row(&instance), scores(&instance));
    instance.hear([&late], LATER);
    instance.catch_up(LATER);
    assert_eq!(scores(&instance), scored, "nothing that is counted changed");
    assert_ne!(instance.digests().get(&hour), before.get(&hour));
    let shown = row(&instance);
    assert_eq!(shown.fact.claims, known.fact.claims + 1);
    assert_eq!(shown.revision, known.revision.map(|revision| revision + 1));
}

#[test]
fn a_fork_is_kept_as_proof_and_excluded_by_everybody() {
    let (cast, batches) = past(5, 1);
    let trust = trust(&cast);
    let of_gateway = |batch: &&Batch| batch.header.key == cast.nodes[0].publisher;
    let forked = batches.iter().filter(of_gateway).nth(10).unwrap();
    let twin = twin(forked, &cast.nodes[0].secret);
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut first = Instance::open(one.path(), &trust);
    first.hear(&batches, LATER);
    first.hear([&twin], LATER);
    first.catch_up(LATER);
    let mut second = Instance::open(other.path(), &trust);
    second.hear([&twin], LATER);
    second.hear(batches.iter().rev(), LATER);
    second.catch_up(LATER);
    assert_eq!(first.digests(), second.digests());
    let refused = first.warehouse.refusals(Network::Simulation, Some(&forked.header.key)).unwrap();
    let codes: Vec<Defect> = refused.iter().map(|row| row.defect).collect();
    assert!(
        codes.contains(&Defect::Equivocation) && codes.contains(&Defect::EpochRefused),
        "{codes:?}"
    );
    assert_eq!(first.ledger.find(&forked.header.position()).len(), 2, "both are kept");
    verify_first_hour(&first, &one.path().join("export"));
}

/// Exports the first hour that was settled and settles the export.
fn verify_first_hour(instance: &Instance, folder: &std::path::Path) {
    let hour = *instance.digests().keys().next().unwrap();
    let (ledger, warehouse) = (&instance.ledger, instance.warehouse.as_ref());
    let export =
        pipeline::export::Export::of(ledger, warehouse, Network::Simulation, hour, None).unwrap();
    export.write(ledger, folder, &mut |_| {}).unwrap();
    let verdict = pipeline::verify::verify(folder, 1, &mut |_| {}).unwrap();
    assert!(matches!(verdict, pipeline::verify::Verdict::Agrees { .. }), "{verdict:?}");
}

/// Takes a publisher's key back from one of its batches on, as the simulated controller.
fn revocation(cast: &Cast, controllers: &[&Batch], last_good: &Batch) -> Batch {
    let controller = cast.nodes.iter().find(|node| node.role == Role::Controller).unwrap();
    let said = controllers.iter().find(|batch| batch.header.key == controller.publisher).unwrap();
    let mut event = Event::decode(said.payload.events().next().unwrap()).unwrap();
    let header = &last_good.header;
    let (epoch, key, seq) = (header.epoch, header.key, header.seq);
    event.body = Body::DelegationRevoked(Revoked { epoch, hash: header.hash(), key, seq });
    event.at_ms = FIRST.end().plus(Millis(2 * 3_600_000));
    event.id = "taken-back".parse().unwrap();
    let payload = Payload::of([event.encode().unwrap().as_slice()]);
    Batch::seal(&controller.secret, header.network, 99, None, event.at_ms, payload).unwrap()
}

#[test]
fn a_revocation_that_names_another_last_good_batch_contests_the_epoch_for_everybody() {
    let (cast, batches) = past(6, 2);
    let trust = trust(&cast);
    // In the second hour, so that the first hangs on a batch that is not near it.
    let is_named = |batch: &&Batch| {
        batch.header.key == cast.nodes[0].publisher && batch.header.sealed_ms > minutes(30)
    };
    let last_good = batches.iter().find(is_named).unwrap();
    let heard: Vec<&Batch> = batches.iter().filter(|batch| *batch != last_good).collect();
    let (twin, taken_back) =
        (twin(last_good, &cast.nodes[0].secret), revocation(&cast, &heard, last_good));
    let folders = [(); 3].map(|()| tempfile::tempdir().unwrap());
    let open = |place: usize| Instance::open(folders[place].path(), &trust);

    let mut first = open(0);
    first.hear(heard.iter().copied().chain([&twin]), LATER);
    first.catch_up(LATER);
    let before = first.digests();
    first.hear([&taken_back], LATER);
    first.catch_up(LATER);
    assert_ne!(first.digests(), before);
    let mut second = open(1);
    second.hear([&taken_back, &twin], LATER);
    second.catch_up(LATER);
    second.hear(heard.iter().rev().copied(), LATER);
    second.catch_up(LATER);
    let mut third = open(2);
    third.hear(heard.iter().copied().chain([&taken_back]), LATER);
    third.catch_up(LATER);
    drop(third);
    let mut third = open(2);
    third.hear([&twin], LATER);
    third.catch_up(LATER);
    assert_eq!(second.digests(), first.digests());
    assert_eq!(third.digests(), first.digests());
    let refused =
        first.warehouse.refusals(Network::Simulation, Some(&last_good.header.key)).unwrap();
    assert!(refused.iter().any(|row| row.defect == Defect::DelegationRevoked));
    verify_first_hour(&first, &folders[0].path().join("export"));

    let contested = first.digests();
    let mut third = {
        drop(third);
        open(2)
    };
    for instance in [&mut first, &mut third] {
        instance.hear([last_good], LATER);
        instance.catch_up(LATER);
        assert_ne!(instance.digests(), contested, "the two of them show where the fork is");
        verify_first_hour(instance, &folders[0].path().join("again"));
        std::fs::remove_dir_all(folders[0].path().join("again")).unwrap();
    }
    assert_eq!(third.digests(), first.digests());
}

/// Another batch under the same sequence, with one event less.
pub fn twin(batch: &Batch, secret: &SigningKey) -> Batch {
    let mut events: Vec<&[u8]> = batch.payload.events().collect();
    if events.len() > 1 {
        events.pop();
    } else {
        events.push(events[0]);
    }
    let tail = events::batch::Tail {
        hash: batch.header.prev,
        sealed_ms: batch.header.sealed_ms,
        seq: batch.header.seq - 1,
    };
    let payload = Payload::of(events);
    Batch::seal(
        secret,
        batch.header.network,
        batch.header.epoch,
        Some(&tail),
        batch.header.sealed_ms,
        payload,
    )
    .unwrap()
}
