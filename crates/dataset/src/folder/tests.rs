//! Folders published, published again, cut off at every step, and spoiled.

use std::collections::BTreeMap;

use events::batch::publisher_key;
use events::identity::Digest;
use events::unit::UnixMillis;

use super::*;
use crate::manifest::{Card, FORMAT, File, Publisher};
use crate::table;

fn secret() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn open(path: &Path) -> Folder {
    Folder::open(path, Network::Livepeer).unwrap()
}

fn written(folder: &Folder, day: &str, rows: u64) -> File {
    let columns = vec![Column::new("at", table::Kind::Integer)];
    let (kind, day) = ("scores".parse().unwrap(), day.parse().unwrap());
    let mut draft = folder.draft(kind, day, columns).unwrap();
    (0..rows).for_each(|at| draft.push(vec![at.into()]).unwrap());
    draft.finish().unwrap()
}

fn manifest(mut files: Vec<File>) -> Manifest {
    files.sort_by(|one, other| one.path.cmp(&other.path));
    let cards = files.iter().map(|file| Card {
        day: file.day.clone(),
        digest: Digest::of(&[b"card"]),
        policy: Digest::of(&[b"policy"]),
        policy_id: "evidence-1".to_owned(),
        revision: 1,
        window: format!("{}T21Z", file.day),
    });
    Manifest {
        cards: cards.collect(),
        files,
        format: FORMAT.to_owned(),
        network: Network::Livepeer,
        published_ms: UnixMillis(1_767_903_000_000),
        publisher: Publisher { key: publisher_key(&secret()), speaks_for: None },
    }
}

fn publish(folder: &mut Folder, files: Vec<File>) {
    folder.publish(manifest(files), &secret()).unwrap();
}

/// Every file below a folder but the lock, with its content.
fn content(path: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap().path();
            if entry.is_dir() {
                open.push(entry);
            } else if entry.file_name().unwrap() != LOCK {
                let name = entry.strip_prefix(path).unwrap().to_str().unwrap().to_owned();
                found.insert(name, fs::read(entry).unwrap());
            }
        }
    }
    found
}

fn agrees(path: &Path) -> (usize, usize) {
    match check(path, &mut |_| {}).unwrap() {
        Verdict::Agrees { manifest, strays } => (manifest.files.len(), strays),
        Verdict::Differs(why) => panic!("{why}"),
    }
}

fn differs(path: &Path) -> String {
    match check(path, &mut |_| {}).unwrap() {
        Verdict::Agrees { .. } => panic!("it agrees"),
        Verdict::Differs(why) => why,
    }
}

#[test]
fn a_new_version_of_a_day_takes_the_place_of_the_old_one() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    let mut folder = open(path);
    let (first, second) = (written(&folder, "2026-01-08", 3), written(&folder, "2026-01-09", 4));
    publish(&mut folder, vec![first, second.clone()]);
    assert_eq!(agrees(path), (2, 0));
    let again = written(&folder, "2026-01-08", 5);
    assert_eq!(agrees(path), (2, 1), "the old manifest is true while the new files are there");
    publish(&mut folder, vec![again.clone(), second.clone()]);
    assert_eq!(agrees(path), (2, 0));
    let before = content(path);
    assert_eq!(before.keys().collect::<Vec<_>>(), [&again.path, &second.path, MANIFEST]);

    // The same rows are the same file, and a day that goes leaves no folder behind.
    assert_eq!(written(&folder, "2026-01-08", 5), again);
    publish(&mut folder, vec![again.clone(), second.clone()]);
    assert_eq!(content(path), before);
    publish(&mut folder, vec![second]);
    assert!(!path.join("kind=scores/day=2026-01-08").exists());
}

#[test]
fn a_crash_at_any_step_leaves_a_true_manifest_and_the_next_run_cleans_up() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    let (first, second) = {
        let mut folder = open(path);
        let first = written(&folder, "2026-01-08", 3);
        publish(&mut folder, vec![first.clone()]);
        (first, written(&folder, "2026-01-08", 4))
    };
    // Before the manifest: a file that nothing names, and drafts that were torn.
    fs::write(path.join(".draft-scores-2026-01-08"), b"PAR1").unwrap();
    fs::write(path.join(".draft-manifest.json"), b"{\"manifest\":").unwrap();
    assert_eq!(agrees(path), (1, 1));
    {
        let folder = open(path);
        assert_eq!(
            folder.published(&publisher_key(&secret())).unwrap().files,
            std::slice::from_ref(&first)
        );
        folder.sweep().unwrap();
    }
    assert_eq!(content(path).keys().collect::<Vec<_>>(), [&first.path, MANIFEST]);

    // After the manifest and before the old file went.
    let old = fs::read(path.join(&first.path)).unwrap();
    let mut folder = open(path);
    assert_eq!(written(&folder, "2026-01-08", 4), second);
    publish(&mut folder, vec![second.clone()]);
    drop(folder);
    fs::write(path.join(&first.path), old).unwrap();
    assert_eq!(agrees(path), (1, 1));
    open(path).sweep().unwrap();
    assert_eq!(content(path).keys().collect::<Vec<_>>(), [&second.path, MANIFEST]);

    // The first publication of all, cut off: there is no manifest yet.
    fs::remove_file(path.join(MANIFEST)).unwrap();
    assert!(check(path, &mut |_| {}).is_err());
    let folder = open(path);
    assert!(folder.published(&publisher_key(&secret())).is_none());
}

#[test]
fn what_is_not_as_it_was_signed_is_named() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    let file = {
        let mut folder = open(path);
        let file = written(&folder, "2026-01-08", 300);
        publish(&mut folder, vec![file.clone()]);
        file
    };
    let place = path.join(&file.path);
    let sound = fs::read(&place).unwrap();
    for at in [0, sound.len() / 2, sound.len() - 1] {
        let mut spoiled = sound.clone();
        spoiled[at] ^= 1;
        fs::write(&place, &spoiled).unwrap();
        let why = differs(path);
        assert!(why.contains(&file.path) && why.contains("has the hash"), "{why}");
    }
    fs::write(&place, &sound[1..]).unwrap();
    assert!(differs(path).contains("bytes"));
    fs::remove_file(&place).unwrap();
    assert!(differs(path).ends_with("is missing"));
    fs::write(&place, &sound).unwrap();
    assert_eq!(agrees(path), (1, 0));

    let lies = |change: fn(&mut File)| {
        let mut file = file.clone();
        change(&mut file);
        let document = manifest(vec![file]).seal(&secret()).unwrap();
        fs::write(path.join(MANIFEST), document).unwrap();
        differs(path)
    };
    assert!(lies(|file| file.rows += 1).contains("has 300 rows, the manifest says 301"));
    assert!(lies(|file| file.path = "../x".to_owned()).contains("../x"));
    let mut document = manifest(vec![file]).seal(&secret()).unwrap();
    document[40] ^= 1;
    fs::write(path.join(MANIFEST), document).unwrap();
    assert!(differs(path).starts_with(MANIFEST));
    let refused = Folder::open(path, Network::Livepeer).err().unwrap();
    assert!(matches!(refused, Error::Spoiled { .. }), "{refused}");
}

#[test]
fn only_a_folder_of_ours_is_written_in() {
    let temporary = tempfile::tempdir().unwrap();
    let path = temporary.path();
    fs::write(path.join("thesis.txt"), b"mine").unwrap();
    let refused = Folder::open(path, Network::Livepeer).err().unwrap();
    assert!(refused.to_string().contains("thesis.txt"), "{refused}");
    assert_eq!(content(path).len(), 1);

    let path = &path.join("published");
    let mut folder = open(path);
    assert!(matches!(Folder::open(path, Network::Livepeer), Err(Error::Busy { .. })));
    let file = written(&folder, "2026-01-08", 1);
    publish(&mut folder, vec![file]);
    // What others put beside a dataset later is theirs.
    for theirs in ["README", "kind=scores/README", "kind=scores/day=2026-01-08/x.parquet"] {
        fs::write(path.join(theirs), b"mine").unwrap();
    }
    folder.sweep().unwrap();
    assert_eq!(content(path).len(), 5);
    drop(folder);
    assert!(matches!(
        Folder::open(path, Network::Simulation),
        Err(Error::OtherNetwork { found: Network::Livepeer, .. })
    ));
    let folder = open(path);
    assert!(folder.published(&PublisherKey([9; 32])).is_none(), "what another signed counts not");
}
