//! What an import did, in words for the person who started it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use events::event::Network;
use events::identity::Digest;
use events::refusal::Refusal;
use pipeline::settle::{Listener, News};
use publisher::intake::file::Refused;
use sla::window::Hour;

use crate::console::counted;

/// How many examples are kept of each kind of refusal.
const EXAMPLES_MAX: usize = 3;

/// Refusals under one code.
#[derive(Debug, Default)]
struct Refusals {
    count: u64,
    /// What was seen, and how often; beyond a few kinds only counted in `count`.
    examples: BTreeMap<String, u64>,
}

/// An hour that was settled.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settled {
    network: Network,
    hour: Hour,
    revision: u32,
    digest: Digest,
}

/// What an import did.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Batches that are kept now.
    pub(super) batches: u64,
    /// Events that were made.
    pub(super) events: u64,
    /// Envelopes and dumps that were read.
    pub(super) items: u64,
    /// Files that held nothing.
    pub(super) empty: Vec<String>,
    /// Events that were said before.
    pub(super) known: u64,
    /// Events that these files say again.
    pub(super) repeated: u64,
    /// Hours that were settled, whether or not anything changed.
    pub(super) looked_at: u64,
    /// Hours that got a revision.
    pub(super) settled: Vec<Settled>,
    refused: BTreeMap<&'static str, Refusals>,
}

/// The hours that a settler tells of.
#[derive(Debug, Clone, Default)]
pub(super) struct Settlements(Arc<Mutex<Vec<Settled>>>);

impl Settlements {
    /// Takes them.
    pub(super) fn take(&self) -> Vec<Settled> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A listener, and what it heard.
pub(super) fn listener() -> (Listener, Settlements) {
    let settlements = Settlements::default();
    let heard = settlements.clone();
    let listener = move |news: &News<'_>| {
        if let News::Settled { digest, hour, network, revision } = news {
            let settled =
                Settled { network: *network, hour: *hour, revision: *revision, digest: *digest };
            heard.0.lock().unwrap_or_else(PoisonError::into_inner).push(settled);
        }
    };
    (Box::new(listener), settlements)
}

impl Summary {
    /// Notes a file that held nothing.
    pub(super) fn find_empty(&mut self, path: &Path) {
        self.empty.push(path.display().to_string());
    }

    /// Counts an item of a file that is no envelope.
    pub(super) fn refuse_item(&mut self, path: &Path, refused: &Refused) {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
        self.count(refused.code, format!("{name} line {}: {}", refused.place.line, refused.reason));
    }

    /// Counts something that is not used.
    pub(super) fn refuse(&mut self, refusal: &Refusal) {
        self.count(refusal.defect.code(), refusal.detail.clone());
    }

    /// Counts events as said before that turn out to be in the chain that is taken up.
    pub(super) fn find_recorded(&mut self, events: u64) {
        self.events = self.events.saturating_sub(events);
        self.known += events;
    }

    /// Whether things were refused and no event came of any of it, now or before.
    pub(super) fn is_useless(&self) -> bool {
        self.events == 0 && self.known == 0 && !self.refused.is_empty()
    }

    fn count(&mut self, code: &'static str, detail: String) {
        let refusals = self.refused.entry(code).or_default();
        refusals.count += 1;
        if refusals.examples.len() < EXAMPLES_MAX || refusals.examples.contains_key(&detail) {
            *refusals.examples.entry(detail).or_default() += 1;
        }
    }

    /// The whole of it.
    pub(super) fn text(&self, folder: &Path) -> String {
        let mut text = String::new();
        self.write(folder, &mut text).expect("writing to a string does not fail");
        text
    }

    fn write(&self, folder: &Path, text: &mut String) -> std::fmt::Result {
        let items = counted(self.items, "envelope", "envelopes");
        let events = counted(self.events, "event", "events");
        writeln!(
            text,
            "{items} read, {events} signed in {}",
            counted(self.batches, "batch", "batches")
        )?;
        for name in &self.empty {
            writeln!(text, "{name} is empty")?;
        }
        if self.known > 0 {
            writeln!(
                text,
                "{} recorded before and not said again",
                counted(self.known, "event", "events")
            )?;
        }
        if self.repeated > 0 {
            let events = counted(self.repeated, "event", "events");
            writeln!(text, "{events} said more than once in these files, and signed once")?;
        }
        if self.refused.is_empty() {
            writeln!(text, "nothing was refused")?;
        } else {
            writeln!(text, "refused, and what each means (docs/refusals.md says more):")?;
        }
        for (code, refusals) in &self.refused {
            writeln!(text, "  {:>6}  {code}: {}", refusals.count, meaning(code))?;
            for (detail, count) in &refusals.examples {
                writeln!(text, "          {count} x {detail}")?;
            }
        }
        match (self.looked_at, self.settled.len()) {
            (0, _) if self.is_useless() => {}
            (0, _) if self.events == 0 && self.known == 0 => {
                writeln!(text, "nothing new: no event came of these files")?
            }
            (0, _) if self.events == 0 => {
                writeln!(text, "nothing new: all of it was recorded before")?
            }
            (0, _) => writeln!(
                text,
                "no hour that is over was touched; the open hour settles 15 minutes after its end"
            )?,
            (_, 0) => writeln!(text, "no scorecard changed")?,
            _ => {}
        }
        for Settled { network, hour, revision, digest } in &self.settled {
            writeln!(text, "{network} {hour} settled as revision {revision}, digest {digest}")?;
        }
        let folder = folder.display();
        writeln!(text, "look:    naap serve --data {folder}")?;
        if let Some(Settled { network, hour, .. }) = self.settled.last() {
            let network = if *network == Network::Livepeer {
                String::new()
            } else {
                format!(" --network {network}")
            };
            writeln!(
                text,
                "export:  naap export --data {folder} --window {hour}{network} --out {hour}"
            )?;
        }
        Ok(())
    }
}

/// What a code means, in the words of the page that explains them all.
fn meaning(code: &str) -> &'static str {
    const PAGE: &str = include_str!("../../../../docs/refusals.md");
    let row = PAGE.lines().filter_map(|line| line.strip_prefix("| `")?.split_once("` | "));
    let found = row
        .filter(|(name, _)| *name == code)
        .filter_map(|(_, rest)| rest.split(" | ").next())
        .next();
    found.unwrap_or("not used")
}

#[cfg(test)]
mod tests {
    use events::refusal::Defect;

    use super::*;

    #[test]
    fn every_code_has_a_meaning() {
        for defect in Defect::ALL {
            assert_ne!(meaning(defect.code()), "not used", "{defect}");
        }
    }
}
