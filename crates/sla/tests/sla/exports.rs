//! Every hour of every case, and hours of worlds from fixed seeds, as exported folders: what `scripts/test` gives to the
//! second implementation in `sdk/python`.

#[path = "exports/noise.rs"]
mod noise;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use events::batch::Batch;
use events::identity::Digest;
use events::wire::to_line;
use serde_json::json;
use sla::hour::{OpenJobs, Settled};
use sla::opened::Opened;
use sla::policy::Policy;
use sla::scorecard::canonical_bytes;

use crate::cases;
use crate::settling::Question;
use crate::world::{self, Knobs, World};

/// How many worlds are made, half of them noise; each has five hours.
const WORLDS: u64 = 60;

/// Writes what `naap export` writes: the same files, in the format of docs/scoring.md, "What an export holds".
///
/// `sent` are the batches that `opened` are read from, in the same order.
fn export(
    folder: &Path,
    question: &Question<'_>,
    settled: &Settled,
    policy: &str,
    (sent, opened): (&[Batch], &[&Opened]),
) {
    let exported = question.exported(settled, opened);
    let needed: BTreeSet<Digest> = exported.iter().map(|batch| batch.hash).collect();
    let needed = sent.iter().zip(opened).filter(|(_, opened)| needed.contains(&opened.hash));
    let lines: Vec<Vec<u8>> =
        needed.map(|(batch, _)| [to_line(batch), b"\n".to_vec()].concat()).collect();
    let scorecard = question.score(settled);
    let files = [
        ("scorecard.json", scorecard.bytes()),
        ("policy.toml", policy.as_bytes().to_vec()),
        ("trust.json", canonical_bytes(&question.trust.sorted())),
        ("context.json", canonical_bytes(question.open)),
        ("batches.ndjson", lines.concat()),
    ];
    fs::create_dir_all(folder).unwrap();
    for (name, content) in &files {
        fs::write(folder.join(name), content).unwrap();
    }
    let entry = |(name, content): &(&str, Vec<u8>)| json!({"bytes": content.len(), "name": name, "sha256": Digest::of(&[content])});
    let manifest = json!({
        "batches": lines.len(),
        "digest": scorecard.digest(),
        "event_set": settled.event_set,
        "files": files.iter().map(entry).collect::<Vec<_>>(),
        "format": "naap/export/1",
        "network": question.trust.network,
        "revision": 0,
        "window": scorecard.window,
    });
    fs::write(folder.join("manifest.json"), canonical_bytes(&manifest)).unwrap();
}

/// A world that happened, or one to which noise is added.
fn world(seed: u64) -> World {
    let faults = [0, 60, 400][usize::try_from(seed % 3).unwrap()];
    let is_noisy = seed >= WORLDS / 2;
    let jobs = if is_noisy { 1 } else { 2 + seed % 9 };
    let mut world = World::new(Knobs { seed, jobs, faults, is_crowded: seed % 2 == 1 });
    if is_noisy {
        let mut chance = world.chance.clone();
        let noise = noise::noise(&mut chance, &world);
        world.batches.extend(noise.iter().map(Opened::of));
        world.sent.extend(noise);
    }
    world
}

#[test]
#[ignore = "writes the folders that scripts/test has checked by sdk/python, where NAAP_EXPORTS says"]
fn cases_and_worlds_are_written_as_exports() {
    let root = std::env::var("NAAP_EXPORTS").expect("NAAP_EXPORTS names a folder to write");
    let root = Path::new(&root);
    cases::each_hour(|name, question, settled, policy, batches| {
        let folder = root.join(format!("{name}-{}", question.hour));
        export(&folder, question, settled, policy, batches);
    });
    let policy = Policy::built_in("reliability-1").unwrap();
    for seed in 0..WORLDS {
        let world = world(seed);
        let mut open = OpenJobs::new();
        for hour in world::hours() {
            let question = Question { hour, open: &open, policy: &policy, trust: &world.trust };
            let batches = world.batches();
            let settled = question.settle(&batches);
            let folder = root.join(format!("world-{seed:03}-{hour}"));
            export(&folder, &question, &settled, &policy.text, (&world.sent, &batches));
            open = settled.open;
        }
    }
}
