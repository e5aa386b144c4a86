//! Channels that are busy, that refuse, and that say nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use channel::faults::{Faults, FaultyPublish};
use channel::{BoxFuture, Capabilities, Channel, Message, Order, Publish, Receipt};
use events::wire;

use super::{Home, Ledger, embedded, hear};
use crate::outbox::folder;

/// Answers as told, and keeps what it takes.
struct Moody {
    ledger: Ledger,
    busy: AtomicU32,
    refuse: u64,
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
            if batch.header.seq == self.refuse {
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
    let moody = Moody { ledger: ledger.clone(), busy: AtomicU32::new(0), refuse: 1 };
    home.append(0..600).await;
    let running = home.start(vec![Arc::new(moody)]);
    ledger.until("the others are heard", |ledger| ledger.ids().len() > 300).await;
    let counts = running.stop().await;
    assert_eq!((counts.set_aside, counts.unheld), (1, 0));
    assert!(counts.retries >= 3);
    let missing = 600 - ledger.ids().len();
    assert!((200..=256).contains(&missing), "{missing}: one batch is missing");
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
