//! `naap verify` of a folder that `naap publish-dataset` wrote: whether it is what its publisher signed.
//!
//! Whether what was signed is true is another question: `naap verify` of the exports of its hours answers that.

use std::path::Path;
use std::process::ExitCode;

use anyhow::bail;
use dataset::folder::{Verdict, check};

use super::DIVERGES;
use crate::cli;
use crate::console::{Console, Progress, counted, grouped};
use crate::publish_dataset::named;

/// Checks the folder and says what came of it.
pub fn run(arguments: &cli::Verify, console: Console) -> anyhow::Result<ExitCode> {
    if arguments.deep {
        bail!("it is a published dataset, which holds no events: leave out --deep");
    }
    let mut progress = Progress::new();
    let verdict = check(Path::new(&arguments.target), &mut |read| {
        progress.tell(|| format!("{} files read", grouped(read)));
    })?;
    drop(progress);
    match verdict {
        Verdict::Differs(difference) => {
            console.line(format_args!("diverges: {difference}"))?;
            Ok(ExitCode::from(DIVERGES))
        }
        Verdict::Agrees { manifest, strays } => {
            let number = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
            console.line(format_args!(
                "{} agrees: {}, {}, {}, signed by {}",
                manifest.network,
                counted(number(manifest.cards.len()), "scorecard", "scorecards"),
                counted(number(manifest.files.len()), "file", "files"),
                counted(manifest.files.iter().map(|file| file.rows).sum(), "row", "rows"),
                named(&manifest.publisher),
            ))?;
            if strays > 0 {
                console.line(format_args!(
                    "{} of an unfinished publication beside them: read by the manifest, or publish again",
                    counted(number(strays), "file", "files"),
                ))?;
            }
            Ok(ExitCode::SUCCESS)
        }
    }
}
