//! No room on the disk while the process runs: what is refused says so, nothing acknowledged is lost, and what can wait
//! goes on by itself when there is room again.
//!
//! A limit of the system on the size of files stands for the full disk: it is set to what the part under test has
//! already written, so that this part alone can write no more, and lifted again.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use events::unit::Millis;

use super::peers::share_trust;
use super::process::{Running, http, naap, text, until};
use super::record::lost;
use super::world::{envelopes, now};

/// A process whose files can be kept from growing.
struct Limited {
    acknowledged: Vec<Vec<u8>>,
    running: Running,
    seed: u64,
    stderr: PathBuf,
}

/// Whether this system lets limits of running processes be set; says so where not.
fn can_limit() -> bool {
    let can = Command::new("prlimit").arg("--version").output().is_ok();
    if !can {
        assert!(std::env::var_os("CI").is_none(), "a full disk is not tested: no prlimit");
        let loud = "!!! SKIPPED, NOT TESTED: a full disk: not installed: prlimit\n";
        std::io::Write::write_all(&mut std::io::stderr(), loud.as_bytes()).unwrap();
    }
    can
}

impl Limited {
    fn start(verb: &str, data: &Path, more: &[&str], seed: u64) -> Self {
        let mut limited = Self::begin(verb, data, more, seed, "unlimited");
        limited.running = limited.running.answering();
        limited
    }

    /// Starts it where no file grows beyond so many blocks of 512 bytes; it may not answer yet.
    fn begin(verb: &str, data: &Path, more: &[&str], seed: u64, blocks: &str) -> Self {
        let stderr = data.with_extension("stderr");
        let by = |arguments: &[&str]| {
            // A process that ignores the signal is told of the limit by the write.
            let mut command = Command::new("sh");
            let binary = naap(&[]).get_program().to_owned();
            let script = format!("trap '' XFSZ; ulimit -S -f {blocks}; exec \"$0\" \"$@\"");
            command.args(["-c", &script]).arg(binary).args(arguments);
            command.env_clear().stderr(File::create(&stderr).unwrap());
            command
        };
        let running = Running::begin_by(by, verb, data, more);
        Self { acknowledged: Vec::new(), running, seed, stderr: stderr.clone() }
    }

    /// Lets no file grow beyond what this one has, or all as they like.
    fn limit(&self, file: Option<&Path>) {
        self.limit_to(&file.map_or("unlimited".to_owned(), |file| bytes(file).to_string()));
    }

    fn limit_to(&self, limit: &str) {
        let id = self.running.id().to_string();
        let mut command = Command::new("prlimit");
        command.args(["--pid", &id, &format!("--fsize={limit}:unlimited")]);
        assert!(command.status().unwrap().success());
    }

    /// Says something to the door for envelopes; tells what it answered.
    fn say(&mut self, minutes: u64) -> u16 {
        self.seed += 1;
        let said = envelopes(self.seed, now().minus(Millis(minutes * 60_000)), minutes);
        let (status, _) =
            http(self.running.at("intake"), "POST", "/v1/intake/events", &said.join(&b'\n'));
        if status == 202 {
            self.acknowledged.extend(said);
        }
        status
    }

    fn waits(&self) -> Option<(u64, u64)> {
        let records = self.running.metric("naap_spool_records{node=\"gateway\"}")?;
        Some((records, self.running.metric("naap_outbox_unheld_batches{node=\"gateway\"}")?))
    }

    fn until_published(&self) {
        until("every record to be published", || (self.waits()? == (0, 0)).then_some(()));
    }

    /// What health says is wrong, once it says so.
    fn fault(&self, word: &str) -> String {
        until(word, || {
            let (status, health) = self.running.get("/healthz");
            let health = health.to_string();
            (status == 503 && health.contains(word)).then_some(health)
        })
    }

    fn told(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }
}

/// The largest file in a folder whose name ends so, if there is one.
fn largest(folder: &Path, end: &str) -> Option<PathBuf> {
    let files = std::fs::read_dir(folder).unwrap().map(|item| item.unwrap().path());
    files.filter(|path| text(path).ends_with(end)).max_by_key(|path| bytes(path))
}

fn bytes(path: &Path) -> u64 {
    path.metadata().unwrap().len()
}

/// Small segments for all but one part, so that its file is the largest of them.
fn settings(folder: &Path, more: &str) -> PathBuf {
    let file = folder.join("naap.toml");
    let common = "[channel]\nloopback = true\n[instance]\nstop_ms = 2000\n";
    std::fs::write(&file, format!("{common}{more}")).unwrap();
    file
}

#[test]
fn a_record_without_room_makes_publishers_wait_and_loses_nothing() {
    if !can_limit() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let small = "segment_bytes = 65536\nquota_bytes = 1000000000\n";
    let file = settings(folder.path(), &format!("[spool]\n{small}[outbox]\n{small}"));
    // The record of the last run is larger than what this one writes elsewhere.
    let capture = folder.path().join("past.json");
    std::fs::write(&capture, super::world::as_export(&envelopes(5, super::world::THEN, 240)))
        .unwrap();
    super::process::done(&["import", "--data", text(&data), text(&capture)]);
    let mut limited =
        Limited::start("dev", &data, &["--config", text(&file), "--no-simulate"], 1_000);
    assert_eq!(limited.say(1), 202);
    limited.until_published();
    limited.limit(largest(&data.join("ledger"), ".seg").as_deref());
    assert_eq!(limited.say(1), 202, "what is heard is kept");
    until("the publishers to be told to wait", || {
        limited.told().contains("so nothing was appended").then_some(())
    });
    assert!(limited.waits().unwrap().1 > 0, "what is not in the record is not held");
    let (status, health) = limited.running.get("/healthz");
    assert!(status == 503 && health.to_string().contains("so nothing was appended"), "{health}");
    limited.limit(None);
    limited.until_published();
    assert_eq!(limited.running.get("/healthz").0, 200);
    let told = limited.told();
    limited.running.stop();
    assert_eq!(lost(&data, &limited.acknowledged), [""; 0], "{told}");
}

#[test]
fn a_warehouse_without_room_waits_and_goes_on_by_itself() {
    if !can_limit() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut limited = Limited::start("dev", &data, &["--no-simulate"], 2_000);
    assert_eq!(limited.say(2), 202);
    limited.until_published();
    let log = data.join("warehouse.sqlite-wal");
    until("the warehouse to be the largest", || {
        let record = largest(&data.join("ledger"), ".seg")?;
        let spool = largest(&data.join("nodes/gateway/spool"), ".spool")?;
        (bytes(&log) > 2 * bytes(&record).max(bytes(&spool))).then_some(())
    });
    limited.limit(Some(&log));
    assert_eq!(limited.say(1), 202, "what is heard is kept");
    limited.until_published();
    let fault = until("the fault to be told", || {
        let (status, health) = limited.running.get("/healthz");
        (status == 503).then(|| health.to_string())
    });
    assert!(fault.contains("waits to go on") && fault.contains("full"), "{fault}");
    assert!(limited.told().contains("the disk of the warehouse is full"), "{}", limited.told());
    limited.limit(None);
    until("all to be well", || (limited.running.get("/healthz").0 == 200).then_some(()));
    until("all to be noted", || {
        let kept = limited.running.metric("naap_ledger_batches")?;
        (limited.running.metric("naap_noted_batches_total{network=\"livepeer\"}")? == kept)
            .then_some(())
    });
    limited.running.stop();
    assert_eq!(lost(&data, &limited.acknowledged), [""; 0]);
}

#[test]
fn a_spool_without_room_refuses_until_there_is_some() {
    if !can_limit() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = settings(folder.path(), "[outbox]\nsegment_bytes = 16384\n");
    let nobody = ["--config", text(&file), "--to", "http://127.0.0.1:9"];
    let mut limited = Limited::start("publish", &data, &nobody, 3_000);
    assert_eq!(limited.say(1), 202);
    limited.limit(largest(&data.join("nodes/gateway/spool"), ".spool").as_deref());
    assert_eq!(limited.say(1), 503);
    assert_eq!(
        limited.running.metric("naap_turned_away_total{node=\"gateway\",code=\"E-SPOOL-FULL\"}"),
        Some(1)
    );
    let (_, health) = limited.running.get("/healthz");
    assert!(health.to_string().contains("turned away"), "{health}");
    limited.limit(None);
    assert_eq!(limited.say(1), 202);
    limited.running.stop();
    publish_to_somebody(folder.path(), &data, &file, &limited.acknowledged);
}

#[test]
fn an_outbox_without_room_waits_and_goes_on_by_itself() {
    if !can_limit() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = settings(folder.path(), "[spool]\nsegment_bytes = 4096\n");
    let nobody = ["--config", text(&file), "--to", "http://127.0.0.1:9"];
    let mut limited = Limited::start("publish", &data, &nobody, 4_000);
    until("the outbox to be larger than the spool", || {
        limited.say(1);
        let outbox = largest(&data.join("nodes/gateway/outbox"), ".outbox")?;
        let spool = largest(&data.join("nodes/gateway/spool"), ".spool")?;
        (bytes(&outbox) > bytes(&spool) + 20_000).then_some(())
    });
    until("all to be sealed", || (limited.waits()?.0 == 0).then_some(()));
    limited.limit(largest(&data.join("nodes/gateway/outbox"), ".outbox").as_deref());
    assert_eq!(limited.say(1), 202, "it is in the spool");
    let fault = limited.fault("waits for room on the disk");
    assert!(fault.contains("could not write"), "{fault}");
    assert!(limited.waits().unwrap().0 > 0, "what is not sealed is not done with");
    limited.limit(None);
    until("all to be sealed", || (limited.waits()?.0 == 0).then_some(()));
    let (_, health) = limited.running.get("/healthz");
    assert!(!health.to_string().contains("waits for room"), "{health}");
    limited.running.stop();
    publish_to_somebody(folder.path(), &data, &file, &limited.acknowledged);
}

#[test]
fn a_disk_without_room_for_anything_ends_nothing() {
    if !can_limit() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut limited = Limited::start("dev", &data, &["--no-simulate"], 6_000);
    assert_eq!(limited.say(1), 202);
    // What was heard may still have to be sealed, kept, or noted as sealed.
    limited.limit_to("0");
    until("what comes to be turned away", || (limited.say(1) == 503).then_some(()));
    limited.fault("were turned away");
    limited.limit(None);
    until("the door to take envelopes", || (limited.say(1) == 202).then_some(()));
    limited.until_published();
    assert_eq!(limited.running.metric("naap_outbox_aside_batches{node=\"gateway\"}"), Some(0));
    limited.running.stop();
    assert_eq!(lost(&data, &limited.acknowledged), [""; 0]);
}

#[test]
fn a_start_without_room_waits_and_spends_no_epoch() {
    if !can_limit() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = settings(folder.path(), "");
    let nobody = ["--config", text(&file), "--to", "http://127.0.0.1:9"];
    Running::start("publish", &data, &nobody).stop();
    // The keys are there, so that outboxes are what has to be made.
    for node in ["controller", "gateway"] {
        std::fs::remove_dir_all(data.join("nodes").join(node).join("outbox")).unwrap();
    }
    let mut limited = Limited::begin("publish", &data, &nobody, 7_000, "1");
    until("the wait to be told", || limited.told().contains("waiting for room").then_some(()));
    limited.limit(None);
    limited.running = limited.running.answering();
    assert_eq!(limited.say(1), 202);
    assert!(!limited.told().contains("began a new epoch"), "{}", limited.told());
    limited.running.stop();
    publish_to_somebody(folder.path(), &data, &file, &limited.acknowledged);
}

/// Starts the publisher again without a limit, with somebody to send to, and looks for what was acknowledged there.
fn publish_to_somebody(folder: &Path, data: &Path, file: &Path, acknowledged: &[Vec<u8>]) {
    let center = folder.join("center");
    share_trust(data, &center);
    let config = ["--config", text(file)];
    let ingest = Running::start("ingest", &center, &config);
    let url = format!("http://{}", ingest.at("api"));
    let publish = Running::start("publish", data, &[&config[..], &["--to", &url]].concat());
    until("every batch to be held", || {
        let waits = publish.metric("naap_spool_records{node=\"gateway\"}")?;
        (waits == 0 && publish.metric("naap_outbox_unheld_batches{node=\"gateway\"}")? == 0)
            .then_some(())
    });
    publish.stop();
    ingest.stop();
    // The record is there, the node that acknowledged here.
    super::record::copy(&data.join("nodes/gateway"), &center.join("nodes/gateway"));
    assert_eq!(lost(&center, acknowledged), [""; 0]);
}

#[test]
fn a_spool_that_cannot_be_written_ends_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let file = settings(folder.path(), "[spool]\nsegment_bytes = 4096\n");
    let nobody = ["--config", text(&file), "--to", "http://127.0.0.1:9"];
    let mut limited = Limited::start("publish", &data, &nobody, 5_000);
    assert_eq!(limited.say(1), 202);
    // Wherever the next segment would begin, something else stands.
    let spool = data.join("nodes/gateway/spool");
    let known = limited.acknowledged.len();
    let obstacles: Vec<PathBuf> = (1..known + 1_000)
        .map(|at| spool.join(format!("{at:020}.spool")))
        .filter(|path| !path.exists())
        .collect();
    obstacles.iter().for_each(|path| std::fs::create_dir(path).unwrap());
    while limited.say(1) == 202 {}
    let Limited { acknowledged, running, stderr, .. } = limited;
    assert_eq!(running.end().code(), Some(1));
    let told = std::fs::read_to_string(stderr).unwrap();
    assert!(told.contains("naap: the spool stopped: a write failed"), "{told}");
    obstacles.iter().for_each(|path| std::fs::remove_dir(path).unwrap());
    publish_to_somebody(folder.path(), &data, &file, &acknowledged);
}
