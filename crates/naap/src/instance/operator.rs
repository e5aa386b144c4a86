//! An operator whose key is in the data folder, and what it signs: that a key of a node may speak for its address.
//!
//! It signs delegations and nothing else.

use events::body::record::Granted;
use events::delegation::{Delegation, address_of};
use events::event::{Network, Role};
use events::identity::Address;
use events::unit::{Millis, UnixMillis};

use publisher::identity::Identity;

/// An operator.
pub struct Operator {
    /// Its address.
    pub address: Address,
    secret: k256::ecdsa::SigningKey,
}

impl Operator {
    /// The operator of a secret, if it is one.
    pub(super) fn of(secret: &[u8; 32]) -> anyhow::Result<Self> {
        let secret = k256::ecdsa::SigningKey::from_slice(secret)?;
        Ok(Self { address: address_of(secret.verifying_key()), secret })
    }

    /// Lets a node speak in a role from now on. Said later, it has a higher serial and takes the earlier one's place.
    pub fn delegate(
        &self,
        network: Network,
        role: Role,
        identity: &Identity,
        now: UnixMillis,
        lifetime: Millis,
    ) -> Granted {
        let delegation = Delegation {
            expiry_ms: now.plus(lifetime),
            key: identity.key(),
            network,
            node: identity.node.clone(),
            operator: self.address,
            role,
            serial: now.0,
        };
        let signature = delegation.sign(&self.secret);
        Granted { delegation, signature }
    }
}
