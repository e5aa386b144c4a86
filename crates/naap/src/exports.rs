//! Exports for the API: made from the record and the warehouse when they are asked for, the last few kept at hand.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use api::exports::{Exports, File, Unavailable, Wanted};
use api::state::LedgerSource;
use ledger::Ledger;
use pipeline::export::{BATCHES, Export};
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
struct Gathered {
    export: Arc<Export>,
    ledger: Arc<Ledger>,
}

impl LedgerExports {
    /// No export made yet.
    pub fn new(ledger: LedgerSource, warehouse: Arc<dyn Reader>) -> Self {
        Self { kept: Mutex::default(), ledger, warehouse }
    }

    fn gathered(&self, wanted: &Wanted) -> Result<Gathered, Unavailable> {
        if wanted.window.span != Span::Hour {
            let detail = format!("{} is no hour: only hours have exports", wanted.window);
            return Err(Unavailable::Absent(detail));
        }
        let hour = wanted.window.last;
        let failed = |error: &dyn std::fmt::Display| Unavailable::Failed(error.to_string());
        let latest =
            self.warehouse.revisions(wanted.network, hour).map_err(|error| failed(&error))?.pop();
        let Some(latest) = latest else {
            return Err(Unavailable::Unsettled(format!(
                "{} {hour} is not settled",
                wanted.network
            )));
        };
        let wanted =
            Wanted { revision: Some(wanted.revision.unwrap_or(latest.revision)), ..*wanted };
        let known = self
            .lock()
            .iter()
            .find(|(known, _)| *known == wanted)
            .map(|(_, gathered)| gathered.clone());
        if let Some(gathered) = known {
            return Ok(gathered);
        }
        let ledger = (self.ledger)();
        let made =
            Export::of(&ledger, self.warehouse.as_ref(), wanted.network, hour, wanted.revision);
        let export = made.map_err(|error| match error {
            pipeline::Error::Absent(detail) => Unavailable::Absent(detail),
            other => failed(&other),
        })?;
        let gathered = Gathered { export: Arc::new(export), ledger };
        let mut kept = self.lock();
        kept.push_back((wanted, gathered.clone()));
        if kept.len() > KEPT {
            kept.pop_front();
        }
        Ok(gathered)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<(Wanted, Gathered)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Exports for LedgerExports {
    fn manifest(&self, wanted: &Wanted) -> Result<Vec<u8>, Unavailable> {
        Ok(self.gathered(wanted)?.export.manifest_bytes())
    }

    fn file(&self, wanted: &Wanted, name: &str) -> Result<File, Unavailable> {
        let Gathered { export, ledger } = self.gathered(wanted)?;
        if name == MANIFEST {
            return Ok(whole(export.manifest_bytes()));
        }
        if let Some(content) = export.small_file(name) {
            return Ok(whole(content.to_vec()));
        }
        let entry = export.manifest.files.iter().find(|file| file.name == name && name == BATCHES);
        let bytes = entry.map(|file| file.bytes).ok_or_else(|| {
            Unavailable::Absent(format!("the export of {} has no file {name}", wanted.window))
        })?;
        let content = move |sink: &mut dyn Write| {
            for line in export.lines(&ledger) {
                sink.write_all(&line.map_err(std::io::Error::other)?)?;
            }
            Ok(())
        };
        Ok(File { bytes, content: Box::new(content) })
    }
}

fn whole(content: Vec<u8>) -> File {
    let bytes = u64::try_from(content.len()).unwrap_or(u64::MAX);
    File { bytes, content: Box::new(move |sink: &mut dyn Write| sink.write_all(&content)) }
}
