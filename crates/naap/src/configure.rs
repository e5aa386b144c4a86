//! `naap config`, and how every other verb comes by its configuration and its log.

use std::io::IsTerminal;
use std::process::ExitCode;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::cli::{self, Line};
use crate::config::{DEFAULTS, Error, FILE, Layers};
use crate::console::Console;
use crate::doors;

/// Runs the verb.
pub fn run(
    arguments: &cli::Configuration,
    line: &Line,
    console: Console,
) -> anyhow::Result<ExitCode> {
    if arguments.defaults {
        console.text(DEFAULTS)?;
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(path) = &arguments.check {
        let mut layers = Layers::defaults();
        layers.add_file(path)?;
        doors::check(&layers.config()?)?;
        console.line(format_args!("{} can be used", path.display()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let layers = layers(line)?;
    layers.config()?;
    console.text(&layers)?;
    Ok(ExitCode::SUCCESS)
}

/// What is in force: the defaults, the file, the environment, the flags.
pub fn layers(line: &Line) -> Result<Layers, Error> {
    let mut layers = Layers::defaults();
    match &line.config {
        Some(path) => layers.add_file(path)?,
        None => {
            let path = FILE.as_ref();
            if std::path::Path::exists(path) {
                layers.add_file(path)?;
            }
        }
    }
    // A variable that is no text cannot be one of ours.
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    layers.add_variables(std::env::vars_os().filter_map(text))?;
    line.flags().into_iter().try_for_each(|flag| layers.add_flag(flag))?;
    layers.free_intake()?;
    Ok(layers)
}

/// Lets log lines at `level` go to standard error.
pub fn log(level: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(level)
        .map_err(|error| Error::Contradictory(format!("log.level {level:?}: {error}")))?;
    let is_coloured = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_coloured);
    let lines = lines.with_writer(std::io::stderr);
    lines.try_init().map_err(|error| anyhow::anyhow!("{error}")).context("cannot begin to log")
}
