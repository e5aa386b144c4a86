//! Verification: an exported folder is settled again from its own files, by the functions that settled it first.
//!
//! Nothing is believed: hashes, signatures and roots are checked, and the scorecard is made anew and compared byte by
//! byte. Names in a manifest never become paths, and every length is bounded before it is read.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use events::batch::{Batch, MAX_PAYLOAD_BYTES};
use events::event::Network;
use events::identity::Digest;
use events::wire::from_line;
use serde_json::Value;
use sla::authority::Authority;
use sla::context::Context;
use sla::hour::{EventSet, Settled, settle};
use sla::opened::Opened;
use sla::policy::Policy;
use sla::register::Register;
use sla::rollup::Detail;
use sla::score::{Question, score_hour};
use sla::scorecard::Scorecard;
use sla::trust::TrustFile;
use sla::window::{Span, Window};

use crate::export::{BATCHES, FILES, FORMAT, FileEntry, Manifest, REGISTER};
use crate::settle::note::spread;
use difference::first_difference;

mod difference;
pub mod span;

/// The file that lists the others.
const MANIFEST: &str = "manifest.json";

/// The most bytes of a file other than the batches.
const SMALL_FILE_MAX: u64 = 256 * 1024 * 1024;

/// The most bytes of one line of batches: a payload whose every event is written as hex, its header and signature.
const LINE_MAX: u64 = 2 * MAX_PAYLOAD_BYTES as u64 + 8192;

/// How many lines are checked at once.
const LINES_AT_ONCE: usize = 256;

/// What a verification found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every digest agrees.
    Agrees {
        /// How many batches were checked.
        batches: u64,
        /// The digest that agrees.
        digest: Digest,
        /// How many events the scorecard rests on.
        events: u64,
        /// How many results it holds.
        results: usize,
        /// The window.
        window: String,
    },
    /// Every digest of a window of several hours agrees.
    Merges {
        /// The digest that agrees.
        digest: Digest,
        /// How many hours it merges.
        hours: u64,
        /// How many results it holds.
        results: usize,
        /// The window.
        window: String,
    },
    /// Something differs: the first of it.
    Diverges(String),
}

/// Why a folder could not be checked at all.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read.
    #[error("cannot read {name}: {source}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what its name says.
    #[error("{name} cannot be used: {why}")]
    Unusable {
        /// The file.
        name: String,
        /// Why.
        why: String,
    },
}

/// As much of a manifest as says how to read the rest.
#[derive(serde::Deserialize)]
struct Outline {
    format: String,
    window: Window,
}

/// Verifies an exported folder; `progress` hears how many batches, or hours of a longer window, were checked.
pub fn verify(
    folder: &Path,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Verdict, Error> {
    let content = small(folder, MANIFEST)?;
    let outline: Outline = json(&content, MANIFEST)?;
    if outline.format != FORMAT {
        return Err(unusable(MANIFEST, format!("format {:?}, not {FORMAT:?}", outline.format)));
    }
    if outline.window.span != Span::Hour {
        return span::verify_window(folder, &content, progress);
    }
    Ok(match verify_hour(folder, &content, threads, progress)? {
        Ok(hour) => Verdict::Agrees {
            batches: hour.batches,
            digest: hour.digest,
            events: hour.settled.event_set.count,
            results: hour.results,
            window: hour.window.to_string(),
        },
        Err(difference) => Verdict::Diverges(difference),
    })
}

/// An hour that agrees.
struct Verified {
    batches: u64,
    digest: Digest,
    results: usize,
    revision: u32,
    settled: Settled,
    window: Window,
}

fn verify_hour(
    folder: &Path,
    manifest: &[u8],
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Result<Verified, String>, Error> {
    let manifest: Manifest = json(manifest, MANIFEST)?;
    if manifest.names().is_none() {
        return Err(listed_otherwise(&manifest.files, &FILES));
    }
    for file in &manifest.files {
        if let Some(difference) = check_file(folder, file)? {
            return Ok(Err(difference));
        }
    }
    let batches = match read_batches(folder, threads, progress)? {
        Ok(batches) => batches,
        Err(difference) => return Ok(Err(difference)),
    };
    compare(folder, &manifest, &batches)
}

fn listed_otherwise(files: &[FileEntry], instead: &[&str]) -> Error {
    let named: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    unusable(MANIFEST, format!("files {named:?}, not {instead:?} and perhaps {REGISTER:?}"))
}

fn unusable(name: &str, why: impl ToString) -> Error {
    Error::Unusable { name: name.to_owned(), why: why.to_string() }
}

fn unreadable(name: &str) -> impl Fn(std::io::Error) -> Error + '_ {
    move |source| Error::Unreadable { name: name.to_owned(), source }
}

fn open(folder: &Path, name: &str) -> Result<File, Error> {
    File::open(folder.join(name)).map_err(unreadable(name))
}

fn small(folder: &Path, name: &str) -> Result<Vec<u8>, Error> {
    let mut content = Vec::new();
    open(folder, name)?
        .take(SMALL_FILE_MAX + 1)
        .read_to_end(&mut content)
        .map_err(unreadable(name))?;
    if content.len() as u64 > SMALL_FILE_MAX {
        return Err(unusable(name, "over 256 MiB"));
    }
    Ok(content)
}

fn json<T: serde::de::DeserializeOwned>(content: &[u8], name: &str) -> Result<T, Error> {
    serde_json::from_slice(content).map_err(|error| unusable(name, error))
}

/// Compares a file with its line in the manifest.
fn check_file(folder: &Path, file: &crate::export::FileEntry) -> Result<Option<String>, Error> {
    use sha2::Digest as _;
    let mut reader = BufReader::with_capacity(1 << 16, open(folder, &file.name)?);
    let mut hasher = sha2::Sha256::new();
    let mut bytes = 0;
    loop {
        let part = reader.fill_buf().map_err(unreadable(&file.name))?;
        if part.is_empty() {
            break;
        }
        hasher.update(part);
        let read = part.len();
        bytes += read as u64;
        reader.consume(read);
    }
    let found = Digest(hasher.finalize().into());
    let is_same = found == file.sha256 && bytes == file.bytes;
    let differs = format!(
        "{}: the manifest says {} bytes of sha256 {}, the file has {bytes} of {found}",
        file.name, file.bytes, file.sha256
    );
    Ok((!is_same).then_some(differs))
}

/// Reads and checks the batches, a bounded number of lines at once.
fn read_batches(
    folder: &Path,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Result<Vec<Opened>, String>, Error> {
    let mut reader = BufReader::with_capacity(1 << 20, open(folder, BATCHES)?);
    let mut opened = Vec::new();
    loop {
        let lines = next_lines(&mut reader)?;
        if lines.is_empty() {
            return Ok(Ok(opened));
        }
        let check = |line: &Vec<u8>| Ok(from_line(line).map(|batch: Batch| Opened::of(&batch)));
        let checked = spread(&lines, threads, check).map_err(|error| unusable(BATCHES, error))?;
        for batch in checked {
            match batch {
                Ok(batch) => opened.push(batch),
                Err(refusal) => {
                    return Ok(Err(format!("{BATCHES} line {}: {refusal}", opened.len() + 1)));
                }
            }
        }
        progress(u64::try_from(opened.len()).unwrap_or(u64::MAX));
    }
}

fn next_lines(reader: &mut impl BufRead) -> Result<Vec<Vec<u8>>, Error> {
    let mut lines = Vec::new();
    while lines.len() < LINES_AT_ONCE {
        let mut line = Vec::new();
        let read = reader
            .by_ref()
            .take(LINE_MAX)
            .read_until(b'\n', &mut line)
            .map_err(unreadable(BATCHES))?;
        if read == 0 {
            break;
        }
        if line.pop() != Some(b'\n') {
            return Err(unusable(BATCHES, "a line that is too long or has no end"));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// What a scorecard was made from, as its folder has it.
struct Claim {
    bytes: Vec<u8>,
    context: Context,
    policy: Policy,
    register: Register,
    scorecard: Scorecard,
    trust: TrustFile,
}

impl Claim {
    /// Reads it and checks that the scorecard names it; a difference where it does not.
    fn read(
        folder: &Path,
        digest: Digest,
        (network, window): (Network, Window),
        has_register: bool,
    ) -> Result<Result<Self, String>, Error> {
        let bytes = small(folder, "scorecard.json")?;
        let scorecard: Scorecard = json(&bytes, "scorecard.json")?;
        let text = String::from_utf8(small(folder, "policy.toml")?)
            .map_err(|error| unusable("policy.toml", error))?;
        let policy = Policy::parse(&text).map_err(|error| unusable("policy.toml", error.why))?;
        let trust: TrustFile = json(&small(folder, "trust.json")?, "trust.json")?;
        let context: Context = json(&small(folder, "context.json")?, "context.json")?;
        if scorecard.window != window || scorecard.network != network {
            return Err(unusable("scorecard.json", "its window or network is not the manifest's"));
        }
        let found = Digest::of(&[&bytes]);
        if found != digest {
            return Ok(Err(format!(
                "digest: the manifest says {digest}, scorecard.json has {found}"
            )));
        }
        for (what, claimed, found) in [
            ("policy", scorecard.policy.hash, policy.hash),
            ("trust file", scorecard.trust, trust.hash()),
            ("context", scorecard.context, context.digest()),
        ] {
            if claimed != found {
                return Ok(Err(format!(
                    "{what}: the scorecard says {claimed}, these files give {found}"
                )));
            }
        }
        let register = read_register(folder, has_register, &context)?;
        Ok(register.map(|register| Self { bytes, context, policy, register, scorecard, trust }))
    }

    fn asked(&self) -> Question<'_> {
        let Self { context, policy, register, trust, .. } = self;
        Question { context, policy, register, trust, window: self.scorecard.window }
    }

    /// Where the scorecard differs from what was found.
    fn differs(&self, found: &Scorecard) -> Option<String> {
        let found = found.bytes();
        if found == self.bytes {
            return None;
        }
        let as_value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
        let first = first_difference("", &as_value(&self.bytes), &as_value(&found));
        Some(first.unwrap_or_else(|| "scorecard.json is not in canonical form".to_owned()))
    }
}

/// Settles the files again and compares what comes out with what is claimed.
fn compare(
    folder: &Path,
    manifest: &Manifest,
    batches: &[Opened],
) -> Result<Result<Verified, String>, Error> {
    let Manifest { digest, network, window, .. } = *manifest;
    if window.span != Span::Hour {
        return Err(unusable(MANIFEST, format!("{window} is no hour")));
    }
    let has_register = manifest.files.iter().any(|file| file.name == REGISTER);
    let claim = match Claim::read(folder, digest, (network, window), has_register)? {
        Ok(claim) => claim,
        Err(difference) => return Ok(Err(difference)),
    };
    let authority = Authority::of(&claim.trust, batches);
    let all: Vec<&Opened> = batches.iter().collect();
    let observe = &claim.policy.observe;
    let settled =
        settle(window.last, &all, claim.context.open(), &authority, observe, Detail::Hour);
    let found = score_hour(&settled, claim.asked());
    let held = u64::try_from(batches.len()).unwrap_or(u64::MAX);
    if let Some(difference) =
        claim.differs(&found).or_else(|| beside(manifest, &settled.event_set, held))
    {
        return Ok(Err(difference));
    }
    let (results, revision) = (found.results.len(), manifest.revision);
    Ok(Ok(Verified { batches: held, digest, results, revision, settled, window }))
}

/// The register that the context names; an empty one where it names none.
fn read_register(
    folder: &Path,
    has_register: bool,
    context: &Context,
) -> Result<Result<Register, String>, Error> {
    let Some(named) = context.register() else {
        let more = || Err("register: the context names none, and there is a file".to_owned());
        return Ok(if has_register { more() } else { Ok(Register::default()) });
    };
    if !has_register {
        return Ok(Err(format!("register: the context names {named}, and there is no file")));
    }
    let register: Register = json(&small(folder, REGISTER)?, REGISTER)?;
    let found = register.digest();
    let differs = || format!("register: the context says {named}, this file gives {found}");
    Ok(if found == named { Ok(register) } else { Err(differs()) })
}

/// What the manifest says beside the scorecard and these files say otherwise. The revision is not in them: it counts
/// how often the one who publishes settled the hour.
fn beside(manifest: &Manifest, event_set: &EventSet, batches: u64) -> Option<String> {
    if manifest.event_set != *event_set {
        return Some(format!(
            "event_set: the manifest says {} events under {}, these files give {} under {}",
            manifest.event_set.count, manifest.event_set.root, event_set.count, event_set.root
        ));
    }
    let says = manifest.batches;
    (says != batches)
        .then(|| format!("batches: the manifest says {says}, these files hold {batches}"))
}
