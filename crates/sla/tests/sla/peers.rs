//! The scores of other systems, against numbers that those systems or an independent program gave, and the arithmetic
//! they need against its definition in unbounded integers.

use serde::de::DeserializeOwned;
use sla::score::fraction::{Fraction, Mean};

/// One whole in parts per million.
const WHOLE: u32 = 1_000_000;

fn mean(sum: u64, count: u64) -> Mean {
    Mean { count, sum }
}

fn whole(number: u64) -> Fraction {
    Fraction::whole(number)
}

/// The `[score]` of a policy.
fn table<T: DeserializeOwned>(text: &str) -> Result<T, toml::de::Error> {
    let mut file: toml::Table = text.parse().unwrap();
    file.remove("score").unwrap().try_into()
}

#[path = "peers/arithmetic.rs"]
mod arithmetic;

#[path = "peers/quality_benchmark.rs"]
mod quality_benchmark;

#[path = "peers/quality_laws.rs"]
mod quality_laws;

#[path = "peers/leaderboards.rs"]
mod leaderboards;
