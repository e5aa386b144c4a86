//! Who signs a publication: the instance's controller, and the operator it speaks for. It makes no key.

use anyhow::Context;
use dataset::manifest::{Manifest, Publisher};
use ed25519_dalek::SigningKey;
use events::body::record::Granted;
use events::event::{Network, Role};
use events::identity::PublisherKey;
use events::unit::Millis;
use publisher::identity::Identity;

use crate::config::Config;
use crate::instance::{Instance, Operator};
use crate::own::CONTROLLER;
use crate::store;

/// The key that signs, and whose word that is.
pub struct Right {
    controller: Identity,
    operator: Option<Operator>,
}

impl Right {
    /// The controller of this folder, as the roles that write there made it.
    pub fn of(instance: &Instance) -> anyhow::Result<Self> {
        let controller = instance.known_node(CONTROLLER).context(
            "there is no key to sign with: start `naap dev`, `naap ingest` or `naap import` once in this folder",
        )?;
        Ok(Self { controller, operator: instance.known_operator()? })
    }

    /// The key.
    pub fn key(&self) -> PublisherKey {
        self.controller.key()
    }

    /// What signs.
    pub fn secret(&self) -> &SigningKey {
        self.controller.secret()
    }

    /// How a manifest names the signer: with the operator's word for it, which is taken over from the last manifest as
    /// long as it reaches, so that a wallet's signature is not spent on every run.
    pub fn publisher(
        &self,
        config: &Config,
        network: Network,
        before: Option<&Manifest>,
    ) -> Publisher {
        let now = store::clock()();
        let granted = self.operator.as_ref().map(|operator| {
            let known = before.and_then(|manifest| manifest.publisher.speaks_for.clone());
            let is_good = |known: &Granted| {
                known.delegation.operator == operator.address && known.delegation.covers(now)
            };
            known.filter(is_good).unwrap_or_else(|| {
                let lifetime = Millis(config.roster.delegation_ms);
                operator.delegate(network, Role::Controller, &self.controller, now, lifetime)
            })
        });
        Publisher { key: self.key(), speaks_for: granted }
    }
}

/// A signer for a person to read: the operator and the key.
pub fn named(publisher: &Publisher) -> String {
    match &publisher.speaks_for {
        Some(granted) => format!("{} for {}", publisher.key, granted.delegation.operator),
        None => publisher.key.to_string(),
    }
}
