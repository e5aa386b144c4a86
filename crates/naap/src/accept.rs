//! From channels to the record's door: what comes is let in or refused, synced, and only then acknowledged.

use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use channel::http::{Decline, Sink};
use channel::{Delivery, Message, Subscription};
use events::refusal::{Defect, Refusal};
use events::wire::Frame;
use futures_util::FutureExt;
use pipeline::Clock;
use pipeline::intake::Intake;
use pipeline::settle::Wake;

use crate::process::Failures;

/// How many deliveries are let in at once: they share one sync.
const AT_ONCE: usize = 128;

/// How long a sender waits that we cannot serve now.
const BUSY_MS: u64 = 1_000;

/// How long a sender waits whose clock is ahead, or whose quota is spent.
const LATER_MS: u64 = 10_000;

/// Why the record takes nothing just now, if so. Clones share it.
#[derive(Clone, Default)]
pub struct Fault(Arc<Mutex<Option<String>>>);

impl Fault {
    /// What it was the last time anything was brought.
    pub fn now(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note<T>(&self, outcome: &Result<T, pipeline::Error>) {
        let fault = outcome.as_ref().err().map(ToString::to_string);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = fault;
    }
}

/// The record's door with what goes with it: whom to wake, and whom to tell when the record fails.
#[derive(Clone)]
pub struct Door {
    /// The time.
    pub clock: Clock,
    /// Whom to tell.
    pub failures: Failures,
    /// What keeps the record from taking anything.
    pub fault: Fault,
    /// The door itself.
    pub intake: Arc<Intake>,
    /// Whom to wake.
    pub wake: SyncSender<Wake>,
}

impl Door {
    /// Wakes the settler. A call that already waits does for this one too.
    pub fn wake(&self) {
        match self.wake.try_send(Wake::Look) {
            // A settler that is gone has told why itself.
            Ok(()) | Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {}
        }
    }

    /// Lets frames in: when it returns, what was not refused is synced.
    pub async fn take(
        &self,
        frames: Vec<Vec<u8>>,
    ) -> Result<Vec<Result<(), Refusal>>, pipeline::Error> {
        let (intake, received_ms) = (Arc::clone(&self.intake), (self.clock)());
        let taken =
            tokio::task::spawn_blocking(move || intake.accept_all(frames, received_ms)).await;
        let cancelled =
            |_| pipeline::Error::Absent("the door was closed in the middle of a batch".to_owned());
        let verdicts = taken.map_err(cancelled)?;
        self.fault.note(&verdicts);
        let verdicts = verdicts?;
        self.wake();
        Ok(verdicts.into_iter().map(|verdict| verdict.map(drop)).collect())
    }

    /// Takes deliveries until the channel is closed. A batch refused for good is counted and acknowledged: it was looked
    /// at. One that may be let in later is not, and comes again.
    pub async fn follow(self, mut subscription: Box<dyn Subscription>) -> anyhow::Result<()> {
        while let Some(first) = subscription.next().await.context("the channel failed")? {
            let mut deliveries: Vec<Delivery> = vec![first];
            while deliveries.len() < AT_ONCE {
                match subscription.next().now_or_never() {
                    Some(Ok(Some(delivery))) => deliveries.push(delivery),
                    _ => break,
                }
            }
            let frames = deliveries.iter().map(|delivery| delivery.message.body.to_vec()).collect();
            match self.take(frames).await {
                Ok(verdicts) => {
                    let mut later = false;
                    for (delivery, verdict) in deliveries.into_iter().zip(verdicts) {
                        if verdict.is_err_and(|refusal| is_passing(refusal.defect)) {
                            later = true;
                            drop(delivery);
                        } else {
                            delivery.ack().await.context("a delivery was not acknowledged")?;
                        }
                    }
                    if later {
                        tokio::time::sleep(std::time::Duration::from_millis(BUSY_MS)).await;
                    }
                }
                // What is not acknowledged comes again.
                Err(error) if error.is_retryable() => {
                    tracing::warn!(%error, "batches were not kept; their publishers try again");
                    drop(deliveries);
                    tokio::time::sleep(std::time::Duration::from_millis(BUSY_MS)).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// A sink for batches that peers push over HTTP.
    pub fn sink(&self) -> Sink {
        let door = self.clone();
        Arc::new(move |message| {
            let door = door.clone();
            Box::pin(async move {
                check_chain(&message)?;
                let verdicts = match door.take(vec![message.body.to_vec()]).await {
                    Ok(verdicts) => verdicts,
                    Err(error) if error.is_retryable() => {
                        tracing::warn!(%error, "a pushed batch was not kept; its publisher tries again");
                        return Err(Decline::Busy { retry_after_ms: BUSY_MS });
                    }
                    Err(error) => {
                        door.failures.tell(anyhow::Error::from(error).context("the record failed"));
                        return Err(Decline::Busy { retry_after_ms: LATER_MS });
                    }
                };
                verdicts.into_iter().next().unwrap_or(Ok(())).map_err(|refusal| decline(&refusal))
            })
        })
    }
}

/// Refuses a batch that came under another publisher's name than its own. One that cannot be read has no name; the door
/// says what is wrong with it.
fn check_chain(message: &Message) -> Result<(), Decline> {
    let Ok(frame) = Frame::parse(&message.body) else { return Ok(()) };
    let key = frame.header.key.to_string();
    if key == message.chain {
        return Ok(());
    }
    let detail = format!("the batch is of the chain {key}, not of {}", message.chain);
    Err(Decline::Final { code: channel::http::code::CHAIN.to_owned(), detail })
}

/// Whether the same batch may be let in later: once a clock is right, a key is vouched for, a trust file is there.
fn is_passing(defect: Defect) -> bool {
    matches!(defect, Defect::QuotaUnknownKey | Defect::BatchFuture | Defect::BatchNetwork)
}

fn decline(refusal: &Refusal) -> Decline {
    match refusal.defect {
        Defect::QuotaUnknownKey => Decline::Quota { retry_after_ms: LATER_MS },
        passing if is_passing(passing) => Decline::Busy { retry_after_ms: LATER_MS },
        defect => Decline::Final { code: defect.code().to_owned(), detail: refusal.detail.clone() },
    }
}

#[cfg(test)]
mod tests {
    use events::batch::{Batch, Payload};
    use events::event::Network;
    use events::unit::UnixMillis;

    use super::*;

    #[test]
    fn a_batch_comes_under_the_name_of_its_own_publisher() {
        let secret = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
        let payload = Payload::of([br#"{"any":1}"#.as_slice()]);
        let at = UnixMillis(1_767_903_000_000);
        let batch = Batch::seal(&secret, Network::Livepeer, 1, None, at, payload).unwrap();
        let body = bytes::Bytes::from(events::wire::encode(&batch).unwrap());
        let under = |chain: String| check_chain(&Message { chain, body: body.clone() });
        assert!(under(batch.header.key.to_string()).is_ok());
        let other = "0".repeat(64);
        let Err(Decline::Final { code, detail }) = under(other) else {
            panic!("it was not refused for good")
        };
        assert!(code == "E-CHANNEL-CHAIN" && detail.contains(&batch.header.key.to_string()));
        // What cannot be read is the door's to refuse, with its own code.
        let unread = Message { chain: "any".to_owned(), body: bytes::Bytes::from_static(b"?") };
        assert!(check_chain(&unread).is_ok());
    }
}
