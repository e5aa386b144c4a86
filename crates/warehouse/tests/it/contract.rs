//! Every home passes the suite.

use std::sync::Mutex;

use warehouse::sqlite::{Options, Sqlite};
use warehouse::{Warehouse, contract};

#[test]
fn sqlite_on_the_disk_passes_the_suite() {
    let directory = tempfile::tempdir().unwrap();
    let count = Mutex::new(0);
    contract::suite(|| {
        let mut count = count.lock().unwrap();
        *count += 1;
        let path = directory.path().join(format!("{count}.sqlite"));
        Box::new(Sqlite::open(&path, Options::default()).unwrap()) as Box<dyn Warehouse>
    });
}

#[test]
fn sqlite_in_memory_passes_the_suite() {
    contract::suite(|| Box::new(Sqlite::in_memory().unwrap()));
}

#[test]
fn sqlite_opened_again_has_everything() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("warehouse.sqlite");
    contract::a_home_opened_again_has_everything(|| {
        Box::new(Sqlite::open(&path, Options::default()).unwrap())
    });
}
