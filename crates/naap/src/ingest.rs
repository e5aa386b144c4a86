//! `naap ingest`: takes batches that publishers push, keeps, repairs, settles and serves them.

use api::health::{Check, Finding};

use crate::backbone::{Foundation, known_networks};
use crate::config::Config;
use crate::console::Console;
use crate::process::{Deadline, Signals};
use crate::store::{self, Store};
use crate::web::{self, Gifts};
use crate::{doors, own, process, room};

/// Runs the verb.
pub fn run(config: &Config, console: Console) -> anyhow::Result<()> {
    process::run(ingest(config, console))
}

async fn ingest(config: &Config, console: Console) -> anyhow::Result<()> {
    let instance =
        room::wait("the data folder", || async { doors::instance(config, false) }).await?;
    let listener = web::bind(config.api.listen, "the API and the channel", "--listen").await?;
    let clock = store::clock();
    let network = config.instance.network;
    let open = || async {
        let trust = instance.trust_with(network, &[])?;
        anyhow::Ok((trust, Store::open(&instance, config, known_networks(&instance)?)?))
    };
    let (trust, store) = room::wait("the data folder", open).await?;
    let path = instance.trust_path(network);
    let mut gifts = Gifts::default();
    if trust.members.is_empty() {
        let wrong = Finding::wrong(format!(
            "nobody's word counts: {} names nobody; copy the trust file of the network there and start again",
            path.display()
        ));
        gifts.checks.push(Check::new("trust", move || wrong.clone()));
        tracing::warn!(
            file = %path.display(),
            "nobody's word counts yet: put the network's trust file there and start again"
        );
    }
    let (failures, mut failed) = process::failures();
    let foundation = Foundation::lay(store, listener, &clock, &failures)?;
    let backbone = foundation.open(&instance, false, gifts, config, &failures)?;
    let addresses = own::Addresses { api: Some(backbone.address), intake: None, kafka: None };
    let signals = Signals::listen()?;
    addresses.write(&instance, &failures)?;
    console.line(format_args!(
        "API and channel http://{0}, described at http://{0}/docs",
        backbone.address
    ))?;
    let outcome = failed.or_asked(signals).await;
    backbone.stop(Deadline::after(config.instance.stop_ms)).await;
    outcome.and_then(|()| failed.late())
}
