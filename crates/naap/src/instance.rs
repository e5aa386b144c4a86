//! The data folder of one instance: what is where in it, and who may write.
//!
//! ```text
//! lock                    held by the one process that writes here
//! ledger/                 the record
//! warehouse.sqlite        what was settled; deleted, it is made again from the record
//! trust/<network>.toml    whose word counts
//! keys/operator           the operator's key, where it is ours
//! nodes/<name>/           name, key, spool and outbox of a node's publisher
//! private/subscriptions.json  who is told of which changes of scores, with secrets
//! nodes/collector/import  which epoch an import seals in that is under way or was cut off
//! addresses.json          where the running process answers
//! ```
//! Keys are made once and never overwritten. Nothing here knows what a role does.

mod operator;
mod secret;
mod trust;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use publisher::identity::Identity;

pub use operator::Operator;

/// A data folder.
pub struct Instance {
    folder: PathBuf,
    // Held for its lock only; the system releases it with the process.
    _lock: Option<File>,
}

impl Instance {
    /// Makes the folder where there is none, and becomes the one process that writes in it.
    pub fn open(folder: &Path) -> anyhow::Result<Self> {
        let shown = folder.display();
        make(folder).with_context(|| {
            format!("cannot make the data folder {shown}: name another with --data")
        })?;
        let path = folder.join("lock");
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = open.with_context(|| {
            format!("cannot write in the data folder {shown}: check its owner and rights")
        })?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who it is only helps the reader; the message stands without it.
                file.read_to_string(&mut holder).ok();
                let holder = holder.trim();
                let by =
                    if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
                bail!(
                    "data folder {shown} is in use{by}: stop that process, or name another folder with --data"
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).with_context(|| {
            format!("cannot write in the data folder {shown}: check its rights and the room on its disk")
        })?;
        Ok(Self { folder: folder.to_owned(), _lock: Some(file) })
    }

    /// Looks at a folder that exists, beside the process that writes in it or alone. Changes nothing.
    pub fn look(folder: &Path) -> anyhow::Result<Self> {
        if !folder.join("ledger").is_dir() {
            bail!("{} holds no naap data: name its folder with --data", folder.display());
        }
        Ok(Self { folder: folder.to_owned(), _lock: None })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the record is.
    pub fn ledger(&self) -> PathBuf {
        self.folder.join("ledger")
    }

    /// Where the facts are.
    pub fn warehouse(&self) -> PathBuf {
        self.folder.join("warehouse.sqlite")
    }

    /// Where subscriptions are.
    pub fn subscriptions(&self) -> PathBuf {
        self.folder.join("private").join("subscriptions.json")
    }

    /// Where a node keeps what is its own.
    pub fn node_folder(&self, name: &str) -> PathBuf {
        self.folder.join("nodes").join(name)
    }

    /// A node by its folder's name; made at the first time.
    pub fn node(&self, name: &str) -> anyhow::Result<Identity> {
        Ok(Identity::open(&self.node_folder(name))?)
    }

    /// A node by its folder's name, as it was made; none is made here.
    pub fn known_node(&self, name: &str) -> anyhow::Result<Identity> {
        let folder = self.node_folder(name);
        Ok(Identity::read(&folder.join("node"), &folder.join("publisher.key"))?)
    }

    /// The operator's key, if it was made; none is made here.
    pub fn known_operator(&self) -> anyhow::Result<Option<Operator>> {
        if self.operator_path().exists() { self.operator().map(Some) } else { Ok(None) }
    }

    /// The operator's key, made at the first time.
    pub fn operator(&self) -> anyhow::Result<Operator> {
        let path = self.operator_path();
        let is_key = |bytes: &[u8; 32]| k256::ecdsa::SigningKey::from_slice(bytes).is_ok();
        Operator::of(&secret::load_or_make(&path, is_key)?)
            .with_context(|| format!("{} is no secp256k1 key", path.display()))
    }

    fn operator_path(&self) -> PathBuf {
        self.folder.join("keys").join("operator")
    }
}

/// Makes the folder for its owner's eyes: raw events hold what is not public.
fn make(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Replaces a file so that it is the old one or the new one after any crash, never a part.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    secret::write(path, content, 0o644)
}

/// The same for its owner's eyes.
pub fn replace_secret(path: &Path, content: &[u8]) -> io::Result<()> {
    secret::write(path, content, 0o600)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_made_once_and_readable_by_nobody_else() {
        let folder = tempfile::tempdir().unwrap();
        let (node, operator) = {
            let instance = Instance::open(folder.path()).unwrap();
            (instance.node("gateway").unwrap(), instance.operator().unwrap())
        };
        let instance = Instance::open(folder.path()).unwrap();
        let again = instance.node("gateway").unwrap();
        assert_eq!((again.key(), &again.node), (node.key(), &node.node));
        assert_eq!(instance.operator().unwrap().address, operator.address);
        assert_ne!(instance.node("other").unwrap().key(), node.key());
        #[cfg(unix)]
        for path in ["nodes/gateway/publisher.key", "keys/operator"] {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join(path)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{path}");
        }
    }

    #[test]
    fn a_second_writer_is_told_who_the_first_is() {
        let folder = tempfile::tempdir().unwrap();
        let _first = Instance::open(folder.path()).unwrap();
        let refused = Instance::open(folder.path()).err().unwrap().to_string();
        assert!(
            refused.contains("in use") && refused.contains(&std::process::id().to_string()),
            "{refused}"
        );
    }

    #[test]
    fn a_spoiled_key_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let instance = Instance::open(folder.path()).unwrap();
        instance.operator().unwrap();
        let path = folder.path().join("keys/operator");
        fs::write(&path, "short").unwrap();
        assert!(instance.operator().is_err());
        assert_eq!(fs::read(&path).unwrap(), b"short");
    }
}
