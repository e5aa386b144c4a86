//! A folder of Parquet files that anyone may copy: written so that its manifest is true after any crash.
//!
//! ```text
//! manifest.json                                what there is, signed; written last
//! kind=scores/day=2026-01-08/<sha256>.parquet  the rows of one kind and day
//! .lock                                        held by the one process that writes here
//! .draft-…                                     a file that is being written
//! ```
//! A file is named by its own hash, so one that a manifest names is never written over: a new version of a day stands
//! beside the old one until the manifest names it, and only then the old one goes. Whoever reads by the manifest
//! therefore never sees half a publication. What the rows mean is not known here, nor what the time is.

mod check;
mod draft;

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use events::event::Network;
use events::identity::PublisherKey;

use crate::Error;
use crate::manifest::{self, Manifest};
use crate::name::{Day, Kind};
use crate::table::Column;

pub use check::{Verdict, check, difference};
pub use draft::Draft;

/// The manifest's name.
pub const MANIFEST: &str = "manifest.json";

const LOCK: &str = ".lock";
const DRAFT: &str = ".draft-";

/// A folder that this process writes.
pub struct Folder {
    path: PathBuf,
    published: Option<Manifest>,
    // Held for its lock only; the system releases it with the process.
    _lock: fs::File,
}

impl Folder {
    /// Makes the folder where there is none, and becomes the one process that writes in it.
    ///
    /// What a crash left half written is removed. An error where somebody else writes there, where it holds other
    /// things than a dataset, or one of another network, and where its manifest is not what was signed.
    pub fn open(path: &Path, network: Network) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(Error::io("make", path))?;
        let published = read_manifest(path)?;
        if published.is_none() {
            refuse_foreign(path)?;
        }
        let lock = lock(path)?;
        // Another process may have published between the look and the lock.
        let published = if published.is_none() { read_manifest(path)? } else { published };
        if let Some(published) = published.as_ref().filter(|found| found.network != network) {
            return Err(Error::OtherNetwork {
                path: path.to_owned(),
                found: published.network,
                wanted: network,
            });
        }
        remove_drafts(path)?;
        Ok(Self { path: path.to_owned(), published, _lock: lock })
    }

    /// What the folder holds by its manifest, if that is by this publisher. What another one published is not vouched
    /// for by anybody here, so it counts as not there.
    pub fn published(&self, key: &PublisherKey) -> Option<&Manifest> {
        self.published.as_ref().filter(|manifest| manifest.publisher.key == *key)
    }

    /// Begins a file of rows. It is part of nothing until its [`Draft::finish`] and a manifest that names it.
    pub fn draft(&self, kind: Kind, day: Day, columns: Vec<Column>) -> Result<Draft, Error> {
        Draft::begin(&self.path, kind, day, columns)
    }

    /// What is wrong with a file that a manifest names, after reading all of it; nothing where it is that file.
    pub fn difference(&self, file: &manifest::File) -> Result<Option<String>, Error> {
        difference(&self.path, file)
    }

    /// Makes this the folder's manifest, and removes the files of before that it does not name.
    pub fn publish(&mut self, manifest: Manifest, secret: &SigningKey) -> Result<(), Error> {
        let document = manifest.seal(secret)?;
        let draft = self.path.join(format!("{DRAFT}{MANIFEST}"));
        draft::write_synced(&draft, &document)?;
        let path = self.path.join(MANIFEST);
        fs::rename(&draft, &path).map_err(Error::io("rename into place", &path))?;
        sync_folder(&self.path)?;
        self.published = Some(manifest);
        self.sweep()
    }

    /// Removes the files that the manifest does not name and that are named as ours; leaves everything else alone.
    pub fn sweep(&self) -> Result<(), Error> {
        let named: BTreeSet<&str> = self.named().collect();
        for stray in files(&self.path)?.iter().filter(|found| !named.contains(found.as_str())) {
            let path = self.path.join(stray);
            fs::remove_file(&path).map_err(Error::io("remove", &path))?;
            // A folder that others put something into stays, and so does one that is not empty.
            for folder in path.ancestors().skip(1).take(2) {
                if fs::remove_dir(folder).is_err() {
                    break;
                }
            }
        }
        Ok(())
    }

    fn named(&self) -> impl Iterator<Item = &str> {
        self.published.iter().flat_map(|found| &found.files).map(|file| file.path.as_str())
    }
}

/// Whether a folder has a manifest that looks like one of a dataset, as against other files of that name.
pub fn is_published(folder: &Path) -> bool {
    let begins = b"{\"manifest\":";
    let mut found = Vec::new();
    let read = fs::File::open(folder.join(MANIFEST))
        .and_then(|file| file.take(12).read_to_end(&mut found));
    read.is_ok() && found == begins
}

/// The manifest of a folder, with its signatures checked; none where there is none.
pub fn read_manifest(folder: &Path) -> Result<Option<Manifest>, Error> {
    let path = folder.join(MANIFEST);
    let length = match fs::metadata(&path) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::io("look at", &path)(source)),
    };
    if length > manifest::BYTES_MAX {
        let why = format!("it is longer than {} bytes", manifest::BYTES_MAX);
        return Err(Error::Manifest { why }.at(&path));
    }
    let document = fs::read(&path).map_err(Error::io("read", &path))?;
    Manifest::open(&document).map(Some).map_err(|error| error.at(&path))
}

/// The files in a folder that are named as ours are, by path; also those that no manifest names.
fn files(folder: &Path) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for kind in names(folder)? {
        let Some(kind) = kind.strip_prefix("kind=").and_then(|text| text.parse::<Kind>().ok())
        else {
            continue;
        };
        let within = folder.join(format!("kind={kind}"));
        for day in names(&within)? {
            let Some(day) = day.strip_prefix("day=").and_then(|text| text.parse::<Day>().ok())
            else {
                continue;
            };
            for name in names(&within.join(format!("day={day}")))? {
                let Some(Ok(sha256)) = name.strip_suffix(".parquet").map(str::parse) else {
                    continue;
                };
                found.push(manifest::path_of(&kind, &day, &sha256));
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}

/// The names in a folder; none where it is none. Names that are no UTF-8 are not ours.
fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(source) => return Err(Error::io("list", folder)(source)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("list", folder))?;
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}

/// An error where a folder without a manifest holds anything that a publication cut short would not have left.
fn refuse_foreign(folder: &Path) -> Result<(), Error> {
    let is_ours =
        |name: &String| name == LOCK || name.starts_with(DRAFT) || name.starts_with("kind=");
    match names(folder)?.into_iter().find(|name| !is_ours(name)) {
        Some(name) => Err(Error::Foreign { path: folder.to_owned(), name }),
        None => Ok(()),
    }
}

fn lock(folder: &Path) -> Result<fs::File, Error> {
    let path = folder.join(LOCK);
    let open = fs::OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = open.map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Error::Busy { path: folder.to_owned() }),
        Err(fs::TryLockError::Error(source)) => Err(Error::io("lock", &path)(source)),
    }
}

fn remove_drafts(folder: &Path) -> Result<(), Error> {
    for name in names(folder)?.iter().filter(|name| name.starts_with(DRAFT)) {
        let path = folder.join(name);
        fs::remove_file(&path).map_err(Error::io("remove", &path))?;
    }
    Ok(())
}

/// Sees to it that the names in a folder outlast a crash. Elsewhere than on Unix a folder cannot be synced, nor needs to.
fn sync_folder(folder: &Path) -> Result<(), Error> {
    if !cfg!(unix) {
        return Ok(());
    }
    let synced: io::Result<()> = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(Error::io("sync", folder))
}

#[cfg(test)]
mod tests;
