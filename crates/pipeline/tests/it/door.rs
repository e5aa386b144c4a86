//! What the door refuses, and that nothing refused is kept.

use events::batch::{Batch, Payload};
use events::event::Network;
use events::refusal::Defect;
use events::unit::{Millis, UnixMillis};
use events::wire;
use ledger::Ledger;
use pipeline::intake::{Accepted, Intake, KnownKeys, Limits};

const NOW: UnixMillis = UnixMillis(1_764_000_000_000);

fn door(
    directory: &std::path::Path,
    stranger_batches_max: u64,
) -> (std::sync::Arc<Ledger>, Intake, KnownKeys) {
    let ledger =
        std::sync::Arc::new(Ledger::open(directory, ledger::Options::default()).unwrap().0);
    let known = KnownKeys::default();
    let limits = Limits {
        future_max_ms: Millis(60_000),
        networks: [Network::Livepeer].into(),
        strangers_bytes_max: 1 << 20,
        stranger_batches_max,
    };
    let intake = Intake::new(std::sync::Arc::clone(&ledger), known.clone(), limits);
    (ledger, intake, known)
}

fn batch(network: Network, seq: u64, sealed_ms: UnixMillis) -> Batch {
    let secret = ed25519_dalek::SigningKey::from_bytes(&[3; 32]);
    let tail = events::batch::Tail {
        hash: events::identity::Digest([1; 32]),
        sealed_ms,
        seq: seq.saturating_sub(1),
    };
    let tail = (seq > 0).then_some(&tail);
    Batch::seal(&secret, network, 1, tail, sealed_ms, Payload::of([br#"{"any":1}"#.as_slice()]))
        .unwrap()
}

#[test]
fn bad_frames_get_their_code_and_are_counted() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, intake, _) = door(directory.path(), 100);
    let good = batch(Network::Livepeer, 0, NOW);
    let mut forged = good.clone();
    forged.header.sealed_ms = NOW.minus(Millis(1));
    let mut swapped = good.clone();
    swapped.payload = Payload::of([br#"{"any":2}"#.as_slice()]);
    let frames = [
        (b"garbage".to_vec(), Defect::BatchMalformed),
        (vec![0; wire::MAX_FRAME_BYTES + 1], Defect::BatchTooLarge),
        (wire::encode(&forged).unwrap(), Defect::BatchSignature),
        (wire::encode(&swapped).unwrap(), Defect::BatchRoot),
        (wire::encode(&batch(Network::Simulation, 0, NOW)).unwrap(), Defect::BatchNetwork),
        (
            wire::encode(&batch(Network::Livepeer, 0, NOW.plus(Millis(60_001)))).unwrap(),
            Defect::BatchFuture,
        ),
    ];
    for (frame, defect) in &frames {
        let verdict = intake.accept(frame.clone(), NOW).unwrap();
        assert_eq!(verdict.unwrap_err().defect, *defect);
    }
    assert_eq!(ledger.end().next, 0, "nothing refused is kept");
    let counted: u64 = intake.take_refusals().counts.values().sum();
    assert_eq!(counted, frames.len() as u64);
    assert!(intake.take_refusals().is_empty());
}

#[test]
fn a_spoiled_copy_of_what_is_kept_changes_nothing_of_it() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, intake, _) = door(directory.path(), 100);
    let good = batch(Network::Livepeer, 0, NOW);
    let frame = wire::encode(&good).unwrap();
    assert_eq!(intake.accept(frame.clone(), NOW).unwrap(), Ok(Accepted::Kept));
    let mut swapped = good.clone();
    swapped.payload = Payload::of([br#"{"any":2}"#.as_slice()]);
    let mut flipped = frame.clone();
    if let Some(last) = flipped.last_mut() {
        *last ^= 1;
    }
    // The header says which batch it is, and the door holds that one whole: the sender need not send it again.
    for copy in [wire::encode(&swapped).unwrap(), flipped] {
        assert_eq!(intake.accept(copy, NOW).unwrap(), Ok(Accepted::Known));
    }
    let kept: Vec<_> = ledger.read(0).map(|record| record.unwrap().1.frame).collect();
    assert_eq!(kept, [frame]);
}

#[test]
fn a_batch_is_kept_once_and_strangers_get_little_room() {
    let directory = tempfile::tempdir().unwrap();
    let (ledger, intake, known) = door(directory.path(), 2);
    let frame = |seq| wire::encode(&batch(Network::Livepeer, seq, NOW)).unwrap();
    let verdicts = intake.accept_all(vec![frame(0), frame(0)], NOW).unwrap();
    assert_eq!(verdicts, [Ok(Accepted::Kept), Ok(Accepted::Known)]);
    assert_eq!(intake.accept(frame(0), NOW).unwrap(), Ok(Accepted::Known));
    assert_eq!(intake.accept(frame(1), NOW).unwrap(), Ok(Accepted::Kept));
    assert_eq!(intake.accept(frame(2), NOW).unwrap().unwrap_err().defect, Defect::QuotaUnknownKey);
    known.extend([batch(Network::Livepeer, 0, NOW).header.key]);
    assert_eq!(intake.accept(frame(2), NOW).unwrap(), Ok(Accepted::Kept));
    assert_eq!(ledger.end().next, 3);
}
