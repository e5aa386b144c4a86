//! `naap verify`: an export is settled again and compared. The answer is the exit code, and one line that says why.
//!
//! It reads no configuration and no data folder: what it needs is in the export.

mod fetch;

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use pipeline::verify::{Verdict, verify};

use crate::cli;
use crate::console::{Console, Progress, counted};

/// Something differs.
const DIVERGES: u8 = 1;

/// It could not be checked.
const UNCHECKED: u8 = 2;

/// Runs the verb.
pub fn run(arguments: &cli::Verify, console: Console) -> ExitCode {
    match check(arguments).and_then(|verdict| say(&verdict, console)) {
        Ok(code) => code,
        Err(error) => {
            crate::report(&error.context(format!("{} could not be checked", arguments.target)));
            ExitCode::from(UNCHECKED)
        }
    }
}

fn check(arguments: &cli::Verify) -> anyhow::Result<Verdict> {
    let target = arguments.target.as_str();
    if target.starts_with("https://") || target.starts_with("http://") {
        let folder = tempfile::tempdir().context("cannot make a folder for the files")?;
        fetch::fetch(target, arguments.loopback, folder.path())?;
        return check_folder(folder.path());
    }
    check_folder(Path::new(target))
}

fn check_folder(folder: &Path) -> anyhow::Result<Verdict> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut progress = Progress::new();
    let verdict = verify(folder, threads, &mut |checked| {
        progress.tell(|| format!("{} checked", counted(checked, "batch", "batches")));
    })?;
    Ok(verdict)
}

fn say(verdict: &Verdict, console: Console) -> anyhow::Result<ExitCode> {
    match verdict {
        Verdict::Agrees { batches, digest, events, results, window } => {
            console.line(format_args!(
                "{window} agrees: digest {digest} from {} in {}, {}",
                counted(*events, "event", "events"),
                counted(*batches, "batch", "batches"),
                counted(u64::try_from(*results).unwrap_or(u64::MAX), "result", "results"),
            ))?;
            Ok(ExitCode::SUCCESS)
        }
        Verdict::Diverges(difference) => {
            console.line(format_args!("diverges: {difference}"))?;
            Ok(ExitCode::from(DIVERGES))
        }
    }
}
