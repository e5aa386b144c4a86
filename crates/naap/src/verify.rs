//! `naap verify`: an export is settled again and compared, a published dataset is compared with what was signed. The
//! answer is the exit code, and one line that says why.
//!
//! It reads no configuration and no data folder: what it needs is in the export.

mod deep;
mod fetch;
mod published;

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, bail};
use pipeline::verify::{Verdict, verify};

use crate::cli;
use crate::console::{Console, Progress, counted};

/// Something differs.
const DIVERGES: u8 = 1;

/// It could not be checked.
const UNCHECKED: u8 = 2;

/// Runs the verb.
pub fn run(arguments: &cli::Verify, console: Console) -> ExitCode {
    let outcome = if dataset::folder::is_published(Path::new(&arguments.target)) {
        published::run(arguments, console)
    } else {
        check(arguments).and_then(|checked| say(&checked, console))
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            crate::report(&error.context(format!("{} could not be checked", arguments.target)));
            ExitCode::from(UNCHECKED)
        }
    }
}

/// What was found, and whether every hour was looked at too.
struct Checked {
    is_deep: bool,
    verdict: Verdict,
}

fn check(arguments: &cli::Verify) -> anyhow::Result<Checked> {
    let target = arguments.target.as_str();
    if target.starts_with("https://") || target.starts_with("http://") {
        let folder = tempfile::tempdir().context("cannot make a folder for the files")?;
        let url = fetch::address(target);
        fetch::fetch(&url, arguments.loopback, folder.path())?;
        let place = deep::Place::Url { loopback: arguments.loopback, url: &url };
        return check_folder(folder.path(), arguments.deep.then_some(place));
    }
    check_folder(Path::new(target), arguments.deep.then_some(deep::Place::Folder))
}

fn check_folder(folder: &Path, hours: Option<deep::Place<'_>>) -> anyhow::Result<Checked> {
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut progress = Progress::new();
    let verdict = verify(folder, threads, &mut |checked| {
        progress.tell(|| format!("{checked} checked"));
    })?;
    drop(progress);
    let Some(place) = hours else { return Ok(Checked { is_deep: false, verdict }) };
    let verdict = match verdict {
        Verdict::Merges { .. } => match place.check(folder, threads)? {
            Some(difference) => Verdict::Diverges(difference),
            None => verdict,
        },
        Verdict::Agrees { window, .. } => {
            bail!("{window} is an hour, which is always made from its events: leave out --deep")
        }
        Verdict::Diverges(_) => verdict,
    };
    Ok(Checked { is_deep: true, verdict })
}

fn say(Checked { is_deep, verdict }: &Checked, console: Console) -> anyhow::Result<ExitCode> {
    match verdict {
        Verdict::Merges { digest, hours, results, window } => {
            let from = if *is_deep { "each made again from its events" } else { "merged" };
            console.line(format_args!(
                "{window} agrees: digest {digest} from {}, {from}, {}",
                counted(*hours, "hour", "hours"),
                counted(u64::try_from(*results).unwrap_or(u64::MAX), "result", "results"),
            ))?;
            Ok(ExitCode::SUCCESS)
        }
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
