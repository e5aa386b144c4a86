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

/// Set where the child goes on once it has room.
const GOES_ON: &str = "PUBLISHER_CHILD_GOES_ON";

fn directory() -> Option<PathBuf> {
    env::var_os(DIRECTORY).map(PathBuf::from)
}

/// Runs an ignored test, which may be asked to go on behind a space, where no file grows over 64 blocks of 512 bytes; gives
/// what it printed.
fn under_a_limit(child: &str, directory: &Path) -> String {
    let mut command = Command::new("sh");
    // Ignoring the signal turns it into an error of the write.
    command.args(["-c", "trap '' XFSZ; ulimit -S -f 64; exec \"$0\" \"$@\""]);
    command.arg(env::current_exe().unwrap());
    let (child, goes_on) = child.split_once(' ').map_or((child, false), |(child, _)| (child, true));
    command.args(["--exact", child, "--ignored", "--nocapture"]).env(DIRECTORY, directory);
    if goes_on {
        command.env(GOES_ON, "1");
    }
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

/// Lets no file of this process grow beyond so many bytes, or all as they like.
fn limit(bytes: Option<u64>) {
    let (id, limit) = (std::process::id(), bytes.map_or("unlimited".to_owned(), |n| n.to_string()));
    let mut command = Command::new("prlimit");
    command.args(["--pid", &id.to_string(), &format!("--fsize={limit}:unlimited")]);
    assert!(command.status().unwrap().success());
}

/// Whether this system lets limits of running processes be set; says so where not.
fn can_limit() -> bool {
    let can = Command::new("prlimit").arg("--version").output().is_ok();
    if !can {
        assert!(env::var_os("CI").is_none(), "a full disk is not tested: no prlimit");
        let loud = "!!! SKIPPED, NOT TESTED: a full disk: not installed: prlimit\n";
        std::io::stderr().write_all(loud.as_bytes()).unwrap();
    }
    can
}

/// How many bytes the segments of an outbox have.
fn segment_bytes(directory: &Path) -> u64 {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap());
    let segments = files.filter(|file| file.path().extension().is_some_and(|end| end == "outbox"));
    segments.map(|file| file.metadata().unwrap().len()).sum()
}

/// Seals one event after the other until there is no room.
fn fill(outbox: &mut Outbox) -> outbox::Error {
    loop {
        let name = format!("event-{}", outbox.taken());
        let taken = outbox.push(&crate::outbox::event(&name), T);
        let synced = taken.and_then(|_| outbox.seal(T)).and_then(|()| outbox.sync());
        if let Err(failure) = synced {
            return failure;
        }
    }
}

#[test]
#[ignore = "the process with little room of the tests below; does nothing by itself"]
fn outbox_child() {
    let Some(directory) = directory() else { return };
    let mut outbox = open(&directory);
    let failure = fill(&mut outbox);
    assert!(matches!(failure, outbox::Error::NoRoom(_)) && failure.is_retryable(), "{failure}");
    assert!(failure.to_string().contains("could not write"), "{failure}");
    let (taken, durable) = (outbox.taken(), outbox.durable());
    let refusal = outbox.push(&crate::outbox::event("one more"), T).unwrap_err();
    assert!(matches!(refusal, outbox::Error::NoRoom(_)), "{refusal}");
    assert!(outbox.sync().is_err(), "there is still no room");
    assert_eq!((outbox.taken(), outbox.durable()), (taken, durable), "nothing more is taken");
    assert_eq!(segment_bytes(&directory), outbox.shelf().used_bytes(), "half a batch is cut off");
    tell(&format!("durable {durable} on the shelf {}", ids(outbox.shelf()).len()));
    if env::var_os(GOES_ON).is_none() {
        return;
    }
    limit(None);
    outbox.sync().unwrap();
    assert_eq!(outbox.durable(), taken, "what was sealed is written now");
    put(&mut outbox, "one more", T);
    tell(&format!("all {}", outbox.durable()));
}

#[test]
fn an_outbox_without_room_takes_nothing_and_the_next_start_has_all_it_showed() {
    let home = tempfile::tempdir().unwrap();
    let said = under_a_limit("full_disk::outbox_child", home.path());
    let durable = told(&said, "durable");
    assert!(durable > 20 && told(&said, "shelf") == durable, "{said}");
    let (mut outbox, opening) =
        Outbox::open(Options::at(home.path()), secret(), events::event::Network::Livepeer).unwrap();
    assert_eq!(opening.unproven, None);
    let kept = ids(outbox.shelf());
    assert_eq!(kept.len(), durable);
    put(&mut outbox, "there is room again", T);
    assert_eq!(ids(outbox.shelf()).len(), kept.len() + 1);
    check_links(&batches(outbox.shelf()));
}

#[test]
fn an_outbox_goes_on_by_itself_when_there_is_room() {
    if !can_limit() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let said = under_a_limit("full_disk::outbox_child goes on", home.path());
    let outbox = open(home.path());
    let kept = ids(outbox.shelf());
    assert_eq!(kept.len(), told(&said, "all"), "each once, in one chain: {said}");
    assert_eq!(batches(outbox.shelf()).keys().map(|place| place.epoch).max(), Some(0));
    check_links(&batches(outbox.shelf()));
}

#[test]
#[ignore = "the process with little room of the test below; does nothing by itself"]
fn opening_child() {
    let Some(directory) = directory() else { return };
    let network = events::event::Network::Livepeer;
    for _ in 0..3 {
        limit(Some(100));
        let opened = Outbox::open(Options::at(&directory), secret(), network);
        let failure = opened.unwrap_err();
        assert!(failure.is_retryable(), "{failure}");
    }
    limit(None);
    let (outbox, opening) = Outbox::open(Options::at(&directory), secret(), network).unwrap();
    assert_eq!((opening.unproven, outbox.epoch()), (None, 0), "no epoch was spent on waiting");
}

#[test]
fn an_outbox_that_finds_no_room_may_be_opened_again() {
    if can_limit() {
        under_a_limit("full_disk::opening_child", tempfile::tempdir().unwrap().path());
    }
}

#[tokio::test]
#[ignore = "the process with little room of the test below; does nothing by itself"]
async fn cursor_child() {
    let Some(directory) = directory() else { return };
    let spool = Spool::open(&Config::at(directory)).unwrap();
    let first = spool.append(vec![raw("one"), raw("two")]).await.unwrap();
    spool.commit(first.advance(1), 0).await.unwrap();
    limit(Some(0));
    let failure = spool.commit(first.advance(2), 0).await.unwrap_err();
    assert!(matches!(failure, Error::NoRoom { .. }) && failure.is_retryable(), "{failure}");
    assert_eq!(spool.committed(), first.advance(1));
    limit(None);
    spool.commit(first.advance(2), 0).await.unwrap();
}

#[tokio::test]
async fn a_cursor_without_room_stays_where_it_was() {
    if !can_limit() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    under_a_limit("full_disk::cursor_child", home.path());
    let spool = Spool::open(&Config::at(home.path())).unwrap();
    assert_eq!(spool.committed(), spool.end());
}
