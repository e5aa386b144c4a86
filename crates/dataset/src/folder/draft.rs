//! A file while it is written: under a name that no reader looks for, then synced and moved to where its hash puts it.

use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use events::identity::Digest;
use sha2::{Digest as _, Sha256};

use super::{DRAFT, sync_folder};
use crate::Error;
use crate::manifest::{File, path_of};
use crate::name::{Day, Kind};
use crate::parquet::Writer;
use crate::table::{Column, Value};

/// A file that is being written. Dropped before its end, it leaves what the next opening of the folder removes.
pub struct Draft {
    day: Day,
    folder: PathBuf,
    kind: Kind,
    path: PathBuf,
    writer: Writer<Sink>,
}

impl Draft {
    pub(super) fn begin(
        folder: &Path,
        kind: Kind,
        day: Day,
        columns: Vec<Column>,
    ) -> Result<Self, Error> {
        let path = folder.join(format!("{DRAFT}{kind}-{day}"));
        let file = fs::File::create(&path).map_err(Error::io("create", &path))?;
        let sink = Sink { bytes: 0, file: BufWriter::new(file), hash: Sha256::new() };
        let writer = Writer::new(sink, columns)?;
        Ok(Self { day, folder: folder.to_owned(), kind, path, writer })
    }

    /// Adds a row, one value for each column in their order.
    pub fn push(&mut self, row: Vec<Value>) -> Result<(), Error> {
        self.writer.push(row)
    }

    /// Ends the file, syncs it and moves it to its place, and says what a manifest has to say of it.
    pub fn finish(self) -> Result<File, Error> {
        let Self { day, folder, kind, path: draft, writer } = self;
        let rows = writer.rows();
        let Sink { bytes, file, hash } = writer.finish()?;
        let file =
            file.into_inner().map_err(|error| Error::io("write", &draft)(error.into_error()))?;
        file.sync_all().map_err(Error::io("sync", &draft))?;
        let sha256 = Digest(hash.finalize().into());
        let path = path_of(&kind, &day, &sha256);
        let place = folder.join(&path);
        let days = folder.join(format!("kind={kind}"));
        let within = days.join(format!("day={day}"));
        fs::create_dir_all(&within).map_err(Error::io("make", &within))?;
        fs::rename(&draft, &place).map_err(Error::io("rename into place", &place))?;
        for folder in [&within, &days, &folder] {
            sync_folder(folder)?;
        }
        Ok(File { bytes, day, kind, path, rows, sha256 })
    }
}

/// Writes a file whole and syncs it.
pub(super) fn write_synced(path: &Path, content: &[u8]) -> Result<(), Error> {
    let write = |path| -> io::Result<()> {
        let mut file = fs::File::create(path)?;
        file.write_all(content)?;
        file.sync_all()
    };
    write(path).map_err(Error::io("write", path))
}

/// A file that knows its own length and hash.
struct Sink {
    bytes: u64,
    file: BufWriter<fs::File>,
    hash: Sha256,
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // All or an error, so that the hash is never ahead of the file.
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.bytes += u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
