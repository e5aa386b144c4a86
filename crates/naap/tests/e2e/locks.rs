//! One process at a time writes in a data folder, whichever verb it runs, and others may read beside it.

use std::path::Path;
use std::process::{Command, Stdio};

use super::process::{Running, done, naap, run, text, until};
use super::world::{THEN, as_export, envelopes};

/// What every verb that writes answers while somebody else does.
fn check_refused(data: &Path, capture: &Path, holder: u32) {
    let any = ["--listen", "127.0.0.1:0"];
    let doors = ["--kafka", "127.0.0.1:0", "--intake", "127.0.0.1:0"];
    let verbs = [
        [&["dev", "--data", text(data)], &any[..], &doors[..]].concat(),
        [&["publish", "--data", text(data), "--to", "https://naap.example"], &any[..], &doors[..]]
            .concat(),
        [&["ingest", "--data", text(data)], &any[..]].concat(),
        vec!["import", "--data", text(data), text(capture)],
    ];
    for verb in verbs {
        let output = run(&verb);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{verb:?}: {error}");
        let expected = format!(
            "naap: data folder {} is in use (process {holder}): stop that process, or name another folder with --data\n",
            data.display()
        );
        assert_eq!(error, expected, "{verb:?}");
    }
}

/// What the verbs that read answer beside it.
fn check_read(folder: &Path, data: &Path, name: &str) {
    let out = folder.join(name);
    done(&["export", "--data", text(data), "--window", "2026-01-08T20Z", "--out", text(&out)]);
    done(&["verify", text(&out)]);
    let mut serve = naap(&["serve", "--data", text(data), "--listen", "127.0.0.1:0"]);
    let mut serve = serve.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut greeting = String::new();
    let told = serve.stdout.take().unwrap();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(told), &mut greeting).unwrap();
    serve.kill().unwrap();
    serve.wait().unwrap();
    assert!(greeting.contains("http://127.0.0.1:"), "{greeting}");
}

#[test]
fn one_process_at_a_time_writes_and_others_read_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (data, capture) = (folder.path().join("data"), folder.path().join("capture.json"));
    std::fs::write(&capture, as_export(&envelopes(6, THEN, 20))).unwrap();
    done(&["import", "--data", text(&data), text(&capture)]);
    let writers: [(&str, &[&str]); 3] = [
        ("dev", &["--no-simulate"]),
        ("ingest", &[]),
        ("publish", &["--to", "https://naap.example"]),
    ];
    for (verb, more) in writers {
        let running = Running::start(verb, &data, more);
        check_refused(&data, &capture, running.id());
        check_read(folder.path(), &data, verb);
        // A process that is killed leaves no lock behind.
        running.kill();
    }
    // An import waits for what is not written yet.
    let pipe = folder.path().join("pipe.ndjson");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut import = naap(&["import", "--data", text(&data), text(&pipe)]);
    let mut import = import.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    let holder = import.id();
    until("the import to hold the folder", || {
        let lock = std::fs::read_to_string(data.join("lock")).unwrap();
        (lock.trim() == holder.to_string()).then_some(())
    });
    check_refused(&data, &capture, holder);
    check_read(folder.path(), &data, "import");
    import.kill().unwrap();
    import.wait().unwrap();
    done(&["import", "--data", text(&data), text(&capture)]);
}
