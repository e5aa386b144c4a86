//! Verification of a window of several hours: the counts of its hours are hashed, merged and scored again.
//!
//! That the counts are those of the hours' events is shown by the hours' own exports, which a deep verification takes in
//! turn. Counts are read a line at a time, so that four weeks of them fit.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use events::event::Network;
use events::identity::Digest;
use serde::Deserialize;
use sla::score::Scoring;
use sla::scorecard::{Basis, PinnedHour, Scorecard, canonical_bytes, digest_of};
use sla::tally::Tally;
use sla::window::{Hour, Span};

use super::{
    Claim, Error, MANIFEST, SMALL_FILE_MAX, Verdict, check_file, json, listed_otherwise, open,
    small, unreadable, unusable, verify_hour,
};
use crate::export::REGISTER;
use crate::export::span::{FILES, Manifest, TALLIES};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    hour: Hour,
    revision: u32,
    tally: Tally,
}

/// Verifies the folder of a window of several hours.
pub(super) fn verify_window(
    folder: &Path,
    manifest: &[u8],
    progress: &mut dyn FnMut(u64),
) -> Result<Verdict, Error> {
    let manifest: Manifest = json(manifest, MANIFEST)?;
    if manifest.names().is_none() {
        return Err(listed_otherwise(&manifest.files, &FILES));
    }
    for file in &manifest.files {
        if let Some(difference) = check_file(folder, file)? {
            return Ok(Verdict::Diverges(difference));
        }
    }
    let Manifest { digest, network, window, .. } = manifest;
    if window.span == Span::Hour {
        return Err(unusable(MANIFEST, format!("{window} is a single hour")));
    }
    let has_register = manifest.files.iter().any(|file| file.name == REGISTER);
    let claim = match Claim::read(folder, digest, (network, window), has_register)? {
        Ok(claim) => claim,
        Err(difference) => return Ok(Verdict::Diverges(difference)),
    };
    let (found, hours) = match merge(folder, &claim, progress)? {
        Ok(merged) => merged,
        Err(difference) => return Ok(Verdict::Diverges(difference)),
    };
    if let Some(difference) = claim.differs(&found) {
        return Ok(Verdict::Diverges(difference));
    }
    if hours != manifest.hours {
        let says = manifest.hours;
        let difference = format!("hours: the manifest says {says}, these files hold {hours}");
        return Ok(Verdict::Diverges(difference));
    }
    let results = found.results.len();
    Ok(Verdict::Merges { digest, hours, results, window: window.to_string() })
}

/// The scorecard that the counts give, and how many hours they are of.
fn merge(
    folder: &Path,
    claim: &Claim,
    progress: &mut dyn FnMut(u64),
) -> Result<Result<(Scorecard, u64), String>, Error> {
    let window = claim.scorecard.window;
    let mut scoring = Scoring::new(claim.asked());
    let mut pinned = BTreeMap::new();
    let mut reader = BufReader::with_capacity(1 << 20, open(folder, TALLIES)?);
    let mut hours = 0;
    while let Some(line) = next_line(&mut reader)? {
        hours += 1;
        let Line { hour, revision, tally } = json(&line, TALLIES)?;
        let is_inside = hour <= window.last && window.last.0 - hour.0 < window.span.hours();
        let pin = PinnedHour { hour, revision, tally: digest_of(&tally) };
        if !is_inside || pinned.insert(hour, pin).is_some() {
            let why = "is not in the window, or there twice";
            return Ok(Err(format!("{TALLIES} line {hours}: {hour} {why}")));
        }
        scoring.add(hour, &tally);
        progress(hours);
    }
    let basis = Basis::Hours(pinned.into_values().collect());
    Ok(Ok((scoring.finish(basis, None), hours)))
}

fn next_line(reader: &mut impl BufRead) -> Result<Option<Vec<u8>>, Error> {
    let mut line = Vec::new();
    let read = reader
        .by_ref()
        .take(SMALL_FILE_MAX)
        .read_until(b'\n', &mut line)
        .map_err(unreadable(TALLIES))?;
    if read == 0 {
        return Ok(None);
    }
    if line.pop() != Some(b'\n') {
        return Err(unusable(TALLIES, "a line that is too long or has no end"));
    }
    Ok(Some(line))
}

/// The network of an exported window and the hours that it rests on.
pub fn pinned(folder: &Path) -> Result<(Network, Vec<PinnedHour>), Error> {
    let scorecard: Scorecard = json(&small(folder, "scorecard.json")?, "scorecard.json")?;
    match scorecard.basis {
        Basis::Hours(pinned) => Ok((scorecard.network, pinned)),
        Basis::Events(_) => Err(unusable("scorecard.json", "it rests on events, not on hours")),
    }
}

/// Verifies the export of an hour that a window rests on: its events must give the counts that the window merged.
pub fn verify_pinned(
    folder: &Path,
    pin: &PinnedHour,
    threads: usize,
) -> Result<Option<String>, Error> {
    let manifest = small(folder, MANIFEST)?;
    let PinnedHour { hour, revision, tally } = pin;
    let verified = match verify_hour(folder, &manifest, threads, &mut |_| {})? {
        Ok(verified) => verified,
        Err(difference) => return Ok(Some(format!("{hour}: {difference}"))),
    };
    if verified.window.last != *hour || verified.revision != *revision {
        let (window, other) = (verified.window, verified.revision);
        let difference =
            format!("{hour} revision {revision}: this export is of {window} revision {other}");
        return Ok(Some(difference));
    }
    let found = Digest::of(&[&canonical_bytes(&verified.settled.tally)]);
    Ok((found != *tally).then(|| {
        format!(
            "{hour} revision {revision}: the window merged counts {tally}, its events give {found}"
        )
    }))
}
