//! What we say no to: a refusal is an input that will not be used, under a code that never changes.
//!
//! Refusals are data. They are stored, counted and shown; they are never errors of ours. `docs/refusals.md` says for
//! each code what it means and what the sender can do; a test keeps the two lists equal.

use std::fmt;

use serde::{Serialize, Serializer};

/// Declares the codes once, with their texts.
macro_rules! defects {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// Why an input was refused.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Defect {
            $($(#[$doc])* $name,)*
        }

        impl Defect {
            /// Every defect there is, in order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(Self::$name => $code),* }
            }

            /// The defect with this code, if there is one.
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($code => Some(Self::$name),)* _ => None }
            }
        }
    };
}

defects! {
    /// The frame around a batch cannot be read.
    BatchMalformed = "E-BATCH-MALFORMED",
    /// A batch of more events or bytes than the limits allow.
    BatchTooLarge = "E-BATCH-TOO-LARGE",
    /// A header of a format this version does not know.
    BatchFormat = "E-BATCH-FORMAT",
    /// The events do not give the header's count or Merkle root.
    BatchRoot = "E-BATCH-ROOT",
    /// The signature is not the key's over this header.
    BatchSignature = "E-BATCH-SIGNATURE",
    /// A sealing time before 2020 or after 2100, or earlier than the batch before it.
    BatchTime = "E-BATCH-TIME",
    /// Sealed further in the future than clocks may differ.
    BatchFuture = "E-BATCH-FUTURE",
    /// The batch does not follow the one before it in its chain.
    BatchChain = "E-BATCH-CHAIN",
    /// A batch of another network.
    BatchNetwork = "E-BATCH-NETWORK",
    /// Two different batches under one sequence number; both are kept as proof and neither counts.
    Equivocation = "E-EQUIVOCATION",
    /// A batch at or after an equivocation in its epoch.
    EpochRefused = "E-EPOCH-REFUSED",
    /// A key nobody vouches for has used up the room that strangers get.
    QuotaUnknownKey = "E-QUOTA-UNKNOWN-KEY",

    /// No delegation lets this key speak.
    SignerUnknown = "E-SIGNER-UNKNOWN",
    /// The delegation had ended when the batch was sealed, or reaches further than 90 days.
    DelegationExpired = "E-DELEGATION-EXPIRED",
    /// The delegation was revoked before this batch.
    DelegationRevoked = "E-DELEGATION-REVOKED",
    /// The delegation is not signed by the address it speaks for.
    DelegationSignature = "E-DELEGATION-SIGNATURE",
    /// The address was not in the roster when the batch was sealed.
    RosterAbsent = "E-ROSTER-ABSENT",
    /// The key may not speak in this role.
    RoleNotTrusted = "E-ROLE-NOT-TRUSTED",

    /// An event that is not an event: wrong types, missing fields, values out of range.
    EventMalformed = "E-EVENT-MALFORMED",
    /// An event over 16 KiB.
    EventTooLarge = "E-EVENT-TOO-LARGE",
    /// Event bytes that are not in canonical form.
    EventNotCanonical = "E-EVENT-NOT-CANONICAL",
    /// An event kind that this version does not know.
    EventKind = "E-EVENT-KIND",
    /// An event that claims another reporter, node, role or network than its batch's key stands for.
    EventReporter = "E-EVENT-REPORTER",
    /// An event heard before from the same reporter.
    EventDuplicate = "E-EVENT-DUPLICATE",

    /// Input that is no envelope: no JSON, no object, no type.
    EnvelopeMalformed = "E-ENVELOPE-MALFORMED",
    /// An envelope without an id.
    EnvelopeId = "E-ENVELOPE-ID",
    /// An envelope without a usable time.
    EnvelopeTime = "E-ENVELOPE-TIME",
    /// An envelope whose data has not the shape of its type.
    EnvelopeData = "E-ENVELOPE-DATA",
    /// A type of envelope that no rule translates.
    FamilyUnknown = "E-FAMILY-UNKNOWN",
    /// A subtype that no rule translates.
    SubtypeUnknown = "E-SUBTYPE-UNKNOWN",
    /// A subtype that is known and says nothing a score may use.
    SubtypeIgnored = "E-SUBTYPE-IGNORED",
    /// Input over the size limit of its door.
    InputTooLarge = "E-INPUT-TOO-LARGE",
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

impl Serialize for Defect {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}

/// A defect and where it was seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{defect}: {detail}")]
pub struct Refusal {
    /// The stable reason.
    pub defect: Defect,
    /// What was seen, in words, without private content; at most 200 characters.
    pub detail: String,
}

impl Refusal {
    /// A refusal whose detail is cut to 200 characters.
    pub fn new(defect: Defect, detail: impl fmt::Display) -> Self {
        Self { defect, detail: detail.to_string().chars().take(200).collect() }
    }
}
