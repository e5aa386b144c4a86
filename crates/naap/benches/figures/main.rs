//! The figures we hold ourselves to, measured in one run and printed as one table: `make bench`.
//!
//! Each figure runs in a process of its own, so that its peak memory is its own. The input is a seeded simulated
//! network, the same on every machine; the table states it, the machine and the method.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods
)]
#![allow(clippy::cast_precision_loss, clippy::indexing_slicing)]

mod build;
mod freshness;
mod history;
mod intake;
mod machine;
mod node;
mod replay;
mod start;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

/// What the binary allocates with, so that its figures are the binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What one measurement gave: named numbers, and a line on how.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Measured {
    pub numbers: BTreeMap<String, f64>,
    pub note: String,
}

impl Measured {
    pub fn with(mut self, name: &str, value: f64) -> Self {
        self.numbers.insert(name.to_owned(), value);
        self
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let named = |flag: &str| {
        arguments
            .iter()
            .position(|argument| argument == flag)
            .and_then(|at| arguments.get(at + 1))
            .cloned()
    };
    match named("--figure") {
        Some(figure) => {
            let directory = PathBuf::from(named("--dir").expect("--dir is given with --figure"));
            let events =
                named("--events").map_or(0, |text| text.parse().expect("--events is a number"));
            let measured = measure(&figure, &directory, events);
            println!("{}", serde_json::to_string(&measured).expect("numbers serialise"));
        }
        None => table(named("--only")),
    }
}

fn measure(figure: &str, directory: &Path, events: u64) -> Measured {
    match figure {
        "history" => history::write(directory, events),
        "replay" => replay::measure(directory),
        "intake" => intake::measure(directory, events),
        "freshness" => freshness::measure(directory),
        "start" => start::measure(directory),
        "build" => build::measure(directory),
        other => panic!("no figure is called {other}"),
    }
}

/// Runs one figure in a process of its own and reads what it measured from its last line.
fn run(figure: &str, directory: &Path, events: u64) -> Measured {
    eprintln!("measuring {figure} ...");
    let this = std::env::current_exe().expect("a running program has a path");
    let output = Command::new(this)
        .args(["--figure", figure, "--events", &events.to_string(), "--dir"])
        .arg(directory)
        .stderr(Stdio::inherit())
        .output()
        .expect("this program can start itself");
    assert!(output.status.success(), "figure {figure} failed: {}", output.status);
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().last().unwrap_or_default();
    serde_json::from_str(line)
        .unwrap_or_else(|error| panic!("figure {figure} printed {line:?}: {error}"))
}

struct Row {
    figure: String,
    measured: String,
    target: &'static str,
    verdict: &'static str,
    note: String,
}

fn row(figure: &str, value: f64, unit: &str, target: &'static str, met: bool, note: &str) -> Row {
    let measured =
        if value >= 1000.0 { format!("{value:.0} {unit}") } else { format!("{value:.2} {unit}") };
    let verdict = if met { "met" } else { "MISSED" };
    Row { figure: figure.to_owned(), measured, target, verdict, note: note.to_owned() }
}

/// Measures one figure in a folder of its own.
type Measure = fn(&Path) -> Vec<Row>;

fn table(only: Option<String>) {
    let wanted = |figure: &str| {
        only.as_deref().is_none_or(|only| only.split(',').any(|name| name == figure))
    };
    let place = tempfile::tempdir().expect("a place for the ledgers");
    let mut rows = Vec::new();
    for (name, events) in [("1 M", 1_000_000), ("5.76 M", 5_760_000)] {
        if wanted("replay") {
            rows.extend(told(replays(place.path(), name, events)));
        }
    }
    let others: [(&str, Measure); 4] =
        [("intake", intakes), ("start", starts), ("freshness", freshnesses), ("build", builds)];
    for (figure, measure) in others {
        if wanted(figure) {
            rows.extend(told(measure(&place.path().join(figure))));
        }
    }
    print(&rows);
    if rows.iter().any(|row| row.verdict == "MISSED") {
        eprintln!("at least one target was missed");
    }
}

/// Tells of rows as soon as they are measured: what fails later must not hide them.
fn told(rows: Vec<Row>) -> Vec<Row> {
    for Row { figure, measured, note, .. } in &rows {
        eprintln!("{figure}: {measured} ({note})");
    }
    rows
}

fn intakes(place: &Path) -> Vec<Row> {
    let measured = run("intake", place, 2_000_000);
    let rate = measured.numbers["events_per_s"];
    let what = "sustained intake, 256-event batches";
    vec![row(what, rate, "events/s", ">= 100 000", rate >= 100_000.0, &measured.note)]
}

fn starts(place: &Path) -> Vec<Row> {
    let measured = run("start", place, 0);
    let seconds = measured.numbers["seconds"];
    vec![row("cold start to the first answer", seconds, "s", "< 1", seconds < 1.0, &measured.note)]
}

fn freshnesses(place: &Path) -> Vec<Row> {
    let measured = run("freshness", place, 0);
    let (p50, p99) = (measured.numbers["p50_ms"], measured.numbers["p99_ms"]);
    let memory = measured.numbers["peak_mib"];
    let note = &measured.note;
    vec![
        row("Kafka acknowledgement to API, p50", p50, "ms", "", true, note),
        row("Kafka acknowledgement to API, p99", p99, "ms", "< 1 000", p99 < 1000.0, note),
        row(
            "memory of naap dev under that load",
            memory,
            "MiB",
            "< 512",
            memory < 512.0,
            "peak resident set",
        ),
    ]
}

fn builds(place: &Path) -> Vec<Row> {
    let measured = run("build", place, 0);
    let minutes = measured.numbers["minutes"];
    vec![row("cold release build", minutes, "min", "< 10", minutes < 10.0, &measured.note)]
}

fn replays(place: &Path, name: &str, events: u64) -> Vec<Row> {
    let directory = place.join(format!("replay-{events}"));
    let made = run("history", &directory, events);
    let measured = run("replay", &directory, events);
    std::fs::remove_dir_all(&directory).expect("our own folder");
    let seconds = measured.numbers["seconds"];
    let memory = measured.numbers["peak_mib"];
    let large = events > 5_000_000;
    let (target, met) = if large { ("< 30", seconds < 30.0) } else { ("", true) };
    let rate = made.numbers["events"] / seconds;
    let note = format!("{}; {}; {rate:.0} events/s", made.note, measured.note);
    vec![
        row(
            &format!("replay of {name} events to final scorecards"),
            seconds,
            "s",
            target,
            met,
            &note,
        ),
        row(
            &format!("memory of the replay of {name}"),
            memory,
            "MiB",
            "< 512",
            memory < 512.0,
            "peak resident set",
        ),
    ]
}

fn print(rows: &[Row]) {
    println!("{}", machine::line());
    println!("\n| what | measured | target | | how |\n|---|---|---|---|---|");
    for Row { figure, measured, target, verdict, note } in rows {
        let verdict = if target.is_empty() { "" } else { verdict };
        println!("| {figure} | {measured} | {target} | {verdict} | {note} |");
    }
}
