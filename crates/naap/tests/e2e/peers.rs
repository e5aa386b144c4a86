//! A publisher and an instance apart from each other: pushed over HTTP, and repaired from where it is kept.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use super::process::{Running, http, text, until};
use super::world::{envelopes, now};

/// What `naap publish` made of itself is trusted by whoever gets its trust file.
pub fn share_trust(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("trust")).unwrap();
    std::fs::copy(from.join("trust/livepeer.toml"), to.join("trust/livepeer.toml")).unwrap();
}

fn jobs(running: &Running) -> usize {
    let (_, page) = running.get("/v1/jobs?limit=500");
    page["items"].as_array().map_or(0, Vec::len)
}

#[test]
fn batches_are_pushed_to_a_peer_and_repaired_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let [beside, center, other] =
        ["beside", "center", "other"].map(|name| folder.path().join(name));
    let file = folder.path().join("naap.toml");
    std::fs::write(
        &file,
        "[channel]\nloopback = true\nrepair_ms = 100\n[instance]\nstop_ms = 2000\n",
    )
    .unwrap();
    let config = ["--config", text(&file)];

    // A first start makes keys and trust file; nobody hears it yet, so that all of it waits in the outbox.
    let nobody = ["--to", "http://127.0.0.1:9"];
    Running::start("publish", &beside, &[&config[..], &nobody].concat()).stop();
    share_trust(&beside, &center);
    share_trust(&beside, &other);
    let ingest = Running::start("ingest", &center, &config);
    let url = format!("http://{}", ingest.at("api"));
    let publish = Running::start("publish", &beside, &[&config[..], &["--to", &url]].concat());
    let said = envelopes(21, now().minus(events::unit::Millis(120_000)), 2);
    let (status, _) = http(publish.at("intake"), "POST", "/v1/intake/events", &said.join(&b'\n'));
    assert_eq!(status, 202);
    until("a job at the center", || (jobs(&ingest) > 0).then_some(()));
    until("every batch to be held", || {
        let waits = publish.metric("naap_spool_records{node=\"gateway\"}")?;
        (waits == 0 && publish.metric("naap_outbox_unheld_batches{node=\"gateway\"}")? == 0)
            .then_some(())
    });
    publish.stop();

    // Another instance never hears the publisher, only the center.
    let more = ["--peer", &url];
    let repaired = Running::start("ingest", &other, &[&config[..], &more].concat());
    let wanted = jobs(&ingest);
    until("the same jobs elsewhere", || (jobs(&repaired) == wanted).then_some(()));
    repaired.stop();
    ingest.stop();
}

#[test]
fn an_address_that_calls_too_often_is_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("naap.toml");
    let settings = "[accept]\nrequests_per_s = 1\nrequests_burst = 1\nproxies = [\"127.0.0.1\"]\n";
    std::fs::write(&file, settings).unwrap();
    let ingest = Running::start("ingest", &folder.path().join("data"), &["--config", text(&file)]);
    let ask = || {
        let mut stream = TcpStream::connect(ingest.at("api")).unwrap();
        let request = "GET /channel/v1/heads HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-forwarded-for: 192.0.2.1\r\n\r\n";
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    assert!(ask().starts_with("HTTP/1.1 200"));
    let refused =
        until("the burst to be spent", || Some(ask()).filter(|said| said.contains(" 429 ")));
    assert!(refused.contains("retry-after: "), "{refused}");
    assert!(ingest.metric("naap_paced_requests_total").is_some_and(|count| count > 0));
    ingest.stop();
}
