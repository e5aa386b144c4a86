//! A publisher and an instance apart from each other: pushed over HTTP, and repaired from where it is kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use events::batch::Position;
use events::wire::Frame;
use ledger::Ledger;

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
fn an_instance_that_trusts_nobody_is_not_well() {
    let folder = tempfile::tempdir().unwrap();
    let ingest = Running::start("ingest", &folder.path().join("data"), &[]);
    let (status, health) = ingest.get("/healthz");
    let health = health.to_string();
    assert!(status == 503 && health.contains("trust/livepeer.toml"), "{health}");
    ingest.stop();
}

#[test]
fn a_node_whose_operator_has_not_signed_is_not_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("naap.toml");
    let operator = "0x00000000000000000000000000000000000000aa";
    std::fs::write(&file, format!("[node]\noperator = \"{operator}\"\n")).unwrap();
    let config = ["--no-simulate", "--config", text(&file)];
    let dev = Running::start("dev", &folder.path().join("data"), &config);
    let (status, health) = dev.get("/healthz");
    let health = health.to_string();
    assert!(
        status == 503 && health.contains(operator) && health.contains("to-sign.json"),
        "{health}"
    );
    dev.stop();
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

/// Posts what a simulated gateway says, and waits until somebody else holds it.
fn say(publish: &Running, seed: u64) {
    let said = envelopes(seed, now().minus(events::unit::Millis(120_000)), 2);
    let (status, _) = http(publish.at("intake"), "POST", "/v1/intake/events", &said.join(&b'\n'));
    assert_eq!(status, 202);
    until("every batch to be held", || {
        let waits = publish.metric("naap_spool_records{node=\"gateway\"}")?;
        (waits == 0 && publish.metric("naap_outbox_unheld_batches{node=\"gateway\"}")? == 0)
            .then_some(())
    });
}

fn configured(folder: &Path) -> String {
    let file = folder.join("naap.toml");
    let text = "[channel]\nloopback = true\n[instance]\nstop_ms = 2000\n";
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_dead_peer_keeps_nothing_from_the_other_and_shows() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path());
    let config = ["--config", config.as_str()];
    let [beside, center] = ["beside", "center"].map(|name| folder.path().join(name));
    // Trusted before it says anything, so that a job shows only once the delegation is there too.
    Running::start("publish", &beside, &[&config[..], &["--to", "http://127.0.0.1:9"]].concat())
        .stop();
    share_trust(&beside, &center);
    let ingest = Running::start("ingest", &center, &config);
    let url = format!("http://{}", ingest.at("api"));
    let both = ["--to", "http://127.0.0.1:9", "--to", &url];
    let publish = Running::start("publish", &beside, &[&config[..], &both].concat());
    say(&publish, 31);
    until("a job at the center", || (jobs(&ingest) > 0).then_some(()));

    let (status, health) = publish.get("/healthz");
    assert_eq!((status, health["status"].as_str()), (200, Some("ok")), "{health}");
    let checks = health["checks"].as_array().unwrap();
    let named: BTreeSet<_> = checks.iter().filter_map(|check| check["name"].as_str()).collect();
    assert_eq!(named, BTreeSet::from(["outbox", "sending", "spool"]));
    let sending = checks.iter().find(|check| check["name"] == "sending").unwrap();
    let detail = sending["detail"].as_str().unwrap();
    assert!(detail.contains("http://127.0.0.1:9 takes nothing"), "{detail}");
    publish.stop();
    ingest.stop();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// How many different batches stand at each place of the record.
fn places(data: &Path) -> BTreeMap<Position, BTreeSet<String>> {
    let (ledger, _) = Ledger::open_read_only(&data.join("ledger")).unwrap();
    let mut places = BTreeMap::<_, BTreeSet<String>>::new();
    for record in ledger.read(0) {
        let (_, entry) = record.unwrap();
        let header = Frame::parse(&entry.frame).unwrap().header;
        places.entry(header.position()).or_default().insert(header.hash().to_string());
    }
    places
}

#[test]
fn a_folder_copied_back_seals_no_place_twice() {
    let folder = tempfile::tempdir().unwrap();
    let config = configured(folder.path());
    let config = ["--config", config.as_str()];
    let [beside, center, old] = ["beside", "center", "old"].map(|name| folder.path().join(name));
    Running::start("publish", &beside, &[&config[..], &["--to", "http://127.0.0.1:9"]].concat())
        .stop();
    share_trust(&beside, &center);
    let ingest = Running::start("ingest", &center, &config);
    let url = format!("http://{}", ingest.at("api"));
    let more = [&config[..], &["--to", &url]].concat();
    for (seed, kept) in [(41, true), (42, false)] {
        let publish = Running::start("publish", &beside, &more);
        say(&publish, seed);
        publish.stop();
        if kept {
            copy(&beside, &old);
        }
    }
    std::fs::remove_dir_all(&beside).unwrap();
    copy(&old, &beside);
    let publish = Running::start("publish", &beside, &more);
    say(&publish, 43);
    publish.stop();
    ingest.stop();
    let places = places(&center);
    let twice = places.values().filter(|hashes| hashes.len() > 1).count();
    assert_eq!(twice, 0, "{places:?}");
}
