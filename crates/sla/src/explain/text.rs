//! An explanation as a page of text that a person can read.

use std::fmt::Write;

use events::unit::Ppm;

use super::{Explanation, Moved, Part, Scope};
use crate::tally::outcome::Outcome;

/// An explanation and the jobs that moved it most, in plain words.
pub fn text(explained: &Explanation, moved: &[Moved]) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    write(&mut page, explained, moved).expect("a string takes whatever is written");
    page
}

fn write(page: &mut String, explained: &Explanation, moved: &[Moved]) -> std::fmt::Result {
    writeln!(page, "{}  {}  policy {}", explained.operator, explained.window, explained.policy)?;
    match explained.score {
        Some(score) => {
            let upper =
                explained.upper.map_or(String::new(), |it| format!(" (at most {})", points(it)));
            writeln!(page, "score {}{upper}, grade {}", points(score), explained.grade)?;
        }
        None => writeln!(page, "no score: {}", explained.reason.as_deref().unwrap_or("unknown"))?,
    }
    for scope in &explained.scopes {
        writeln!(page)?;
        scope_lines(page, scope)?;
    }
    excluded_lines(page, explained)?;
    moved_lines(page, moved)?;
    writeln!(page, "\nscorecard {}", explained.digest)
}

fn scope_lines(page: &mut String, scope: &Scope) -> std::fmt::Result {
    let name = match &scope.class {
        None => format!("{}, all of it", scope.workload),
        Some(class) => {
            let word = |word: Option<String>| word.unwrap_or_else(|| "unknown".to_owned());
            let pipeline = word(class.pipeline.as_ref().map(ToString::to_string));
            let model = word(class.model.as_ref().map(ToString::to_string));
            format!("{}: {pipeline}, {model}", scope.workload)
        }
    };
    match scope.score {
        Some(score) => writeln!(page, "{name}: {}, grade {}", points(score), scope.grade)?,
        None => {
            writeln!(page, "{name}: no score: {}", scope.reason.as_deref().unwrap_or("unknown"))?
        }
    }
    scope.parts.iter().try_for_each(|part| part_lines(page, part))
}

fn part_lines(page: &mut String, part: &Part) -> std::fmt::Result {
    write!(page, "  {:<12} weight {:>2}/16", part.name, part.weight)?;
    if let (Some(lower), Some(rate)) = (part.lower, part.rate) {
        write!(page, "  proven {:>5}  seen {:>5}", points(lower), points(rate))?;
    }
    if let Some(lost) = part.lost {
        let doubt =
            part.lost_to_doubt.map_or(String::new(), |it| format!(", {} of it doubt", points(it)));
        write!(page, "  costs {}{doubt}", points(lost))?;
    }
    writeln!(page)?;
    for source in &part.sources {
        let all = source.good + source.bad + source.disputed;
        let mut remarks = Vec::new();
        if !source.counts {
            remarks.push("too few to count".to_owned());
        }
        if part.decides == Some(source.source) {
            remarks.push("its bound is the low median".to_owned());
        }
        if let Some(sharers) = source.sharers {
            remarks.push(format!("shares one vote with {} more", sharers.saturating_sub(1)));
        }
        let remarks =
            if remarks.is_empty() { String::new() } else { format!("  ({})", remarks.join("; ")) };
        let disputed = if source.disputed > 0 {
            format!(", {} disputed", source.disputed)
        } else {
            String::new()
        };
        writeln!(page, "      {}  {} of {all} met{disputed}{remarks}", source.source, source.good)?;
    }
    match &part.lift {
        Some(lift) => match lift.score {
            Some(score) => {
                writeln!(page, "      {} more met: {}", lift.good_more, points(score))
            }
            None => writeln!(page, "      {} more from one source and it counts", lift.good_more),
        },
        None => Ok(()),
    }
}

fn excluded_lines(page: &mut String, explained: &Explanation) -> std::fmt::Result {
    let excluded = &explained.excluded;
    let all = [
        (excluded.own, "told by nobody but itself"),
        (excluded.linked, "told by somebody who is one party with it"),
        (excluded.young, "told by gateways that are no source yet"),
        (excluded.outage, "failed in an outage"),
    ];
    if !excluded.is_none() {
        writeln!(page, "\nnot counted:")?;
    }
    for (count, why) in all.into_iter().filter(|(count, _)| *count > 0) {
        writeln!(page, "  {count} obligations {why}")?;
    }
    Ok(())
}

fn moved_lines(page: &mut String, moved: &[Moved]) -> std::fmt::Result {
    if !moved.is_empty() {
        writeln!(page, "\njobs that cost it most:")?;
    }
    for job in moved {
        let owed = job.obligations.iter().map(|owed| {
            let contested = if owed.outcome == Outcome::Disputed { " (contested)" } else { "" };
            let why = owed.reason.map_or(String::new(), |reason| format!(": {reason}"));
            format!("{}{contested}{why}", owed.obligation)
        });
        let owed: Vec<String> = owed.collect();
        writeln!(page, "  {}  at {}  {}", job.job_id, job.first_ms, owed.join(", "))?;
        for batch in &job.batches {
            writeln!(
                page,
                "      signed by {} epoch {} batch {}",
                batch.key, batch.epoch, batch.seq
            )?;
        }
    }
    Ok(())
}

/// A share as points of a hundred, with one digit, rounded down.
fn points(share: Ppm) -> String {
    format!("{}.{}", share.0 / 10_000, share.0 % 10_000 / 1_000)
}
