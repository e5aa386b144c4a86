//! Sealing recorded events: batches in recorded time, ten seconds at most in each.
//!
//! Time is cut into slots of ten seconds, and a batch is sealed at the end of its slot, so that an event is sealed at the
//! same moment whatever else is imported with it, and reading a file again changes nothing. The last slot is sealed at
//! its last event: nobody claims to have listened longer than the capture did.

use ed25519_dalek::SigningKey;
use events::batch::{Batch, MAX_EVENTS, Payload, Tail};
use events::event::Network;
use events::unit::UnixMillis;
use events::wire;

/// How long a slot is. Events count by their own time within ten minutes before their batch.
const SLOT_MS: u64 = 10_000;

/// One chain in the making.
pub(super) struct Seal<'a> {
    epoch: u64,
    events: u64,
    last: UnixMillis,
    lines: Vec<Vec<u8>>,
    network: Network,
    secret: &'a SigningKey,
    tail: Option<Tail>,
}

impl<'a> Seal<'a> {
    /// A new chain.
    pub(super) fn new(secret: &'a SigningKey, network: Network, epoch: u64) -> Self {
        Self {
            epoch,
            events: 0,
            last: UnixMillis(0),
            lines: Vec::new(),
            network,
            secret,
            tail: None,
        }
    }

    /// How many events it took.
    pub(super) fn events(&self) -> u64 {
        self.events
    }

    /// Takes an event, no older than the one before; gives the frames that are complete.
    pub(super) fn push(
        &mut self,
        at_ms: UnixMillis,
        line: Vec<u8>,
    ) -> anyhow::Result<Vec<Vec<u8>>> {
        let is_next_slot = slot(at_ms) != slot(self.last);
        let frames = if is_next_slot || self.lines.len() >= MAX_EVENTS {
            self.seal_at(UnixMillis((slot(self.last) + 1) * SLOT_MS))?
        } else {
            Vec::new()
        };
        self.last = at_ms;
        self.lines.push(line);
        self.events += 1;
        Ok(frames)
    }

    /// Seals what is left, at the last event.
    pub(super) fn finish(&mut self) -> anyhow::Result<Vec<Vec<u8>>> {
        let tail = self.tail.map_or(self.last, |tail| tail.sealed_ms.max(self.last));
        self.seal_at(tail)
    }

    fn seal_at(&mut self, sealed_ms: UnixMillis) -> anyhow::Result<Vec<Vec<u8>>> {
        let lines = std::mem::take(&mut self.lines);
        let mut frames = Vec::new();
        self.seal(&lines, sealed_ms, &mut frames)?;
        Ok(frames)
    }

    /// Seals lines as one batch, or as several where they do not compress enough for one.
    fn seal(
        &mut self,
        lines: &[Vec<u8>],
        sealed_ms: UnixMillis,
        frames: &mut Vec<Vec<u8>>,
    ) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let payload = Payload::of(lines.iter().map(Vec::as_slice));
        let batch = Batch::seal(
            self.secret,
            self.network,
            self.epoch,
            self.tail.as_ref(),
            sealed_ms,
            payload,
        )?;
        match wire::encode(&batch) {
            Ok(frame) => {
                self.tail = Some(batch.tail());
                frames.push(frame);
                Ok(())
            }
            Err(refusal) if lines.len() < 2 => Err(refusal.into()),
            Err(_) => {
                let (early, late) = lines.split_at(lines.len() / 2);
                self.seal(early, sealed_ms, frames)?;
                self.seal(late, sealed_ms, frames)
            }
        }
    }
}

fn slot(at_ms: UnixMillis) -> u64 {
    at_ms.0 / SLOT_MS
}
