//! From the ledger to final scorecards: signatures and roots checked, every hour settled and written.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use events::event::Network;
use events::unit::UnixMillis;
use ledger::Ledger;
use pipeline::intake::KnownKeys;
use pipeline::settle::{Options, Settler};
use sla::policy::Policy;
use sla::trust::TrustFile;
use warehouse::page::Page;
use warehouse::sqlite::Sqlite;
use warehouse::{Reader, Warehouse};

use crate::{Measured, machine};

/// Long after the play: every hour is over.
const LATER: UnixMillis = UnixMillis(1_800_000_000_000);

pub fn measure(directory: &Path) -> Measured {
    let trust =
        std::fs::read_to_string(directory.join("trust.toml")).expect("the history wrote it");
    let trust = TrustFile::parse(&trust).expect("the history wrote it");
    let began = Instant::now();
    let (ledger, _) =
        Ledger::open(&directory.join("ledger"), ledger::Options::default()).expect("a ledger");
    let opened = began.elapsed().as_secs_f64();
    let path = directory.join("warehouse.sqlite");
    let warehouse = Arc::new(
        Sqlite::open(&path, warehouse::sqlite::Options::default()).expect("a new warehouse"),
    );
    let options = Options {
        importers: std::collections::BTreeSet::new(),
        live_events_max: 0,
        policy: Policy::standard(),
        threads: std::thread::available_parallelism().map_or(1, usize::from),
        trust: vec![trust],
        verifies: true,
    };
    let home: Arc<dyn Warehouse> = Arc::clone(&warehouse) as Arc<dyn Warehouse>;
    let listener = Box::new(|_: &pipeline::settle::News<'_>| {});
    let mut settler =
        Settler::open(Arc::new(ledger), home, KnownKeys::default(), options, listener)
            .expect("a settler opens");
    let mut noted = 0.0;
    let hours = settler
        .catch_up(LATER, &mut |_, waiting| {
            if waiting > 0 && noted == 0.0 {
                noted = began.elapsed().as_secs_f64();
            }
        })
        .expect("a replay");
    let seconds = began.elapsed().as_secs_f64();
    let windows = warehouse.windows(Network::Simulation, &Page::first(1000)).expect("windows").rows;
    let jobs: u64 = windows.iter().map(|window| window.jobs).sum();
    let note = format!(
        "{hours} hours settled, {jobs} job facts written; ledger checked in {opened:.1} s, verified and noted by {noted:.1} s"
    );
    Measured { note, ..Measured::default() }
        .with("seconds", seconds)
        .with("peak_mib", machine::peak_mib("self"))
}
