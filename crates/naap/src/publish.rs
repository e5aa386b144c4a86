//! `naap publish`: the publisher alone, beside a node: hears it, signs, sends to peers, and serves what they miss.

use std::sync::Arc;
use std::time::Duration;

use anyhow::bail;
use api::metrics::Exposition;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::routing::get;
use axum::{Json, Router};
use channel::http::{Limits, Peer, Served};
use channel::{Backfill, BoxFuture, Head};
use publisher::outbox::Shelf;
use publisher::pump::Way;
use tokio_util::sync::CancellationToken;

use crate::backbone::visitors;
use crate::config::Config;
use crate::console::Console;
use crate::known::Witness;
use crate::node::{Node, Plan};
use crate::own::{Addresses, Own};
use crate::process::{Deadline, Signals};
use crate::web::{self, Gifts};
use crate::{doors, process, room, store};

/// Runs the verb.
pub fn run(config: &Config, console: Console) -> anyhow::Result<()> {
    process::run(publish(config, console))
}

async fn publish(config: &Config, console: Console) -> anyhow::Result<()> {
    if config.channel.to.is_empty() {
        bail!("nobody to send to: name a peer with --to, or in channel.to");
    }
    config.channel.to.iter().try_for_each(|url| doors::peer(config, url).map(drop))?;
    let instance =
        room::wait("the data folder", || async { doors::instance(config, true) }).await?;
    let clock = store::clock();
    let open = || async {
        let own = Own::of(&instance, config)?;
        own.trust(&instance)?;
        anyhow::Ok(own)
    };
    let own = room::wait("the data folder", open).await?;
    let (mut ways, mut witnesses) = (Vec::new(), Vec::new());
    for url in &config.channel.to {
        let peer: Arc<Peer> = Arc::new(doors::peer(config, url)?);
        witnesses.push(Witness { name: url.clone(), source: Arc::<Peer>::clone(&peer) });
        ways.push(Way { name: url.clone(), channel: peer });
    }
    let (failures, mut failed) = process::failures();
    let herald = own.herald(&instance, config, ways.clone(), witnesses.clone(), &clock)?;
    let heralding = herald.start(&failures).await?;
    let plan = Plan {
        folder: instance.node_folder(&config.node.name),
        intake: doors::intake(config),
        kafka: doors::kafka(config),
        name: config.node.name.clone(),
        secret: own.node.secret().clone(),
        speaker: own.speaker(config),
        ways: ways.clone(),
        witnesses,
    };
    let mut node = Node::start(plan, config, &clock, &failures).await?;
    let listener = web::bind(config.api.listen, "peers that miss something", "--listen").await?;
    let addresses =
        Addresses { api: Some(listener.local_addr()?), intake: node.intake, kafka: node.kafka };
    let shelves = Shelves([node.shelf.clone(), heralding.shelf.clone()]);
    let mut gifts = node.gifts();
    gifts.checks.extend(heralding.checks.iter().cloned());
    let visitors = Some(visitors(config, &mut gifts));
    let served = Served { sink: None, feed: None, source: Some(Arc::new(shelves)), visitors };
    let router = channel::http::router(served, Limits::default()).merge(metrics(gifts));
    let (stop_ms, stopping) = (config.instance.stop_ms, CancellationToken::new());
    let serving = web::serve(listener, router, web::door(config), stopping.clone());
    let serving = failures.watch("serving", serving);
    let signals = Signals::listen()?;
    addresses.write(&instance, &failures)?;
    console.line(format_args!("sends to   {}", config.channel.to.join(", ")))?;
    if let Some(peers) = addresses.api {
        console.line(format_args!(
            "peers      http://{peers} answers what they miss, /healthz and /metrics"
        ))?;
    }
    console.text(addresses.greeting(config))?;

    let outcome = failed.or_asked(signals).await;
    let deadline = Deadline::after(stop_ms);
    node.stop(deadline).await;
    heralding.stop(deadline).await;
    for way in ways {
        // What was on its way is in the outbox and sent again after the next start.
        way.channel.close(Duration::ZERO).await.ok();
    }
    stopping.cancel();
    deadline.join("serving", [serving]).await;
    outcome.and_then(|()| failed.late())
}

/// `/metrics` and `/healthz` of a process that has no API.
fn metrics(gifts: Gifts) -> Router {
    let Gifts { checks, contributors, .. } = gifts;
    let expose = move || {
        let mut exposition = Exposition::default();
        contributors.iter().for_each(|contributor| contributor(&mut exposition));
        let text = exposition.text();
        async move { ([(CONTENT_TYPE, api::metrics::CONTENT_TYPE)], text) }
    };
    let look = move || {
        let verdict = api::health::verdict(api::health::look(&checks));
        async move { verdict.map(|healthy| ([(CACHE_CONTROL, "no-store")], Json(healthy))) }
    };
    Router::new().route("/metrics", get(expose)).route("/healthz", get(look))
}

/// What the node and its herald keep, as one source.
struct Shelves([Shelf; 2]);

impl Backfill for Shelves {
    fn fetch<'a>(
        &'a self,
        chain: &'a str,
        epoch: u64,
        from_seq: u64,
        to_seq: u64,
        max_bytes: usize,
    ) -> BoxFuture<'a, channel::Result<Vec<bytes::Bytes>>> {
        Box::pin(async move {
            for shelf in &self.0 {
                let found = shelf.fetch(chain, epoch, from_seq, to_seq, max_bytes).await?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
            Ok(Vec::new())
        })
    }

    fn heads(&self) -> BoxFuture<'_, channel::Result<Vec<Head>>> {
        Box::pin(async move {
            let mut heads = Vec::new();
            for shelf in &self.0 {
                heads.extend(shelf.heads().await?);
            }
            Ok(heads)
        })
    }
}
