//! `naap export`: what a window's scorecard rests on, as plain files. It reads beside a running process and changes nothing.

use anyhow::{Context, bail};
use events::event::Network;
use pipeline::export::span::SpanExport;
use pipeline::export::{BATCHES, Export};
use sla::window::Span;

use crate::cli;
use crate::config::Config;
use crate::console::{Console, Progress, counted, grouped};
use crate::instance::Instance;
use crate::store;

/// Runs the verb.
pub fn run(arguments: &cli::Export, config: &Config, console: Console) -> anyhow::Result<()> {
    let window = arguments.window;
    let instance = Instance::look(&config.instance.data)?;
    let network = arguments.network.unwrap_or(config.instance.network);
    if window.span != Span::Hour {
        return run_span(arguments, &instance, network, console);
    }
    if arguments.deep {
        bail!("{window} is an hour, whose export holds its events: leave out --deep");
    }
    let ledger = store::look_at_ledger(&instance)?;
    let warehouse = store::look_at_warehouse(&instance)?;
    let export = Export::of(&ledger, &warehouse, network, window.last, arguments.revision)
        .with_context(|| {
            format!("cannot export {network} {window}; see /v1/windows, or name another --network")
        })?;
    let total = export.manifest.batches;
    let mut progress = Progress::new();
    export.write(&ledger, &arguments.out, &mut |written| {
        progress.tell(|| format!("{BATCHES}: {} of {} batches", grouped(written), grouped(total)));
    })?;
    drop(progress);
    let manifest = &export.manifest;
    console.line(format_args!(
        "{network} {window} revision {}: {}, {}, digest {}, in {}",
        manifest.revision,
        counted(manifest.batches, "batch", "batches"),
        counted(manifest.event_set.count, "event", "events"),
        manifest.digest,
        arguments.out.display()
    ))?;
    Ok(())
}

/// A window of several hours.
fn run_span(
    arguments: &cli::Export,
    instance: &Instance,
    network: Network,
    console: Console,
) -> anyhow::Result<()> {
    let window = arguments.window;
    if let Some(revision) = arguments.revision.filter(|revision| *revision > 0) {
        bail!("{window} has no revision {revision}: only hours are settled again");
    }
    let warehouse = store::look_at_warehouse(instance)?;
    let ledger = arguments.deep.then(|| store::look_at_ledger(instance)).transpose()?;
    let export = SpanExport::of(&warehouse, network, window).with_context(|| {
        format!("cannot export {network} {window}; see /v1/windows, or name another --network")
    })?;
    let total = export.manifest.hours;
    let mut progress = Progress::new();
    export.write(&warehouse, ledger.as_ref(), &arguments.out, &mut |written| {
        progress.tell(|| format!("{} of {} hours", grouped(written), grouped(total)));
    })?;
    drop(progress);
    console.line(format_args!(
        "{network} {window}: {}, digest {}, in {}",
        counted(total, "hour", "hours"),
        export.manifest.digest,
        arguments.out.display()
    ))?;
    Ok(())
}
