//! A batch: up to 256 events under one signed header, one link of a publisher's gap-free chain.
//!
//! The header commits to the events by their Merkle root and to the past by the hash of the header before it. Signing
//! covers the header alone, so payloads can be compressed, moved and stored in any way. Sealing needs the secret key
//! and the time as arguments; nothing here keeps a chain's state (`publisher::outbox` does).

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::canonical;
use crate::event::{MAX_EVENT_BYTES, Network};
use crate::identity::{BatchSignature, Digest, PublisherKey};
use crate::merkle;
use crate::object::Object;
use crate::refusal::{Defect, Refusal};
use crate::unit::UnixMillis;

/// The name of this format, inside every header.
pub const FORMAT: &str = "naap/batch/1";

/// The most events a batch holds (docs/events.md, "A batch").
pub const MAX_EVENTS: usize = 256;

/// The most compressed payload bytes a batch holds: with header and signature a frame stays below the 64 KiB that the
/// narrowest channel carries (docs/events.md, "Chains and epochs").
pub const MAX_COMPRESSED_BYTES: usize = 48 * 1024;

/// The most payload bytes before compression: every event at its limit, with its line feed.
pub const MAX_PAYLOAD_BYTES: usize = MAX_EVENTS * (MAX_EVENT_BYTES + 1);

/// What a publisher signs. Members stand in the order of their names, so serialising gives canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// How many events, 1 to 256.
    pub count: u16,
    /// Which chain of this key: a new one begins when the tail of the last cannot be proven.
    pub epoch: u64,
    /// [`FORMAT`].
    pub format: String,
    /// The key that signs, and the name of the publisher.
    pub key: PublisherKey,
    /// The network all its events belong to.
    pub network: Network,
    /// The hash of the header before it in its epoch; zeros for sequence 0.
    pub prev: Digest,
    /// The Merkle root over the events' bytes.
    pub root: Digest,
    /// When it was sealed; never earlier than the batch before it.
    pub sealed_ms: UnixMillis,
    /// Its place in the epoch, from 0, without gaps.
    pub seq: u64,
}

/// Where a batch stands: nobody else's batch has these three.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
pub struct Position {
    /// The publisher.
    pub key: PublisherKey,
    /// Its epoch.
    pub epoch: u64,
    /// Its place in the epoch.
    pub seq: u64,
}

impl Header {
    /// The canonical bytes that are hashed and signed.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a header has no map and no float, so it serialises")
    }

    /// Reads canonical bytes and refuses every other form.
    ///
    /// A header of another format is refused as that, whatever else it holds.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        #[derive(Deserialize)]
        struct Named {
            format: String,
        }
        let malformed =
            |error| Refusal::new(Defect::BatchMalformed, format_args!("header: {error}"));
        canonical::check(bytes)
            .map_err(|refusal| Refusal::new(Defect::BatchMalformed, refusal.detail))?;
        let mut reader = serde_json::Deserializer::from_slice(bytes);
        let Named { format } = Named::deserialize(Object(&mut reader)).map_err(malformed)?;
        if format != FORMAT {
            return Err(Refusal::new(Defect::BatchFormat, format_args!("format {format:?}")));
        }
        let header: Self = serde_json::from_slice(bytes).map_err(malformed)?;
        if header.bytes() != bytes {
            return Err(Refusal::new(Defect::BatchMalformed, "header not in its one form"));
        }
        header.check_values()?;
        Ok(header)
    }

    fn check_values(&self) -> Result<(), Refusal> {
        if self.count == 0 || usize::from(self.count) > MAX_EVENTS {
            return Err(Refusal::new(Defect::BatchTooLarge, format_args!("{} events", self.count)));
        }
        if !self.sealed_ms.is_plausible() {
            return Err(Refusal::new(
                Defect::BatchTime,
                format_args!("sealed at {}", self.sealed_ms),
            ));
        }
        if self.seq == 0 && self.prev != Digest::ZERO {
            return Err(Refusal::new(Defect::BatchChain, "sequence 0 names a header before it"));
        }
        Ok(())
    }

    /// Whether the two are an equivocation: one place in one chain, two contents.
    ///
    /// Only headers are compared. Frames of one batch may differ, because one payload compresses in many ways, and so
    /// may signatures: whoever holds the key can sign one header twice with two results.
    pub fn contradicts(&self, other: &Self) -> bool {
        self.position() == other.position() && self != other
    }

    /// The name by which the next header refers to this one.
    pub fn hash(&self) -> Digest {
        Digest::of(&[&self.bytes()])
    }

    /// Where the batch stands.
    pub fn position(&self) -> Position {
        Position { key: self.key, epoch: self.epoch, seq: self.seq }
    }

    /// Checks the signature over this header. Strict: no small-order keys, no second form of a signature.
    pub fn verify(&self, signature: &BatchSignature) -> Result<(), Refusal> {
        let wrong = || Refusal::new(Defect::BatchSignature, format_args!("key {}", self.key));
        let key = VerifyingKey::from_bytes(&self.key.0).map_err(|_| wrong())?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        key.verify_strict(&signed_bytes(&self.bytes()), &signature).map_err(|_| wrong())
    }
}

/// The bytes under the signature: a line that names the purpose, then the header.
fn signed_bytes(header: &[u8]) -> Vec<u8> {
    [b"naap/batch/1\n", header].concat()
}

/// The name under which a secret key publishes.
pub fn publisher_key(secret: &SigningKey) -> PublisherKey {
    PublisherKey(secret.verifying_key().to_bytes())
}

/// The events of a batch as bytes: each in canonical form, each followed by a line feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// Where the line feed of each event stands in `lines`.
    ends: Vec<usize>,
    lines: Vec<u8>,
}

impl Payload {
    /// Joins events.
    ///
    /// Canonical JSON escapes line feeds; bytes that hold a raw one are as many events as they have lines, here as on
    /// the wire.
    pub fn of<'a>(events: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut lines = Vec::new();
        for event in events {
            lines.extend_from_slice(event);
            lines.push(b'\n');
        }
        Self { ends: line_feeds(&lines), lines }
    }

    /// Takes joined events as they came.
    pub fn from_lines(lines: Vec<u8>) -> Result<Self, Refusal> {
        if lines.last() != Some(&b'\n') || lines.len() > MAX_PAYLOAD_BYTES {
            return Err(Refusal::new(Defect::BatchMalformed, "payload is not lines, or too long"));
        }
        Ok(Self { ends: line_feeds(&lines), lines })
    }

    /// The bytes of each event.
    pub fn events(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|end| end + 1));
        let spans = starts.zip(&self.ends);
        spans.map(|(start, end)| self.lines.get(start..*end).unwrap_or_default())
    }

    /// How many events.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// All bytes, line feeds included.
    pub fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// The Merkle root over the events' bytes.
    pub fn root(&self) -> Digest {
        merkle::root(self.events())
    }
}

fn line_feeds(bytes: &[u8]) -> Vec<usize> {
    memchr::memchr_iter(b'\n', bytes).collect()
}

/// A header, its signature and its events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// What is signed.
    pub header: Header,
    /// The events' bytes.
    pub payload: Payload,
    /// The signature over the header.
    pub signature: BatchSignature,
}

/// The end of a chain: what the next batch follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tail {
    /// The hash of the last header.
    pub hash: Digest,
    /// When it was sealed.
    pub sealed_ms: UnixMillis,
    /// Its sequence.
    pub seq: u64,
}

impl Batch {
    /// Seals `payload` as the batch after `tail` in `epoch`, or as its first.
    ///
    /// A clock that went back does not show: the batch is sealed no earlier than the one before it. What nobody would
    /// accept is not sealed: no events or too many, an implausible time, a number over 2^53 - 1.
    pub fn seal(
        secret: &SigningKey,
        network: Network,
        epoch: u64,
        tail: Option<&Tail>,
        now: UnixMillis,
        payload: Payload,
    ) -> Result<Self, Refusal> {
        let count = u16::try_from(payload.count())
            .ok()
            .filter(|count| (1..=MAX_EVENTS).contains(&usize::from(*count)));
        let too_many =
            || Refusal::new(Defect::BatchTooLarge, format_args!("{} events", payload.count()));
        let header = Header {
            count: count.ok_or_else(too_many)?,
            epoch,
            format: FORMAT.to_owned(),
            key: publisher_key(secret),
            network,
            prev: tail.map_or(Digest::ZERO, |tail| tail.hash),
            root: payload.root(),
            sealed_ms: tail.map_or(now, |tail| now.max(tail.sealed_ms)),
            seq: tail.map_or(0, |tail| tail.seq.saturating_add(1)),
        };
        let header = Header::decode(&header.bytes())?;
        let signature = BatchSignature(secret.sign(&signed_bytes(&header.bytes())).to_bytes());
        Ok(Self { header, payload, signature })
    }

    /// Checks the signature, then that the events are those the header commits to.
    pub fn verify(&self) -> Result<(), Refusal> {
        self.header.verify(&self.signature)?;
        self.verify_payload()
    }

    /// Checks that the events are those the header commits to, and no more.
    pub fn verify_payload(&self) -> Result<(), Refusal> {
        if self.payload.count() != usize::from(self.header.count)
            || self.payload.root() != self.header.root
        {
            return Err(Refusal::new(
                Defect::BatchRoot,
                format_args!("sequence {}", self.header.seq),
            ));
        }
        Ok(())
    }

    /// The end of the chain once this batch is its last.
    pub fn tail(&self) -> Tail {
        Tail { hash: self.header.hash(), sealed_ms: self.header.sealed_ms, seq: self.header.seq }
    }
}

/// Checks that `next` follows `before`, which is the tail of `next`'s own key and epoch.
///
/// The first batch of an epoch follows nothing: [`Header::decode`] holds it to sequence 0 and zeros.
pub fn check_link(before: &Tail, next: &Header) -> Result<(), Refusal> {
    let wrong =
        |defect, why: &str| Err(Refusal::new(defect, format_args!("sequence {}: {why}", next.seq)));
    if before.seq.checked_add(1) != Some(next.seq) {
        return wrong(Defect::BatchChain, "does not come next");
    }
    if next.prev != before.hash {
        return wrong(Defect::BatchChain, "does not name the header before it");
    }
    if next.sealed_ms < before.sealed_ms {
        return wrong(Defect::BatchTime, "sealed before the batch before it");
    }
    Ok(())
}
