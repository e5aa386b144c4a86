//! The nodes of an instance itself: the one its doors speak for, the controller and the collector, and their operator.
//!
//! What they say about who may speak is said by a herald; nothing is sent here.

mod addresses;

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use api::health::Finding;
use events::body::Body;
use events::body::record::{Granted, RosterMember};
use events::delegation::Delegation;
use events::event::{Network, Role};
use events::identity::{Address, AddressSignature};
use events::unit::{Millis, UnixMillis};
use pipeline::Clock;
use publisher::identity::Identity;
use publisher::pump::Way;
use publisher::translate::Speaker;
use sla::trust::Member;

use crate::config::Config;
use crate::herald::{Herald, Statements};
use crate::instance::{Instance, Operator, replace};
use crate::known::Witness;
use crate::node::outbox_options;

pub use addresses::Addresses;

/// The folder of the node that imports sign as.
pub const COLLECTOR: &str = "collector";

/// The folder of the node that says who may speak.
pub const CONTROLLER: &str = "controller";

/// What an operator whose key is elsewhere has to sign, its typed data, and where its signature is put.
const DELEGATION: &str = "delegation.json";
const TO_SIGN: &str = "to-sign.json";
const SIGNATURE: &str = "signature";

/// The nodes and their operator.
pub struct Own {
    /// Says who may speak.
    pub controller: Identity,
    /// The node that the doors speak for.
    pub node: Identity,
    network: Network,
    operator: Arc<Operator>,
    /// Who answers for the node.
    reporter: Address,
    role: Role,
}

impl Own {
    /// Those of this folder, made at the first time.
    pub fn of(instance: &Instance, config: &Config) -> anyhow::Result<Self> {
        let operator = instance.operator()?;
        Ok(Self {
            controller: instance.node(CONTROLLER)?,
            node: instance.node(&config.node.name)?,
            network: config.instance.network,
            reporter: config.node.operator.unwrap_or(operator.address),
            role: config.node.role,
            operator: Arc::new(operator),
        })
    }

    /// Sees to it that the trust file names the controller and the collector.
    pub fn trust(&self, instance: &Instance) -> anyhow::Result<()> {
        let address = self.operator.address;
        let member = |key, role| Member { address, key: Some(key), role };
        let collector = instance.node(COLLECTOR)?.key();
        let members =
            [member(self.controller.key(), Role::Controller), member(collector, Role::Collector)];
        instance.trust_with(self.network, &members)?;
        Ok(())
    }

    /// Who the node speaks as.
    pub fn speaker(&self, config: &Config) -> Speaker {
        Speaker {
            network: self.network,
            reporter: self.reporter,
            role: self.role,
            node: self.node.node.clone(),
            pseudonyms: self.node.pseudonym_key(),
            region: config.node.region.clone(),
        }
    }

    /// What says, as the controller, that the node may speak and who is in the roster.
    pub fn herald(
        &self,
        instance: &Instance,
        config: &Config,
        ways: Vec<Way>,
        witnesses: Vec<Witness>,
        clock: &Clock,
    ) -> anyhow::Result<Herald> {
        let now = clock();
        let right = self.right(instance, config, now)?;
        let roster = self.roster(config);
        let speaking = self.speaking(config, &right);
        let (gist, delegated) = match right {
            Right::Ours => (String::new(), None),
            Right::Theirs(granted) => (format!("{granted:?}"), granted),
        };
        // Who hears it belongs to it: a new peer has to be told all of it.
        let to = &config.channel.to;
        let gist = format!("{gist} {} {} {roster:?} {to:?}", self.node.key(), self.role);
        let (operator, node, network, role) =
            (Arc::clone(&self.operator), self.node.clone(), self.network, self.role);
        let (is_ours, lifetime) =
            (config.node.operator.is_none(), Millis(config.roster.delegation_ms));
        let statements: Statements = Box::new(move |now| {
            let ours = is_ours.then(|| operator.delegate(network, role, &node, now, lifetime));
            let granted = ours.or_else(|| delegated.clone()).map(Body::DelegationGranted);
            granted.into_iter().chain(members(&roster, now)).collect()
        });
        let folder = instance.node_folder(CONTROLLER);
        Ok(Herald {
            clock: Arc::clone(clock),
            gist,
            identity: self.controller.clone(),
            options: outbox_options(&folder, config, now),
            folder,
            renew: Millis(config.roster.renew_ms),
            speaking,
            speaker: Speaker {
                network,
                reporter: self.operator.address,
                role: Role::Controller,
                node: self.controller.node.clone(),
                pseudonyms: self.controller.pseudonym_key(),
                region: None,
            },
            statements,
            ways,
            witnesses,
        })
    }

    /// Whether what the node says counts, where that is for its operator elsewhere to say.
    fn speaking(&self, config: &Config, right: &Right) -> Option<Finding> {
        let (name, operator) = (&config.node.name, self.reporter);
        match right {
            Right::Ours => None,
            Right::Theirs(Some(_)) => {
                Some(Finding::ok(format!("{name}: {operator} lets it speak")))
            }
            Right::Theirs(None) => Some(Finding::wrong(format!(
                "{name}: nothing it says counts, because its operator {operator} has not signed: have {TO_SIGN} in \
                 nodes/{name} of the data folder signed, put the result into {SIGNATURE} beside it, and start again"
            ))),
        }
    }

    /// The addresses that may speak: the node's own, and those that are configured.
    fn roster(&self, config: &Config) -> Vec<(Role, Address)> {
        let role = if self.role == Role::Gateway { Role::Gateway } else { Role::Orchestrator };
        let named = |role, addresses: &[Address]| {
            addresses.iter().map(move |at| (role, *at)).collect::<Vec<_>>()
        };
        let mut roster = named(Role::Gateway, &config.roster.gateways);
        roster.extend(named(Role::Orchestrator, &config.roster.orchestrators));
        roster.push((role, self.reporter));
        roster.sort_unstable();
        roster.dedup();
        roster
    }

    /// How the node comes by the right to speak.
    fn right(
        &self,
        instance: &Instance,
        config: &Config,
        now: UnixMillis,
    ) -> anyhow::Result<Right> {
        if config.node.operator.is_none() {
            return Ok(Right::Ours);
        }
        let folder = instance.node_folder(&config.node.name);
        let delegation = self.delegation(&folder, config, now)?;
        let path = folder.join(SIGNATURE);
        let why = match written(&path)?.map(|text| signature_of(&text, &delegation)) {
            Some(Ok(signature)) => {
                return Ok(Right::Theirs(Some(Granted { delegation, signature })));
            }
            Some(Err(why)) => why,
            None => "there is none yet".to_owned(),
        };
        tracing::warn!(
            operator = %self.reporter,
            why,
            to_sign = %folder.join(TO_SIGN).display(),
            signature = %path.display(),
            "nothing this node says counts yet: have its operator sign the typed data (go-livepeer: POST \
             /signMessage with SigFormat data/typed), put the signature there, and start again"
        );
        Ok(Right::Theirs(None))
    }

    /// The delegation that waits for a signature or has one; another one in time before it ends.
    fn delegation(
        &self,
        folder: &Path,
        config: &Config,
        now: UnixMillis,
    ) -> anyhow::Result<Delegation> {
        let path = folder.join(DELEGATION);
        let known: Option<Delegation> = match written(&path)?.as_deref().map(serde_json::from_str) {
            None => None,
            Some(Ok(known)) => Some(known),
            Some(Err(error)) => {
                tracing::warn!(path = %path.display(), %error, "a delegation is spoiled; another one has to be signed");
                None
            }
        };
        let fresh = Delegation {
            expiry_ms: now.plus(Millis(config.roster.delegation_ms)),
            key: self.node.key(),
            network: self.network,
            node: self.node.node.clone(),
            operator: self.reporter,
            role: self.role,
            serial: now.0,
        };
        let is_good = |known: &Delegation| {
            let same =
                Delegation { expiry_ms: fresh.expiry_ms, serial: fresh.serial, ..known.clone() };
            same == fresh && known.expiry_ms > now.plus(Millis(config.roster.renew_ms))
        };
        if let Some(known) = known.filter(is_good) {
            return Ok(known);
        }
        let write = |name: &str, text: Vec<u8>| {
            let path = folder.join(name);
            replace(&path, &text).with_context(|| format!("cannot write {}", path.display()))
        };
        write(TO_SIGN, serde_json::to_vec_pretty(&fresh.typed_data())?)?;
        write(DELEGATION, serde_json::to_vec(&fresh)?)?;
        Ok(fresh)
    }
}

/// What somebody wrote into a file, if it is there.
fn written(path: &Path) -> anyhow::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// The signature under a delegation, or what is wrong with it.
fn signature_of(text: &str, delegation: &Delegation) -> Result<AddressSignature, String> {
    let signature = text.trim().parse().map_err(|_| "it is no signature in hex".to_owned())?;
    delegation.verify(&signature).map_err(|refusal| refusal.to_string())?;
    Ok(signature)
}

/// How a node comes by the right to speak.
enum Right {
    /// Its operator's key is ours.
    Ours,
    /// Its operator signed elsewhere, or has not yet.
    Theirs(Option<Granted>),
}

fn members(roster: &[(Role, Address)], now: UnixMillis) -> Vec<Body> {
    let count = u32::try_from(roster.len()).unwrap_or(u32::MAX);
    let member = |(role, member): &(Role, Address)| {
        let (member, role) = (*member, *role);
        Body::RosterObserved(RosterMember { as_of_ms: now, count, member, role, urls: Vec::new() })
    };
    roster.iter().map(member).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use events::delegation::address_of;

    use super::*;
    use crate::config::Layers;

    const NOW: UnixMillis = UnixMillis(1_767_903_000_000);

    fn statements(instance: &Instance, config: &Config) -> Vec<Body> {
        let own = Own::of(instance, config).unwrap();
        let clock: Clock = Arc::new(|| NOW);
        let herald = own.herald(instance, config, Vec::new(), Vec::new(), &clock).unwrap();
        (herald.statements)(NOW)
    }

    fn speaking(instance: &Instance, config: &Config) -> Option<Finding> {
        let own = Own::of(instance, config).unwrap();
        let clock: Clock = Arc::new(|| NOW);
        own.herald(instance, config, Vec::new(), Vec::new(), &clock).unwrap().speaking
    }

    fn granted(said: &[Body]) -> Option<&Granted> {
        said.iter().find_map(|body| match body {
            Body::DelegationGranted(granted) => Some(granted),
            _ => None,
        })
    }

    #[test]
    fn our_operator_lets_our_node_speak() {
        let folder = tempfile::tempdir().unwrap();
        let instance = Instance::open(folder.path()).unwrap();
        let config = Layers::defaults().config().unwrap();
        let said = statements(&instance, &config);
        let Granted { delegation, signature } = granted(&said).unwrap();
        delegation.verify(signature).unwrap();
        assert!(delegation.covers(NOW));
        assert_eq!(speaking(&instance, &config), None, "nobody has to sign anything");
        assert_eq!(delegation.operator, instance.operator().unwrap().address);
        let listed = said.iter().any(|body| {
            matches!(body, Body::RosterObserved(member) if member.member == delegation.operator && member.count == 1)
        });
        assert!(listed);
    }

    #[test]
    fn an_operator_elsewhere_signs_what_it_is_given() {
        let folder = tempfile::tempdir().unwrap();
        let instance = Instance::open(folder.path()).unwrap();
        let secret = k256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let operator = address_of(secret.verifying_key());
        let mut layers = Layers::defaults();
        layers
            .add_text(&format!("[node]\noperator = \"{operator}\""), "naap.toml".as_ref())
            .unwrap();
        let config = layers.config().unwrap();
        assert!(granted(&statements(&instance, &config)).is_none());
        let unsigned = speaking(&instance, &config).unwrap();
        assert!(!unsigned.is_ok && unsigned.detail.contains(&operator.to_string()), "{unsigned:?}");
        // Another start waits for the same signature.
        assert!(granted(&statements(&instance, &config)).is_none());
        let node = instance.node_folder("gateway");
        let delegation: Delegation =
            serde_json::from_slice(&std::fs::read(node.join(DELEGATION)).unwrap()).unwrap();
        let to_sign: serde_json::Value =
            serde_json::from_slice(&std::fs::read(node.join(TO_SIGN)).unwrap()).unwrap();
        assert_eq!(to_sign, delegation.typed_data());
        let stranger = k256::ecdsa::SigningKey::from_slice(&[8; 32]).unwrap();
        for (text, why) in [
            ("soon".to_owned(), "no signature"),
            (delegation.sign(&stranger).to_string(), "E-"),
            (delegation.sign(&secret).to_string(), ""),
        ] {
            let read = signature_of(&text, &delegation);
            assert_eq!(read.is_ok(), why.is_empty(), "{text}");
            assert!(read.err().unwrap_or_default().contains(why), "{text}");
            std::fs::write(node.join(SIGNATURE), format!("{text}\n")).unwrap();
            assert_eq!(granted(&statements(&instance, &config)).is_some(), why.is_empty());
        }
        let said = statements(&instance, &config);
        assert_eq!(granted(&said).unwrap().delegation.operator, operator);
        assert!(speaking(&instance, &config).unwrap().is_ok);

        // What cannot be read is not taken for absent, or all that was signed would have to be signed again.
        std::fs::remove_file(node.join(DELEGATION)).unwrap();
        std::fs::create_dir(node.join(DELEGATION)).unwrap();
        let own = Own::of(&instance, &config).unwrap();
        let error = own.delegation(&node, &config, NOW).unwrap_err().to_string();
        assert!(error.contains(DELEGATION), "{error}");
    }
}
