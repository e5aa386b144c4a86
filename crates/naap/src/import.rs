//! `naap import`: captures become signed batches of this folder's collector, and the hours they touch are settled.
//!
//! The collector signs as itself what unsigned files say, at the times they say. Items are translated as they are
//! read and spilled to a file, so that a capture may be larger than the memory; sealing then goes by time, in an epoch
//! of its own, however the files were ordered. What the collector said before it does not say again. An import that was
//! cut off is taken up by the same import, in the same epoch, and comes out as if it had never been.

mod attempt;
mod chain;
mod recorded;
mod seal;
mod spill;
mod summary;

use std::path::Path;

use anyhow::Context;
use events::event::{Network, Role};
use events::refusal::{Defect, Refusal};
use events::unit::UnixMillis;
use publisher::intake::file::{Found, Limits};
use publisher::translate::{Speaker, translate};
use sla::trust::Member;

use crate::cli;
use crate::config::Config;
use crate::console::{Console, Progress, counted, grouped};
use crate::instance::Instance;
use crate::own::{COLLECTOR, Own};
use crate::store::{self, Store};
use attempt::Attempt;
use chain::Chains;
use recorded::{Recorded, Said};
use spill::Spill;
use summary::Summary;

/// Runs the verb.
pub fn run(arguments: &cli::Import, config: &Config, console: Console) -> anyhow::Result<()> {
    let folder = &config.instance.data;
    if !folder.exists() {
        // What ends the import anyway ends it before a folder is made.
        arguments.files.iter().try_for_each(|path| look(path, arguments.at))?;
        store::policy(config)?;
    }
    let instance = Instance::open(folder)?;
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
    let (attempt, now) = (Attempt::of(&instance, network), clock());
    let chains = Chains { attempt: &attempt, identity: &identity, network, now, store: &store };
    let latest = now.plus(events::unit::Millis(config.accept.future_max_ms));
    let gather = |unfinished: Option<u64>| -> anyhow::Result<Gathered> {
        let recorded = Recorded::of(&store.ledger, identity.key(), unfinished)?;
        let (at, speaker) = (arguments.at, speaker.clone());
        let mut reading = Reading { at, latest, recorded, speaker };
        let mut gathered = Gathered::new(instance.folder())?;
        for path in &arguments.files {
            let stopped = || format!("nothing was kept: stopped in {}", path.display());
            reading.file(path, &mut gathered).with_context(stopped)?;
        }
        Ok(gathered)
    };
    let unfinished = attempt.unfinished()?;
    let mut gathered = gather(unfinished)?;
    if !chains.seal(unfinished, &mut gathered)? {
        // Another import than the one that was cut off: what that one brought stands, and this one brings the rest.
        gathered = gather(None)?;
        let is_sealed = chains.seal(None, &mut gathered)?;
        anyhow::ensure!(is_sealed, "the record changed while it was written");
    }
    let mut summary = gathered.summary;
    settle(&store, clock(), &mut summary)?;
    console.text(summary.text(&config.instance.data))?;
    anyhow::ensure!(
        !summary.is_useless(),
        "no event came of these files: are they captures of a gateway?"
    );
    Ok(())
}

/// Looks at how a file begins: whether it can be read, and whether it says when it was.
fn look(path: &Path, at: Option<UnixMillis>) -> anyhow::Result<()> {
    let stopped = || format!("nothing was kept: stopped in {}", path.display());
    let mut found = publisher::intake::file::open(path, Limits::default()).with_context(stopped)?;
    match found.next().transpose().with_context(stopped)? {
        Some(Found::Capabilities(_)) => taken_at(path, at).map(drop).with_context(stopped),
        _ => Ok(()),
    }
}

/// When a capability dump was taken.
fn taken_at(path: &Path, at: Option<UnixMillis>) -> anyhow::Result<UnixMillis> {
    at.with_context(|| {
        format!(
            "{} is a capability dump, which carries no time: say when it was taken, such as --at 2026-01-08T21:50:00Z",
            path.display()
        )
    })
}

/// What the files say, to be sealed in two chains: an answer that a gateway gave once proves nobody listened until then,
/// so that what gateways said by themselves comes out alike whether or not the answer is imported with it.
struct Gathered {
    answered: Spill,
    said: Spill,
    summary: Summary,
}

impl Gathered {
    fn new(folder: &Path) -> anyhow::Result<Self> {
        Ok(Self {
            answered: Spill::create(folder, "answered")?,
            said: Spill::create(folder, "said")?,
            summary: Summary::default(),
        })
    }
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
    fn file(&mut self, path: &Path, gathered: &mut Gathered) -> anyhow::Result<()> {
        let Gathered { answered, said, summary } = gathered;
        let mut progress = Progress::new();
        let mut is_empty = true;
        for found in publisher::intake::file::open(path, Limits::default())? {
            is_empty = false;
            let (value, told_ms, spill) = match found? {
                Found::Envelope(envelope) => (envelope.value, UnixMillis(0), &mut *said),
                Found::Capabilities(dump) => (dump.value, taken_at(path, self.at)?, &mut *answered),
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
                match self.recorded.insert(event.id.as_str(), event.at_ms) {
                    Said::New => {}
                    Said::Twice => {
                        summary.repeated += 1;
                        continue;
                    }
                    Said::Before => {
                        summary.known += 1;
                        continue;
                    }
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
        if is_empty {
            summary.find_empty(path);
        }
        Ok(())
    }
}

/// Settles every hour that is over and was touched.
fn settle(store: &Store, now: UnixMillis, summary: &mut Summary) -> anyhow::Result<()> {
    let (listener, settled) = summary::listener();
    let mut settler = store.settlers().open(listener)?;
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
