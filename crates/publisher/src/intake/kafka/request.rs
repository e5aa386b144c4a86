//! The requests we answer, as far as we care what they say.
//! It never holds more than the request's own bytes.

use super::wire::{Malformed, Wire};

/// A request may name this many topics or partitions; a client that was told of one of each has no use for more.
const NAMES_MAX: usize = 256;

/// A Produce request, version 0 to 3.
#[derive(Debug, PartialEq, Eq)]
pub struct Produce<'a> {
    pub is_transactional: bool,
    pub acks: i16,
    pub topics: Vec<Topic<'a>>,
}

/// What is produced to one topic.
#[derive(Debug, PartialEq, Eq)]
pub struct Topic<'a> {
    pub name: &'a str,
    pub partitions: Vec<Partition<'a>>,
}

/// What is produced to one partition.
#[derive(Debug, PartialEq, Eq)]
pub struct Partition<'a> {
    pub index: i32,
    pub records: &'a [u8],
}

impl<'a> Produce<'a> {
    pub fn read(version: i16, bytes: &'a [u8]) -> Result<Self, Malformed> {
        let mut wire = Wire(bytes);
        let is_transactional = version >= 3 && wire.nullable_string()?.is_some();
        let acks = wire.i16()?;
        let _timeout_ms = wire.i32()?;
        let mut topics = Vec::new();
        for _ in 0..wire.count(NAMES_MAX)?.ok_or(Malformed)? {
            let name = wire.string()?;
            let mut partitions = Vec::new();
            for _ in 0..wire.count(NAMES_MAX)?.ok_or(Malformed)? {
                let index = wire.i32()?;
                let length = wire.i32()?;
                let records = wire.nullable(length)?.unwrap_or_default();
                partitions.push(Partition { index, records });
            }
            topics.push(Topic { name, partitions });
        }
        if wire.is_empty() { Ok(Self { is_transactional, acks, topics }) } else { Err(Malformed) }
    }
}

/// Which topics a Metadata request, version 0 or 1, asks about; `None` is all of them: a null array, or in version 0 an empty one.
pub fn read_metadata(version: i16, bytes: &[u8]) -> Result<Option<Vec<&str>>, Malformed> {
    let mut wire = Wire(bytes);
    let names = match wire.count(NAMES_MAX)? {
        None => None,
        Some(0) if version == 0 => None,
        Some(count) => Some((0..count).map(|_| wire.string()).collect::<Result<Vec<_>, _>>()?),
    };
    if wire.is_empty() { Ok(names) } else { Err(Malformed) }
}

/// The response bytes in a SASL/PLAIN token: an identity to act as, who one is, the password (RFC 4616).
pub fn read_plain(token: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut parts = token.splitn(3, |byte| *byte == 0);
    let (acts_as, user, password) = (parts.next()?, parts.next()?, parts.next()?);
    (acts_as.is_empty() || acts_as == user).then_some((user, password))
}
