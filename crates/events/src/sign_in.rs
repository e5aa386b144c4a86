//! Signing in with an Ethereum address: the message of ERC-4361, read strictly by its grammar, and the address that signed
//! it by EIP-191. It knows no clock, no nonce and no session, and whether a message is the right one is for its caller.
//!
//! Only this text is ever accepted, prefixed and counted as EIP-191 says; never a bare 32-byte message, which other
//! protocols would sign for anybody.

mod grammar;
mod moment;

use crate::delegation::{keccak, recover, sign};
use crate::identity::{Address, AddressSignature};
use crate::unit::UnixMillis;

pub use grammar::is_statement;

/// The longest message that is read, in bytes.
pub const BYTES_MAX: usize = 4_096;

/// What somebody signs to say that an address is theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The address.
    pub address: Address,
    /// The chain its account is on.
    pub chain_id: u64,
    /// The authority that asks, such as `naap.example` or `127.0.0.1:8090`.
    pub domain: String,
    /// From this moment on it holds no more.
    pub expiration_ms: Option<UnixMillis>,
    /// When it was made.
    pub issued_ms: UnixMillis,
    /// What was given out to be signed once.
    pub nonce: String,
    /// Before this moment it does not hold yet.
    pub not_before_ms: Option<UnixMillis>,
    /// What the signing is for, and who asks.
    pub request_id: Option<String>,
    /// URIs that the signing is about.
    pub resources: Vec<String>,
    /// How the domain is reached, where that is said.
    pub scheme: Option<String>,
    /// What the signer was shown.
    pub statement: Option<String>,
    /// What the signing is for.
    pub uri: String,
}

/// Why a text is no such message: the first thing that is not as the grammar has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// The address is not written with the checksum of EIP-55.
    #[error("the address is not 0x and 40 hex digits with the letter case of EIP-55")]
    Address,
    /// Another part is not as it should be.
    #[error("not as ERC-4361 has it: {0}")]
    Part(&'static str),
    /// It is of another version.
    #[error("the version is not 1")]
    Version,
}

impl Message {
    /// Reads a message.
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        grammar::parse(text)
    }
}

/// The 32 bytes that a wallet signs for a text: EIP-191, version `E`.
fn hash(text: &str) -> [u8; 32] {
    let length = text.len().to_string();
    keccak(&[b"\x19Ethereum Signed Message:\n", length.as_bytes(), text.as_bytes()])
}

/// The address whose key signed a text, or what is wrong with the signature.
///
/// A contract has no key: its signatures (ERC-1271) are some other address's here, or nobody's.
pub fn signer(text: &str, signature: &AddressSignature) -> Result<Address, &'static str> {
    recover(&hash(text), signature)
}

/// Signs a text as a wallet does.
pub fn signed(text: &str, secret: &k256::ecdsa::SigningKey) -> AddressSignature {
    sign(&hash(text), secret)
}

/// An address in the letter case of EIP-55.
pub fn checksummed(address: &Address) -> String {
    let digits = hex::encode(address.0);
    let hash = keccak(&[digits.as_bytes()]);
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    let cased = digits.chars().zip(nibbles).map(|(digit, nibble)| match nibble {
        8.. => digit.to_ascii_uppercase(),
        _ => digit,
    });
    "0x".chars().chain(cased).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_the_letter_case_of_eip_55() {
        // The examples of EIP-55.
        for text in [
            "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
            "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
            "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
            "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
        ] {
            assert_eq!(checksummed(&Address::parse_any(text).unwrap()), text);
        }
    }

    #[test]
    fn a_signature_is_of_one_text_and_one_address() {
        let secret = k256::ecdsa::SigningKey::from_slice(&[7; 32]).unwrap();
        let address = crate::delegation::address_of(secret.verifying_key());
        let signature = signed("hello", &secret);
        assert_eq!(signer("hello", &signature), Ok(address));
        assert_ne!(signer("hello ", &signature), Ok(address));
        // The same 32 bytes signed bare are somebody else's.
        let bare = sign(&keccak(&[b"hello"]), &secret);
        assert_ne!(signer("hello", &bare), Ok(address));
    }
}
