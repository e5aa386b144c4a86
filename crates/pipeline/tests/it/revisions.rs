//! When hours settle, what later batches change, and what a fork does.

use ed25519_dalek::SigningKey;
use events::batch::{Batch, Payload};
use events::event::Network;
use events::refusal::Defect;
use events::unit::{Millis, UnixMillis};
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
    let mut instance = Instance::open(directory.path(), &trust(&cast), minutes(0));
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
fn a_fork_is_kept_as_proof_and_excluded_by_everybody() {
    let (cast, batches) = past(5, 1);
    let trust = trust(&cast);
    let of_gateway = |batch: &&Batch| batch.header.key == cast.nodes[0].publisher;
    let forked = batches.iter().filter(of_gateway).nth(10).unwrap();
    let twin = twin(forked, &cast.nodes[0].secret);
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut first = Instance::open(one.path(), &trust, LATER);
    first.hear(&batches, LATER);
    first.hear([&twin], LATER);
    first.catch_up(LATER);
    let mut second = Instance::open(other.path(), &trust, LATER);
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
    let folder = one.path().join("export");
    let hour = *first.digests().keys().next().unwrap();
    let export = pipeline::export::Export::of(
        &first.ledger,
        first.warehouse.as_ref(),
        Network::Simulation,
        hour,
        None,
    );
    export.unwrap().write(&first.ledger, &folder, &mut |_| {}).unwrap();
    let verdict = pipeline::verify::verify(&folder, 1, &mut |_| {}).unwrap();
    assert!(matches!(verdict, pipeline::verify::Verdict::Agrees { .. }), "{verdict:?}");
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
