//! The bytes of an outbox segment: frames one after the other, each under a checksum and a dense number.
//! Reading never changes a file, never trusts a length, and goes on behind damage where a signed frame proves the place.
//!
//! ```text
//! segment := "nOUTBOX1" | record*                                    all integers little-endian
//! record  := "nOUT" | frame_len u32 | crc32c u32 | ordinal u64 | frame    the checksum covers ordinal and frame
//! ```

use events::batch::Header;
use events::wire::{Frame, MAX_FRAME_BYTES};

/// What every segment begins with.
pub const SEGMENT_MAGIC: &[u8; 8] = b"nOUTBOX1";

/// What every record begins with.
const RECORD_MAGIC: &[u8; 4] = b"nOUT";

/// Bytes before the frame: magic, length, checksum, ordinal.
pub const HEAD_BYTES: usize = 20;

/// A record as it was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its number in the outbox.
    pub ordinal: u64,
    /// What its frame says about itself.
    pub header: Header,
    /// Where its frame begins in the segment.
    pub offset: u64,
    /// How many bytes its frame has.
    pub length: usize,
}

/// Adds a record to `out` and says where in it the frame begins.
pub fn write(ordinal: u64, frame: &[u8], out: &mut Vec<u8>) -> usize {
    out.extend_from_slice(RECORD_MAGIC);
    let length = u32::try_from(frame.len()).expect("a frame is bounded by MAX_FRAME_BYTES");
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&checksum(ordinal, frame).to_le_bytes());
    out.extend_from_slice(&ordinal.to_le_bytes());
    let offset = out.len();
    out.extend_from_slice(frame);
    offset
}

/// The records of a segment in order. Whatever is torn or damaged is passed over.
pub fn scan(segment: &[u8]) -> Vec<Found> {
    let mut found = Vec::new();
    let mut at = if segment.starts_with(SEGMENT_MAGIC) { SEGMENT_MAGIC.len() } else { 0 };
    let mut is_in_step = at > 0;
    while let Some(rest) = segment.get(at..).filter(|rest| !rest.is_empty()) {
        let record = read(rest).and_then(|(ordinal, frame)| {
            let parsed = Frame::parse(frame).ok()?;
            // Behind damage the place of a record is a guess; a signature of ours there is none.
            (is_in_step || parsed.verify().is_ok()).then_some((ordinal, parsed.header, frame.len()))
        });
        match record {
            Some((ordinal, header, length)) => {
                let start = at + HEAD_BYTES;
                found.push(Found { ordinal, header, offset: start as u64, length });
                at = start + length;
                is_in_step = true;
            }
            None => {
                is_in_step = false;
                let next = rest.get(1..).and_then(next_magic);
                at = next.map_or(segment.len(), |skip| at + 1 + skip);
            }
        }
    }
    found
}

/// The ordinal and frame of the record at the beginning of `bytes`, if a whole and unspoiled one is there.
pub fn read(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let rest = bytes.strip_prefix(RECORD_MAGIC)?;
    let (length, rest) = rest.split_first_chunk::<4>()?;
    let (crc, rest) = rest.split_first_chunk::<4>()?;
    let (ordinal, rest) = rest.split_first_chunk::<8>()?;
    let length = usize::try_from(u32::from_le_bytes(*length))
        .ok()
        .filter(|length| *length <= MAX_FRAME_BYTES)?;
    let frame = rest.get(..length)?;
    let ordinal = u64::from_le_bytes(*ordinal);
    (checksum(ordinal, frame) == u32::from_le_bytes(*crc)).then_some((ordinal, frame))
}

fn checksum(ordinal: u64, frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&ordinal.to_le_bytes()), frame)
}

fn next_magic(bytes: &[u8]) -> Option<usize> {
    bytes.windows(RECORD_MAGIC.len()).position(|window| window == RECORD_MAGIC)
}
