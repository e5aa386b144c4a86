//! How the API answers under load, printed as one table: `make bench-api`.
//!
//! A month of a network with 100 orchestrators, 20 models and 10 gateways is written as hours that have settled, and the
//! real `naap serve` answers from it while requests arrive at a fixed rate, whether or not those before were answered: so
//! a slow answer delays nobody's clock but its own, and its wait counts. Once nobody writes meanwhile, once the open hour is
//! written as a busy instance would. What is compared with is the same run with one request after another.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods
)]
#![allow(clippy::cast_precision_loss, clippy::indexing_slicing)]

mod cards;
mod drive;
#[path = "../figures/machine.rs"]
mod machine;
mod network;
mod paths;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use drive::{Load, Outcome};
use network::Shape;

/// What the binary allocates with, so that its figures are the binary's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Requests in a second, and for how long.
const RATE: u64 = 1_000;
const SECONDS: u64 = 20;

/// How long requests arrive before what is asked for often has been read once.
const COLD_SECONDS: u64 = 5;

/// How often the open hour is written while requests arrive.
const WRITES_EVERY: Duration = Duration::from_secs(1);

/// A running `naap serve`; dropping it ends it.
struct Server {
    address: SocketAddr,
    child: Child,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let address: SocketAddr = format!("127.0.0.1:{port}").parse().unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_naap"))
            .args(["serve", "--listen", &address.to_string(), "--data"])
            .arg(folder)
            .env("NAAP_LOG__LEVEL", "error")
            .stdout(Stdio::null())
            .spawn()
            .expect("the program starts");
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "naap serve did not listen");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { address, child }
    }

    fn process(&self) -> String {
        self.child.id().to_string()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("it is the first");
    let asked: Vec<String> = std::env::args().collect();
    let named = |flag: &str| {
        let at = asked.iter().position(|argument| argument == flag)?;
        asked.get(at + 1).cloned()
    };
    let rate = named("--rate").map_or(RATE, |text| text.parse().expect("--rate is a number"));
    let seconds = named("--seconds").map_or(SECONDS, |text| text.parse().expect("a number"));
    let kept = named("--data").map(PathBuf::from);
    let temporary = tempfile::tempdir().unwrap();
    let folder = kept.unwrap_or_else(|| temporary.path().to_owned());
    let now_ms = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    let shape = Shape::default();
    println!("{}", machine::line());
    println!(
        "Input: {} days by the hour of {} orchestrators, {} models and {} gateways, seeded; {} rows of sums an hour, {} jobs an hour.",
        shape.days,
        shape.orchestrators,
        shape.models,
        shape.gateways,
        shape.rows(),
        shape.jobs
    );
    let began = Instant::now();
    let writer = network::write(&folder, &shape, now_ms);
    println!("Written in {:.0} s, {} MiB.", began.elapsed().as_secs_f64(), network::mib(&folder));

    let server = Server::start(&folder);
    let paths = paths::mix(&shape, now_ms);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    println!("\nOne request after another, each path for the first time and then again:");
    for (name, first, again, bytes) in runtime.block_on(drive::each(server.address, &paths)) {
        println!("  {name:<28} {first:>8.1} ms {again:>8.2} ms {bytes:>9} bytes");
    }
    let load = |rate, seconds| Load { address: server.address, paths: &paths, rate, seconds };
    println!(
        "\n{rate} requests a second for {COLD_SECONDS} s, most of them asked for the first time:"
    );
    report(&runtime.block_on(load(rate, COLD_SECONDS).run(6)));
    println!("\n{rate} requests a second for {seconds} s, nobody writes:");
    report(&runtime.block_on(load(rate, seconds).run(7)));
    println!("  memory of naap serve so far: {:.0} MiB", machine::peak_mib(&server.process()));

    println!("\nThe same while the open hour is written every {} ms:", WRITES_EVERY.as_millis());
    let stop = Arc::new(AtomicBool::new(false));
    let outcome = std::thread::scope(|scope| {
        let stopping = Arc::clone(&stop);
        let (writer, shape) = (&writer, &shape);
        scope.spawn(move || {
            let mut turn = 0;
            while !stopping.load(Ordering::Relaxed) {
                network::write_open_hour(writer, shape, now_ms, turn);
                turn += 1;
                std::thread::sleep(WRITES_EVERY);
            }
        });
        let outcome = runtime.block_on(load(rate, seconds).run(8));
        stop.store(true, Ordering::Relaxed);
        outcome
    });
    report(&outcome);
    println!("  memory of naap serve at most: {:.0} MiB", machine::peak_mib(&server.process()));
}

fn report(outcome: &Outcome) {
    let Outcome { by_path, failures, .. } = outcome;
    println!("  {:<28} {:>8} {:>9} {:>9} {:>9}", "path", "requests", "p50 ms", "p99 ms", "max ms");
    let mut rows: Vec<(&str, &Vec<f64>)> =
        by_path.iter().map(|(name, times)| (*name, times)).collect();
    rows.push(("all together", &outcome.all));
    for (name, times) in rows {
        let at = |share: f64| {
            let index = ((times.len() as f64 - 1.0) * share).round();
            times.get(drive::index(index)).copied().unwrap_or(f64::NAN)
        };
        println!(
            "  {name:<28} {:>8} {:>9.2} {:>9.2} {:>9.2}",
            times.len(),
            at(0.5),
            at(0.99),
            at(1.0)
        );
    }
    println!("  failures: {failures:?}");
}
