//! What liars, and operators that say less or fail more, can gain by the default policy: `make bench-adversary`.
//!
//! Seeded worlds, judged in integers, so that every machine prints the same; a bound that does not hold is a failure.
//! It measures and never changes a rule.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::indexing_slicing
)]

#[path = "adversary/chance.rs"]
mod chance;

#[path = "adversary/coverage.rs"]
mod coverage;

#[path = "adversary/liars.rs"]
mod liars;

#[path = "adversary/operator.rs"]
mod operator;

#[path = "adversary/outage.rs"]
mod outage;

#[path = "adversary/stage.rs"]
mod stage;

#[path = "adversary/table.rs"]
mod table;

use std::process::ExitCode;
use std::sync::OnceLock;

use sla::window::Span;
use stage::{Stage, check_block};
use table::Table;

/// Constants that the policy is to have instead of its own, such as `factor_ppm=300000`: what if.
pub static CHANGED: OnceLock<Vec<String>> = OnceLock::new();

fn main() -> ExitCode {
    let only: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let (changed, only): (Vec<String>, Vec<String>) =
        only.into_iter().partition(|argument| argument.contains('='));
    CHANGED.set(changed).expect("it is set once");
    let stage = Stage::new(Span::Week);
    check_block(&stage);
    let is_wanted = |part: &str| only.is_empty() || only.iter().any(|named| named == part);
    let mut table = Table::default();
    println!("Policy {} ({}).", stage.policy.id, stage.policy.hash);
    if is_wanted("liars") {
        liars::measure(&mut table);
    }
    if is_wanted("operators") {
        operator::measure(stage.rule(), &mut table);
        outage::measure(&mut table);
    }
    if is_wanted("coverage") {
        coverage::measure(stage.rule(), &mut table);
    }
    if table.breaches().is_empty() {
        println!("\nEvery bound held.");
        return ExitCode::SUCCESS;
    }
    println!("\n{} settings broke their bound:", table.breaches().len());
    table.breaches().iter().for_each(|breach| println!("- {breach}"));
    ExitCode::FAILURE
}
