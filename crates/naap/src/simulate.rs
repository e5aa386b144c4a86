//! A simulated network beside the real one: its past, made as fast as it goes, and its present, at its own pace.
//!
//! Its gateways are publishers like any other: each has a node with a spool, an outbox and a Kafka door of its own, and
//! speaks go-livepeer's envelopes to it over a socket. Its other nodes sign for themselves and publish on the embedded
//! channel. Everything is network `simulation`.

mod past;
mod play;
mod producer;

use std::sync::Arc;

use channel::Publish;
use events::event::{Network, Role};
use events::identity::PublisherKey;
use events::unit::{HOUR_MS, Millis, UnixMillis};
use pipeline::Clock;
use publisher::intake::kafka;
use publisher::pseudonym::PseudonymKey;
use publisher::pump::Way;
use publisher::translate::Speaker;
use simulator::cast::{Cast, Node as Player};
use simulator::options::{Options, Thin};
use simulator::world::World;
use sla::trust::Member;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::instance::Instance;
use crate::known::RECORD;
use crate::node::{Node, Plan};
use crate::process::{Deadline, Failures};
use crate::store::Store;
use crate::web::Gifts;
use play::Play;
use producer::Producer;

/// The topic that simulated gateways are configured with.
const TOPIC: &str = "simulation";

/// How long before now the past is thinnest.
const WEEK: Millis = Millis(7 * 24 * HOUR_MS);

/// How many times less happens in the last week than in the last hours.
const WEEK_TIMES: u64 = 20;

/// How many times less happens before that: enough to be known.
const MONTH_TIMES: u64 = 400;

/// A simulated network that is not yet at play.
pub struct Simulation {
    cast: Arc<Cast>,
    options: Options,
    past_days: u64,
    past_hours: u64,
    seed: u64,
    world: World,
}

/// The one that is configured, with its controller and testers in the trust file of its network.
pub fn prepare(
    instance: &Instance,
    config: &Config,
    clock: &Clock,
) -> anyhow::Result<Option<Simulation>> {
    let settings = &config.simulation;
    if !settings.enabled {
        return Ok(None);
    }
    let options = Options { events_per_1000_s: settings.events_per_1000_s, ..Options::small() };
    let world = World::new(settings.seed, options.clone(), clock());
    let cast = Arc::clone(world.cast());
    let trusted =
        cast.nodes.iter().filter(|node| matches!(node.role, Role::Controller | Role::Tester));
    let member = |node: &Player| Member {
        address: node.operator,
        key: Some(node.publisher),
        role: node.role,
    };
    instance.trust_with(Network::Simulation, &trusted.map(member).collect::<Vec<_>>())?;
    let (seed, past_days, past_hours) = (settings.seed, settings.past_days, settings.past_hours);
    Ok(Some(Simulation { cast, options, past_days, past_hours, seed, world }))
}

impl Simulation {
    /// The keys of everybody in it.
    pub fn keys(&self) -> Vec<PublisherKey> {
        self.cast.nodes.iter().map(|node| node.publisher).collect()
    }

    /// Makes its past, if this folder never saw it; the present then goes on from there.
    pub fn past(
        &mut self,
        instance: &Instance,
        store: &Store,
        clock: &Clock,
    ) -> anyhow::Result<()> {
        let now = clock();
        let busy = Millis(self.past_hours.saturating_mul(HOUR_MS));
        let span = Millis(self.past_days.saturating_mul(24 * HOUR_MS)).max(busy);
        // Long enough that gateways count as sources, and so thin that it is told in seconds.
        let week = Thin { times: WEEK_TIMES, until: now.minus(busy) };
        let month = Thin { times: MONTH_TIMES, until: now.minus(WEEK).min(week.until) };
        let options = Options { thin: vec![month, week], ..self.options.clone() };
        if let Some(world) = past::make(instance, store, self.seed, &options, span, now)? {
            self.world = world;
        }
        Ok(())
    }

    /// Starts the gateways' nodes and lets everybody play.
    pub async fn play(
        self,
        instance: &Instance,
        config: &Config,
        channel: Arc<dyn Publish>,
        clock: &Clock,
        failures: &Failures,
        gifts: &mut Gifts,
    ) -> anyhow::Result<Playing> {
        let mut nodes = Vec::new();
        let mut producers = Vec::new();
        for (place, gateway) in self.cast.gateways.iter().enumerate() {
            let Some(player) = self.cast.nodes.get(gateway.node) else { continue };
            let name = format!("simulation-{}-{place}", self.seed);
            let plan = Plan {
                folder: instance.node_folder(&name),
                intake: None,
                kafka: Some(kafka::Config::plain(([127, 0, 0, 1], 0).into(), TOPIC)),
                name,
                secret: player.secret.clone(),
                speaker: speaker(player),
                ways: vec![Way { name: RECORD.to_owned(), channel: Arc::clone(&channel) }],
                // Its past was signed with the same keys, by no outbox.
                witnesses: Vec::new(),
            };
            let mut node = Node::start(plan, config, clock, failures).await?;
            gifts.extend(node.gifts());
            if let Some(address) = node.kafka {
                producers.push((
                    gateway.node,
                    Producer::start(address, TOPIC),
                    Arc::clone(&node.spool),
                ));
            }
            nodes.push(node);
        }
        let stop = CancellationToken::new();
        let play =
            Play::new(self.world, (self.seed, self.options), channel, producers, Arc::clone(clock));
        let task = failures.watch("the simulation", play.run(stop.clone()));
        Ok(Playing { nodes, stop, task })
    }
}

/// Who a simulated node speaks as.
fn speaker(player: &Player) -> Speaker {
    Speaker {
        network: Network::Simulation,
        reporter: player.operator,
        role: player.role,
        node: player.id.clone(),
        pseudonyms: PseudonymKey::of(&player.secret),
        region: Some(player.region.clone()),
    }
}

/// A simulated network at play.
pub struct Playing {
    nodes: Vec<Node>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Playing {
    /// Ends the play, then lets the gateways' nodes finish.
    pub async fn stop(self, deadline: Deadline) {
        self.stop.cancel();
        deadline.join("the simulation", [self.task]).await;
        for node in self.nodes {
            node.stop(deadline).await;
        }
    }
}

/// The moment that a chain of batches begun now is numbered by.
fn epoch(now: UnixMillis) -> u64 {
    now.0 / 1_000
}
