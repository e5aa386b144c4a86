//! Events as bytes: good ones of every kind, and bad ones for every rule of `docs/events.md`.

use events::body::Kind;
use events::event::MAX_EVENT_BYTES;
use events::merkle;
use events::refusal::Defect::{self, *};
use serde_json::{Value, json};

use super::bad;
use crate::files::samples::{self, Extent};

/// A good event to change.
pub fn base() -> String {
    sample(Kind::StreamStatus, Extent::Full)
}

/// The canonical text of a sample.
pub fn sample(kind: Kind, extent: Extent) -> String {
    let bytes = samples::event(kind, extent).encode().expect("samples are events");
    String::from_utf8(bytes).expect("canonical JSON is UTF-8")
}

/// `schemas/vectors/events.json`.
pub fn vectors() -> Value {
    let mut goods = Vec::new();
    for kind in Kind::ALL {
        goods.push(good(&format!("{kind}, every member"), &sample(*kind, Extent::Full)));
        goods.push(good(&format!("{kind}, least members"), &sample(*kind, Extent::Least)));
    }
    goods.extend(odd().iter().map(|(name, text)| good(name, text)));
    let mut bads: Vec<Value> = Vec::new();
    for (rules, defect) in [
        (sizes(), EventTooLarge),
        (forms(), EventNotCanonical),
        (shapes(), EventMalformed),
        (kinds(), EventKind),
    ] {
        bads.extend(rules.iter().map(|(name, text)| bad(name, "text", text, defect)));
    }
    bads.extend(not_text());
    json!({
        "about": "Events. `text` is the exact bytes in UTF-8, `hex` where they are none; `leaf` is the Merkle leaf hash.",
        "good": goods,
        "bad": bads,
    })
}

fn good(name: &str, text: &str) -> Value {
    json!({ "name": name, "text": text, "leaf": merkle::leaf(text.as_bytes()) })
}

/// The base event with one more member, which sorts last and is unknown.
fn with(member: &str) -> String {
    change("}", &format!(r#","zzz":{member}}}"#), true)
}

/// The base event with `from` replaced, at its end or where it stands first.
fn change(from: &str, to: &str, at_end: bool) -> String {
    let base = base();
    let place = if at_end { base.rfind(from) } else { base.find(from) };
    let (before, after) = base.split_at(place.expect("the base event holds what is changed"));
    [before, to, after.get(from.len()..).unwrap_or_default()].concat()
}

fn padded(bytes: usize) -> String {
    let empty = with("\"\"").len();
    with(&format!("\"{}\"", "x".repeat(bytes.saturating_sub(empty))))
}

fn odd() -> Vec<(&'static str, String)> {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    vec![
        ("an unknown member", with(r#"{"a":[1,-1,0,true,false,null,{}],"ab":"","b":[]}"#)),
        ("an unknown member of the data", change(r#""error""#, r#""also":1,"error""#, false)),
        ("null is absent", change(r#""model":"stabilityai/sd-turbo""#, r#""model":null"#, false)),
        ("every escape", with(r#""\u0000\b\t\n\u000b\f\r\u001f\"\\/""#)),
        ("no escape", with("\"\u{7f}\u{80}é\u{2028}\u{feff}\u{ffff}😀\"")),
        ("the largest integers", with("[9007199254740991,-9007199254740991]")),
        ("nested 12 deep", with(&nested(12))),
        ("16 384 bytes", padded(MAX_EVENT_BYTES)),
    ]
}

fn sizes() -> Vec<(&'static str, String)> {
    vec![
        ("16 385 bytes", padded(MAX_EVENT_BYTES + 1)),
        ("too large before it is not canonical", " ".repeat(MAX_EVENT_BYTES + 1)),
    ]
}

fn forms() -> Vec<(&'static str, String)> {
    let base = base();
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let mut forms = vec![
        ("nothing", String::new()),
        ("no JSON", "event".to_owned()),
        ("white space before", format!(" {base}")),
        ("white space after", format!("{base}\n")),
        ("white space within", base.replacen("\":", "\": ", 1)),
        ("a byte order mark", format!("\u{feff}{base}")),
        ("two values", format!("{base}{base}")),
        ("cut short", base.strip_suffix('}').unwrap_or_default().to_owned()),
        ("members out of order", change(r#""id":"#, r#""zz":1,"id":"#, false)),
        ("a repeated member", change(r#""id":"#, r#""id":"a","id":"#, false)),
        ("a longer name before its beginning", with(r#"{"ab":1,"a":1}"#)),
        ("a name outside ASCII", with(r#"{"é":1}"#)),
        ("an escaped name", with(r#"{"\u0061":1}"#)),
        ("nested 13 deep", with(&nested(13))),
        ("not canonical before it is malformed", "[1.0]".to_owned()),
    ];
    let members = [
        ("a fraction", "1.5"),
        ("a fraction of nothing", "1.0"),
        ("an exponent", "1e3"),
        ("a leading zero", "01"),
        ("a minus zero", "-0"),
        ("a plus sign", "+1"),
        ("2^53", "9007199254740992"),
        ("-2^53", "-9007199254740992"),
        ("2^64 + 1", "18446744073709551617"),
        ("not a number", "NaN"),
        ("a word in capitals", "True"),
        ("a comma at the end", "[1,]"),
        ("an escaped slash", r#""\/""#),
        ("an escaped letter", r#""\u0041""#),
        ("a long escape of a line feed", r#""\u000a""#),
        ("an escape in capitals", r#""\u001F""#),
        ("an escaped surrogate", r#""\ud83d\ude00""#),
        ("a raw line feed", "\"\n\""),
        ("a raw tab", "\"\t\""),
    ];
    forms.extend(members.map(|(name, member)| (name, with(member))));
    forms
}

fn shapes() -> Vec<(&'static str, String)> {
    let mut shapes = vec![
        ("an array", "[]".to_owned()),
        ("a number", "1".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("an unknown kind in a later schema", {
            let unknown = change(r#""kind":"stream.status""#, r#""kind":"stream.dreamt""#, false);
            unknown.replace(r#""schema":1"#, r#""schema":2"#)
        }),
    ];
    // What is replaced, with what. A member is taken away by giving it another name.
    let changes: &[(&str, &str, &str)] = &[
        ("no time", r#""at_ms""#, r#""at_mt""#),
        ("no data", r#""data""#, r#""datb""#),
        ("no id", r#""id""#, r#""ie""#),
        ("no kind", r#""kind""#, r#""kine""#),
        ("no node", r#""node""#, r#""nodf""#),
        ("no network", r#""network""#, r#""networl""#),
        ("no reporter", r#""reporter""#, r#""reporteq""#),
        ("no role", r#""role""#, r#""rolf""#),
        ("no schema", r#""schema""#, r#""schemb""#),
        ("a negative time", r#""at_ms":1"#, r#""at_ms":-1"#),
        ("a time as text", r#""at_ms":1767908945298"#, r#""at_ms":"1767908945298""#),
        ("a later schema", r#""schema":1"#, r#""schema":2"#),
        ("a network nobody knows", r#""network":"livepeer""#, r#""network":"testnet""#),
        ("a role nobody knows", r#""role":"gateway""#, r#""role":"Gateway""#),
        ("a role as an object", r#""role":"gateway""#, r#""role":{"gateway":null}"#),
        ("a kind that is no text", r#""kind":"stream.status""#, r#""kind":1"#),
        ("an address in capitals", r#""reporter":"0xee"#, r#""reporter":"0xEE"#),
        ("an address without its prefix", r#""reporter":"0xee"#, r#""reporter":"eeee"#),
        ("an address too long", r#""reporter":"0xee"#, r#""reporter":"0xeee"#),
        (
            "a job id too short",
            "00112233445566778899aabbccddeeff",
            "00112233445566778899aabbccddeef",
        ),
        ("a required null", r#""id":"stream.status/full""#, r#""id":null"#),
        ("an empty name", r#""model":"stabilityai/sd-turbo""#, r#""model":"""#),
        ("a space at a name's end", "stabilityai/sd-turbo", "stabilityai/sd-turbo "),
        ("a wide space at a name's beginning", "stabilityai/sd-turbo", "\u{3000}sd-turbo"),
        ("a control character in a name", "stabilityai/sd-turbo", "stabilityai\\nsd-turbo"),
        ("a later control character in a name", "stabilityai/sd-turbo", "stabilityai\u{85}sd"),
        ("a line feed at a name's end", "stabilityai/sd-turbo", "stabilityai/sd-turbo\\n"),
        ("data without a required member", r#""witness":"runner""#, r#""witnest":"runner""#),
        ("a word nobody knows", r#""witness":"runner""#, r#""witness":"nobody""#),
        ("a negative count", r#""restarts":1"#, r#""restarts":-1"#),
        ("a count over 32 bits", r#""restarts":1"#, r#""restarts":4294967296"#),
        ("a number that is true", r#""restarts":1"#, r#""restarts":true"#),
        ("an orchestrator that is null", r#""orchestrator":{"#, r#""orchestrator":null,"zz":{"#),
        ("a url without a port", "orchestrator.example:8935", "orchestrator.example"),
        ("a url with a slash", "orchestrator.example:8935", "orchestrator.example:8935/"),
        ("a url in capitals", "https://orchestrator", "https://Orchestrator"),
        ("a url with a user", "https://orchestrator", "https://me@orchestrator"),
        ("a url with a large port", "example:8935", "example:65536"),
        ("a url of another scheme", "https://orchestrator", "ftp://orchestrator"),
    ];
    shapes.extend(
        changes.iter().map(|(name, from, to)| (*name, reordered(&change(from, to, false)))),
    );
    shapes.extend(amounts());
    shapes.extend(positions());
    shapes.push(("a name of 81 bytes in 41 characters", {
        change("stream.status/full", &format!("{}a", "é".repeat(40)), false)
    }));
    shapes
}

/// Amounts of wei in any form but decimal text.
fn amounts() -> Vec<(&'static str, String)> {
    let price = |wei: &str| {
        let sent = sample(Kind::PaymentSent, Extent::Full);
        sent.replace(
            r#""face_value_wei":"2402400000000000""#,
            &format!(r#""face_value_wei":{wei}"#),
        )
    };
    vec![
        ("wei as a number", price("2402400000000000")),
        ("wei with a leading zero", price(r#""01""#)),
        ("wei with a sign", price(r#""+1""#)),
        ("no wei", price(r#""""#)),
    ]
}

/// Arrays of an object's values in place of the object.
fn positions() -> Vec<(&'static str, String)> {
    let status = sample(Kind::JobPlayable, Extent::Least);
    let offered = sample(Kind::CapabilityOffered, Extent::Least);
    vec![
        ("data as an array", status.replace(r#"{"orchestrator":{}}"#, "[{}]")),
        (
            "an orchestrator as an array",
            status.replace(r#""orchestrator":{}"#, r#""orchestrator":[null,null,null]"#),
        ),
        (
            "an offer as an array",
            offered.replace(
                r#"{"pipeline":"byoc-echo"}"#,
                r#"[null,null,null,"byoc-echo",null,null,null]"#,
            ),
        ),
        (
            "a GPU as an array",
            offered.replace(r#""gpus":[{}]"#, r#""gpus":[[null,null,null,null,null,null]]"#),
        ),
    ]
}

fn kinds() -> Vec<(&'static str, String)> {
    let kind =
        |kind: &str| change(r#""kind":"stream.status""#, &format!(r#""kind":"{kind}""#), false);
    vec![
        ("a kind nobody knows", kind("stream.dreamt")),
        ("a kind in capitals", kind("Stream.Status")),
        ("a kind without a name", kind("")),
    ]
}

fn not_text() -> Vec<Value> {
    let case = |name: &str, bytes: &[u8], defect: Defect| json!({ "name": name, "hex": hex::encode(bytes), "code": defect.code() });
    let surrogate = [&b"{\"a\":\""[..], &[0xed, 0xa0, 0x80], b"\"}"].concat();
    let overlong = [&b"{\"a\":\""[..], &[0xc0, 0xaf], b"\"}"].concat();
    vec![
        case("a byte that is no UTF-8", b"{\"a\":\"\xff\"}", EventNotCanonical),
        case("a surrogate in UTF-8", &surrogate, EventNotCanonical),
        case("an overlong slash", &overlong, EventNotCanonical),
        case("a zero byte", b"{}\0", EventNotCanonical),
    ]
}

/// The same members, put back in the order of their names where a change of name moved one.
fn reordered(text: &str) -> String {
    let value: Value = serde_json::from_str(text).expect("a changed event is still JSON");
    let bytes =
        events::canonical::write(&value).expect("a changed event still has a canonical form");
    String::from_utf8(bytes).expect("canonical JSON is UTF-8")
}
