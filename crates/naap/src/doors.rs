//! The doors of a node as the configuration describes them, and whether it describes any that can be opened.
//! It opens none.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use channel::http::{Limits, Peer};
use publisher::intake::{http, kafka, posted};

use crate::backbone::policy;
use crate::config::{Config, Error};
use crate::instance::Instance;
use crate::{leaderboard, node, store, web};

/// Whether everything that a configuration names could be used: doors with their files, peers, the policy, the folders'
/// limits. Nothing is opened and nobody is called.
pub fn check(config: &Config) -> anyhow::Result<()> {
    check_doors(config).map_err(|error| Error::Contradictory(format!("{error:#}")))?;
    for url in config.channel.to.iter().chain(&config.channel.peers) {
        peer(config, url).map_err(|error| Error::Contradictory(format!("{error:#}")))?;
    }
    store::policy(config).map_err(|error| Error::Contradictory(format!("{error:#}")))?;
    store::routing_policies(config).map_err(|error| Error::Contradictory(format!("{error:#}")))?;
    Ok(())
}

fn check_doors(config: &Config) -> anyhow::Result<()> {
    if let Some(door) = kafka(config) {
        kafka::check(&door).context("[kafka]")?;
    }
    if let Some(door) = intake(config) {
        http::check(&door).context("[intake]")?;
    }
    if let Some(door) = leaderboard::door(config)? {
        posted::check(&door).context("[leaderboard]")?;
    }
    node::spool_options(Path::new(""), config).check().context("[spool]")
}

/// A peer that may be called.
pub fn peer(config: &Config, url: &str) -> anyhow::Result<Peer> {
    Peer::new(url, &policy(config), Limits::default()).with_context(|| {
        format!(
            "{url} cannot be called: peers are called by https at public hosts; on this machine set channel.loopback = \
             true, in a private network channel.private = true"
        )
    })
}

/// Opens the data folder for a role with these doors. Where the configuration or a taken port would end the start, it ends
/// here: before a folder is made that was not there, and before anything in it is begun.
pub fn instance(config: &Config, has_node: bool) -> anyhow::Result<Instance> {
    let folder = &config.instance.data;
    if !folder.exists() {
        probe(config, has_node)?;
    }
    let instance = Instance::open(folder)?;
    probe(config, has_node)?;
    Ok(instance)
}

fn probe(config: &Config, has_node: bool) -> anyhow::Result<()> {
    store::policy(config)?;
    store::routing_policies(config)?;
    for url in &config.channel.peers {
        peer(config, url)?;
    }
    if let Some(door) = leaderboard::door(config)? {
        posted::check(&door).context("[leaderboard]")?;
    }
    is_free(config.api.listen)
        .with_context(|| web::taken(config.api.listen, "the API", "--listen"))?;
    if !has_node {
        return Ok(());
    }
    check_doors(config)?;
    if let Some(at) = config.kafka.listen {
        is_free(at).with_context(|| web::taken(at, "Kafka", "--kafka"))?;
    }
    if let Some(at) = config.intake.listen {
        is_free(at).with_context(|| web::taken(at, "envelopes", "--intake"))?;
    }
    Ok(())
}

/// Whether nobody listens there.
fn is_free(address: SocketAddr) -> std::io::Result<()> {
    TcpListener::bind(address).map(drop)
}

/// The Kafka door, if there is one.
pub fn kafka(config: &Config) -> Option<kafka::Config> {
    let settings = &config.kafka;
    let certificate = settings.tls_certificate.clone().zip(settings.tls_key.clone());
    let login = settings.password_file.clone();
    Some(kafka::Config {
        listen: settings.listen?,
        advertised: settings.advertised.clone().map(|at| (at.0, at.1)),
        topic: settings.topic.clone(),
        tls: certificate.map(|(certificate, key)| kafka::Tls { certificate, key }),
        login: login.map(|password| kafka::Login { user: settings.user.clone(), password }),
        limits: kafka::Limits {
            request_bytes_max: settings.request_bytes_max,
            inflated_bytes_max: settings.inflated_bytes_max,
            connections_max: settings.connections_max,
            memory_bytes_max: settings.memory_bytes_max,
            idle: Duration::from_millis(settings.idle_ms),
            drain: Duration::from_millis(config.instance.stop_ms / 2),
            ..kafka::Limits::default()
        },
    })
}

/// The HTTP door, if there is one.
pub fn intake(config: &Config) -> Option<http::Config> {
    let settings = &config.intake;
    Some(http::Config {
        token: settings.token_file.clone(),
        body_bytes_max: settings.body_bytes_max,
        items_max: settings.items_max,
        memory_bytes_max: settings.memory_bytes_max,
        ..http::Config::plain(settings.listen?)
    })
}
