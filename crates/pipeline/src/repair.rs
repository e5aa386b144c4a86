//! Repair: what a chain lacks is asked for, from the publisher or any peer, and let in by the same door.
//!
//! The ledger is also what others repair from: it answers by publisher, epoch and sequence.

use std::sync::Arc;

use channel::{Backfill, BoxFuture, Head};
use events::batch::Position;
use events::identity::PublisherKey;
use ledger::Ledger;

use crate::intake::{Accepted, Intake};
use crate::{Clock, Error};

/// The most sequences asked for in one call.
const RANGE_MAX: u64 = 512;

/// The most ranges of one chain that are asked for in one round.
const RANGES_MAX: usize = 16;

/// The most bytes taken from one call.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// What one round of repair did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Batches that came and were kept.
    pub kept: u64,
    /// Batches that came and were refused.
    pub refused: u64,
    /// Sequences still missing that this source was asked for.
    pub missing: u64,
}

/// Asks `source` for everything that its heads say exists and the ledger lacks, a bounded amount a round.
pub async fn repair(
    ledger: &Arc<Ledger>,
    intake: &Arc<Intake>,
    source: &dyn Backfill,
    clock: &Clock,
) -> Result<Repaired, RepairError> {
    let mut repaired = Repaired::default();
    for head in source.heads().await? {
        let Ok(key) = head.chain.parse::<PublisherKey>() else { continue };
        for (from, to) in missing(ledger, key, &head) {
            let frames = source.fetch(&head.chain, head.epoch, from, to, BYTES_MAX).await?;
            let came = u64::try_from(frames.len()).unwrap_or(u64::MAX);
            repaired.missing += (to - from + 1).saturating_sub(came);
            let (intake, received_ms) = (Arc::clone(intake), clock());
            let frames = frames.iter().map(|frame| frame.to_vec()).collect();
            let verdicts =
                tokio::task::spawn_blocking(move || intake.accept_all(frames, received_ms))
                    .await??;
            for verdict in verdicts {
                match verdict {
                    Ok(Accepted::Kept) => repaired.kept += 1,
                    Ok(Accepted::Known) => {}
                    Err(_) => repaired.refused += 1,
                }
            }
        }
    }
    Ok(repaired)
}

/// Why a round of repair stopped.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The source could not be asked.
    #[error("the source of a repair failed: {0}")]
    Source(#[from] channel::Error),
    /// What came could not be kept.
    #[error(transparent)]
    Kept(#[from] Error),
    /// The work was cancelled.
    #[error("the repair was cancelled: {0}")]
    Cancelled(#[from] tokio::task::JoinError),
}

/// The ranges the ledger lacks up to an announced head, each short enough for one call.
fn missing(ledger: &Ledger, key: PublisherKey, head: &Head) -> Vec<(u64, u64)> {
    let gaps =
        ledger.gaps(key, head.epoch, RANGES_MAX).into_iter().map(|gap| (*gap.start(), *gap.end()));
    let mut ranges: Vec<(u64, u64)> = gaps.filter(|(from, _)| *from <= head.seq).collect();
    let next = ledger.head(key, head.epoch).map_or(0, |known| known.highest.seq.saturating_add(1));
    if next <= head.seq {
        ranges.push((next, head.seq));
    }
    let short = |(from, to): (u64, u64)| (from, to.min(from.saturating_add(RANGE_MAX - 1)));
    ranges.into_iter().map(short).take(RANGES_MAX).collect()
}

/// The ledger as a source that others repair from.
pub struct LedgerSource(pub Arc<Ledger>);

impl Backfill for LedgerSource {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, channel::Result<Vec<bytes::Bytes>>> {
        let ledger = Arc::clone(&self.0);
        Box::pin(async move {
            let unknown = |error: &dyn std::fmt::Display| channel::Error::Source {
                detail: error.to_string(),
            };
            let key: PublisherKey = chain.parse().map_err(|error| unknown(&error))?;
            let read = tokio::task::spawn_blocking(move || {
                prefix(&ledger, key, epoch, (from_seq, to_seq), max_bytes)
            });
            read.await.map_err(|error| unknown(&error))?.map_err(|error| unknown(&error))
        })
    }

    fn heads(&self) -> BoxFuture<'_, channel::Result<Vec<Head>>> {
        let heads = self.0.heads().into_iter().map(|head| Head {
            chain: head.key.to_string(),
            epoch: head.epoch,
            seq: head.highest.seq,
            hash: head.highest.hash.to_string(),
        });
        let heads = heads.collect();
        Box::pin(async move { Ok(heads) })
    }
}

/// The frames of a range from its start on, up to the first that is missing or does not fit.
fn prefix(
    ledger: &Ledger,
    key: PublisherKey,
    epoch: u64,
    (from_seq, to_seq): (u64, u64),
    max_bytes: usize,
) -> Result<Vec<bytes::Bytes>, ledger::Error> {
    let mut frames = Vec::new();
    let mut bytes = 0;
    for seq in from_seq..=to_seq {
        let found = ledger.find(&Position { key, epoch, seq });
        let Some(sighting) = found.first() else { break };
        let Some(entry) = ledger.get(sighting.ordinal)? else { break };
        bytes += entry.frame.len();
        if bytes > max_bytes {
            break;
        }
        frames.push(bytes::Bytes::from(entry.frame));
    }
    Ok(frames)
}
