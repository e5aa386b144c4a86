//! Bounded inflating: a small input must not become a large memory.
//! It never returns part of what it was given.

use std::io::Read;

/// Compressions we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// RFC 1952, one or more members.
    Gzip,
    /// RFC 8878.
    Zstd,
}

/// Why nothing came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The bytes are not what the codec expects.
    Malformed,
    /// More than the limit came out.
    TooLarge,
}

impl Codec {
    /// Recognises a compressed stream by its first bytes.
    pub fn of_magic(bytes: &[u8]) -> Option<Self> {
        match bytes {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            _ => None,
        }
    }

    /// A reader of what `input` inflates to; the caller bounds it. A zstd stream that needs a window above 2^`window_log_max` bytes fails.
    pub fn reader<'a>(
        self,
        input: impl Read + Send + 'a,
        window_log_max: u32,
    ) -> std::io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Self::Gzip => Box::new(flate2::read::MultiGzDecoder::new(input)),
            Self::Zstd => {
                let mut decoder = zstd::stream::read::Decoder::new(input)?;
                decoder.window_log_max(window_log_max)?;
                Box::new(decoder)
            }
        })
    }
}

/// What inflates in memory needs no window above 8 MiB, which RFC 8878 recommends every decoder to support.
const WINDOW_LOG_MAX: u32 = 23;

/// What a codec keeps beside what comes out.
pub const WINDOW_BYTES_MAX: usize = 1 << WINDOW_LOG_MAX;

/// How much room is made at a time.
const STEP_BYTES: usize = 1 << 16;

/// Inflates all of `bytes`, to at most `bytes_max`.
pub fn inflate(codec: Codec, bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut reader = codec.reader(bytes, WINDOW_LOG_MAX).map_err(|_| Failure::Malformed)?;
    let mut out = Vec::new();
    loop {
        // As much again as there is, but never more than may come: the room of a vector that grows by itself can be
        // twice its content.
        let step = out.len().max(STEP_BYTES).min(bytes_max.saturating_sub(out.len()));
        out.reserve_exact(step);
        let mut part = reader.by_ref().take(step as u64);
        let read = part.read_to_end(&mut out).map_err(|_| Failure::Malformed)?;
        if read < step {
            return Ok(out);
        }
        if out.len() == bytes_max {
            let more = reader.read(&mut [0]).map_err(|_| Failure::Malformed)?;
            return if more == 0 { Ok(out) } else { Err(Failure::TooLarge) };
        }
    }
}
