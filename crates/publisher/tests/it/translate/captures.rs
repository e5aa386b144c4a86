//! Real captures, read from the folder in `NAAP_CAPTURES`; without it these tests say so and pass.

use std::collections::BTreeMap;
use std::path::PathBuf;

use events::unit::UnixMillis;
use publisher::translate::{Translated, translate};
use serde_json::Value;

use super::{as_json, run, speaker};

fn capture(name: &str) -> Option<Vec<u8>> {
    let Some(folder) = std::env::var_os("NAAP_CAPTURES").map(PathBuf::from) else {
        #[allow(clippy::print_stderr)]
        {
            eprintln!("SKIPPED: set NAAP_CAPTURES to the folder of real captures to read {name}");
        }
        return None;
    };
    Some(std::fs::read(folder.join(name)).unwrap())
}

#[test]
fn a_captured_session_translates_whole() {
    let Some(bytes) = capture("gateway-events-2026-01-08.json") else { return };
    let records: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    let mut events = Vec::new();
    for record in &records {
        let Translated { events: said, refusals } = run(&record["value"]);
        assert_eq!(refusals, []);
        events.extend(said);
    }
    for event in &events {
        *kinds.entry(event.kind().to_string()).or_default() += 1;
    }
    let expected = [
        ("capability.offered", 1),
        ("discovery.answered", 1),
        ("job.assigned", 2),
        ("job.first_output", 2),
        ("job.playable", 1),
        ("job.requested", 1),
        ("payment.sent", 6),
        ("stream.ingest", 34),
        ("stream.status", 17),
    ];
    assert_eq!(kinds, expected.map(|(kind, count)| (kind.to_owned(), count)).into());
    assert_eq!(records.len(), 65);

    let json = as_json(&events);
    let jobs: std::collections::BTreeSet<_> =
        json.iter().filter_map(|event| event["job_id"].as_str()).collect();
    assert_eq!(jobs.len(), 1, "one session");
    let statuses = json.iter().filter(|event| event["kind"] == "stream.status");
    for status in statuses {
        assert_eq!(status["model"], "streamdiffusion-sdxl-faceid");
        assert!((9_000..18_000).contains(&status["data"]["fps_out"].as_u64().unwrap()));
    }
}

#[test]
fn captured_dumps_translate_whole() {
    let at = UnixMillis(1_767_909_000_000);
    for (name, orchestrators, offers) in [
        ("network-capabilities-live-video.json", 53, 18),
        ("network-capabilities-batch-byoc.json", 40, 32),
    ] {
        let Some(bytes) = capture(name) else { return };
        let translated = translate(&bytes, &speaker(), at);
        assert_eq!(translated.refusals, [], "{name}");
        assert_eq!(translated.events.len(), orchestrators, "{name}");
        let json = as_json(&translated.events);
        let said: usize =
            json.iter().map(|event| event["data"]["offers"].as_array().unwrap().len()).sum();
        assert_eq!(said, offers, "{name}");
    }
}
