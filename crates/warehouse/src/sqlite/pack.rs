//! Bytes in little room: a format byte, the length, and zstd. It knows what bytes it packs only to guess at them well.
//!
//! Job facts are many, small and alike, so they are packed against a sample of them, which is part of the format: a
//! sample is never edited, another one is another format byte.

use std::sync::LazyLock;

use events::identity::Digest;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sla::hour::fact::JobFact;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::Error;

/// Plain zstd.
const PLAIN: u8 = 1;
/// Zstd against the text of one job fact; only read any more.
const FACT_FIRST: u8 = 2;
/// Zstd against a dictionary that `zstd` trained on simulated job facts, their identities replaced by chance. It holds
/// the tables of codes too, which are as long as a fact and took as long to make as all the rest.
const FACT: u8 = 3;

/// The most that packed bytes may come to; longer ones are damaged.
const BYTES_MAX: usize = 256 << 20;

/// The level: among the quick ones, because the open hour is packed again and again.
const LEVEL: i32 = 1;
/// The level of what is packed once for each revision.
const LEVEL_LASTING: i32 = 3;

const SAMPLE_FIRST: &[u8] = include_bytes!("sample/fact-1.json");
const SAMPLE: &[u8] = include_bytes!("sample/fact-2.dict");

static WRITING: LazyLock<EncoderDictionary<'static>> =
    LazyLock::new(|| EncoderDictionary::copy(SAMPLE, LEVEL));
static READING: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(SAMPLE));
static READING_FIRST: LazyLock<DecoderDictionary<'static>> =
    LazyLock::new(|| DecoderDictionary::copy(SAMPLE_FIRST));

fn framed(format: u8, bytes: &[u8], packed: &[u8], action: &'static str) -> Result<Vec<u8>, Error> {
    let too_large = |_| Error::TooLarge { action, number: u64::MAX };
    let length = u32::try_from(bytes.len()).map_err(too_large)?;
    let mut framed = Vec::with_capacity(packed.len() + 5);
    framed.push(format);
    framed.extend_from_slice(&length.to_le_bytes());
    framed.extend_from_slice(packed);
    Ok(framed)
}

fn split(packed: &[u8]) -> Option<(u8, usize, &[u8])> {
    let (format, rest) = packed.split_first()?;
    let (length, frame) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
    Some((*format, length, frame)).filter(|_| length <= BYTES_MAX)
}

fn damaged(action: &'static str, what: impl std::fmt::Display) -> Error {
    Error::Corrupt { action, what: what.to_string() }
}

/// Packs bytes that are kept as they are.
pub fn pack_bytes(action: &'static str, bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let packed =
        zstd::bulk::compress(bytes, LEVEL_LASTING).map_err(|error| damaged(action, error))?;
    framed(PLAIN, bytes, &packed, action)
}

/// Unpacks what [`pack_bytes`] packed.
pub fn unpack_bytes(action: &'static str, packed: &[u8]) -> Result<Vec<u8>, Error> {
    let Some((PLAIN, length, frame)) = split(packed) else {
        return Err(damaged(action, "packed bytes of no known format"));
    };
    let bytes = zstd::bulk::decompress(frame, length).map_err(|error| damaged(action, error))?;
    if bytes.len() == length { Ok(bytes) } else { Err(damaged(action, "packed bytes cut short")) }
}

/// Packs a value as JSON.
pub fn pack<T: Serialize>(action: &'static str, value: &T) -> Result<Vec<u8>, Error> {
    pack_bytes(action, &json(action, value)?)
}

/// Unpacks what [`pack`] packed.
pub fn unpack<T: DeserializeOwned>(action: &'static str, packed: &[u8]) -> Result<T, Error> {
    let bytes = unpack_bytes(action, packed)?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(action, error))
}

/// A value as JSON.
pub fn json<T: Serialize>(action: &'static str, value: &T) -> Result<Vec<u8>, Error> {
    serde_json::to_vec(value).map_err(|source| Error::Unwritable { action, source })
}

/// A number that stands for bytes: sixty-two bits of their hash.
pub fn stamp(bytes: &[u8]) -> i64 {
    let hash = Digest::of(&[bytes]).0.first_chunk::<8>().copied().unwrap_or_default();
    i64::try_from(u64::from_be_bytes(hash) >> 2).unwrap_or_default()
}

/// A number that stands for several, in their order.
pub fn stamp_of(stamps: impl IntoIterator<Item = i64>) -> i64 {
    let bytes: Vec<u8> = stamps.into_iter().flat_map(i64::to_be_bytes).collect();
    stamp(&bytes)
}

/// Packs one job fact after another.
pub struct FactWriter {
    buffer: Vec<u8>,
    compressor: Compressor<'static>,
}

impl FactWriter {
    /// Nothing packed yet.
    pub fn new(action: &'static str) -> Result<Self, Error> {
        let compressor = Compressor::with_prepared_dictionary(&WRITING)
            .map_err(|error| damaged(action, error))?;
        Ok(Self { buffer: Vec::new(), compressor })
    }

    /// Packs a fact; equal facts give equal bytes.
    pub fn pack(&mut self, action: &'static str, fact: &JobFact) -> Result<Vec<u8>, Error> {
        self.buffer.clear();
        serde_json::to_writer(&mut self.buffer, fact)
            .map_err(|source| Error::Unwritable { action, source })?;
        let packed =
            self.compressor.compress(&self.buffer).map_err(|error| damaged(action, error))?;
        framed(FACT, &self.buffer, &packed, action)
    }
}

/// Unpacks one job fact after another.
pub struct FactReader {
    decompressor: Decompressor<'static>,
    /// For facts that an older version packed, once one is met.
    first: Option<Decompressor<'static>>,
}

impl FactReader {
    /// Nothing unpacked yet.
    pub fn new(action: &'static str) -> Result<Self, Error> {
        Ok(Self { decompressor: decompressor(action, &READING)?, first: None })
    }

    /// Unpacks what a [`FactWriter`] packed, of this version or an older one.
    pub fn unpack(&mut self, action: &'static str, packed: &[u8]) -> Result<JobFact, Error> {
        let (decompressor, length, frame) = match split(packed) {
            Some((FACT, length, frame)) => (&mut self.decompressor, length, frame),
            Some((FACT_FIRST, length, frame)) => {
                let first = match &mut self.first {
                    Some(first) => first,
                    none => none.insert(decompressor(action, &READING_FIRST)?),
                };
                (first, length, frame)
            }
            _ => return Err(damaged(action, "a job fact of no known format")),
        };
        let bytes =
            decompressor.decompress(frame, length).map_err(|error| damaged(action, error))?;
        serde_json::from_slice(&bytes).map_err(|error| damaged(action, error))
    }
}

fn decompressor(
    action: &'static str,
    sample: &'static DecoderDictionary<'static>,
) -> Result<Decompressor<'static>, Error> {
    Decompressor::with_prepared_dictionary(sample).map_err(|error| damaged(action, error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::sample::{HOUR, fact};

    const ACTION: &str = "test";

    #[test]
    fn facts_come_back_and_take_little_room() {
        let (mut writer, mut reader) =
            (FactWriter::new(ACTION).unwrap(), FactReader::new(ACTION).unwrap());
        for number in 0..100 {
            let fact = fact(HOUR, number);
            let packed = writer.pack(ACTION, &fact).unwrap();
            assert_eq!(reader.unpack(ACTION, &packed).unwrap(), fact);
            assert_eq!(FactWriter::new(ACTION).unwrap().pack(ACTION, &fact).unwrap(), packed);
            let plain = json(ACTION, &fact).unwrap().len();
            assert!(packed.len() * 3 < plain, "{} of {plain}", packed.len());
        }
    }

    #[test]
    fn facts_of_the_first_format_are_read_among_others() {
        let old = EncoderDictionary::copy(SAMPLE_FIRST, LEVEL);
        let mut old = Compressor::with_prepared_dictionary(&old).unwrap();
        let (mut writer, mut reader) =
            (FactWriter::new(ACTION).unwrap(), FactReader::new(ACTION).unwrap());
        for number in 0..10 {
            let fact = fact(HOUR, number);
            let bytes = json(ACTION, &fact).unwrap();
            let first = framed(FACT_FIRST, &bytes, &old.compress(&bytes).unwrap(), ACTION).unwrap();
            assert_eq!(reader.unpack(ACTION, &first).unwrap(), fact);
            let second = writer.pack(ACTION, &fact).unwrap();
            assert_eq!(reader.unpack(ACTION, &second).unwrap(), fact);
            for (good, other) in [(first, FACT), (second, FACT_FIRST)] {
                let mut bad = good.clone();
                bad[0] = other;
                assert!(
                    reader
                        .unpack(ACTION, &bad)
                        .is_err_and(|error| matches!(error, Error::Corrupt { .. }))
                );
            }
        }
    }

    /// Files hold facts of this shape: a change of `sla` that no longer reads them needs a migration.
    #[test]
    fn facts_of_the_first_shape_are_read() {
        let fact: JobFact = serde_json::from_slice(SAMPLE_FIRST).unwrap();
        assert_eq!((fact.claims, fact.tenures.len()), (12, 2));
    }

    #[test]
    fn what_nobody_packed_is_damaged() {
        let good = pack(ACTION, &"some text").unwrap();
        assert_eq!(unpack::<String>(ACTION, &good).unwrap(), "some text");
        for cut in 0..good.len() {
            assert!(unpack::<String>(ACTION, &good[..cut]).is_err());
        }
        for at in 0..5 {
            let mut bad = good.clone();
            bad[at] ^= 0x81;
            assert!(matches!(unpack::<String>(ACTION, &bad), Err(Error::Corrupt { .. })), "{at}");
        }
        assert!(FactReader::new(ACTION).unwrap().unpack(ACTION, &good).is_err());
    }
}
