//! `naap route-report`: what a routing policy would have changed, as a page to read or as JSON. It writes nothing.

use std::fmt::Write as _;

use anyhow::{Context, bail};
use api::routing::{Policies, past};
use sla::route::policy::RoutingPolicy;
use sla::route::whatif::estimate::{Estimate, Signed};
use sla::route::whatif::record::Bounds;
use sla::route::whatif::{Question, WhatIf, replay};
use sla::route::work::{Asked, Work};

use crate::cli;
use crate::config::Config;
use crate::console::Console;
use crate::instance::Instance;
use crate::store;

/// The most operators that a page names on each side.
const NAMED_MAX: usize = 10;

/// Runs the verb.
pub fn run(arguments: &cli::RouteReport, config: &Config, console: Console) -> anyhow::Result<()> {
    let instance = Instance::look(&config.instance.data)?;
    let network = arguments.network.unwrap_or(config.instance.network);
    let policies = store::routing_policies(config)?;
    let policy = named(arguments.policy.as_deref(), &policies)?;
    let work = arguments.caps.iter().map(|text| Work::from_cap(text));
    let work = work.collect::<Result<Vec<_>, _>>().context("--caps is pipeline/model")?;
    let asked = Asked { work, ..Asked::default() };
    let warehouse = store::look_at_warehouse(&instance)?;
    let past = past(&warehouse, network, &policy, store::clock()(), arguments.days)?;
    let (bounds, carried) = (Bounds::default(), past.carried.as_slice());
    let what_if = replay(Question { asked: &asked, bounds, carried, policy: &policy }, &past.days);
    if what_if.jobs == 0 {
        bail!("{network} has no recorded work in the last {} whole days", arguments.days);
    }
    if arguments.json {
        console.line(serde_json::to_string_pretty(&what_if).context("a replay as JSON")?)?;
    } else {
        console.text(page(&what_if, arguments.days))?;
    }
    Ok(())
}

/// The policy that is asked for: a file, or one that is known by its id.
fn named(asked: Option<&str>, policies: &Policies) -> anyhow::Result<RoutingPolicy> {
    if let Some(policy) = policies.get(asked) {
        return Ok(policy.clone());
    }
    let path = asked.unwrap_or_default();
    let known: Vec<&str> = policies.all().iter().map(|policy| policy.id.as_str()).collect();
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("cannot read the routing policy {path}; those known by id are {}", known.join(", "))
    })?;
    RoutingPolicy::parse(&text).with_context(|| format!("in {path}"))
}

/// The page.
fn page(what_if: &WhatIf, days: u64) -> String {
    let mut page = String::new();
    let mut say = |line: String| {
        // Writing to a string cannot fail.
        writeln!(page, "{line}").expect("a string takes any text");
    };
    let moved = share(what_if.moved, what_if.jobs);
    say(format!("By {} over the last {days} whole days:", what_if.policy.id));
    say(format!("  jobs recorded     {}, {} of them failed", what_if.jobs, what_if.failures));
    say(format!("  to others         {} jobs ({moved})", what_if.moved));
    let avoided = with_interval(&what_if.failures_avoided_millionths, 1_000_000, "");
    say(format!("  failures avoided  {avoided}"));
    match &what_if.latency.change_us {
        Some(change) => {
            let change = with_interval(change, 1_000, " ms");
            say(format!(
                "  first output      {change} a job, of {} compared",
                what_if.latency.jobs
            ));
        }
        None => say("  first output      not known on both sides of any job".to_owned()),
    }
    match &what_if.cost.change_wei {
        Some(change) => {
            let change = with_interval(change, 1_000_000_000, " gwei");
            say(format!("  cost              {change}, of {} jobs compared", what_if.cost.jobs));
        }
        None => say("  cost              not known on both sides of any job".to_owned()),
    }
    let unknown: u64 = what_if.unknown.values().sum();
    if unknown > 0 {
        let why: Vec<String> =
            what_if.unknown.iter().map(|(why, jobs)| format!("{jobs} {why}")).collect();
        say(format!("  cannot be told    {unknown} jobs: {}", why.join(", ")));
    }
    for (title, gains) in [("Who gains most:", true), ("Who loses most:", false)] {
        let shift =
            |shift: &sla::route::whatif::Shift| if gains { shift.gained } else { shift.lost };
        let mut most: Vec<_> = what_if.operators.iter().filter(|(_, one)| shift(one) > 0).collect();
        most.sort_by_key(|(operator, one)| (std::cmp::Reverse(shift(one)), **operator));
        if most.is_empty() {
            continue;
        }
        say(title.to_owned());
        for (operator, one) in most.iter().take(NAMED_MAX) {
            let sign = if gains { '+' } else { '-' };
            say(format!("  {operator}  {sign}{} of {} jobs", shift(one), one.jobs));
        }
    }
    say("This assumes:".to_owned());
    what_if.assumptions.iter().for_each(|assumption| say(format!("- {assumption}")));
    page
}

/// A share of jobs, in per cent with one decimal, rounded down.
fn share(part: u64, whole: u64) -> String {
    let tenths = part.saturating_mul(1_000).checked_div(whole).unwrap_or_default();
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// A change and its interval, in units of `one`, with two decimals.
fn with_interval(estimate: &Estimate, one: i128, unit: &str) -> String {
    let told = |Signed(value): Signed| {
        let hundredths = value * 100 / one;
        let sign = if hundredths < 0 { '-' } else { '+' };
        let hundredths = hundredths.unsigned_abs();
        format!("{sign}{}.{:02}{unit}", hundredths / 100, hundredths % 100)
    };
    let value = told(estimate.value);
    match (estimate.low, estimate.high) {
        (Some(low), Some(high)) => format!("{value} ({} to {})", told(low), told(high)),
        _ => format!("{value} (one day tells no interval)"),
    }
}
