//! Length-prefixed frames: a big-endian 32-bit length and that many bytes, one after another.
//! It never copies what it splits, and refuses what is cut short.

use bytes::{Buf, BufMut, Bytes, BytesMut};

/// Bytes that framing adds to each part.
pub(super) const OVERHEAD_BYTES: usize = 4;

/// Appends one frame. Parts come from bounded messages, so their lengths fit; a longer one would be a defect of ours.
pub(super) fn put(buffer: &mut BytesMut, part: &[u8]) {
    let length = u32::try_from(part.len()).expect("messages are bounded far below 4 GiB");
    buffer.put_u32(length);
    buffer.put_slice(part);
}

/// Splits frames; `None` if the bytes end inside one.
pub(super) fn split(mut bytes: Bytes) -> Option<Vec<Bytes>> {
    let mut parts = Vec::new();
    while bytes.has_remaining() {
        let length = usize::try_from(bytes.try_get_u32().ok()?).ok()?;
        if length > bytes.remaining() {
            return None;
        }
        parts.push(bytes.split_to(length));
    }
    Some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_framed_comes_back_and_a_cut_is_noticed(
            parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..8),
            cut in any::<proptest::sample::Index>(),
        ) {
            let mut buffer = BytesMut::new();
            let mut ends = vec![0];
            for part in &parts {
                put(&mut buffer, part);
                ends.push(buffer.len());
            }
            let whole = buffer.freeze();
            prop_assert_eq!(split(whole.clone()).expect("nothing is cut"), parts);
            let at = cut.index(whole.len() + 1);
            prop_assert_eq!(split(whole.slice(..at)).is_some(), ends.contains(&at));
        }
    }
}
