//! Exports for the API: made from the record and the warehouse when they are asked for, the last few kept at hand.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use api::exports::{Content, Exports, File, Unavailable, Wanted};
use api::state::LedgerSource;
use ledger::Ledger;
use pipeline::export::span::SpanExport;
use pipeline::export::{Export, FileEntry};
use sla::window::Span;
use warehouse::Reader;

/// How many exports are kept at hand: gathering one reads all its batches once.
const KEPT: usize = 4;

/// The file that lists the others, which a fetcher may also ask for by name.
const MANIFEST: &str = "manifest.json";

/// Exports over a record and a warehouse.
pub struct LedgerExports {
    kept: Mutex<VecDeque<(Wanted, Gathered)>>,
    ledger: LedgerSource,
    warehouse: Arc<dyn Reader>,
}

#[derive(Clone)]
enum Gathered {
    Hour { export: Arc<Export>, ledger: Arc<Ledger> },
    Window(Arc<SpanExport>),
}

impl Gathered {
    fn manifest_bytes(&self) -> Vec<u8> {
        match self {
            Self::Hour { export, .. } => export.manifest_bytes(),
            Self::Window(export) => export.manifest_bytes(),
        }
    }

    fn small_file(&self, name: &str) -> Option<&[u8]> {
        match self {
            Self::Hour { export, .. } => export.small_file(name),
            Self::Window(export) => export.small_file(name),
        }
    }

    fn files(&self) -> &[FileEntry] {
        match self {
            Self::Hour { export, .. } => &export.manifest.files,
            Self::Window(export) => &export.manifest.files,
        }
    }
}

impl LedgerExports {
    /// No export made yet.
    pub fn new(ledger: LedgerSource, warehouse: Arc<dyn Reader>) -> Self {
        Self { kept: Mutex::default(), ledger, warehouse }
    }

    fn gathered(&self, wanted: &Wanted) -> Result<Gathered, Unavailable> {
        let wanted = Wanted { revision: Some(self.revision(wanted)?), ..*wanted };
        let known = self
            .lock()
            .iter()
            .find(|(known, _)| *known == wanted)
            .map(|(_, gathered)| gathered.clone());
        if let Some(gathered) = known {
            return Ok(gathered);
        }
        let gathered = self.gather(&wanted).map_err(|error| match error {
            pipeline::Error::Absent(detail) => Unavailable::Absent(detail),
            other => Unavailable::Failed(other.to_string()),
        })?;
        let mut kept = self.lock();
        kept.push_back((wanted, gathered.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(gathered)
    }

    fn gather(
        &self,
        Wanted { network, revision, window }: &Wanted,
    ) -> Result<Gathered, pipeline::Error> {
        let reader = self.warehouse.as_ref();
        if window.span != Span::Hour {
            return Ok(Gathered::Window(Arc::new(SpanExport::of(reader, *network, *window)?)));
        }
        let ledger = (self.ledger)();
        let export = Export::of(&ledger, reader, *network, window.last, *revision)?;
        Ok(Gathered::Hour { export: Arc::new(export), ledger })
    }

    /// The revision that is asked for, or the latest; a longer window has the first alone.
    fn revision(&self, Wanted { network, revision, window }: &Wanted) -> Result<u32, Unavailable> {
        let failed = |error: warehouse::Error| Unavailable::Failed(error.to_string());
        if window.span == Span::Hour {
            let revisions = self.warehouse.revisions(*network, window.last).map_err(failed)?;
            let unsettled = || Unavailable::Unsettled(format!("{network} {window} is not settled"));
            let latest = revisions.last().ok_or_else(unsettled)?;
            return Ok(revision.unwrap_or(latest.revision));
        }
        if let Some(revision) = revision.filter(|revision| *revision > 0) {
            let detail = format!("{network} {window} has no revision {revision}, only 0");
            return Err(Unavailable::Absent(detail));
        }
        let is_made = self.warehouse.window_record(*network, *window).map_err(failed)?.is_some();
        let unmade = || Unavailable::Unsettled(format!("{network} {window} was not made"));
        if is_made { Ok(0) } else { Err(unmade()) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Wanted, Gathered)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exports for LedgerExports {
    fn manifest(&self, wanted: &Wanted) -> Result<Vec<u8>, Unavailable> {
        Ok(self.gathered(wanted)?.manifest_bytes())
    }

    fn file(&self, wanted: &Wanted, name: &str) -> Result<File, Unavailable> {
        let gathered = self.gathered(wanted)?;
        if name == MANIFEST {
            return Ok(whole(gathered.manifest_bytes()));
        }
        if let Some(content) = gathered.small_file(name) {
            return Ok(whole(content.to_vec()));
        }
        let entry = gathered.files().iter().find(|file| file.name == name);
        let bytes = entry.map(|file| file.bytes).ok_or_else(|| {
            Unavailable::Absent(format!("the export of {} has no file {name}", wanted.window))
        })?;
        let reader = Arc::clone(&self.warehouse);
        let content: Content = match gathered {
            Gathered::Hour { export, ledger } => {
                Box::new(move |sink| write_all(export.lines(&ledger), sink))
            }
            Gathered::Window(export) => {
                Box::new(move |sink| write_all(export.lines(reader.as_ref()), sink))
            }
        };
        Ok(File { bytes, content })
    }
}

fn write_all(
    lines: impl Iterator<Item = Result<Vec<u8>, pipeline::Error>>,
    sink: &mut dyn Write,
) -> io::Result<()> {
    for line in lines {
        sink.write_all(&line.map_err(io::Error::other)?)?;
    }
    Ok(())
}

fn whole(content: Vec<u8>) -> File {
    let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
    File { bytes, content: Box::new(move |sink: &mut dyn Write| sink.write_all(&content)) }
}
