//! `naap serve`: the API over a folder, beside the process that writes there or alone. It never writes.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::health::{Check, Finding};
use api::live::{Bounds, Feed};
use api::state::LedgerSource;
use ledger::Ledger;
use tokio_util::sync::CancellationToken;
use warehouse::Reader;

use crate::config::Config;
use crate::console::Console;
use crate::instance::Instance;
use crate::process::{Deadline, Signals};
use crate::web::{self, Gifts, Sources};
use crate::{process, store};

/// The view of the record is made anew at most so often: making it reads all of it.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Runs the verb.
pub fn run(config: &Config, console: Console) -> anyhow::Result<()> {
    process::run(serve(config, console))
}

async fn serve(config: &Config, console: Console) -> anyhow::Result<()> {
    let instance = Instance::look(&config.instance.data)?;
    let clock = store::clock();
    let warehouse: Arc<dyn Reader> = Arc::new(store::look_at_warehouse(&instance)?);
    let sources = Sources {
        ledger: view(instance, Arc::clone(&warehouse))?,
        warehouse: Arc::clone(&warehouse),
    };
    let feed = Arc::new(Feed::new(clock(), Bounds::default()));
    let reads = move || match warehouse.last_ordinal() {
        Ok(_) => Finding::ok("it can be read"),
        Err(error) => Finding::wrong(error.to_string()),
    };
    let gifts = Gifts { checks: vec![Check::new("warehouse", reads)], ..Gifts::default() };
    let stopping = CancellationToken::new();
    let router = web::router(config, &clock, sources, feed, gifts, stopping.clone());
    let listener = web::bind(config.api.listen, "the API", "--listen").await?;
    let signals = Signals::listen()?;
    console.line(format_args!("API http://{}, described at /docs", listener.local_addr()?))?;
    let (failures, mut failed) = process::failures();
    let serving = failures
        .watch("serving", web::serve(listener, router, config.instance.stop_ms, stopping.clone()));
    let outcome = failed.or_asked(signals).await;
    stopping.cancel();
    Deadline::after(config.instance.stop_ms).join("serving", [serving]).await;
    outcome
}

/// The record as another process left it, looked at again when the warehouse tells of records that are not in view.
fn view(instance: Instance, warehouse: Arc<dyn Reader>) -> anyhow::Result<LedgerSource> {
    let first = Arc::new(store::look_at_ledger(&instance)?);
    let seen = Mutex::new((Instant::now(), first));
    Ok(Arc::new(move || {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        let (looked, ledger): &mut (Instant, Arc<Ledger>) = &mut seen;
        let is_behind = match warehouse.last_ordinal() {
            Ok(Some(last)) => last >= ledger.end().next,
            _ => false,
        };
        if is_behind && looked.elapsed() >= LOOK_EVERY {
            match store::look_at_ledger(&instance) {
                Ok(fresh) => *ledger = Arc::new(fresh),
                Err(error) => {
                    tracing::warn!(%error, "cannot look at the ledger again; the last view stays")
                }
            }
            *looked = Instant::now();
        }
        Arc::clone(ledger)
    }))
}
