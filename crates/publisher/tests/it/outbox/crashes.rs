//! Crashes and damage: whatever is cut, flipped or lost, no place in a chain ever gets a second content, and what was
//! synced and is still there is still served.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use events::batch::{Batch, Position};
use events::unit::Millis;
use proptest::prelude::*;

use super::{T, batches, check_links, ids, open, push, put};

pub fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// The files of a folder by name, to put it back to what it was.
type Files = BTreeMap<String, Vec<u8>>;

fn read(folder: &Path) -> Files {
    let name = |file: &fs::DirEntry| file.file_name().into_string().unwrap();
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    files.map(|file| (name(&file), fs::read(file.path()).unwrap())).collect()
}

fn write(folder: &Path, files: &Files) {
    fs::create_dir_all(folder).unwrap();
    for file in fs::read_dir(folder).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        fs::write(folder.join(name), bytes).unwrap();
    }
}

/// Opens a spoiled folder, seals one more batch, and holds it against all that was ever sent.
fn survive(folder: &Path, sent: &BTreeMap<Position, Batch>, what: &str) -> usize {
    let (mut outbox, _) = open(folder);
    put(&mut outbox, "after", T.plus(Millis(1)));
    let kept = batches(outbox.shelf());
    check_links(&kept);
    let mut survivors = 0;
    for (position, batch) in &kept {
        if let Some(before) = sent.get(position) {
            assert_eq!(batch, before, "{what}: {position:?} was sealed twice");
            survivors += 1;
        }
    }
    let (newest, _) = kept.iter().next_back().unwrap();
    assert!(sent.keys().all(|position| position < newest), "{what}: the new one comes last");
    drop(outbox);
    let (mut outbox, opening) = open(folder);
    assert_eq!(opening.unproven, None, "{what}: healed");
    put(&mut outbox, "and after that", T.plus(Millis(2)));
    check_links(&batches(outbox.shelf()));
    survivors
}

/// An outbox of five synced batches in two segments.
fn five() -> (Files, BTreeMap<Position, Batch>) {
    let folder = super::folder();
    let (mut outbox, _) = open(folder.path());
    for name in ["a", "b", "c", "d", "e"] {
        put(&mut outbox, name, T);
    }
    let sent = batches(outbox.shelf());
    drop(outbox);
    (read(folder.path()), sent)
}

fn segments(files: &Files) -> Vec<String> {
    files.keys().filter(|name| name.ends_with(".outbox")).cloned().collect()
}

#[test]
fn a_file_cut_anywhere() {
    let (files, sent) = five();
    let folder = super::folder();
    let last = segments(&files).pop().unwrap();
    assert_eq!(segments(&files).len(), 2);
    for (name, bytes) in &files {
        // Every length of the newest record and of the counter, some of the rest.
        let is_near =
            |length: &usize| *name == last && length + 500 > bytes.len() || name == "epoch";
        for length in (0..bytes.len()).filter(|length| length % 61 == 0 || is_near(length)) {
            let mut files = files.clone();
            files.get_mut(name).unwrap().truncate(length);
            write(folder.path(), &files);
            let survivors = survive(folder.path(), &sent, &format!("{name} cut to {length}"));
            if !name.ends_with(".outbox") {
                assert_eq!(survivors, 5, "{name} cut to {length}");
            }
        }
        let mut files = files.clone();
        files.remove(name);
        write(folder.path(), &files);
        survive(folder.path(), &sent, &format!("{name} lost"));
    }
}

#[test]
fn a_byte_flipped_anywhere() {
    let (files, sent) = five();
    let folder = super::folder();
    for (name, bytes) in &files {
        let places = if name == "head" {
            (0..104).chain(4_090..4_210).collect()
        } else {
            (0..bytes.len()).collect::<Vec<_>>()
        };
        for place in places.into_iter().step_by(9) {
            let mut files = files.clone();
            files.get_mut(name).unwrap()[place] ^= 0x55;
            write(folder.path(), &files);
            let survivors = survive(folder.path(), &sent, &format!("{name} flipped at {place}"));
            assert!(survivors >= 4, "{name} flipped at {place}: only {survivors} are left");
        }
    }
}

/// A crash while a group is written: the mark is the old one, the segment ends anywhere.
#[test]
fn a_write_torn_anywhere() {
    let place = super::folder();
    let (mut outbox, _) = open(place.path());
    put(&mut outbox, "a", T);
    let before = read(place.path());
    let sent = batches(outbox.shelf());
    push(&mut outbox, "b", T);
    outbox.seal(T).unwrap();
    push(&mut outbox, "c", T);
    outbox.seal(T).unwrap();
    outbox.sync().unwrap();
    drop(outbox);
    let after = read(place.path());
    let segment = segments(&before).pop().unwrap();
    let (old, new) = (before[&segment].len(), &after[&segment]);
    let folder = super::folder();
    for length in old..=new.len() {
        let mut files = before.clone();
        files.insert(segment.clone(), new[..length].to_vec());
        write(folder.path(), &files);
        let (mut outbox, opening) = open(folder.path());
        assert_eq!(opening.unproven, None, "{length}: nothing that was sent is missing");
        let whole = batches(outbox.shelf()).len();
        for name in ["a", "b", "c"] {
            let pushed = outbox.push(&super::event(name), T).unwrap();
            let is_known = ids(outbox.shelf()).contains(name);
            assert_eq!(pushed == publisher::outbox::Pushed::Known, is_known, "{length}: {name}");
        }
        outbox.seal(T).unwrap();
        outbox.sync().unwrap();
        let kept = batches(outbox.shelf());
        check_links(&kept);
        assert_eq!(ids(outbox.shelf()).len(), 3, "{length}");
        assert!(kept.keys().all(|position| position.epoch == 0));
        assert_eq!(kept.len(), whole + usize::from(whole < 3));
        for (position, batch) in &sent {
            assert_eq!(&kept[position], batch);
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push(u8),
    Seal,
    Sync,
    Crash { torn: u16 },
    Hold(u8),
    Retire,
    Epoch,
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1..20u8).prop_map(Step::Push),
        3 => Just(Step::Seal),
        3 => Just(Step::Sync),
        2 => any::<u16>().prop_map(|torn| Step::Crash { torn }),
        1 => any::<u8>().prop_map(Step::Hold),
        1 => Just(Step::Retire),
        1 => Just(Step::Epoch),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever happens, every event is sealed exactly once, in linked batches, and no place changes its content.
    #[test]
    fn every_event_is_sealed_once(steps in prop::collection::vec(any_step(), 1..40)) {
        let folder = super::folder();
        let (mut outbox, _) = open(folder.path());
        let mut ever: BTreeMap<Position, Batch> = BTreeMap::new();
        let (mut source, mut began) = (0u64, 0u64);
        for (index, step) in steps.iter().enumerate() {
            let now = T.plus(Millis(index as u64));
            match step {
                Step::Push(count) => for _ in 0..*count {
                    outbox.push(&super::event(&source.to_string()), now).unwrap();
                    source += 1;
                },
                Step::Seal => outbox.seal(now).unwrap(),
                Step::Sync => outbox.sync().unwrap(),
                Step::Hold(back) => {
                    let end = *outbox.shelf().end().borrow();
                    outbox.shelf().hold_below(end.saturating_sub(u64::from(*back))).unwrap();
                }
                Step::Retire => outbox.retire(now).unwrap(),
                Step::Epoch => { outbox.begin_epoch().unwrap(); }
                Step::Crash { torn } => {
                    let durable = began + outbox.durable();
                    drop(outbox);
                    // What was being written when it died: garbage, behind all that was synced.
                    let files = read(folder.path());
                    if let Some(last) = segments(&files).pop() {
                        let mut bytes = files[&last].clone();
                        bytes.extend(std::iter::repeat_n(b'n', usize::from(torn % 64)));
                        fs::write(folder.path().join(last), bytes).unwrap();
                    }
                    outbox = open(folder.path()).0;
                    // The source gives again whatever was not durable, and a little more.
                    for n in durable.saturating_sub(5)..source {
                        outbox.push(&super::event(&n.to_string()), now).unwrap();
                    }
                    began = durable;
                }
            }
            if !matches!(step, Step::Crash { .. }) {
                prop_assert!(outbox.durable() <= outbox.taken());
            }
            for (position, batch) in batches(outbox.shelf()) {
                let before = ever.entry(position).or_insert_with(|| batch.clone());
                prop_assert_eq!(&batch, before);
            }
        }
        outbox.seal(T.plus(Millis(1_000))).unwrap();
        outbox.sync().unwrap();
        check_links(&batches(outbox.shelf()));
        prop_assert_eq!(ids(outbox.shelf()).len() as u64, source);
    }
}
