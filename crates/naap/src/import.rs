//! `naap import`: captures become signed batches of this folder's collector, and the hours they touch are settled.
//!
//! The collector signs as itself what unsigned files say, at the times they say. Items are translated as they are
//! read and spilled to a file, so that a capture may be larger than the memory; sealing then goes by time, in an epoch
//! of its own, however the files were ordered. What the collector said before it does not say again.

mod recorded;
mod seal;
mod spill;
mod summary;

use std::path::Path;

use anyhow::Context;
use events::event::{Network, Role};
use events::refusal::{Defect, Refusal};
use events::unit::UnixMillis;
use publisher::identity::Identity;
use publisher::intake::file::{Found, Limits};
use publisher::translate::{Speaker, translate};
use sla::trust::Member;

use crate::cli;
use crate::config::Config;
use crate::console::{Console, Progress, counted, grouped};
use crate::instance::Instance;
use crate::own::{COLLECTOR, Own};
use crate::store::{self, Store};
use recorded::Recorded;
use seal::Seal;
use spill::Spill;
use summary::Summary;

/// Runs the verb.
pub fn run(arguments: &cli::Import, config: &Config, console: Console) -> anyhow::Result<()> {
    let instance = Instance::open(&config.instance.data)?;
    let clock = store::clock();
    let network = arguments.network.unwrap_or(config.instance.network);
    let identity = instance.node(COLLECTOR)?;
    let operator = instance.operator()?.address;
    let collector = Member { address: operator, key: Some(identity.key()), role: Role::Collector };
    // The file names everybody from the start, so that a first `naap dev` does not change what was settled here.
    Own::of(&instance, config)?.trust(&instance)?;
    let trust = instance.trust_with(network, &[collector])?;
    let others = Network::ALL.iter().filter(|other| **other != network);
    let mut all = others
        .filter_map(|other| instance.trust(*other).transpose())
        .collect::<anyhow::Result<Vec<_>>>()?;
    all.push(trust);
    let store = Store::open(&instance, config, all)?;

    let speaker = Speaker {
        network,
        reporter: operator,
        role: Role::Collector,
        node: identity.node.clone(),
        pseudonyms: identity.pseudonym_key(),
        region: None,
    };
    let mut summary = Summary::default();
    let mut spill = Spill::create(instance.folder())?;
    let latest = clock().plus(events::unit::Millis(config.accept.future_max_ms));
    let recorded = Recorded::of(&store.ledger, identity.key())?;
    let mut reading = Reading { at: arguments.at, latest, recorded, speaker };
    for path in &arguments.files {
        reading.file(path, &mut spill, &mut summary)?;
    }
    seal(&store, &identity, network, &mut spill, clock().0, &mut summary)?;
    settle(&store, clock(), &mut summary)?;
    console.text(summary.text(&config.instance.data))?;
    Ok(())
}

/// How files are read.
struct Reading {
    /// When capability dumps were taken.
    at: Option<UnixMillis>,
    /// What happened later than this cannot have happened yet.
    latest: UnixMillis,
    /// What the collector said before.
    recorded: Recorded,
    speaker: Speaker,
}

impl Reading {
    /// Translates the items of a file.
    fn file(
        &mut self,
        path: &Path,
        spill: &mut Spill,
        summary: &mut Summary,
    ) -> anyhow::Result<()> {
        let mut progress = Progress::new();
        for found in publisher::intake::file::open(path, Limits::default())? {
            let (value, told_ms) = match found? {
                Found::Envelope(envelope) => (envelope.value, UnixMillis(0)),
                Found::Capabilities(dump) => {
                    let at = self.at.with_context(|| {
                        format!(
                            "{} is a capability dump, which carries no time: say when it was taken, such as --at \
                             2026-01-08T21:50:00Z",
                            path.display()
                        )
                    })?;
                    (dump.value, at)
                }
                Found::Refused(refused) => {
                    summary.refuse_item(path, &refused);
                    continue;
                }
            };
            summary.items += 1;
            let translated = translate(&value, &self.speaker, told_ms);
            translated.refusals.iter().for_each(|refusal| summary.refuse(refusal));
            for event in translated.events {
                if event.at_ms > self.latest {
                    summary.refuse(&Refusal::new(Defect::EnvelopeTime, "later than now"));
                    continue;
                }
                if !self.recorded.insert(event.id.as_str()) {
                    summary.known += 1;
                    continue;
                }
                // The translation only gives events that encode.
                match event.encode() {
                    Ok(line) => spill.push(event.at_ms, &line)?,
                    Err(refusal) => summary.refuse(&refusal),
                }
                summary.events += 1;
            }
            progress.tell(|| {
                format!("{}: {} read", path.display(), counted(summary.items, "item", "items"))
            });
        }
        Ok(())
    }
}

/// Seals what was read, in the order of its times, and lets it into the record.
fn seal(
    store: &Store,
    identity: &Identity,
    network: Network,
    spill: &mut Spill,
    now_ms: u64,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let used = store
        .ledger
        .heads()
        .into_iter()
        .filter(|head| head.key == identity.key())
        .map(|head| head.epoch);
    // Seconds of the clock are above every epoch of a ledger that was lost; the highest one is above a clock set back.
    let epoch = used.max().map_or(0, |highest| highest + 1).max(now_ms / 1_000);
    let mut seal = Seal::new(identity.secret(), network, epoch);
    let mut progress = Progress::new();
    let total = spill.len();
    spill.in_order(|at_ms, line| {
        for frame in seal.push(at_ms, line)? {
            take(store, frame, now_ms, summary)?;
        }
        progress.tell(|| {
            format!("{} of {} events signed and kept", grouped(seal.events()), grouped(total))
        });
        Ok(())
    })?;
    for frame in seal.finish()? {
        take(store, frame, now_ms, summary)?;
    }
    take_all(store, now_ms, summary)
}

/// How many frames are synced at once.
const FRAMES_AT_ONCE: usize = 64;

fn take(store: &Store, frame: Vec<u8>, now_ms: u64, summary: &mut Summary) -> anyhow::Result<()> {
    summary.waiting.push(frame);
    if summary.waiting.len() < FRAMES_AT_ONCE { Ok(()) } else { take_all(store, now_ms, summary) }
}

fn take_all(store: &Store, now_ms: u64, summary: &mut Summary) -> anyhow::Result<()> {
    let frames = std::mem::take(&mut summary.waiting);
    for verdict in store.intake.accept_all(frames, UnixMillis(now_ms))? {
        match verdict {
            Ok(_) => summary.batches += 1,
            Err(refusal) => summary.refuse(&refusal),
        }
    }
    Ok(())
}

/// Settles every hour that is over and was touched.
fn settle(store: &Store, now: UnixMillis, summary: &mut Summary) -> anyhow::Result<()> {
    let (listener, settled) = summary::listener();
    let mut settler = store.settler(listener, now)?;
    let mut progress = Progress::new();
    let end = store.ledger.end().next;
    summary.looked_at = settler.catch_up(now, &mut |noted, hours| {
        progress.tell(|| match hours {
            0 => format!("{} of {} batches noted", grouped(noted), grouped(end)),
            _ => format!(
                "{} to settle",
                counted(u64::try_from(hours).unwrap_or(u64::MAX), "hour", "hours")
            ),
        });
    })?;
    drop(settler);
    summary.settled = settled.take();
    Ok(())
}
