//! Batches as frames, whole and damaged.
//!
//! All payloads but one are stored or run-length zstd frames put together here, so that no compressor's version shows
//! in them.

use events::batch::{Batch, MAX_PAYLOAD_BYTES};
use events::refusal::Defect::{self, *};
use events::wire::{self, MAGIC};
use serde_json::{Value, json};

use super::{bad, batches};

/// `schemas/vectors/frames.json`.
pub fn vectors() -> Value {
    let batch = batches::first();
    let lines = batch.payload.lines();
    let empty = batches::empty();
    let good = |name: &str, batch: &Batch, frame: Vec<u8>| {
        let line = String::from_utf8(wire::to_line(batch)).expect("a line is JSON");
        json!({ "name": name, "hex": hex::encode(frame), "line": line })
    };
    let compressed = wire::encode(&batch).expect("samples fit a frame");
    json!({
        "about": "Frames in hex, and the line of the batch in each.",
        "good": [
            good("stored without compression", &batch, frame(&batch, &stored(lines), lines.len())),
            good("200 empty events in one run", &empty, frame(&empty, &repeated(200, 200), 200)),
            good("as naap compresses it", &batch, compressed),
        ],
        "bad": bads(&batch),
    })
}

/// A zstd frame (RFC 8878) that announces its length and stores `bytes` in one block.
fn stored(bytes: &[u8]) -> Vec<u8> {
    zstd_frame(bytes.len(), 0, bytes.len(), bytes)
}

/// A zstd frame that announces `announced` bytes and holds `size` line feeds in one run-length block.
fn repeated(announced: usize, size: usize) -> Vec<u8> {
    zstd_frame(announced, 1, size, b"\n")
}

fn zstd_frame(announced: usize, block_type: u32, size: usize, content: &[u8]) -> Vec<u8> {
    let number = |size: usize| u32::try_from(size).expect("samples are small");
    // Magic number; descriptor: four bytes of content size, single segment; one last block of this type and size.
    let block = 1 | (block_type << 1) | (number(size) << 3);
    let [low, middle, high, _] = block.to_le_bytes();
    let head = [0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    [&head[..], &number(announced).to_le_bytes(), &[low, middle, high], content].concat()
}

fn frame(batch: &Batch, compressed: &[u8], announced: usize) -> Vec<u8> {
    let header = batch.header.bytes();
    let length = u16::try_from(header.len()).expect("a header is short").to_be_bytes();
    let announced = u32::try_from(announced).expect("samples are small").to_be_bytes();
    [MAGIC, &length[..], &header, &batch.signature.0, &announced, compressed].concat()
}

fn bads(batch: &Batch) -> Vec<Value> {
    let lines = batch.payload.lines();
    let good = frame(batch, &stored(lines), lines.len());
    let header = batch.header.bytes().len();
    let refuse =
        |name: &str, frame: &[u8], defect: Defect| bad(name, "hex", &hex::encode(frame), defect);
    let malformed = |name: &str, frame: &[u8]| refuse(name, frame, BatchMalformed);
    let mut bads = Vec::new();
    let ends = [
        0,
        4,
        6,
        7 + header / 2,
        7 + header + 63,
        7 + header + 64 + 3,
        7 + header + 64 + 4,
        good.len() - 1,
    ];
    for end in ends {
        bads.push(malformed(
            &format!("cut short after {end} bytes"),
            good.get(..end).unwrap_or_default(),
        ));
    }
    let flips = [(0, BatchMalformed), (4, BatchMalformed), (7, BatchMalformed)];
    let signature = (7 + header, BatchSignature);
    let content = (good.len() - 3, BatchRoot);
    for (place, defect) in flips.into_iter().chain([signature, content]) {
        let mut frame = good.clone();
        for byte in frame.iter_mut().skip(place).take(1) {
            *byte ^= 1;
        }
        bads.push(refuse(&format!("one bit changed in byte {place}"), &frame, defect));
    }
    let long = [MAGIC, &1025u16.to_be_bytes()[..], &[b' '; 1200]].concat();
    bads.push(malformed("a header of 1 025 bytes", &long));
    bads.push(malformed("bytes after the payload", &[&good[..], &[0]].concat()));
    bads.extend(payloads(batch));
    bads
}

fn payloads(batch: &Batch) -> Vec<Value> {
    let lines = batch.payload.lines();
    let refuse = |name: &str, compressed: &[u8], announced: usize, defect: Defect| {
        bad(name, "hex", &hex::encode(frame(batch, compressed, announced)), defect)
    };
    let whole = stored(lines);
    let (half, rest) = lines.split_at(lines.len() / 2);
    let open = lines.strip_suffix(b"\n").unwrap_or_default();
    let short = lines.len();
    vec![
        refuse("a payload that is not zstd", lines, short, BatchMalformed),
        refuse(
            "a payload in two zstd frames",
            &[stored(half), stored(rest)].concat(),
            short,
            BatchMalformed,
        ),
        refuse("shorter than announced", &whole, short + 1, BatchMalformed),
        refuse("longer than announced", &whole, short - 1, BatchMalformed),
        refuse(
            "128 KiB from a few bytes, announced as less",
            &repeated(131_072, 131_072),
            short,
            BatchMalformed,
        ),
        refuse(
            "zstd's own length announced as less",
            &repeated(short, 131_072),
            short,
            BatchMalformed,
        ),
        refuse("128 KiB of empty events", &repeated(131_072, 131_072), 131_072, BatchRoot),
        refuse("more than any batch holds", &whole, MAX_PAYLOAD_BYTES + 1, BatchTooLarge),
        refuse("nothing", &stored(b""), 0, BatchMalformed),
        refuse("a last event without its line feed", &stored(open), open.len(), BatchMalformed),
        refuse("one more event", &stored(&[lines, b"{}\n"].concat()), short + 3, BatchRoot),
    ]
}
