//! Batches as lines: chains, links, equivocations, and every way to be refused before anybody asks who may speak.
//!
//! Bad headers are signed as text, so that each is wrong in one thing only.

use ed25519_dalek::{Signer as _, SigningKey};
use events::batch::{Batch, Payload, Tail};
use events::body::Kind;
use events::event::Network;
use events::identity::Digest;
use events::refusal::Defect::{self, *};
use events::unit::UnixMillis;
use events::wire;
use serde_json::{Value, json};

use super::bad;
use super::statements::sample;
use crate::files::samples::{AT, Extent};

/// The secret of the publisher whose chain this is; published here, so it protects nothing.
pub const SECRET: [u8; 32] = [1; 32];

/// The order of Ed25519's group, least byte first (RFC 8032 section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// `schemas/vectors/batches.json`.
pub fn vectors() -> Value {
    let good = good().into_iter().map(|(name, batch)| {
        json!({
            "name": name, "line": line(&batch), "hash": batch.header.hash(), "root": batch.header.root,
        })
    });
    let mut bads = signatures();
    bads.extend(payloads());
    bads.extend(headers());
    bads.extend(forms());
    json!({
        "about": "Batches in line form. `hash` names the header in the next one's `prev`. The bad ones are wrong in one thing.",
        "good": good.collect::<Value>(),
        "bad": bads,
        "links": links(),
        "equivocations": equivocations(),
    })
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("lines and headers are JSON")
}

fn line(batch: &Batch) -> String {
    text(wire::to_line(batch))
}

fn payload(kinds: &[Kind]) -> Payload {
    let events: Vec<_> = kinds.iter().map(|kind| sample(*kind, Extent::Full)).collect();
    Payload::of(events.iter().map(String::as_bytes))
}

fn seal(secret: [u8; 32], epoch: u64, tail: Option<&Tail>, payload: Payload) -> Batch {
    let secret = SigningKey::from_bytes(&secret);
    Batch::seal(&secret, Network::Livepeer, epoch, tail, AT, payload).expect("samples fit a batch")
}

/// The first batch of the chain that the others follow.
pub fn first() -> Batch {
    seal(SECRET, 1, None, payload(&[Kind::JobRequested, Kind::JobAssigned, Kind::StreamStatus]))
}

/// A batch of 200 events without a single byte.
pub fn empty() -> Batch {
    seal(SECRET, 3, None, Payload::of([&b""[..]; 200]))
}

fn good() -> Vec<(&'static str, Batch)> {
    let first = first();
    let second = seal(SECRET, 1, Some(&first.tail()), payload(&[Kind::JobCompleted]));
    let raw: [&[u8]; 6] = [b"no JSON", b"", b"{ }", b"\"00\"", b"\xff", b"{},{}"];
    let third = seal(SECRET, 1, Some(&second.tail()), Payload::of(raw));
    let most = seal(SECRET, 1, Some(&third.tail()), Payload::of([&b"{}"[..]; 256]));
    let other = seal(SECRET, 2, None, payload(&[Kind::EventsDropped]));
    vec![
        ("the first batch of an epoch", first),
        ("the one after it", second),
        ("signed bytes that are no events", third),
        ("256 events", most),
        ("the first batch of the next epoch", other),
    ]
}

/// The line of these events under this header, signed as it stands.
fn signed(header: &str, events: &str) -> String {
    let message = [b"naap/batch/1\n", header.as_bytes()].concat();
    let signature = SigningKey::from_bytes(&SECRET).sign(&message);
    assemble(header, events, &hex::encode(signature.to_bytes()))
}

fn assemble(header: &str, events: &str, signature: &str) -> String {
    format!(r#"{{"events":[{events}],"header":{header},"signature":"{signature}"}}"#)
}

/// The parts of the first batch's line.
fn parts() -> (String, String, [u8; 64]) {
    let batch = first();
    let events = batch.payload.events().map(|event| text(event.to_vec())).collect::<Vec<_>>();
    (text(batch.header.bytes()), events.join(","), batch.signature.0)
}

fn signatures() -> Vec<Value> {
    let (header, events, signature) = parts();
    let refuse = |name: &str, signature: &[u8]| {
        bad(name, "line", &assemble(&header, &events, &hex::encode(signature)), BatchSignature)
    };
    let sign =
        |secret: [u8; 32], message: &[u8]| SigningKey::from_bytes(&secret).sign(message).to_bytes();
    let purpose = [b"naap/batch/1\n", header.as_bytes()].concat();
    let mut flipped = signature;
    flipped[0] ^= 1;
    vec![
        refuse("a signature with one bit changed", &flipped),
        refuse("a signature of zeros", &[0; 64]),
        refuse("a signature by another key", &sign([2; 32], &purpose)),
        refuse("a signature without the line of its purpose", &sign(SECRET, header.as_bytes())),
        refuse("a signature in its second form", &second_form(signature)),
        bad("a key that signs everything", "line", &anybody(&header, &events), BatchSignature),
    ]
}

/// The signature with the group's order added to `s`, which a careless check also accepts.
fn second_form(mut signature: [u8; 64]) -> [u8; 64] {
    let mut carry = 0u16;
    for (byte, add) in signature.iter_mut().skip(32).zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        let [high, low] = sum.to_be_bytes();
        (carry, *byte) = (u16::from(high), low);
    }
    signature
}

/// A line under the neutral point as a key: with `R` the base point and `s` one, every message verifies.
fn anybody(header: &str, events: &str) -> String {
    let key = hex::encode(SigningKey::from_bytes(&SECRET).verifying_key().to_bytes());
    let neutral = format!("01{}", "00".repeat(31));
    let base_point = format!("58{}", "66".repeat(31));
    let header = header.replace(&key, &neutral);
    assemble(&header, events, &format!("{base_point}{neutral}"))
}

fn payloads() -> Vec<Value> {
    let (header, events, _) = parts();
    let some = first();
    let each: Vec<String> = some.payload.events().map(|event| text(event.to_vec())).collect();
    let swapped: Vec<&str> = each.iter().rev().map(String::as_str).collect();
    let fewer = each.get(1..).unwrap_or_default().join(",");
    let refuse = |name: &str, header: &str, events: &str| {
        bad(name, "line", &signed(header, events), BatchRoot)
    };
    vec![
        refuse("an event left out", &header, &fewer),
        refuse("an event added", &header, &format!("{events},{{}}")),
        refuse("an event changed", &header, &events.replacen("true", "false", 1)),
        refuse("events in another order", &header, &swapped.join(",")),
        refuse("a wrong count", &header.replace(r#""count":3"#, r#""count":4"#), &events),
        refuse(
            "a wrong root",
            &header.replace(&some.header.root.to_string(), &Digest::ZERO.to_string()),
            &events,
        ),
    ]
}

fn headers() -> Vec<Value> {
    let (header, events, _) = parts();
    let key = first().header.key.to_string();
    let changes: Vec<(&str, &str, &str, Defect)> = vec![
        ("white space in the header", r#""count":3"#, r#""count": 3"#, BatchMalformed),
        (
            "members of the header out of order",
            r#""count":3,"epoch":1"#,
            r#""epoch":1,"count":3"#,
            BatchMalformed,
        ),
        ("an unknown member of the header", r#""seq":0"#, r#""seq":0,"zzz":0"#, BatchMalformed),
        ("a header without a member", r#""count":3,"#, "", BatchMalformed),
        ("a header without a format", r#""format":"naap/batch/1","#, "", BatchMalformed),
        ("a network nobody knows", "livepeer", "testnet", BatchMalformed),
        ("an epoch of 2^53", r#""epoch":1"#, r#""epoch":9007199254740992"#, BatchMalformed),
        ("a negative sequence", r#""seq":0"#, r#""seq":-1"#, BatchMalformed),
        ("a count of 65 536", r#""count":3"#, r#""count":65536"#, BatchMalformed),
        (
            "a key in capitals",
            &key,
            "8A88E3DD7409F195FD52DB2D3CBA5D72CA6709BF1D94121BF3748801B40F6F5C",
            BatchMalformed,
        ),
        ("a later format", "naap/batch/1", "naap/batch/2", BatchFormat),
        ("a count of 0", r#""count":3"#, r#""count":0"#, BatchTooLarge),
        ("a count of 257", r#""count":3"#, r#""count":257"#, BatchTooLarge),
        ("sealed before 2020", "1767908945298", "1577836799999", BatchTime),
        ("sealed in 2100", "1767908945298", "4102444800000", BatchTime),
        ("sequence 0 after something", r#""prev":"0"#, r#""prev":"1"#, BatchChain),
    ];
    let refuse = |(name, from, to, defect): &(&str, &str, &str, Defect)| {
        bad(name, "line", &signed(&header.replacen(from, to, 1), &events), *defect)
    };
    let mut bads: Vec<Value> = changes.iter().map(refuse).collect();
    let later =
        header.replace("naap/batch/1", "naap/batch/2").replace(r#""seq":0"#, r#""seq":0,"zzz":0"#);
    bads.push(bad(
        "a later format with a new member",
        "line",
        &signed(&later, &events),
        BatchFormat,
    ));
    // The format stands first in this array, where derived code looks for the only member it was asked for.
    let array = format!(r#"["naap/batch/2",{header}]"#);
    bads.push(bad("a later format in an array", "line", &signed(&array, &events), BatchMalformed));
    let values: serde_json::Map<String, Value> =
        serde_json::from_str(&header).expect("a header is an object");
    let values: Value = values.into_iter().map(|(_, value)| value).collect();
    let header = text(serde_json::to_vec(&values).expect("values serialise"));
    bads.push(bad("a header as an array", "line", &signed(&header, &events), BatchMalformed));
    bads
}

fn forms() -> Vec<Value> {
    let (header, events, signature) = parts();
    let signature = hex::encode(signature);
    let good = assemble(&header, &events, &signature);
    let raw = line(&seal(SECRET, 1, None, Payload::of([&b"\xff"[..]])));
    let hex_of_object =
        line(&seal(SECRET, 1, None, Payload::of([&b"{}"[..]]))).replace("[{}]", r#"["7b7d"]"#);
    let two_in_one = line(&seal(SECRET, 1, None, Payload::of([&b"{}"[..], b"{}"])))
        .replace("[{},{}]", r#"["7b7d0a7b7d"]"#);
    let refuse = |name: &str, line: &str| bad(name, "line", line, BatchMalformed);
    vec![
        refuse("nothing", ""),
        refuse("no JSON", "batch"),
        refuse("an array", &format!("[[{events}],{header},\"{signature}\"]")),
        refuse("white space in the line", &good.replacen("\":", "\": ", 1)),
        refuse("a line feed after the line", &format!("{good}\n")),
        refuse(
            "members of the line out of order",
            &format!(r#"{{"header":{header},"events":[{events}],"signature":"{signature}"}}"#),
        ),
        refuse(
            "an unknown member of the line",
            &good.replacen(r#""header""#, r#""hash":0,"header""#, 1),
        ),
        refuse(
            "a line without its signature",
            &format!(r#"{{"events":[{events}],"header":{header}}}"#),
        ),
        refuse("a signature in capitals", &assemble(&header, &events, &signature.to_uppercase())),
        refuse("a signature too short", &assemble(&header, &events, "00")),
        refuse("a line without events", &assemble(&header, "", &signature)),
        refuse("hex where an object could stand", &hex_of_object),
        refuse("two events in one", &two_in_one),
        refuse("hex in capitals", &raw.replace("\"ff\"", "\"FF\"")),
        refuse("half a byte of hex", &raw.replace("\"ff\"", "\"fff\"")),
        refuse("an event that is a number", &raw.replace("\"ff\"", "255")),
    ]
}

fn links() -> Vec<Value> {
    let first = first();
    let second = seal(SECRET, 1, Some(&first.tail()), payload(&[Kind::JobCompleted]));
    let third = seal(SECRET, 1, Some(&second.tail()), payload(&[Kind::JobFailed]));
    let elsewhere = Tail { hash: Digest::of(&[b"elsewhere"]), ..first.tail() };
    let astray = seal(SECRET, 1, Some(&elsewhere), payload(&[Kind::JobCompleted]));
    let before = UnixMillis(AT.0 - 1);
    let mut late = second.header.clone();
    late.sealed_ms = before;
    let late =
        signed(&text(late.bytes()), &text(second.payload.lines().to_vec()).replace('\n', ""));
    let link = |name: &str, before: &Batch, after: &str, defect: Option<Defect>| json!({ "name": name, "before": line(before), "after": after, "code": defect.map(Defect::code) });
    vec![
        link("the next", &first, &line(&second), None),
        link("the one after the next", &first, &line(&third), Some(BatchChain)),
        link("itself", &first, &line(&first), Some(BatchChain)),
        link("the one before", &second, &line(&first), Some(BatchChain)),
        link("one that names another before it", &first, &line(&astray), Some(BatchChain)),
        link("one sealed before the one before it", &first, &late, Some(BatchTime)),
    ]
}

fn equivocations() -> Vec<Value> {
    let events = |kind| payload(&[kind]);
    let one = seal(SECRET, 1, None, events(Kind::JobFailed));
    let pair = |name: &str, other: &Batch, is_equivocation: bool| json!({ "name": name, "lines": [line(&one), line(other)], "equivocation": is_equivocation });
    let two = seal(SECRET, 1, None, events(Kind::JobCompleted));
    vec![
        pair("one place, two contents", &two, true),
        pair("one batch twice", &one, false),
        pair("two places", &seal(SECRET, 1, Some(&one.tail()), events(Kind::JobFailed)), false),
        pair("two epochs", &seal(SECRET, 2, None, events(Kind::JobFailed)), false),
        pair("two publishers", &seal([2; 32], 1, None, events(Kind::JobFailed)), false),
    ]
}
