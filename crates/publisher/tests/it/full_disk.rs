//! No room on the disk: spool and outbox say so, and nothing that was told is kept is lost.
//!
//! A limit of the system on the size of files stands for the full disk. The child under the limit is this test binary
//! again, asked for the ignored tests.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use publisher::outbox::{self, Options, Outbox};
use publisher::spool::{Config, Error, Spool};

use crate::outbox::{T, batches, check_links, ids, put, secret};
use crate::spool::{everything, raw};

const DIRECTORY: &str = "PUBLISHER_CHILD_DIRECTORY";

fn directory() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(PathBuf::from)
}

/// Runs an ignored test where no file grows over 64 blocks of 512 bytes; gives what it printed.
fn under_a_limit(child: &str, directory: &Path) -> String {
    let mut command = Command::new("sh");
    // Ignoring the signal turns it into an error of the write.
    command.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    command.arg(env::current_exe().unwrap());
    command.args(["--exact", child, "--ignored", "--nocapture"]).env(DIRECTORY, directory);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said
}

/// Says something to the test that started this process.
fn tell(what: &str) {
    std::io::stdout().lock().write_all(format!("{what}\n").as_bytes()).unwrap();
}

/// The number behind a word in what was printed.
fn told(said: &str, word: &str) -> usize {
    let words = said.lines().flat_map(str::split_whitespace);
    words.skip_while(|found| *found != word).nth(1).unwrap().parse().unwrap()
}

#[tokio::test]
#[ignore = "the process with little room of the test below; does nothing by itself"]
async fn spool_child() {
    let Some(directory) = directory() else { return };
    let spool = Spool::open(&Config::at(directory)).unwrap();
    let mut kept = 0;
    let refusal = loop {
        match spool.append(vec![raw(&"x".repeat(1_000))]).await {
            Ok(_) => kept += 1,
            Err(refusal) => break refusal,
        }
    };
    assert!(matches!(refusal, Error::Full { .. }) && refusal.is_retryable(), "{refusal}");
    assert!(refusal.to_string().contains("full"), "{refusal}");
    // Small ones still fit, and what did not fit is gone from the file.
    while spool.append(vec![raw("small")]).await.is_ok() {
        kept += 1;
    }
    assert_eq!(everything(&spool).await.len(), kept);
    assert!(spool.refused_records() >= 2);
    tell(&format!("kept {kept}"));
}

#[tokio::test]
async fn a_spool_without_room_refuses_and_keeps_what_it_acknowledged() {
    let home = tempfile::tempdir().unwrap();
    let kept = told(&under_a_limit("full_disk::spool_child", home.path()), "kept");
    assert!(kept > 10, "{kept}");
    let spool = Spool::open(&Config::at(home.path())).unwrap();
    assert_eq!(everything(&spool).await.len(), kept);
    spool.append(vec![raw("there is room again")]).await.unwrap();
    assert_eq!(everything(&spool).await.len(), kept + 1);
}

fn open(directory: &Path) -> Outbox {
    Outbox::open(Options::at(directory), secret(), events::event::Network::Livepeer).unwrap().0
}

#[test]
#[ignore = "the process with little room of the test below; does nothing by itself"]
fn outbox_child() {
    let Some(directory) = directory() else { return };
    let mut outbox = open(&directory);
    let failure = loop {
        let name = format!("event-{}", outbox.taken());
        let taken = outbox.push(&crate::outbox::event(&name), T);
        let synced = taken.and_then(|_| outbox.seal(T)).and_then(|()| outbox.sync());
        if let Err(failure) = synced {
            break failure;
        }
    };
    assert!(matches!(failure, outbox::Error::Io { .. }), "{failure}");
    assert!(failure.to_string().contains("could not write"), "{failure}");
    assert!(matches!(outbox.sync(), Err(outbox::Error::Stopped)), "it is in doubt");
    tell(&format!("durable {} on the shelf {}", outbox.durable(), ids(outbox.shelf()).len()));
}

#[test]
fn an_outbox_without_room_stops_and_the_next_start_has_all_it_showed() {
    let home = tempfile::tempdir().unwrap();
    let said = under_a_limit("full_disk::outbox_child", home.path());
    let durable = told(&said, "durable");
    assert!(durable > 20 && told(&said, "shelf") == durable, "{said}");
    let mut outbox = open(home.path());
    let kept = ids(outbox.shelf());
    assert!(kept.len() >= durable, "{} of {durable}", kept.len());
    put(&mut outbox, "there is room again", T);
    assert_eq!(ids(outbox.shelf()).len(), kept.len() + 1);
    check_links(&batches(outbox.shelf()));
}
