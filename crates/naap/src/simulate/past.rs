//! Hours of a simulated past: said in virtual time, signed by everybody for themselves, and let in by the usual door.
//!
//! It is made once a folder and seed. A start that was cut off in the middle makes it again from its own beginning,
//! with other events, so that nothing is said twice.

use anyhow::Context;
use events::batch::Batch;
use events::event::Event;
use events::unit::{Millis, UnixMillis};
use events::wire;
use publisher::translate::translate;
use simulator::options::Options;
use simulator::sealer::Sealers;
use simulator::world::{Saying, What, World};

use super::{epoch, speaker};
use crate::console::{Progress, grouped};
use crate::instance::{Instance, replace};
use crate::store::Store;

/// How long a statement waits for its batch in virtual time: long, for fewer and fuller batches.
const SPAN: Millis = Millis(20_000);

/// How many frames are synced at once.
const FRAMES_AT_ONCE: usize = 128;

/// Makes the past up to `now` and gives the world that goes on from there; nothing if this folder has one.
pub(super) fn make(
    instance: &Instance,
    store: &Store,
    seed: u64,
    options: &Options,
    span: Millis,
    now: UnixMillis,
) -> anyhow::Result<Option<World>> {
    let mark = instance.folder().join("simulation").join(seed.to_string());
    if span.0 == 0 || mark.exists() {
        return Ok(None);
    }
    let mut world = World::new(seed, options.clone(), now.minus(span));
    let cast = std::sync::Arc::clone(world.cast());
    let mut scribe = Scribe { frames: Vec::new(), now, store };
    let mut sealers = Sealers::new(&cast, epoch(now), SPAN);
    let mut progress = Progress::new();
    let mut events = 0u64;
    while world.next_ms() < now {
        let Some(Saying { at_ms, speaker: place, what, .. }) = world.next() else { break };
        scribe.keep(sealers.ripe(at_ms)?)?;
        let said: Vec<Event> = match what {
            What::Event(event) => vec![*event],
            What::Envelope(bytes) | What::Transcode(bytes) => {
                let Some(player) = cast.nodes.get(place) else { continue };
                translate(&bytes, &speaker(player), at_ms).events
            }
        };
        for event in said {
            scribe.keep(sealers.push(&cast, place, at_ms, &event)?)?;
            events += 1;
        }
        progress.tell(|| {
            let hours = now.since(at_ms).map_or(0, |left| left.0 / 360_000);
            format!(
                "simulating the past: {} events, {}.{} hours to go",
                grouped(events),
                hours / 10,
                hours % 10
            )
        });
    }
    scribe.keep(sealers.flush(now)?)?;
    scribe.flush()?;
    replace(&mark, b"the past of this seed was made\n")
        .with_context(|| format!("cannot write {}", mark.display()))?;
    tracing::info!(events, "simulated the past");
    Ok(Some(world))
}

/// Lets batches into the record, many at a time.
struct Scribe<'a> {
    frames: Vec<Vec<u8>>,
    now: UnixMillis,
    store: &'a Store,
}

impl Scribe<'_> {
    fn keep(&mut self, batches: impl IntoIterator<Item = Batch>) -> anyhow::Result<()> {
        for batch in batches {
            self.frames.push(wire::encode(&batch)?);
        }
        if self.frames.len() < FRAMES_AT_ONCE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let frames = std::mem::take(&mut self.frames);
        for verdict in self.store.intake.accept_all(frames, self.now)? {
            verdict.context("a simulated batch was refused")?;
        }
        Ok(())
    }
}
