//! The law that carries the project: however the same batches were heard, the scorecards are the same bytes.

use std::sync::Arc;

use channel::faults::{Faults, FaultyBackfill, FaultyPublish};
use channel::{Backfill, Message, Publish, Start, Subscribe};
use events::wire;
use ledger::Ledger;
use pipeline::export::Export;
use pipeline::intake::Intake;
use pipeline::repair::{Progress, RepairError, repair};
use pipeline::verify::{Verdict, verify};
use rand::SeedableRng as _;
use rand::seq::SliceRandom as _;

use crate::support::{Instance, LATER, past, trust};

#[test]
fn order_duplicates_grouping_and_restarts_never_matter() {
    let (cast, batches) = past(1, 3);
    let trust = trust(&cast);
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut in_order = Instance::open(one.path(), &trust);
    in_order.hear(&batches, LATER);
    in_order.catch_up(LATER);
    let expected = in_order.digests();
    assert!(expected.len() >= 3, "{expected:?}");

    let mut chance = rand_chacha::ChaCha8Rng::seed_from_u64(7);
    let mut shuffled: Vec<_> = batches.iter().chain(batches.iter().step_by(3)).collect();
    shuffled.shuffle(&mut chance);
    for (turn, part) in shuffled.chunks(shuffled.len().div_ceil(4)).enumerate() {
        let mut instance = Instance::open(other.path(), &trust);
        for few in part.chunks(1 + turn * 17) {
            instance.hear(few.iter().copied(), LATER);
        }
        // What is settled too early is revised: only the last revision is compared.
        if turn % 2 == 0 {
            instance.catch_up(LATER);
        }
    }
    let mut restarted = Instance::open(other.path(), &trust);
    restarted.catch_up(LATER);
    assert_eq!(restarted.digests(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_channel_and_repair_give_the_same_bytes() {
    let (cast, batches) = past(2, 2);
    let trust = trust(&cast);
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut whole = Instance::open(one.path(), &trust);
    whole.hear(&batches, LATER);
    whole.catch_up(LATER);

    let embedded = channel::embedded::Embedded::new(channel::embedded::Limits::default());
    let mut subscription = embedded.subscribe(channel::Selector::All, Start::Oldest).await.unwrap();
    let faults = Faults {
        drop_ppm: 200_000,
        double_ppm: 100_000,
        delay_ppm: 0,
        delay_max_ms: 0,
        reorder_ppm: 0,
        partition_ppm: 10_000,
        partition_messages: 20,
        is_mute: true,
    };
    let faulty = FaultyPublish::new(Arc::new(embedded.clone()), faults, 11);
    let messages: Vec<Message> = batches
        .iter()
        .map(|batch| Message {
            chain: batch.header.key.to_string(),
            body: wire::encode(batch).unwrap().into(),
        })
        .collect();
    let sender = tokio::spawn(async move {
        for message in messages {
            // What the channel loses is found again below, by the chains' gaps.
            match faulty.publish(message).await {
                Ok(_) | Err(_) => {}
            }
        }
        channel::Channel::close(&embedded, std::time::Duration::from_secs(5)).await
    });
    let mut instance = Instance::open(other.path(), &trust);
    instance.known.extend(batches.iter().map(|batch| batch.header.key));
    while let Ok(Some(delivery)) = subscription.next().await {
        instance.intake.accept(delivery.message.body.to_vec(), LATER).unwrap().unwrap();
        delivery.ack().await.unwrap();
    }
    sender.await.unwrap().ok();
    let heard = instance.ledger.end().next;
    assert!(heard < batches.len() as u64, "the channel lost nothing: {heard}");

    let source = Arc::new(whole.source());
    let wrong = Faults { is_mute: false, ..faults };
    let source = FaultyBackfill::new(source, wrong, 12);
    let intake = Arc::new(instance.intake);
    repair_all(&instance.ledger, &intake, &source).await;
    instance.settler.catch_up(LATER, &mut |_, _| {}).unwrap();
    let windows = instance
        .warehouse
        .windows(events::event::Network::Simulation, &warehouse::page::Page::first(100));
    let repaired: std::collections::BTreeMap<_, _> = windows
        .unwrap()
        .rows
        .into_iter()
        .filter_map(|row| row.latest.map(|latest| (row.hour, latest.digest)))
        .collect();
    assert_eq!(repaired, whole.digests());
}

/// Repairs from a source that fails now and then, until a whole round of it brings nothing.
async fn repair_all(ledger: &Ledger, intake: &Arc<Intake>, source: &dyn Backfill) {
    let clock: pipeline::Clock = Arc::new(|| LATER);
    let mut progress = Progress::default();
    // A round that goes on behind a failure passes over what failed: only one from the start finds all there is.
    let mut is_from_the_start = false;
    for _ in 0..2_000 {
        match repair(ledger, intake, source, &clock, &mut progress).await {
            Ok(round) if round.kept == 0 && is_from_the_start => return,
            Ok(_) => is_from_the_start = true,
            Err(RepairError::Source(_)) => is_from_the_start = false,
            Err(error) => panic!("{error}"),
        }
    }
    panic!("2 000 rounds were not enough");
}

#[test]
fn every_export_verifies_and_none_does_once_touched() {
    let (cast, batches) = past(3, 3);
    let trust = trust(&cast);
    let directory = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(directory.path(), &trust);
    instance.hear(&batches, LATER);
    instance.catch_up(LATER);
    for (hour, digest) in instance.digests() {
        let folder = directory.path().join(format!("export-{}", hour.0));
        let network = events::event::Network::Simulation;
        let export =
            Export::of(&instance.ledger, instance.warehouse.as_ref(), network, hour, None).unwrap();
        export.write(&instance.ledger, &folder, &mut |_| {}).unwrap();
        match verify(&folder, 2, &mut |_| {}).unwrap() {
            Verdict::Agrees { digest: found, .. } => assert_eq!(found, digest),
            other => panic!("{hour}: {other:?}"),
        }
    }
    let folder = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let folder = folder.filter(|path| path.to_string_lossy().contains("export-")).min().unwrap();
    for file in std::fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let original = std::fs::read(&path).unwrap();
        let mut touched = original.clone();
        let middle = touched.len() / 2;
        touched[middle] ^= 1;
        std::fs::write(&path, &touched).unwrap();
        let verdict = verify(&folder, 1, &mut |_| {});
        assert!(!matches!(verdict, Ok(Verdict::Agrees { .. })), "{}: {verdict:?}", path.display());
        std::fs::write(&path, &original).unwrap();
    }
}
