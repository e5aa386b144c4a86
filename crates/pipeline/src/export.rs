//! What a scorecard rests on, as plain files that any language can read and settle again.
//!
//! A folder holds `manifest.json`, `scorecard.json` (the digested bytes), `policy.toml`, `trust.json`, `context.json`,
//! `register.json` where the context names a register, and `batches.ndjson` (whole batches, a line each). Nothing in it
//! was not public before, and nothing else is needed. [`span`] does the same for windows of several hours.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use events::event::Network;
use events::identity::Digest;
use events::wire::{Frame, to_line};
use ledger::Ledger;
use serde::{Deserialize, Serialize};
use sla::context::Context;
use sla::hour::EventSet;
use sla::scorecard::{Scorecard, canonical_bytes};
use sla::window::{Hour, Window};
use warehouse::Reader;

use crate::Error;

pub mod span;

/// The format of the manifest.
pub const FORMAT: &str = "naap/export/1";

/// The names an export holds, [`REGISTER`] aside; a manifest's names are checked against these and never become paths.
pub const FILES: [&str; 5] =
    ["scorecard.json", "policy.toml", "trust.json", "context.json", BATCHES];

/// The name of the file that holds the register, where the context names one.
pub const REGISTER: &str = "register.json";

/// The name of the file that holds the batches.
pub const BATCHES: &str = "batches.ndjson";

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileEntry {
    /// How long it is.
    pub bytes: u64,
    /// One of [`FILES`], or [`REGISTER`].
    pub name: String,
    /// SHA-256 of what it holds.
    pub sha256: Digest,
}

/// What an export holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// How many batches.
    pub batches: u64,
    /// The digest of the scorecard.
    pub digest: Digest,
    /// The events it rests on.
    pub event_set: EventSet,
    /// The files.
    pub files: Vec<FileEntry>,
    /// [`FORMAT`].
    pub format: String,
    /// The network.
    pub network: Network,
    /// The revision.
    pub revision: u32,
    /// The window.
    pub window: Window,
}

impl Manifest {
    /// The names of the files, which are ours and not the manifest's; none where it lists any others.
    pub fn names(&self) -> Option<Vec<&'static str>> {
        span::names(&FILES, &self.files)
    }
}

/// An export whose batches are still in the ledger.
#[derive(Debug, Clone)]
pub struct Export {
    /// What it holds.
    pub manifest: Manifest,
    small: Vec<(&'static str, Vec<u8>)>,
    used: Vec<u64>,
}

impl Export {
    /// Gathers the export of a settled hour at a revision, or at its latest.
    pub fn of(
        ledger: &Ledger,
        reader: &dyn Reader,
        network: Network,
        hour: Hour,
        revision: Option<u32>,
    ) -> Result<Self, Error> {
        let absent = |what: &str| Error::Absent(format!("{network} {hour} {what}"));
        let Some(view) = reader.hour_record(network, hour, revision)? else {
            let latest = reader.hour_record(network, hour, None)?;
            return Err(match (latest, revision) {
                (Some(latest), Some(asked)) => {
                    absent(&format!("has no revision {asked}; the latest is {}", latest.revision))
                }
                _ => absent("is not settled"),
            });
        };
        let small = small_files(reader, &view.context, view.scorecard_bytes, &absent)?;
        let mut files: Vec<FileEntry> =
            small.iter().map(|(name, content)| entry(name, content)).collect();
        files.push(lines_entry(BATCHES, lines(ledger, &view.used))?);
        let manifest = Manifest {
            batches: u64::try_from(view.used.len()).unwrap_or(u64::MAX),
            digest: view.digest,
            event_set: view.event_set,
            files,
            format: FORMAT.to_owned(),
            network,
            revision: view.revision,
            window: Window::hour(hour),
        };
        Ok(Self { manifest, small, used: view.used })
    }

    /// The manifest as it is written.
    pub fn manifest_bytes(&self) -> Vec<u8> {
        canonical_bytes(&self.manifest)
    }

    /// A file other than the batches.
    pub fn small_file(&self, name: &str) -> Option<&[u8]> {
        self.small.iter().find(|(known, _)| *known == name).map(|(_, content)| content.as_slice())
    }

    /// The lines of `batches.ndjson`, each with its line feed.
    pub fn lines<'a>(
        &'a self,
        ledger: &'a Ledger,
    ) -> impl Iterator<Item = Result<Vec<u8>, Error>> + 'a {
        lines(ledger, &self.used)
    }

    /// Writes the export into a new or empty folder; `progress` hears how many batches were written.
    pub fn write(
        &self,
        ledger: &Ledger,
        folder: &Path,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), Error> {
        check_empty(folder)?;
        let large = (BATCHES, self.lines(ledger));
        write_files(folder, &self.small, large, &self.manifest_bytes(), progress)
    }
}

/// Writes the files of an export; `progress` hears how many lines of the large one were written.
fn write_files(
    folder: &Path,
    small: &[(&'static str, Vec<u8>)],
    (name, lines): (&str, impl Iterator<Item = Result<Vec<u8>, Error>>),
    manifest: &[u8],
    progress: &mut dyn FnMut(u64),
) -> Result<(), Error> {
    for (name, content) in small {
        let path = folder.join(name);
        std::fs::write(&path, content).map_err(failed(&path))?;
    }
    let path = folder.join(name);
    let mut file = BufWriter::new(File::create(&path).map_err(failed(&path))?);
    for (count, line) in (1..).zip(lines) {
        file.write_all(&line?).map_err(failed(&path))?;
        progress(count);
    }
    file.flush().map_err(failed(&path))?;
    // The manifest comes last, so that a folder without one is seen to be unfinished.
    let path = folder.join("manifest.json");
    std::fs::write(&path, manifest).map_err(failed(&path))
}

/// The files of any export but those that are read line by line.
fn small_files(
    reader: &dyn Reader,
    context: &Context,
    scorecard_bytes: Vec<u8>,
    absent: &dyn Fn(&str) -> Error,
) -> Result<Vec<(&'static str, Vec<u8>)>, Error> {
    let scorecard: Scorecard = serde_json::from_slice(&scorecard_bytes)
        .map_err(|_| absent("has an unreadable scorecard"))?;
    let document =
        |digest: &Digest, what: &str| reader.document(digest)?.ok_or_else(|| absent(what));
    let mut small = vec![
        ("scorecard.json", scorecard_bytes),
        ("policy.toml", document(&scorecard.policy.hash, "names a policy that was not kept")?),
        ("trust.json", document(&scorecard.trust, "names a trust file that was not kept")?),
        ("context.json", canonical_bytes(context)),
    ];
    if let Some(register) = context.register() {
        small.push((REGISTER, document(&register, "names a register that was not kept")?));
    }
    Ok(small)
}

fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> Error + use<> {
    let path = path.to_owned();
    move |source| Error::File { path, source }
}

/// Makes a folder where there is none, and refuses one that holds anything.
fn check_empty(folder: &Path) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    if std::fs::read_dir(folder).map_err(failed(folder))?.next().is_some() {
        return Err(Error::Absent(format!("{} is not empty: name a new folder", folder.display())));
    }
    Ok(())
}

fn entry(name: &str, content: &[u8]) -> FileEntry {
    let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
    FileEntry { bytes, name: name.to_owned(), sha256: Digest::of(&[content]) }
}

fn lines<'a>(
    ledger: &'a Ledger,
    used: &'a [u64],
) -> impl Iterator<Item = Result<Vec<u8>, Error>> + 'a {
    used.iter().map(|ordinal| {
        let absent = || Error::Absent(format!("ledger record {ordinal} is not there"));
        let entry = ledger.get(*ordinal)?.ok_or_else(absent)?;
        let unreadable = |why: events::refusal::Refusal| Error::Unreadable {
            ordinal: *ordinal,
            why: why.to_string(),
        };
        let batch = Frame::parse(&entry.frame).and_then(Frame::inflate).map_err(unreadable)?;
        let mut line = to_line(&batch);
        line.push(b'\n');
        Ok(line)
    })
}

/// Reads the lines of a file once for its length and hash, so that they are never in memory together.
fn lines_entry(
    name: &str,
    lines: impl Iterator<Item = Result<Vec<u8>, Error>>,
) -> Result<FileEntry, Error> {
    use sha2::Digest as _;
    let mut hasher = sha2::Sha256::new();
    let mut bytes = 0;
    for line in lines {
        let line = line?;
        bytes += u64::try_from(line.len()).unwrap_or(u64::MAX);
        hasher.update(&line);
    }
    Ok(FileEntry { bytes, name: name.to_owned(), sha256: Digest(hasher.finalize().into()) })
}
