//! Import, export, verify: captures become hours, hours become files, and no byte of the files can change unseen.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use super::process::{DEADLINE, Running, done, http, naap, run, text};
use super::world::{THEN, as_export, envelopes, now};

/// A folder with the data of two hours that were imported, and what the import said.
struct Imported {
    folder: tempfile::TempDir,
    hours: Vec<String>,
    said: String,
}

impl Imported {
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn export(&self, name: &str) -> PathBuf {
        let out = self.folder.path().join(name);
        done(&[
            "export",
            "--data",
            text(&self.data()),
            "--window",
            &self.hours[0],
            "--out",
            text(&out),
        ]);
        out
    }
}

fn import() -> Imported {
    let folder = tempfile::tempdir().unwrap();
    let said = envelopes(7, THEN, 70);
    let (early, late) = said.split_at(said.len() / 2);
    let (list, lines) = (folder.path().join("early.json"), folder.path().join("late.ndjson"));
    std::fs::write(&list, as_export(early)).unwrap();
    std::fs::write(&lines, late.join(&b'\n')).unwrap();
    let data = folder.path().join("data");
    // The later file first: the order of files does not matter.
    let said = done(&["import", "--data", text(&data), text(&lines), text(&list)]);
    let settled = said.lines().filter(|line| line.contains(" settled as revision 0"));
    let hours = settled.map(|line| line.split(' ').nth(1).unwrap().to_owned()).collect();
    Imported { folder, hours, said }
}

#[test]
fn captures_become_hours_that_verify() {
    let imported = import();
    assert_eq!(imported.hours, ["2026-01-08T20Z", "2026-01-08T21Z"], "{}", imported.said);
    let out = imported.export("hour");
    let verdict = done(&["verify", text(&out)]);
    assert!(verdict.contains("agrees") && verdict.lines().count() == 1, "{verdict}");
    // The same files again change nothing.
    let lines = imported.folder.path().join("late.ndjson");
    let again = done(&["import", "--data", text(&imported.data()), text(&lines)]);
    assert!(
        again.contains(", 0 events signed") && !again.contains("settled as revision"),
        "{again}"
    );
    let manifest = |out: &Path| std::fs::read(out.join("manifest.json")).unwrap();
    assert_eq!(manifest(&imported.export("again")), manifest(&out));
    let full = run(&[
        "export",
        "--data",
        text(&imported.data()),
        "--window",
        "2026-01-08T20Z",
        "--out",
        text(&out),
    ]);
    assert_eq!(full.status.code(), Some(1), "a folder that is not empty is not written over");
}

#[test]
fn no_byte_of_an_export_changes_unseen() {
    let imported = import();
    let out = imported.export("hour");
    for entry in std::fs::read_dir(&out).unwrap() {
        let path = entry.unwrap().path();
        let whole = std::fs::read(&path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        for at in [0, whole.len() / 3, whole.len() / 2, whole.len() - 2] {
            let mut bent = whole.clone();
            bent[at] ^= 1;
            std::fs::write(&path, &bent).unwrap();
            let output = run(&["verify", text(&out)]);
            let code = output.status.code().unwrap();
            assert!(code == 1 || code == 2, "{name} byte {at}: {code}");
            // Only a manifest can be bent so that nothing can be checked; any other file then differs from it.
            assert!(code == 1 || name == "manifest.json", "{name} byte {at}: {code}");
        }
        std::fs::write(&path, &whole[..whole.len() - 1]).unwrap();
        assert_ne!(run(&["verify", text(&out)]).status.code(), Some(0), "{name} cut short");
        std::fs::write(&path, &whole).unwrap();
    }
    assert_eq!(run(&["verify", text(&out)]).status.code(), Some(0), "as it was");
    std::fs::remove_file(out.join("trust.json")).unwrap();
    assert_eq!(run(&["verify", text(&out)]).status.code(), Some(2), "without a file");
}

/// What a manifest says of the files and of what they hold is held against them. A revision is its publisher's count.
#[test]
fn no_number_of_a_manifest_is_believed() {
    let imported = import();
    let out = imported.export("hour");
    let path = out.join("manifest.json");
    let whole: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let zeros = "0".repeat(64);
    let bends = [
        ("/batches", json!(3)),
        ("/digest", json!(zeros)),
        ("/event_set/count", json!(1)),
        ("/event_set/root", json!(zeros)),
        ("/event_set/rule", json!("set-0")),
        ("/files/0/bytes", json!(1)),
        ("/files/4/sha256", json!(zeros)),
    ];
    for (place, value) in bends {
        let mut bent = whole.clone();
        *bent.pointer_mut(place).unwrap() = value;
        std::fs::write(&path, serde_json::to_vec(&bent).unwrap()).unwrap();
        assert_eq!(run(&["verify", text(&out)]).status.code(), Some(1), "{place}");
    }
    let later = ["export", "--revision", "4", "--window", &imported.hours[0], "--data"];
    let unknown = run(&[&later[..], &[text(&imported.data()), "--out", text(&out)]].concat());
    let error = String::from_utf8(unknown.stderr).unwrap();
    assert!(error.contains("has no revision 4; the latest is 0"), "{error}");
}

#[test]
fn a_folder_in_use_is_read_beside_and_not_written() {
    let imported = import();
    let data = imported.data();
    let running = Running::start("dev", &data, &["--no-simulate"]);
    let lines = imported.folder.path().join("late.ndjson");
    for verb in
        [vec!["import", "--data", text(&data), text(&lines)], vec!["dev", "--data", text(&data)]]
    {
        let refused = run(&verb);
        let error = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(1), "{error}");
        assert!(error.contains("in use") && error.contains("--data"), "{error}");
    }
    let out = imported.export("beside");
    assert_eq!(run(&["verify", text(&out)]).status.code(), Some(0));
    beside(&running, &data, &imported.hours[0]);
    running.stop();
}

/// The API of the running process and of one that only reads give the same export, and it verifies by its address.
fn beside(running: &Running, data: &Path, hour: &str) {
    let url = format!("http://{}/v1/exports/{hour}", running.at("api"));
    assert_eq!(run(&["verify", "--loopback", &url]).status.code(), Some(0));
    assert_eq!(run(&["verify", &url]).status.code(), Some(2), "loopback has to be allowed");
    let absent = url.replace("T20Z", "T03Z");
    assert_eq!(
        run(&["verify", "--loopback", &absent]).status.code(),
        Some(2),
        "an hour that is not settled"
    );

    let mut serve =
        naap(&["serve", "--data", text(data), "--listen", "127.0.0.1:0", "--log", "warn"]);
    let mut serve = serve.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut greeting = String::new();
    let out = serve.stdout.take().unwrap();
    BufReader::new(out).read_line(&mut greeting).unwrap();
    let base = greeting.split_whitespace().find(|word| word.starts_with("http://")).unwrap();
    let base = base.trim_end_matches(',');
    let verified = run(&["verify", "--loopback", &format!("{base}/v1/exports/{hour}")]);
    let heard = hears_of_batches(base.trim_start_matches("http://").parse().unwrap(), running);
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", String::from_utf8_lossy(&verified.stderr));
    assert!(heard.contains("event: batch"), "{heard}");
}

/// What one who only reads tells its listeners, up to the first batch that another process takes.
fn hears_of_batches(address: SocketAddr, running: &Running) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let request = format!("GET /v1/events HTTP/1.1\r\nhost: {address}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let mut heard = String::new();
    let mut until = |word: &str| {
        for line in lines.by_ref() {
            heard.push_str(&line);
            heard.push('\n');
            if line.contains(word) {
                return;
            }
        }
    };
    until("listening");
    let said = envelopes(31, now(), 1).join(&b'\n');
    assert_eq!(http(running.at("intake"), "POST", "/v1/intake/events", &said).0, 202);
    until("event: batch");
    heard
}
