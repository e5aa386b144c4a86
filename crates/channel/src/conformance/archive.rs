//! What every backfill must do, and the archive that it must serve for that.
//! It never touches the network or a disk itself.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::conformance::step;
use crate::error::{Error, Result};
use crate::traits::{Backfill, BoxFuture, Head};

/// What [`backfill`] expects a backfill to hold: two epochs of `a` (the first with a hole at 5) and one of `b`.
/// The body of each message is `chain/epoch/seq`, padded with dots to 32 bytes; hashes are the same text.
#[must_use]
pub fn archive() -> Archive {
    let mut archive = Archive::default();
    for (chain, epoch, seqs) in [("a", 1, 0..10), ("a", 2, 0..3), ("b", 9, 4..6)] {
        for seq in seqs.filter(|seq| (epoch, *seq) != (1, 5)) {
            archive.bodies.insert((chain.to_owned(), epoch, seq), archived(chain, epoch, seq));
        }
    }
    archive
}

fn archived(chain: &str, epoch: u64, seq: u64) -> Bytes {
    format!("{:.<32}", format!("{chain}/{epoch}/{seq}")).into()
}

/// What is held of the asked range, bounded, from a backfill that serves an [`archive`].
///
/// # Panics
/// With the promise that was broken.
pub async fn backfill(source: &dyn Backfill) {
    let cases = [
        (("a", 1, 0, 4), 10_000, vec![0, 1, 2, 3, 4]),
        (("a", 1, 2, 2), 10_000, vec![2]),
        (("a", 1, 3, 9), 10_000, vec![3, 4, 6, 7, 8, 9]),
        (("a", 1, 5, 6), 10_000, vec![6]),
        (("a", 1, 5, 5), 10_000, vec![]),
        (("a", 1, 6, u64::MAX), 10_000, vec![6, 7, 8, 9]),
        (("a", 1, 0, 4), 3 * 32, vec![0, 1, 2]),
        (("a", 1, 4, 9), 3 * 32 + 31, vec![4, 6, 7]),
        (("a", 2, 0, 9), 10_000, vec![0, 1, 2]),
        (("b", 9, 0, u64::MAX), 10_000, vec![4, 5]),
        (("b", 9, 0, 3), 10_000, vec![]),
        (("nobody", 1, 0, 9), 10_000, vec![]),
    ];
    for ((chain, epoch, from_seq, to_seq), max_bytes, seqs) in cases {
        let expected: Vec<Bytes> =
            seqs.into_iter().map(|seq| archived(chain, epoch, seq)).collect();
        let found = step("fetching", source.fetch(chain, epoch, from_seq, to_seq, max_bytes)).await;
        assert_eq!(
            found,
            Ok(expected),
            "{chain}, epoch {epoch}, {from_seq} to {to_seq}, {max_bytes} bytes"
        );
    }
    for (from_seq, to_seq, max_bytes) in [(4, 3, 10_000), (0, 3, 31)] {
        let refused =
            source.fetch("a", 1, from_seq, to_seq, max_bytes).await.expect_err("a refusal");
        assert!(!refused.is_retryable(), "{from_seq} to {to_seq}, {max_bytes} bytes: {refused}");
    }
    let mut heads = step("asking for heads", source.heads()).await.expect("heads failed");
    heads.sort_by(|one, other| (&one.chain, one.epoch).cmp(&(&other.chain, other.epoch)));
    let head = |chain: &str, epoch, seq| Head {
        chain: chain.to_owned(),
        epoch,
        seq,
        hash: format!("{chain}/{epoch}/{seq}"),
    };
    assert_eq!(heads, [head("a", 2, 2), head("b", 9, 5)]);
}

/// A backfill in memory. The head of a chain is the last message of its last epoch.
#[derive(Default)]
pub struct Archive {
    /// Bodies by chain, epoch and sequence.
    pub bodies: BTreeMap<(String, u64, u64), Bytes>,
}

impl Backfill for Archive {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, Result<Vec<Bytes>>> {
        Box::pin(async move {
            if to_seq < from_seq {
                return Err(Error::Range { from_seq, to_seq });
            }
            let (mut found, mut bytes) = (Vec::new(), 0);
            let place = |seq| (chain.to_owned(), epoch, seq);
            for (_, body) in self.bodies.range(place(from_seq)..=place(to_seq)) {
                bytes += body.len();
                if bytes > max_bytes && found.is_empty() {
                    return Err(Error::TooLong { bytes, max_bytes });
                }
                if bytes > max_bytes {
                    break;
                }
                found.push(body.clone());
            }
            Ok(found)
        })
    }

    fn heads(&self) -> BoxFuture<'_, Result<Vec<Head>>> {
        Box::pin(async {
            let mut heads = BTreeMap::new();
            for (chain, epoch, seq) in self.bodies.keys() {
                let hash = format!("{chain}/{epoch}/{seq}");
                heads.insert(chain, Head { chain: chain.clone(), epoch: *epoch, seq: *seq, hash });
            }
            Ok(heads.into_values().collect())
        })
    }
}
