//! Stand-ins for what must not be published: one node gives the same thing the same name for ever, and nobody who does
//! not know the node's secret can tell by trying which thing that is.
//!
//! Inner URLs are few and easily guessed, so a hash without a secret would hide nothing. The secret never leaves the
//! process and is never printed.

use std::fmt;

use ed25519_dalek::SigningKey;
use events::identity::{Digest, Pseudonym};

/// What a node's stand-ins are made with.
#[derive(Clone, PartialEq, Eq)]
pub struct PseudonymKey(Digest);

impl PseudonymKey {
    /// The one that belongs to a node's signing key, by a hash of its own: it signs nothing and tells nothing of the key.
    pub fn of(secret: &SigningKey) -> Self {
        Self(Digest::of(&[b"naap/pseudonym-key/1\0", secret.as_bytes()]))
    }

    /// The stand-in for a text.
    pub fn pseudonym(&self, text: &str) -> Pseudonym {
        Pseudonym::of(&self.0, text)
    }

    /// The stand-in for a name that cannot be repeated as it is: of full length, so that no two names meet.
    pub fn digest(&self, name: &[u8]) -> Digest {
        Digest::of(&[b"naap/name/1\0", &self.0.0, name])
    }
}

impl fmt::Debug for PseudonymKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PseudonymKey(..)")
    }
}
