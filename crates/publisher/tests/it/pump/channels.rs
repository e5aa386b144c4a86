//! Channels that are busy, that refuse, and that say nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use channel::faults::{Faults, FaultyPublish};
use channel::{BoxFuture, Capabilities, Channel, Message, Order, Publish, Receipt};
use events::unit::Millis;
use events::wire;
use publisher::outbox::Options;

use super::{Home, Ledger, embedded, hear};
use crate::outbox::folder;

/// Answers as told, and keeps what it takes.
struct Moody {
    ledger: Ledger,
    busy: AtomicU32,
    refuse: Option<u64>,
}

impl Channel for Moody {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            ack: true,
            replay: false,
            order: Order::None,
            max_bytes: 64 * 1024,
            partitions: 1,
        }
    }
    fn health(&self) -> BoxFuture<'_, channel::Result<()>> {
        Box::pin(async { Ok(()) })
    }
    fn close(&self, _: Duration) -> BoxFuture<'_, channel::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

impl Publish for Moody {
    fn publish(&self, message: Message) -> BoxFuture<'_, channel::Result<Receipt>> {
        Box::pin(async move {
            if self.busy.fetch_add(1, Ordering::Relaxed) % 4 != 3 {
                return Err(channel::Error::Busy { retry_after_ms: 1 });
            }
            let batch = wire::decode(&message.body).unwrap();
            assert_eq!(message.chain, batch.header.key.to_string());
            if self.refuse == Some(batch.header.seq) {
                return Err(channel::Error::Refused {
                    code: "E-TEST".to_owned(),
                    detail: String::new(),
                });
            }
            self.ledger.keep(message.body);
            Ok(Receipt::Held)
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_channel_is_asked_again_and_a_refused_batch_is_set_aside() {
    let place = folder();
    let home = Home::new(place.path());
    let ledger = Ledger::default();
    let moody = Moody { ledger: ledger.clone(), busy: AtomicU32::new(0), refuse: Some(1) };
    home.append(0..600).await;
    let running = home.start(vec![Arc::new(moody)]);
    ledger.until("the others are heard", |ledger| ledger.ids().len() > 300).await;
    let counts = running.stop().await;
    assert_eq!((counts.set_aside, counts.aside, counts.unheld), (1, 1, 1), "nobody holds it");
    assert!(counts.refusal.unwrap().contains("E-TEST"));
    assert_eq!(counts.waits_since_ms, None, "nothing waits for it");
    assert!(counts.retries >= 3);
    let missing = 600 - ledger.ids().len();
    assert!((200..=256).contains(&missing), "{missing}: one batch is missing");

    // The same receiver has learned to take it by the next start.
    let moody = Moody { ledger: ledger.clone(), busy: AtomicU32::new(0), refuse: None };
    let running = home.start(vec![Arc::new(moody)]);
    ledger.until("what was set aside is heard", |ledger| ledger.ids().len() == 600).await;
    let counts = running.stop().await;
    assert_eq!((counts.aside, counts.unheld), (0, 0));
    ledger.check(600);
}

/// Cannot be reached.
struct Dead;

impl Channel for Dead {
    fn capabilities(&self) -> Capabilities {
        let max_bytes = 64 * 1024;
        Capabilities { ack: true, replay: false, order: Order::None, max_bytes, partitions: 1 }
    }
    fn health(&self) -> BoxFuture<'_, channel::Result<()>> {
        Box::pin(async { Err(unreachable()) })
    }
    fn close(&self, _: Duration) -> BoxFuture<'_, channel::Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

impl Publish for Dead {
    fn publish(&self, _: Message) -> BoxFuture<'_, channel::Result<Receipt>> {
        Box::pin(async { Err(unreachable()) })
    }
}

fn unreachable() -> channel::Error {
    channel::Error::Unreachable { peer: "dead".to_owned(), reason: "refused".to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_holds_is_enough_and_the_other_gets_it_all_later() {
    let place = folder();
    let mut home = Home::new(place.path());
    home.options = Options { segment_bytes: 2_000, quota_bytes: 6_000, ..home.options };
    home.settings.drain_ms = Millis(200);
    let (channel, ledger) = (embedded(), Ledger::default());
    let _hearing = hear(&channel, &ledger).await;
    // More than the outbox has room for: a dead receiver does not fill it.
    for n in 0..40 {
        home.append(n * 100..(n + 1) * 100).await;
    }
    let running = home.start(vec![Arc::new(Dead), Arc::new(channel.clone())]);
    ledger.until("all is heard", |ledger| ledger.ids().len() >= 4_000).await;
    ledger.until("all is held", |_| running.counts.snapshot().unheld == 0).await;
    let counts = running.stop().await;
    assert_eq!(counts.failing.keys().collect::<Vec<_>>(), ["receiver 0"], "{counts:?}");
    assert!(!counts.is_full && counts.shelf_bytes < 12_000, "{counts:?}");
    ledger.check(4_000);

    // What is still kept reaches the first one once it lives; the second is not asked to take it again.
    let (late, again) = (Ledger::default(), Ledger::default());
    let (first, second) = (embedded(), embedded());
    let _listening = hear(&first, &late).await;
    let _hearing_on = hear(&second, &again).await;
    home.append(4_000..4_001).await;
    let running = home.start(vec![Arc::new(first), Arc::new(second)]);
    late.until("the newest is heard", |late| late.ids().contains(&"e-4000".to_owned())).await;
    again.until("the newest is heard", |again| again.ids().contains(&"e-4000".to_owned())).await;
    let counts = running.stop().await;
    assert!(counts.failing.is_empty(), "{counts:?}");
    assert!(late.ids().len() > 1, "{:?}", late.ids());
    assert_eq!(again.ids(), ["e-4000"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_says_nothing_never_lets_the_outbox_forget() {
    let place = folder();
    let home = Home::new(place.path());
    let (channel, ledger) = (embedded(), Ledger::default());
    let _hearing = hear(&channel, &ledger).await;
    let mute = FaultyPublish::new(
        Arc::new(channel.clone()),
        Faults { is_mute: true, ..Faults::default() },
        1,
    );
    home.append(0..300).await;
    let running = home.start(vec![Arc::new(mute)]);
    ledger.until("all is heard", |ledger| ledger.ids().len() >= 300).await;
    let counts = running.stop().await;
    assert!(counts.unheld >= 2, "{counts:?}");

    let twice = Ledger::default();
    let other = embedded();
    let _listening = hear(&other, &twice).await;
    let mute = FaultyPublish::new(
        Arc::new(channel.clone()),
        Faults { is_mute: true, ..Faults::default() },
        1,
    );
    let running = home.start(vec![Arc::new(mute), Arc::new(other)]);
    twice.until("all is heard there too", |ledger| ledger.ids().len() >= 300).await;
    let counts = running.stop().await;
    assert_eq!(counts.unheld, 0, "the one that acknowledges decides");
    twice.check(300);
}
