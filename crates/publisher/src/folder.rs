//! A folder that one process has to itself and whose changes last: what spool and outbox both need of one.
//! It never reads or changes what stands in a file.

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with a folder.
#[derive(Debug)]
pub(crate) enum Error {
    /// The file system said no to this, on this path.
    Io { act: &'static str, path: PathBuf, source: io::Error },
    /// Another process has the folder.
    Locked(PathBuf),
}

fn io(act: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { act, path, source }
}

/// Makes this process the only one in the folder, for as long as the file is open.
pub(crate) fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let open = File::options().create(true).truncate(false).write(true).open(&path);
    let file = open.map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(directory.to_owned())),
        Err(TryLockError::Error(source)) => Err(Error::Io { act: "lock", path, source }),
    }
}

/// Makes renames, creations and deletions in the folder last. Elsewhere than on Unix a folder cannot be synced, nor needs
/// to be.
pub(crate) fn sync(directory: &Path) -> Result<(), Error> {
    if cfg!(unix) {
        let folder = File::open(directory).map_err(io("open", directory))?;
        folder.sync_all().map_err(io("sync", directory))?;
    }
    Ok(())
}
