//! What a Produce request carries: record batches (magic 2) and the message sets of old clients (magic 0 and 1).
//! It checks every checksum, bounds every size, and never returns part of a set.

use super::wire::{Malformed, Wire};
use crate::intake::inflate::{Codec, Failure, inflate};
use crate::intake::refusal;

/// One record as the client sent it; its timestamp and headers say nothing that the envelope inside does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub key: Option<String>,
    pub value: Vec<u8>,
}

/// How much one request may still become.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    pub inflated_bytes: usize,
    pub records: usize,
}

/// Why a set of records is not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// A bit was flipped on the way: the same bytes may come again.
    Checksum,
    Compression,
    TooLarge,
    Malformed,
}

impl Unreadable {
    /// Kafka's error code: `CORRUPT_MESSAGE` (clients try again), `UNSUPPORTED_COMPRESSION_TYPE`, `RECORD_LIST_TOO_LARGE`, `INVALID_RECORD`.
    pub fn kafka_code(self) -> i16 {
        match self {
            Self::Checksum => 2,
            Self::Compression => 76,
            Self::TooLarge => 18,
            Self::Malformed => 87,
        }
    }

    pub fn refusal(self) -> &'static str {
        match self {
            Self::Checksum => refusal::KAFKA_CHECKSUM,
            Self::Compression => refusal::KAFKA_COMPRESSION,
            Self::TooLarge => refusal::TOO_LARGE,
            Self::Malformed => refusal::KAFKA_RECORDS,
        }
    }
}

impl From<Malformed> for Unreadable {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// The least bytes a record can have: its length, attributes, time, offset, key, value and headers, one byte each.
pub const RECORD_BYTES_MIN: usize = 7;

/// Whether some of the sets in `bytes` say that they are compressed; what cannot be read is not inflated either.
pub fn is_compressed(bytes: &[u8]) -> bool {
    let mut wire = Wire(bytes);
    let mut next = || {
        wire.i64().ok()?;
        let length = usize::try_from(wire.i32().ok()?).ok()?;
        wire.take(length).ok()
    };
    std::iter::from_fn(&mut next).any(|body| {
        let attributes = if body.get(4) == Some(&2) { body.get(10) } else { body.get(5) };
        attributes.is_some_and(|attributes| attributes & 7 != 0)
    })
}

/// Reads all batches and messages in `bytes`, and takes what they cost off the budget.
pub fn read(bytes: &[u8], budget: &mut Budget) -> Result<Vec<Heard>, Unreadable> {
    let mut heard = Vec::new();
    read_sets(bytes, budget, true, &mut heard)?;
    Ok(heard)
}

fn read_sets(
    bytes: &[u8],
    budget: &mut Budget,
    may_inflate: bool,
    heard: &mut Vec<Heard>,
) -> Result<(), Unreadable> {
    let mut wire = Wire(bytes);
    while !wire.is_empty() {
        // Old and new alike: offset, length, four bytes of something, magic.
        wire.i64()?;
        let length = usize::try_from(wire.i32()?).map_err(|_| Unreadable::Malformed)?;
        let body = wire.take(length)?;
        match body.get(4) {
            Some(2) => read_batch(body, budget, heard)?,
            Some(magic @ (0 | 1)) => read_message(body, *magic, budget, may_inflate, heard)?,
            _ => return Err(Unreadable::Malformed),
        }
    }
    Ok(())
}

/// A record batch after its length: leader epoch, magic, CRC32C of the rest, attributes, six fields about order and time, records.
fn read_batch(body: &[u8], budget: &mut Budget, heard: &mut Vec<Heard>) -> Result<(), Unreadable> {
    const CONTROL: i16 = 1 << 5;
    let mut wire = Wire(body);
    wire.take(5)?;
    if wire.u32()? != crc32c::crc32c(wire.0) {
        return Err(Unreadable::Checksum);
    }
    let attributes = wire.i16()?;
    wire.take(4 + 8 + 8 + 8 + 2 + 4)?;
    let count = usize::try_from(wire.i32()?).map_err(|_| Unreadable::Malformed)?;
    if attributes & CONTROL != 0 {
        return Err(Unreadable::Malformed);
    }
    let inflated = inflated(attributes & 7, wire.0, budget)?;
    let mut wire = Wire(inflated.as_deref().unwrap_or(wire.0));
    for _ in 0..count {
        let length = wire.varint()?;
        let record = wire.nullable(length)?.ok_or(Malformed)?;
        keep(read_record(Wire(record))?, budget, heard)?;
    }
    if wire.is_empty() { Ok(()) } else { Err(Unreadable::Malformed) }
}

/// A record after its length: attributes, time, offset, key, value, headers; all lengths are varints.
fn read_record(mut wire: Wire<'_>) -> Result<Heard, Malformed> {
    wire.i8()?;
    wire.varint()?;
    wire.varint()?;
    let mut field = || {
        let length = wire.varint()?;
        wire.nullable(length)
    };
    let (key, value) = (field()?, field()?);
    let headers = wire.varint()?;
    for _ in 0..headers {
        let length = wire.varint()?;
        wire.nullable(length)?.ok_or(Malformed)?;
        let length = wire.varint()?;
        wire.nullable(length)?;
    }
    if wire.is_empty() && headers >= 0 { Ok(hear(key, value)) } else { Err(Malformed) }
}

/// A message after its length: CRC-32 of the rest, magic, attributes, a time in magic 1, key, value. A compressed message holds a set.
fn read_message(
    body: &[u8],
    magic: u8,
    budget: &mut Budget,
    may_inflate: bool,
    heard: &mut Vec<Heard>,
) -> Result<(), Unreadable> {
    let mut wire = Wire(body);
    let claimed = wire.u32()?;
    let mut crc = flate2::Crc::new();
    crc.update(wire.0);
    if claimed != crc.sum() {
        return Err(Unreadable::Checksum);
    }
    wire.i8()?;
    let attributes = wire.i8()?;
    wire.take(if magic == 1 { 8 } else { 0 })?;
    let length = wire.i32()?;
    let key = wire.nullable(length)?;
    let length = wire.i32()?;
    let value = wire.nullable(length)?;
    if !wire.is_empty() {
        return Err(Unreadable::Malformed);
    }
    match inflated(i16::from(attributes & 7), value.unwrap_or_default(), budget)? {
        None => keep(hear(key, value), budget, heard),
        Some(_) if !may_inflate => Err(Unreadable::Malformed),
        Some(set) => read_sets(&set, budget, false, heard),
    }
}

/// Inflates by Kafka's codec number; `None` for codec 0, which is none.
fn inflated(codec: i16, bytes: &[u8], budget: &mut Budget) -> Result<Option<Vec<u8>>, Unreadable> {
    let codec = match codec {
        0 => return Ok(None),
        1 => Codec::Gzip,
        4 => Codec::Zstd,
        _ => return Err(Unreadable::Compression),
    };
    let inflated =
        inflate(codec, bytes, budget.inflated_bytes).map_err(|failure| match failure {
            Failure::Malformed => Unreadable::Malformed,
            Failure::TooLarge => Unreadable::TooLarge,
        })?;
    budget.inflated_bytes = budget.inflated_bytes.saturating_sub(inflated.len());
    Ok(Some(inflated))
}

fn keep(record: Heard, budget: &mut Budget, heard: &mut Vec<Heard>) -> Result<(), Unreadable> {
    budget.records = budget.records.checked_sub(1).ok_or(Unreadable::TooLarge)?;
    heard.push(record);
    Ok(())
}

fn hear(key: Option<&[u8]>, value: Option<&[u8]>) -> Heard {
    // A key that is no text is no event id; the value is what counts.
    let key = key.and_then(|key| std::str::from_utf8(key).ok()).map(str::to_owned);
    Heard { key, value: value.unwrap_or_default().to_vec() }
}
