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

/// What inflates in memory needs no window above 2^24 = 16 MiB.
const WINDOW_LOG_MAX: u32 = 24;

/// Inflates all of `bytes`, to at most `bytes_max`.
pub fn inflate(codec: Codec, bytes: &[u8], bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let mut out = Vec::new();
    let limit = (bytes_max as u64).saturating_add(1);
    let reader = codec.reader(bytes, WINDOW_LOG_MAX).map_err(|_| Failure::Malformed)?;
    reader.take(limit).read_to_end(&mut out).map_err(|_| Failure::Malformed)?;
    if out.len() > bytes_max { Err(Failure::TooLarge) } else { Ok(out) }
}
