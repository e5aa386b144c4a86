//! What `naap export` writes: the same files, in the format of docs/scoring.md, "What an export holds".

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use events::batch::Batch;
use events::identity::Digest;
use events::wire::to_line;
use serde_json::json;
use sla::hour::{EventSet, Settled};
use sla::opened::Opened;
use sla::score::Question as Asked;
use sla::scorecard::{PinnedHour, Scorecard, canonical_bytes};
use sla::tally::Tally;

use crate::settling::Question;

/// What a folder is made of.
pub struct Folder<'a> {
    pub asked: Asked<'a>,
    /// Of an hour alone.
    pub event_set: Option<&'a EventSet>,
    /// The batches of an hour, the tallies of a longer window.
    pub lines: Vec<Vec<u8>>,
    pub scorecard: &'a Scorecard,
}

/// The lines of the batches that an export of the hour holds; `sent` are those that `opened` are read from, in the same
/// order.
pub fn batches(
    question: &Question<'_>,
    settled: &Settled,
    (sent, opened): (&[Batch], &[&Opened]),
) -> Vec<Vec<u8>> {
    let exported = question.exported(settled, opened);
    let needed: BTreeSet<Digest> = exported.iter().map(|batch| batch.hash).collect();
    let needed = sent.iter().zip(opened).filter(|(_, opened)| needed.contains(&opened.hash));
    needed.map(|(batch, _)| [to_line(batch), b"\n".to_vec()].concat()).collect()
}

/// The lines of the tallies that a longer window merges, last to first: their order says nothing.
pub fn tallies(hours: &[(PinnedHour, &Tally)]) -> Vec<Vec<u8>> {
    let line = |(pin, tally): &(PinnedHour, &Tally)| {
        let line = json!({"hour": pin.hour, "revision": pin.revision, "tally": tally});
        [canonical_bytes(&line), b"\n".to_vec()].concat()
    };
    hours.iter().rev().map(line).collect()
}

/// Writes a folder.
pub fn write(path: &Path, folder: &Folder<'_>) {
    let Folder { asked, event_set, lines, scorecard } = folder;
    let beside = if event_set.is_some() { "batches.ndjson" } else { "tallies.ndjson" };
    let mut files = vec![
        ("scorecard.json", scorecard.bytes()),
        ("policy.toml", asked.policy.text.as_bytes().to_vec()),
        ("trust.json", canonical_bytes(&asked.trust.sorted())),
        ("context.json", canonical_bytes(asked.context)),
        (beside, lines.concat()),
    ];
    if asked.context.register().is_some() {
        files.push(("register.json", canonical_bytes(asked.register)));
    }
    fs::create_dir_all(path).unwrap();
    for (name, content) in &files {
        fs::write(path.join(name), content).unwrap();
    }
    let entry = |(name, content): &(&str, Vec<u8>)| json!({"bytes": content.len(), "name": name, "sha256": Digest::of(&[content])});
    let mut manifest = json!({
        "digest": scorecard.digest(),
        "files": files.iter().map(entry).collect::<Vec<_>>(),
        "format": "naap/export/1",
        "network": asked.trust.network,
        "revision": 0,
        "window": scorecard.window,
    });
    if let Some(event_set) = event_set {
        manifest["batches"] = json!(lines.len());
        manifest["event_set"] = json!(event_set);
    }
    fs::write(path.join("manifest.json"), canonical_bytes(&manifest)).unwrap();
}
