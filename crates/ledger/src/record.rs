//! One record: a batch's frame, when it arrived, and the link to every record before it. It never looks into the frame.
//!
//! Layout, numbers big-endian: the frame's length (4 bytes), CRC-32C over all the rest of the record (4), `received_ms`
//! (8), the chain (32), the frame. The chain is SHA-256 over the chain before it, `received_ms` and the frame, so a
//! record that is rewritten together with its checksum still does not fit between its neighbours.

use std::io::{self, Read};

use events::identity::Digest;
use events::unit::UnixMillis;
use events::wire::MAX_FRAME_BYTES;

/// The bytes of a record before its frame.
pub(crate) const HEAD_BYTES: usize = 48;

/// An accepted batch as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// When it arrived here.
    pub received_ms: UnixMillis,
    /// The batch as a frame ([`events::wire`]).
    pub frame: Vec<u8>,
}

impl Entry {
    /// The bytes it takes as a record.
    pub(crate) fn record_bytes(&self) -> usize {
        HEAD_BYTES + self.frame.len()
    }
}

/// What stands before the frame, read and checked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head {
    /// When the batch arrived.
    pub received_ms: UnixMillis,
    /// The chain as the record states it.
    pub chain: Digest,
}

/// Bytes that are no record. A write that was cut short explains each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Damage {
    #[error("the record is cut short")]
    Cut,
    #[error("a frame of {0} bytes, which no record has")]
    Length(u32),
    #[error("the checksum does not match")]
    Checksum,
}

/// The chain after a record.
pub(crate) fn link(before: &Digest, received_ms: UnixMillis, frame: &[u8]) -> Digest {
    Digest::of(&[&before.0, &received_ms.0.to_be_bytes(), frame])
}

/// Appends `entry`, which follows `before`, to `buffer` and gives the chain after it. The frame is one that parses.
pub(crate) fn encode(before: &Digest, entry: &Entry, buffer: &mut Vec<u8>) -> Digest {
    let chain = link(before, entry.received_ms, &entry.frame);
    let length = u32::try_from(entry.frame.len())
        .expect("a frame that parses is shorter than 64 KiB")
        .to_be_bytes();
    let received = entry.received_ms.0.to_be_bytes();
    buffer.extend_from_slice(&length);
    buffer.extend_from_slice(&checksum([&length, &received, &chain.0, &entry.frame]).to_be_bytes());
    buffer.extend_from_slice(&received);
    buffer.extend_from_slice(&chain.0);
    buffer.extend_from_slice(&entry.frame);
    chain
}

/// Reads the record that begins here into `frame`, when `room` bytes are left for it. The chain is not compared.
pub(crate) fn read(
    source: &mut impl Read,
    room: u64,
    frame: &mut Vec<u8>,
) -> io::Result<Result<Head, Damage>> {
    match read_whole(source, room, frame) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(Err(Damage::Cut)),
        other => other,
    }
}

fn read_whole(
    source: &mut impl Read,
    room: u64,
    frame: &mut Vec<u8>,
) -> io::Result<Result<Head, Damage>> {
    let room = usize::try_from(room).unwrap_or(usize::MAX);
    let Some(room) = room.checked_sub(HEAD_BYTES) else { return Ok(Err(Damage::Cut)) };
    let length: [u8; 4] = take(source)?;
    let sum: [u8; 4] = take(source)?;
    let received: [u8; 8] = take(source)?;
    let chain: [u8; 32] = take(source)?;
    let frame_bytes = u32::from_be_bytes(length);
    let Some(wanted) =
        usize::try_from(frame_bytes).ok().filter(|bytes| (1..=MAX_FRAME_BYTES).contains(bytes))
    else {
        return Ok(Err(Damage::Length(frame_bytes)));
    };
    if wanted > room {
        return Ok(Err(Damage::Cut));
    }
    frame.resize(wanted, 0);
    source.read_exact(frame)?;
    if checksum([&length, &received, &chain, frame]) != u32::from_be_bytes(sum) {
        return Ok(Err(Damage::Checksum));
    }
    Ok(Ok(Head { received_ms: UnixMillis(u64::from_be_bytes(received)), chain: Digest(chain) }))
}

/// The next `N` bytes.
fn take<const N: usize>(source: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn checksum(parts: [&[u8]; 4]) -> u32 {
    parts.into_iter().fold(0, crc32c::crc32c_append)
}
