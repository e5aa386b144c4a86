//! What others hold of an outbox: everything below a mark, except what was set aside because nobody takes it.
//!
//! The mark may be lost, which costs a second sending. What is set aside lasts before the mark passes it, so that it is
//! never taken for held; where its file is spoiled, nothing counts as held. It never looks into a batch.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::ops::Range;
use std::path::Path;

use super::{Error, mark};
use crate::folder;

/// The file of the mark.
const HELD: &str = "held";

/// The file of what is set aside, ranges of numbers.
const ASIDE: &str = "aside";

/// How far others hold an outbox.
#[derive(Debug, Default)]
pub(super) struct Held {
    below: u64,
    /// First numbers of ranges, each with one past its last.
    aside: BTreeMap<u64, u64>,
}

impl Held {
    /// Reads what was noted.
    pub(super) fn load(directory: &Path) -> Result<Self, Error> {
        let below = mark::load(directory, HELD)?.unwrap_or(0);
        let path = directory.join(ASIDE);
        match fs::read(&path) {
            Ok(bytes) => {
                let aside = parse(&String::from_utf8(bytes).unwrap_or_default());
                Ok(aside.map_or_else(Self::default, |aside| Self { below, aside }))
            }
            Err(failure) if failure.kind() == io::ErrorKind::NotFound => {
                Ok(Self { below, aside: BTreeMap::new() })
            }
            Err(failure) => Err(Error::io("read", &path)(failure)),
        }
    }

    /// Everything before this number is held elsewhere or set aside.
    pub(super) fn below(&self) -> u64 {
        self.below
    }

    /// Moves the mark up.
    pub(super) fn raise(&mut self, directory: &Path, below: u64) -> Result<(), Error> {
        if below <= self.below {
            return Ok(());
        }
        self.below = below;
        // Losing this note costs a second sending, which receivers drop, so it is not synced.
        mark::store(directory, HELD, below, false)
    }

    /// How many are set aside.
    pub(super) fn aside(&self) -> u64 {
        self.aside.iter().map(|(start, end)| end - start).sum()
    }

    /// The first that is set aside from `ordinal` on.
    pub(super) fn next_aside(&self, ordinal: u64) -> Option<u64> {
        let is_within = self.aside.range(..=ordinal).next_back().filter(|(_, end)| **end > ordinal);
        let later = || self.aside.range(ordinal..).next().map(|(start, _)| *start);
        is_within.map(|_| ordinal).or_else(later)
    }

    /// Whether any of these is set aside.
    pub(super) fn is_any_aside(&self, range: Range<u64>) -> bool {
        self.next_aside(range.start).is_some_and(|ordinal| ordinal < range.end)
    }

    /// Sets one aside; it lasts once this returns.
    pub(super) fn set_aside(&mut self, directory: &Path, ordinal: u64) -> Result<(), Error> {
        if self.next_aside(ordinal) == Some(ordinal) {
            return Ok(());
        }
        let known = self.aside.clone();
        let before = self.aside.range(..ordinal).next_back().filter(|(_, end)| **end == ordinal);
        let start = before.map_or(ordinal, |(start, _)| *start);
        let end = self.aside.remove(&(ordinal + 1)).unwrap_or(ordinal + 1);
        self.aside.insert(start, end);
        self.store_or(directory, known)
    }

    /// Takes one back from what is set aside, if it was.
    pub(super) fn take_back(&mut self, directory: &Path, ordinal: u64) -> Result<(), Error> {
        let range = self.aside.range(..=ordinal).next_back();
        let Some((start, end)) = range.map(|(start, end)| (*start, *end)) else { return Ok(()) };
        if end <= ordinal {
            return Ok(());
        }
        let known = self.aside.clone();
        self.aside.remove(&start);
        self.aside
            .extend([(start, ordinal), (ordinal + 1, end)].into_iter().filter(|(a, b)| a < b));
        self.store_or(directory, known)
    }

    /// Forgets what is set aside and no longer there.
    pub(super) fn keep_aside(&mut self, is_there: impl Fn(u64) -> bool) {
        let mut kept = BTreeMap::new();
        for (start, end) in std::mem::take(&mut self.aside) {
            let there = (start..end).filter(|ordinal| is_there(*ordinal));
            kept.extend(there.map(|ordinal| (ordinal, ordinal + 1)));
        }
        self.aside = kept;
    }

    /// Stores what is set aside. What could not be stored is not known either, or the next attempt would pass it by.
    fn store_or(&mut self, directory: &Path, known: BTreeMap<u64, u64>) -> Result<(), Error> {
        let stored = self.store(directory).map_err(Error::or_no_room);
        if stored.is_err() {
            self.aside = known;
        }
        stored
    }

    fn store(&self, directory: &Path) -> Result<(), Error> {
        let path = directory.join(ASIDE);
        let new = directory.join(format!("{ASIDE}.new"));
        let mut file = File::create(&new).map_err(Error::io("create", &new))?;
        file.write_all(text(&self.aside).as_bytes()).map_err(Error::io("write", &new))?;
        file.sync_all().map_err(Error::io("sync", &new))?;
        fs::rename(&new, &path).map_err(Error::io("rename", &new))?;
        Ok(folder::sync(directory)?)
    }
}

/// A range a line, and a checksum of all of them.
fn text(ranges: &BTreeMap<u64, u64>) -> String {
    let lines: String = ranges.iter().map(|(start, end)| format!("{start} {end}\n")).collect();
    let crc = crc32c::crc32c(lines.as_bytes());
    format!("{lines}{crc:08x}\n")
}

fn parse(content: &str) -> Option<BTreeMap<u64, u64>> {
    let range = |line: &str| {
        let (start, end) = line.split_once(' ')?;
        Some((start.parse().ok()?, end.parse().ok()?))
    };
    let ranges: BTreeMap<u64, u64> = content.lines().filter_map(range).collect();
    (text(&ranges) == content).then_some(ranges)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn ranges_grow_shrink_and_last() {
        let folder = tempfile::tempdir().unwrap();
        let mut held = Held::load(folder.path()).unwrap();
        for ordinal in [5, 7, 6, 6, 9, 4] {
            held.set_aside(folder.path(), ordinal).unwrap();
        }
        assert_eq!(held.aside, BTreeMap::from([(4, 8), (9, 10)]));
        held.take_back(folder.path(), 5).unwrap();
        held.take_back(folder.path(), 8).unwrap();
        held.raise(folder.path(), 20).unwrap();
        let mut again = Held::load(folder.path()).unwrap();
        assert_eq!(again.aside, BTreeMap::from([(4, 5), (6, 8), (9, 10)]));
        assert_eq!((again.below(), again.aside()), (20, 4));
        let asked = [0, 4, 5, 7, 8, 10].map(|ordinal| again.next_aside(ordinal));
        assert_eq!(asked, [Some(4), Some(4), Some(6), Some(7), Some(9), None]);
        assert!(again.is_any_aside(5..7) && !again.is_any_aside(5..6));
        again.keep_aside(|ordinal| ordinal != 7);
        assert_eq!(again.aside(), 3);

        std::fs::write(folder.path().join(ASIDE), "4 5\n").unwrap();
        let spoiled = Held::load(folder.path()).unwrap();
        assert_eq!((spoiled.below(), spoiled.aside()), (0, 0), "then nothing is held");
    }
}
