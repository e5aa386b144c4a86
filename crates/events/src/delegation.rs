//! The right of a key to speak for an address: an EIP-712 message that a keystore signs once.
//!
//! The typed data is fixed (domain `naap`, version `1`, the chain's id); go-livepeer's `POST /signMessage` with
//! `SigFormat: data/typed` signs it as it is. A bare 32-byte message is never signed nor accepted here: other
//! protocols would sign those for anybody.

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use sha3::{Digest as _, Keccak256};

use crate::event::{Network, Role};
use crate::identity::{Address, AddressSignature, NodeId, PublisherKey};
use crate::refusal::{Defect, Refusal};
use crate::unit::{Millis, UnixMillis};

/// The chain id of Arbitrum One, where Livepeer's addresses live; both networks' delegations are bound to it.
pub const CHAIN_ID: u64 = 42_161;

/// The longest a delegation reaches: 90 days.
pub const MAX_LIFETIME: Millis = Millis(90 * 24 * 3_600_000);

/// What an address agrees to.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(remote = "Delegation")]
pub struct Delegation {
    /// The last moment at which the key may seal.
    pub expiry_ms: UnixMillis,
    /// The key that may speak.
    pub key: PublisherKey,
    /// The network it may speak on.
    pub network: Network,
    /// The node it speaks as.
    pub node: NodeId,
    /// The address it speaks for.
    pub operator: Address,
    /// The role it speaks in.
    pub role: Role,
    /// Of two delegations of one key by one address, the higher serial holds.
    pub serial: u64,
}

crate::object::object_only!(Delegation);

impl Delegation {
    /// Whether a batch sealed at `sealed_ms` lies within the right: at most 90 days before its end, and before it.
    pub fn covers(&self, sealed_ms: UnixMillis) -> bool {
        sealed_ms <= self.expiry_ms && self.expiry_ms.minus(MAX_LIFETIME) <= sealed_ms
    }

    /// The 32 bytes that the address signs: EIP-712's `keccak256(0x1901 || domain || struct)`.
    pub fn signing_hash(&self) -> [u8; 32] {
        let domain = keccak(&[
            &keccak(&[b"EIP712Domain(string name,string version,uint256 chainId)"]),
            &keccak(&[b"naap"]),
            &keccak(&[b"1"]),
            &word(CHAIN_ID),
        ]);
        let message = keccak(&[
            &keccak(&[
                b"Delegation(string network,string node,bytes32 key,string role,uint64 serial,uint64 expiry)",
            ]),
            &keccak(&[self.network.as_str().as_bytes()]),
            &keccak(&[self.node.as_str().as_bytes()]),
            &self.key.0,
            &keccak(&[self.role.as_str().as_bytes()]),
            &word(self.serial),
            &word(self.expiry_ms.0),
        ]);
        keccak(&[&[0x19, 0x01], &domain, &message])
    }

    /// The typed data as a wallet or go-livepeer's `/signMessage` wants it.
    pub fn typed_data(&self) -> serde_json::Value {
        let field = |name: &str, kind: &str| serde_json::json!({ "name": name, "type": kind });
        serde_json::json!({
            "types": {
                "EIP712Domain": [field("name", "string"), field("version", "string"), field("chainId", "uint256")],
                "Delegation": [
                    field("network", "string"), field("node", "string"), field("key", "bytes32"),
                    field("role", "string"), field("serial", "uint64"), field("expiry", "uint64"),
                ],
            },
            "primaryType": "Delegation",
            "domain": { "name": "naap", "version": "1", "chainId": CHAIN_ID },
            "message": {
                "network": self.network, "node": self.node, "key": format!("0x{}", self.key), "role": self.role,
                "serial": self.serial.to_string(), "expiry": self.expiry_ms.0.to_string(),
            },
        })
    }

    /// Signs for the address of `secret`; the caller sees to it that this is [`Self::operator`].
    pub fn sign(&self, secret: &k256::ecdsa::SigningKey) -> AddressSignature {
        sign(&self.signing_hash(), secret)
    }

    /// Checks that [`Self::operator`] signed this delegation.
    pub fn verify(&self, signature: &AddressSignature) -> Result<(), Refusal> {
        let wrong = |why: &str| Refusal::new(Defect::DelegationSignature, why);
        let signer = recover(&self.signing_hash(), signature).map_err(wrong)?;
        if signer == self.operator {
            Ok(())
        } else {
            Err(wrong(&format!("signed by {signer}, not by {}", self.operator)))
        }
    }
}

/// A signature over 32 bytes that are already a hash.
pub(crate) fn sign(hash: &[u8; 32], secret: &k256::ecdsa::SigningKey) -> AddressSignature {
    let (signature, recovery) = secret.sign_prehash_recoverable(hash);
    let mut bytes = [0; 65];
    for (to, from) in
        bytes.iter_mut().zip(signature.to_bytes().iter().chain(&[27 + recovery.to_byte()]))
    {
        *to = *from;
    }
    AddressSignature(bytes)
}

/// The address that signed 32 bytes, or what is wrong with the signature, which has one form only: `v` of 27 or 28 and `s`
/// in the lower half.
pub(crate) fn recover(
    hash: &[u8; 32],
    signature: &AddressSignature,
) -> Result<Address, &'static str> {
    let [rs @ .., v] = &signature.0;
    let parity = v.checked_sub(27).filter(|parity| *parity < 2).ok_or("v is not 27 or 28")?;
    let recovery = RecoveryId::from_byte(parity).ok_or("v is not 27 or 28")?;
    let rs = Signature::from_slice(rs).map_err(|_| "r or s out of range")?;
    if rs.normalize_s() != rs {
        return Err("s in the upper half");
    }
    let key = VerifyingKey::recover_from_prehash(hash, &rs, recovery)
        .map_err(|_| "no key gives this signature")?;
    Ok(address_of(&key))
}

/// The Ethereum address of a public key: the last 20 bytes of Keccak-256 over its 64 coordinate bytes.
pub fn address_of(key: &VerifyingKey) -> Address {
    let point = key.to_sec1_point(false);
    let coordinates = point.as_bytes().get(1..).unwrap_or_default();
    let hash = keccak(&[coordinates]);
    let mut address = [0; 20];
    for (to, from) in address.iter_mut().zip(hash.iter().skip(12)) {
        *to = *from;
    }
    Address(address)
}

pub(crate) fn keccak(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Keccak256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// An unsigned integer as a 32-byte big-endian word.
fn word(value: u64) -> [u8; 32] {
    let mut word = [0; 32];
    for (to, from) in word.iter_mut().skip(24).zip(value.to_be_bytes()) {
        *to = from;
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed() -> (Delegation, AddressSignature) {
        let secret = k256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let delegation = Delegation {
            expiry_ms: UnixMillis(1_800_000_000_000),
            key: PublisherKey([9; 32]),
            network: Network::Livepeer,
            node: "5f0c1a52-7b1a-4b8e-9c55-0d7f7f3f8a11".parse().unwrap(),
            operator: address_of(secret.verifying_key()),
            role: Role::Gateway,
            serial: 1,
        };
        let signature = delegation.sign(&secret);
        (delegation, signature)
    }

    #[test]
    fn only_the_address_itself_can_delegate() {
        let (delegation, signature) = signed();
        delegation.verify(&signature).unwrap();
        let changes: [fn(&mut Delegation); 6] = [
            |d| d.serial += 1,
            |d| d.expiry_ms.0 += 1,
            |d| d.role = Role::Orchestrator,
            |d| d.network = Network::Simulation,
            |d| d.key = PublisherKey([8; 32]),
            |d| d.operator = Address([1; 20]),
        ];
        for change in changes {
            let mut other = delegation.clone();
            change(&mut other);
            assert_eq!(other.verify(&signature).unwrap_err().defect, Defect::DelegationSignature);
        }
    }

    #[test]
    fn signatures_have_one_form() {
        let (delegation, AddressSignature(mut bytes)) = signed();
        bytes[64] -= 27;
        assert!(delegation.verify(&AddressSignature(bytes)).is_err(), "v of 0 or 1");
        assert!(delegation.verify(&AddressSignature([0; 65])).is_err());
    }

    #[test]
    fn a_delegation_reaches_90_days() {
        let (delegation, _) = signed();
        assert!(delegation.covers(delegation.expiry_ms));
        assert!(delegation.covers(delegation.expiry_ms.minus(MAX_LIFETIME)));
        assert!(!delegation.covers(delegation.expiry_ms.plus(Millis(1))));
        assert!(!delegation.covers(delegation.expiry_ms.minus(MAX_LIFETIME).minus(Millis(1))));
    }
}
