//! Whatever is asked, the answer is no fault of ours: never a 5xx, and always a problem document below 500.

use std::sync::LazyLock;

use axum::body::Body;
use axum::http::{Request, Uri};
use proptest::prelude::*;
use tokio::runtime::Runtime;
use warehouse::contract::sample;

use crate::world::World;

static WORLD: LazyLock<(Runtime, World)> = LazyLock::new(|| {
    let runtime = Runtime::new().unwrap();
    let world = runtime.block_on(async { World::settled() });
    for network in events::event::Network::ALL {
        assert!(world.changes.refresh(world.warehouse.as_ref(), *network, 100).unwrap());
    }
    (runtime, world)
});

fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        Just("2026-01-08T21Z".to_owned()),
        Just("2026-01-08T22Z".to_owned()),
        Just("2026-01-08T21Z%2F24h".to_owned()),
        Just(sample::job_id(1).to_string()),
        Just(sample::operator(1).to_string()),
        Just("batches.ndjson".to_owned()),
        Just(format!("{}.svg", sample::operator(1))),
        "[!-~]{0,40}",
        "(%[0-9a-fA-F]{2}){1,8}",
    ];
    let list = prop_oneof![
        Just("/v1/scores"),
        Just("/v1/jobs"),
        Just("/v1/windows"),
        Just("/v1/orchestrators"),
        Just("/v1/publishers"),
        Just("/v1/refusals"),
        Just("/v1/exports"),
        Just("/v1/feed.json"),
        Just("/v1/private/me"),
        Just("/v1/private/subscriptions"),
        Just("/badge"),
        Just("/healthz"),
        Just("/docs"),
    ];
    (list, proptest::collection::vec(segment, 0..3)).prop_map(|(list, segments)| {
        segments.iter().fold(list.to_owned(), |path, segment| format!("{path}/{segment}"))
    })
}

fn query() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        Just("window"),
        Just("operator"),
        Just("workload"),
        Just("pipeline"),
        Just("model"),
        Just("grade"),
        Just("limit"),
        Just("cursor"),
        Just("network"),
        Just("state"),
        Just("from_ms"),
        Just("to_ms"),
        Just("reporter"),
        Just("revision"),
        Just("overall"),
        Just("publisher"),
        Just("x"),
    ];
    let value = prop_oneof![
        Just("2026-01-08T21Z".to_owned()),
        Just(sample::operator(1).to_string()),
        Just("simulation".to_owned()),
        Just("live-video".to_owned()),
        any::<u64>().prop_map(|number| number.to_string()),
        any::<i32>().prop_map(|number| number.to_string()),
        (0u32..600).prop_map(|number| number.to_string()),
        "[A-Za-z0-9_-]{0,80}",
        "[!-~]{0,60}",
        "(%[0-9a-fA-F]{2}){1,20}",
        // Cursors that decode to some JSON or other.
        "[ -~]{0,40}".prop_map(|text| base64(format!(
            "{{\"after\":{text},\"filter\":\"0000000000000000\",\"list\":\"jobs\"}}"
        ))),
    ];
    proptest::collection::vec(
        (name, value).prop_map(|(name, value)| format!("{name}={value}")),
        0..4,
    )
    .prop_map(|pairs| pairs.join("&"))
}

fn base64(text: String) -> String {
    use base64::Engine as _;
    base64::prelude::BASE64_URL_SAFE_NO_PAD.encode(text)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, ..ProptestConfig::default() })]

    #[test]
    fn no_question_is_our_fault(path in path(), query in query()) {
        let text = if query.is_empty() { path } else { format!("{path}?{query}") };
        let Ok(uri) = text.parse::<Uri>() else { return Ok(()) };
        if uri.path() != "/" && !uri.path().starts_with('/') {
            return Ok(());
        }
        let (runtime, world) = &*WORLD;
        let request = Request::get(uri).body(Body::empty()).unwrap();
        let answer = runtime.block_on(world.ask(request));
        prop_assert!(!answer.status.is_server_error(), "{}: {}", text, answer.text());
        if answer.status.is_client_error() {
            answer.problem();
        }
    }
}
