//! `naap export`: what an hour's scorecard rests on, as plain files. It reads beside a running process and changes nothing.

use anyhow::{Context, bail};
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
    if window.span != Span::Hour {
        bail!("{window} is no hour: export its hours one by one, the last is {}", window.last);
    }
    let instance = Instance::look(&config.instance.data)?;
    let network = arguments.network.unwrap_or(config.instance.network);
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
