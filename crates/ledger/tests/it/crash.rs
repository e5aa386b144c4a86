//! A process that appends and is killed at any moment, or runs into a limit: nothing it was promised is lost.
//!
//! The child is this test binary again, asked for the ignored test [`child`].

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use ledger::{Error, Ledger, Options};
use rand::RngExt as _;

use crate::batches::{batch, contents, entry_of, position};

const DIRECTORY: &str = "LEDGER_CHILD_DIRECTORY";
const ROUND: &str = "LEDGER_CHILD_ROUND";
const KILLS: u64 = 20;
const SMALL: Options = Options { segment_bytes: 100_000 };

fn command(directory: &Path, round: u64) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "crash::child", "--ignored", "--nocapture"]);
    command
        .env(DIRECTORY, directory)
        .env(ROUND, round.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

#[test]
#[ignore = "the process that the other tests kill; does nothing by itself"]
fn child() {
    let (Ok(directory), Ok(round)) = (env::var(DIRECTORY), env::var(ROUND)) else { return };
    let round: u64 = round.parse().unwrap();
    let (ledger, _) = Ledger::open(Path::new(&directory), SMALL).unwrap();
    let work = |publisher: u8| {
        let ledger = &ledger;
        move || {
            // Enough to be killed in, and an end should the parent be gone.
            for seq in 0..20_000 {
                let entries: Vec<_> =
                    (0..5).map(|salt| entry_of(&batch(publisher, round, seq, salt))).collect();
                let line = match ledger.append(entries) {
                    Ok(range) => {
                        format!("kept {publisher} {round} {seq} {} {}\n", range.start, range.end)
                    }
                    Err(error) => format!("failed {} {error}\n", error.is_retryable()),
                };
                let is_over = line.starts_with("failed");
                std::io::stdout().lock().write_all(line.as_bytes()).unwrap();
                if is_over {
                    return;
                }
            }
        }
    };
    thread::scope(|scope| {
        for publisher in 1..=3 {
            scope.spawn(work(publisher));
        }
    });
}

/// An append that the child was told is kept.
struct Kept {
    publisher: u8,
    round: u64,
    seq: u64,
    range: std::ops::Range<u64>,
}

fn kept(line: &str) -> Option<Kept> {
    let mut words = line
        .strip_prefix("kept ")?
        .strip_suffix('\n')?
        .split(' ')
        .map(|word| word.parse::<u64>().unwrap());
    let mut word = || words.next().unwrap();
    let (publisher, round, seq) = (u8::try_from(word()).unwrap(), word(), word());
    Some(Kept { publisher, round, seq, range: word()..word() })
}

/// Reads what the child says; kills it after `patience` acknowledgements, and goes on reading to the end.
fn listen(mut child: Child, patience: usize) -> Vec<String> {
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut heard = Vec::new();
    let mut acknowledged = 0;
    loop {
        if acknowledged == patience {
            child.kill().unwrap();
        }
        let mut line = String::new();
        if lines.read_line(&mut line).unwrap() == 0 {
            break;
        }
        acknowledged += usize::from(line.starts_with("kept"));
        heard.push(line);
    }
    child.wait().unwrap();
    heard
}

fn check(ledger: &Ledger, promised: &[Kept]) {
    for Kept { publisher, round, seq, range } in promised {
        for (ordinal, salt) in range.clone().zip(0..) {
            let batch = batch(*publisher, *round, *seq, salt);
            assert_eq!(ledger.get(ordinal).unwrap(), Some(entry_of(&batch)));
            assert!(ledger.contains(&position(*publisher, *round, *seq), &batch.header.hash()));
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = rand::rng();
    let mut promised = Vec::new();
    for round in 0..KILLS {
        let patience = if round == 0 { 0 } else { random.random_range(1..80) };
        let heard = listen(command(directory.path(), round).spawn().unwrap(), patience);
        promised.extend(heard.iter().filter_map(|line| kept(line)));
        if let Ok((reader, _)) = Ledger::open_read_only(directory.path()) {
            check(&reader, &promised);
        }
    }
    assert!(promised.len() > 100, "{}", promised.len());
    let (ledger, _) = Ledger::open(directory.path(), SMALL).unwrap();
    check(&ledger, &promised);
    let records = contents(&ledger).len();
    assert!(records >= promised.len() * 5);
}

#[test]
fn a_second_process_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = command(directory.path(), 0).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.starts_with("kept") {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the child ended early");
    }
    assert!(matches!(Ledger::open(directory.path(), SMALL), Err(Error::InUse { .. })));
    assert!(Ledger::open_read_only(directory.path()).unwrap().0.end().next >= 5);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(Ledger::open(directory.path(), SMALL).is_ok());
}

/// A limit of the system on the size of files stands for the full disk: the write is cut short and fails.
#[cfg(unix)]
#[test]
fn a_limit_of_the_system_is_an_error_and_loses_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let inner = command(directory.path(), 0);
    let mut outer = Command::new("sh");
    // 64 blocks of 512 bytes; ignoring the signal turns it into an error of the write.
    outer.args(["-c", "trap '' XFSZ; ulimit -f 64; exec \"$0\" \"$@\""]);
    outer.arg(inner.get_program()).args(inner.get_args());
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    outer.stdout(Stdio::piped()).stderr(Stdio::null());
    let heard = listen(outer.spawn().unwrap(), usize::MAX);
    assert!(heard.iter().any(|line| line.starts_with("failed true cannot write to")), "{heard:?}");
    let promised: Vec<_> = heard.iter().filter_map(|line| kept(line)).collect();
    assert!(!promised.is_empty());
    let (ledger, recovery) = Ledger::open(directory.path(), SMALL).unwrap();
    assert_eq!(recovery.torn, None);
    check(&ledger, &promised);
}
