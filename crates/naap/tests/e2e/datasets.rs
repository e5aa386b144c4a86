//! Published datasets: what is in them, that publishing again changes nothing, and what crashes and flips come to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use dataset::folder::{Folder, Verdict, check};
use dataset::manifest::Manifest;
use events::event::Network;
use publisher::identity::Identity;
use sla::scorecard::Scorecard;
use sla::window::{Hour, Window};
use warehouse::Reader;

use super::process::{done, naap, run, text};
use super::record::{hours, warehouse};
use super::world::{THEN, as_export, envelopes};

/// A data folder with two hours of one day and one of the next.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let scene = Self { folder: tempfile::tempdir().unwrap() };
        scene.import("first.json", 5, THEN.0, 70);
        scene.import("next.json", 6, THEN.0 + 4 * 3_600_000, 20);
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, name: &str, seed: u64, start: u64, minutes: u64) {
        let said = envelopes(seed, events::unit::UnixMillis(start), minutes);
        std::fs::write(self.path(name), as_export(&said)).unwrap();
        done(&["import", "--data", text(&self.path("data")), text(&self.path(name))]);
    }

    fn publish(&self, more: &[&str]) -> String {
        let (data, to) = (self.path("data"), self.path("published"));
        done(&[&["publish-dataset", "--data", text(&data), "--out", text(&to)], more].concat())
    }

    fn manifest(&self) -> Manifest {
        agreed(&self.path("published")).0
    }
}

/// The manifest of a folder that agrees with it, and the files beside it.
fn agreed(folder: &Path) -> (Manifest, usize) {
    match check(folder, &mut |_| {}).unwrap() {
        Verdict::Agrees { manifest, strays } => (*manifest, strays),
        Verdict::Differs(why) => panic!("{why}"),
    }
}

/// Every file below a folder but the lock, with when it was last changed.
fn files(folder: &Path) -> BTreeMap<PathBuf, std::time::SystemTime> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap().path();
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.file_name().unwrap() != ".lock" {
            let changed = std::fs::metadata(&entry).unwrap().modified().unwrap();
            found.insert(entry, changed);
        }
    }
    found
}

fn rows(manifest: &Manifest, kind: &str) -> u64 {
    let files = manifest.files.iter().filter(|file| file.kind.to_string() == kind);
    files.map(|file| file.rows).sum()
}

/// What the warehouse says the rows of some kinds should number.
fn expected(data: &Path) -> BTreeMap<&'static str, usize> {
    let warehouse = warehouse(data);
    let mut counted = BTreeMap::new();
    let mut add = |kind, count| *counted.entry(kind).or_insert(0) += count;
    for (hour, view) in hours(data) {
        let tally = &view.tally;
        add("cells", tally.cells.len());
        add("demand", tally.demand.len());
        add("outcomes", tally.cells.values().map(|cell| cell.obligations.len()).sum());
        let spread = tally.cells.values().flat_map(|cell| cell.measured.values());
        add("histograms", spread.map(|histogram| histogram.0.len()).sum());
        add("refusals", view.refused.len());
        let offered = warehouse.supply(Network::Livepeer, hour..=hour).unwrap();
        add("gpus", offered.iter().map(|supply| supply.gpus.len()).sum());
        add("offers", offered.iter().map(|supply| supply.offers.len().max(1)).sum());
        let jobs = warehouse.hour_jobs(Network::Livepeer, hour, None).unwrap();
        add("jobs", jobs.iter().map(|fact| fact.tenures.len().max(1)).sum());
        for span in sla::window::Span::ALL {
            let bytes = if *span == sla::window::Span::Hour {
                view.scorecard_bytes.clone()
            } else {
                let window = Window { last: hour, span: *span };
                let Some(view) = warehouse.window_record(Network::Livepeer, window).unwrap() else {
                    continue;
                };
                view.scorecard_bytes
            };
            let card: Scorecard = serde_json::from_slice(&bytes).unwrap();
            add("scores", card.results.len());
            add("cards", 1);
        }
    }
    counted
}

#[test]
fn a_dataset_tells_what_is_settled_and_only_what_changed_is_written_again() {
    let scene = Scene::new();
    let said = scene.publish(&[]);
    assert!(said.contains("2 days (2 written)") && said.contains("signed by"), "{said}");
    let manifest = scene.manifest();
    let expected = expected(&scene.path("data"));
    assert_eq!(manifest.cards.len(), expected["cards"]);
    for (kind, rows_expected) in expected.iter().filter(|(kind, _)| **kind != "cards") {
        assert_eq!(rows(&manifest, kind), u64::try_from(*rows_expected).unwrap(), "{kind}");
    }
    for kind in ["gpus", "histograms", "jobs", "offers", "sums"] {
        assert!(rows(&manifest, kind) > 0, "{kind}");
    }
    for (hour, view) in hours(&scene.path("data")) {
        let card = manifest.cards.iter().find(|card| card.window == hour.to_string()).unwrap();
        assert_eq!((card.revision, card.digest), (view.revision, view.digest));
    }
    let granted = manifest.publisher.speaks_for.as_ref().unwrap();
    assert_eq!(granted.delegation.key, manifest.publisher.key);

    let published = scene.path("published");
    let before = files(&published);
    let said = scene.publish(&[]);
    assert!(said.contains("(0 written)") && said.contains("nothing new"), "{said}");
    assert_eq!(files(&published), before, "nothing is touched");

    // More of the second day: its files change, and nothing of the first is written.
    scene.import("more.json", 7, THEN.0 + 4 * 3_600_000, 10);
    let said = scene.publish(&[]);
    assert!(said.contains("2 days (1 written)"), "{said}");
    let is_first = |path: &Path| path.to_string_lossy().contains("day=2026-01-08");
    let after = files(&published);
    for (path, changed) in before.iter().filter(|(path, _)| is_first(path)) {
        assert_eq!(after.get(path), Some(changed), "{}", path.display());
    }
    let again = scene.manifest();
    let hour: Hour = "2026-01-09T00Z".parse().unwrap();
    let card = again.cards.iter().find(|card| card.window == hour.to_string()).unwrap();
    assert_eq!(card.revision, 1);
    assert_eq!(again.publisher, manifest.publisher, "the delegation still reaches");
    assert_eq!(after.len(), again.files.len() + 1, "what nothing names any more is gone");

    // The same data published elsewhere is the same bytes.
    let data = scene.path("data");
    let other = scene.path("other");
    let range = ["--from", "2026-01-09", "--to", "2026-01-09"];
    done(
        &[&["publish-dataset", "--data", text(&data), "--out", text(&other)], &range[..]].concat(),
    );
    let of_day: Vec<_> =
        again.files.iter().filter(|file| file.day.to_string() == "2026-01-09").cloned().collect();
    assert_eq!(agreed(&other).0.files, of_day);
}

#[test]
fn a_flipped_byte_is_named_and_mended_by_publishing_again() {
    let scene = Scene::new();
    scene.publish(&[]);
    let published = scene.path("published");
    let said = done(&["verify", text(&published)]);
    assert!(said.contains("livepeer agrees: ") && said.contains("signed by"), "{said}");
    let manifest = scene.manifest();
    let file = manifest.files.iter().find(|file| file.kind.to_string() == "scores").unwrap();
    let path = published.join(&file.path);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let output = run(&["verify", text(&published)]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(said.starts_with("diverges: ") && said.contains(&file.path), "{said}");
    // Publishing again does not sign what it did not write, whatever days were asked for.
    let said = scene.publish(&["--to", "2025-12-31"]);
    assert!(said.contains("(1 written)"), "{said}");
    assert_eq!(scene.manifest().files, manifest.files);

    let path = published.join("manifest.json");
    let signed = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, signed.replacen("\"rows\":", "\"rows\":1", 1)).unwrap();
    let output = run(&["verify", text(&published)]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("manifest.json"));
    std::fs::remove_file(&path).unwrap();
    assert_eq!(run(&["verify", text(&published)]).status.code(), Some(2));
    scene.publish(&[]);
    assert_eq!(scene.manifest().files, manifest.files, "the files were all still there");
}

#[test]
fn a_day_without_a_kind_that_came_since_is_written_again() {
    let scene = Scene::new();
    scene.publish(&[]);
    let manifest = scene.manifest();
    let node = scene.path("data").join("nodes/controller");
    let controller = Identity::read(&node.join("node"), &node.join("publisher.key")).unwrap();
    let mut older = manifest.clone();
    older.files.retain(|file| file.kind.to_string() != "sums");
    let mut folder = Folder::open(&scene.path("published"), Network::Livepeer).unwrap();
    folder.publish(older, controller.secret()).unwrap();
    drop(folder);
    assert_eq!(rows(&scene.manifest(), "sums"), 0);
    let said = scene.publish(&[]);
    assert!(said.contains("(2 written)"), "{said}");
    assert_eq!(scene.manifest().files, manifest.files);
}

#[test]
fn a_publication_that_is_killed_leaves_a_true_manifest() {
    let scene = Scene::new();
    let (data, published) = (scene.path("data"), scene.path("published"));
    scene.publish(&["--to", "2026-01-08"]);
    let before = scene.manifest();
    let mut cut = 0;
    for round in 0..12_u64 {
        // Each round has the second day still to publish, and is cut a little later.
        std::fs::remove_dir_all(&published).unwrap();
        scene.publish(&["--to", "2026-01-08"]);
        let arguments = ["publish-dataset", "--data", text(&data), "--out", text(&published)];
        let mut child =
            naap(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(12 * round));
        child.kill().unwrap();
        child.wait().unwrap();
        let (manifest, strays) = agreed(&published);
        cut += usize::from(strays > 0);
        let days = manifest.files.iter().filter(|file| file.day.to_string() == "2026-01-09");
        assert!(manifest.files == before.files || days.count() > 0);
        scene.publish(&[]);
        let (manifest, strays) = agreed(&published);
        assert_eq!(strays, 0);
        assert_eq!(files(&published).len(), manifest.files.len() + 1, "no drafts are left");
    }
    super::kills::tell(&format!("{cut} of 12 publications were cut between files and manifest"));
}

#[test]
fn what_cannot_be_published_says_why() {
    let scene = Scene::new();
    let (data, to) = (scene.path("data"), scene.path("published"));
    let refused = |arguments: &[&str]| {
        let output = run(&[&["publish-dataset", "--data", text(&data)], arguments].concat());
        assert!(!output.status.success());
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (code, said) = refused(&["--out", text(&to), "--from", "2026-02-30"]);
    assert!(code == 2 && said.contains("a day such as 2026-01-08"), "{said}");
    let (code, said) = refused(&["--out", text(&to), "--from", "2026-01-09", "--to", "2026-01-08"]);
    assert!(code == 1 && said.contains("swap them"), "{said}");
    let (_, said) = refused(&["--out", text(&to), "--network", "simulation"]);
    assert!(said.contains("no hour of simulation is settled"), "{said}");
    let (_, said) = refused(&["--out", scene.folder.path().to_str().unwrap()]);
    assert!(said.contains("name a new or empty folder"), "{said}");
    scene.publish(&[]);
    let (_, said) = refused(&["--out", text(&to), "--network", "simulation"]);
    assert!(said.contains("holds the network livepeer"), "{said}");
}

/// Leaves a data folder and what was published of it for clients of other languages (`tests/interop/dataset`).
#[test]
#[ignore = "writes what tests/interop/dataset reads: give NAAP_DATASET"]
fn a_dataset_for_other_readers() {
    let target = PathBuf::from(std::env::var_os("NAAP_DATASET").expect("NAAP_DATASET is a folder"));
    let scene = Scene::new();
    scene.publish(&[]);
    for name in ["data", "published"] {
        super::record::copy(&scene.path(name), &target.join(name));
    }
}
