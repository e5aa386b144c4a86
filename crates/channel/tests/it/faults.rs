//! The faulty wrapper around the embedded channel.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use channel::conformance::{self, Home};
use channel::embedded::Limits;
use channel::faults::{Faults, FaultyBackfill, FaultyPublish, FaultySubscribe};
use channel::{
    Backfill, BoxFuture, Capabilities, Channel, Message, Order, Publish, Receipt, Result, Selector,
    Start, Subscribe,
};

const FAULTS: Faults = Faults {
    drop_ppm: 200_000,
    double_ppm: 200_000,
    delay_ppm: 200_000,
    delay_max_ms: 2,
    reorder_ppm: 100_000,
    partition_ppm: 20_000,
    partition_messages: 5,
    is_mute: false,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_channel_still_keeps_its_promises() {
    for seed in 0..3 {
        conformance::channel(async || {
            // A doubled message whose second copy nobody awaits any more holds its publisher for this long.
            let home = super::embedded::home(Limits { wait_ms: 200, ..Limits::default() });
            Home {
                publish: Arc::new(FaultyPublish::new(home.publish, FAULTS, seed)),
                subscribe: Arc::new(FaultySubscribe::new(home.subscribe, FAULTS, seed + 100)),
                keep: home.keep,
            }
        })
        .await;
    }
}

/// Notes what reaches it.
#[derive(Default)]
struct Recorder {
    bodies: Mutex<Vec<u8>>,
}

impl Channel for Recorder {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            ack: true,
            replay: false,
            order: Order::PerChain,
            max_bytes: 10,
            partitions: 1,
        }
    }

    fn health(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }

    fn close(&self, _drain: Duration) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

impl Publish for Recorder {
    fn publish(&self, message: Message) -> BoxFuture<'_, Result<Receipt>> {
        self.bodies.lock().unwrap().extend(&message.body);
        Box::pin(async { Ok(Receipt::Held) })
    }
}

/// What reached the channel behind the faults, and how many publishes failed.
async fn record(faults: Faults, seed: u64) -> (Vec<u8>, usize) {
    let recorder = Arc::new(Recorder::default());
    let faulty = FaultyPublish::new(recorder.clone(), faults, seed);
    let mut failures = 0;
    for number in 0..=200 {
        match faulty.publish(Message { chain: "a".to_owned(), body: vec![number].into() }).await {
            Ok(receipt) => assert_eq!(receipt == Receipt::Sent, faults.is_mute),
            Err(error) => {
                assert!(error.is_retryable());
                failures += 1;
            }
        }
    }
    faulty.close(Duration::ZERO).await.unwrap();
    let bodies = recorder.bodies.lock().unwrap().clone();
    (bodies, failures)
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_spoils_the_same_messages() {
    let mute = Faults { is_mute: true, ..FAULTS };
    for faults in [FAULTS, mute] {
        assert_eq!(record(faults, 1).await, record(faults, 1).await);
        assert_ne!(record(faults, 1).await, record(faults, 2).await);
    }
    let (loud, failures) = record(FAULTS, 1).await;
    let missing = (0..=200).filter(|number| !loud.contains(number)).count();
    assert_eq!(missing, failures, "with acknowledgements every loss is an error");
    assert!(missing > 20 && loud.len() > 201 - missing, "losses and doubles both happen");

    let (silent, failures) = record(mute, 1).await;
    assert_eq!(failures, 0, "without acknowledgements a loss looks like a success");
    assert!((0..=200).any(|number| !silent.contains(&number)));
    assert!(!silent.is_sorted(), "messages overtake each other");
}

#[tokio::test]
async fn capabilities_claim_no_more_than_the_faults_leave() {
    let home = super::embedded::home(Limits::default());
    let claims = |faults| FaultyPublish::new(home.publish.clone(), faults, 0).capabilities();
    assert_eq!(claims(Faults::default()), home.publish.capabilities());
    assert_eq!(claims(Faults { double_ppm: 9, ..Faults::default() }).order, Order::PerChain);
    assert_eq!(claims(FAULTS).order, Order::None);
    assert!(!claims(Faults { is_mute: true, ..Faults::default() }).ack);
}

#[tokio::test(start_paused = true)]
async fn without_acknowledgements_what_is_lost_is_gone_and_the_backfill_still_has_it() {
    let home = super::embedded::home(Limits::default());
    let faults = Faults { drop_ppm: 500_000, is_mute: true, ..Faults::default() };
    let publish = FaultyPublish::new(home.publish, Faults { drop_ppm: 0, ..faults }, 5);
    let subscribe = Arc::new(FaultySubscribe::new(home.subscribe, faults, 5));
    let mut subscription = subscribe.subscribe(Selector::All, Start::Oldest).await.unwrap();
    let hearer = tokio::spawn(async move {
        let mut heard = Vec::new();
        while let Some(delivery) = subscription.next().await.unwrap() {
            heard.push(delivery.message.body.clone());
            delivery.ack().await.unwrap();
        }
        heard
    });
    let archive = conformance::archive();
    let sent: Vec<_> =
        (6..10).map(|seq| archive.bodies[&("a".to_owned(), 1, seq)].clone()).collect();
    for body in sent.iter().cycle().take(40) {
        let receipt = publish.publish(Message { chain: "a".to_owned(), body: body.clone() }).await;
        assert_eq!(receipt, Ok(Receipt::Sent));
    }
    publish.close(Duration::from_secs(1)).await.unwrap();
    assert!((5..35).contains(&hearer.await.unwrap().len()));

    let backfill = FaultyBackfill::new(Arc::new(archive), FAULTS, 5);
    let found = loop {
        match backfill.fetch("a", 1, 6, 9, 10_000).await {
            Ok(found) => break found,
            Err(error) => assert!(error.is_retryable()),
        }
    };
    assert_eq!(found, sent);
}
