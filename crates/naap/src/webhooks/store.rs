//! The subscriptions in one file for its owner's eyes, replaced whole and synced with every change. What cannot be read is
//! an error, never a reason to begin anew.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use api::changes::Place;
use api::private::{Status, Subscription, Wanted};
use events::event::Network;
use events::identity::Address;
use events::unit::UnixMillis;
use serde::{Deserialize, Serialize};

use super::signature::draw_secret;
use crate::instance::replace_secret;

/// The form of the file.
const FORMAT: &str = "naap/subscriptions/1";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    format: String,
    subscriptions: Vec<Kept>,
}

/// A subscription as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// When it was made.
    pub created_ms: UnixMillis,
    /// What was taken last, in the feed's order; nothing before there was anything.
    pub cursor: Option<Place>,
    /// How many messages were taken.
    pub delivered: u64,
    /// Since when sending the next message fails.
    pub failing_since_ms: Option<UnixMillis>,
    /// How often it failed in a row.
    pub failures: u32,
    /// Its name.
    pub id: String,
    /// Whether nothing is sent any more.
    pub is_paused: bool,
    /// What happened last, where that was a failure.
    pub last_failure: Option<String>,
    /// The network whose scores it follows.
    pub network: Network,
    /// Nothing is sent before this moment.
    pub next_ms: UnixMillis,
    /// Whose it is.
    pub owner: Address,
    /// What signs its messages.
    pub secret: String,
    /// Where to.
    pub url: String,
}

impl Kept {
    /// A subscription that begins behind `cursor`.
    pub fn new(
        wanted: &Wanted,
        cursor: Option<Place>,
        now: UnixMillis,
    ) -> Result<Self, getrandom::Error> {
        let mut name = [0; 12];
        getrandom::fill(&mut name)?;
        Ok(Self {
            created_ms: now,
            cursor,
            delivered: 0,
            failing_since_ms: None,
            failures: 0,
            id: format!("sub_{}", hex::encode(name)),
            is_paused: false,
            last_failure: None,
            network: wanted.network,
            next_ms: now,
            owner: wanted.owner,
            secret: draw_secret()?,
            url: wanted.url.clone(),
        })
    }

    /// Whether messages are sent.
    pub fn status(&self) -> Status {
        if self.is_paused { Status::Paused } else { Status::Active }
    }

    /// As its owner may see it: without the secret.
    pub fn subscription(&self) -> Subscription {
        Subscription {
            created_ms: self.created_ms,
            delivered: self.delivered,
            failures: self.failures,
            id: self.id.clone(),
            last_failure: self.last_failure.clone(),
            network: self.network,
            status: self.status(),
            url: self.url.clone(),
        }
    }
}

/// The file, and what is in it.
pub struct Store {
    kept: Vec<Kept>,
    path: PathBuf,
}

impl Store {
    /// Reads the file, where there is one.
    pub fn open(path: &Path) -> anyhow::Result<Self> {
        let kept = match std::fs::read(path) {
            Ok(bytes) => {
                let shown = path.display();
                let file: File = serde_json::from_slice(&bytes).with_context(|| {
                    format!("cannot read the subscriptions in {shown}: restore it from a copy, or move it away")
                })?;
                let format = &file.format;
                ensure!(format == FORMAT, "{shown} is of the form {format:?}, not {FORMAT:?}");
                file.subscriptions
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        Ok(Self { kept, path: path.to_owned() })
    }

    /// All of them, oldest first.
    pub fn all(&self) -> &[Kept] {
        &self.kept
    }

    /// Adds one; it is synced when this returns.
    pub fn add(&mut self, kept: Kept) -> io::Result<()> {
        let mut all = self.kept.clone();
        all.push(kept);
        self.replace(all)
    }

    /// Forgets one of an address; says whether there was one.
    pub fn remove(&mut self, owner: Address, id: &str) -> io::Result<bool> {
        let is_it = |kept: &Kept| kept.owner == owner && kept.id == id;
        if !self.kept.iter().any(is_it) {
            return Ok(false);
        }
        let all = self.kept.iter().filter(|kept| !is_it(kept)).cloned().collect();
        self.replace(all).map(|()| true)
    }

    /// Changes one, if it is there still.
    pub fn change(&mut self, id: &str, change: impl FnOnce(&mut Kept)) -> io::Result<()> {
        let mut all = self.kept.clone();
        let Some(kept) = all.iter_mut().find(|kept| kept.id == id) else { return Ok(()) };
        change(kept);
        self.replace(all)
    }

    /// What is in memory is never ahead of the disk.
    fn replace(&mut self, all: Vec<Kept>) -> io::Result<()> {
        let file = File { format: FORMAT.to_owned(), subscriptions: all };
        let bytes = serde_json::to_vec_pretty(&file).map_err(io::Error::other)?;
        replace_secret(&self.path, &bytes)?;
        self.kept = file.subscriptions;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(owner: u8) -> Kept {
        let wanted = Wanted {
            network: Network::Simulation,
            owner: Address([owner; 20]),
            url: "https://hooks.example/".to_owned(),
        };
        Kept::new(&wanted, None, UnixMillis(1)).unwrap()
    }

    #[test]
    fn what_is_kept_survives() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("private").join("subscriptions.json");
        let mut store = Store::open(&path).unwrap();
        let (one, two) = (kept(1), kept(2));
        store.add(one.clone()).unwrap();
        store.add(two.clone()).unwrap();
        store.change(&two.id, |kept| kept.failures = 3).unwrap();
        assert!(!store.remove(Address([2; 20]), &one.id).unwrap(), "it is another's");
        let mut again = Store::open(&path).unwrap();
        assert_eq!(again.all(), store.all());
        assert_eq!((again.all()[0].clone(), again.all()[1].failures), (one.clone(), 3));
        assert!(again.remove(Address([1; 20]), &one.id).unwrap());
        assert_eq!(Store::open(&path).unwrap().all().len(), 1);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn what_is_spoiled_is_not_begun_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("subscriptions.json");
        std::fs::write(&path, "{").unwrap();
        assert!(Store::open(&path).is_err());
        assert_eq!(std::fs::read(&path).unwrap(), b"{");
    }
}
