//! The trust files of an instance, one a network: whose word counts without being in a roster.
//!
//! Members are added and never removed here: what somebody wrote into the file by hand stays.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;

use anyhow::Context;
use events::event::Network;
use sla::trust::{Member, TrustFile};

use super::{Instance, replace};

impl Instance {
    /// Where a network's trust file is.
    pub fn trust_path(&self, network: Network) -> PathBuf {
        self.folder.join("trust").join(format!("{network}.toml"))
    }

    /// A network's trust file, if there is one.
    pub fn trust(&self, network: Network) -> anyhow::Result<Option<TrustFile>> {
        let path = self.trust_path(network);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", path.display()));
            }
        };
        let trust = TrustFile::parse(&text).with_context(|| format!("in {}", path.display()))?;
        anyhow::ensure!(
            trust.network == network,
            "{} is for the network {}, not for {network}",
            path.display(),
            trust.network
        );
        Ok(Some(trust))
    }

    /// A network's trust file with these members in it; made or extended where they are lacking.
    pub fn trust_with(&self, network: Network, members: &[Member]) -> anyhow::Result<TrustFile> {
        let known = self.trust(network)?;
        let is_new = known.is_none();
        let mut trust =
            known.unwrap_or(TrustFile { members: Vec::new(), network, roster_quorum: 1 });
        let lacking: Vec<Member> =
            members.iter().filter(|member| !trust.members.contains(member)).cloned().collect();
        if is_new || !lacking.is_empty() {
            trust.members.extend(lacking);
            let path = self.trust_path(network);
            replace(&path, trust.to_toml().as_bytes())
                .with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(trust)
    }
}

#[cfg(test)]
mod tests {
    use events::event::Role;
    use events::identity::{Address, PublisherKey};

    use super::*;

    #[test]
    fn members_are_added_and_none_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let instance = Instance::open(folder.path()).unwrap();
        assert!(instance.trust(Network::Livepeer).unwrap().is_none());
        let member = |byte: u8, role| Member {
            address: Address([byte; 20]),
            key: Some(PublisherKey([byte; 32])),
            role,
        };
        let (one, other) = (member(1, Role::Controller), member(2, Role::Collector));
        instance.trust_with(Network::Livepeer, std::slice::from_ref(&one)).unwrap();
        let both = instance.trust_with(Network::Livepeer, std::slice::from_ref(&other)).unwrap();
        assert_eq!(both.members, [one, other]);
        assert_eq!(instance.trust(Network::Livepeer).unwrap(), Some(both));
        assert!(instance.trust(Network::Simulation).unwrap().is_none());
    }
}
