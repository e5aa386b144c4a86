//! `naap score`: recorded windows under any policy, beside what was published. It reads and writes nothing.

use anyhow::Context;
use events::unit::Ppm;
use pipeline::rescore::{Difference, differences, rescore};
use sla::policy::Policy;

use crate::cli;
use crate::config::Config;
use crate::console::{Console, Progress, grouped};
use crate::instance::Instance;
use crate::store;

/// Runs the verb.
pub fn run(arguments: &cli::Score, config: &Config, console: Console) -> anyhow::Result<()> {
    let policy = named(&arguments.policy)?;
    let instance = Instance::look(&config.instance.data)?;
    let network = arguments.network.unwrap_or(config.instance.network);
    let ledger = store::look_at_ledger(&instance)?;
    let warehouse = store::look_at_warehouse(&instance)?;
    let window = arguments.window;
    let mut progress = Progress::new();
    let told = &mut |hours| progress.tell(|| format!("{} hours read", grouped(hours)));
    let rescored = rescore(&ledger, &warehouse, network, window, &policy, told)
        .with_context(|| format!("cannot score {network} {window}; see /v1/windows"))?;
    drop(progress);
    let published = &rescored.published.policy.id;
    console.line(format_args!(
        "{network} {window}: {published} as published, {} asked for",
        policy.id
    ))?;
    console.line(format_args!(
        "{:<42}  {:>9}  {:>9}  {:>7}  work",
        "operator", "published", "asked for", "change"
    ))?;
    for difference in differences(&rescored) {
        if arguments.all || difference.work == "all" {
            console.line(line(&difference))?;
        }
    }
    Ok(())
}

/// A policy that comes with the software, by its id, or else by its file.
fn named(policy: &str) -> anyhow::Result<Policy> {
    if let Some(policy) = Policy::built_in(policy) {
        return Ok(policy);
    }
    let known: Vec<&str> = sla::policy::BUILT_IN.iter().map(|(id, _)| *id).collect();
    let text = std::fs::read_to_string(policy).with_context(|| {
        format!(
            "cannot read the policy {policy}; those that come with naap are {}",
            known.join(", ")
        )
    })?;
    Policy::parse(&text).with_context(|| format!("in {policy}"))
}

fn line(difference: &Difference) -> String {
    let Difference { work, operator, other, published, reason } = difference;
    let side = |(score, grade): &(Option<Ppm>, _)| match score {
        Some(score) => format!("{} {grade}", points(i64::from(score.0))),
        None => "none".to_owned(),
    };
    let change = match (published.0, other.0) {
        (Some(before), Some(after)) => {
            let change = i64::from(after.0) - i64::from(before.0);
            format!("{}{}", if change > 0 { "+" } else { "" }, points(change))
        }
        _ => String::new(),
    };
    let why = reason.as_ref().map_or(String::new(), |why| format!("  ({why})"));
    format!("{operator:<42}  {:>9}  {:>9}  {change:>7}  {work}{why}", side(published), side(other))
}

/// Parts per million as points of a hundred with one digit, towards zero.
fn points(ppm: i64) -> String {
    let sign = if ppm < 0 { "-" } else { "" };
    let ppm = ppm.unsigned_abs();
    format!("{sign}{}.{}", ppm / 10_000, ppm % 10_000 / 1_000)
}

#[cfg(test)]
mod tests {
    use super::points;

    #[test]
    fn points_have_one_digit() {
        let known =
            [(0, "0.0"), (1_000_000, "100.0"), (-15_999, "-1.5"), (999, "0.0"), (475_000, "47.5")];
        for (ppm, text) in known {
            assert_eq!(points(ppm), text);
        }
    }
}
