//! `naap`: reads the configuration, picks implementations, starts and stops roles.
//!
//! What it measures and what that means is in the crates below; here is only who gets which part of whom. Exit codes:
//! 0 done, 1 failed (`verify`: differs), 2 wrong usage or configuration (`verify`: could not be checked).

mod cli;
mod config;
mod configure;
mod console;

mod instance;
mod known;
mod leaderboard;
mod process;
mod room;
mod store;

mod explain;
mod export;
mod import;
mod publish_dataset;
mod rescore;
mod route_report;
mod verify;

mod exports;
mod follow;
mod private;
mod watch;
mod web;
mod webhooks;

mod accept;
mod backbone;
mod settling;

mod doors;
mod herald;
mod node;
mod own;
mod simulate;

mod dev;
mod ingest;
mod publish;
mod serve;

use std::process::ExitCode;

use clap::Parser;
use cli::{Line, Verb};
use console::Console;

/// What is read on one thread is let go on another, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong usage or configuration.
const UNUSABLE: u8 = 2;

fn main() -> ExitCode {
    let line = Line::parse();
    match run(&line) {
        Ok(code) => code,
        Err(error) => {
            report(&error);
            let is_configuration = error.downcast_ref::<config::Error>().is_some();
            if is_configuration { ExitCode::from(UNUSABLE) } else { ExitCode::FAILURE }
        }
    }
}

fn run(line: &Line) -> anyhow::Result<ExitCode> {
    let console = Console;
    if let Verb::Verify(arguments) = &line.verb {
        return Ok(verify::run(arguments, console));
    }
    if let Verb::Config(arguments) = &line.verb {
        return configure::run(arguments, line, console);
    }
    let config = configure::layers(line)?.config()?;
    configure::log(&config.log.level)?;
    match &line.verb {
        Verb::Import(arguments) => import::run(arguments, &config, console)?,
        Verb::Export(arguments) => export::run(arguments, &config, console)?,
        Verb::PublishDataset(arguments) => publish_dataset::run(arguments, &config, console)?,
        Verb::Explain(arguments) => explain::run(arguments, &config, console)?,
        Verb::Score(arguments) => rescore::run(arguments, &config, console)?,
        Verb::RouteReport(arguments) => route_report::run(arguments, &config, console)?,
        Verb::Dev(_) => dev::run(&config, console)?,
        Verb::Serve(_) => serve::run(&config, console)?,
        Verb::Publish(_) => publish::run(&config, console)?,
        Verb::Ingest(_) => ingest::run(&config, console)?,
        Verb::Verify(_) | Verb::Config(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

/// Says on standard error why we stop: what was tried, and the reasons down to the first.
pub fn report(error: &anyhow::Error) {
    use std::io::Write;
    let reasons: Vec<String> = error.chain().map(ToString::to_string).collect();
    // Reasons that repeat the one before them say nothing new.
    let mut said: Vec<&str> = Vec::new();
    for reason in &reasons {
        if !said.iter().any(|before| before.contains(reason.as_str())) {
            said.push(reason);
        }
    }
    // With standard error gone there is nobody to tell.
    writeln!(std::io::stderr().lock(), "naap: {}", said.join(": ")).ok();
}
