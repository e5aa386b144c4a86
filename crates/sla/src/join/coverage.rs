//! Whether a chain of batches goes on past a moment without a gap: only then is silence a statement.

use std::collections::BTreeMap;

use events::identity::PublisherKey;
use events::unit::UnixMillis;

use crate::opened::Opened;

/// Consecutive sequences of one chain.
#[derive(Debug, Clone, Copy)]
struct Run {
    first_seq: u64,
    first_sealed_ms: UnixMillis,
    last_seq: u64,
    last_sealed_ms: UnixMillis,
}

/// The runs of every chain.
#[derive(Debug, Default)]
pub struct Coverage(BTreeMap<(PublisherKey, u64), Vec<Run>>);

impl Coverage {
    /// The runs that `batches` form; repeated batches change nothing.
    pub fn of<'a>(batches: impl IntoIterator<Item = &'a Opened>) -> Self {
        let mut chains: BTreeMap<(PublisherKey, u64), BTreeMap<u64, UnixMillis>> = BTreeMap::new();
        for Opened { header, .. } in batches {
            chains
                .entry((header.key, header.epoch))
                .or_default()
                .insert(header.seq, header.sealed_ms);
        }
        Self(chains.into_iter().map(|(chain, sequences)| (chain, runs(&sequences))).collect())
    }

    /// Whether the chain is known without a gap from before `from` to `until` or later.
    pub fn passes(
        &self,
        key: PublisherKey,
        epoch: u64,
        from: UnixMillis,
        until: UnixMillis,
    ) -> bool {
        self.0.get(&(key, epoch)).into_iter().flatten().any(|run| {
            let begins = run.first_seq == 0 || run.first_sealed_ms < from;
            begins && run.last_sealed_ms >= until
        })
    }
}

fn runs(sequences: &BTreeMap<u64, UnixMillis>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (&seq, &sealed_ms) in sequences {
        match runs.last_mut() {
            Some(run) if run.last_seq + 1 == seq => {
                run.last_seq = seq;
                run.last_sealed_ms = sealed_ms;
            }
            _ => runs.push(Run {
                first_seq: seq,
                first_sealed_ms: sealed_ms,
                last_seq: seq,
                last_sealed_ms: sealed_ms,
            }),
        }
    }
    runs
}
