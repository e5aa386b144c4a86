//! The one thread that writes: it takes every append that waits, puts them in one frame, syncs once and answers all.
//! It never answers before the sync, and after a failure that leaves the disk's content unknown it never writes again.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::segment::{self, HEADER_BYTES, Tail};
use super::shelf::Shelf;
use super::{Config, Error, Position, frame};
use crate::folder::is_no_room;

/// Appends are gathered into one frame until it is this large.
const GROUP_BYTES: usize = 4 << 20;

/// One caller's records, encoded, with the place where it waits.
pub struct Append {
    pub encoded: Vec<u8>,
    pub count: u32,
    pub received_ms: u64,
    pub reply: oneshot::Sender<Result<Position, Error>>,
}

pub struct Writer {
    directory: PathBuf,
    segment_bytes: u64,
    shelf: Arc<Shelf>,
    next: Position,
    open: Option<Open>,
    stopped: Option<String>,
}

struct Open {
    file: File,
    salt: u32,
    bytes: u64,
}

enum Failure {
    /// The disk is full; what was written of the frame is cut off again.
    NoSpace,
    /// Nobody knows what the disk holds.
    Unknown(Error),
}

impl Writer {
    pub fn resume(config: &Config, shelf: Arc<Shelf>, tail: Tail) -> Result<Self, Error> {
        let open = match tail.file {
            None => None,
            Some(mut file) => {
                let (segment, _) = shelf.find(tail.next)?;
                file.seek(SeekFrom::Start(segment.bytes))
                    .map_err(Error::io("seek in", &segment.path))?;
                Some(Open { file, salt: segment.header.salt, bytes: segment.bytes })
            }
        };
        Ok(Self {
            directory: config.directory.clone(),
            segment_bytes: config.segment_bytes,
            shelf,
            next: tail.next,
            open,
            stopped: None,
        })
    }

    /// Works until every sender is gone and the queue is empty.
    pub fn run(mut self, mut queue: mpsc::Receiver<Append>) {
        while let Some(append) = queue.blocking_recv() {
            let mut bytes = append.encoded.len();
            let mut group = vec![append];
            while bytes < GROUP_BYTES
                && let Ok(append) = queue.try_recv()
            {
                bytes = bytes.saturating_add(append.encoded.len());
                group.push(append);
            }
            self.keep(group);
        }
    }

    /// Writes one group and answers each of its callers.
    fn keep(&mut self, group: Vec<Append>) {
        // One large append must not take the small ones that fit down with it.
        let (mut admitted, mut bytes) = (Vec::new(), HEADER_BYTES + 64);
        for append in group {
            let asked = append.encoded.len() as u64;
            match self.admit(bytes.saturating_add(asked)) {
                Ok(()) => {
                    bytes = bytes.saturating_add(asked);
                    admitted.push(append);
                }
                Err(refusal) => {
                    if refusal.is_retryable() {
                        self.shelf.refuse(append.count);
                    }
                    answer(append.reply, Err(refusal));
                }
            }
        }
        let Some(first) = admitted.first() else { return };
        let written = self.write(first.received_ms, &mut admitted);
        let mut position = self.next;
        if let Err(Failure::Unknown(failure)) = &written {
            tracing::error!(%failure, "the spool stops until it is opened again");
            self.stopped = Some(failure.to_string());
        }
        for append in admitted {
            let outcome = match &written {
                Ok(()) => Ok(position),
                Err(Failure::Unknown(failure)) => Err(Error::Stopped(failure.to_string())),
                Err(Failure::NoSpace) => {
                    self.shelf.refuse(append.count);
                    let used_bytes = self.shelf.used_bytes();
                    Err(Error::Full { used_bytes, quota_bytes: used_bytes, asked_bytes: bytes })
                }
            };
            position = position.advance(u64::from(append.count));
            answer(append.reply, outcome);
        }
        if written.is_ok() {
            self.next = position;
        }
    }

    fn admit(&self, bytes: u64) -> Result<(), Error> {
        match &self.stopped {
            Some(reason) => Err(Error::Stopped(reason.clone())),
            None => self.shelf.make_room(bytes),
        }
    }

    fn write(&mut self, received_ms: u64, group: &mut [Append]) -> Result<(), Failure> {
        let count = group.iter().map(|append| append.count).sum();
        let encoded: Vec<_> =
            group.iter_mut().map(|append| std::mem::take(&mut append.encoded)).collect();
        if self.open.as_ref().is_none_or(|open| open.bytes >= self.segment_bytes) {
            self.open = Some(self.rotate(received_ms)?);
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        let frame = frame::seal(open.salt, self.next.0, count, &encoded);
        let written = open.file.write_all(&frame).and_then(|()| open.file.sync_data());
        match written {
            Ok(()) => {
                open.bytes = open.bytes.saturating_add(frame.len() as u64);
                self.shelf.advance(open.bytes, self.next.advance(u64::from(count)));
                Ok(())
            }
            // A sync that fails is not asked again: the system may have dropped the pages it could not write.
            Err(failure) if is_no_room(&failure) && cut(open).is_ok() => Err(Failure::NoSpace),
            Err(source) => {
                let path = self.directory.clone();
                Err(Failure::Unknown(Error::Io { act: "write a frame to", path, source }))
            }
        }
    }

    fn rotate(&self, received_ms: u64) -> Result<Open, Failure> {
        let (segment, file) =
            segment::create(&self.directory, self.next, received_ms).map_err(|failure| {
                match failure {
                    // The half-made file is replaced by the next attempt, or deleted at the next start.
                    Error::Io { source, .. } if is_no_room(&source) => Failure::NoSpace,
                    failure => Failure::Unknown(failure),
                }
            })?;
        let open = Open { file, salt: segment.header.salt, bytes: segment.bytes };
        self.shelf.push(segment);
        Ok(open)
    }
}

/// Takes back what was written of a frame, so that the next one begins where this one did.
fn cut(open: &mut Open) -> std::io::Result<()> {
    open.file.set_len(open.bytes)?;
    open.file.seek(SeekFrom::Start(open.bytes))?;
    open.file.sync_all()
}

fn answer(reply: oneshot::Sender<Result<Position, Error>>, outcome: Result<Position, Error>) {
    if reply.send(outcome).is_err() {
        tracing::debug!("the caller of a spool append went away");
    }
}
