//! A secret that is drawn once and then kept, as 64 hex digits in a file for its owner's eyes; and files replaced whole.
//!
//! A file that is there and cannot be read as what it should be is an error, never a reason to make another.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use anyhow::{Context, bail};

/// The secret in a file, drawn at the first time until `is_usable`.
pub(super) fn load_or_make(
    path: &Path,
    is_usable: impl Fn(&[u8; 32]) -> bool,
) -> anyhow::Result<[u8; 32]> {
    let draw = || -> anyhow::Result<String> {
        let mut bytes = [0; 32];
        loop {
            getrandom::fill(&mut bytes)
                .map_err(|error| anyhow::anyhow!("cannot draw a secret: {error}"))?;
            if is_usable(&bytes) {
                return Ok(hex::encode(bytes));
            }
        }
    };
    let text = load(path)?.map_or_else(|| keep(path, &draw()?, 0o600), Ok)?;
    let mut bytes = [0; 32];
    if hex::decode_to_slice(&text, &mut bytes).is_err() || !is_usable(&bytes) {
        bail!("{} holds no key of 64 hex digits: restore it from a copy", path.display());
    }
    Ok(bytes)
}

fn load(path: &Path) -> anyhow::Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim_end().to_owned())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn keep(path: &Path, text: &str, mode: u32) -> anyhow::Result<String> {
    write(path, format!("{text}\n").as_bytes(), mode)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(text.to_owned())
}

/// Writes a file beside its place, syncs it, and moves it there; on Unix with these rights.
pub(super) fn write(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let folder =
        path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let draft = path.with_extension("new");
    // A draft that a crash left may have other rights.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    drop(mode);
    let mut file = options.open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    // Elsewhere than on Unix a folder cannot be synced, nor needs to be.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}
