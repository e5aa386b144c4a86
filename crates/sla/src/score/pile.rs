//! Piles of evidence: rows that count, by component and source, and beside them how much does not count and why.

use std::collections::{BTreeMap, BTreeSet};

use events::identity::Address;

use super::block::Block;
use super::gather::{Part, Row};
use super::source::{Told, Voice};
use crate::scorecard::Excluded;

/// What became of one row.
#[derive(Debug, Clone, Copy)]
pub enum Standing {
    /// It counts, as the word of a source.
    Counts(Voice),
    /// The one who told it and the one it is about are one party.
    Linked,
    /// The one who told it is no source yet.
    Young,
}

/// Evidence about one operator and kind of work, of signed words or of unsigned feeds.
#[derive(Debug, Default)]
pub struct Pile {
    /// What counts for nothing, but for outages: those are told apart when all is told.
    pub excluded: Excluded,
    /// By component, then source.
    pub told: BTreeMap<usize, BTreeMap<Voice, Told>>,
    /// The reporters whose words counted, by source.
    pub voices: BTreeMap<Voice, BTreeSet<Address>>,
}

impl Pile {
    /// Takes all of `other`.
    pub fn merge(&mut self, other: &Self) {
        self.excluded.merge(&other.excluded);
        for (component, told) in &other.told {
            let mine = self.told.entry(*component).or_default();
            for (source, told) in told {
                mine.entry(*source).or_default().merge(told);
            }
        }
        for (source, voices) in &other.voices {
            self.voices.entry(*source).or_default().extend(voices);
        }
    }
}

/// The piles of one kind of work: what was signed for, and what unsigned feeds said.
#[derive(Debug, Default)]
pub struct Piles {
    /// What unsigned feeds said.
    pub collected: Pile,
    /// What was signed for.
    pub signed: Pile,
}

impl Pile {
    /// Takes a row: what counts as evidence, what does not as excluded. In an outage failures are told apart.
    pub fn take<'a>(
        &mut self,
        row: &Row,
        standing: Standing,
        voices: impl Iterator<Item = &'a Address>,
        is_outage: bool,
    ) {
        let count = |parts: &[Part]| parts.iter().map(Part::count).fold(0, u64::saturating_add);
        let source = match standing {
            Standing::Counts(source) => source,
            Standing::Linked => return self.excluded.add_linked(count(&row.parts)),
            Standing::Young => return self.excluded.add_young(count(&row.parts)),
        };
        self.voices.entry(source).or_default().extend(voices);
        for part in &row.parts {
            let told = self.told.entry(part.component).or_default().entry(source).or_default();
            let Part { bad, disputed, good, sessions, .. } = *part;
            let (bad, outage) = if is_outage { (0, bad) } else { (bad, 0) };
            told.add(row.block, &Block { bad, disputed, good, outage, sessions });
        }
    }
}
