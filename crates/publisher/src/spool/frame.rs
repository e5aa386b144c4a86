//! The bytes of one frame: the records of one or more appends that shared a sync, under one CRC32C.
//! It never touches a file, and never trusts a length before it has checked it against what is there.
//!
//! ```text
//! frame  := magic "nSPL" | body_len u32 | crc32c u32 | body          all integers little-endian
//! body   := first u64 | count u32 | record * count
//! record := received_ms u64 | source u8 | key_len u32 (2^32-1: none) | key | value_len u32 | value
//! ```
//! The checksum starts from the segment's random salt, so no value a client sends can pass for a frame of ours.

/// The most a frame's body may hold.
pub const BODY_BYTES_MAX: usize = 64 << 20;
/// What every frame begins with.
pub const MAGIC: [u8; 4] = *b"nSPL";
/// Magic, length, checksum.
pub const HEAD_BYTES: usize = 12;
const BODY_HEAD_BYTES: usize = 12;
const NO_KEY: u32 = u32::MAX;

/// Which door a record came in by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// The Kafka listener.
    Kafka,
    /// The HTTP intake.
    Http,
    /// A file somebody imported.
    File,
}

impl Source {
    fn code(self) -> u8 {
        match self {
            Self::Kafka => 1,
            Self::Http => 2,
            Self::File => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Kafka, Self::Http, Self::File].into_iter().find(|source| source.code() == code)
    }
}

/// One record as it was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// When it arrived, unix milliseconds by the node's clock.
    pub received_ms: u64,
    /// Which door it came in by.
    pub source: Source,
    /// The event id as the client gave it; nothing is derived from it here.
    pub key: Option<String>,
    /// The client's bytes, untouched.
    pub value: Vec<u8>,
}

/// What a frame says before its records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes of body that follow the head.
    pub body_len: usize,
    crc: u32,
}

/// Encodes records without their frame.
///
/// # Panics
/// When a key or value is 4 GiB or longer; limits far below stand in front of every door.
#[must_use]
pub fn encode_records(records: &[Raw]) -> Vec<u8> {
    let length =
        |bytes: &[u8]| u32::try_from(bytes.len()).expect("fields are bounded far below 4 GiB");
    let mut out = Vec::with_capacity(records.iter().map(|record| record.value.len() + 64).sum());
    for record in records {
        out.extend(record.received_ms.to_le_bytes());
        out.push(record.source.code());
        match &record.key {
            None => out.extend(NO_KEY.to_le_bytes()),
            Some(key) => {
                out.extend(length(key.as_bytes()).to_le_bytes());
                out.extend(key.as_bytes());
            }
        }
        out.extend(length(&record.value).to_le_bytes());
        out.extend(&record.value);
    }
    out
}

/// Puts encoded records into a frame that begins at index `first`.
///
/// # Panics
/// When the body is over 4 GiB; the writer keeps it below [`BODY_BYTES_MAX`].
#[must_use]
pub fn seal(salt: u32, first: u64, count: u32, encoded: &[Vec<u8>]) -> Vec<u8> {
    let body_len = BODY_HEAD_BYTES + encoded.iter().map(Vec::len).sum::<usize>();
    let mut out = Vec::with_capacity(HEAD_BYTES + body_len);
    out.extend(MAGIC);
    out.extend(u32::try_from(body_len).expect("a body is bounded far below 4 GiB").to_le_bytes());
    out.extend([0; 4]);
    out.extend(first.to_le_bytes());
    out.extend(count.to_le_bytes());
    encoded.iter().for_each(|records| out.extend(records));
    let crc = out.get(HEAD_BYTES..).map_or(0, |body| crc32c::crc32c_append(salt, body));
    if let Some(field) = out.get_mut(8..HEAD_BYTES) {
        field.copy_from_slice(&crc.to_le_bytes());
    }
    out
}

/// Reads a frame's head; `None` when it is none of ours.
#[must_use]
pub fn open_head(bytes: &[u8]) -> Option<Head> {
    let bytes = bytes.strip_prefix(&MAGIC)?;
    let (body_len, bytes) = u32_le(bytes)?;
    let (crc, _) = u32_le(bytes)?;
    let body_len = usize::try_from(body_len).ok()?;
    (BODY_HEAD_BYTES..=BODY_BYTES_MAX + BODY_HEAD_BYTES)
        .contains(&body_len)
        .then_some(Head { body_len, crc })
}

/// Checks a body against its head and returns its first index and count, with the bytes of the records.
#[must_use]
pub fn open_body(salt: u32, head: Head, body: &[u8]) -> Option<(u64, u32, &[u8])> {
    if body.len() != head.body_len || crc32c::crc32c_append(salt, body) != head.crc {
        return None;
    }
    let (first, rest) = u64_le(body)?;
    let (count, records) = u32_le(rest)?;
    Some((first, count, records))
}

/// Decodes exactly `count` records; `None` when the bytes do not say that.
#[must_use]
pub fn decode_records(count: u32, mut bytes: &[u8]) -> Option<Vec<Raw>> {
    // A record is at least 17 bytes, so a lying count cannot make us reserve more than the bytes could hold.
    let capacity = usize::try_from(count).ok()?.min(bytes.len() / 17 + 1);
    let mut records = Vec::with_capacity(capacity);
    for _ in 0..count {
        let (record, rest) = decode_record(bytes)?;
        records.push(record);
        bytes = rest;
    }
    bytes.is_empty().then_some(records)
}

fn decode_record(bytes: &[u8]) -> Option<(Raw, &[u8])> {
    let (received_ms, bytes) = u64_le(bytes)?;
    let (source, bytes) = bytes.split_first()?;
    let source = Source::from_code(*source)?;
    let (key_len, bytes) = u32_le(bytes)?;
    let (key, bytes) = if key_len == NO_KEY {
        (None, bytes)
    } else {
        let (key, rest) = bytes.split_at_checked(usize::try_from(key_len).ok()?)?;
        (Some(String::from_utf8(key.to_vec()).ok()?), rest)
    };
    let (value_len, bytes) = u32_le(bytes)?;
    let (value, rest) = bytes.split_at_checked(usize::try_from(value_len).ok()?)?;
    Some((Raw { received_ms, source, key, value: value.to_vec() }, rest))
}

/// Splits a little-endian integer off the front.
pub(super) fn u32_le(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<4>()?;
    Some((u32::from_le_bytes(*head), rest))
}

/// Splits a little-endian integer off the front.
pub(super) fn u64_le(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (head, rest) = bytes.split_first_chunk::<8>()?;
    Some((u64::from_le_bytes(*head), rest))
}
