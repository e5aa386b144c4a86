//! Captures in every form they are found in, whole and broken.

use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use publisher::intake::file::{Found, Limits, Place, RawEnvelope, Refused, open, read};
use publisher::spool::Source;
use serde_json::Value;

fn limits() -> Limits {
    Limits { item_bytes_max: 4096, ..Limits::default() }
}

fn found(bytes: impl Into<Vec<u8>>) -> Vec<Found> {
    let capture = read(Path::new("capture"), Cursor::new(bytes.into()), limits()).unwrap();
    capture.collect::<Result<_, _>>().unwrap()
}

fn ids(found: &[Found]) -> Vec<String> {
    let id = |found: &Found| match found {
        Found::Envelope(envelope) => envelope.key.clone().unwrap_or("-".to_owned()),
        Found::Capabilities(_) => "capabilities".to_owned(),
        Found::Refused(Refused { place, code, .. }) => {
            format!("{code} {}@{}", place.item, place.line)
        }
    };
    found.iter().map(id).collect()
}

const MALFORMED: &str = "E-ENVELOPE-MALFORMED";

#[test]
fn lists_lines_and_values_say_the_same() {
    let (a, b) = (r#"{"id":"a","data":{"x":"}]{[\\\""}}"#, r#"{"id":"b","data":[1,{"y":[]}]}"#);
    let pretty = |text: &str| {
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(text).unwrap()).unwrap()
    };
    let forms = [
        format!("{a}\n{b}\n"),
        format!("\n\n{a}\r\n\r\n{b}"),
        format!("[{a},{b}]"),
        format!("\u{feff} [\n{a}\n,\n{b}\n]\n"),
        format!("[{},\n{}]", pretty(a), pretty(b)),
        format!("{}\n{}", pretty(a), pretty(b)),
        format!("{{\"offset\":1,\"value\":{a}}}\n{{\"offset\":2,\"value\":{b}}}"),
        format!("{{\"payload\":{}}}\n{{\"payload\":{}}}", Value::from(a), Value::from(b)),
    ];
    for form in forms {
        let found = found(form.clone());
        assert_eq!(ids(&found), ["a", "b"], "{form}");
        let Found::Envelope(RawEnvelope { value, .. }) = &found[0] else { panic!("{form}") };
        let value: Value = serde_json::from_slice(value).unwrap();
        assert_eq!(value, serde_json::from_str::<Value>(a).unwrap(), "{form}");
    }
    let Found::Envelope(envelope) = found(format!("{a}\n")).remove(0) else { panic!() };
    assert_eq!(envelope.value.trim_ascii(), a.as_bytes());
    let raw = envelope.into_raw(5);
    assert_eq!((raw.received_ms, raw.source, raw.key.as_deref()), (5, Source::File, Some("a")));
}

#[test]
fn bad_items_are_refused_where_they_are_and_the_rest_is_read() {
    let lines = "{\"id\":\"a\"}\n{\"id\":\n\n42\n{\"id\":\"b\"}\n{\"value\":\"no json\"}\n{\"id\":\"c\",\"id\":\"d\"}\n{\"id\":\"e\"";
    let expected = ["a", "E-ENVELOPE-MALFORMED 1@2", "E-ENVELOPE-MALFORMED 2@4", "b"]
        .map(str::to_owned)
        .to_vec();
    let rest = ["E-ENVELOPE-MALFORMED 4@6", "E-ENVELOPE-MALFORMED 5@7", "E-ENVELOPE-MALFORMED 6@8"];
    assert_eq!(ids(&found(lines)), [expected, rest.map(str::to_owned).to_vec()].concat());
    let broken_first = "{\"id\":\"a\n{\"id\":\"b\"}\n{\"id\":\"c\"}";
    assert_eq!(
        ids(&found(broken_first)),
        [format!("{MALFORMED} 0@1"), "b".to_owned(), "c".to_owned()]
    );
    let list = "[{\"id\":\"a\"},\n 7, \"x]\", null,\n{\"id\":oops}, [1], {\"id\":\"b\"},";
    let refused = [(1, 2), (2, 2), (3, 2), (4, 3), (5, 3)]
        .map(|(item, line)| format!("{MALFORMED} {item}@{line}"));
    let expected =
        [vec!["a".to_owned()], refused.to_vec(), vec!["b".to_owned(), format!("{MALFORMED} 7@3")]]
            .concat();
    assert_eq!(ids(&found(list)), expected, "the end of the list is missing");
    assert_eq!(ids(&found("{\n\"id\": \"a\"\n")), [format!("{MALFORMED} 0@1")]);
    assert_eq!(
        ids(&found("\"a\"}\n{\"id\":\"b\"}\n\u{0}\u{1}")),
        [format!("{MALFORMED} 0@1"), "b".to_owned(), format!("{MALFORMED} 2@3")]
    );
    for nothing in ["", "\n\n", "[]", " [ ] ", "\u{feff}"] {
        assert!(found(nothing).is_empty(), "{nothing:?}");
    }
}

#[test]
fn an_item_that_is_too_long_is_refused_without_being_held() {
    let long = format!("{{\"id\":\"{}\"}}", "x".repeat(10_000));
    for form in [
        format!("{{\"id\":\"a\"}}\n{long}\n{{\"id\":\"b\"}}"),
        format!("[{{\"id\":\"a\"}},\n{long},{{\"id\":\"b\"}}]"),
    ] {
        assert_eq!(ids(&found(form)), ["a", "E-INPUT-TOO-LARGE 1@2", "b"]);
    }
    assert_eq!(ids(&found(long)), ["E-INPUT-TOO-LARGE 0@1"]);
}

#[test]
fn compressed_captures_are_read_and_bounded() {
    let lines = "{\"id\":\"a\"}\n{\"id\":\"b\"}\n";
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let twice = [gzip(lines.as_bytes()), gzip(lines.as_bytes())].concat();
    assert_eq!(ids(&found(twice)), ["a", "b", "a", "b"], "rotated files are put together");
    assert_eq!(ids(&found(zstd::encode_all(lines.as_bytes(), 19).unwrap())), ["a", "b"]);
    let cut = gzip(lines.repeat(5000).as_bytes());
    let mut capture =
        read(Path::new("cut.gz"), Cursor::new(cut[..cut.len() - 20].to_vec()), limits()).unwrap();
    assert!(capture.by_ref().any(|found| found.is_err()), "a cut file is an error, not an end");
    assert!(capture.next().is_none());
    let bomb = gzip(&vec![b'\n'; 1 << 20]);
    let small = Limits { inflated_bytes_max: 1 << 16, ..limits() };
    let outcome: Result<Vec<_>, _> =
        read(Path::new("bomb"), Cursor::new(bomb), small).and_then(Iterator::collect);
    assert!(outcome.unwrap_err().to_string().contains("inflates to more"));
}

#[test]
fn a_capability_dump_is_told_from_an_envelope() {
    let dump = r#"{"capabilities_names":{"0":"H.264"},"orchestrators":[{"address":"0x1"}]}"#;
    let pretty =
        serde_json::to_string_pretty(&serde_json::from_str::<Value>(dump).unwrap()).unwrap();
    for form in [dump.to_owned(), pretty] {
        let found = found(form.clone());
        assert_eq!(ids(&found), ["capabilities"]);
        let Found::Capabilities(dump) = &found[0] else { panic!() };
        assert_eq!(
            (dump.value.as_slice(), dump.place),
            (form.as_bytes(), Place { item: 0, line: 1 })
        );
    }
}

/// Gives the same line for ever, without holding more than one.
struct Endless {
    line: Vec<u8>,
    at: usize,
    left: usize,
}

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let read = (&self.line[self.at..]).read(buffer)?;
        self.at = (self.at + read) % self.line.len();
        self.left -= usize::from(self.at == 0);
        Ok(read)
    }
}

#[test]
fn a_large_capture_is_read_item_by_item() {
    let line = format!("{{\"id\":\"a\",\"data\":\"{}\"}}\n", "y".repeat(3000)).into_bytes();
    let input = Endless { line, at: 0, left: 30_000 };
    let capture = read(Path::new("large"), input, limits()).unwrap();
    assert_eq!(capture.filter(|found| matches!(found, Ok(Found::Envelope(_)))).count(), 30_000);
}

fn captures() -> Option<PathBuf> {
    let folder = std::env::var_os("NAAP_CAPTURES").map(PathBuf::from);
    if folder.is_none() {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("SKIPPED: NAAP_CAPTURES names no folder of real captures");
        }
    }
    folder
}

#[test]
fn real_captures_are_read_whole() {
    let Some(folder) = captures() else { return };
    let all = |name: &str| -> Vec<Found> {
        open(&folder.join(name), Limits::default()).unwrap().collect::<Result<_, _>>().unwrap()
    };
    let gateway = all("gateway-events-2026-01-08.json");
    assert_eq!(gateway.len(), 65);
    assert_eq!(ids(&gateway)[0], "59485235-8460-472f-a894-3b84f37ee9bb");
    for item in &gateway {
        let Found::Envelope(envelope) = item else { panic!("{item:?}") };
        let value: Value = serde_json::from_slice(&envelope.value).unwrap();
        assert!(value["data"].is_object() || value["data"].is_array());
        assert_eq!(value["id"].as_str(), envelope.key.as_deref());
    }
    for name in ["network-capabilities-live-video.json", "network-capabilities-batch-byoc.json"] {
        assert!(matches!(all(name).as_slice(), [Found::Capabilities(_)]), "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_panic_or_go_on_for_ever(bytes in proptest::collection::vec(prop_oneof![
        Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b'\n'), any::<u8>()
    ], 0..300)) {
        let capture = read(Path::new("any"), Cursor::new(bytes.clone()), Limits { item_bytes_max: 32, ..limits() });
        if let Ok(capture) = capture {
            prop_assert!(capture.count() <= bytes.len() + 1);
        }
    }

    #[test]
    fn every_item_of_a_list_comes_back(ids in proptest::collection::vec("[a-z\"\\\\\\[\\]{},é]{0,12}", 0..20), gap in "[ \n\t]{0,3}") {
        let items: Vec<_> = ids.iter().map(|id| format!("{gap}{}{gap}", serde_json::json!({"data": [id], "id": id}))).collect();
        prop_assert_eq!(&super::file::ids(&found(format!("[{}]", items.join(",")))), &ids);
    }
}
