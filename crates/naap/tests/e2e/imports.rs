//! Imports that are killed, split or taken up: the hours they touch come out as if nothing had happened.
//!
//! `NAAP_KILLS` says how often the kills below happen, a tenth of it each (a few without it); a failure prints the seed.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use events::batch::{Batch, Payload};
use events::event::Network;
use events::unit::Millis;
use events::wire;
use ledger::{Entry, Ledger};
use publisher::identity::Identity;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use sla::scorecard::{Indicator, Scorecard, Scored};
use sla::tally::Tally;
use sla::tally::outcome::Counts;
use sla::window::Hour;
use warehouse::Reader;
use warehouse::sqlite::ReadOnly;
use warehouse::view::HourView;

use super::kills::tell;
use super::process::{DEADLINE, Running, done, naap, text, until};
use super::record::{copy, event_ids, hours, last_digests};
use super::world::{THEN, as_export, envelopes, now};

/// How many kills a test does.
fn kills() -> u32 {
    std::env::var("NAAP_KILLS").map_or(6, |count| count.parse::<u32>().unwrap().div_ceil(10))
}

/// A folder into which the first hour was imported once, and a capture of both hours that is imported next.
struct Scene {
    capture: PathBuf,
    folder: tempfile::TempDir,
    seconds: f64,
}

impl Scene {
    fn of(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let said = envelopes(seed, THEN, 70);
        let capture = folder.path().join("capture.json");
        std::fs::write(&capture, as_export(&said)).unwrap();
        let some: Vec<Vec<u8>> = said.iter().take(said.len() / 2).step_by(5).cloned().collect();
        let first = folder.path().join("first.json");
        std::fs::write(&first, as_export(&some)).unwrap();
        let mut scene = Self { capture, folder, seconds: 0.0 };
        let (base, whole) = (scene.path("base"), scene.path("whole"));
        done(&["import", "--data", text(&base), text(&first)]);
        look_ahead(&base);
        copy(&base, &whole);
        let began = Instant::now();
        done(&["import", "--data", text(&whole), text(&scene.capture)]);
        scene.seconds = began.elapsed().as_secs_f64();
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn fresh(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        copy(&self.path("base"), &path);
        path
    }

    /// Begins the import that is killed.
    fn begin(&self, data: &Path) -> Importing {
        let mut command =
            naap(&["import", "--log", "error", "--data", text(data), text(&self.capture)]);
        Importing(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }

    /// The same import again, to its end.
    fn finish(&self, data: &Path) -> String {
        done(&["import", "--data", text(data), text(&self.capture)])
    }

    fn check(&self, data: &Path, context: &str) {
        let whole = self.path("whole");
        assert_eq!(last_digests(data), last_digests(&whole), "{context}");
        let (mut kept, mut expected) = (event_ids(data), event_ids(&whole));
        kept.sort_unstable();
        expected.sort_unstable();
        assert_eq!(kept.len(), expected.len(), "{context}: lost or said twice");
        assert!(kept == expected, "{context}: other events");
    }
}

/// Makes the collector's epochs begin above those of the clock, so that imports at different moments have the same one.
fn look_ahead(data: &Path) {
    let identity = Identity::open(&data.join("nodes/collector")).unwrap();
    let payload = Payload::of([br#"{"nothing":"to count"}"#.as_slice()]);
    let sealed_ms = THEN.minus(Millis(7 * 24 * 3_600_000));
    let epoch = now().0 / 1_000 + 1_000_000;
    let batch =
        Batch::seal(identity.secret(), Network::Livepeer, epoch, None, sealed_ms, payload).unwrap();
    let (ledger, _) = Ledger::open(&data.join("ledger"), ledger::Options::default()).unwrap();
    let frame = wire::encode(&batch).unwrap();
    ledger.append(vec![Entry { received_ms: now(), frame }]).unwrap();
}

/// An import under way, killed when it is let go.
struct Importing(Child);

impl Importing {
    fn is_over(&mut self) -> bool {
        self.0.try_wait().unwrap().is_some()
    }

    /// Kills it as soon as `is_time`, unless it is over before.
    fn kill_when(mut self, mut is_time: impl FnMut() -> bool) {
        let began = Instant::now();
        while !self.is_over() && !is_time() {
            assert!(began.elapsed() < DEADLINE, "the import does not end");
            std::thread::yield_now();
        }
    }
}

impl Drop for Importing {
    fn drop(&mut self) {
        // One that is over cannot be killed.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Whether everything that is in the record, `records` or more, was noted, or nothing can be asked yet.
fn is_noted(data: &Path, records: u64) -> bool {
    let warehouse = ReadOnly::open(&data.join("warehouse.sqlite"));
    warehouse.and_then(|home| home.cursor("settle")).is_ok_and(|noted| noted >= Some(records))
}

/// How long the record is.
fn bytes(data: &Path) -> u64 {
    data.join("ledger/0000000000000000.seg").metadata().unwrap().len()
}

/// How many records there are.
fn records(data: &Path) -> u64 {
    Ledger::open_read_only(&data.join("ledger")).unwrap().0.end().next
}

#[test]
fn an_import_that_is_killed_is_taken_up_as_if_it_had_not_been() {
    let scene = Scene::of(7);
    let expected = hours(&scene.path("whole"));
    assert_eq!(expected.len(), 2);
    assert_eq!(expected.values().map(|view| view.revision).collect::<Vec<_>>(), [1, 0]);
    let all = records(&scene.path("whole"));
    let seed = now().0;
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    for kill in 0..kills() {
        let context = format!("seed {seed}, kill {kill}");
        let data = scene.fresh(&format!("killed-{kill}"));
        // Now in the middle of keeping batches, now between noting and settling them, else anywhere; some more than once.
        let times = 1 + chance.next_u32() % 2;
        for _ in 0..times {
            let (importing, before) = (scene.begin(&data), bytes(&data));
            match kill % 4 {
                0 => importing.kill_when(|| bytes(&data) > before),
                1 => importing.kill_when(|| is_noted(&data, all)),
                _ => {
                    let share = f64::from(chance.next_u32()) / f64::from(u32::MAX);
                    let moment = Instant::now() + Duration::from_secs_f64(scene.seconds * share);
                    importing.kill_when(|| Instant::now() >= moment);
                }
            }
            // What was settled before can still be read.
            let out = data.join("export").join(chance.next_u32().to_string());
            done(&[
                "export",
                "--data",
                text(&data),
                "--window",
                "2026-01-08T20Z",
                "--out",
                text(&out),
            ]);
            done(&["verify", text(&out)]);
        }
        scene.finish(&data);
        scene.check(&data, &context);
        assert!(scene.finish(&data).contains(", 0 events signed"), "{context}");
        scene.check(&data, &context);
        std::fs::remove_dir_all(&data).unwrap();
    }
    tell(&format!("{} imports killed and taken up, each as if it had not been", kills()));
}

#[test]
fn a_start_after_a_killed_import_settles_what_it_noted_whatever_kills_that() {
    let scene = Scene::of(8);
    let all = records(&scene.path("whole"));
    let expected = last_digests(&scene.path("whole"));
    let seed = now().0;
    let mut chance = ChaCha8Rng::seed_from_u64(seed);
    for kill in 0..kills().div_ceil(2) {
        let context = format!("seed {seed}, kill {kill}");
        let data = scene.fresh(&format!("noted-{kill}"));
        let is_kept = || records(&data) == all;
        match kill % 2 {
            0 => scene.begin(&data).kill_when(|| is_noted(&data, all)),
            _ => scene.begin(&data).kill_when(is_kept),
        }
        assert!(is_kept(), "{context}");
        for _ in 0..1 + chance.next_u32() % 3 {
            let running = Running::begin("dev", &data, &["--no-simulate"]);
            std::thread::sleep(Duration::from_millis(u64::from(chance.next_u32() % 400)));
            running.kill();
        }
        let running = Running::start("dev", &data, &["--no-simulate"]);
        until("the hours to be settled again", || (last_digests(&data) == expected).then_some(()));
        running.stop();
        assert!(scene.finish(&data).contains(", 0 events signed"), "{context}");
        assert_eq!(last_digests(&data), expected, "{context}");
        let revisions = hours(&data).into_values().map(|view| view.revision);
        assert_eq!(revisions.collect::<Vec<_>>(), [1, 0], "{context}: one each for what came");
        std::fs::remove_dir_all(&data).unwrap();
    }
    tell(&format!("{} killed imports settled by a start", kills().div_ceil(2)));
}

/// What the hours of a folder come to, epochs and all that tells when they were imported aside.
fn outcome(data: &Path) -> Vec<(Hour, u64, Tally, Vec<Scored>)> {
    let of_hour = |(hour, view): (Hour, HourView)| {
        let scorecard: Scorecard = serde_json::from_slice(&view.scorecard_bytes).unwrap();
        (hour, view.event_set.count, view.tally, scorecard.results)
    };
    hours(data).into_iter().map(of_hour).collect()
}

/// A folder with keys and nothing to count.
fn empty(data: &Path) {
    Running::start("dev", data, &["--no-simulate"]).stop();
    look_ahead(data);
}

/// Imports files into a copy of a folder, each part in an import of its own.
fn import(base: &Path, data: &Path, parts: &[&[&Path]]) {
    copy(base, data);
    for files in parts {
        let mut arguments = vec!["import", "--data", text(data), "--at", "2026-01-08T20:58:00Z"];
        arguments.extend(files.iter().map(|file| text(file)));
        done(&arguments);
    }
}

#[test]
fn who_a_later_dump_names_is_named_as_if_it_had_come_before() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let is_list = |envelope: &&Vec<u8>| {
        let value: serde_json::Value = serde_json::from_slice(envelope).unwrap();
        value["type"] == "network_capabilities"
    };
    let said = envelopes(9, THEN, 45);
    let list: serde_json::Value =
        serde_json::from_slice(said.iter().find(is_list).unwrap()).unwrap();
    let dump = serde_json::json!({ "capabilities_names": {}, "orchestrators": list["data"] });
    let rest: Vec<Vec<u8>> = said.iter().filter(|envelope| !is_list(envelope)).cloned().collect();
    let (events, names) = (path("events.json"), path("dump.json"));
    std::fs::write(&events, as_export(&rest)).unwrap();
    std::fs::write(&names, serde_json::to_vec(&dump).unwrap()).unwrap();

    let [base, together, one, other, bare] = ["base", "together", "one", "other", "bare"].map(path);
    empty(&base);
    import(&base, &together, &[&[&names, &events]]);
    import(&base, &one, &[&[&events], &[&names]]);
    import(&base, &other, &[&[&names], &[&events]]);
    import(&base, &bare, &[&[&events]]);
    let expected = outcome(&together);
    let nameless = |outcome: &[(Hour, u64, Tally, Vec<Scored>)]| {
        outcome[0].3.iter().filter(|scored| scored.operator.is_none()).count()
    };
    assert!(nameless(&outcome(&bare)) > nameless(&expected) + 3, "the dump names somebody");
    assert_eq!(outcome(&one), expected);
    assert_eq!(last_digests(&one), last_digests(&together), "the same events in the same chains");
    assert_eq!(outcome(&other), expected);
    let revisions: Vec<u32> = hours(&one).into_values().map(|view| view.revision).collect();
    assert_eq!(revisions[0], 1, "the second import revised the hour of the first: {revisions:?}");
    // Some day later nothing waits to be done: a start changes nothing.
    let before = last_digests(&one);
    Running::start("dev", &one, &["--no-simulate"]).stop();
    assert_eq!(last_digests(&one), before);
}

#[test]
fn two_hours_may_be_imported_in_either_order() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let said = envelopes(10, THEN, 100);
    let when = |envelope: &Vec<u8>| {
        let value: serde_json::Value = serde_json::from_slice(envelope).unwrap();
        value["timestamp"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let (early, late): (Vec<Vec<u8>>, Vec<Vec<u8>>) =
        said.iter().cloned().partition(|envelope| when(envelope) < THEN.0 + 50 * 60_000);
    let files = ["all.json", "early.json", "late.json"].map(path);
    for (file, envelopes) in files.iter().zip([&said, &early, &late]) {
        std::fs::write(file, as_export(envelopes)).unwrap();
    }
    let [all, early, late] = &files;
    let [base, together, one, other] = ["base", "together", "one", "other"].map(path);
    empty(&base);
    import(&base, &together, &[&[all]]);
    import(&base, &one, &[&[early], &[late]]);
    import(&base, &other, &[&[late], &[early]]);
    assert_eq!(outcome(&one), outcome(&other));
    assert_eq!(event_ids(&one).len(), event_ids(&together).len());
    // Each capture proves silences only as far as it goes: what is bad in the one that goes on is unknown in the one that
    // ends, and nothing else differs.
    let known = |data: &Path| -> Vec<_> {
        let of = |indicator: Indicator| {
            let Counts { bad, missing, .. } = indicator.counts;
            (indicator.obligation, Counts { bad: bad + missing, missing: 0, ..indicator.counts })
        };
        let of_hour = |(hour, count, _, results): (Hour, u64, Tally, Vec<Scored>)| {
            let of_one = |scored: Scored| {
                let counts: Vec<_> = scored.indicators.into_iter().map(of).collect();
                (scored.operator, scored.signer, scored.class, scored.tenures, counts)
            };
            (hour, count, results.into_iter().map(of_one).collect::<Vec<_>>())
        };
        outcome(data).into_iter().map(of_hour).collect()
    };
    assert_eq!(known(&one), known(&together));
}
