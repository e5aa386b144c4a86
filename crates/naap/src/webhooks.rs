//! Subscriptions to changes of scores: proven by a challenge, kept on disk before anybody is told so, and delivered in the
//! feed's order until each message is taken. It calls nobody whose address was not judged, and sends nothing to a URL that
//! did not ask for it.

mod call;
mod deliver;
mod signature;
mod store;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::changes::Changes;
use api::private::{Keeper, Made, Refused, Status, Subscription, Wanted};
use events::identity::Address;
use events::unit::Millis;
use futures_util::future::{BoxFuture, FutureExt as _};
use pipeline::Clock;
use tokio::sync::{Notify, Semaphore};

use crate::config;
use call::{Caller, Challenge};
use store::{Kept, Store};

pub use deliver::deliver;

/// How many URLs are challenged at once.
const CHALLENGES: usize = 4;

/// What subscriptions may cost.
#[derive(Debug, Clone)]
pub struct Limits {
    /// How many there may be, and how many of one address.
    subscriptions_max: usize,
    of_address_max: usize,
    /// The first pause after a failure, and the longest.
    retry: Millis,
    retry_max: Millis,
    /// After so long without a success nothing is sent any more.
    give_up: Millis,
}

/// The subscriptions of an instance.
pub struct Webhooks {
    caller: Caller,
    challenges: Semaphore,
    changes: Arc<Changes>,
    clock: Clock,
    limits: Limits,
    store: Mutex<Store>,
    /// Rung when there is something to deliver.
    bell: Notify,
}

impl Webhooks {
    /// Those that the folder keeps.
    pub fn open(
        path: &std::path::Path,
        config: &config::Webhooks,
        base: String,
        changes: Arc<Changes>,
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let limits = Limits {
            subscriptions_max: config.subscriptions_max,
            of_address_max: config.of_address_max,
            retry: Millis(config.retry_ms),
            retry_max: Millis(config.retry_max_ms),
            give_up: Millis(config.give_up_ms),
        };
        Ok(Self {
            caller: Caller::new(config.loopback, Duration::from_millis(config.request_ms), base),
            challenges: Semaphore::new(CHALLENGES),
            changes,
            clock: Arc::clone(clock),
            limits,
            store: Mutex::new(Store::open(path)?),
            bell: Notify::new(),
        })
    }

    /// How many there are, and how many of them are paused.
    pub fn count(&self) -> (usize, usize) {
        let store = self.lock();
        let paused = store.all().iter().filter(|kept| kept.status() == Status::Paused).count();
        (store.all().len(), paused)
    }

    fn lock(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is room for one more of this address.
    fn check_room(&self, wanted: &Wanted) -> Result<(), Refused> {
        let store = self.lock();
        let mine = store.all().iter().filter(|kept| kept.owner == wanted.owner);
        if mine.clone().any(|kept| kept.url == wanted.url && kept.network == wanted.network) {
            return Err(Refused::TooMany("you have subscribed this URL already".to_owned()));
        }
        if mine.count() >= self.limits.of_address_max {
            let most = self.limits.of_address_max;
            return Err(Refused::TooMany(format!("an address may have {most} subscriptions")));
        }
        if store.all().len() >= self.limits.subscriptions_max {
            return Err(Refused::TooMany("this instance keeps no more subscriptions".to_owned()));
        }
        Ok(())
    }

    async fn subscribe(self: Arc<Self>, wanted: Wanted) -> Result<Made, Refused> {
        let permit = self.challenges.try_acquire().map_err(|_| Refused::Busy)?;
        self.check_room(&wanted)?;
        let failed = |error: getrandom::Error| Refused::Failed(error.to_string());
        let challenge = Challenge::draw().map_err(failed)?;
        self.caller.prove(&wanted.url, &challenge).await?;
        drop(permit);
        // Only what changes from here on is told.
        let shown = self.changes.shown(wanted.network).ok_or(Refused::Busy)?;
        let cursor = shown.items.last().map(|item| item.place);
        let kept = Kept::new(&wanted, cursor, (self.clock)()).map_err(failed)?;
        let made = Made { secret: kept.secret.clone(), subscription: kept.subscription() };
        let held = Arc::clone(&self);
        self.on_disk(move |store| {
            held.check_room_in(store, &wanted)?;
            store.add(kept).map_err(|error| Refused::Failed(error.to_string()))
        })
        .await?;
        self.bell.notify_one();
        Ok(made)
    }

    /// Another of the same address may have come while this one was being proven.
    fn check_room_in(&self, store: &Store, wanted: &Wanted) -> Result<(), Refused> {
        let mine = store.all().iter().filter(|kept| kept.owner == wanted.owner).count();
        let is_full = store.all().len() >= self.limits.subscriptions_max;
        if mine >= self.limits.of_address_max || is_full {
            return Err(Refused::TooMany("there is no room any more".to_owned()));
        }
        Ok(())
    }

    /// Does what waits for the disk where that may block.
    async fn on_disk<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut Store) -> Result<T, Refused> + Send + 'static,
    ) -> Result<T, Refused> {
        let held = Arc::clone(self);
        let done = tokio::task::spawn_blocking(move || work(&mut held.lock())).await;
        done.map_err(|error| Refused::Failed(error.to_string()))?
    }
}

impl Keeper for Webhooks {
    fn list(&self, owner: Address) -> Vec<Subscription> {
        let store = self.lock();
        let mine = store.all().iter().filter(|kept| kept.owner == owner);
        mine.map(Kept::subscription).collect()
    }

    fn add(self: Arc<Self>, wanted: Wanted) -> BoxFuture<'static, Result<Made, Refused>> {
        // Whoever asked may hang up; what was begun is finished or not done at all.
        let work = tokio::spawn(self.subscribe(wanted));
        work.map(|done| done.unwrap_or_else(|error| Err(Refused::Failed(error.to_string()))))
            .boxed()
    }

    fn remove(
        self: Arc<Self>,
        owner: Address,
        id: String,
    ) -> BoxFuture<'static, Result<bool, Refused>> {
        async move {
            let forget = move |store: &mut Store| {
                store.remove(owner, &id).map_err(|error| Refused::Failed(error.to_string()))
            };
            self.on_disk(forget).await
        }
        .boxed()
    }
}
