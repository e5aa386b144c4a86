//! `naap dev`: every role in one process, over the embedded channel.
//!
//! The order of the start is that of the floors: record, settling, channel, who may speak, doors. Stopping goes the
//! other way round: doors, spool, outbox, channel, record, settling.

use std::sync::Arc;

use channel::embedded::{Embedded, Limits};
use channel::{Channel, Publish, Selector, Start, Subscribe};
use events::identity::PublisherKey;
use pipeline::Clock;
use publisher::pump::Way;

use crate::backbone::{Foundation, known_networks};
use crate::config::Config;
use crate::console::Console;
use crate::instance::Instance;
use crate::known::{RECORD, Witness};
use crate::node::{Node, Plan};
use crate::own::{Addresses, Own};
use crate::process::{Deadline, Signals};
use crate::simulate::Simulation;
use crate::store::{self, Store};
use crate::{doors, leaderboard, process, room, simulate, web};

/// Runs the verb.
pub fn run(config: &Config, console: Console) -> anyhow::Result<()> {
    process::run(dev(config, console))
}

async fn dev(config: &Config, console: Console) -> anyhow::Result<()> {
    let instance =
        room::wait("the data folder", || async { doors::instance(config, true) }).await?;
    let clock = store::clock();
    let listener = web::bind(config.api.listen, "the API", "--listen").await?;
    let open = || async { open(&instance, config, &clock) };
    let (own, mut simulation, collector, store) = room::wait("the data folder", open).await?;
    store.vouch([own.node.key(), own.controller.key()].into_iter().chain(collector));
    if let Some(simulation) = &mut simulation {
        store.vouch(simulation.keys());
        simulation.past(&instance, &store, &clock)?;
    }

    let (failures, mut failed) = process::failures();
    let witnesses = vec![Witness { name: RECORD.to_owned(), source: Arc::new(store.source()) }];
    let foundation = Foundation::lay(store, listener, &clock, &failures)?;
    let embedded = Embedded::new(Limits::default());
    let subscription = embedded.subscribe(Selector::All, Start::Oldest).await?;
    let following =
        failures.watch("the record's door", foundation.door.clone().follow(subscription));
    let publish: Arc<dyn Publish> = Arc::new(embedded.clone());
    let ways = vec![Way { name: RECORD.to_owned(), channel: Arc::clone(&publish) }];
    let herald = own.herald(&instance, config, ways.clone(), witnesses.clone(), &clock)?;
    let heralding = herald.start(&failures).await?;
    let witness = Witness { name: RECORD.to_owned(), source: Arc::new(foundation.source()) };
    let way = Arc::clone(&publish);
    let posted = leaderboard::start(&instance, config, way, witness, &clock, &failures).await?;
    let plan = plan(&instance, config, &own, ways, witnesses);
    let mut node = Node::start(plan, config, &clock, &failures).await?;
    let mut gifts = node.gifts();
    gifts.checks.extend(heralding.checks.iter().cloned());
    let posted = posted.map(|(node, gift)| {
        gifts.extend(gift);
        node
    });
    let playing = match simulation {
        Some(simulation) => {
            Some(simulation.play(&instance, config, publish, &clock, &failures, &mut gifts).await?)
        }
        None => None,
    };
    let backbone = foundation.open(&instance, true, gifts, config, &failures)?;
    let addresses =
        Addresses { api: Some(backbone.address), intake: node.intake, kafka: node.kafka };
    let signals = Signals::listen()?;
    addresses.write(&instance, &failures)?;
    let api = backbone.address;
    console.line(format_args!("API        http://{api}, described at http://{api}/docs"))?;
    if config.simulation.enabled {
        console.line(format_args!("simulated  http://{api}/v1/scores?network=simulation"))?;
    }
    console.text(addresses.greeting(config))?;

    let outcome = failed.or_asked(signals).await;
    let deadline = Deadline::after(config.instance.stop_ms);
    if let Some(playing) = playing {
        playing.stop(deadline).await;
    }
    node.stop(deadline).await;
    if let Some(posted) = posted {
        posted.stop(deadline).await;
    }
    heralding.stop(deadline).await;
    if let Err(error) = embedded.close(deadline.left()).await {
        tracing::warn!(%error, "batches were on their way; they are sent again after the next start");
    }
    deadline.join("the record's door", [following]).await;
    backbone.stop(deadline).await;
    outcome.and_then(|()| failed.late())
}

/// The node that the doors speak for.
fn plan(
    instance: &Instance,
    config: &Config,
    own: &Own,
    ways: Vec<Way>,
    witnesses: Vec<Witness>,
) -> Plan {
    Plan {
        folder: instance.node_folder(&config.node.name),
        intake: doors::intake(config),
        kafka: doors::kafka(config),
        name: config.node.name.clone(),
        secret: own.node.secret().clone(),
        speaker: own.speaker(config),
        ways,
        witnesses,
    }
}

/// Who there is, and what the folder keeps.
fn open(
    instance: &Instance,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<(Own, Option<Simulation>, Option<PublisherKey>, Store)> {
    let own = Own::of(instance, config)?;
    own.trust(instance)?;
    let collector = leaderboard::trust(instance, config)?;
    let simulation = simulate::prepare(instance, config, clock)?;
    let store = Store::open(instance, config, known_networks(instance)?)?;
    Ok((own, simulation, collector, store))
}
