//! Events on their way from the order of files to the order of time: their bytes in a file, their times in memory.
//!
//! 24 bytes of memory an event. The file is a scratch: it has no name once it is open where the system allows that, and
//! what a crash leaves of it is overwritten by the next import.

use std::fs::{self, File, OpenOptions};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use events::unit::UnixMillis;

/// Where an event's bytes are.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    at_ms: UnixMillis,
    offset: u64,
    length: u32,
}

/// The scratch.
pub(super) struct Spill {
    file: BufWriter<File>,
    offset: u64,
    path: PathBuf,
    places: Vec<Place>,
}

impl Spill {
    /// An empty one in this folder, of this name.
    pub(super) fn create(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let path = folder.join(format!("import-{name}.scratch"));
        let open =
            OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&path);
        let file = open.with_context(|| format!("cannot write {}", path.display()))?;
        if cfg!(unix) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(Self {
            file: BufWriter::with_capacity(1 << 20, file),
            offset: 0,
            path,
            places: Vec::new(),
        })
    }

    /// How many events it holds.
    pub(super) fn len(&self) -> u64 {
        u64::try_from(self.places.len()).unwrap_or(u64::MAX)
    }

    /// Adds an event.
    pub(super) fn push(&mut self, at_ms: UnixMillis, line: &[u8]) -> anyhow::Result<()> {
        let length = u32::try_from(line.len()).context("an event has at most 16 KiB")?;
        self.file.write_all(line).with_context(|| self.failed("write"))?;
        self.places.push(Place { at_ms, offset: self.offset, length });
        self.offset += u64::from(length);
        Ok(())
    }

    /// Hands out every event by its time; those of one moment as they were added.
    pub(super) fn in_order(
        &mut self,
        mut take: impl FnMut(UnixMillis, Vec<u8>) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        self.file.flush().with_context(|| self.failed("write"))?;
        self.places.sort_unstable();
        let mut reader = BufReader::with_capacity(1 << 18, self.file.get_ref());
        reader.seek(SeekFrom::Start(0)).with_context(|| self.failed("read"))?;
        let mut at = 0;
        for place in &self.places {
            // Captures are mostly in order, so that most moves stay within what is already read.
            let by = i64::try_from(i128::from(place.offset) - i128::from(at))
                .context("the scratch is too long")?;
            reader.seek_relative(by).with_context(|| self.failed("read"))?;
            let mut line = vec![0; usize::try_from(place.length).unwrap_or(usize::MAX)];
            reader.read_exact(&mut line).with_context(|| self.failed("read"))?;
            at = place.offset + u64::from(place.length);
            take(place.at_ms, line)?;
        }
        Ok(())
    }

    fn failed(&self, action: &str) -> String {
        format!("cannot {action} {}", self.path.display())
    }
}

impl Drop for Spill {
    fn drop(&mut self) {
        if !cfg!(unix) {
            // The next import overwrites what cannot be removed.
            fs::remove_file(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_back_by_their_times() {
        let folder = tempfile::tempdir().unwrap();
        let mut spill = Spill::create(folder.path(), "test").unwrap();
        for (at, line) in [(3, "third"), (1, "first"), (2, "second"), (1, "first too"), (9, "")] {
            spill.push(UnixMillis(at), line.as_bytes()).unwrap();
        }
        assert_eq!(spill.len(), 5);
        let mut lines = Vec::new();
        spill
            .in_order(|at, line| {
                lines.push((at.0, String::from_utf8(line).unwrap()));
                Ok(())
            })
            .unwrap();
        let expected = [(1, "first"), (1, "first too"), (2, "second"), (3, "third"), (9, "")];
        assert_eq!(lines, expected.map(|(at, line)| (at, line.to_owned())));
    }
}
