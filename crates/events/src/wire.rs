//! The bytes a batch travels and is stored in, and the line it is exported as.
//!
//! A *frame* is `naap`, the version byte 1, the header's length (two bytes, big-endian), the header, the signature (64
//! bytes), the payload's length before compression (four bytes, big-endian) and the payload as one zstd frame. The
//! signature can be checked before anything is inflated. A *line* is the same batch as one JSON object in one form.
//! Neither form changes what is signed.

use std::cell::RefCell;

use serde::Deserialize;
use serde_json::value::RawValue;
use zstd::bulk::Decompressor;

use crate::batch::{Batch, Header, MAX_COMPRESSED_BYTES, MAX_PAYLOAD_BYTES, Payload};
use crate::canonical;
use crate::identity::BatchSignature;
use crate::refusal::{Defect, Refusal};

/// How every frame begins: the name and the version of its layout.
pub const MAGIC: &[u8; 5] = b"naap\x01";

/// The most bytes a header may have.
pub const MAX_HEADER_BYTES: usize = 1024;

/// The most bytes a frame may have.
pub const MAX_FRAME_BYTES: usize =
    MAGIC.len() + 2 + MAX_HEADER_BYTES + 64 + 4 + MAX_COMPRESSED_BYTES;

/// zstd's level 1: sealing keeps up with a gateway on a small part of a core.
const LEVEL: i32 = 1;

thread_local! {
    /// What a thread inflates with: making it anew would cost as much as a small payload.
    static INFLATER: RefCell<Decompressor<'static>> =
        RefCell::new(Decompressor::new().expect("zstd takes an empty dictionary"));
}

/// A frame whose header is read and whose payload is still compressed.
#[derive(Debug, Clone)]
pub struct Frame<'a> {
    /// What is signed.
    pub header: Header,
    /// The signature over the header, not yet checked.
    pub signature: BatchSignature,
    compressed: &'a [u8],
    inflated_bytes: usize,
}

/// Writes a batch as a frame, or says that it is too large for one.
pub fn encode(batch: &Batch) -> Result<Vec<u8>, Refusal> {
    let too_large = |what: &str| Refusal::new(Defect::BatchTooLarge, what);
    let lines = batch.payload.lines();
    let compressed =
        zstd::bulk::compress(lines, LEVEL).map_err(|_| too_large("payload does not compress"))?;
    if compressed.len() > MAX_COMPRESSED_BYTES || lines.len() > MAX_PAYLOAD_BYTES {
        return Err(too_large("compressed payload over 48 KiB"));
    }
    let header = batch.header.bytes();
    let header_length = u16::try_from(header.len()).map_err(|_| too_large("header"))?;
    let inflated = u32::try_from(lines.len()).map_err(|_| too_large("payload"))?;
    let mut frame = Vec::with_capacity(MAX_HEADER_BYTES + compressed.len());
    frame.extend_from_slice(MAGIC);
    frame.extend_from_slice(&header_length.to_be_bytes());
    frame.extend_from_slice(&header);
    frame.extend_from_slice(&batch.signature.0);
    frame.extend_from_slice(&inflated.to_be_bytes());
    frame.extend_from_slice(&compressed);
    Ok(frame)
}

impl<'a> Frame<'a> {
    /// Reads the header and the lengths; inflates nothing and checks no signature.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Refusal> {
        let malformed = |what: &str| Refusal::new(Defect::BatchMalformed, what);
        if bytes.len() > MAX_FRAME_BYTES {
            return Err(Refusal::new(
                Defect::BatchTooLarge,
                format_args!("a frame of {} bytes", bytes.len()),
            ));
        }
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| malformed("no frame of version 1"))?;
        let (length, rest) = rest.split_first_chunk::<2>().ok_or_else(|| malformed("cut short"))?;
        let length = usize::from(u16::from_be_bytes(*length));
        if length > MAX_HEADER_BYTES {
            return Err(malformed("header too long"));
        }
        let (header, rest) = rest.split_at_checked(length).ok_or_else(|| malformed("cut short"))?;
        let (signature, rest) =
            rest.split_first_chunk::<64>().ok_or_else(|| malformed("cut short"))?;
        let (inflated, compressed) =
            rest.split_first_chunk::<4>().ok_or_else(|| malformed("cut short"))?;
        let inflated_bytes = usize::try_from(u32::from_be_bytes(*inflated)).unwrap_or(usize::MAX);
        if inflated_bytes > MAX_PAYLOAD_BYTES {
            return Err(Refusal::new(
                Defect::BatchTooLarge,
                format_args!("inflates to {inflated_bytes} bytes"),
            ));
        }
        Ok(Self {
            header: Header::decode(header)?,
            signature: BatchSignature(*signature),
            compressed,
            inflated_bytes,
        })
    }

    /// Checks the signature over the header.
    pub fn verify(&self) -> Result<(), Refusal> {
        self.header.verify(&self.signature)
    }

    /// Inflates the payload and checks it against the header.
    pub fn open(self) -> Result<Batch, Refusal> {
        let batch = self.inflate()?;
        batch.verify_payload()?;
        Ok(batch)
    }

    /// Inflates the payload, never past the length it was announced with. Checks nothing else: for frames that were
    /// checked when they were kept.
    pub fn inflate(self) -> Result<Batch, Refusal> {
        let malformed = |what: &str| Refusal::new(Defect::BatchMalformed, what);
        // zstd would also read several frames in a row; one payload is one frame, and nothing after it.
        if zstd::zstd_safe::find_frame_compressed_size(self.compressed) != Ok(self.compressed.len())
        {
            return Err(malformed("payload is not one zstd frame"));
        }
        let inflated = INFLATER
            .with_borrow_mut(|inflater| inflater.decompress(self.compressed, self.inflated_bytes));
        let lines =
            inflated.map_err(|_| malformed("payload does not inflate within its length"))?;
        if lines.len() != self.inflated_bytes {
            return Err(malformed("payload shorter than announced"));
        }
        let payload = Payload::from_lines(lines)?;
        Ok(Batch { header: self.header, payload, signature: self.signature })
    }
}

/// Reads a frame and checks everything that can be checked without knowing who may speak.
pub fn decode(bytes: &[u8]) -> Result<Batch, Refusal> {
    let frame = Frame::parse(bytes)?;
    frame.verify()?;
    frame.open()
}

/// The batch as one JSON line, without its line feed: `{"events":[..],"header":{..},"signature":".."}`.
///
/// An event that is a canonical JSON object stands as it is. Any other bytes, which a publisher can sign though no
/// event comes of them, stand as a string of lower-case hex: so every batch has a line, and only one.
pub fn to_line(batch: &Batch) -> Vec<u8> {
    let mut line = Vec::with_capacity(batch.payload.lines().len() + MAX_HEADER_BYTES);
    line.extend_from_slice(br#"{"events":["#);
    for (index, event) in batch.payload.events().enumerate() {
        if index > 0 {
            line.push(b',');
        }
        if event.first() == Some(&b'{') && canonical::check(event).is_ok() {
            line.extend_from_slice(event);
        } else {
            line.push(b'"');
            line.extend_from_slice(hex::encode(event).as_bytes());
            line.push(b'"');
        }
    }
    line.extend_from_slice(br#"],"header":"#);
    line.extend_from_slice(&batch.header.bytes());
    line.extend_from_slice(br#","signature":""#);
    line.extend_from_slice(batch.signature.to_string().as_bytes());
    line.extend_from_slice(br#""}"#);
    line
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'a> {
    #[serde(borrow)]
    events: Vec<&'a RawValue>,
    #[serde(borrow)]
    header: &'a RawValue,
    signature: BatchSignature,
}

/// Reads a batch back from its line, which has one form only, and checks its signature and root.
pub fn from_line(line: &[u8]) -> Result<Batch, Refusal> {
    let malformed = |error| Refusal::new(Defect::BatchMalformed, format_args!("line: {error}"));
    let parts: Line<'_> = serde_json::from_slice(line).map_err(malformed)?;
    let header = Header::decode(parts.header.get().as_bytes())?;
    let mut lines = Vec::with_capacity(line.len());
    for event in &parts.events {
        match event.get().strip_prefix('"').and_then(|text| text.strip_suffix('"')) {
            Some(digits) => lines.extend(hex::decode(digits).unwrap_or_default()),
            None => lines.extend_from_slice(event.get().as_bytes()),
        }
        lines.push(b'\n');
    }
    let payload = Payload::from_lines(lines)?;
    let batch = Batch { header, payload, signature: parts.signature };
    if to_line(&batch) != line {
        return Err(Refusal::new(Defect::BatchMalformed, "line not in its one form"));
    }
    batch.verify()?;
    Ok(batch)
}
