//! In which encoding an answer is sent. It never compresses what is short, or compressed by its nature.

use std::io::Write as _;

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::delivery::form;

/// Answers below this many bytes fit a packet or so, and compressing them gains nothing.
const BYTES_MIN: usize = 1_024;

/// How hard zstd tries: its own default.
const ZSTD_LEVEL: i32 = 3;

/// An encoding that an answer can have beside its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Gzip,
    Zstd,
}

impl Encoding {
    /// The encoding that a client asks for and that is worth it for an answer with these headers; none for neither.
    pub fn asked(asked: &HeaderMap, answer: &HeaderMap, bytes: usize) -> Option<Self> {
        let kind = answer.get(header::CONTENT_TYPE)?.to_str().ok()?;
        let essence = kind.split(';').next().unwrap_or_default().trim();
        let is_text = essence.starts_with("text/")
            || essence.ends_with("+json")
            || ["application/json", "application/javascript", "image/svg+xml"].contains(&essence);
        if bytes < BYTES_MIN || !is_text {
            return None;
        }
        let wanted = form::ranges(asked, &header::ACCEPT_ENCODING);
        let weight = |encoding: Self| {
            let name = encoding.name();
            let named = wanted.iter().find(|range| range.name == name);
            let any = || wanted.iter().find(|range| range.name == "*");
            named.or_else(any).map_or(0, |range| range.weight)
        };
        let all = [Self::Gzip, Self::Zstd];
        all.into_iter().max_by_key(|encoding| weight(*encoding)).filter(|best| weight(*best) > 0)
    }

    /// Its name in `content-encoding`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
        }
    }

    /// The bytes in this encoding.
    pub fn encode(self, bytes: &[u8]) -> std::io::Result<Bytes> {
        match self {
            Self::Gzip => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes)?;
                encoder.finish().map(Bytes::from)
            }
            Self::Zstd => zstd::encode_all(bytes, ZSTD_LEVEL).map(Bytes::from),
        }
    }
}
