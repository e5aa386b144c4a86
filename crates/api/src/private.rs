//! What `naap` passes in for feeds, sign-in and what signed-in users ask to be kept. Nothing here is decided by the API,
//! which writes nothing itself: whatever is kept, a [`Keeper`] keeps.

use std::sync::Arc;

use events::event::Network;
use events::identity::Address;
use events::unit::{Ppm, UnixMillis};
use futures_util::future::BoxFuture;

use crate::changes::Changes;
use crate::sign_in::SignIn;

/// A score has to move by two points of a hundred to be told, where nothing else is configured.
const STEP: Ppm = Ppm(20_000);

/// The parts behind feeds and private views.
pub struct Private {
    /// The changes of scores, brought up to date by whoever passes them in.
    pub changes: Arc<Changes>,
    /// What keeps subscriptions; none in a process that only reads.
    pub keeper: Option<Arc<dyn Keeper>>,
    /// Where this instance is reached from outside, such as `https://naap.example`; none if it is not known.
    pub public_url: Option<String>,
    /// Sign-in; none where it is not configured.
    pub sign_in: Option<SignIn>,
}

impl Default for Private {
    fn default() -> Self {
        let changes = Arc::new(Changes::new(STEP));
        Self { changes, keeper: None, public_url: None, sign_in: None }
    }
}

impl Private {
    /// What stands before a path in an answer: nothing where it is not known where we are reached.
    pub fn base(&self) -> &str {
        self.public_url.as_deref().unwrap_or_default().trim_end_matches('/')
    }
}

/// Whether messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// They are.
    Active,
    /// Not any more: it failed for too long.
    Paused,
}

/// Where changes of one address's score are sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// When it was created, in Unix milliseconds.
    pub created_ms: UnixMillis,
    /// How many messages were delivered.
    pub delivered: u64,
    /// How many attempts in a row to send the next message failed.
    pub failures: u32,
    /// Its name.
    pub id: String,
    /// What happened last, where that was a failure.
    pub last_failure: Option<String>,
    /// The network whose scores it follows.
    pub network: Network,
    /// Whether messages are sent.
    pub status: Status,
    /// Where to.
    pub url: String,
}

/// What somebody wants to be told where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The network whose scores are followed.
    pub network: Network,
    /// Whose scores, and whose subscription.
    pub owner: Address,
    /// Where messages are to be sent to.
    pub url: String,
}

/// A subscription that was made and is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// What signs its messages.
    pub secret: String,
    /// The subscription.
    pub subscription: Subscription,
}

/// Why something is not kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too many are being made at this moment.
    #[error("too many subscriptions are being made")]
    Busy,
    /// The URL did not give the challenge back.
    #[error("the challenge was not given back: {0}")]
    Challenge(String),
    /// It could not be written.
    #[error("cannot keep subscriptions: {0}")]
    Failed(String),
    /// There is no room.
    #[error("{0}")]
    TooMany(String),
    /// The URL must not be called.
    #[error("the URL cannot be called: {0}")]
    Url(String),
}

/// Keeps what signed-in users ask to be kept, and has it safe on disk before it says so.
pub trait Keeper: Send + Sync {
    /// The subscriptions of an address, oldest first.
    fn list(&self, owner: Address) -> Vec<Subscription>;

    /// Proves a URL by a challenge and subscribes it.
    fn add(self: Arc<Self>, wanted: Wanted) -> BoxFuture<'static, Result<Made, Refused>>;

    /// Forgets a subscription of an address; says whether there was one.
    fn remove(
        self: Arc<Self>,
        owner: Address,
        id: String,
    ) -> BoxFuture<'static, Result<bool, Refused>>;
}
