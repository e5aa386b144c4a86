//! Verification: an exported folder is settled again from its own files, by the functions that settled it first.
//!
//! Nothing is believed: hashes, signatures and roots are checked, and the scorecard is made anew and compared byte by
//! byte. Names in a manifest never become paths, and every length is bounded before it is read.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use events::batch::{Batch, MAX_PAYLOAD_BYTES};
use events::identity::Digest;
use events::wire::from_line;
use serde_json::Value;
use sla::authority::Authority;
use sla::context::Context;
use sla::hour::{EventSet, settle};
use sla::opened::Opened;
use sla::policy::Policy;
use sla::register::Register;
use sla::score::{Question, score_hour};
use sla::scorecard::Scorecard;
use sla::trust::TrustFile;
use sla::window::Span;

use crate::export::{BATCHES, FILES, FORMAT, Manifest, REGISTER};
use crate::settle::note::spread;

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

/// Verifies an exported folder; `progress` hears how many batches were checked.
pub fn verify(
    folder: &Path,
    threads: usize,
    progress: &mut dyn FnMut(u64),
) -> Result<Verdict, Error> {
    let manifest: Manifest = json(&small(folder, "manifest.json")?, "manifest.json")?;
    if manifest.format != FORMAT {
        return Err(unusable(
            "manifest.json",
            format!("format {:?}, not {FORMAT:?}", manifest.format),
        ));
    }
    if manifest.names().is_none() {
        let named: Vec<&str> = manifest.files.iter().map(|file| file.name.as_str()).collect();
        let instead = format!("files {named:?}, not {FILES:?} and perhaps {REGISTER:?}");
        return Err(unusable("manifest.json", instead));
    }
    for file in &manifest.files {
        if let Some(difference) = check_file(folder, file)? {
            return Ok(Verdict::Diverges(difference));
        }
    }
    let batches = match read_batches(folder, threads, progress)? {
        Ok(batches) => batches,
        Err(difference) => return Ok(Verdict::Diverges(difference)),
    };
    compare(folder, &manifest, &batches)
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

/// Settles the files again and compares what comes out with what is claimed.
fn compare(folder: &Path, manifest: &Manifest, batches: &[Opened]) -> Result<Verdict, Error> {
    let claimed_bytes = small(folder, "scorecard.json")?;
    let claimed: Scorecard = json(&claimed_bytes, "scorecard.json")?;
    let text = String::from_utf8(small(folder, "policy.toml")?)
        .map_err(|error| unusable("policy.toml", error))?;
    let policy = Policy::parse(&text).map_err(|error| unusable("policy.toml", error.why))?;
    let trust: TrustFile = json(&small(folder, "trust.json")?, "trust.json")?;
    let context: Context = json(&small(folder, "context.json")?, "context.json")?;
    if claimed.window.span != Span::Hour
        || claimed.window != manifest.window
        || claimed.network != manifest.network
    {
        return Err(unusable(
            "scorecard.json",
            "its window or network is not the manifest's, or no hour",
        ));
    }
    let differs = |what: &str, claimed: &dyn std::fmt::Display, found: &dyn std::fmt::Display| {
        Ok(Verdict::Diverges(format!(
            "{what}: the scorecard says {claimed}, these files give {found}"
        )))
    };
    let digest = Digest::of(&[&claimed_bytes]);
    if digest != manifest.digest {
        return Ok(Verdict::Diverges(format!(
            "digest: the manifest says {}, scorecard.json has {digest}",
            manifest.digest
        )));
    }
    if claimed.policy.hash != policy.hash {
        return differs("policy", &claimed.policy.hash, &policy.hash);
    }
    if claimed.trust != trust.hash() {
        return differs("trust file", &claimed.trust, &trust.hash());
    }
    if claimed.context != context.digest() {
        return differs("context", &claimed.context, &context.digest());
    }
    let register = match read_register(folder, manifest, &context)? {
        Ok(register) => register,
        Err(difference) => return Ok(Verdict::Diverges(difference)),
    };
    let hour = claimed.window.last;
    let authority = Authority::of(&trust, batches);
    let all: Vec<&Opened> = batches.iter().collect();
    let settled = settle(hour, &all, context.open(), &authority, &policy.observe);
    let window = claimed.window;
    let asked =
        Question { context: &context, policy: &policy, register: &register, trust: &trust, window };
    let found = score_hour(&settled, asked);
    if found.bytes() == claimed_bytes {
        let held = u64::try_from(batches.len()).unwrap_or(u64::MAX);
        if let Some(difference) = beside(manifest, &settled.event_set, held) {
            return Ok(Verdict::Diverges(difference));
        }
        return Ok(Verdict::Agrees {
            batches: held,
            digest,
            events: settled.event_set.count,
            results: found.results.len(),
            window: claimed.window.to_string(),
        });
    }
    let as_value = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap_or(Value::Null);
    let first = first_difference("", &as_value(&claimed_bytes), &as_value(&found.bytes()));
    Ok(Verdict::Diverges(
        first.unwrap_or_else(|| "scorecard.json is not in canonical form".to_owned()),
    ))
}

/// The register that the context names; an empty one where it names none.
fn read_register(
    folder: &Path,
    manifest: &Manifest,
    context: &Context,
) -> Result<Result<Register, String>, Error> {
    let has_register = manifest.files.iter().any(|file| file.name == REGISTER);
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

/// The first place, in the order of the bytes, where two values differ.
fn first_difference(path: &str, claimed: &Value, found: &Value) -> Option<String> {
    match (claimed, found) {
        _ if claimed == found => None,
        (Value::Object(one), Value::Object(other)) => {
            let names: BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            let at = |of: &serde_json::Map<String, Value>, name: &String| {
                of.get(name).cloned().unwrap_or(Value::Null)
            };
            names.into_iter().find_map(|name| {
                first_difference(&format!("{path}/{name}"), &at(one, name), &at(other, name))
            })
        }
        (Value::Array(one), Value::Array(other)) => {
            let pairs = one.iter().zip(other).enumerate();
            let inner = pairs.into_iter().find_map(|(at, (one, other))| {
                first_difference(&format!("{path}/{at}"), one, other)
            });
            let lengths = || {
                format!(
                    "{path}: the scorecard has {} entries, these files give {}",
                    one.len(),
                    other.len()
                )
            };
            inner.or_else(|| Some(lengths()))
        }
        _ => Some(format!(
            "{path}: the scorecard says {}, these files give {}",
            short(claimed),
            short(found)
        )),
    }
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(200).collect()
}
