//! Laws of batches and their two forms: nothing damaged is taken for whole, and nothing whole is lost.

use ed25519_dalek::SigningKey;
use events::batch::{
    self, Batch, Header, MAX_COMPRESSED_BYTES, MAX_EVENTS, MAX_PAYLOAD_BYTES, Payload, Tail,
};
use events::body::Kind;
use events::event::Network;
use events::identity::{BatchSignature, Digest};
use events::refusal::Defect;
use events::unit::{MAX_JSON_INTEGER, UnixMillis};
use events::wire::{self, Frame, MAGIC, MAX_FRAME_BYTES};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::files::samples::{self, AT, Extent};
use crate::strategies;

fn secret() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn seal(events: &[Vec<u8>], tail: Option<&Tail>) -> Batch {
    let payload = Payload::of(events.iter().map(Vec::as_slice));
    Batch::seal(&secret(), Network::Simulation, 7, tail, AT, payload).unwrap()
}

fn sample() -> Batch {
    let event = |kind| samples::event(kind, Extent::Full).encode().unwrap();
    seal(&[event(Kind::JobAssigned), event(Kind::JobAssigned), event(Kind::JobCompleted)], None)
}

/// Lines of events: real ones, and bytes that somebody might sign all the same.
fn signed_bytes() -> impl Strategy<Value = Vec<u8>> {
    let any_line = vec(any::<u8>().prop_map(|byte| if byte == b'\n' { b'N' } else { byte }), 0..40);
    prop_oneof![
        2 => strategies::event().prop_map(|event| event.encode().unwrap()),
        1 => any_line,
        1 => "[{}\\[\\]\",:a0 ]{0,12}".prop_map(String::into_bytes),
    ]
}

fn tail(seq: u64, sealed_ms: u64, hash: [u8; 32]) -> Tail {
    Tail { hash: Digest(hash), sealed_ms: UnixMillis(sealed_ms), seq }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_batch_survives_both_its_forms(
        events in vec(signed_bytes(), 1..12),
        before in proptest::option::of((0..MAX_JSON_INTEGER, any::<[u8; 32]>())),
    ) {
        let tail = before.map(|(seq, hash)| tail(seq, AT.0 - 1, hash));
        let batch = seal(&events, tail.as_ref());
        prop_assert_eq!(batch.payload.events().map(<[u8]>::to_vec).collect::<Vec<_>>(), events);
        batch.verify().unwrap();
        prop_assert_eq!(&Header::decode(&batch.header.bytes()).unwrap(), &batch.header);
        let frame = wire::encode(&batch).unwrap();
        prop_assert_eq!(&wire::decode(&frame).unwrap(), &batch);
        let line = wire::to_line(&batch);
        prop_assert!(!line.contains(&b'\n') && std::str::from_utf8(&line).is_ok());
        prop_assert_eq!(&wire::from_line(&line).unwrap(), &batch);
        if let Some(tail) = tail {
            batch::check_link(&tail, &batch.header).unwrap();
        }
    }

    #[test]
    fn a_changed_line_is_refused(
        events in vec(signed_bytes(), 1..4),
        place in any::<prop::sample::Index>(),
        bit in 0..8u8,
    ) {
        let mut line = wire::to_line(&seal(&events, None));
        let place = place.index(line.len());
        line[place] ^= 1 << bit;
        prop_assert!(wire::from_line(&line).is_err());
    }

    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in vec(any::<u8>(), 0..400)) {
        prop_assert!(wire::decode(&bytes).is_err());
        prop_assert!(wire::decode(&[MAGIC, &bytes[..]].concat()).is_err());
        prop_assert!(wire::from_line(&bytes).is_err());
        prop_assert!(Header::decode(&bytes).is_err());
    }

    #[test]
    fn a_link_is_the_next_sequence_the_same_hash_and_no_earlier(
        seq in 0..MAX_JSON_INTEGER,
        sealed in 0..1_000u64,
        (other_seq, other_sealed, other_hash) in (0..MAX_JSON_INTEGER, 0..1_000u64, any::<bool>()),
    ) {
        let start = UnixMillis::EARLIEST.0;
        let before = tail(seq, start + sealed, [5; 32]);
        let mut next = seal(&[b"{}".to_vec()], Some(&before)).header;
        batch::check_link(&before, &next).unwrap();
        next.sealed_ms = UnixMillis(start + other_sealed);
        prop_assert_eq!(batch::check_link(&before, &next).is_ok(), other_sealed >= sealed);
        next.sealed_ms = before.sealed_ms;
        next.prev = Digest([if other_hash { 6 } else { 5 }; 32]);
        prop_assert_eq!(batch::check_link(&before, &next).is_ok(), !other_hash);
        next.prev = before.hash;
        next.seq = other_seq;
        prop_assert_eq!(batch::check_link(&before, &next).is_ok(), other_seq == seq + 1);
    }
}

/// Header and signature: every flip is refused. Payload: zstd has more than one spelling, so a flip that is not
/// refused must give the same batch.
#[test]
fn no_bit_of_a_frame_can_change_what_it_says() {
    let batch = sample();
    let frame = wire::encode(&batch).unwrap();
    let payload = MAGIC.len() + 2 + batch.header.bytes().len() + 64 + 4;
    let mut respelled = 0;
    for bit in 0..frame.len() * 8 {
        let mut changed = frame.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        match wire::decode(&changed) {
            Err(_) => (),
            Ok(same) => {
                assert!(bit / 8 >= payload, "bit {bit} is not of the payload");
                assert_eq!(same, batch, "bit {bit}");
                respelled += 1;
            }
        }
    }
    assert!(respelled < 16, "{respelled} flips were not noticed");
}

#[test]
fn a_frame_or_line_cut_short_is_refused() {
    let batch = sample();
    let frame = wire::encode(&batch).unwrap();
    for end in 0..frame.len() {
        assert_eq!(
            wire::decode(&frame[..end]).unwrap_err().defect,
            Defect::BatchMalformed,
            "{end}"
        );
    }
    let longer = [&frame[..], &[0]].concat();
    assert_eq!(wire::decode(&longer).unwrap_err().defect, Defect::BatchMalformed);
    let line = wire::to_line(&batch);
    for end in 0..line.len() {
        assert_eq!(
            wire::from_line(&line[..end]).unwrap_err().defect,
            Defect::BatchMalformed,
            "{end}"
        );
    }
}

/// A frame whose parts are given one by one.
fn frame(
    header: &[u8],
    signature: &BatchSignature,
    announced: usize,
    compressed: &[u8],
) -> Vec<u8> {
    let length = u16::try_from(header.len()).unwrap().to_be_bytes();
    let announced = u32::try_from(announced).unwrap().to_be_bytes();
    [MAGIC, &length[..], header, &signature.0, &announced, compressed].concat()
}

#[test]
fn a_bomb_is_never_inflated_past_what_it_announced() {
    let batch = sample();
    let bomb = zstd::bulk::compress(&vec![b'\n'; 64 << 20], 1).unwrap();
    assert!(bomb.len() < MAX_COMPRESSED_BYTES);
    let defect = |announced| {
        let frame = frame(&batch.header.bytes(), &batch.signature, announced, &bomb);
        wire::decode(&frame).unwrap_err().defect
    };
    assert_eq!(defect(0), Defect::BatchMalformed);
    assert_eq!(defect(batch.payload.lines().len()), Defect::BatchMalformed);
    assert_eq!(defect(MAX_PAYLOAD_BYTES), Defect::BatchMalformed);
    assert_eq!(defect(MAX_PAYLOAD_BYTES + 1), Defect::BatchTooLarge);
    assert_eq!(defect(64 << 20), Defect::BatchTooLarge);
}

#[test]
fn an_announced_length_is_the_real_one() {
    let batch = sample();
    let lines = batch.payload.lines();
    let compressed = zstd::bulk::compress(lines, 3).unwrap();
    let open = |announced| {
        wire::decode(&frame(&batch.header.bytes(), &batch.signature, announced, &compressed))
    };
    assert_eq!(open(lines.len()).unwrap(), batch, "any level of compression will do");
    assert_eq!(open(lines.len() - 1).unwrap_err().defect, Defect::BatchMalformed);
    assert_eq!(open(lines.len() + 1).unwrap_err().defect, Defect::BatchMalformed);
}

#[test]
fn a_batch_holds_256_events() {
    let most = vec![b"{}".to_vec(); MAX_EVENTS];
    let batch = seal(&most, None);
    assert_eq!(wire::decode(&wire::encode(&batch).unwrap()).unwrap(), batch);
    let sealed = |count| {
        let payload = Payload::of(vec![&b"{}"[..]; count]);
        Batch::seal(&secret(), Network::Livepeer, 0, None, AT, payload)
            .map_err(|refusal| refusal.defect)
    };
    assert_eq!(sealed(MAX_EVENTS + 1).unwrap_err(), Defect::BatchTooLarge);
    assert_eq!(sealed(0).unwrap_err(), Defect::BatchTooLarge);
    assert_eq!(sealed(70_000).unwrap_err(), Defect::BatchTooLarge);
    let mut lines = batch.payload.lines().to_vec();
    lines.extend(b"{}\n");
    let more = frame(
        &batch.header.bytes(),
        &batch.signature,
        lines.len(),
        &zstd::bulk::compress(&lines, 1).unwrap(),
    );
    assert_eq!(wire::decode(&more).unwrap_err().defect, Defect::BatchRoot);
}

#[test]
fn a_compressed_payload_has_48_kib_at_most() {
    // Hash output does not compress: 32 bytes stay 32 bytes, two hex digits stay one byte.
    let noise = |blocks: u32| -> Vec<Vec<u8>> {
        let line = |n: u32| {
            Digest::of(&[&n.to_be_bytes()]).0.map(|byte| if byte == b'\n' { 0 } else { byte })
        };
        (0..blocks).map(line).collect::<Vec<_>>().chunks(100).map(<[_]>::concat).collect()
    };
    let fits = seal(&noise(1_500), None);
    let encoded = wire::encode(&fits).unwrap();
    assert!(encoded.len() <= MAX_FRAME_BYTES);
    assert_eq!(wire::decode(&encoded).unwrap(), fits);
    let large = seal(&noise(1_600), None);
    assert_eq!(wire::encode(&large).unwrap_err().defect, Defect::BatchTooLarge);
    let compressed = zstd::bulk::compress(large.payload.lines(), 1).unwrap();
    let by_hand =
        frame(&large.header.bytes(), &large.signature, large.payload.lines().len(), &compressed);
    assert_eq!(wire::decode(&by_hand).unwrap_err().defect, Defect::BatchTooLarge);
}

#[test]
fn a_signature_is_checked_before_anything_is_inflated() {
    let batch = sample();
    let frame = frame(&batch.header.bytes(), &BatchSignature([0; 64]), 1, b"not zstd");
    assert_eq!(Frame::parse(&frame).unwrap().verify().unwrap_err().defect, Defect::BatchSignature);
    assert_eq!(wire::decode(&frame).unwrap_err().defect, Defect::BatchSignature);
}

#[test]
fn what_nobody_would_accept_is_not_sealed() {
    let defect = |epoch, tail: Option<&Tail>, now| {
        let payload = Payload::of([&b"{}"[..]]);
        Batch::seal(&secret(), Network::Livepeer, epoch, tail, now, payload).unwrap_err().defect
    };
    assert_eq!(defect(0, None, UnixMillis(0)), Defect::BatchTime);
    assert_eq!(defect(0, None, UnixMillis::LATEST), Defect::BatchTime);
    assert_eq!(defect(1 << 53, None, AT), Defect::BatchMalformed);
    assert_eq!(defect(0, Some(&tail(MAX_JSON_INTEGER, AT.0, [1; 32])), AT), Defect::BatchMalformed);
}

#[test]
fn a_clock_that_went_back_does_not_show() {
    let first = sample();
    let payload = Payload::of([&b"{}"[..]]);
    let earlier = UnixMillis(AT.0 - 5_000);
    let next =
        Batch::seal(&secret(), Network::Simulation, 7, Some(&first.tail()), earlier, payload)
            .unwrap();
    assert_eq!(next.header.sealed_ms, first.header.sealed_ms);
    batch::check_link(&first.tail(), &next.header).unwrap();
}
