//! Whether a published folder is what its publisher signed. It changes nothing.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};
use std::path::Path;

use ::parquet::file::reader::{FileReader, SerializedFileReader};
use events::identity::Digest;
use sha2::{Digest as _, Sha256};

use super::{MANIFEST, files, read_manifest};
use crate::Error;
use crate::manifest::{self, Manifest};

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every file is the one that was signed.
    Agrees {
        /// What was signed.
        manifest: Box<Manifest>,
        /// How many files lie among them that the manifest does not name, as after a publication that was cut short.
        strays: usize,
    },
    /// The first thing that is not as it was signed.
    Differs(String),
}

/// Checks the signatures of the manifest, then the length, hash and rows of every file, in the order of their paths;
/// `told` is shown how many were read.
///
/// An error where there is no manifest, or something cannot be read.
pub fn check(folder: &Path, told: &mut dyn FnMut(u64)) -> Result<Verdict, Error> {
    let manifest = match read_manifest(folder) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => {
            let missing = std::io::Error::from(ErrorKind::NotFound);
            return Err(Error::io("read", &folder.join(MANIFEST))(missing));
        }
        Err(Error::Spoiled { why, .. }) => {
            return Ok(Verdict::Differs(format!("{MANIFEST}: {why}")));
        }
        Err(error) => return Err(error),
    };
    for (file, read) in manifest.files.iter().zip(1..) {
        if let Some(difference) = difference(folder, file)? {
            return Ok(Verdict::Differs(difference));
        }
        told(read);
    }
    let named: BTreeSet<&str> = manifest.files.iter().map(|file| file.path.as_str()).collect();
    let strays = files(folder)?.iter().filter(|found| !named.contains(found.as_str())).count();
    Ok(Verdict::Agrees { manifest: Box::new(manifest), strays })
}

/// What is wrong with a file that a manifest names, after reading all of it; nothing where it is that file.
pub fn difference(folder: &Path, file: &manifest::File) -> Result<Option<String>, Error> {
    let name = &file.path;
    let path = folder.join(name);
    let mut found = match fs::File::open(&path) {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Ok(Some(format!("{name} is missing")));
        }
        Err(source) => return Err(Error::io("open", &path)(source)),
    };
    let length = found.metadata().map_err(Error::io("look at", &path))?.len();
    if length != file.bytes {
        return Ok(Some(format!("{name} has {length} bytes, the manifest says {}", file.bytes)));
    }
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = found.read(&mut buffer).map_err(Error::io("read", &path))?;
        if read == 0 {
            break;
        }
        hash.update(buffer.get(..read).unwrap_or_default());
    }
    let sha256 = Digest(hash.finalize().into());
    if sha256 != file.sha256 {
        return Ok(Some(format!(
            "{name} has the hash {sha256}, the manifest says {}",
            file.sha256
        )));
    }
    Ok(match rows(found) {
        Ok(rows) if rows == i64::try_from(file.rows).unwrap_or(i64::MAX) => None,
        Ok(rows) => Some(format!("{name} has {rows} rows, the manifest says {}", file.rows)),
        Err(error) => Some(format!("{name} is no Parquet file: {error}")),
    })
}

/// How many rows a file says it has.
fn rows(file: fs::File) -> Result<i64, ::parquet::errors::ParquetError> {
    Ok(SerializedFileReader::new(file)?.metadata().file_metadata().num_rows())
}
