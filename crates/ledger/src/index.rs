//! Which batches the ledger holds, by publisher, epoch and sequence. In memory only, and rebuilt at every opening.
//!
//! A batch costs about 110 bytes here (56 in a tree whose nodes are at worst half full) and 4 to 8 more for its place
//! in its segment. It knows headers, never events, and judges nothing: two hashes at one position are shown as they are.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use events::batch::Position;
use events::identity::{Digest, PublisherKey};
use events::refusal::Refusal;
use events::unit::UnixMillis;
use events::wire::Frame;

/// Where in the ledger a batch of some position stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sighting {
    /// The record; the first one, when the same batch was appended again.
    pub ordinal: u64,
    /// The hash of its header. Two different ones at a position are an equivocation.
    pub hash: Digest,
    /// When its publisher sealed it.
    pub sealed_ms: UnixMillis,
}

/// A batch in its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its sequence.
    pub seq: u64,
    /// The hash of its header.
    pub hash: Digest,
    /// When it was sealed.
    pub sealed_ms: UnixMillis,
}

/// How far one chain is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The publisher.
    pub key: PublisherKey,
    /// Its epoch.
    pub epoch: u64,
    /// The last batch before the first gap; nothing when sequence 0 is missing.
    pub contiguous: Option<Tip>,
    /// The batch of the highest sequence known; the first heard, when there are several.
    pub highest: Tip,
    /// The first sequence with two different headers, if there is one.
    pub forked_at: Option<u64>,
}

/// What the index keeps of a frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp {
    pub position: Position,
    pub hash: Digest,
    pub sealed_ms: UnixMillis,
}

impl Stamp {
    /// Reads the header of a frame; checks no signature.
    pub(crate) fn of(frame: &[u8]) -> Result<Self, Refusal> {
        let header = Frame::parse(frame)?.header;
        Ok(Self { position: header.position(), hash: header.hash(), sealed_ms: header.sealed_ms })
    }
}

/// All chains, ordered by key and epoch.
#[derive(Debug, Default)]
pub(crate) struct Index {
    chains: BTreeMap<(PublisherKey, u64), Chain>,
}

/// One publisher's epoch.
#[derive(Debug, Default)]
struct Chain {
    batches: BTreeMap<u64, Sighting>,
    /// Every further header at a sequence; as good as always empty.
    forks: BTreeMap<u64, Vec<Sighting>>,
    /// How many sequences from 0 on are there without a gap.
    contiguous: u64,
}

impl Index {
    /// Notes the batch of record `ordinal`; ordinals only grow.
    pub(crate) fn insert(&mut self, ordinal: u64, stamp: &Stamp) {
        let Position { key, epoch, seq } = stamp.position;
        let sighting = Sighting { ordinal, hash: stamp.hash, sealed_ms: stamp.sealed_ms };
        self.chains.entry((key, epoch)).or_default().insert(seq, sighting);
    }

    /// Every header at a position in the order of arrival.
    pub(crate) fn find(&self, position: &Position) -> Vec<Sighting> {
        let Some(chain) = self.chains.get(&(position.key, position.epoch)) else {
            return Vec::new();
        };
        chain.at(position.seq).copied().collect()
    }

    /// Whether the batch of this header is there.
    pub(crate) fn contains(&self, position: &Position, hash: &Digest) -> bool {
        let chain = self.chains.get(&(position.key, position.epoch));
        chain.is_some_and(|chain| chain.at(position.seq).any(|sighting| sighting.hash == *hash))
    }

    /// The names of all chains.
    pub(crate) fn chains(&self) -> Vec<(PublisherKey, u64)> {
        self.chains.keys().copied().collect()
    }

    /// How far one chain is known.
    pub(crate) fn head(&self, key: PublisherKey, epoch: u64) -> Option<Head> {
        self.chains.get(&(key, epoch))?.head(key, epoch)
    }

    /// How far every chain is known.
    pub(crate) fn heads(&self) -> Vec<Head> {
        self.chains.iter().filter_map(|((key, epoch), chain)| chain.head(*key, *epoch)).collect()
    }

    /// The sequences from `from` on that are missing below the highest, lowest first, at most `limit` ranges.
    pub(crate) fn gaps(
        &self,
        key: PublisherKey,
        epoch: u64,
        from: u64,
        limit: usize,
    ) -> Vec<RangeInclusive<u64>> {
        self.chains
            .get(&(key, epoch))
            .map(|chain| chain.gaps(from).take(limit).collect())
            .unwrap_or_default()
    }

    /// The first batch at a position or after it in its epoch, and its sequence.
    pub(crate) fn next(&self, from: &Position) -> Option<(u64, Sighting)> {
        let chain = self.chains.get(&(from.key, from.epoch))?;
        chain.batches.range(from.seq..).next().map(|(seq, sighting)| (*seq, *sighting))
    }
}

impl Chain {
    fn insert(&mut self, seq: u64, sighting: Sighting) {
        if self.at(seq).any(|known| known.hash == sighting.hash) {
            return;
        }
        if self.batches.contains_key(&seq) {
            self.forks.entry(seq).or_default().push(sighting);
            return;
        }
        self.batches.insert(seq, sighting);
        if seq == self.contiguous {
            let next = self.batches.range(seq..).map(|(seq, _)| *seq);
            let run = next.zip(seq..).take_while(|(known, wanted)| known == wanted).last();
            self.contiguous = run.map_or(seq, |(last, _)| last.saturating_add(1));
        }
    }

    fn at(&self, seq: u64) -> impl Iterator<Item = &Sighting> {
        self.batches.get(&seq).into_iter().chain(self.forks.get(&seq).into_iter().flatten())
    }

    fn head(&self, key: PublisherKey, epoch: u64) -> Option<Head> {
        let tip = |seq: &u64, sighting: &Sighting| Tip {
            seq: *seq,
            hash: sighting.hash,
            sealed_ms: sighting.sealed_ms,
        };
        let contiguous =
            self.contiguous.checked_sub(1).and_then(|seq| Some(tip(&seq, self.batches.get(&seq)?)));
        let highest = self.batches.last_key_value().map(|(seq, sighting)| tip(seq, sighting))?;
        let forked_at = self.forks.keys().next().copied();
        Some(Head { key, epoch, contiguous, highest, forked_at })
    }

    /// Steps over what is contiguous, so a chain without gaps costs nothing.
    fn gaps(&self, from: u64) -> impl Iterator<Item = RangeInclusive<u64>> {
        let mut expected = from.max(self.contiguous);
        self.batches.range(expected..).filter_map(move |(seq, _)| {
            let from = std::mem::replace(&mut expected, seq.saturating_add(1));
            seq.checked_sub(1).filter(|last| from <= *last).map(|last| from..=last)
        })
    }
}
