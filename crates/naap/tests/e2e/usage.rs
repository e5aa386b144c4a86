//! What goes wrong at the command line says so, with what to do, and by its exit code.

use super::process::{done, naap, run, text};

const VERBS: [&str; 11] = [
    "dev",
    "publish",
    "ingest",
    "serve",
    "import",
    "export",
    "publish-dataset",
    "verify",
    "explain",
    "score",
    "config",
];

#[test]
fn every_verb_explains_itself() {
    for verb in VERBS {
        let help = done(&[verb, "--help"]);
        assert!(help.contains("Example: naap "), "{verb}: {help}");
    }
}

/// Every verb as `--help` explains it.
fn commands() -> String {
    let mut page =
        "# Commands\n\nWhat `naap --help` says, verb by verb; generated, do not edit.\n".to_owned();
    for arguments in [vec!["--help"]].into_iter().chain(VERBS.map(|verb| vec![verb, "--help"])) {
        let help = done(&arguments);
        let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
        let name = if arguments.len() == 1 { "naap" } else { arguments[0] };
        page.push_str(&format!("\n## {name}\n\n```text\n{}\n```\n", lines.join("\n").trim_end()));
    }
    page
}

#[test]
fn the_page_of_commands_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/commands.md");
    let page = commands();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let differs = page.lines().zip(committed.lines()).find(|(now, then)| now != then);
    assert!(
        committed == page,
        "docs/commands.md is not what --help says (`UPDATE=1 cargo test -p naap commands`), first here: {differs:?}"
    );
}

#[test]
fn settings_are_told_with_where_they_come_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("naap.toml");
    std::fs::write(&file, "[kafka]\ntopic = \"streaming-events\"\n").unwrap();
    let mut command = naap(&["config", "--config", text(&file), "--log", "debug"]);
    let output = command.env("NAAP_API__READS_MAX", "3").output().unwrap();
    let shown = String::from_utf8(output.stdout).unwrap();
    for line in [
        "topic = \"streaming-events\"  # ",
        "reads_max = 3  # NAAP_API__READS_MAX",
        "level = \"debug\"  # --log",
    ] {
        assert!(shown.contains(line), "{shown}");
    }
    // What is printed can be used as a file.
    std::fs::write(&file, &shown).unwrap();
    done(&["config", "--check", text(&file)]);
    let defaults = done(&["config", "--defaults"]);
    std::fs::write(&file, &defaults).unwrap();
    done(&["config", "--check", text(&file)]);
}

#[test]
fn a_bad_setting_is_refused_with_exit_code_2() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("other.toml");
    std::fs::write(&file, "[kafka]\ntopics = \"a\"\n").unwrap();
    for arguments in [vec!["config", "--check", text(&file)], vec!["dev", "--config", text(&file)]]
    {
        let output = run(&arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(error.contains("kafka.topics") && error.contains("other.toml"), "{error}");
    }
    assert_eq!(run(&["no-such-verb"]).status.code(), Some(2));
}

#[test]
fn what_no_role_could_be_started_with_is_found_beforehand() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("naap.toml");
    for (settings, word) in [
        ("[kafka]\nlisten = \"0.0.0.0:9092\"", "TLS and a login"),
        ("[kafka]\nuser = \"a\"\npassword_file = \"/no/such/file\"", "/no/such/file"),
        ("[intake]\nlisten = \"0.0.0.0:9093\"", "a bearer token"),
        ("[spool]\nquota_bytes = 5", "quota_bytes = 5"),
        ("[channel]\nto = [\"http://127.0.0.1:1\"]", "channel.loopback"),
        ("[channel]\npeers = [\"http://10.0.0.1\"]", "channel.private"),
        ("[instance]\npolicy = \"/no/such/policy.toml\"", "/no/such/policy.toml"),
    ] {
        std::fs::write(&file, settings).unwrap();
        let checked = run(&["config", "--check", text(&file)]);
        let error = String::from_utf8(checked.stderr).unwrap();
        assert_eq!(checked.status.code(), Some(2), "{settings}: {error}");
        assert!(error.contains(word), "{settings}: {error}");
        if !settings.contains("to =") {
            let data = folder.path().join("data");
            let dev = run(&["dev", "--data", text(&data), "--config", text(&file)]);
            let error = String::from_utf8(dev.stderr).unwrap();
            assert!(!dev.status.success() && error.contains(word), "{settings}: {error}");
            assert!(!data.exists(), "{settings}");
        }
    }
}

#[test]
fn what_cannot_be_had_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let absent = run(&["serve", "--data", text(&data)]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(String::from_utf8(absent.stderr).unwrap().contains("--data"));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let free = ["--listen", "127.0.0.1:0", "--kafka", "127.0.0.1:0", "--intake", "127.0.0.1:0"];
    for flag in ["--listen", "--kafka", "--intake"] {
        let mut arguments = vec!["dev", "--data", text(&data)];
        for pair in free.chunks(2) {
            arguments.extend([pair[0], if pair[0] == flag { &address } else { pair[1] }]);
        }
        let output = run(&arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(&address) && error.contains(flag), "{error}");
        assert!(!data.exists(), "a start that was refused leaves nothing");
    }
    // Nor does it begin anything in a folder that is there.
    std::fs::create_dir(&data).unwrap();
    let mut taken = free;
    taken[3] = &address;
    assert_eq!(run(&[&["dev", "--data", text(&data)], &taken[..]].concat()).status.code(), Some(1));
    assert!(!data.join("nodes").exists());
    std::fs::remove_dir_all(&data).unwrap();
    let absent = run(&["import", "--data", text(&data), text(&folder.path().join("absent.json"))]);
    assert!(String::from_utf8(absent.stderr).unwrap().contains("absent.json"));
    let peer = run(&["publish", "--data", text(&data), "--to", "http://127.0.0.1:9"]);
    let error = String::from_utf8(peer.stderr).unwrap();
    assert!(error.contains("channel.loopback") && error.contains("channel.private"), "{error}");
    assert!(!data.exists());
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let output = run(&["dev", "--data", text(&file)]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("--data"));
}

#[test]
fn a_dump_without_a_time_is_not_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let (data, dump) = (folder.path().join("data"), folder.path().join("dump.json"));
    std::fs::write(&dump, r#"{"capabilities_names":{},"orchestrators":[]}"#).unwrap();
    let refused = run(&["import", "--data", text(&data), text(&dump)]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(error.contains("--at"), "{error}");
    assert!(!data.exists(), "a refused import leaves nothing");
    done(&["import", "--data", text(&data), "--at", "2026-01-08T21:50:00Z", text(&dump)]);
}

#[test]
fn an_import_that_brings_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let import = |content: &[u8]| {
        let file = folder.path().join("said.ndjson");
        std::fs::write(&file, content).unwrap();
        let output = run(&["import", "--data", text(&data), text(&file)]);
        let said = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(said).unwrap())
    };
    let (code, said) = import(b"{\"a\":1}\n{\"b\":2}\n");
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("no event came of these files"), "{said}");
    let lines = super::world::envelopes(3, super::world::THEN, 5).join(&b'\n');
    assert_eq!(import(&lines).0, Some(0));
    let (code, said) = import(&lines);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("nothing new: all of it was recorded before"), "{said}");
    let (code, said) = import(b"");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("said.ndjson is empty") && !said.contains("recorded before"), "{said}");
    let twice = super::world::envelopes(4, super::world::THEN, 5).join(&b'\n');
    let (code, said) = import(&[&twice[..], b"\n", &twice[..]].concat());
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("said more than once in these files"), "{said}");
    assert!(!said.contains("recorded before"), "{said}");
    let (code, said) = import(&[0x1f, 0x8b, 8, 0, 0]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nothing was kept"), "{said}");
}

#[test]
fn a_spoiled_record_is_refused_and_not_mended() {
    let folder = tempfile::tempdir().unwrap();
    let (data, lines) = (folder.path().join("data"), folder.path().join("said.ndjson"));
    std::fs::write(&lines, super::world::envelopes(3, super::world::THEN, 5).join(&b'\n')).unwrap();
    done(&["import", "--data", text(&data), text(&lines)]);
    let segment =
        std::fs::read_dir(data.join("ledger")).unwrap().map(|entry| entry.unwrap().path());
    let segment = segment.max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&segment, &bytes).unwrap();
    let refused = run(&["import", "--data", text(&data), text(&lines)]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1), "{error}");
    assert!(error.contains("nothing was changed") && error.contains("backfill"), "{error}");
    assert_eq!(std::fs::read(&segment).unwrap(), bytes);
}
