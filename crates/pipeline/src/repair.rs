//! Repair: what a chain lacks is asked for, from the publisher or any peer, and let in by the same door.
//!
//! The ledger is also what others repair from: it answers by publisher, epoch and sequence. What a source says that it
//! holds is never believed: it decides only what is asked next, and how often is bounded.

use std::collections::BTreeMap;
use std::sync::Arc;

use channel::{Backfill, BoxFuture, Head};
use events::batch::Position;
use events::identity::PublisherKey;
use events::unit::MAX_JSON_INTEGER;
use events::wire::Frame;
use ledger::Ledger;

use crate::intake::{Accepted, Intake, KnownKeys};
use crate::{Clock, Error};

/// The most heads of one source that are looked at in a round.
const HEADS_MAX: usize = 8_192;

/// The most heads that we name to others: they fit one answer of the HTTP channel.
const HEADS_NAMED_MAX: usize = 4_096;

/// The most calls that one round makes for chains that somebody vouches for.
const CALLS_MAX: usize = 256;

/// The most bytes taken from one call.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The most chains that nobody vouches for that are asked for in one round. They are not left out: a publisher's
/// delegation stands in its own chain, so until that is here nobody vouches for it.
const STRANGERS_MAX: usize = 16;

/// The most calls of one round for such a chain.
const STRANGER_CALLS_MAX: usize = 2;

/// The most bytes taken from one such call: more than any one batch has.
const STRANGER_BYTES_MAX: usize = 128 * 1024;

/// What one round of repair did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Repaired {
    /// Batches that came and were kept.
    pub kept: u64,
    /// Batches that came and were refused.
    pub refused: u64,
    /// Sequences that this source was asked for and does not hold.
    pub missing: u64,
}

/// How far the rounds with one source came, so that no chain waits for ever behind others.
#[derive(Debug, Default)]
pub struct Progress {
    /// Where the next round goes on; at the first chain if nowhere.
    vouched: Option<Position>,
    /// The last chain asked for of those that nobody vouches for.
    strangers: Option<(PublisherKey, u64)>,
}

/// Asks `source` for what its heads say exists and the ledger lacks, a bounded amount a round.
///
/// A round goes on where the one before it with the same `progress` ended, also where that one failed.
pub async fn repair(
    ledger: &Ledger,
    intake: &Arc<Intake>,
    source: &dyn Backfill,
    clock: &Clock,
    progress: &mut Progress,
) -> Result<Repaired, RepairError> {
    let (mut vouched, mut strangers) = (Heads::new(), Heads::new());
    for head in source.heads().await?.into_iter().take(HEADS_MAX) {
        let Ok(key) = head.chain.parse::<PublisherKey>() else { continue };
        let heads = if intake.vouches_for(key) { &mut vouched } else { &mut strangers };
        let seq = heads.entry((key, head.epoch)).or_default();
        *seq = head.seq.min(MAX_JSON_INTEGER).max(*seq);
    }
    let mut round = Round { clock, intake, ledger, repaired: Repaired::default(), source };
    round.repair_vouched(&vouched, &mut progress.vouched).await?;
    round.repair_strangers(&strangers, &mut progress.strangers).await?;
    Ok(round.repaired)
}

/// Why a round of repair stopped.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// The source could not be asked.
    #[error("the source of a repair failed: {0}")]
    Source(#[from] channel::Error),
    /// What came is not what was asked for.
    #[error("asked for {asked:?} up to sequence {to_seq}, a peer sent something else")]
    Unasked {
        /// The first that was asked for.
        asked: Position,
        /// The last sequence that was asked for.
        to_seq: u64,
    },
    /// What came could not be kept.
    #[error(transparent)]
    Kept(#[from] Error),
    /// The work was cancelled.
    #[error("the repair was cancelled: {0}")]
    Cancelled(#[from] tokio::task::JoinError),
}

/// The highest sequence that a source says it holds, of each chain.
type Heads = BTreeMap<(PublisherKey, u64), u64>;

/// One round with one source.
struct Round<'a> {
    clock: &'a Clock,
    intake: &'a Arc<Intake>,
    ledger: &'a Ledger,
    repaired: Repaired,
    source: &'a dyn Backfill,
}

impl Round<'_> {
    /// Goes through the chains from the mark on and once around, and leaves the mark where it ends.
    async fn repair_vouched(
        &mut self,
        heads: &Heads,
        mark: &mut Option<Position>,
    ) -> Result<(), RepairError> {
        let began = mark.take();
        let chain = began.map(|position| (position.key, position.epoch));
        let (before, after): (Vec<_>, Vec<_>) =
            heads.iter().partition(|(place, _)| Some(**place) < chain);
        let mut calls = 0;
        for (place, head) in after.into_iter().chain(before) {
            let mut from = began.filter(|_| Some(*place) == chain).map(|position| position.seq);
            while let Some((asked, to_seq)) = self.missing(*place, from.unwrap_or(0), *head) {
                // Until it is answered: whoever fails is passed over, and has its turn again.
                *mark = Some(Position { seq: to_seq.saturating_add(1), ..asked });
                if calls == CALLS_MAX {
                    *mark = Some(asked);
                    return Ok(());
                }
                calls += 1;
                from = Some(self.ask(asked, to_seq, BYTES_MAX).await?);
            }
        }
        *mark = None;
        Ok(())
    }

    /// Asks a little of a few chains, the next ones in turn.
    async fn repair_strangers(
        &mut self,
        heads: &Heads,
        last: &mut Option<(PublisherKey, u64)>,
    ) -> Result<(), RepairError> {
        let (before, after): (Vec<_>, Vec<_>) =
            heads.iter().partition(|(place, _)| Some(**place) <= *last);
        let lacks = |(place, head): &(&(PublisherKey, u64), &u64)| {
            self.missing(**place, 0, **head).is_some()
        };
        let few: Vec<_> =
            after.into_iter().chain(before).filter(lacks).take(STRANGERS_MAX).collect();
        for (place, head) in few {
            *last = Some(*place);
            let mut from = 0;
            for _ in 0..STRANGER_CALLS_MAX {
                let Some((asked, to_seq)) = self.missing(*place, from, *head) else { break };
                from = self.ask(asked, to_seq, STRANGER_BYTES_MAX).await?;
            }
        }
        Ok(())
    }

    /// The first range from `from` on that the ledger lacks, up to an announced head.
    fn missing(
        &self,
        (key, epoch): (PublisherKey, u64),
        from: u64,
        head: u64,
    ) -> Option<(Position, u64)> {
        let gap = self.ledger.gaps(key, epoch, from, 1).pop();
        let (first, last) =
            gap.map(|gap| (*gap.start(), (*gap.end()).min(head))).unwrap_or_else(|| {
                let known = self.ledger.head(key, epoch);
                let next = known.map_or(0, |known| known.highest.seq.saturating_add(1));
                (next.max(from), head)
            });
        (first <= last).then_some((Position { key, epoch, seq: first }, last))
    }

    /// Asks for one range, lets in what comes, and says from where to go on.
    async fn ask(
        &mut self,
        asked: Position,
        to_seq: u64,
        max_bytes: usize,
    ) -> Result<u64, RepairError> {
        let Position { key, epoch, seq: from_seq } = asked;
        let fetched =
            self.source.fetch(&key.to_string(), epoch, from_seq, to_seq, max_bytes).await?;
        let mut next = from_seq;
        for frame in &fetched {
            let place = Frame::parse(frame).map(|frame| frame.header.position()).ok();
            match place {
                Some(place)
                    if (place.key, place.epoch) == (key, epoch)
                        && (next..=to_seq).contains(&place.seq) =>
                {
                    next = place.seq.saturating_add(1);
                }
                _ => return Err(RepairError::Unasked { asked, to_seq }),
            }
        }
        // An empty answer: nothing of the range is held there.
        let next = if fetched.is_empty() { to_seq.saturating_add(1) } else { next };
        let came = u64::try_from(fetched.len()).unwrap_or(u64::MAX);
        let skipped = (next - from_seq).saturating_sub(came);
        self.repaired.missing = self.repaired.missing.saturating_add(skipped);
        if !fetched.is_empty() {
            self.let_in(fetched).await?;
        }
        Ok(next)
    }

    async fn let_in(&mut self, frames: Vec<bytes::Bytes>) -> Result<(), RepairError> {
        let (intake, received_ms) = (Arc::clone(self.intake), (self.clock)());
        let frames = frames.iter().map(|frame| frame.to_vec()).collect();
        let letting_in =
            tokio::task::spawn_blocking(move || intake.accept_all(frames, received_ms));
        for verdict in letting_in.await?? {
            match verdict {
                Ok(Accepted::Kept) => self.repaired.kept += 1,
                Ok(Accepted::Known) => {}
                Err(_) => self.repaired.refused += 1,
            }
        }
        Ok(())
    }
}

/// The ledger as a source that others repair from.
pub struct LedgerSource {
    /// Whose chains are named first, where there are more than can be.
    pub known: KnownKeys,
    /// What is read.
    pub ledger: Arc<Ledger>,
}

impl Backfill for LedgerSource {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, channel::Result<Vec<bytes::Bytes>>> {
        let ledger = Arc::clone(&self.ledger);
        Box::pin(async move {
            if to_seq < from_seq {
                return Err(channel::Error::Range { from_seq, to_seq });
            }
            let unknown = |error: &dyn std::fmt::Display| channel::Error::Source {
                detail: error.to_string(),
            };
            let Ok(key) = chain.parse::<PublisherKey>() else { return Ok(Vec::new()) };
            let from = Position { key, epoch, seq: from_seq };
            let read = tokio::task::spawn_blocking(move || held(&ledger, from, to_seq, max_bytes));
            let (frames, next) =
                read.await.map_err(|error| unknown(&error))?.map_err(|error| unknown(&error))?;
            match next {
                Some(bytes) if frames.is_empty() => {
                    Err(channel::Error::TooLong { bytes, max_bytes })
                }
                _ => Ok(frames),
            }
        })
    }

    fn heads(&self) -> BoxFuture<'_, channel::Result<Vec<Head>>> {
        let (vouched, strangers): (Vec<_>, Vec<_>) =
            self.ledger.heads().into_iter().partition(|head| self.known.contains(head.key));
        let heads = vouched.into_iter().chain(strangers).take(HEADS_NAMED_MAX).map(|head| Head {
            chain: head.key.to_string(),
            epoch: head.epoch,
            seq: head.highest.seq,
            hash: head.highest.hash.to_string(),
        });
        let heads = heads.collect();
        Box::pin(async move { Ok(heads) })
    }
}

/// The frames that are held of a range as far as they fit, and the length of the first that does not.
fn held(
    ledger: &Ledger,
    mut from: Position,
    to_seq: u64,
    max_bytes: usize,
) -> Result<(Vec<bytes::Bytes>, Option<usize>), ledger::Error> {
    let mut frames = Vec::new();
    let mut bytes = 0;
    while let Some((seq, sighting)) = ledger.next(&from)
        && seq <= to_seq
        && let Some(entry) = ledger.get(sighting.ordinal)?
    {
        bytes += entry.frame.len();
        if bytes > max_bytes {
            return Ok((frames, Some(entry.frame.len())));
        }
        frames.push(bytes::Bytes::from(entry.frame));
        // No sequence is beyond the largest integer of JSON.
        from.seq = seq.saturating_add(1);
    }
    Ok((frames, None))
}
