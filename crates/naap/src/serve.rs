//! `naap serve`: the API over a folder, beside the process that writes there or alone. It never writes.

use std::sync::Arc;

use api::health::{Check, Finding};
use api::live::{Bounds, Feed};
use events::event::Network;
use tokio_util::sync::CancellationToken;
use warehouse::Reader;

use crate::config::Config;
use crate::console::Console;
use crate::instance::Instance;
use crate::process::{Deadline, Signals};
use crate::watch::{self, Counts};
use crate::web::{self, Gifts, Sources};
use crate::{follow, private, process, store};

/// Runs the verb.
pub fn run(config: &Config, console: Console) -> anyhow::Result<()> {
    process::run(serve(config, console))
}

async fn serve(config: &Config, console: Console) -> anyhow::Result<()> {
    let instance = Instance::look(&config.instance.data)?;
    let clock = store::clock();
    let warehouse: Arc<dyn Reader> = Arc::new(store::look_at_warehouse(&instance)?);
    let ledger = Arc::new(store::look_at_ledger(&instance)?);
    let feed = Arc::new(Feed::new(clock(), Bounds::default()));
    let (failures, mut failed) = process::failures();
    let counts = Counts::default();
    let listener = watch::listener(Arc::clone(&feed), counts, Arc::clone(&clock));
    let (seen, facts) = (Arc::clone(&ledger), Arc::clone(&warehouse));
    let following = follow::start(seen, facts, Network::ALL.to_vec(), listener, &failures)?;
    let sources = Sources {
        ledger: Arc::new(move || Arc::clone(&ledger)),
        warehouse: Arc::clone(&warehouse),
    };
    let reads = move || match warehouse.last_ordinal() {
        Ok(_) => Finding::ok("it can be read"),
        Err(error) => Finding::wrong(error.to_string()),
    };
    let stopping = CancellationToken::new();
    let (private, comparing) = private::look(config, &sources.warehouse, &failures, &stopping)?;
    let checks = vec![Check::new("warehouse", reads)];
    let gifts = Gifts { checks, private: Some(private), ..Gifts::default() };
    let router = web::router(config, &clock, sources, feed, gifts, stopping.clone())?;
    let listener = web::bind(config.api.listen, "the API", "--listen").await?;
    let signals = Signals::listen()?;
    console.line(format_args!("API http://{}, described at /docs", listener.local_addr()?))?;
    let serving = web::serve(listener, router, web::door(config), stopping.clone());
    let serving = failures.watch("serving", serving);
    let outcome = failed.or_asked(signals).await;
    stopping.cancel();
    following.stop();
    let deadline = Deadline::after(config.instance.stop_ms);
    deadline.join("serving", [serving]).await;
    deadline.join("comparing windows", [comparing]).await;
    outcome
}
