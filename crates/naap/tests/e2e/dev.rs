//! `naap dev`: what is said shows at once, survives a stop, and a simulated network plays along apart from it.

use std::collections::BTreeSet;
use std::time::Instant;

use serde_json::Value;

use super::kafka::Producer;
use super::process::{Running, http, until};
use super::world::{envelopes, now};

/// Minutes of a simulated gateway's words, as if they were said just now.
fn said_just_now(seed: u64) -> Vec<Vec<u8>> {
    envelopes(seed, now().minus(events::unit::Millis(120_000)), 2)
}

fn jobs(running: &Running, network: &str) -> BTreeSet<String> {
    let (status, page) = running.get(&format!("/v1/jobs?network={network}&limit=500"));
    assert_eq!(status, 200, "{page}");
    let items = page["items"].as_array().unwrap();
    items.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_is_posted_shows_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start("dev", folder.path(), &["--no-simulate"]);
    let said = said_just_now(11);
    let body = format!(
        "[{}]",
        said.iter().map(|one| String::from_utf8_lossy(one)).collect::<Vec<_>>().join(",")
    );
    let (status, answer) = http(running.at("intake"), "POST", "/v1/intake/events", body.as_bytes());
    assert_eq!(status, 202, "{}", String::from_utf8_lossy(&answer));
    let begun = Instant::now();
    until("a job in the API", || (!jobs(&running, "livepeer").is_empty()).then_some(()));
    // The target is a second at the 99th percentile on an idle machine; a test may share its machine with others.
    assert!(begun.elapsed().as_secs() < 10, "it took {:?}", begun.elapsed());
    until("every record to be published", || {
        let waits = running.metric("naap_spool_records{node=\"gateway\"}")?;
        (waits == 0 && running.metric("naap_outbox_unheld_batches{node=\"gateway\"}")? == 0)
            .then_some(())
    });
    let known = until("all to be noted", || {
        let sealed = running.metric("naap_sealed_events_total{node=\"gateway\"}")?;
        let noted = running.metric("naap_noted_events_total{network=\"livepeer\"}")?;
        (noted > sealed).then(|| jobs(&running, "livepeer"))
    });
    let (status, health) = running.get("/healthz");
    assert_eq!((status, &health["status"]), (200, &Value::from("ok")), "{health}");
    until("both publishers to be listed", || {
        let (_, publishers) = running.get("/v1/publishers");
        let listed = publishers["items"].as_array()?.clone();
        let roles: BTreeSet<&str> = listed.iter().filter_map(|one| one["role"].as_str()).collect();
        (roles == BTreeSet::from(["controller", "gateway"])).then_some(())
    });
    running.stop();

    let again = Running::start("dev", folder.path(), &["--no-simulate"]);
    assert_eq!(jobs(&again, "livepeer").intersection(&known).count(), known.len());
    // The same envelopes again are the same events.
    http(again.at("intake"), "POST", "/v1/intake/events", body.as_bytes());
    until("every record to be known", || {
        let repeated = again.metric("naap_repeated_events_total{node=\"gateway\"}")?;
        (repeated > 0 && again.metric("naap_spool_records{node=\"gateway\"}")? == 0).then_some(())
    });
    again.stop();
}

#[test]
fn a_kafka_producer_is_heard_and_what_is_wrong_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start("dev", folder.path(), &["--no-simulate"]);
    let mut producer = Producer::connect(running.at("kafka")).unwrap();
    producer.produce("naap", &said_just_now(12)).unwrap();
    producer
        .produce("naap", &[b"nonsense".to_vec(), br#"{"type":"unheard_of","id":"1"}"#.to_vec()])
        .unwrap();
    assert!(producer.produce("another-topic", &[b"{}".to_vec()]).is_err());
    until("a job in the API", || (!jobs(&running, "livepeer").is_empty()).then_some(()));
    for code in ["E-ENVELOPE-MALFORMED", "E-FAMILY-UNKNOWN"] {
        let metric = format!("naap_refused_envelopes_total{{node=\"gateway\",code=\"{code}\"}}");
        assert_eq!(until(code, || running.metric(&metric)), 1);
    }
    running.stop();
}

#[test]
fn a_simulated_network_plays_along_and_stays_apart() {
    let folder = tempfile::tempdir().unwrap();
    let more = ["--simulate", "--seed", "5", "--past-hours", "2"];
    let running = Running::start("dev", folder.path(), &more);
    // Of the three hours that two hours of the past touch, one is whole and has hundreds of jobs.
    until("a whole hour of the past to settle", || {
        let (_, windows) = running.get("/v1/windows?network=simulation");
        let is_whole = |window: &Value| {
            window["state"] == "settled" && window["jobs"].as_u64().is_some_and(|jobs| jobs > 100)
        };
        windows["items"].as_array()?.iter().any(is_whole).then_some(())
    });
    let (_, scores) = running.get("/v1/scores?network=simulation");
    assert!(!scores["items"].as_array().unwrap().is_empty(), "{scores}");
    until("a simulated gateway to be heard over Kafka", || {
        running.metric("naap_heard_records_total{node=\"simulation-5-0\",door=\"kafka\"}")
    });
    until("a simulated node to publish for itself", || {
        let (_, publishers) = running.get("/v1/publishers?network=simulation&limit=500");
        let roles: BTreeSet<String> = publishers["items"]
            .as_array()?
            .iter()
            .filter_map(|one| Some(one["role"].as_str()?.to_owned()))
            .collect();
        ["controller", "gateway", "orchestrator", "tester", "worker"]
            .iter()
            .all(|role| roles.contains(*role))
            .then_some(())
    });
    assert!(jobs(&running, "livepeer").is_empty(), "nothing simulated is real");
    running.stop();
    // The past is made once; the present goes on.
    let again = Running::start("dev", folder.path(), &more);
    assert!(!jobs(&again, "simulation").is_empty());
    again.stop();
}
