//! The import under way: which epoch it seals in, so that one that was cut off is taken up in its own chain.
//!
//! How far a chain goes on proves its silences, so an import that was taken up in another epoch would prove less than one
//! that was never cut off, and its hours would come out otherwise. The note is written before the first batch and removed
//! after the last. It is only a hint: the chain is taken up if the record holds of it exactly what is sealed now.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Context;
use events::event::Network;

use crate::instance::{Instance, replace};
use crate::own::COLLECTOR;

/// The note of the import under way.
pub(super) struct Attempt {
    network: Network,
    path: PathBuf,
}

impl Attempt {
    /// That of a folder, whether or not there is one.
    pub(super) fn of(instance: &Instance, network: Network) -> Self {
        Self { network, path: instance.node_folder(COLLECTOR).join("import") }
    }

    /// The epoch of an import into this network that was cut off.
    pub(super) fn unfinished(&self) -> anyhow::Result<Option<u64>> {
        let text = match fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", self.path.display()));
            }
        };
        let noted = text.trim_end().split_once(' ');
        let of_here = noted.filter(|(network, _)| *network == self.network.as_str());
        Ok(of_here.and_then(|(_, epoch)| epoch.parse().ok()))
    }

    /// Notes that an import begins, or goes on, in this epoch.
    pub(super) fn begin(&self, epoch: u64) -> anyhow::Result<()> {
        let note = format!("{} {epoch}\n", self.network);
        replace(&self.path, note.as_bytes())
            .with_context(|| format!("cannot write {}", self.path.display()))
    }

    /// Notes that everything of it is in the record. A crash that brings the note back does no harm: of a chain that is
    /// whole nothing is left to be sealed, and of another import nothing fits.
    pub(super) fn end(&self) -> anyhow::Result<()> {
        fs::remove_file(&self.path)
            .with_context(|| format!("cannot remove {}", self.path.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_is_noted_until_it_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let instance = Instance::open(folder.path()).unwrap();
        let attempt = Attempt::of(&instance, Network::Livepeer);
        assert_eq!(attempt.unfinished().unwrap(), None);
        attempt.begin(7).unwrap();
        attempt.begin(8).unwrap();
        assert_eq!(attempt.unfinished().unwrap(), Some(8));
        let other = Attempt::of(&instance, Network::Simulation);
        assert_eq!(other.unfinished().unwrap(), None, "another network's");
        fs::write(&attempt.path, "livepeer").unwrap();
        assert_eq!(attempt.unfinished().unwrap(), None, "what cannot be read is no hint");
        attempt.end().unwrap();
        assert_eq!(attempt.unfinished().unwrap(), None);
    }
}
