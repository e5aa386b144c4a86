//! The cold build: every dependency and crate, from nothing, in release.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::Measured;

pub fn measure(directory: &Path) -> Measured {
    let began = Instant::now();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--release", "--package", "naap", "--quiet", "--target-dir"])
        .arg(directory)
        .stdout(Stdio::null())
        .status()
        .expect("cargo runs");
    assert!(status.success(), "the build failed");
    let note =
        "cargo build --release, empty target directory, crates already downloaded".to_owned();
    Measured { note, ..Measured::default() }.with("minutes", began.elapsed().as_secs_f64() / 60.0)
}
