//! Whether a chain of batches goes on past a moment without a gap: only then is silence a statement.

use std::collections::BTreeMap;

use events::batch::{Header, Position, Tail, check_link};
use events::identity::PublisherKey;
use events::unit::UnixMillis;

use crate::opened::Opened;

/// Consecutive batches of one chain, each naming the one before it.
#[derive(Debug, Clone, Copy)]
struct Run {
    first_sealed_ms: UnixMillis,
    first_seq: u64,
    tail: Tail,
}

/// The runs of every chain.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<(PublisherKey, u64), Vec<Run>>);

impl Coverage {
    /// The runs that `batches` form; repeated batches change nothing.
    pub fn of<'a>(batches: impl IntoIterator<Item = &'a Opened>) -> Self {
        let mut chains: BTreeMap<(PublisherKey, u64), BTreeMap<u64, &Opened>> = BTreeMap::new();
        for batch in batches {
            let chain = chains.entry((batch.header.key, batch.header.epoch)).or_default();
            chain.insert(batch.header.seq, batch);
        }
        Self(
            chains
                .into_iter()
                .map(|(chain, batches)| (chain, runs(batches.into_values())))
                .collect(),
        )
    }

    /// Whether the chain of `told` is known without a gap to `until` or later: from the batch at `told` on, or from
    /// before `from`.
    pub fn passes(&self, told: Position, from: UnixMillis, until: UnixMillis) -> bool {
        self.0.get(&(told.key, told.epoch)).into_iter().flatten().any(|run| {
            let begins = run.first_seq <= told.seq || run.first_sealed_ms < from;
            begins && run.tail.seq >= told.seq && run.tail.sealed_ms >= until
        })
    }
}

fn runs<'a>(batches: impl Iterator<Item = &'a Opened>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for batch in batches {
        let Header { seq, sealed_ms, .. } = batch.header;
        let tail = Tail { hash: batch.hash, sealed_ms, seq };
        match runs.last_mut() {
            Some(run) if check_link(&run.tail, &batch.header).is_ok() => run.tail = tail,
            _ => runs.push(Run { first_sealed_ms: sealed_ms, first_seq: seq, tail }),
        }
    }
    runs
}
