//! Sends each subscriber the changes of its score, one after the other in the feed's order, again and again until one is
//! taken. Where it came to is on disk before the next one is sent, so a restart may send one twice and leaves none out.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::changes::{Item, Place};
use events::unit::{Millis, UnixMillis};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Webhooks;
use super::call::Failure;
use super::store::Kept;

/// How many messages are sent at once.
const AT_ONCE: usize = 16;

/// How often it is looked for what there is to send, where nothing rings.
const LOOK: Duration = Duration::from_secs(1);

/// What became of a message.
struct Outcome {
    id: String,
    place: Place,
    result: Result<(), Failure>,
}

/// Delivers until `stopping`.
pub async fn deliver(webhooks: Arc<Webhooks>, stopping: CancellationToken) -> anyhow::Result<()> {
    let mut busy: BTreeSet<String> = BTreeSet::new();
    let mut calls: JoinSet<Outcome> = JoinSet::new();
    loop {
        for (kept, item) in webhooks.due(&busy, AT_ONCE.saturating_sub(calls.len())) {
            busy.insert(kept.id.clone());
            calls.spawn(send(Arc::clone(&webhooks), kept, item));
        }
        tokio::select! {
            () = stopping.cancelled() => return Ok(()),
            () = webhooks.bell.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
            Some(ended) = calls.join_next() => match ended {
                Ok(outcome) => {
                    busy.remove(&outcome.id);
                    webhooks.note(outcome).await;
                }
                // A call that panicked is not tried again before the next start.
                Err(error) => tracing::error!(%error, "a call to a subscriber ended without an outcome"),
            },
        }
    }
}

async fn send(webhooks: Arc<Webhooks>, kept: Kept, item: Arc<Item>) -> Outcome {
    let now = (webhooks.clock)();
    let result = webhooks.caller.tell(&kept.url, &kept.secret, &item, now).await;
    Outcome { id: kept.id, place: item.place, result }
}

impl Webhooks {
    /// The next message of each subscriber that is due one, at most `most`.
    fn due(&self, busy: &BTreeSet<String>, most: usize) -> Vec<(Kept, Arc<Item>)> {
        let now = (self.clock)();
        let store = self.lock();
        let is_ready =
            |kept: &&Kept| !kept.is_paused && kept.next_ms <= now && !busy.contains(&kept.id);
        let next = |kept: &Kept| {
            let shown = self.changes.shown(kept.network)?;
            let mut behind = shown.after(kept.cursor.as_ref()).iter();
            let item = behind.find(|item| item.place.operator == kept.owner)?;
            Some((kept.clone(), Arc::clone(item)))
        };
        store.all().iter().filter(is_ready).filter_map(next).take(most).collect()
    }

    /// Writes down what became of a message. What cannot be written is tried again with the next look.
    async fn note(self: &Arc<Self>, outcome: Outcome) {
        let (held, now) = (Arc::clone(self), (self.clock)());
        let write = move || {
            let Outcome { id, place, result } = outcome;
            let limits = &held.limits;
            held.lock().change(&id, |kept| match result {
                Ok(()) => taken(kept, place),
                Err(failure) => {
                    failed(kept, &failure, now, (limits.retry, limits.retry_max), limits.give_up);
                }
            })
        };
        match tokio::task::spawn_blocking(write).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "cannot note what became of a message; it is sent again");
                // Else a full disk would make us send the same message as fast as it is taken.
                tokio::time::sleep(LOOK).await;
            }
            Err(error) => tracing::error!(%error, "noting what became of a message ended early"),
        }
    }
}

fn taken(kept: &mut Kept, place: Place) {
    kept.cursor = Some(place);
    kept.delivered = kept.delivered.saturating_add(1);
    kept.failing_since_ms = None;
    kept.failures = 0;
    kept.last_failure = None;
}

/// After a failure: the next pause is twice the one before, and after too long without a success nothing more is sent.
fn failed(
    kept: &mut Kept,
    failure: &Failure,
    now: UnixMillis,
    (retry, retry_max): (Millis, Millis),
    give_up: Millis,
) {
    let since = *kept.failing_since_ms.get_or_insert(now);
    let doublings = kept.failures.min(30);
    let pause = Millis(retry.0.saturating_mul(1 << doublings).min(retry_max.0));
    kept.failures = kept.failures.saturating_add(1);
    kept.last_failure = Some(failure.to_string());
    kept.next_ms = now.plus(pause);
    if *failure == Failure::Gone || since.plus(give_up) <= now {
        kept.is_paused = true;
        tracing::warn!(subscription = kept.id, failure = %failure, "a subscription is paused");
    }
}

#[cfg(test)]
mod tests {
    use api::private::Wanted;
    use events::event::Network;
    use events::identity::Address;

    use super::*;

    fn kept() -> Kept {
        let wanted = Wanted {
            network: Network::Livepeer,
            owner: Address([1; 20]),
            url: "https://hooks.example/".to_owned(),
        };
        Kept::new(&wanted, None, UnixMillis(0)).unwrap()
    }

    #[test]
    fn pauses_double_up_to_a_bound_and_end_in_a_rest() {
        let (mut kept, mut now) = (kept(), UnixMillis(1_000));
        let failure = Failure::Passing("status 500".to_owned());
        let mut pauses = Vec::new();
        while !kept.is_paused {
            failed(&mut kept, &failure, now, (Millis(5), Millis(40)), Millis(100));
            pauses.push(kept.next_ms.since(now).unwrap().0);
            now = kept.next_ms;
        }
        assert_eq!(pauses, [5, 10, 20, 40, 40, 40]);
        assert_eq!((kept.failures, kept.last_failure.as_deref()), (6, Some("status 500")));
    }

    #[test]
    fn a_success_forgives_and_a_goodbye_is_final() {
        let (mut kept, bounds) = (kept(), (Millis(5), Millis(40)));
        let failure = Failure::Passing("status 500".to_owned());
        failed(&mut kept, &failure, UnixMillis(1_000), bounds, Millis(100));
        let place = Place { hour: sla::window::Hour(7), hours: 24, operator: Address([1; 20]) };
        taken(&mut kept, place);
        assert_eq!((kept.failures, kept.failing_since_ms, kept.cursor), (0, None, Some(place)));
        failed(&mut kept, &failure, UnixMillis(9_000), bounds, Millis(100));
        assert!(!kept.is_paused, "what was before the success counts no more");
        failed(&mut kept, &Failure::Gone, UnixMillis(9_000), bounds, Millis(100));
        assert!(kept.is_paused);
    }
}
