//! Feeds, sign-in and subscriptions, put together from the configuration: for the process that writes in a folder, and for
//! one that only reads there.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use api::changes::Changes;
use api::metrics::Exposition;
use api::private::Keeper;
use api::sign_in::{Settings, SignIn};
use events::event::Network;
use events::unit::{Millis, Ppm};
use pipeline::Clock;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use warehouse::Reader;

use crate::config::Config;
use crate::instance::Instance;
use crate::process::Failures;
use crate::store::Store;
use crate::web::Gifts;
use crate::webhooks::{Webhooks, deliver};

/// How many windows are compared at once: a stop waits for them.
const WINDOWS_AT_ONCE: usize = 8;

/// How often it is looked for new windows.
const LOOK: Duration = Duration::from_secs(2);

/// What the process that writes gives to the API, and what goes on behind it.
pub fn start(
    instance: &Instance,
    config: &Config,
    store: &Store,
    home: Option<SocketAddr>,
    clock: &Clock,
    failures: &Failures,
    stopping: &CancellationToken,
) -> anyhow::Result<(Gifts, Vec<JoinHandle<()>>)> {
    let warehouse: Arc<dyn Reader> = Arc::<warehouse::sqlite::Sqlite>::clone(&store.warehouse);
    let settings = settings(config, home);
    let (mut private, comparing) = begin(config, settings, &warehouse, failures, stopping)?;
    let (base, changes) = (private.base().to_owned(), Arc::clone(&private.changes));
    let path = instance.subscriptions();
    let webhooks = Arc::new(Webhooks::open(&path, &config.webhooks, base, changes, clock)?);
    let keeper: Arc<dyn Keeper> = Arc::<Webhooks>::clone(&webhooks);
    private.keeper = Some(keeper);
    let counted = Arc::clone(&webhooks);
    let contributor: api::metrics::Contributor = Arc::new(move |to: &mut Exposition| {
        let (all, paused) = counted.count();
        for (state, count) in [("active", all - paused), ("paused", paused)] {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            to.gauge("naap_webhook_subscriptions", "Subscriptions.", &[("state", state)], count);
        }
    });
    let delivering = failures.watch("telling subscribers", deliver(webhooks, stopping.clone()));
    let gifts =
        Gifts { contributors: vec![contributor], private: Some(private), ..Gifts::default() };
    Ok((gifts, vec![comparing, delivering]))
}

/// What a process that only reads gives to the API: everything but subscriptions.
pub fn look(
    config: &Config,
    warehouse: &Arc<dyn Reader>,
    failures: &Failures,
    stopping: &CancellationToken,
) -> anyhow::Result<(api::Private, JoinHandle<()>)> {
    begin(config, settings(config, None), warehouse, failures, stopping)
}

fn begin(
    config: &Config,
    settings: Option<Settings>,
    warehouse: &Arc<dyn Reader>,
    failures: &Failures,
    stopping: &CancellationToken,
) -> anyhow::Result<(api::Private, JoinHandle<()>)> {
    let changes = Arc::new(Changes::new(Ppm(config.private.feed_step_ppm)));
    let private = api::Private {
        changes: Arc::clone(&changes),
        keeper: None,
        public_url: settings.as_ref().map(|settings| settings.uri.clone()),
        sign_in: settings.map(SignIn::new).transpose().context("private.uri")?,
    };
    let work = compare(changes, Arc::clone(warehouse), stopping.clone());
    Ok((private, failures.watch("comparing windows", work)))
}

/// How sign-in is offered: as configured, else at `home` where that is on this machine, else not at all.
fn settings(config: &Config, home: Option<SocketAddr>) -> Option<Settings> {
    let private = &config.private;
    let home = home.filter(|at| at.ip().is_loopback());
    let at_home = home.map(|at| (at.to_string(), format!("http://{at}")));
    let (domain, uri) = private.domain.clone().zip(private.uri.clone()).or(at_home)?;
    Some(Settings {
        chain_id: private.chain_id,
        domain,
        session: Millis(private.session_ms),
        sessions_max: private.sessions_max,
        statement: private.statement.clone(),
        uri,
    })
}

/// Compares windows as they are made, until `stopping`.
async fn compare(
    changes: Arc<Changes>,
    warehouse: Arc<dyn Reader>,
    stopping: CancellationToken,
) -> anyhow::Result<()> {
    let mut is_readable = true;
    while !stopping.is_cancelled() {
        let mut is_done = true;
        for network in Network::ALL {
            let (index, reader) = (Arc::clone(&changes), Arc::clone(&warehouse));
            let work = move || index.refresh(reader.as_ref(), *network, WINDOWS_AT_ONCE);
            match tokio::task::spawn_blocking(work).await? {
                Ok(done) => {
                    is_done &= done;
                    is_readable = true;
                }
                // The feed is behind, and nothing else: others say what is wrong with the warehouse.
                Err(error) => {
                    if std::mem::take(&mut is_readable) {
                        tracing::warn!(%network, %error, "cannot compare windows; trying again");
                    }
                }
            }
        }
        if is_done {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
    Ok(())
}
