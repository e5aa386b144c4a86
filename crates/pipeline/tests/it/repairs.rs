//! What is asked of peers that lack something, lie about what exists, send what nobody asked for, or fail.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use channel::faults::{Faults, FaultyBackfill};
use channel::{Backfill, BoxFuture, Head};
use ed25519_dalek::SigningKey;
use events::batch::{Batch, Payload, Tail};
use events::event::Network;
use events::identity::{Digest, PublisherKey};
use events::unit::{Millis, UnixMillis};
use events::wire;
use ledger::Ledger;
use pipeline::Clock;
use pipeline::intake::{Intake, KnownKeys, Limits};
use pipeline::repair::{LedgerSource, Progress, RepairError, repair};

const NOW: UnixMillis = UnixMillis(1_764_000_000_000);

fn secret(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

fn key(number: u8) -> PublisherKey {
    frame_of(number, 0).0
}

fn frame_of(number: u8, seq: u64) -> (PublisherKey, Vec<u8>) {
    let tail = Tail { hash: Digest([1; 32]), sealed_ms: NOW, seq: seq.saturating_sub(1) };
    let tail = (seq > 0).then_some(&tail);
    let payload = Payload::of([br#"{"any":1}"#.as_slice()]);
    let batch = Batch::seal(&secret(number), Network::Livepeer, 1, tail, NOW, payload).unwrap();
    (batch.header.key, wire::encode(&batch).unwrap())
}

/// An instance without a settler: only what is kept matters here.
struct Instance {
    intake: Arc<Intake>,
    known: KnownKeys,
    ledger: Arc<Ledger>,
    _folder: tempfile::TempDir,
}

impl Instance {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path(), ledger::Options::default()).unwrap().0;
        let (ledger, known) = (Arc::new(ledger), KnownKeys::default());
        let limits = Limits {
            future_max_ms: Millis(60_000),
            networks: [Network::Livepeer].into(),
            strangers_bytes_max: 1 << 20,
            stranger_batches_max: 100,
        };
        let intake = Arc::new(Intake::new(Arc::clone(&ledger), known.clone(), limits));
        Self { intake, known, ledger, _folder: folder }
    }

    /// One that vouches for the first few publishers.
    fn knowing(numbers: impl IntoIterator<Item = u8>) -> Self {
        let instance = Self::new();
        instance.known.extend(numbers.into_iter().map(key));
        instance
    }

    fn hear(&self, number: u8, seqs: impl IntoIterator<Item = u64>) {
        let frames = seqs.into_iter().map(|seq| frame_of(number, seq).1).collect();
        for verdict in self.intake.accept_all(frames, NOW).unwrap() {
            verdict.unwrap();
        }
    }

    fn source(&self) -> LedgerSource {
        LedgerSource { known: self.known.clone(), ledger: Arc::clone(&self.ledger) }
    }

    /// The sequences kept of a publisher.
    fn kept(&self, number: u8) -> BTreeSet<u64> {
        let Some(head) = self.ledger.head(key(number), 1) else { return BTreeSet::new() };
        let gaps: BTreeSet<u64> =
            self.ledger.gaps(key(number), 1, 0, usize::MAX).into_iter().flatten().collect();
        (0..=head.highest.seq).filter(|seq| !gaps.contains(seq)).collect()
    }

    async fn round(
        &self,
        source: &dyn Backfill,
        progress: &mut Progress,
    ) -> Result<u64, RepairError> {
        let clock: Clock = Arc::new(|| NOW);
        let repaired = repair(&self.ledger, &self.intake, source, &clock, progress).await?;
        Ok(repaired.kept)
    }
}

#[tokio::test]
async fn what_a_peer_lacks_hides_nothing_that_it_has() {
    let (instance, peer, other) =
        (Instance::knowing(1..=2), Instance::knowing(1..=2), Instance::knowing(1..=2));
    // The peer joined late, and then missed every third batch; the other has just what it lacks.
    let has = |seq: &u64| *seq >= 10 && !seq.is_multiple_of(3);
    peer.hear(1, (0..100).filter(has));
    other.hear(1, (0..100).filter(|seq| !has(seq)));
    peer.hear(2, [7]);
    instance.hear(1, [30, 90]);
    let mut progress = Progress::default();
    assert_eq!(instance.round(&peer.source(), &mut progress).await.unwrap(), 61);
    let heard: BTreeSet<u64> = (0..100).filter(has).chain([30, 90]).collect();
    assert_eq!(instance.kept(1), heard);
    assert_eq!(instance.kept(2), [7].into());
    assert_eq!(instance.round(&peer.source(), &mut progress).await.unwrap(), 0);

    instance.round(&other.source(), &mut Progress::default()).await.unwrap();
    assert_eq!(instance.kept(1), (0..100).collect());
    assert_eq!(instance.kept(2), [7].into(), "nobody has the rest");
}

#[tokio::test]
async fn a_peer_that_fails_now_and_then_is_asked_until_all_is_here() {
    let (instance, peer) = (Instance::knowing(1..=5), Instance::knowing(1..=5));
    for number in 1..=5 {
        peer.hear(number, 3..40);
        instance.hear(number, (3..40).step_by(4));
    }
    let faults = Faults {
        drop_ppm: 300_000,
        partition_ppm: 50_000,
        partition_messages: 5,
        ..Faults::default()
    };
    let source = FaultyBackfill::new(Arc::new(peer.source()), faults, 3);
    let mut progress = Progress::default();
    let mut failed = 0;
    let wanted: BTreeSet<u64> = (3..40).collect();
    for round in 0.. {
        assert!(round < 2_000, "seed 3: not repaired after {round} rounds");
        match instance.round(&source, &mut progress).await {
            Ok(_) if (1..=5).all(|number| instance.kept(number) == wanted) => break,
            Ok(_) => {}
            Err(RepairError::Source(error)) => {
                assert!(error.is_retryable());
                failed += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
    assert!(failed > 0, "the source never failed");
}

/// A peer that announces what a test likes, and answers with what it likes.
#[derive(Default)]
struct Liar {
    answers: BTreeMap<(String, u64), Vec<Bytes>>,
    asked: Mutex<Vec<String>>,
    heads: Vec<Head>,
}

impl Liar {
    fn announce(&mut self, key: PublisherKey, seq: u64) {
        self.heads.push(Head { chain: key.to_string(), epoch: 1, seq, hash: String::new() });
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

impl Backfill for Liar {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        _: u64,
        _: u64,
        _: usize,
    ) -> BoxFuture<'a, channel::Result<Vec<Bytes>>> {
        self.asked.lock().unwrap().push(chain.to_owned());
        let answer = self.answers.get(&(chain.to_owned(), epoch)).cloned().unwrap_or_default();
        Box::pin(async move { Ok(answer) })
    }

    fn heads(&self) -> BoxFuture<'_, channel::Result<Vec<Head>>> {
        let heads = self.heads.clone();
        Box::pin(async move { Ok(heads) })
    }
}

#[tokio::test]
async fn heads_of_strangers_cost_little_and_each_has_its_turn() {
    let instance = Instance::knowing([1]);
    let mut peer = Liar::default();
    let strangers: BTreeSet<String> = (2..=101).map(|number| key(number).to_string()).collect();
    for number in 2..=101 {
        peer.announce(key(number), u64::MAX);
    }
    peer.announce(key(1), 0);
    let known = key(1).to_string();
    peer.answers.insert((known.clone(), 1), vec![frame_of(1, 0).1.into()]);
    let mut progress = Progress::default();
    let mut had_a_turn = BTreeSet::new();
    for round in 0..7 {
        instance.round(&peer, &mut progress).await.unwrap();
        let asked = peer.asked();
        assert_eq!(asked.contains(&known), round == 0, "the known one first, and then no more");
        assert!(asked.len() <= 16 * 2 + 1, "{} calls in a round", asked.len());
        had_a_turn.extend(asked);
    }
    assert_eq!(instance.kept(1), [0].into());
    assert!(strangers.is_subset(&had_a_turn), "{} of 100 had a turn", had_a_turn.len());
}

#[tokio::test]
async fn a_stranger_is_heard_a_little_so_that_its_delegation_can_come() {
    let (instance, peer) = (Instance::new(), Instance::knowing([3]));
    peer.hear(3, 2..10);
    let mut progress = Progress::default();
    instance.round(&peer.source(), &mut progress).await.unwrap();
    assert_eq!(instance.kept(3), (2..10).collect());
}

#[tokio::test]
async fn what_nobody_asked_for_is_not_let_in_and_stops_no_other_chain() {
    let instance = Instance::knowing(1..=3);
    let numbers: BTreeMap<PublisherKey, u8> = (1..=3).map(|number| (key(number), number)).collect();
    let order: Vec<u8> = numbers.into_values().collect();
    let (first, second, third) = (order[0], order[1], order[2]);
    let mut peer = Liar::default();
    let mut answer = |number: u8, frames: Vec<Vec<u8>>| {
        let frames = frames.into_iter().map(Bytes::from).collect();
        peer.answers.insert((key(number).to_string(), 1), frames);
    };
    answer(first, vec![frame_of(first, 1).1, frame_of(first, 0).1]);
    answer(second, vec![frame_of(third, 3).1]);
    answer(third, vec![frame_of(third, 0).1, frame_of(third, 1).1]);
    for number in [first, second, third] {
        peer.announce(key(number), 1);
    }
    let mut progress = Progress::default();
    for _ in 0..2 {
        let unasked = instance.round(&peer, &mut progress).await;
        assert!(matches!(unasked, Err(RepairError::Unasked { .. })), "{unasked:?}");
        assert_eq!(instance.ledger.end().next, 0);
    }
    assert!(matches!(instance.round(&peer, &mut progress).await, Err(RepairError::Unasked { .. })));
    assert_eq!(instance.kept(third), [0, 1].into());
    assert_eq!(instance.ledger.end().next, 2);
}
