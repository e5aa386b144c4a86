//! Says who may speak: delegations, and where it is a controller the roster, on a chain of its own.
//!
//! It says the whole again when any of it changed and once in a while, long before a delegation ends. What was said
//! last is noted only after it is synced, so a crash makes it say something twice, never not at all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use channel::{Message, Publish};
use events::body::Body;
use events::event::Event;
use events::identity::{Digest, EventId};
use events::unit::{Millis, UnixMillis};
use pipeline::Clock;
use publisher::identity::Identity;
use publisher::outbox::{Options, Outbox, Pushed, Shelf};
use publisher::translate::Speaker;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::instance::replace;
use crate::process::{Deadline, Failures};

/// The file that notes what was said last.
const SAID: &str = "said.json";

/// The longest the loop sleeps.
const NAP: Duration = Duration::from_secs(30);

/// How long it waits before it sends again.
const PAUSE: Duration = Duration::from_millis(500);

/// What a herald has to say at a moment.
pub type Statements = Box<dyn Fn(UnixMillis) -> Vec<Body> + Send>;

/// A herald and what it says.
pub struct Herald {
    /// Where batches go.
    pub channels: Vec<Arc<dyn Publish>>,
    /// The time.
    pub clock: Clock,
    /// What is said, in words that change when it does.
    pub gist: String,
    /// Its name and key.
    pub identity: Identity,
    /// Its folder.
    pub folder: PathBuf,
    /// Its outbox.
    pub options: Options,
    /// How often it is said again.
    pub renew: Millis,
    /// Who it speaks as.
    pub speaker: Speaker,
    /// What it says.
    pub statements: Statements,
}

/// What was said last.
#[derive(Serialize, Deserialize)]
struct Said {
    at_ms: UnixMillis,
    gist: Digest,
}

/// A herald at work.
pub struct Heralding {
    /// What it said.
    pub shelf: Shelf,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Heralding {
    /// Lets it finish.
    pub async fn stop(self, deadline: Deadline) {
        self.stop.cancel();
        deadline.join("the herald", [self.task]).await;
    }
}

impl Herald {
    /// Begins. When this returns, what has to be said is sealed and synced.
    pub async fn start(self, failures: &Failures) -> anyhow::Result<Heralding> {
        let (voice, due) = on_disk(move || {
            let network = self.speaker.network;
            let (outbox, _) =
                Outbox::open(self.options.clone(), self.identity.secret().clone(), network)?;
            Voice { at: outbox.shelf().held_below(), herald: self, outbox }.say_due()
        })
        .await?;
        let shelf = voice.outbox.shelf().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = failures.watch("the herald", async move { voice.run(due, stopped).await });
        Ok(Heralding { shelf, stop, task })
    }

    fn gist(&self) -> Digest {
        Digest::of(&[self.gist.as_bytes()])
    }

    fn said(&self) -> Option<Said> {
        // One that cannot be read is as good as none: it is all said again.
        let text = std::fs::read(self.folder.join(SAID)).ok()?;
        serde_json::from_slice(&text).ok()
    }
}

struct Voice {
    at: u64,
    herald: Herald,
    outbox: Outbox,
}

impl Voice {
    async fn run(mut self, mut due: UnixMillis, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            if (self.herald.clock)() >= due {
                (self, due) = on_disk(move || self.say_due()).await?;
            }
            let is_sent = self.send().await?;
            let nap = if is_sent { NAP } else { PAUSE };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
        self.send().await.map(drop)
    }

    /// Says everything if it is time to, and says when the next time is. Blocks on the disk.
    fn say_due(mut self) -> anyhow::Result<(Self, UnixMillis)> {
        let now = (self.herald.clock)();
        let last =
            self.herald.said().filter(|said| said.gist == self.herald.gist() && said.at_ms <= now);
        if let Some(next) =
            last.map(|said| said.at_ms.plus(self.herald.renew)).filter(|next| *next > now)
        {
            return Ok((self, next));
        }
        for event in self.events(now) {
            if let Pushed::Refused(refusal) = self.outbox.push(&event, now)? {
                anyhow::bail!("a statement about who may speak cannot be made: {refusal}");
            }
        }
        self.outbox.seal(now)?;
        self.outbox.sync()?;
        self.outbox.retire(now)?;
        self.note(&Said { at_ms: now, gist: self.herald.gist() })?;
        let next = now.plus(self.herald.renew);
        Ok((self, next))
    }

    fn note(&self, said: &Said) -> anyhow::Result<()> {
        let path: &Path = &self.herald.folder.join(SAID);
        replace(path, &serde_json::to_vec(said)?)
            .with_context(|| format!("cannot write {}", path.display()))
    }

    fn events(&self, now: UnixMillis) -> Vec<Event> {
        let bodies = (self.herald.statements)(now);
        let numbered = (0u32..).zip(bodies);
        let event = |(number, body): (u32, Body)| {
            let id: EventId = format!("say/{now}/{number}")
                .parse()
                .expect("letters, digits and slashes, and short");
            self.herald.speaker.event(id, now, body)
        };
        numbered.map(event).collect()
    }

    /// Sends what was not sent, in order; says whether nothing is left.
    async fn send(&mut self) -> anyhow::Result<bool> {
        loop {
            let (shelf, at) = (self.outbox.shelf().clone(), self.at);
            let next = on_disk(move || {
                shelf.hold_below(at)?;
                Ok(shelf.next(at)?)
            });
            let Some(outgoing) = next.await? else { return Ok(true) };
            let chain = outgoing.position.key.to_string();
            for channel in &self.herald.channels {
                let message = Message { chain: chain.clone(), body: outgoing.frame.clone() };
                match channel.publish(message).await {
                    Ok(_) => {}
                    Err(error) if error.is_refusal() => {
                        tracing::warn!(%error, "a receiver does not want to know who may speak");
                    }
                    Err(error) => {
                        tracing::debug!(%error, "who may speak could not be sent");
                        return Ok(false);
                    }
                }
            }
            self.at = outgoing.ordinal + 1;
        }
    }
}

/// Does what blocks on the disk where nothing else waits for it.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("the herald was cut short")?
}
