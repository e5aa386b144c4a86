//! From what was gathered to the record: sealed as chains, begun here or taken up where an import was cut off.
//!
//! A chain is taken up only if the record holds of it exactly the first batches of what is sealed now, so nothing is ever
//! sealed twice. It settles nothing.

use events::event::Network;
use events::unit::UnixMillis;
use events::wire::Frame;
use publisher::identity::Identity;

use super::Gathered;
use super::attempt::Attempt;
use super::seal::Seal;
use super::spill::Spill;
use super::summary::Summary;
use crate::console::{Progress, grouped};
use crate::store::Store;

/// How many frames are synced at once.
const FRAMES_AT_ONCE: usize = 64;

/// What of a chain the record holds is not how it would be sealed now.
#[derive(Debug, thiserror::Error)]
#[error("what the record holds of the chain is not how it would be sealed now")]
struct Differs;

/// Where chains go.
pub(super) struct Chains<'a> {
    pub attempt: &'a Attempt,
    pub identity: &'a Identity,
    pub network: Network,
    pub now: UnixMillis,
    pub store: &'a Store,
}

impl Chains<'_> {
    /// An epoch that no chain of ours has.
    fn next_epoch(&self) -> u64 {
        let heads = self.store.ledger.heads().into_iter();
        let ours = heads.filter(|head| head.key == self.identity.key()).map(|head| head.epoch);
        // Seconds of the clock are above every epoch of a ledger that was lost; the highest one is above a clock set back.
        ours.max().map_or(0, |highest| highest + 1).max(self.now.0 / 1_000)
    }

    /// Seals what was gathered and lets it into the record, the first chain in the `unfinished` epoch. Says whether it did:
    /// not if the record holds something else of that epoch.
    pub(super) fn seal(
        &self,
        mut unfinished: Option<u64>,
        gathered: &mut Gathered,
    ) -> anyhow::Result<bool> {
        let Gathered { answered, said, summary } = gathered;
        for spill in [said, answered].into_iter().filter(|spill| spill.len() > 0) {
            let epoch = unfinished.take().unwrap_or_else(|| self.next_epoch());
            if !self.seal_one(epoch, spill, summary)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Seals one chain in the order of its times.
    fn seal_one(
        &self,
        epoch: u64,
        spill: &mut Spill,
        summary: &mut Summary,
    ) -> anyhow::Result<bool> {
        self.attempt.begin(epoch)?;
        let recorded = self.store.ledger.head(self.identity.key(), epoch);
        let mut taking = Taking {
            chains: self,
            recorded: recorded.map(|head| head.highest.seq),
            summary,
            waiting: Vec::new(),
        };
        match taking.all(epoch, spill) {
            Err(error) if error.is::<Differs>() => Ok(false),
            outcome => {
                outcome?;
                self.attempt.end()?;
                Ok(true)
            }
        }
    }
}

/// One chain on its way.
struct Taking<'a> {
    chains: &'a Chains<'a>,
    /// The last sequence that the record holds of it.
    recorded: Option<u64>,
    summary: &'a mut Summary,
    waiting: Vec<Vec<u8>>,
}

impl Taking<'_> {
    fn all(&mut self, epoch: u64, spill: &mut Spill) -> anyhow::Result<()> {
        let Chains { identity, network, .. } = *self.chains;
        let mut seal = Seal::new(identity.secret(), network, epoch);
        let mut progress = Progress::new();
        let total = spill.len();
        spill.in_order(|at_ms, line| {
            for frame in seal.push(at_ms, line)? {
                self.take(frame)?;
            }
            progress.tell(|| {
                format!("{} of {} events signed and kept", grouped(seal.events()), grouped(total))
            });
            Ok(())
        })?;
        for frame in seal.finish()? {
            self.take(frame)?;
        }
        self.flush()
    }

    fn take(&mut self, frame: Vec<u8>) -> anyhow::Result<()> {
        if let Some(last) = self.recorded {
            let header = Frame::parse(&frame)?.header;
            if header.seq <= last {
                let ledger = &self.chains.store.ledger;
                anyhow::ensure!(ledger.contains(&header.position(), &header.hash()), Differs);
                self.summary.find_recorded(u64::from(header.count));
                return Ok(());
            }
        }
        self.waiting.push(frame);
        if self.waiting.len() < FRAMES_AT_ONCE { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        let frames = std::mem::take(&mut self.waiting);
        for verdict in self.chains.store.intake.accept_all(frames, self.chains.now)? {
            match verdict {
                Ok(_) => self.summary.batches += 1,
                Err(refusal) => self.summary.refuse(&refusal),
            }
        }
        Ok(())
    }
}
