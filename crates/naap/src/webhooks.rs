//! Subscriptions to changes of scores: proven by a challenge, kept on disk before anybody is told so, and delivered in the
//! feed's order until each message is taken. It calls nobody whose address was not judged, and sends nothing to a URL that
//! did not ask for it.

mod call;
mod deliver;
mod signature;
mod store;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use api::changes::Changes;
use api::private::{Keeper, Made, Refused, Status, Subscription, Wanted};
use events::identity::Address;
use events::unit::Millis;
use futures_util::future::{BoxFuture, FutureExt as _};
use pipeline::Clock;
use tokio::sync::Notify;

use crate::config;
use call::{Caller, Challenge};
use store::{Kept, Store};

pub use deliver::deliver;

/// How many URLs are challenged at once; of one address one.
const CHALLENGES: usize = 64;

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
    changes: Arc<Changes>,
    clock: Clock,
    limits: Limits,
    /// Whose URLs are being challenged.
    proving: Mutex<BTreeSet<Address>>,
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
            changes,
            clock: Arc::clone(clock),
            limits,
            proving: Mutex::default(),
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

    async fn subscribe(self: Arc<Self>, wanted: Wanted) -> Result<Made, Refused> {
        let proving = Proving::begin(&self, wanted.owner)?;
        room(&self.limits, &self.lock(), &wanted)?;
        let failed = |error: getrandom::Error| Refused::Failed(error.to_string());
        let challenge = Challenge::draw().map_err(failed)?;
        self.caller.prove(&wanted.url, &challenge).await?;
        drop(proving);
        // Only what changes from here on is told.
        let shown = self.changes.shown(wanted.network).ok_or(Refused::Busy)?;
        let cursor = shown.items.last().map(|item| item.place);
        let kept = Kept::new(&wanted, cursor, (self.clock)()).map_err(failed)?;
        let made = Made { secret: kept.secret.clone(), subscription: kept.subscription() };
        let held = Arc::clone(&self);
        self.on_disk(move |store| {
            // Others may have come while this one was being proven.
            room(&held.limits, store, &wanted)?;
            store.add(kept).map_err(|error| Refused::Failed(error.to_string()))
        })
        .await?;
        self.bell.notify_one();
        Ok(made)
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

/// Whether there is room for one more subscription.
fn room(limits: &Limits, store: &Store, wanted: &Wanted) -> Result<(), Refused> {
    let mine = store.all().iter().filter(|kept| kept.owner == wanted.owner);
    if mine.clone().any(|kept| kept.url == wanted.url && kept.network == wanted.network) {
        return Err(Refused::TooMany("you have subscribed this URL already".to_owned()));
    }
    if mine.count() >= limits.of_address_max {
        let most = limits.of_address_max;
        return Err(Refused::TooMany(format!("an address may have {most} subscriptions")));
    }
    if store.all().len() >= limits.subscriptions_max {
        return Err(Refused::TooMany("this instance keeps no more subscriptions".to_owned()));
    }
    Ok(())
}

/// The right of an address to have a URL challenged, until it is dropped: slow URLs hold up their own owner alone.
struct Proving {
    owner: Address,
    webhooks: Arc<Webhooks>,
}

impl Proving {
    fn begin(webhooks: &Arc<Webhooks>, owner: Address) -> Result<Self, Refused> {
        let mut all = webhooks.proving.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= CHALLENGES || !all.insert(owner) {
            return Err(Refused::Busy);
        }
        Ok(Self { owner, webhooks: Arc::clone(webhooks) })
    }
}

impl Drop for Proving {
    fn drop(&mut self) {
        let mut all = self.webhooks.proving.lock().unwrap_or_else(PoisonError::into_inner);
        all.remove(&self.owner);
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

#[cfg(test)]
mod tests {
    use events::event::Network;
    use events::unit::UnixMillis;

    use super::*;
    use crate::config::Layers;

    fn webhooks(folder: &std::path::Path) -> Arc<Webhooks> {
        let config = Layers::defaults().config().unwrap().webhooks;
        let clock: Clock = Arc::new(|| UnixMillis(1));
        let changes = Arc::new(Changes::new(events::unit::Ppm(20_000)));
        let path = folder.join("subscriptions.json");
        Arc::new(Webhooks::open(&path, &config, String::new(), changes, &clock).unwrap())
    }

    fn wanted(owner: u8, path: &str) -> Wanted {
        let url = format!("https://hooks.example/{path}");
        Wanted { network: Network::Simulation, owner: Address([owner; 20]), url }
    }

    #[test]
    fn the_room_is_the_same_before_and_after_the_challenge() {
        let folder = tempfile::tempdir().unwrap();
        let held = webhooks(folder.path());
        let limits = Limits { subscriptions_max: 3, of_address_max: 2, ..held.limits.clone() };
        let mut store = held.lock();
        let refused = |store: &Store, wanted: &Wanted| room(&limits, store, wanted).err();
        for (owner, path) in [(1, "a"), (1, "b"), (2, "a")] {
            assert_eq!(refused(&store, &wanted(owner, path)), None);
            store.add(Kept::new(&wanted(owner, path), None, UnixMillis(1)).unwrap()).unwrap();
            let again = refused(&store, &wanted(owner, path)).unwrap().to_string();
            assert_eq!(again, "you have subscribed this URL already");
        }
        let most = refused(&store, &wanted(1, "c")).unwrap().to_string();
        assert_eq!(most, "an address may have 2 subscriptions");
        let full = refused(&store, &wanted(3, "a")).unwrap().to_string();
        assert_eq!(full, "this instance keeps no more subscriptions");
    }

    #[test]
    fn an_address_has_one_url_challenged_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let held = webhooks(folder.path());
        let (one, two) = (Address([1; 20]), Address([2; 20]));
        let first = Proving::begin(&held, one).unwrap();
        assert_eq!(Proving::begin(&held, one).err(), Some(Refused::Busy));
        drop(Proving::begin(&held, two).unwrap());
        drop(first);
        drop(Proving::begin(&held, one).unwrap());
    }
}
