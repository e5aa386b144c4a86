//! What an import leaves behind when it is killed between any two writes, and what whoever comes next makes of it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use events::batch::Batch;
use events::identity::Digest;
use sla::trust::TrustFile;
use sla::window::Hour;

use crate::support::{Instance, LATER, past_at, trust};

/// Copies a folder and the folders in it.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let (from, to) = (item.path(), to.join(item.file_name()));
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(&from, &to).unwrap();
        }
    }
}

/// A folder whose hours were settled once, and what comes for them sixty days later.
struct Settled {
    folder: tempfile::TempDir,
    late: Vec<Batch>,
    trust: TrustFile,
}

fn settled() -> Settled {
    let (cast, batches) = past_at(250, 6, 3);
    let trust = trust(&cast);
    let (late, prompt): (Vec<Batch>, Vec<Batch>) =
        batches.into_iter().partition(|batch| batch.header.seq % 7 == 3);
    let folder = tempfile::tempdir().unwrap();
    let mut instance = Instance::open(&folder.path().join("base"), &trust);
    instance.hear(&prompt, LATER);
    instance.catch_up(LATER);
    Settled { folder, late, trust }
}

impl Settled {
    /// Imports what comes late, killed after so many writes; says whether it came to its end before.
    fn import(&self, path: &Path, writes: u64) -> bool {
        let killed = Instance::try_open(path, &self.trust, writes);
        let Ok(mut instance) = killed else { return false };
        instance.hear(&self.late, LATER);
        instance.settler.catch_up(LATER, &mut |_, _| {}).is_ok()
    }

    /// Kills the import after every number of writes, lets `goes_on` go on, and compares the last revisions.
    fn kill_everywhere(&self, goes_on: impl Fn(&Path) -> BTreeMap<Hour, Digest>) {
        let base = self.folder.path().join("base");
        let whole = self.folder.path().join("whole");
        copy(&base, &whole);
        let before = Instance::open(&whole, &self.trust).digests();
        assert!(self.import(&whole, u64::MAX));
        let expected = Instance::open(&whole, &self.trust).digests();
        assert!(before.iter().all(|(hour, digest)| expected[hour] != *digest), "{before:?}");
        for writes in 0.. {
            let path = self.folder.path().join(format!("killed-{writes}"));
            copy(&base, &path);
            let is_over = self.import(&path, writes);
            assert_eq!(goes_on(&path), expected, "killed after {writes} writes");
            if is_over {
                assert!(writes > 8, "{writes}");
                return;
            }
        }
    }
}

#[test]
fn an_import_killed_between_any_two_writes_is_finished_by_the_next() {
    let settled = settled();
    settled.kill_everywhere(|path| {
        assert!(settled.import(path, u64::MAX));
        Instance::open(path, &settled.trust).digests()
    });
}

#[test]
fn an_import_killed_between_any_two_writes_is_finished_by_whoever_settles_next() {
    let settled = settled();
    settled.kill_everywhere(|path| {
        let importers = settled.late.iter().map(|batch| batch.header.key).collect();
        let mut instance = Instance::open_for(path, &settled.trust, importers);
        // What the import did not bring into the record before it was killed is brought again.
        instance.hear(&settled.late, LATER);
        instance.settle(LATER);
        instance.digests()
    });
}
