//! Sealing recorded events: batches in recorded time, each sealed at the last moment it tells of.
//!
//! A batch spans at most a minute, so that every event counts by its own time.

use ed25519_dalek::SigningKey;
use events::batch::{Batch, MAX_EVENTS, Payload, Tail};
use events::event::Network;
use events::unit::{Millis, UnixMillis};
use events::wire;

/// The most recorded time between the first and the last event of a batch.
const SPAN_MAX: Millis = Millis(60_000);

/// One chain in the making.
pub(super) struct Seal<'a> {
    epoch: u64,
    events: u64,
    first: UnixMillis,
    last: UnixMillis,
    lines: Vec<Vec<u8>>,
    network: Network,
    secret: &'a SigningKey,
    tail: Option<Tail>,
}

impl<'a> Seal<'a> {
    /// A new chain.
    pub(super) fn new(secret: &'a SigningKey, network: Network, epoch: u64) -> Self {
        let (first, last) = (UnixMillis(0), UnixMillis(0));
        Self { epoch, events: 0, first, last, lines: Vec::new(), network, secret, tail: None }
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
        let is_full = self.lines.len() >= MAX_EVENTS || at_ms > self.first.plus(SPAN_MAX);
        let frames = if is_full { self.finish()? } else { Vec::new() };
        if self.lines.is_empty() {
            self.first = at_ms;
        }
        self.last = at_ms;
        self.lines.push(line);
        self.events += 1;
        Ok(frames)
    }

    /// Seals what is left.
    pub(super) fn finish(&mut self) -> anyhow::Result<Vec<Vec<u8>>> {
        let lines = std::mem::take(&mut self.lines);
        let mut frames = Vec::new();
        self.seal(&lines, &mut frames)?;
        Ok(frames)
    }

    /// Seals lines as one batch, or as several where they do not compress enough for one.
    fn seal(&mut self, lines: &[Vec<u8>], frames: &mut Vec<Vec<u8>>) -> anyhow::Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        let payload = Payload::of(lines.iter().map(Vec::as_slice));
        let batch = Batch::seal(
            self.secret,
            self.network,
            self.epoch,
            self.tail.as_ref(),
            self.last,
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
                self.seal(early, frames)?;
                self.seal(late, frames)
            }
        }
    }
}
