//! Says who may speak: delegations, and where it is a controller the roster, on a chain of its own.
//!
//! It says the whole again when any of it changed and once in a while, long before a delegation ends. What was said
//! last is noted only after it is synced, so a crash makes it say something twice, never not at all.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use api::health::{Check, Finding};
use channel::Message;
use events::body::Body;
use events::event::Event;
use events::identity::{Digest, EventId};
use events::unit::{Millis, UnixMillis};
use pipeline::Clock;
use publisher::identity::Identity;
use publisher::outbox::{Options, Outbox, Outgoing, Pushed, Shelf};
use publisher::pump::Way;
use publisher::translate::Speaker;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::instance::replace;
use crate::known::{Witness, compare};
use crate::process::{Deadline, Failures};
use crate::room;

/// The file that notes what was said last.
const SAID: &str = "said.json";

/// The longest the loop sleeps.
const NAP: Duration = Duration::from_secs(30);

/// How long it waits before it sends again.
const PAUSE: Duration = Duration::from_millis(500);

/// How long it waits for room on the disk.
const SHORT: Millis = Millis(1_000);

/// What a herald has to say at a moment.
pub type Statements = Box<dyn Fn(UnixMillis) -> Vec<Body> + Send>;

/// A herald and what it says.
pub struct Herald {
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
    /// Whether what the node says counts, where somebody elsewhere has to say so.
    pub speaking: Option<Finding>,
    /// Who it speaks as.
    pub speaker: Speaker,
    /// What it says.
    pub statements: Statements,
    /// Where batches go.
    pub ways: Vec<Way>,
    /// Who may know more of its chain than its folder does.
    pub witnesses: Vec<Witness>,
}

/// What was said last.
#[derive(Serialize, Deserialize)]
struct Said {
    at_ms: UnixMillis,
    gist: Digest,
}

/// A herald at work.
pub struct Heralding {
    /// Whether what the node says counts, where somebody elsewhere has to say so.
    pub checks: Vec<Check>,
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
    /// Begins. When this returns, what has to be said is sealed and synced, unless the disk is full.
    pub async fn start(self, failures: &Failures) -> anyhow::Result<Heralding> {
        let speaking = self.speaking.clone();
        let checks = speaking.map(|found| Check::new("speaking", move || found.clone()));
        let voice = self.open().await?;
        let (voice, due) = on_disk(move || voice.say_due()).await?;
        let shelf = voice.outbox.shelf().clone();
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = failures.watch("the herald", async move { voice.run(due, stopped).await });
        Ok(Heralding { checks: checks.into_iter().collect(), shelf, stop, task })
    }

    async fn open(self) -> anyhow::Result<Voice> {
        let attempt = || {
            let (options, secret) = (self.options.clone(), self.identity.secret().clone());
            let (network, ways) = (self.speaker.network, self.ways.clone());
            on_disk(move || {
                let (outbox, _) = Outbox::open(options, secret, network)?;
                let begin = |way: &Way| outbox.shelf().sent_below(&way.name);
                let at = ways.iter().map(begin).collect::<Result<_, _>>()?;
                Ok((at, outbox))
            })
        };
        let (at, outbox) = room::wait("the herald's folder", attempt).await?;
        let mut voice = Voice { at, herald: self, outbox, unnoted: None };
        compare(&mut voice.outbox, "the herald", &voice.herald.witnesses).await?;
        Ok(voice)
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
    /// How far each way came.
    at: Vec<u64>,
    herald: Herald,
    outbox: Outbox,
    /// What was said and could not be noted yet.
    unnoted: Option<Said>,
}

impl Voice {
    async fn run(mut self, mut due: UnixMillis, stop: CancellationToken) -> anyhow::Result<()> {
        while !stop.is_cancelled() {
            if (self.herald.clock)() >= due {
                (self, due) = on_disk(move || self.say_due()).await?;
            }
            let is_sent = self.send().await?;
            let wait = due.since((self.herald.clock)()).unwrap_or(Millis(0));
            let nap = if is_sent { NAP.min(Duration::from_millis(wait.0)) } else { PAUSE };
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
        self.send().await.map(drop)
    }

    /// Says everything if it is time to, and says when the next time is: soon, where the disk is full. Blocks on the disk.
    fn say_due(mut self) -> anyhow::Result<(Self, UnixMillis)> {
        let now = (self.herald.clock)();
        match self.say(now) {
            Ok(next) => Ok((self, next)),
            Err(error) if room::is_short(&error) => {
                tracing::warn!(
                    error = format!("{error:#}"),
                    "who may speak waits for room on the disk"
                );
                Ok((self, now.plus(SHORT)))
            }
            Err(error) => Err(error),
        }
    }

    fn say(&mut self, now: UnixMillis) -> anyhow::Result<UnixMillis> {
        // What found no room the last time, so that it is not said again meanwhile.
        self.outbox.sync()?;
        self.note()?;
        let last =
            self.herald.said().filter(|said| said.gist == self.herald.gist() && said.at_ms <= now);
        if let Some(next) =
            last.map(|said| said.at_ms.plus(self.herald.renew)).filter(|next| *next > now)
        {
            return Ok(next);
        }
        for event in self.events(now) {
            if let Pushed::Refused(refusal) = self.outbox.push(&event, now)? {
                anyhow::bail!("a statement about who may speak cannot be made: {refusal}");
            }
        }
        self.outbox.seal(now)?;
        self.outbox.sync()?;
        self.outbox.retire(now)?;
        self.unnoted = Some(Said { at_ms: now, gist: self.herald.gist() });
        self.note()?;
        Ok(now.plus(self.herald.renew))
    }

    /// Notes what was said last, if it is not noted.
    fn note(&mut self) -> anyhow::Result<()> {
        if let Some(said) = &self.unnoted {
            let path: &Path = &self.herald.folder.join(SAID);
            replace(path, &serde_json::to_vec(said)?)
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        self.unnoted = None;
        Ok(())
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

    /// Sends every way what was not sent there, in order; says whether nothing is left. One that fails holds up no other.
    async fn send(&mut self) -> anyhow::Result<bool> {
        let mut is_sent = true;
        for (way, at) in self.herald.ways.iter().zip(&mut self.at) {
            let shelf = self.outbox.shelf();
            while let Some(outgoing) = next(shelf, *at).await? {
                let ordinal = outgoing.ordinal;
                let Some(is_held) = send_one(way, outgoing).await else {
                    is_sent = false;
                    break;
                };
                let (shelf, name) = (shelf.clone(), way.name.clone());
                let noted = on_disk(move || {
                    if is_held { shelf.hold(ordinal) } else { shelf.set_aside(ordinal) }?;
                    Ok(shelf.note_sent(&name, ordinal + 1)?)
                });
                match noted.await {
                    // That it is held may be forgotten, which costs a second sending; that it is set aside may not.
                    Err(error) if room::is_short(&error) && is_held => {}
                    Err(error) if room::is_short(&error) => {
                        is_sent = false;
                        break;
                    }
                    noted => noted?,
                }
                *at = ordinal + 1;
            }
        }
        Ok(is_sent)
    }
}

async fn next(shelf: &Shelf, at: u64) -> anyhow::Result<Option<Outgoing>> {
    let shelf = shelf.clone();
    on_disk(move || Ok(shelf.next(at)?)).await
}

/// Sends a batch and says whether it is held, or refused for good; nothing if it has to be sent again.
async fn send_one(way: &Way, outgoing: Outgoing) -> Option<bool> {
    let chain = outgoing.position.key.to_string();
    let to = way.name.as_str();
    match way.channel.publish(Message { chain, body: outgoing.frame }).await {
        Ok(_) => Some(true),
        Err(error) if error.is_refusal() => {
            tracing::warn!(%error, to, "a receiver does not want to know who may speak");
            Some(false)
        }
        Err(error) => {
            tracing::debug!(%error, to, "who may speak could not be sent");
            None
        }
    }
}

/// Does what blocks on the disk where nothing else waits for it.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("the herald was cut short")?
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use channel::{BoxFuture, Capabilities, Channel, Order, Publish, Receipt};

    use super::*;
    use crate::config::Layers;
    use crate::instance::Instance;
    use crate::own::Own;

    /// Takes what it is sent, or nothing.
    #[derive(Default)]
    struct Receiver {
        heard: Mutex<Vec<bytes::Bytes>>,
        is_dead: bool,
    }

    impl Channel for Receiver {
        fn capabilities(&self) -> Capabilities {
            let max_bytes = 64 * 1024;
            Capabilities { ack: true, replay: false, order: Order::None, max_bytes, partitions: 1 }
        }
        fn health(&self) -> BoxFuture<'_, channel::Result<()>> {
            Box::pin(async { Ok(()) })
        }
        fn close(&self, _: Duration) -> BoxFuture<'_, channel::Result<()>> {
            Box::pin(async { Ok(()) })
        }
    }

    impl Publish for Receiver {
        fn publish(&self, message: Message) -> BoxFuture<'_, channel::Result<Receipt>> {
            Box::pin(async move {
                if self.is_dead {
                    let (peer, reason) = ("dead".to_owned(), "refused".to_owned());
                    return Err(channel::Error::Unreachable { peer, reason });
                }
                self.heard.lock().unwrap().push(message.body);
                Ok(Receipt::Held)
            })
        }
    }

    async fn voice(folder: &std::path::Path, receivers: [&Arc<Receiver>; 2]) -> Voice {
        let instance = Instance::open(folder).unwrap();
        let config = Layers::defaults().config().unwrap();
        let way = |(name, channel): (&str, &Arc<Receiver>)| {
            let channel: Arc<dyn Publish> = Arc::<Receiver>::clone(channel);
            Way { name: name.to_owned(), channel }
        };
        let ways = ["first", "second"].into_iter().zip(receivers).map(way).collect();
        let own = Own::of(&instance, &config).unwrap();
        let clock = crate::store::clock();
        let herald = own.herald(&instance, &config, ways, Vec::new(), &clock).unwrap();
        herald.open().await.unwrap()
    }

    #[tokio::test]
    async fn a_dead_peer_keeps_nothing_from_the_next_and_hears_it_all_later() {
        let folder = tempfile::tempdir().unwrap();
        let dead = Arc::new(Receiver { is_dead: true, ..Receiver::default() });
        let alive = Arc::new(Receiver::default());
        let voice = voice(folder.path(), [&dead, &alive]).await;
        let (mut voice, _) = voice.say_due().unwrap();
        assert!(!voice.send().await.unwrap(), "the first one still waits");
        let said = alive.heard.lock().unwrap().clone();
        assert!(!said.is_empty());
        assert!(!voice.send().await.unwrap());
        assert_eq!(*alive.heard.lock().unwrap(), said, "nothing is said twice");
        drop(voice);

        let risen = Arc::new(Receiver::default());
        let mut voice = self::voice(folder.path(), [&risen, &alive]).await;
        assert!(voice.send().await.unwrap());
        assert_eq!(*risen.heard.lock().unwrap(), said);
        assert_eq!(*alive.heard.lock().unwrap(), said);
    }
}
