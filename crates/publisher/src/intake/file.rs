//! Captures as they are found on disks: envelopes in lines, in a list or one after another, bare or as exports of a topic, gzip or zstd
//! or neither, and dumps of a gateway's capabilities.
//! It holds one item at a time, so a file may be larger than the memory; a bad item is a refusal with its place, never the end.

mod split;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::inflate::Codec;
use super::{Error, item, refusal};
use crate::spool::{Raw, Source};
use split::{Piece, Splitter};

/// zstd windows up to 2^27 = 128 MiB are read: what `zstd --long` and `zstd --ultra -22` write.
const WINDOW_LOG_MAX: u32 = 27;

/// How much of a file is put up with.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// One item may be this long; a longer one is refused.
    pub item_bytes_max: usize,
    /// A file may inflate to this many bytes; then reading fails.
    pub inflated_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { item_bytes_max: 16 << 20, inflated_bytes_max: 64 << 30 }
    }
}

/// Where an item begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Place {
    /// Its number, from zero; blank lines have none.
    pub item: u64,
    /// Its line, from one.
    pub line: u64,
}

/// An item that can be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawEnvelope {
    /// Where it was.
    pub place: Place,
    /// Its id, when it has one that is a text.
    pub key: Option<String>,
    /// Its bytes, untouched; from an export of a topic only the message.
    pub value: Vec<u8>,
}

impl RawEnvelope {
    /// The record to spool. A file does not say when its content arrived, so the caller does.
    #[must_use]
    pub fn into_raw(self, received_ms: u64) -> Raw {
        Raw { received_ms, source: Source::File, key: self.key, value: self.value }
    }
}

/// An item that cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where it was.
    pub place: Place,
    /// The code to count it under.
    pub code: &'static str,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// One item of a capture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An envelope, or what stands for one.
    Envelope(RawEnvelope),
    /// What a gateway's `/getNetworkCapabilities` answered. It holds no time: somebody must say when it was true.
    Capabilities(RawEnvelope),
    /// Neither.
    Refused(Refused),
}

/// A capture being read; iterate over it. After an `Err` it ends.
pub struct Capture {
    path: PathBuf,
    splitter: Splitter<Box<dyn BufRead + Send>>,
    shape: Shape,
    items: u64,
    is_over: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// An item a line.
    Lines,
    /// Items over several lines, one after another.
    Values,
    /// Items between brackets.
    List,
}

/// Opens a capture and finds out what it is by its first bytes, not by its name.
///
/// # Errors
/// `Io`.
pub fn open(path: &Path, limits: Limits) -> Result<Capture, Error> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    read(path, file, limits)
}

/// As [`open`], from anything that can be read; `path` is only its name in errors.
///
/// # Errors
/// `Io`.
pub fn read(
    path: &Path,
    input: impl Read + Send + 'static,
    limits: Limits,
) -> Result<Capture, Error> {
    let failed = || Error::io("read", path);
    let (head, input) = peek(input, 4).map_err(failed())?;
    let input: Box<dyn Read + Send> = match Codec::of_magic(&head) {
        None => Box::new(input),
        Some(codec) => {
            let inflated = codec.reader(BufReader::new(input), WINDOW_LOG_MAX).map_err(failed())?;
            Box::new(Bounded { inner: inflated, left: limits.inflated_bytes_max })
        }
    };
    let (head, input) = peek(input, 3).map_err(failed())?;
    let mut input = BufReader::with_capacity(1 << 16, input);
    if head == *b"\xef\xbb\xbf" {
        input.read_exact(&mut [0; 3]).map_err(failed())?;
    }
    let (shape, input) = shape(input, limits.item_bytes_max).map_err(failed())?;
    let splitter = Splitter::new(input, limits.item_bytes_max, shape == Shape::List);
    Ok(Capture { path: path.to_owned(), splitter, shape, items: 0, is_over: false })
}

/// An input whose first bytes were read and put back.
type Again<R> = io::Chain<Cursor<Vec<u8>>, R>;

/// The first bytes of `input`, and an `input` that still has them.
fn peek<R: Read>(mut input: R, length: u64) -> io::Result<(Vec<u8>, Again<R>)> {
    let mut head = Vec::new();
    (&mut input).take(length).read_to_end(&mut head)?;
    Ok((head.clone(), Cursor::new(head).chain(input)))
}

/// Looks at the first line, and at how the second begins. Inside an object no line can begin with a brace that opens another, so what
/// begins so is a new item even when the first one is broken.
fn shape(
    mut input: impl BufRead + Send + 'static,
    bytes_max: usize,
) -> io::Result<(Shape, Box<dyn BufRead + Send>)> {
    let mut start = Vec::new();
    let mut line = Vec::new();
    while line.trim_ascii().is_empty() {
        start.append(&mut line);
        if (&mut input).take(bytes_max as u64).read_until(b'\n', &mut line)? == 0
            || start.len() > bytes_max
        {
            break;
        }
    }
    let next = input.fill_buf()?.trim_ascii_start().first().copied();
    let first = line.trim_ascii();
    let shape = match first.first() {
        Some(b'[') => Shape::List,
        Some(b'{') if !first.ends_with(b"}") && next != Some(b'{') => Shape::Values,
        _ => Shape::Lines,
    };
    start.append(&mut line);
    Ok((shape, Box::new(Cursor::new(start).chain(input))))
}

impl Iterator for Capture {
    type Item = Result<Found, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let piece = match self.shape {
            Shape::Lines => self.splitter.line(),
            Shape::Values | Shape::List => self.splitter.value(),
        };
        match piece {
            Ok(Some((line, piece))) => {
                let place = Place { item: self.items, line };
                self.items = self.items.saturating_add(1);
                Some(Ok(sort(place, piece)))
            }
            Ok(None) => {
                self.is_over = true;
                None
            }
            Err(failure) => {
                self.is_over = true;
                Some(Err(Error::io("read", &self.path)(failure)))
            }
        }
    }
}

/// The fields that tell an export or a dump from an envelope.
#[derive(Deserialize)]
struct Outside<'a> {
    /// `value` in exports of a console, `payload` in those of kcat.
    #[serde(borrow, alias = "payload")]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    #[serde(borrow)]
    capabilities_names: Option<&'a RawValue>,
    #[serde(borrow)]
    orchestrators: Option<&'a RawValue>,
}

fn sort(place: Place, piece: Piece) -> Found {
    let refuse = |code, reason| Found::Refused(Refused { place, code, reason });
    let malformed = |reason| refuse(refusal::MALFORMED, reason);
    let bytes = match piece {
        Piece::Whole(bytes) => bytes,
        Piece::TooLong => return refuse(refusal::TOO_LARGE, "it is longer than an item may be"),
        Piece::Cut => return malformed("the file ends in the middle of it"),
    };
    let Ok(text) = std::str::from_utf8(&bytes) else { return malformed("it is not UTF-8") };
    let outer = match item::read(text) {
        Ok(outer) => outer,
        Err(reason) => return malformed(reason),
    };
    let Ok(outside) = serde_json::from_str::<Outside<'_>>(text) else {
        return malformed("it has a field twice");
    };
    let (key, value) = match outside {
        Outside { capabilities_names: Some(_), orchestrators: Some(_), data: None, .. } => {
            return Found::Capabilities(RawEnvelope { place, key: None, value: bytes });
        }
        Outside { value: Some(inner), data: None, .. } => {
            let inner = match serde_json::from_str::<String>(inner.get()) {
                Ok(text) => text,
                Err(_) => inner.get().to_owned(),
            };
            match item::read(&inner) {
                Ok(item) => (item.id, inner.into_bytes()),
                Err(_) => return malformed("the message in it is no JSON object"),
            }
        }
        _ => (outer.id, bytes),
    };
    Found::Envelope(RawEnvelope { place, key, value })
}

/// Fails once more than `left` bytes come, instead of taking what fits for the whole.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => {
                Err(io::Error::new(ErrorKind::FileTooLarge, "it inflates to more than is allowed"))
            }
        }
    }
}
