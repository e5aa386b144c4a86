//! The doors of a node as the configuration describes them.

use std::time::Duration;

use publisher::intake::{http, kafka};

use crate::config::Config;

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
