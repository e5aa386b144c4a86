//! `naap explain`: why an operator's scores are what they are, as a page to read or as JSON. It reads and writes nothing.

use anyhow::{Context, bail};
use api::explaining::{Unexplained, explained, newest};
use sla::explain::text;

use crate::cli;
use crate::config::Config;
use crate::console::Console;
use crate::instance::Instance;
use crate::store;

/// Runs the verb.
pub fn run(arguments: &cli::Explain, config: &Config, console: Console) -> anyhow::Result<()> {
    let instance = Instance::look(&config.instance.data)?;
    let network = arguments.network.unwrap_or(config.instance.network);
    let warehouse = store::look_at_warehouse(&instance)?;
    let window = match arguments.window {
        Some(window) => window,
        None => newest(&warehouse, network)?
            .with_context(|| format!("{network} has no settled hour"))?,
    };
    let found = match explained(&warehouse, network, window, arguments.operator) {
        Err(why @ Unexplained::Absent { .. }) => {
            bail!("{why} on {network}; /v1/scores lists its operators, or name another --window")
        }
        found => found.with_context(|| format!("cannot explain {network} {window}"))?,
    };
    if arguments.json {
        let json = serde_json::to_string_pretty(&found).context("an explanation as JSON")?;
        console.line(json)?;
    } else {
        console.text(text(&found.explanation, &found.moved))?;
        if !found.is_whole {
            console.line(format_args!("(the newest {} jobs were looked at)", found.looked_at))?;
        }
    }
    Ok(())
}
