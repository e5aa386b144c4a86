//! A process that is killed at any moment while it records: what it was told is kept is there, and all else is whole.
//!
//! The child is this test binary again, asked for the ignored test [`child`].

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};

use warehouse::contract::crash;
use warehouse::sqlite::{Options, ReadOnly, Sqlite};

const PATH: &str = "WAREHOUSE_CHILD_PATH";
const KILLS: u64 = 20;

#[test]
#[ignore = "the process that the other test kills; does nothing by itself"]
fn child() {
    let Ok(path) = env::var(PATH) else { return };
    let home = Sqlite::open(Path::new(&path), Options::default()).unwrap();
    // Each line is a moment to be killed at.
    crash::record_until_killed(&home, 300, |step| {
        std::io::stdout().lock().write_all(format!("kept {step}\n").as_bytes()).unwrap();
    });
}

/// Lets the child record until it told of `patience` steps and a part of the next, kills it, and gives the last it told of.
fn run_and_kill(path: &Path, patience: u64, spins: u64) -> Option<u64> {
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--nocapture"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let (mut last, mut told) = (None, 0);
    loop {
        if told == patience {
            // Some work of our own, so that the kill lands elsewhere in the step each round.
            let busy = (0..spins).fold(0u64, |sum, number| std::hint::black_box(sum ^ number));
            std::hint::black_box(busy);
            child.kill().unwrap();
        }
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        if let Some(step) = line.trim().strip_prefix("kept ") {
            last = Some(step.parse().unwrap());
            told += 1;
        }
    }
    child.wait().unwrap();
    last
}

#[test]
fn nothing_kept_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("warehouse.sqlite");
    let mut last = None;
    for round in 0..KILLS {
        last = run_and_kill(&path, 1 + round % 3, round * 3_000_000).or(last);
        crash::check(&ReadOnly::open(&path).unwrap(), last);
    }
    assert!(last.unwrap() >= KILLS, "{last:?}");
    let home = Sqlite::open(&path, Options::default()).unwrap();
    crash::check(&home, last);
    crash::record_until_killed(&home, 2, |_| {});
    crash::check(&home, last.map(|last| last + 2));
}
