//! What nodes say regardless of jobs: heartbeats, GPUs, capabilities, workers, the roster and delegations.
//!
//! A node whose region is out says nothing; what it had to drop it owns up to at its next heartbeat.

use std::sync::Arc;

use events::body::capability::{Offer, Offered};
use events::body::node::{BandwidthSample, CounterSample, GpuSample, Heartbeat, Worker};
use events::body::record::Dropped;
use events::body::{Body, Orchestrator as Named, Price};
use events::event::{Role, Workload};
use events::identity::{Digest, Pseudonym};
use events::unit::{Millis, Ppm, UnixMillis, Wei};

use super::agenda::{Beat, Task};
use super::stage::{Stage, Topic};
use crate::cast::{Cast, Orchestrator};
use crate::catalog::{CARDS, RUNNER_VERSION};
use crate::envelope::network;
use crate::options::DAY_MS;

/// Plans the first beat of everybody, each at a moment of its own.
pub(crate) fn begin(stage: &mut Stage) {
    let cast = Arc::clone(&stage.cast);
    stage.later(0, Task::Beat(Beat::Delegations));
    stage.later(0, Task::Beat(Beat::Roster));
    for (place, node) in cast.nodes.iter().enumerate() {
        if node.is_speaking && node.role != Role::Gateway {
            let wait = stage.chance.below(stage.options.heartbeat_every_ms);
            stage.later(wait, Task::Beat(Beat::Heart(place)));
        }
    }
    for (place, gateway) in cast.gateways.iter().enumerate() {
        if gateway.is_on_chain {
            // A gateway lists the network as soon as it is up.
            let wait = stage.chance.between(500, 5_000);
            stage.later(wait, Task::Beat(Beat::Capabilities(place)));
        }
        if gateway.is_reporting_requests {
            let wait = stage.chance.between(1_000, 9_000);
            stage.later(wait, Task::Beat(Beat::Workers(place)));
        }
    }
    for tester in cast.testers.clone() {
        let wait = stage.chance.below(stage.options.probe_every_ms);
        stage.later(wait, Task::Round(tester));
    }
}

/// How long to wait where less happens than usual.
pub(crate) fn less_often(stage: &Stage, usual_ms: u64) -> u64 {
    usual_ms.saturating_mul(stage.options.times_less(UnixMillis(stage.now)))
}

/// Lets a node do what it does, and plans the next time.
pub(crate) fn perform(stage: &mut Stage, beat: Beat) {
    let again = match beat {
        Beat::Heart(node) => {
            heart(stage, node);
            less_often(stage, stage.options.heartbeat_every_ms) - 20 + stage.chance.below(41)
        }
        Beat::Capabilities(gateway) => {
            let cast = Arc::clone(&stage.cast);
            stage.tell_list(gateway, "network_capabilities", cast.orchestrators.len(), |json| {
                network::capabilities(json, &cast);
            });
            // Ties hold for a day: who is who stays known however little happens.
            less_often(stage, stage.options.capability_every_ms).min(DAY_MS / 4)
        }
        Beat::Workers(gateway) => {
            workers(stage, gateway);
            DAY_MS / 24
        }
        Beat::Roster => {
            let now = UnixMillis(stage.now);
            let members = stage.cast.roster_members(now);
            let controller = stage.cast.controller;
            for member in members {
                stage.say(controller, Topic::default(), Body::RosterObserved(member));
            }
            DAY_MS
        }
        Beat::Delegations => {
            let granted =
                stage.cast.delegations(UnixMillis(stage.now), Millis(stage.options.delegation_ms));
            let controller = stage.cast.controller;
            for granted in granted {
                stage.say(controller, Topic::default(), Body::DelegationGranted(granted));
            }
            // Renewed a day before they end.
            stage.options.delegation_ms - DAY_MS
        }
    };
    stage.later(again, Task::Beat(beat));
}

fn heart(stage: &mut Stage, place: usize) {
    let cast = Arc::clone(&stage.cast);
    let Some(node) = cast.nodes.get(place) else { return };
    if stage.outage(place, stage.now, stage.now + 1).is_some() {
        return;
    }
    let dropped = stage.dropped.get_mut(place).map(std::mem::take).unwrap_or_default();
    if dropped > 0 {
        let reason = "spool_full".parse().expect("a short plain word is a label");
        stage.say(place, Topic::default(), Body::EventsDropped(Dropped { count: dropped, reason }));
    }
    let heartbeat = Heartbeat {
        dropped,
        uptime_ms: Millis(stage.now - stage.start),
        version: node.version.clone(),
    };
    stage.say(place, Topic::default(), Body::NodeHeartbeat(heartbeat));
    match node.role {
        Role::Worker | Role::Transcoder => {
            if let Some(orchestrator) =
                cast.orchestrators.iter().find(|orchestrator| orchestrator.worker == place)
            {
                machine(stage, place, orchestrator);
                come_and_go(stage, &cast, place, orchestrator);
            }
        }
        Role::Orchestrator if stage.chance.below(5) == 0 => {
            if let Some(orchestrator) =
                cast.orchestrators.iter().find(|orchestrator| orchestrator.node == place)
            {
                let offered = offered(&cast, orchestrator);
                stage.say(place, Topic::default(), Body::CapabilityOffered(offered));
            }
        }
        _ => (),
    }
}

/// What a worker measures of its machine: its GPU each time, its line and a count now and then.
fn machine(stage: &mut Stage, place: usize, orchestrator: &Orchestrator) {
    let Some(card) = CARDS.get(orchestrator.card) else { return };
    let gpu = GpuSample {
        gpu: orchestrator.gpu_id.parse().expect("a GPU's id is a label"),
        memory_free_bytes: Some(card.memory_bytes * stage.chance.between(5, 60) / 100),
        memory_total_bytes: Some(card.memory_bytes),
        name: Some(card.name.parse().expect("a card's name is a label")),
        utilisation: u32::try_from(stage.chance.between(40_000, 990_000)).ok().map(Ppm),
    };
    stage.say(place, Topic::default(), Body::GpuSampled(gpu));
    if stage.chance.below(4) == 0 {
        let sample = BandwidthSample {
            down_bps: Some(stage.chance.between(200_000_000, 1_000_000_000)),
            up_bps: Some(stage.chance.between(80_000_000, 1_000_000_000)),
        };
        stage.say(place, Topic::default(), Body::BandwidthSampled(sample));
        let counter = CounterSample {
            name: "gpu_temperature_celsius".parse().expect("a short plain word is a label"),
            orchestrator: orchestrator.named.clone(),
            value: i64::try_from(stage.chance.between(38, 84)).unwrap_or(0),
        };
        stage.say(place, Topic::default(), Body::CounterSampled(counter));
    }
}

/// A worker joins when it is first heard, goes away now and then, and comes back at its next heartbeat.
fn come_and_go(stage: &mut Stage, cast: &Cast, place: usize, orchestrator: &Orchestrator) {
    let is_first = stage.now - stage.start < stage.options.heartbeat_every_ms;
    let was_away = stage.is_away.get(place).copied().unwrap_or(false);
    let goes = !is_first && !was_away && stage.chance.happens(Ppm(4_000));
    if let Some(is_away) = stage.is_away.get_mut(place) {
        *is_away = goes;
    }
    let Some(first) = orchestrator.offers.first().and_then(|offer| cast.models.get(offer.model))
    else {
        return;
    };
    if !(is_first || was_away || goes) {
        return;
    }
    let Some(node) = cast.nodes.get(place) else { return };
    let secret = Digest::of(&[b"simulated pseudonyms\0", node.secret.as_bytes()]);
    let models = orchestrator.offers.iter().filter_map(|offer| cast.models.get(offer.model));
    let worker = Worker {
        capability: first.pipeline.clone(),
        models: models.map(|listed| listed.model.clone()).collect(),
        orchestrator: orchestrator.named.clone(),
        price: None,
        worker: Pseudonym::of(&secret, &orchestrator.gpu_id),
    };
    stage.say(
        place,
        Topic::default(),
        if goes { Body::WorkerLeft(worker) } else { Body::WorkerJoined(worker) },
    );
}

/// What an orchestrator says of its own offers.
fn offered(cast: &Cast, orchestrator: &Orchestrator) -> Offered {
    let offers = orchestrator.offers.iter().filter_map(|offer| {
        let listed = cast.models.get(offer.model)?;
        Some(Offer {
            capacity: Some(offer.capacity),
            in_use: None,
            model: Some(listed.model.clone()),
            pipeline: listed.pipeline.clone(),
            price: Some(Price { units: 1, wei: Wei(u128::from(offer.price_wei)) }),
            runner_version: Some(RUNNER_VERSION.parse().expect("a version is a label")),
            warm: Some(offer.is_warm),
        })
    });
    Offered {
        gpus: Vec::new(),
        offers: offers.collect(),
        omitted: None,
        orchestrator: Named { ..orchestrator.named.clone() },
        price: orchestrator.is_transcoding.then_some(Price { units: 500, wei: Wei(108_539) }),
        version: cast.nodes.get(orchestrator.node).map(|node| node.version.clone()),
    }
}

/// What a gateway says of the BYOC workers behind its orchestrators.
fn workers(stage: &mut Stage, gateway: usize) {
    let cast = Arc::clone(&stage.cast);
    for orchestrator in &cast.orchestrators {
        let id = orchestrator.gpu_id.trim_start_matches("GPU-");
        for offer in &orchestrator.offers {
            let Some(listed) =
                cast.models.get(offer.model).filter(|it| it.workload == Workload::Byoc)
            else {
                continue;
            };
            let what = match stage.chance.below(12) {
                0 => "worker_unregistered",
                1 => "worker_capacity_exhausted",
                _ => "worker_registered",
            };
            let described = (listed.pipeline.as_str(), listed.model.as_str(), offer.price_wei);
            stage.tell(gateway, "worker_lifecycle", |json, _| {
                network::worker(json, what, id, described, orchestrator.party());
            });
        }
    }
}
