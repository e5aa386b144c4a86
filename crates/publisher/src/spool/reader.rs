//! The consumer's side: records in order, from the disk, as soon as they are synced.
//! It never sees a record that could still be lost, and never skips an unreadable one by itself.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::segment::HEADER_BYTES;
use super::shelf::Shelf;
use super::{Error, Position, Raw, frame};

/// A record and where it is kept. Commit `position.advance(1)` once it is consumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its index.
    pub position: Position,
    /// The record.
    pub raw: Raw,
}

/// Reads a spool from a position on.
#[derive(Debug)]
pub struct Reader {
    durable: watch::Receiver<Position>,
    /// Here between reads, with the blocking thread during one.
    place: Option<Place>,
    reading: Option<JoinHandle<(Place, Outcome)>>,
}

type Outcome = Result<Vec<Stored>, Error>;

#[derive(Debug)]
struct Place {
    shelf: Arc<Shelf>,
    next: Position,
    open: Option<Open>,
    /// Records of a frame that was read further than the caller asked.
    ahead: VecDeque<Stored>,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    salt: u32,
    offset: u64,
    /// The index that the frame at `offset` begins with.
    first: Position,
}

impl Reader {
    pub(super) fn new(shelf: Arc<Shelf>, position: Position) -> Self {
        let place = Place { next: position, open: None, ahead: VecDeque::new(), shelf };
        Self { durable: place.shelf.watch(), place: Some(place), reading: None }
    }

    /// Waits until there is at least one record and returns up to `records_max` of them, in order.
    /// It may be cancelled: nothing is skipped, the next call goes on. It does not end when the spool is closed.
    ///
    /// # Errors
    /// `Deleted`, `Damaged`, `Io`.
    pub async fn next(&mut self, records_max: usize) -> Result<Vec<Stored>, Error> {
        if let Some(place) = &self.place {
            let next = place.next;
            let closed = || Error::Stopped("the spool was closed".to_owned());
            self.durable.wait_for(|end| *end > next).await.map_err(|_| closed())?;
        }
        self.take(records_max).await
    }

    /// As [`Reader::next`], but returns nothing instead of waiting.
    ///
    /// # Errors
    /// As [`Reader::next`].
    pub async fn take(&mut self, records_max: usize) -> Result<Vec<Stored>, Error> {
        if let Some(mut place) = self.place.take() {
            let end = *self.durable.borrow();
            self.reading = Some(tokio::task::spawn_blocking(move || {
                let outcome = place.take(records_max, end);
                (place, outcome)
            }));
        }
        let lost = || Error::Stopped("an earlier read panicked".to_owned());
        let outcome = self.reading.as_mut().ok_or_else(lost)?.await;
        self.reading = None;
        let (place, outcome) = outcome.map_err(|failure| Error::Stopped(failure.to_string()))?;
        self.place = Some(place);
        outcome
    }
}

impl Place {
    fn take(&mut self, records_max: usize, end: Position) -> Result<Vec<Stored>, Error> {
        let mut taken = Vec::new();
        while taken.len() < records_max.max(1) {
            if let Some(stored) = self.ahead.pop_front() {
                self.next = stored.position.advance(1);
                taken.push(stored);
            } else if self.next >= end {
                break;
            } else if let Err(failure) = self.read_ahead() {
                // What was read before the failure is good; the failure comes again at the next call.
                self.open = None;
                return if taken.is_empty() { Err(failure) } else { Ok(taken) };
            }
        }
        Ok(taken)
    }

    /// Reads the frame that holds `next`.
    fn read_ahead(&mut self) -> Result<(), Error> {
        let (segment, successor) = self.shelf.find(self.next)?;
        if self.open.as_ref().is_none_or(|open| open.path != segment.path) {
            let file = File::open(&segment.path).map_err(Error::io("open", &segment.path))?;
            let (salt, first) = (segment.header.salt, segment.header.first);
            self.open = Some(Open { file, path: segment.path, salt, offset: HEADER_BYTES, first });
        }
        let Some(open) = &mut self.open else { return Ok(()) };
        while self.ahead.is_empty() {
            let frame = open.frame()?;
            let damaged = || Error::Damaged {
                path: open.path.clone(),
                offset: open.offset,
                resume: successor,
            };
            let (head, body) = frame.ok_or_else(damaged)?;
            let (first, count, records) =
                frame::open_body(open.salt, head, &body).ok_or_else(damaged)?;
            let after = open.first.advance(u64::from(count));
            if first != open.first.0 || successor.is_some_and(|successor| after > successor) {
                return Err(damaged());
            }
            if after > self.next {
                let records = frame::decode_records(count, records).ok_or_else(damaged)?;
                let positions = (first..).map(Position);
                let stored = positions.zip(records).map(|(position, raw)| Stored { position, raw });
                self.ahead.extend(stored.skip_while(|stored| stored.position < self.next));
            }
            open.offset = open
                .offset
                .saturating_add(frame::HEAD_BYTES as u64)
                .saturating_add(body.len() as u64);
            open.first = after;
        }
        Ok(())
    }
}

impl Open {
    /// The frame at `offset`, unchecked; `None` when the file does not hold a whole one.
    fn frame(&mut self) -> Result<Option<(frame::Head, Vec<u8>)>, Error> {
        let mut head = [0; frame::HEAD_BYTES];
        self.file.seek(SeekFrom::Start(self.offset)).map_err(Error::io("seek in", &self.path))?;
        if !fill(&mut self.file, &mut head).map_err(Error::io("read", &self.path))? {
            return Ok(None);
        }
        let Some(head) = frame::open_head(&head) else { return Ok(None) };
        let mut body = vec![0; head.body_len];
        let whole = fill(&mut self.file, &mut body).map_err(Error::io("read", &self.path))?;
        Ok(whole.then_some((head, body)))
    }
}

/// Fills the buffer; false when the file ends first.
fn fill(file: &mut File, buffer: &mut [u8]) -> std::io::Result<bool> {
    match file.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(failure) if failure.kind() == std::io::ErrorKind::UnexpectedEof => Ok(false),
        Err(failure) => Err(failure),
    }
}
