//! What the scorecard of a window of several hours rests on: the counts of those hours, a line each.
//!
//! A folder holds `manifest.json`, `scorecard.json` (the digested bytes), `policy.toml`, `trust.json`, `context.json`,
//! `register.json` where the context names a register, and `tallies.ndjson`. A deep one holds the hours' own exports
//! beside them, each under `hours/` in a folder with the hour's name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use events::event::Network;
use events::identity::Digest;
use ledger::Ledger;
use serde::{Deserialize, Serialize};
use sla::scorecard::{Basis, PinnedHour, Scorecard, canonical_bytes};
use sla::window::{Hour, Window};
use warehouse::Reader;

use super::{Export, FORMAT, FileEntry, REGISTER, check_empty, entry, lines_entry, write_files};
use crate::Error;

/// The name of the file that holds the counts.
pub const TALLIES: &str = "tallies.ndjson";

/// The name of the folder that holds the hours' own exports.
pub const HOURS: &str = "hours";

/// The names an export holds, [`REGISTER`] aside.
pub const FILES: [&str; 5] =
    ["scorecard.json", "policy.toml", "trust.json", "context.json", TALLIES];

/// What an export holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The digest of the scorecard.
    pub digest: Digest,
    /// The files.
    pub files: Vec<FileEntry>,
    /// [`FORMAT`].
    pub format: String,
    /// How many hours it rests on.
    pub hours: u64,
    /// The network.
    pub network: Network,
    /// Always 0: it is made once.
    pub revision: u32,
    /// The window.
    pub window: Window,
}

impl Manifest {
    /// The names of the files, which are ours and not the manifest's; none where it lists any others.
    pub fn names(&self) -> Option<Vec<&'static str>> {
        names(&FILES, &self.files)
    }
}

/// The names of an export's files, if those are what is listed.
pub(super) fn names(files: &[&'static str], listed: &[FileEntry]) -> Option<Vec<&'static str>> {
    let has_register = listed.iter().any(|file| file.name == REGISTER);
    let mut names = files.to_vec();
    names.extend(has_register.then_some(REGISTER));
    let found: BTreeSet<&str> = listed.iter().map(|file| file.name.as_str()).collect();
    let is_whole = found == names.iter().copied().collect() && listed.len() == names.len();
    is_whole.then_some(names)
}

/// One line of [`TALLIES`], the counts aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineOf {
    /// The hour.
    pub hour: Hour,
    /// Its revision.
    pub revision: u32,
}

/// An export whose counts are still in the warehouse.
#[derive(Debug, Clone)]
pub struct SpanExport {
    /// What it holds.
    pub manifest: Manifest,
    /// The hours it rests on.
    pub pinned: Vec<PinnedHour>,
    small: Vec<(&'static str, Vec<u8>)>,
}

impl SpanExport {
    /// Gathers the export of a window.
    pub fn of(reader: &dyn Reader, network: Network, window: Window) -> Result<Self, Error> {
        let absent = |what: &str| Error::Absent(format!("{network} {window} {what}"));
        let Some(view) = reader.window_record(network, window)? else {
            return Err(absent("was not made"));
        };
        let scorecard: Scorecard = serde_json::from_slice(&view.scorecard_bytes)
            .map_err(|_| absent("has an unreadable scorecard"))?;
        let Basis::Hours(pinned) = scorecard.basis else {
            return Err(absent("rests on no hours"));
        };
        let small = super::small_files(reader, &view.context, view.scorecard_bytes, &absent)?;
        let mut files: Vec<FileEntry> =
            small.iter().map(|(name, content)| entry(name, content)).collect();
        files.push(lines_entry(TALLIES, lines(reader, network, &pinned))?);
        let manifest = Manifest {
            digest: view.digest,
            files,
            format: FORMAT.to_owned(),
            hours: u64::try_from(pinned.len()).unwrap_or(u64::MAX),
            network,
            revision: 0,
            window,
        };
        Ok(Self { manifest, pinned, small })
    }

    /// The manifest as it is written.
    pub fn manifest_bytes(&self) -> Vec<u8> {
        canonical_bytes(&self.manifest)
    }

    /// A file other than the counts.
    pub fn small_file(&self, name: &str) -> Option<&[u8]> {
        self.small.iter().find(|(known, _)| *known == name).map(|(_, content)| content.as_slice())
    }

    /// The lines of `tallies.ndjson`, each with its line feed.
    pub fn lines<'a>(
        &'a self,
        reader: &'a dyn Reader,
    ) -> impl Iterator<Item = Result<Vec<u8>, Error>> + 'a {
        lines(reader, self.manifest.network, &self.pinned)
    }

    /// Writes the export into a new or empty folder, with those of its hours where there is a ledger to make them from;
    /// `progress` hears how many hours were written.
    pub fn write(
        &self,
        reader: &dyn Reader,
        ledger: Option<&Ledger>,
        folder: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        check_empty(folder)?;
        if let Some(ledger) = ledger {
            for (count, pinned) in (1..).zip(&self.pinned) {
                let (network, revision) = (self.manifest.network, Some(pinned.revision));
                let export = Export::of(ledger, reader, network, pinned.hour, revision)?;
                export.write(ledger, &hour_folder(folder, pinned.hour), &mut |_| {})?;
                progress(count);
            }
        }
        let large = (TALLIES, self.lines(reader));
        write_files(folder, &self.small, large, &self.manifest_bytes(), progress)
    }
}

/// Where the export of an hour stands in a deep one.
pub fn hour_folder(folder: &Path, hour: Hour) -> PathBuf {
    folder.join(HOURS).join(hour.to_string())
}

/// Canonical: the members stand in order, and the counts are kept as canonical bytes.
fn lines<'a>(
    reader: &'a dyn Reader,
    network: Network,
    pinned: &'a [PinnedHour],
) -> impl Iterator<Item = Result<Vec<u8>, Error>> + 'a {
    pinned.iter().map(move |PinnedHour { hour, revision, tally }| {
        let of = format!("the counts of {network} {hour} revision {revision}");
        let bytes = reader.tally_bytes(network, *hour, *revision)?;
        let bytes = bytes.ok_or_else(|| Error::Absent(format!("{of} were not kept")))?;
        if Digest::of(&[&bytes]) != *tally {
            return Err(Error::Absent(format!("{of} are not {tally}")));
        }
        let mut line =
            format!("{{\"hour\":\"{hour}\",\"revision\":{revision},\"tally\":").into_bytes();
        line.extend_from_slice(&bytes);
        line.extend_from_slice(b"}\n");
        Ok(line)
    })
}
