//! A folder that one process has to itself and whose changes last, and how its disk says that it is full: what spool and
//! outbox both need of one.
//! It never reads or changes what stands in a file.

use std::fs::{self, File, OpenOptions, TryLockError};
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

/// Whether the system takes no more bytes just now: the disk is full, or a quota or a limit on the size of files is met.
pub(crate) fn is_no_room(failure: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(failure.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

/// Makes the folder where there is none, and keeps everybody but its owner out of it.
pub(crate) fn make_private(directory: &Path) -> Result<(), Error> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory).map_err(io("create", directory))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let known = fs::metadata(directory).map_err(io("read", directory))?.permissions().mode();
        if known & 0o077 != 0 {
            let owner = fs::Permissions::from_mode(0o700);
            fs::set_permissions(directory, owner).map_err(io("keep others out of", directory))?;
        }
    }
    Ok(())
}

/// Opens files that, where they are made, are for their owner's eyes alone.
pub(crate) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Makes this process the only one in the folder, for as long as the file is open.
pub(crate) fn lock(directory: &Path) -> Result<File, Error> {
    let path = directory.join("lock");
    let open = private().create(true).truncate(false).write(true).open(&path);
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
