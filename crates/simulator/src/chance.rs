//! Seeded chance in whole numbers: what is likely, how long something takes, what an id looks like.
//!
//! Never asks the machine for randomness. Numbers come from ChaCha8 (RFC 8439's cipher with eight rounds), which is
//! the same on every machine.

use events::identity::Digest;
use events::unit::Ppm;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng as _, SeedableRng as _};

/// A stream of chances.
pub(crate) struct Chance(ChaCha8Rng);

/// 32 secret-looking bytes that depend on the seed and what they are for, and on nothing else.
pub(crate) fn derived(seed: u64, purpose: &str, index: u64) -> [u8; 32] {
    let Digest(bytes) = Digest::of(&[
        b"naap/simulator/1\0",
        &seed.to_be_bytes(),
        purpose.as_bytes(),
        &[0],
        &index.to_be_bytes(),
    ]);
    bytes
}

impl Chance {
    /// The stream that `seed` gives for `purpose` and `index`.
    pub fn new(seed: u64, purpose: &str, index: u64) -> Self {
        Self(ChaCha8Rng::from_seed(derived(seed, purpose, index)))
    }

    /// A number below `limit`, or zero when there is none below it.
    pub fn below(&mut self, limit: u64) -> u64 {
        // The high half of a product is spread evenly enough: the bias is below one in 2^64 / limit.
        let wide = u128::from(self.0.next_u64()) * u128::from(limit);
        u64::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number from `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high.saturating_sub(low).saturating_add(1))
    }

    /// Whether something this likely happens.
    pub fn happens(&mut self, likely: Ppm) -> bool {
        self.below(1_000_000) < u64::from(likely.0)
    }

    /// One of them, or none of none.
    pub fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        let length = u64::try_from(of.len()).unwrap_or(u64::MAX);
        of.get(usize::try_from(self.below(length)).unwrap_or(0))
    }

    /// A waiting time whose mean is `mean`: many short ones, few long ones.
    ///
    /// Each half of the draws ends in the next step of equal length, which follows the exponential from below and
    /// above by turns and needs no logarithm.
    pub fn waiting(&mut self, mean: u64) -> u64 {
        let draw = self.0.next_u64();
        let halvings = u64::from((draw | 1 << 31).trailing_zeros());
        let within = draw >> 32;
        let steps = (u128::from(halvings) << 32) + u128::from(within);
        let time = (steps * u128::from(mean) * 2 / 3) >> 32;
        u64::try_from(time).unwrap_or(u64::MAX)
    }

    /// A duration around `typical`: three quarters to five quarters of it, and now and then twice that.
    pub fn around(&mut self, typical: u64) -> u64 {
        let near = typical * 3 / 4 + self.below(typical / 2 + 1);
        if self.below(16) == 0 { near * 2 } else { near }
    }

    /// A UUID of version 4, as text.
    pub fn uuid(&mut self) -> String {
        let mut bytes = [0; 16];
        self.0.fill_bytes(&mut bytes);
        uuid_of(bytes)
    }

    /// Lower-case hex digits.
    pub fn hex(&mut self, digits: usize) -> String {
        self.letters(b"0123456789abcdef", digits)
    }

    /// Lower-case letters and digits.
    pub fn base36(&mut self, digits: usize) -> String {
        self.letters(b"0123456789abcdefghijklmnopqrstuvwxyz", digits)
    }

    /// 32 bytes.
    pub fn digest(&mut self) -> Digest {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        Digest(bytes)
    }

    fn letters(&mut self, alphabet: &[u8], count: usize) -> String {
        let mut draw = 0;
        let base = u64::try_from(alphabet.len()).unwrap_or(1);
        let mut text = String::with_capacity(count);
        for index in 0..count {
            if index % 8 == 0 {
                draw = self.0.next_u64() >> 8;
            }
            let digit = usize::try_from(draw % base).unwrap_or(0);
            text.push(char::from(alphabet.get(digit).copied().unwrap_or(b'0')));
            draw /= base;
        }
        text
    }
}

/// Sixteen bytes as a UUID of version 4.
pub(crate) fn uuid_of(mut bytes: [u8; 16]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0'));
    let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
    *version = (*version & 0x0f) | 0x40;
    *variant = (*variant & 0x3f) | 0x80;
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.into_iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push(digit(byte >> 4));
        text.push(digit(byte & 0x0f));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_has_its_mean_and_ids_their_shape() {
        let mut chance = Chance::new(7, "test", 0);
        let sum: u64 = (0..100_000).map(|_| chance.waiting(1_000)).sum();
        assert!((980..1_020).contains(&(sum / 100_000)), "{sum}");
        let id = chance.uuid();
        assert_eq!(id.len(), 36);
        assert_eq!(id.as_bytes()[14], b'4');
        assert!(matches!(id.as_bytes()[19], b'8' | b'9' | b'a' | b'b'), "{id}");
        assert_eq!(chance.hex(8).len(), 8);
    }
}
