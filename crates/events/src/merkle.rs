//! RFC 6962 Merkle trees over SHA-256: one root that commits to a list of byte strings in order.
//!
//! Leaves are `H(0x00 || bytes)`, nodes `H(0x01 || left || right)`, an odd node is carried up, and the root of nothing
//! is `H("")` (RFC 6962 section 2.1).

use crate::identity::Digest;

/// The hash of one leaf.
pub fn leaf(bytes: &[u8]) -> Digest {
    Digest::of(&[&[0], bytes])
}

fn node(left: &Digest, right: &Digest) -> Digest {
    Digest::of(&[&[1], &left.0, &right.0])
}

/// The root over `leaves`, which are byte strings in the order that counts.
pub fn root<'a>(leaves: impl IntoIterator<Item = &'a [u8]>) -> Digest {
    root_of_hashes(leaves.into_iter().map(leaf))
}

/// The root over leaf hashes.
///
/// A stack holds the roots of the perfect subtrees so far, one per set bit of the count, so memory stays logarithmic.
pub fn root_of_hashes(leaves: impl IntoIterator<Item = Digest>) -> Digest {
    let mut stack: Vec<(u32, Digest)> = Vec::new();
    for mut hash in leaves {
        let mut height = 0;
        while let Some((_, left)) = stack.pop_if(|(top, _)| *top == height) {
            hash = node(&left, &hash);
            height += 1;
        }
        stack.push((height, hash));
    }
    let Some((_, mut right)) = stack.pop() else { return Digest::of(&[]) };
    while let Some((_, left)) = stack.pop() {
        right = node(&left, &right);
    }
    right
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition of RFC 6962 section 2.1, word for word: split at the largest power of two below the count.
    fn by_definition(leaves: &[Vec<u8>]) -> Digest {
        match leaves {
            [] => Digest::of(&[]),
            [one] => leaf(one),
            many => {
                let split = many.len().next_power_of_two() / 2;
                let (left, right) = many.split_at(split);
                node(&by_definition(left), &by_definition(right))
            }
        }
    }

    #[test]
    fn streaming_equals_the_definition() {
        let leaves: Vec<Vec<u8>> = (0u8..67).map(|n| vec![n; usize::from(n)]).collect();
        for count in 0..leaves.len() {
            let some = leaves.get(..count).unwrap();
            assert_eq!(root(some.iter().map(Vec::as_slice)), by_definition(some), "{count} leaves");
        }
    }
}
