//! Reading records back: one after the other in large reads, or one by its ordinal. Every checksum is compared.
//!
//! A reader sees what was synced when it was made. It opens files of its own and holds no lock while it reads, so
//! appends never wait for it.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Arc;
use std::vec;

use crate::error::Error;
use crate::record::{self, Entry, HEAD_BYTES};
use crate::scan::READ_BYTES;
use crate::state::State;

/// A stretch of records in one segment.
struct Span {
    path: Arc<Path>,
    offset: u64,
    end: u64,
}

/// The records from some ordinal on, with their ordinals. Ends after the first error.
pub struct Records {
    spans: vec::IntoIter<Span>,
    current: Option<(Span, BufReader<File>)>,
    next: u64,
}

impl Records {
    /// From `from` to the last record there is now.
    pub(crate) fn new(state: &State, from: u64) -> Self {
        let begin = state.segments.partition_point(|segment| segment.next() <= from);
        let span = |segment: &crate::state::Segment| Span {
            path: Arc::clone(&segment.path),
            offset: segment.offset(from.max(segment.first)).unwrap_or(segment.length),
            end: segment.length,
        };
        let spans: Vec<_> = state.segments.iter().skip(begin).map(span).collect();
        Self { spans: spans.into_iter(), current: None, next: from }
    }

    fn advance(&mut self) -> Option<Result<(u64, Entry), Error>> {
        loop {
            if let Some((span, source)) = &mut self.current
                && span.offset < span.end
            {
                let ordinal = self.next;
                self.next = self.next.saturating_add(1);
                return Some(span.read(source, ordinal).map(|entry| (ordinal, entry)));
            }
            let span = self.spans.next()?;
            match span.open() {
                Ok(file) => self.current = Some((span, BufReader::with_capacity(READ_BYTES, file))),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl Iterator for Records {
    type Item = Result<(u64, Entry), Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.advance();
        if matches!(item, Some(Err(_))) {
            self.current = None;
            self.spans = Vec::new().into_iter();
        }
        item
    }
}

impl Span {
    fn open(&self) -> Result<File, Error> {
        let mut file = File::open(&self.path).map_err(Error::io("open", &self.path))?;
        file.seek(SeekFrom::Start(self.offset)).map_err(Error::io("read", &self.path))?;
        Ok(file)
    }

    /// The record at the start of the span, which then begins after it.
    fn read(&mut self, source: &mut impl Read, ordinal: u64) -> Result<Entry, Error> {
        let mut frame = Vec::new();
        let room = self.end.saturating_sub(self.offset);
        let read = record::read(source, room, &mut frame).map_err(Error::io("read", &self.path))?;
        let head = read.map_err(|damage| {
            let what = format!("record {ordinal} was damaged after it was synced: {damage}");
            Error::corrupt(&self.path, self.offset, what)
        })?;
        let bytes =
            u64::try_from(HEAD_BYTES + frame.len()).expect("a frame is shorter than 64 KiB");
        self.offset += bytes;
        Ok(Entry { received_ms: head.received_ms, frame })
    }
}

/// Finds one record, to be read without holding the state.
pub(crate) struct Pick {
    span: Span,
    ordinal: u64,
}

impl Pick {
    /// Where record `ordinal` is, when there is one.
    pub(crate) fn new(state: &State, ordinal: u64) -> Option<Self> {
        let segment = state.segment_of(ordinal)?;
        let offset = segment.offset(ordinal)?;
        let end = segment.offset(ordinal.checked_add(1)?)?;
        Some(Self { span: Span { path: Arc::clone(&segment.path), offset, end }, ordinal })
    }

    /// Reads it.
    pub(crate) fn read(mut self) -> Result<Entry, Error> {
        let bytes =
            usize::try_from(self.span.end.saturating_sub(self.span.offset)).unwrap_or(READ_BYTES);
        let mut source = BufReader::with_capacity(bytes.min(READ_BYTES), self.span.open()?);
        self.span.read(&mut source, self.ordinal)
    }
}
